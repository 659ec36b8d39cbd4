// Gradients as a transformation of the graph: against central differences, of statements, of gradients.
#include <tenon/grad/check_gradient.hpp>
#include <tenon/ops/ops.hpp>
#include <tenon/run/variable.hpp>

#include <doctest/doctest.h>

#include <cstring>

using namespace tenon;

namespace {

/// A placeholder of doubles, fed numbers of its own.
template <class S> struct Fed : Placeholder<double, S> {
    Tensor value;
    explicit Fed(std::uint64_t seed, const Dims& dims = S::dims) : value(tenon::detail::random_upstream<double>(dims, seed)) {}
    operator Feed() const { return {*this, value}; }
};

template <class Y, class... X> std::string check(const Y& y, const X&... x) { return check_gradient(y, {Feed(x)...}, {Output(x)...}).problem; }

template <class... N> std::size_t kernels(const N&... n) {
    Session s;
    return s.make_callable({Output(n)...}).plan().kernels();
}

struct Blind : Unary<Blind> {
    static constexpr const char* name = "Blind";
    static constexpr bool differentiable = false;
    static auto forward(const auto& a) { return a + 1; }
};

}  // namespace

TEST_CASE("value and gradient of a reduced statement are one pass") {
    Variable<double, Shape<7, 300>> a{"a", random_normal({.seed = 1})};
    Variable<double, Shape<300>> b{"b", random_normal({.seed = 2})};
    const auto one_pass = [&](const auto& loss) {
        const auto [da, db] = gradients(loss, a, b);
        CHECK(kernels(loss, da, db) == 1);
        CHECK(kernels(loss) == 1);
        CHECK(kernels(da, db) == 1);
        Session s;
        const auto together = s.run_all({loss, da, db});
        CHECK(together[0].template item<double>() == s.run_all({loss})[0].template item<double>());
        const auto apart = s.run_all({da, db});
        for (std::size_t k = 0; k < 2; ++k) CHECK(std::memcmp(together[k + 1].raw(), apart[k].raw(), apart[k].bytes()) == 0);
    };
    one_pass(mean(tanh(a * b)));
    one_pass(sum(exp(a - b)));
    one_pass(mean(square(a - b) * sigmoid(a)));
    Fed<Shape<5, 4>> x(3);
    Fed<Shape<4>> w(4);
    CHECK(check(mean(tanh(x * w)), x, w) == "");
    CHECK(check(square(sum(exp(x * w))), x, w) == "");  // the adjoint waits for the value: two passes
    CHECK(check(sum(exp(x * w)) * mean(square(x)), x, w) == "");
    const auto loss = mean(square(a * b));
    const auto [da] = gradients(loss, a);
    const auto [dda] = gradients(sum(square(da)), a);
    CHECK(kernels(loss, da) == 1);
    CHECK(Session().run(dda).size() == 2100);
}

TEST_CASE_TEMPLATE("value and gradient of a statement of any length are those of its elements", T, float, double) {
    Placeholder<T, Shape<dyn>> a{"a"}, b{"b"};
    Placeholder<T, Shape<>> s{"s"};
    const auto loss = sum(exp(a * s) * b + a * b);  // b is read twice, and each of its contributions written in its turn
    const auto mean_of = mean(tanh(a * b + s) * a);
    const auto [da, db, ds] = gradients(loss, a, b, s);
    const auto [ma, mb] = gradients(mean_of, a, b);
    const auto [of_a] = gradients(sum(a * sin(b)), a);  // nobody asks for b's
    for (int n = 1; n < 1100; n += n < 40 ? 1 : n < 500 ? 97 : 11) {
        const std::size_t count = static_cast<std::size_t>(n);
        std::vector<T> x(count), y(count);
        for (std::size_t i = 0; i < count; ++i) x[i] = T(std::sin(double(i + 1))), y[i] = T(std::cos(double(3 * i)));
        const T scale = T(0.75);
        Session session;
        const auto got = session.run_all({loss, da, db, ds, mean_of, ma, mb, of_a}, {feed(a, std::span<const T>(x)), feed(b, std::span<const T>(y)), feed(s, scale)});
        double total = 0, to_s = 0, average = 0, worst = 0;
        const auto differ = [&](std::size_t k, std::size_t i, double want) { worst = std::max(worst, std::abs(double(got[k].template data<T>()[i]) - want)); };
        for (std::size_t i = 0; i < count; ++i) {
            const double u = double(x[i]), v = double(y[i]), e = std::exp(u * 0.75), t = std::tanh(u * v + 0.75);
            total += e * v + u * v, to_s += e * v * u, average += t * u / n;
            differ(1, i, e * v * 0.75 + v), differ(2, i, e + u);
            differ(5, i, (t + (1 - t * t) * u * v) / n), differ(6, i, (1 - t * t) * u * u / n), differ(7, i, std::sin(v));
        }
        differ(0, 0, total), differ(3, 0, to_s), differ(4, 0, average);
        INFO(n, " elements");
        REQUIRE(worst <= double(std::numeric_limits<T>::epsilon()) * (20 + n));
    }
}

