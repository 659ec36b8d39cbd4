// Batch normalisation and dropout: what training and inference give, derivatives of both orders, mixed element types.
#include "../support/fed.hpp"
#include <tenon/ops/ops.hpp>

#include <doctest/doctest.h>

#include <set>

using namespace tenon;
using namespace tenon::test;

namespace {
constexpr FusedBatchNormOptions training{.epsilon = 0.1f}, frozen{.epsilon = 0.1f, .is_training = false};
constexpr FusedBatchNormOptions training_nchw{.epsilon = 0.1f, .data_format = DataFormat::nchw}, frozen_nchw{.epsilon = 0.1f, .data_format = DataFormat::nchw, .is_training = false};

/// Numbers of which none is close to another's sign or size.
template <FusedBatchNormOptions options, class S> struct Network {
    Fed<float, S> x{1, S::dims.known() ? S::dims : Dims{2, 2, 3, 2}};
    Fed<float, Shape<2>> scale{2}, offset{3};
    Node<float, Shape<2>> mean{make_const<float>(Tensor::of<float>({2}, {0.2f, -0.1f}))}, variance{make_const<float>(Tensor::of<float>({2}, {0.5f, 1.5f}))};
    auto y() const { return std::get<0>(fused_batch_norm<options>(x, scale, offset, mean, variance)); }
};
template <FusedBatchNormOptions options, class S> void check_derivatives(S) {
    Network<options, S> n;
    const auto y = n.y();
    CHECK(first_order(y, n.x, n.scale, n.offset) == "");
    CHECK(second_order(y * y * y, n.x, n.scale, n.offset) == "");
}
}  // namespace

TEST_CASE("derivatives of both orders, training and frozen, channels last and first, batches of any size") {
    check_derivatives<training>(Shape<2, 2, 3, 2>{});
    check_derivatives<training>(Shape<dyn, dyn, dyn, 2>{});
    check_derivatives<frozen>(Shape<dyn, 2, 3, 2>{});
    check_derivatives<training_nchw>(Shape<2, 2, 2, 1>{});
    check_derivatives<frozen_nchw>(Shape<1, 2, 2, 2>{});
}

TEST_CASE("the gradient's gradient covers scale and offset alone, too") {
    Network<training, Shape<2, 2, 3, 2>> n;
    const auto g = gradients(n.y(), {n.scale}, make_const<float>(tenon::detail::random_upstream<float>({2, 2, 3, 2}, 5)));
    CHECK(check_gradient(Node<float>(g[0]), {n.x, n.scale, n.offset}, {n.x}).problem == "");
}

TEST_CASE("half images are normalised with float parameters") {
    Placeholder<half, Shape<dyn, 1, 1, 2>> x;
    Fed<float, Shape<2>> scale(2), offset(3);
    const auto [y, mean, variance] = fused_batch_norm(x, scale, offset);
    static_assert(std::is_same_v<std::remove_cvref_t<decltype(y)>, Node<half, Shape<dyn, 1, 1, 2>>> && std::is_same_v<std::remove_cvref_t<decltype(mean)>, Node<float, Shape<2>>>);
    const auto d = gradients(y, {x, scale});
    const Tensor images = Tensor::of<half>({3, 1, 1, 2}, {half(1), half(2), half(3), half(4), half(8), half(6)});
    const auto got = Session().run_all({y, mean, variance, d[0], d[1]}, {{x, images}, scale, offset});
    CHECK(got[0].dtype() == DType::half);
    CHECK(got[1].data<float>()[0] == 4);
    CHECK(got[2].data<float>()[1] == 4);  // 8 / 3, times 3 / 2
    CHECK(got[3].dtype() == DType::half);
    CHECK(got[4].dtype() == DType::float32);
}

TEST_CASE("nothing is lost silently: what arrives at the statistics is refused") {
    Network<training, Shape<2, 2, 3, 2>> n;
    const auto [y, mean, variance] = fused_batch_norm(n.x, n.scale, n.offset);
    CHECK_THROWS_WITH_AS(gradients(mean, {n.x}), "[gradients] no gradient through output 1 of FusedBatchNormV3", GradientError);
    CHECK(FusedBatchNormV3{}.infer({1, 4, 4, 3}, {3}, {2}, {0}, {0}).why.view() == "[FusedBatchNormV3] parameters [2] for images [1,4,4,3]");
    CHECK(frozen.op().infer({1, 4, 4, 3}, {3}, {3}, {0}, {0}).why.view() == "[FusedBatchNormV3] parameters [0] for images [1,4,4,3]");
}

TEST_CASE("the batch normalisation of 2015 has derivatives") {
    for (const bool scaled : {false, true}) {
        Fed<double, Shape<dyn, 2, 1, 2>> t(1, {3, 2, 1, 2});
        Fed<double, Shape<2>> m(2), v(3), beta(4), gamma(5);
        for (double& e : v.value.span<double>()) e = e * e + 0.5;
        BatchNormWithGlobalNormalization op{0.25f, scaled};
        const Node<double> y = make<double>(op, {t, m, v, beta, gamma});
        CHECK(first_order(y, t, m, v, beta, gamma) == "");
    }
}

TEST_CASE("dropout keeps the share it is told, scaled, and its gradient goes where it kept") {
    Fed<float, Shape<100, 50>> x(1);
    Placeholder<float, Shape<>> keep{"keep_prob"};
    const auto y = dropout(x, keep, {.seed = 7});
    static_assert(std::is_same_v<shape_of<decltype(y)>, Shape<100, 50>>);
    const auto d = gradients(y, {x})[0];
    Session s;
    const auto got = s.run_all({Output(y), d}, {x, feed(keep, 0.8f)});
    int kept = 0;
    for (std::int64_t i = 0; i < 5000; ++i) {
        const float v = got[0].data<float>()[i], g = got[1].data<float>()[i];
        kept += v != 0;
        CHECK((v == 0 ? g == 0 : v == doctest::Approx(x.value.data<float>()[i] / 0.8f) && g == doctest::Approx(1.25f)));
    }
    CHECK(kept > 3850);
    CHECK(kept < 4150);
    const auto all = s.run_all({Output(y)}, {x, feed(keep, 1.0f)})[0];
    for (std::int64_t i = 0; i < 5000; ++i) CHECK(all.data<float>()[i] == x.value.data<float>()[i]);
    CHECK_THROWS_WITH_AS(dropout(x, {.rate = 1.5f}), "[dropout] rate 1.500000 is outside [0,1)", ValueError);
    std::set<std::string_view> ops;
    for (const auto& o : topological(std::vector<Output>{Output(dropout(x, {.rate = 0.25f}))})) ops.insert(o->table->name);
    CHECK(ops == std::set<std::string_view>{"Placeholder", "Const", "RandomUniform", "Add", "Floor", "RealDiv", "Mul"});
}
