// Perceptrons: training steps of gradient descent, at a rate of 1e-3.
#pragma once
#include "net.hpp"

#include <tenon/grad/value_and_gradient.hpp>

namespace bench {

constexpr float mlp_rate = 1e-3f;

/// 2-8-1, batch 4: tanh, sigmoid, mean squared error.
inline Net tiny_mlp() {
    using namespace tenon;
    Placeholder<float, Shape<4, 2>> x{"x"};
    Placeholder<float, Shape<4, 1>> t{"t"};
    Variable<float, Shape<2, 8>> w1{"w1"};
    Variable<float, Shape<8>> b1{"b1"};
    Variable<float, Shape<8, 1>> w2{"w2"};
    Variable<float, Shape<1>> b2{"b2"};
    auto loss = mean(square(sigmoid(matmul(tanh(matmul(x, w1) + b1), w2) + b2) - t));
    auto train = GradientDescent{{.learning_rate = mlp_rate}}.minimize(loss);
    w1.assign(numbers({2, 8}, std::pow(2.f, -.5f), 10));
    w2.assign(numbers({8, 1}, std::pow(8.f, -.5f), 11));
    return {loss, train, {feed(x, numbers({4, 2}, 1, 1)), feed(t, numbers({4, 1}, .5f, 2, .5f))}};
}

/// The same as a function of tensors of constant extents, without a graph.
inline Step tiny_mlp_function() {
    using namespace tenon;
    struct State {
        Fixed<float, Shape<4, 2>> x;
        Fixed<float, Shape<4, 1>> t;
        Fixed<float, Shape<2, 8>> w1;
        Fixed<float, Shape<8>> b1;
        Fixed<float, Shape<8, 1>> w2;
        Fixed<float, Shape<1>> b2;
    };
    const auto s = std::make_shared<State>();
    const auto fill = [](auto& to, float scale, int seed, float plus = 0) { numbers(to.elements.data(), to.size, scale, seed, plus); };
    fill(s->x, 1, 1), fill(s->t, .5f, 2, .5f), fill(s->w1, std::pow(2.f, -.5f), 10), fill(s->w2, std::pow(8.f, -.5f), 11);
    const auto step = value_and_gradient([p = s.get()](auto w1, auto b1, auto w2, auto b2) { return mean(square(sigmoid(matmul(tanh(matmul(p->x, w1) + b1), w2) + b2) - p->t)); });
    return [s, step] {
        const auto [loss, d] = step(s->w1, s->b1, s->w2, s->b2);
        const auto descend = [](auto& p, const auto& g) { for (std::size_t i = 0; i < p.size; ++i) p[i] -= mlp_rate * g[i]; };
        descend(s->w1, std::get<0>(d)), descend(s->b1, std::get<1>(d)), descend(s->w2, std::get<2>(d)), descend(s->b2, std::get<3>(d));
        return loss;
    };
}

/// One hidden layer: relu, softmax cross entropy.
template <std::int64_t inputs = 784, std::int64_t hidden = 128, std::int64_t classes = 10> Net classifier(std::int64_t batch = 64) {
    using namespace tenon;
    Placeholder<float, Shape<dyn, inputs>> x{"x"};
    Placeholder<float, Shape<dyn, classes>> t{"t"};
    Variable<float, Shape<inputs, hidden>> w1{"w1"};
    Variable<float, Shape<hidden>> b1{"b1"};
    Variable<float, Shape<hidden, classes>> w2{"w2"};
    Variable<float, Shape<classes>> b2{"b2"};
    auto loss = mean(softmax_cross_entropy_with_logits(t, matmul(relu(matmul(x, w1) + b1), w2) + b2));
    auto train = GradientDescent{{.learning_rate = mlp_rate}}.minimize(loss);
    w1.assign(numbers({inputs, hidden}, std::pow(float(inputs), -.5f), 10));
    w2.assign(numbers({hidden, classes}, std::pow(float(hidden), -.5f), 11));
    return {loss, train, {feed(x, numbers({batch, inputs}, 1, 1)), feed(t, one_hot(batch, classes))}};
}

/// Three layers of the same width.
template <std::int64_t width = 1024> Net wide_mlp(std::int64_t batch = 256) {
    using namespace tenon;
    Placeholder<float, Shape<dyn, width>> x{"x"}, t{"t"};
    Variable<float, Shape<width, width>> w1{"w1"}, w2{"w2"}, w3{"w3"};
    Variable<float, Shape<width>> b1{"b1"}, b2{"b2"}, b3{"b3"};
    auto h1 = relu(matmul(x, w1) + b1);
    auto h2 = relu(matmul(h1, w2) + b2);
    auto loss = mean(softmax_cross_entropy_with_logits(t, matmul(h2, w3) + b3));
    auto train = GradientDescent{{.learning_rate = mlp_rate}}.minimize(loss);
    const float scale = std::pow(float(width), -.5f);
    w1.assign(numbers({width, width}, scale, 10)), w2.assign(numbers({width, width}, scale, 11)), w3.assign(numbers({width, width}, scale, 12));
    return {loss, train, {feed(x, numbers({batch, width}, 1, 1)), feed(t, one_hot(batch, width))}};
}

}  // namespace bench