TEST_CASE("a statement's gradient sums over what was broadcast, whatever is broadcast") {
    const auto with = [](auto shape, Dims dims = decltype(shape)::dims) {
        Fed<Shape<4, 3>> x(1), y(2);
        Fed<decltype(shape)> b(3, dims);
        CHECK(check(exp(x * b) * y + b, x, y, b) == "");
        CHECK(check(sum(exp(x * b) * y + b), x, y, b) == "");
        CHECK(check(mean(square(x - b)), x, b) == "");
    };
    with(Shape<4, 3>{}), with(Shape<3>{}), with(Shape<>{}), with(Shape<4, 1>{}), with(Shape<1, 3>{}), with(Shape<1, 1>{});
    with(Shape<dyn, 3>{}, {1, 3}), with(Shape<dyn, 3>{}, {4, 3}), with(Shape<dyn, dyn>{}, {4, 1}), with(Shape<dyn>{}, {1});
}

TEST_CASE("periods longer than a block, and many short ones") {
    const auto with = [](auto whole, auto part) {
        Fed<decltype(whole)> x(1);
        Fed<decltype(part)> b(2);
        auto y = sum(exp(x * b) * x);
        const auto g = gradients(y, {b});
        Session s;
        const Tensor got = s.run(g[0], Feed(x), Feed(b));
        std::vector<double> want(static_cast<std::size_t>(b.value.size()));
        for (std::int64_t i = 0; i < x.value.size(); ++i) {
            const auto k = i % b.value.size();
            const double v = x.value.template data<double>()[i];
            want[static_cast<std::size_t>(k)] += v * v * std::exp(v * b.value.template data<double>()[k]);
        }
        for (std::size_t k = 0; k < want.size(); ++k) CHECK(got.data<double>()[k] == doctest::Approx(want[k]));
    };
    with(Shape<5, 700>{}, Shape<700>{}), with(Shape<300, 7>{}, Shape<7>{}), with(Shape<2, 3, 600>{}, Shape<3, 600>{});
}

TEST_CASE("all four transpositions of MatMul differentiate") {
    const auto with = [](auto op) {
        constexpr MatMul m = op();
        Fed<std::conditional_t<m.transpose_a, Shape<3, 2>, Shape<2, 3>>> a(1);
        Fed<std::conditional_t<m.transpose_b, Shape<4, 3>, Shape<3, 4>>> b(2);
        CHECK(check(mean(exp(matmul<m>(a, b))), a, b) == "");
    };
    with(Constant<MatMul{false, false}>{}), with(Constant<MatMul{false, true}>{}), with(Constant<MatMul{true, false}>{}), with(Constant<MatMul{true, true}>{});
}

TEST_CASE("reductions differentiate over some axes, all, and none, with the batch unknown") {
    Fed<Shape<dyn, 3, 2>> x(1, {4, 3, 2});
    CHECK(check(sum<0>(x), x) == "");
    CHECK(check(mean<1, 2>(x), x) == "");
    CHECK(check(mean(x), x) == "");
    CHECK(check(sum<-1>(exp(x)) * 2.0, x) == "");
}

TEST_CASE("gradients have gradients") {
    Fed<Shape<2, 3>> x(1);
    Fed<Shape<3, 4>> w(2);
    Fed<Shape<4>> b(3);
    auto [dw] = gradients(sum(exp(matmul(x, w) + b) * b), w);
    auto norm = sum(dw * dw);
    CHECK(check(norm, x, w, b) == "");
    auto [ddw] = gradients(norm, w);
    CHECK(check_gradient(sum(ddw * ddw), {x, w, b}, {w}, {.rtol = 1e-4}).problem == "");
}

