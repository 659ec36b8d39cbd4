// Convolutions: typed calls, derivatives of both orders with open extents, attributes that make no sense.
#include "../support/fed.hpp"
#include <tenon/ops/ops.hpp>

#include <doctest/doctest.h>

using namespace tenon;
using namespace tenon::test;

namespace {
constexpr Conv2D same2{.strides = {1, 2, 2, 1}, .padding = Padding::same};
constexpr Conv2D padded{.padding = Padding::explicit_, .explicit_paddings = {0, 0, 1, 0, 2, 1, 0, 0}};
constexpr Conv2D dilated{.padding = Padding::same, .dilations = {1, 2, 1, 1}};
}  // namespace

TEST_CASE("the result's extents are known as far as the operands' are") {
    using F = Node<float, Shape<3, 3, 2, 8>>;
    static_assert(std::is_same_v<decltype(conv2d<same2>(Node<float, Shape<dyn, 7, dyn, 2>>{}, F{})), Node<float, Shape<dyn, 4, dyn, 8>>>);
    static_assert(std::is_same_v<decltype(conv2d(Node<float, Shape<1, 5, 6, 4>>{}, F{})), Node<float, Shape<1, 3, 4, 8>>>);  // two groups
    static_assert(std::is_same_v<decltype(conv2d<padded>(Node<float, Shape<1, 5, 6, 2>>{}, F{})), Node<float, Shape<1, 4, 7, 8>>>);
    static_assert(std::is_same_v<decltype(conv2d<same2>(Node<float, Shape<1, 5, 6, 2>>{}, Node<float, Shape<dyn, dyn, 2, dyn>>{})), Node<float, Shape<1, 3, 3, dyn>>>);
    static_assert(std::is_same_v<decltype(depthwise_conv2d(Node<float, Shape<dyn, 5, 6, 2>>{}, F{})), Node<float, Shape<dyn, 3, 4, 16>>>);
}

TEST_CASE("a convolution and its gradients have gradients, whatever is open, strided, padded or grouped") {
    const auto with = []<Conv2D op>(std::integral_constant<Conv2D, op>, auto xs, Dims dims, auto filter) {
        Fed<double, decltype(xs)> x(1, dims);
        Fed<double, decltype(filter)> f(2);
        const auto y = conv2d<op>(x, f);
        CHECK(first_order(y, x, f) == "");
        CHECK(second_order(y, x, f) == "");
        const auto cube = y * y * y;  // so that second derivatives go through all three ops
        CHECK(second_order(cube, x, f) == "");
    };
    with(std::integral_constant<Conv2D, same2>{}, Shape<dyn, 4, 5, 2>{}, {2, 4, 5, 2}, Shape<3, 2, 2, 2>{});
    with(std::integral_constant<Conv2D, Conv2D{}>{}, Shape<dyn, dyn, dyn, 2>{}, {1, 3, 4, 2}, Shape<2, 2, 2, 1>{});
    with(std::integral_constant<Conv2D, padded>{}, Shape<1, 3, 2, 1>{}, {1, 3, 2, 1}, Shape<2, 3, 1, 2>{});
    with(std::integral_constant<Conv2D, dilated>{}, Shape<1, 5, 3, 1>{}, {1, 5, 3, 1}, Shape<3, 2, 1, 1>{});
    with(std::integral_constant<Conv2D, Conv2D{}>{}, Shape<1, 2, 2, 4>{}, {1, 2, 2, 4}, Shape<2, 1, 2, 2>{});
}

TEST_CASE("a depthwise convolution and its gradients have gradients") {
    constexpr DepthwiseConv2dNative strided{.strides = {1, 2, 2, 1}, .padding = Padding::same};
    Fed<double, Shape<dyn, 4, 3, 2>> x(1, {2, 4, 3, 2});
    Fed<double, Shape<2, 3, 2, 2>> two(2);
    Fed<double, Shape<2, 3, 2, 1>> one(3);
    CHECK(second_order(depthwise_conv2d<strided>(x, two), x, two) == "");
    CHECK(first_order(depthwise_conv2d<strided>(x, one), x, one) == "");
    const auto y = depthwise_conv2d<strided>(x, one);
    CHECK(second_order(y * y * y, x, one) == "");
}

