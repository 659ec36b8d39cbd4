// value_and_gradient: against gradients of the same function's graph and central differences; its memory.
#include "../support/draw.hpp"
#include "../support/memory.hpp"
#include <tenon/grad/gradients.hpp>
#include <tenon/grad/value_and_gradient.hpp>
#include <tenon/ops/ops.hpp>
#include <tenon/run/variable.hpp>

#include <doctest/doctest.h>

using namespace tenon;
using test::Draw, test::farther, test::memory;

namespace {

template <class T, class S> Fixed<T, S> drawn(Draw& draw) {
    Fixed<T, S> x;
    std::ranges::copy(draw.numbers<T>(S::dims.size()), x.elements.data());
    return x;
}
template <class T, class S> Tensor tensor(const Fixed<T, S>& x) {
    Tensor t(DType::float64, S::dims);
    std::copy_n(x.data(), x.size, t.template data<double>());
    return t;
}

/// The gradients of f by its graph, and its value behind them.
template <class... S, class F> std::vector<Tensor> of_graph(F f, const std::vector<Tensor>& args) {
    const std::tuple<Placeholder<double, S>...> in;
    const Node<double> y = unpack(in, [&](const auto&... x) { return Node<double>(node(f(x...))); });
    const std::vector<Output> wrt = unpack(in, [](const auto&... x) { return std::vector<Output>{x...}; });
    auto fetches = gradients(y, wrt);
    fetches.push_back(y);
    std::vector<Feed> feeds;
    for (std::size_t i = 0; i < wrt.size(); ++i) feeds.push_back({wrt[i], args[i]});
    return Session().run_all(fetches, feeds);
}
/// How far value and gradients of f are from those of the graph that f makes, in the larger of 1 and the number.
template <class F, class T, class... S> double from_graph(F f, const Fixed<T, S>&... args) {
    const auto [value, gradient] = value_and_gradient(f)(args...);
    const auto want = of_graph<S...>(f, {tensor(args)...});
    double worst = 0;
    const auto compare = [&](const Tensor& w, const T* got, std::size_t n) {
        REQUIRE(static_cast<std::size_t>(w.size()) == n);
        for (std::size_t i = 0; i < n; ++i) {
            const double v = w.data<double>()[i];
            worst = farther(worst, std::abs(double(got[i]) - v) / std::max(1.0, std::abs(v)));
        }
    };
    compare(want.back(), &value, 1);
    std::size_t k = 0;
    unpack(gradient, [&](const auto&... d) { (compare(want[k++], d.data(), d.size), ...); });
    return worst;
}

/// How far the gradients of f are from central differences, in the larger of 1 and the number.
template <class F, class... S> double from_differences(F f, const Fixed<double, S>&... given) {
    const auto function = value_and_gradient(f);
    const auto gradient = function(given...).second;
    std::tuple args{given...};
    double worst = 0;
    const auto compare = [&](auto& x, const auto& d) {
        for (std::size_t i = 0; i < x.size; ++i) {
            const double at = x[i], h = 1e-5;
            x[i] = at + h;
            const double above = unpack(args, function).first;
            x[i] = at - h;
            const double below = unpack(args, function).first;
            x[i] = at;
            worst = farther(worst, std::abs(d[i] - (above - below) / (2 * h)) / std::max(1.0, std::abs(d[i])));
        }
    };
    [&]<std::size_t... i>(std::index_sequence<i...>) { (compare(std::get<i>(args), std::get<i>(gradient)), ...); }(std::index_sequence_for<S...>());
    return worst;
}

/// Both, of arguments of these shapes, in float and in double.
template <class... S, class F> void check(const char* name, F f) {
    CAPTURE(name);
    Draw draw(21);
    for (int k = 0; k < 3; ++k) {
        CHECK(from_graph(f, drawn<float, S>(draw)...) < 1e-5);
        CHECK(from_graph(f, drawn<double, S>(draw)...) < 1e-12);
        CHECK(from_differences(f, drawn<double, S>(draw)...) < 1e-8);
    }
}

}  // namespace

