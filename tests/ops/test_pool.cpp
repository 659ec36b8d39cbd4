// Pools and what else rearranges images: derivatives, open extents, sentences.
#include "../support/fed.hpp"
#include <tenon/ops/ops.hpp>

#include <doctest/doctest.h>

using namespace tenon;
using namespace tenon::test;

namespace {
constexpr MaxPool max3{.ksize = {1, 3, 3, 1}, .strides = {1, 2, 2, 1}, .padding = Padding::same};
constexpr AvgPool avg3{.ksize = {1, 3, 3, 1}, .strides = {1, 2, 2, 1}, .padding = Padding::same};
}  // namespace

TEST_CASE("pools have derivatives of both orders, extents open or not") {
    const auto with = [](auto shape) {
        Fed<double, decltype(shape)> x(1, {2, 5, 4, 2});
        const auto largest = max_pool<max3>(x), mean = avg_pool<avg3>(x);
        CHECK(first_order(largest, x) == "");
        CHECK(second_order(largest * largest * largest, x) == "");
        CHECK(first_order(mean, x) == "");
        CHECK(second_order(mean * mean * mean, x) == "");
    };
    with(Shape<2, 5, 4, 2>{}), with(Shape<dyn, 5, 4, 2>{}), with(Shape<dyn, dyn, dyn, dyn>{});
    static_assert(std::is_same_v<decltype(max_pool<max3>(Node<float, Shape<dyn, 7, dyn, 3>>{})), Node<float, Shape<dyn, 4, dyn, 3>>>);
}

TEST_CASE("a pool with indices is a pool, with the same gradient") {
    Fed<float, Shape<2, 4, 4, 3>> x(1);
    for (const bool in_batch : {false, true})
        for (const DType index : {DType::int32, DType::int64}) {
            MaxPoolWithArgmax op;
            op.ksize = op.strides = {1, 2, 2, 1}, op.targmax = index, op.include_batch_in_index = in_batch;
            const Node<float> y = make<float>(op, {x});
            CHECK(y.output(1).dtype() == index);
            const Node<float> plain(max_pool<MaxPool{.ksize = {1, 2, 2, 1}, .strides = {1, 2, 2, 1}}>(x));
            const Output up = make_const<float>(tenon::detail::random_upstream<float>({2, 2, 2, 3}, 3));
            const auto got = Session().run_all({y, plain, gradients(y, {x}, up)[0], gradients(plain, {x}, up)[0], y.output(1)}, {x});
            for (std::int64_t i = 0; i < got[0].size(); ++i) {
                CHECK(got[0].data<float>()[i] == got[1].data<float>()[i]);
                const auto at = index == DType::int32 ? got[4].data<std::int32_t>()[i] : got[4].data<std::int64_t>()[i];
                CHECK(x.value.data<float>()[at + (in_batch ? 0 : i / 12 * 48)] == got[0].data<float>()[i]);
            }
            for (std::int64_t i = 0; i < got[2].size(); ++i) CHECK(got[2].data<float>()[i] == got[3].data<float>()[i]);
        }
}

TEST_CASE("an index that no image has is refused") {
    MaxPoolGradWithArgmax op;
    op.ksize = op.strides = {1, 2, 2, 1};
    Fed<float, Shape<1, 2, 2, 1>> x(1);
    const Output g = make_const<float>(Tensor::of<float>({1, 1, 1, 1}, {1})), index = make_const<std::int64_t>(Tensor::of<std::int64_t>({1, 1, 1, 1}, {4}));
    CHECK_THROWS_WITH_AS(Session().run_all({make<float>(op, {x, g, index})}, {x}), "MaxPoolGradWithArgmax: [MaxPoolGradWithArgmax] index 4 is outside an image of 4 elements", ValueError);
}

TEST_CASE("attributes that make no sense are refused with a sentence") {
    constexpr Dims x{1, 4, 4, 1};
    const auto sentence = [&](const MaxPool& op) { return std::string(op.infer(x).why.view()); };
    CHECK(sentence({.ksize = {2, 2, 2, 1}}) == "[MaxPool] windows [2,2,2,1] leave the spatial axes");
    CHECK(sentence({.ksize = {1, 5, 2, 1}}) == "[MaxPool] a window of 5 does not fit onto axis 1 of [1,4,4,1]");
    CHECK(sentence({.ksize = {1, 2, 2, 1}, .padding = Padding::explicit_, .explicit_paddings = {0, 0, 2, 0, 0, 0, 0, 0}}) == "[MaxPool] a window of 2 lies on padding alone: 2");
    CHECK(sentence({.ksize = {1, 2, 2, 1}, .data_format = DataFormat::nchw}) == "[MaxPool] data_format NCHW: only NHWC is computed");
    CHECK(std::string(AvgPool{.padding = Padding::explicit_}.infer(x).why.view()) == "[AvgPool] explicit paddings are two for each of four axes, zero but for height and width");
    static_assert(!accepts<MaxPool{.ksize = {1, 5, 5, 1}}, Node<float, Shape<dyn, 4, 4, 1>>>);
    CHECK(DepthToSpace{}.infer({1, 2, 2, 6}).why.view() == "[DepthToSpace] 6 channels do not divide into blocks of 2 x 2: [1,2,2,6]");
    CHECK(SpaceToDepth{}.infer({1, 3, 4, 2}).why.view() == "[SpaceToDepth] [1,3,4,2] does not divide into blocks of 2 x 2");
    CHECK(ResizeBilinear{{0, 3}}.infer({1, 4, 4, 1}).why.view() == "[ResizeBilinear] size [0,3] for images [1,4,4,1]");
}

TEST_CASE("blocks become channels and come back") {
    Fed<double, Shape<dyn, 4, 6, 3>> x(1, {2, 4, 6, 3});
    const auto deep = space_to_depth<2>(x);
    static_assert(std::is_same_v<std::remove_const_t<decltype(deep)>, Node<double, Shape<dyn, 2, 3, 12>>>);
    const auto back = Session().run_all({depth_to_space<2>(deep)}, {x})[0];
    for (std::int64_t i = 0; i < back.size(); ++i) CHECK(back.data<double>()[i] == x.value.data<double>()[i]);
    CHECK(second_order(deep * deep * deep, x) == "");
}

TEST_CASE("resized images have derivatives, extents open or not") {
    const auto with = [](auto shape) {
        Fed<float, decltype(shape)> x(1, {1, 3, 4, 2});
        CHECK(first_order(resize_bilinear<5, 3>(x), x) == "");
        CHECK(first_order(resize_nearest_neighbor<5, 3>(x), x) == "");
    };
    with(Shape<1, 3, 4, 2>{}), with(Shape<dyn, dyn, dyn, 2>{});
    static_assert(std::is_same_v<decltype(resize_bilinear<5, 3>(Node<std::int32_t, Shape<dyn, 3, 4, 2>>{})), Node<float, Shape<dyn, 5, 3, 2>>>);
}

TEST_CASE("local response normalisation has a derivative, for exponents that are roots and others") {
    Fed<float, Shape<1, 1, 2, 6>> x(1);
    CHECK(first_order(local_response_normalization<LRN{.depth_radius = 1}>(x), x) == "");
    CHECK(first_order(local_response_normalization<LRN{.depth_radius = 2, .bias = 2, .alpha = 0.5f, .beta = 0.75f}>(x), x) == "");
    CHECK(first_order(local_response_normalization<LRN{.depth_radius = 9, .beta = 1.25f}>(x), x) == "");
}
