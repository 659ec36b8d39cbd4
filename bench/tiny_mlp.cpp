// One training step of 2-8-1, batch 4 (tanh, sigmoid, mean squared error, gradient descent): hand-written with constant extents,
// tenon's value_and_gradient, tenon's session.
#include "hand_written.hpp"
#include "harness.hpp"

#include <tenon/grad/value_and_gradient.hpp>
#include <tenon/tenon.hpp>

using namespace tenon;

int main() {
    hand::Tiny<4, 2, 8, 1> reference;
    reference.init(4, 2, 8, 1);
    reference.x << 0, 0, 0, 1, 1, 0, 1, 1;
    reference.y << 0, 1, 1, 0;
    auto again = reference;
    hand::Tiny<-1, -1, -1, -1> dynamic;
    dynamic.init(4, 2, 8, 1);
    dynamic.x = reference.x, dynamic.y = reference.y;

    Placeholder<float, Shape<4, 2>> x{"x"};
    Placeholder<float, Shape<4, 1>> t{"t"};
    Variable<float, Shape<2, 8>> w1{"w1"};
    Variable<float, Shape<8>> b1{"b1"};
    Variable<float, Shape<8, 1>> w2{"w2"};
    Variable<float, Shape<1>> b2{"b2"};
    auto hidden = tanh(matmul(x, w1) + b1);
    auto loss = mean(square(sigmoid(matmul(hidden, w2) + b2) - t));
    auto train = GradientDescent{{.learning_rate = hand::rate}}.minimize(loss);
    w1.assign(Tensor::of<float>({2, 8}, {reference.w1.data(), 16}));
    w2.assign(Tensor::of<float>({8, 1}, {reference.w2.data(), 8}));
    Session session;
    auto step = session.make_callable({train, loss}, feed(x, {reference.x.data(), 8}), feed(t, {reference.y.data(), 4}));

    Fixed<float, Shape<4, 2>> fx;
    Fixed<float, Shape<4, 1>> ft;
    Fixed<float, Shape<2, 8>> v1;
    Fixed<float, Shape<8>> c1;
    Fixed<float, Shape<8, 1>> v2;
    Fixed<float, Shape<1>> c2;
    std::copy_n(reference.x.data(), 8, fx.elements.data()), std::copy_n(reference.y.data(), 4, ft.elements.data());
    std::copy_n(reference.w1.data(), 16, v1.elements.data()), std::copy_n(reference.w2.data(), 8, v2.elements.data());
    const auto gradient = value_and_gradient([&](auto a1, auto d1, auto a2, auto d2) { return mean(square(sigmoid(matmul(tanh(matmul(fx, a1) + d1), a2) + d2) - ft)); });
    float last = 0;
    const auto function = [&] {
        const auto [value, d] = gradient(v1, c1, v2, c2);
        last = value;
        const auto descend = [](auto& p, const auto& g) { for (std::size_t i = 0; i < p.size; ++i) p[i] -= hand::rate * g[i]; };
        descend(v1, std::get<0>(d)), descend(c1, std::get<1>(d)), descend(v2, std::get<2>(d)), descend(c2, std::get<3>(d));
        bench::clobber();
    };

    for (int i = 0; i < 50; ++i) reference.step(), step(), function();
    std::printf("%zu kernels; loss after 50 steps: by hand %.7f, session %.7f, function %.7f\n", step.plan().kernels(), double(reference.loss), double(step.result<float>(1)[0]), double(last));
    bench::compare("2-8-1, batch 4, training step", {{"by hand, constant extents", [&] { reference.step(), bench::clobber(); }}, {"by hand, again", [&] { again.step(), bench::clobber(); }},
                                                     {"by hand, dynamic Eigen", [&] { dynamic.step(), bench::clobber(); }}, {"tenon, value_and_gradient", function}, {"tenon, session", [&] { step(), bench::clobber(); }}}, "", 1, 15, 2);
}