TEST_CASE("value_and_gradient gives what the graph of the same function gives, and central differences") {
    check<Shape<7>, Shape<7>>("elementwise", [](auto a, auto b) { return sum(tanh(a * b) / (2 + exp(a)) - sigmoid(b) * square(a) + maximum(a, b) * relu(b) + pow(a + 2, 1.5)); });
    check<Shape<3, 5>, Shape<5, 2>>("MatMul", [](auto a, auto b) { return sum(square(matmul(a, b))); });
    check<Shape<5, 3>, Shape<2, 5>, Shape<7, 2>>("MatMul, transposed", [](auto a, auto b, auto c) {
        const auto both = matmul<MatMul{.transpose_a = true, .transpose_b = true}>(a, b);
        const auto second = matmul<MatMul{.transpose_b = true}>(both, c);
        return mean(square(matmul<MatMul{.transpose_a = true}>(second, both)));
    });
    check<Shape<2, 6>, Shape<4>>("reductions and reshapes", [](auto a, auto b) { return mean(square(reshape<3, 4>(a) - b)) + sum(matmul(reshape<4, 3>(a), expand_dims<1>(mean<0>(reshape<4, 3>(a))))) + sum(sum<1>(exp(a))); });
    check<Shape<4, 3>, Shape<3>, Shape<4, 1>, Shape<>>("broadcasting", [](auto a, auto b, auto c, auto d) { return mean(tanh(a * b + c) * d) + sum(b * c); });
    check<Shape<4, 3>, Shape<3, 5>, Shape<5>, Shape<5, 2>, Shape<2>>("a perceptron", [](auto x, auto w1, auto b1, auto w2, auto b2) { return mean(square(sigmoid(matmul(tanh(matmul(x, w1) + b1), w2) + b2) - 0.5)); });
    check<Shape<>>("the argument itself", [](auto a) { return a; });
}

TEST_CASE("a softmax's cross entropy, written of what a tape has, is that of the graph's op") {
    Draw draw(22);
    Fixed<double, Shape<5, 4>> labels;
    for (std::size_t i = 0; i < 5; ++i) labels[i * 4 + i % 4] = 1;
    const auto x = drawn<double, Shape<5, 3>>(draw);
    const auto w = drawn<double, Shape<3, 4>>(draw);
    const auto of_tape = [&](auto v) {
        const auto z = matmul(x, v);
        return mean(log(sum<1>(exp(z))) - sum<1>(labels * z));
    };
    CHECK(from_differences(of_tape, w) < 1e-8);
    const auto [value, gradient] = value_and_gradient(of_tape)(w);
    Placeholder<double, Shape<5, 4>> t;
    Placeholder<double, Shape<5, 3>> u;
    Placeholder<double, Shape<3, 4>> v;
    const auto loss = mean(softmax_cross_entropy_with_logits(t, matmul(u, v)));
    const auto want = Session().run_all({loss, gradients(loss, {v})[0]}, {{t, tensor(labels)}, {u, tensor(x)}, {v, tensor(w)}});
    CHECK(value == doctest::Approx(want[0].item<double>()).epsilon(1e-14));
    for (std::size_t i = 0; i < w.size; ++i) CHECK(std::get<0>(gradient)[i] == doctest::Approx(want[1].data<double>()[i]).epsilon(1e-12));
}

TEST_CASE("loops and branches of a function are those of C++") {
    const auto power = [](int n) {
        return [n](auto x) {
            auto y = x;
            for (int i = 1; i < n; ++i) y = y * x;
            return sum(y);
        };
    };
    const Fixed<double, Shape<2>> x{{1.5, -2}};
    for (const int n : {1, 2, 5, 40}) {
        const auto [value, gradient] = value_and_gradient(power(n))(x);
        CHECK(value == doctest::Approx(std::pow(1.5, n) + std::pow(-2., n)));
        for (std::size_t i = 0; i < 2; ++i) CHECK(std::get<0>(gradient)[i] == doctest::Approx(n * std::pow(x[i], n - 1)));
    }
}