TEST_CASE("a typed statement gives the numbers of its operations run one by one") {
    Fed<Shape<64, 30>> x(1);
    Fed<Shape<30>> b(2);
    auto whole = node(exp(x * b + 1.0) * b - x);
    const auto [dx, db] = gradients(sum(whole), x, b);
    Session s;
    const Tensor fused = s.run(dx, Feed(x), Feed(b)), fused_b = s.run(db, Feed(x), Feed(b)), fused_y = s.run(whole, Feed(x), Feed(b));
    std::vector<Output> all{dx, db, whole};
    for (const auto& o : topological(all)) if (!o->table->stateful && o->results.size() == 1) all.push_back({o, 0});  // fetching every operation leaves nothing to fuse
    const auto apart = s.run_all(all, {x, b});
    for (int i = 0; i < 64 * 30; ++i) CHECK(fused.data<double>()[i] == doctest::Approx(apart[0].data<double>()[i]).epsilon(1e-13));
    for (int i = 0; i < 30; ++i) CHECK(fused_b.data<double>()[i] == doctest::Approx(apart[1].data<double>()[i]).epsilon(1e-12));
    for (int i = 0; i < 64 * 30; ++i) CHECK(fused_y.data<double>()[i] == doctest::Approx(apart[2].data<double>()[i]).epsilon(1e-13));
}

TEST_CASE("a reduced statement is one kernel, alone and with its gradient") {
    Variable<double, Shape<40, 30>> x{"x", random_normal({.seed = 1})};
    Variable<double, Shape<30>> b{"b", random_normal({.seed = 2})};
    auto loss = sum(exp(x * b) * b);
    CHECK(kernels(loss) == 1);
    auto [dx, db] = gradients(loss, x, b);
    CHECK(kernels(dx, db) == 1);
    CHECK(kernels(loss, dx, db) == 1);
}

TEST_CASE("a named statement is computed once, however often it is used") {
    Variable<double, Shape<3>> x{"x", ones()};
    auto h = exp(x);
    auto y = h * h;
    auto z = node(h * y + y);
    CHECK(kernels(z) == 3);  // h, y, z
    for (int i = 0; i < 40; ++i) z = node(z * 0.5 + z);  // loops are legal, types do not grow
    auto [dx] = gradients(sum(z), x);
    CHECK(kernels(dx) < 200);
}

TEST_CASE("stop_gradient prunes what is behind it") {
    Variable<double, Shape<2, 3>> x{"x", random_normal({.seed = 1})};
    Variable<double, Shape<3, 3>> w{"w", random_normal({.seed = 2})}, v{"v", random_normal({.seed = 3})};
    auto h = exp(matmul(x, w));
    auto [whole_w, whole_v] = gradients(sum(matmul(h, v)), w, v);
    auto [frozen_w, frozen_v] = gradients(sum(matmul(stop_gradient(h), v)), w, v);
    CHECK(kernels(frozen_v) == 3);  // x w, exp, and the product of both ways: what forward needs and no more
    CHECK(kernels(frozen_w, frozen_v) < kernels(whole_w, whole_v));
    Session s;
    for (const double d : s.run(frozen_w)) CHECK(d == 0);
    CHECK(gradients(sum(matmul(stop_gradient(h), v)), {variable_of(w)})[0].operation == nullptr);
}

TEST_CASE("a lost gradient is an error that names the nodes; one that leads nowhere is none") {
    Fed<Shape<2, 3>> x(1);
    const auto blind = Node<double>(make_operation(table<Blind, double>, std::make_shared<Blind>(), {x}, "nothing_comes_back"));
    CHECK_THROWS_WITH_AS(gradients(sum(exp(blind)), x), "[gradients] no gradient through 'nothing_comes_back' (Blind); stop_gradient cuts where none is wanted", GradientError);
    CHECK(check(sum(Node<double, Shape<2, 3>>(stop_gradient(blind)) * x), x) != "");  // cut: not what central differences see, but no error
}

TEST_CASE("a deep graph neither recurses nor overflows") {
    Fed<Shape<3>> x(1);
    Node<double, Shape<3>> y = x;
    for (int i = 0; i < 100000; ++i) y = node(-y);
    const Output root = y;
    CHECK(topological({&root, 1}).size() == 100001);
    auto [dx] = gradients(sum(y), x);
    Session s;
    CHECK(s.run(dx, Feed(x))[0] == 1);
}
