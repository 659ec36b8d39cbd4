// Optimisers against their formulas, told again in plain loops; slots, steps, clipping.
#include <tenon/train/clip.hpp>
#include <tenon/train/optimizers.hpp>

#include <doctest/doctest.h>

#include <cmath>

using namespace tenon;

namespace {

/// Minimises sum(c w²/2) from w = 1, 2, -3: the gradient is c w, known without any library.
template <class Make, class Formula> void follows(Make make, Formula formula) {
    const std::vector<double> c{1, 0.5, 2};
    Variable<double, Shape<3>> w{"w", constant(Tensor::of<double>({3}, {1, 2, -3}))};
    auto loss = sum(square(w) * constant_tensor<double, Shape<3>>(Tensor::of<double>({3}, {0.5, 0.25, 1})));
    const Output step = make(loss);
    std::vector<double> expected{1, 2, -3};
    Session s;
    for (int t = 1; t <= 20; ++t) {
        std::vector<double> g(3);
        for (std::size_t i = 0; i < 3; ++i) g[i] = c[i] * expected[i];
        formula(expected, g, t);
        s.run(step);
        for (std::size_t i = 0; i < 3; ++i) CHECK(w.value().data<double>()[i] == doctest::Approx(expected[i]).epsilon(1e-6));
    }
}
using Numbers = std::vector<double>;

}  // namespace

TEST_CASE("gradient descent, momentum and Nesterov take the steps of their formulas") {
    follows([](auto& loss) { return GradientDescent{{.learning_rate = 0.1}}.minimize(loss); }, [](Numbers& w, const Numbers& g, int) {
        for (std::size_t i = 0; i < 3; ++i) w[i] -= double(0.1f) * g[i];
    });
    Numbers a(3);
    follows([](auto& loss) { return Momentum{{.learning_rate = 0.1, .momentum = 0.9}}.minimize(loss); }, [&](Numbers& w, const Numbers& g, int) {
        for (std::size_t i = 0; i < 3; ++i) a[i] = double(0.9f) * a[i] + g[i], w[i] -= double(0.1f) * a[i];
    });
    Numbers n(3);
    follows([](auto& loss) { return Momentum{{.learning_rate = 0.1, .momentum = 0.9, .use_nesterov = true}}.minimize(loss); }, [&](Numbers& w, const Numbers& g, int) {
        for (std::size_t i = 0; i < 3; ++i) n[i] = double(0.9f) * n[i] + g[i], w[i] -= double(0.1f) * (g[i] + double(0.9f) * n[i]);
    });
}

TEST_CASE("Adam, RMSProp and Adagrad take the steps of their formulas") {
    Numbers m(3), v(3);
    follows([](auto& loss) { return Adam{{.learning_rate = 0.1}}.minimize(loss); }, [&](Numbers& w, const Numbers& g, int t) {
        const double b1 = double(0.9f), b2 = double(0.999f), rate = double(0.1f) * std::sqrt(1 - std::pow(b2, t)) / (1 - std::pow(b1, t));
        for (std::size_t i = 0; i < 3; ++i) m[i] = b1 * m[i] + (1 - b1) * g[i], v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i], w[i] -= rate * m[i] / (std::sqrt(v[i]) + double(1e-8f));
    });
    Numbers ms(3, 1), mom(3);
    follows([](auto& loss) { return RMSProp{{.learning_rate = 0.1, .decay = 0.9, .momentum = 0.5, .epsilon = 1e-3}}.minimize(loss); }, [&](Numbers& w, const Numbers& g, int) {
        for (std::size_t i = 0; i < 3; ++i) {
            ms[i] = double(0.9f) * ms[i] + (1 - double(0.9f)) * g[i] * g[i];
            mom[i] = 0.5 * mom[i] + double(0.1f) * g[i] / std::sqrt(ms[i] + double(1e-3f));
            w[i] -= mom[i];
        }
    });
    Numbers acc(3, double(0.1f));
    follows([](auto& loss) { return Adagrad{{.learning_rate = 0.1}}.minimize(loss); }, [&](Numbers& w, const Numbers& g, int) {
        for (std::size_t i = 0; i < 3; ++i) acc[i] += g[i] * g[i], w[i] -= double(0.1f) * g[i] / std::sqrt(acc[i]);
    });
}

TEST_CASE("slots, powers and the step are variables with TensorFlow's names") {
    Variable<float, Shape<2>> w{"w", ones()};
    Variable<std::int64_t> step{"global_step"};
    const Output train = Adam{}.minimize(sum(square(w)), {.global_step = step});
    Graph graph{train};
    std::vector<std::string> names;
    for (const Output& v : graph.variables()) names.push_back(v.operation->name);
    std::sort(names.begin(), names.end());
    CHECK(names == std::vector<std::string>{"beta1_power", "beta2_power", "global_step", "w", "w/Adam", "w/Adam_1"});
    Session s{graph};
    s.run("Adam"), s.run("Adam");
    CHECK(std::int64_t(s.run(step)) == 2);
    CHECK(s.run("beta1_power:0").item<float>() == doctest::Approx(0.9 * 0.9 * 0.9));
    s.run("init");
    CHECK(std::int64_t(s.run(step)) == 0);
    CHECK(s.run("w:0").item<float>() == 1);
}

TEST_CASE("a learning rate may be a tensor") {
    Placeholder<float> rate{"rate"};
    Variable<float, Shape<>> w{"w", constant(2.0f)};
    const Output train = GradientDescent{{.learning_rate = rate}}.minimize(square(w) * 1.0f);
    Session s;
    s.run(train, feed(rate, 0.25f));
    CHECK(w.value().item<float>() == 1);
    s.run(train, feed(rate, 0.0f));
    CHECK(w.value().item<float>() == 1);
}

TEST_CASE("gradients are clipped by value and by their global norm") {
    Variable<double, Shape<2>> a{"a", constant(Tensor::of<double>({2}, {3, 0}))};
    Variable<double, Shape<>> b{"b", constant(4.0)};
    auto loss = sum(square(a)) * 0.5 + square(b) * 0.5;
    const GradientDescent descent{{.learning_rate = 1}};
    const auto list = descent.compute_gradients(loss);
    Session s;
    CHECK(double(s.run(global_norm<double>(list))) == doctest::Approx(5));
    const auto clipped = clip_by_global_norm<double>(list, 1);
    CHECK(s.run(clipped[0].gradient).item<double>() == doctest::Approx(list[0].variable == variable_of(a) ? 0.6 : 0.8));
    const auto wide = clip_by_global_norm<double>(list, 10);
    CHECK(double(s.run(global_norm<double>(wide))) == doctest::Approx(5));
    for (const auto& [g, v] : clip_by_value<double>(list, -1, 1)) CHECK(s.run(g).item<double>() == 1);
    s.run(descent.apply_gradients<double>(clipped));
    CHECK(a.value().item<double>() == doctest::Approx(2.4));
    CHECK(b.value().item<double>() == doctest::Approx(3.2));
}

TEST_CASE("a loss that nothing trained reaches is an error") {
    Placeholder<float> x{"x"};
    CHECK_THROWS_WITH_AS(Adam{}.minimize(square(x) * 2.0f), "[minimize] the loss depends on no trainable variable", ValueError);
    Variable<float, Shape<>> frozen{"frozen", ones(), {.trainable = false}};
    CHECK_THROWS_AS(Adam{}.minimize(square(frozen) * 2.0f), ValueError);
}