TEST_CASE("what does not influence the value gets zeros: an argument that is not read, and one behind stop_gradient") {
    const Fixed<float, Shape<3>> a{{1, 2, 3}}, b{{4, 5, 6}}, zero{};
    const auto gradient = [&](auto f) { return value_and_gradient(f)(a, b); };
    const auto [unread, of_unread] = gradient([](auto x, auto) { return sum(x * x); });
    CHECK(unread == 14);
    CHECK(std::get<0>(of_unread).elements == std::array{2.f, 4.f, 6.f});
    CHECK(std::get<1>(of_unread).elements == zero.elements);
    const auto [stopped, of_stopped] = gradient([](auto x, auto y) { return sum(stop_gradient(x * y) * y); });
    CHECK(stopped == 1 * 16 + 2 * 25 + 3 * 36);
    CHECK(std::get<0>(of_stopped).elements == zero.elements);
    CHECK(std::get<1>(of_stopped).elements == std::array{4.f, 10.f, 18.f});
    const auto [all, of_all] = gradient([](auto x, auto y) { return stop_gradient(sum(x * y)); });
    CHECK(all == 32);
    CHECK(std::get<0>(of_all).elements == zero.elements);
    CHECK(std::get<1>(of_all).elements == zero.elements);
    const auto [none, of_none] = gradient([&](auto, auto) { return sum(a); });
    CHECK(none == 6);
    CHECK(std::get<0>(of_none).elements == zero.elements);
}

TEST_CASE("nothing is allocated while 8 KiB suffice; beyond them a tape asks for 64 KiB at a time, and gives all of it back") {
    Draw draw(23);
    const auto x = drawn<float, Shape<4, 2>>(draw);
    const auto w1 = drawn<float, Shape<2, 8>>(draw);
    const auto w2 = drawn<float, Shape<8, 1>>(draw);
    const auto net = value_and_gradient([&](auto u, auto v) { return mean(square(sigmoid(matmul(tanh(matmul(x, u)), v)) - 1)); });
    const auto chain = [](int n) {
        return value_and_gradient([n](auto v) {
            auto y = v;
            for (int i = 0; i < n; ++i) y = y * 0.5f + v;
            return sum(y);
        });
    };
    const auto asked = [&](auto f) {
        const long before = memory.taken, held = memory.held;
        f();
        CHECK(memory.held == held);
        return memory.taken - before;
    };
    CHECK(asked([&] { net(w1, w2); }) == 0);
    CHECK(asked([&] { chain(10)(w1); }) == 0);
    CHECK(asked([&] { chain(60)(w1); }) > 0);
    CHECK(asked([&] { chain(60)(w1); }) < 4);
    CHECK(asked([&] { chain(1000)(w1); }) < 20);
    for (const int n : {10, 60, 1000}) {
        double value = 0, slope = 1;
        for (int i = 0; i < n; ++i) slope = slope / 2 + 1;
        for (const float v : w1.elements) value += v * slope;
        const auto [got, gradient] = chain(n)(w1);
        CHECK(got == doctest::Approx(value).epsilon(1e-5));
        for (const float d : std::get<0>(gradient).elements) CHECK(d == doctest::Approx(slope).epsilon(1e-6));
    }
    const auto large = drawn<double, Shape<100, 100>>(draw);  // 80 KB: more than the tape asks for at once
    const auto whole = value_and_gradient([](auto v) { return sum(v * v); });
    CHECK(asked([&] {
        const auto gradient = whole(large).second;
        for (std::size_t i = 0; i < large.size; ++i) REQUIRE(std::get<0>(gradient)[i] == 2 * large[i]);
    }) < 10);
    const long held = memory.held;
    {
        const test::Refusal here(1);
        CHECK_THROWS_AS(chain(60)(w1), std::bad_alloc);
    }
    CHECK(memory.held == held);
}