TEST_CASE("a depthwise convolution is a convolution with as many groups as channels") {
    Fed<float, Shape<2, 9, 7, 20>> x(1);
    Fed<float, Shape<3, 3, 20, 1>> f(2);
    const auto grouped = reshape<3, 3, 1, 20>(f);
    const auto both = Session().run_all({depthwise_conv2d<DepthwiseConv2dNative{.padding = Padding::same}>(x, f), conv2d<Conv2D{.padding = Padding::same}>(x, grouped)}, {x, f});
    for (std::int64_t i = 0; i < both[0].size(); ++i) REQUIRE(both[0].data<float>()[i] == doctest::Approx(both[1].data<float>()[i]).epsilon(1e-5));
}

TEST_CASE("a depthwise convolution of no channels, and its gradients, are empty") {
    Fed<float, Shape<2, 4, 4, 0>> x(1);
    Fed<float, Shape<3, 3, 0, 1>> f(2);
    const auto y = depthwise_conv2d(x, f);
    const auto [dx, df] = gradients(sum(y), x, f);
    for (const auto& result : Session().run_all({y, dx, df}, {x, f})) CHECK(result.size() == 0);
}

TEST_CASE("what makes no sense is refused with a sentence, before anything is computed") {
    constexpr Dims x{1, 4, 4, 3}, f{3, 3, 3, 2};
    struct {
        std::string operator()(const Conv2D& op, const Dims& image = Dims{1, 4, 4, 3}, const Dims& filter = Dims{3, 3, 3, 2}) const { return std::string(op.infer(image, filter).why.view()); }
    } sentence;
    CHECK(sentence({}) == "");
    CHECK(sentence({}, x, {3, 3, 2, 2}) == "[Conv2D] 3 channels are no multiple of the filter's 2: [1,4,4,3] with [3,3,2,2]");
    CHECK(sentence({}, x, {3, 3, 0, 2}) == "[Conv2D] 3 channels are no multiple of the filter's 0: [1,4,4,3] with [3,3,0,2]");
    CHECK(sentence({}, x, {3, 3, 1, 4}) == "[Conv2D] 4 filters for 3 groups of channels: [1,4,4,3] with [3,3,1,4]");
    CHECK(sentence({}, x, {5, 3, 3, 2}) == "[Conv2D] a window of 5 does not fit onto axis 1 of [1,4,4,3]");
    CHECK(sentence({.dilations = {1, 1, 2, 1}}) == "[Conv2D] a window of 3 does not fit onto axis 2 of [1,4,4,3]");
    CHECK(sentence({.data_format = DataFormat::nchw}) == "[Conv2D] data_format NCHW: only NHWC is computed");
    CHECK(sentence({.strides = {1, 0, 1, 1}}) == "[Conv2D] strides [1,0,1,1] are not four positive numbers");
    CHECK(sentence({.strides = {2, 1, 1, 1}}) == "[Conv2D] strides [2,1,1,1] leave the spatial axes");
    CHECK(sentence({.padding = Padding::explicit_, .explicit_paddings = {1, 1}}) == "[Conv2D] explicit paddings are two for each of four axes, zero but for height and width");
    CHECK(sentence({}, {4, 4, 3}) == "[Conv2D] needs images [batch,height,width,channels]: [4,4,3]");
    static_assert(!accepts<Conv2D{}, Node<float, Shape<1, 2, 2, 1>>, Node<float, Shape<3, 3, 1, 1>>>);
    Conv2DBackpropInput back;
    back.input_sizes = x;
    CHECK(std::string(back.infer(f, {1, 3, 3, 2}).why.view()) == "[Conv2DBackpropInput] out_backprop [1,3,3,2] where [1,2,2,2] is wanted");
}
