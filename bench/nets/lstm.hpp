// An LSTM of 128 units over 28 steps of 28 inputs, batch 64, and a dense layer on its last state; gradient descent at 1e-3 where it learns.
// Gates i, j, f, o of [x, h] W + b, with 1 added to f: the equations of TensorFlow's BasicLSTMCell, unrolled as static_rnn does.
#pragma once
#include "net.hpp"

namespace bench {

inline Net lstm(bool trains) {
    using namespace tenon;
    constexpr std::int64_t batch = 64, steps = 28, inputs = 28, units = 128, classes = 10;
    using State = Node<float, Shape<batch, units>>;
    Placeholder<float, Shape<batch, steps, inputs>> x{"x"};
    Placeholder<float, Shape<batch, classes>> t{"t"};
    Variable<float, Shape<inputs + units, 4 * units>> w{"w"};
    Variable<float, Shape<4 * units>> b{"b"};
    Variable<float, Shape<units, classes>> wo{"wo"};
    Variable<float, Shape<classes>> bo{"bo"};
    State h{make_const<float>(filled({batch, units}, 0))}, c = h;
    const auto step = [&](const auto& xt) {
        auto [i, j, f, o] = split<4, 1>(matmul(concat<1>(xt, h), w) + b);
        c = sigmoid(f + 1.f) * c + sigmoid(i) * tanh(j);
        h = sigmoid(o) * tanh(c);
    };
    std::apply([&](const auto&... xt) { (step(xt), ...); }, unstack<1>(x));
    auto logits = named("logits", matmul(h, wo) + bo);
    w.assign(numbers({inputs + units, 4 * units}, .08f, 10)), wo.assign(numbers({units, classes}, .08f, 11));
    const Feed sequences = feed(x, numbers({batch, steps, inputs}, 1, 1));
    if (!trains) return {logits, {}, {sequences}};
    auto loss = mean(softmax_cross_entropy_with_logits(t, logits));
    auto train = GradientDescent{{.learning_rate = 1e-3f}}.minimize(loss);
    return {loss, train, {sequences, feed(t, one_hot(batch, classes))}};
}

}  // namespace bench
