// Shape and data movement: typed calls, derivatives where nothing, some or all of a shape is known, shapes computed by the graph.
#include "../support/fed.hpp"
#include <tenon/ops/ops.hpp>

#include <doctest/doctest.h>

using namespace tenon;
using namespace tenon::test;

namespace {

template <class X, class S> constexpr bool has_shape = std::is_same_v<shape_of<X>, S>;
using Ints32 = std::initializer_list<std::int32_t>;
Output ints(Ints32 v) { return make_const<std::int32_t>(Tensor::of<std::int32_t>({static_cast<std::int64_t>(v.size())}, v)); }
Output number(std::int32_t v) { return make_const<std::int32_t>(Tensor::scalar(v)); }
Node<double> input(const Dims& declared) { return make<double>(PlaceholderOp{declared}, {}); }
template <class O> std::string sentence(const O& op, std::initializer_list<Dims> in) {
    const std::vector<Dims> dims(in);
    return std::string(detail::infer_all(op, std::span<const Dims>(dims)).why.view());
}

/// Derivatives of both orders of f, with all of x's extents known, with none, and without its rank.
template <class F> void check_derivatives(const char* what, const Dims& dims, F f) {
    for (const Dims& declared : {dims, Dims::filled(dims.rank, dyn), Dims::unranked()}) {
        CAPTURE(what);
        CAPTURE(to_string(declared));
        const Node<double> x = input(declared);
        const std::vector<Feed> feeds{{x, tenon::detail::random_upstream<double>(dims, 3)}};
        const Node<double> y = f(x);
        CHECK(check_gradient(y, feeds, {x}).problem == "");
        const Node<double> cube = make<double>(Mul{}, {y, make<double>(Mul{}, {y, y})});
        const auto up = make_const<double>(tenon::detail::random_upstream<double>(Session().run_all({y}, feeds)[0].dims(), 5));
        const auto first = gradients(cube, {x}, up);
        REQUIRE(first[0]);
        CHECK(check_gradient(Node<double>(first[0]), feeds, {x}).problem == "");
    }
}

}  // namespace

TEST_CASE("the compiler knows the shapes of what is moved") {
    Placeholder<float, Shape<dyn, 3, 4>> x;
    Placeholder<float, Shape<dyn, 3, 2>> z;
    Placeholder<std::int32_t, Shape<5>> i;
    static_assert(has_shape<decltype(transpose<2, 0, 1>(x)), Shape<4, dyn, 3>> && has_shape<decltype(transpose(x)), Shape<4, 3, dyn>>);
    static_assert(has_shape<decltype(concat<-1>(x, z)), Shape<dyn, 3, 6>> && has_shape<decltype(stack<1>(x, x)), Shape<dyn, 2, 3, 4>>);
    static_assert(has_shape<std::tuple_element_t<1, decltype(split<2, 2>(x))>, Shape<dyn, 3, 2>> && std::tuple_size_v<decltype(unstack<1>(x))> == 3);
    static_assert(has_shape<std::tuple_element_t<0, decltype(unstack<1>(x))>, Shape<dyn, 4>>);
    static_assert(has_shape<decltype(slice<Dims{0, 1, 0}, Dims{-1, 2, 3}>(x)), Shape<dyn, 2, 3>> && has_shape<decltype(strided_slice<Dims{0, 2}, Dims{4, -9}, Dims{1, -2}>(x)), Shape<dyn, 2, 4>>);
    static_assert(has_shape<decltype(pad<Ints{0, 0, 1, 1, 2, 0}>(x)), Shape<dyn, 5, 6>> && has_shape<decltype(tile<1, 2, 3>(x)), Shape<dyn, 6, 12>>);
    static_assert(has_shape<decltype(gather<1>(x, i)), Shape<dyn, 5, 4>> && has_shape<decltype(one_hot<7>(i)), Shape<5, 7>> && has_shape<decltype(reverse<0>(x)), Shape<dyn, 3, 4>>);
    static_assert(has_shape<decltype(squeeze<1>(expand_dims<1>(x))), Shape<dyn, 3, 4>> && has_shape<decltype(shape(x)), Shape<3>> && has_shape<decltype(rank(x)), Shape<>> && has_shape<decltype(size(x)), Shape<>>);
    static_assert(!accepts<Transpose{Dims{0, 0, 1}}, decltype(x)> && !accepts<Squeeze{Dims{1}}, decltype(x)> && !accepts<ConcatV2{{1}}, decltype(x), decltype(z)>);
    CHECK(fill<2, 3>(constant_scalar(1.0f)).dims() == Dims{2, 3});
}

TEST_CASE("what the compiler refuses is refused at run time in the same words") {
    static_assert(std::is_same_v<verdict<Transpose{Dims{0, 0}}, Placeholder<float, Shape<2, 3>>>, rejected<"[Transpose] [0,0] is not a permutation of the axes of [2,3]">>);
    CHECK(shape_error([] { make<double>(Transpose{}, {input({2, 3}), ints({0, 0})}); }) == "[Transpose] [0,0] is not a permutation of the axes of [2,3]");
    CHECK(sentence(ConcatV2{{1}}, {{2, 1}, {3, 1}}) == "[ConcatV2] shapes differ beside axis 1: [2,1] and [3,1]");
    CHECK(sentence(Pack{}, {{2}, {3}}) == "[Pack] shapes differ: [2] and [3]");
    CHECK(sentence(Unpack{4, 0}, {{2, 3}}) == "[Unpack] axis 0 of [2,3] has not 4 parts");
    CHECK(sentence(Split{0, 2}, {{3, 2}}) == "[Split] axis 0 of [3,2] does not divide into 2");
    CHECK(sentence(Slice{{0, 2}, {1, 2}}, {{2, 3}}) == "[Slice] axis 1 of [2,3]: 2 from 2 on is outside");
    CHECK(sentence(Pad{{{1, 1, 0, 0}}}, {{3}}) == "[Pad] 2 pairs of paddings for [3]");
    CHECK(sentence(Tile{{2}}, {{2, 2}}) == "[Tile] 1 multiples for [2,2]");
    CHECK(sentence(Squeeze{{1}}, {{1, 2}}) == "[Squeeze] axis 1 of [1,2] is not 1");
    CHECK(sentence(ReverseV2{{0, -2}}, {{1, 2}}) == "[ReverseV2] axis -2 is listed twice");
    CHECK(sentence(GatherV2{{2}}, {{2, 2}, {1}}) == "[GatherV2] axis 2 is outside [2,2]");
    CHECK(sentence(Reshape{{-1, -1}}, {{4}}) == "[Reshape] only one extent may be -1: [dyn,dyn]");
    CHECK(sentence(OneHot{-1}, {{4}, {}, {}}) == "[OneHot] depth -1 is negative");
}

TEST_CASE("an index that is not there is named, with what there is") {
    const auto x = input({4, 3});
    const Output i = make_operation(table_of<PlaceholderOp, std::int32_t>(), std::make_shared<PlaceholderOp>(PlaceholderOp{Dims{2}}), {});
    Session s;
    const auto wrong = [&](const Output& y, Ints32 at) {
        try {
            s.run_all({y}, {{x, Tensor::of<double>({4, 3}, std::vector<double>(12))}, {i, Tensor::of<std::int32_t>({2}, at)}});
        } catch (const ValueError& e) {
            return std::string(e.what());
        }
        return std::string();
    };
    CHECK(wrong(make<double>(GatherV2{}, {x, i, number(0)}), {0, -1}) == "GatherV2: [GatherV2] indices[1] = -1 is not in [0, 4)");
    CHECK(wrong(make<double>(GatherV2{}, {x, i, number(1)}), {3, 0}) == "GatherV2: [GatherV2] indices[0] = 3 is not in [0, 3)");
    CHECK(wrong(make<double>(GatherNd{}, {x, i}), {3, 7}) == "GatherNd: [GatherNd] indices[0]: 7 is not in [0, 3) along axis 1 of [4,3]");
    CHECK(wrong(make<double>(ScatterNd{}, {make<std::int32_t>(Reshape{}, {i, ints({2, 1})}), make<double>(Slice{}, {x, ints({0, 0}), ints({2, 3})}), ints({4, 3})}), {4, 0}) ==
          "ScatterNd: [ScatterNd] indices[0]: 4 is not in [0, 4) along axis 0 of [4,3]");
}

TEST_CASE("sizes that no memory has are refused, not multiplied") {
    const std::int64_t huge = std::int64_t{1} << 40;
    const auto big = make_const<std::int64_t>(Tensor::of<std::int64_t>({2}, {huge, huge}));
    CHECK(shape_error([&] { make<double>(Fill{}, {big, make_const<double>(Tensor::scalar(0.0))}); }) == "[Fill] a result of [1099511627776,1099511627776]");
    CHECK(shape_error([&] { make<double>(Tile{}, {input({1 << 20, 1}), big}); }) == "[Tile] multiples [1099511627776,1099511627776] of [1048576,1]");
    CHECK(shape_error([&] { make<double>(Fill{}, {ints({-2}), make_const<double>(Tensor::scalar(0.0))}); }) == "[Fill] extent -2 is negative: [-2]");
}

TEST_CASE("derivatives of new extents and new order") {
    const auto d = [](const char* what, const Dims& dims, auto f) { check_derivatives(what, dims, f); };
    d("Reshape", {2, 3}, [](auto x) { return make<double>(Reshape{}, {x, ints({3, -1})}); });
    d("ExpandDims", {2, 3}, [](auto x) { return make<double>(ExpandDims{}, {x, number(-1)}); });
    d("Squeeze", {2, 1, 3}, [](auto x) { return make<double>(Squeeze{{1}}, {x}); });
    d("Transpose", {2, 3, 2}, [](auto x) { return make<double>(Transpose{}, {x, ints({2, 0, 1})}); });
    d("ReverseV2", {2, 3}, [](auto x) { return make<double>(ReverseV2{}, {x, ints({-1})}); });
    d("SpaceToBatchND", {1, 3, 4}, [](auto x) {
        const Output paddings = make_const<std::int32_t>(Tensor::of<std::int32_t>({2, 2}, {1, 0, 0, 2}));
        return make<double>(SpaceToBatchND{}, {x, ints({2, 3}), paddings});
    });
    d("CheckNumerics", {3}, [](auto x) { return make<double>(CheckNumerics{"x"}, {x}); });
}

TEST_CASE("derivatives of parts, whatever part is used") {
    const auto d = [](const char* what, const Dims& dims, auto f) { check_derivatives(what, dims, f); };
    d("Slice", {3, 4}, [](auto x) { return make<double>(Slice{}, {x, ints({1, 0}), ints({2, -1})}); });
    d("StridedSlice", {3, 4}, [](auto x) {
        StridedSlice s;
        s.shrink_axis_mask = 1, s.begin_mask = 2;
        return make<double>(s, {x, ints({-1, 0}), ints({0, 0}), ints({1, -2})});
    });
    d("Split", {2, 4}, [](auto x) { return make<double>(Split{0, 2}, {number(1), x}).output(1); });
    d("SplitV", {2, 4}, [](auto x) { return make<double>(SplitV{3}, {x, ints({1, -1, 1}), number(-1)}).output(1); });
    d("Unpack", {2, 3}, [](auto x) { return make<double>(Unpack{3, 1}, {x}).output(2); });
    d("GatherV2", {3, 2}, [](auto x) { return make<double>(GatherV2{}, {x, ints({2, 2, 0}), number(0)}); });
    d("GatherV2, inner axis", {2, 3, 2}, [](auto x) { return make<double>(GatherV2{}, {x, make_const<std::int32_t>(Tensor::of<std::int32_t>({2, 2}, {2, 0, 1, 2})), number(-2)}); });
    d("GatherV2, batches", {2, 2, 3}, [](auto x) { return make<double>(GatherV2{{0, 1}}, {x, make_const<std::int32_t>(Tensor::of<std::int32_t>({2, 2}, {2, 0, 1, 1})), number(2)}); });
    d("GatherNd", {3, 2}, [](auto x) { return make<double>(GatherNd{}, {x, make_const<std::int32_t>(Tensor::of<std::int32_t>({3, 2}, {2, 0, 1, 1, 2, 0}))}); });
    d("DynamicPartition", {3, 2}, [](auto x) { return make<double>(DynamicPartition{2}, {x, ints({1, 0, 1})}).output(1); });
}

TEST_CASE("derivatives of wholes, whatever they are made of") {
    const auto d = [](const char* what, const Dims& dims, auto f) { check_derivatives(what, dims, f); };
    d("ConcatV2", {2, 2}, [](auto x) { return make<double>(ConcatV2{}, {x, make<double>(Mul{}, {x, x}), x, number(-1)}); });
    d("Pack", {2, 2}, [](auto x) { return make<double>(Pack{1}, {x, make<double>(Mul{}, {x, x})}); });
    d("Pad", {2, 2}, [](auto x) { return make<double>(Pad{}, {x, make_const<std::int32_t>(Tensor::of<std::int32_t>({2, 2}, {1, 0, 0, 2}))}); });
    d("MirrorPad", {2, 3}, [](auto x) { return make<double>(MirrorPad{}, {x, make_const<std::int32_t>(Tensor::of<std::int32_t>({2, 2}, {1, 0, 2, 1}))}); });
    d("Tile", {2, 1, 2}, [](auto x) { return make<double>(Tile{}, {x, ints({2, 3, 1})}); });
    d("BroadcastTo", {2, 1}, [](auto x) { return make<double>(BroadcastTo{}, {x, ints({3, 2, 2})}); });
    d("Fill", {}, [](auto x) { return make<double>(Fill{}, {ints({2, 2}), x}); });
    d("ScatterNd", {3}, [](auto x) { return make<double>(ScatterNd{}, {make_const<std::int32_t>(Tensor::of<std::int32_t>({3, 1}, {1, 3, 1})), x, ints({4})}); });
    d("UnsortedSegmentSum", {4}, [](auto x) { return make<double>(UnsortedSegmentSum{}, {x, ints({2, 0, -1, 2}), number(3)}); });
    d("DynamicStitch", {2, 2}, [](auto x) { return make<double>(DynamicStitch{}, {ints({3, 0}), ints({1, 2}), x, make<double>(Mul{}, {x, x})}); });
}

TEST_CASE("shapes that a graph computes cost no kernel, whatever the batch") {
    const Node<float> x = make<float>(PlaceholderOp{Dims{dyn, 2, 3}}, {});
    StridedSlice first;
    first.shrink_axis_mask = 1;
    const Output extents = shape_tensor(x), batch = make<std::int32_t>(first, {extents, ints({0}), ints({1}), ints({1})});
    const Node<float> flat = make<float>(Reshape{}, {x, make<std::int32_t>(Pack{}, {batch, number(-1)})});
    const Output rest = make<std::int32_t>(Unpack{3, 0}, {extents});
    const Output product = make<std::int32_t>(Mul{}, {Output{rest.operation, 1}, Output{rest.operation, 2}});
    const Node<float> same = make<float>(Reshape{}, {x, make<std::int32_t>(ConcatV2{}, {make<std::int32_t>(Pack{}, {batch}), make<std::int32_t>(Pack{}, {product}), number(0)})});
    const Output inner = make<std::int32_t>(Range{}, {number(1), make_operation(table_of<Rank, float>(), std::make_shared<Rank>(), {x}), number(1)});
    const Node<float> sums = make<float>(Sum{}, {x, inner});
    const Node<float> tiled = make<float>(Tile{}, {make<float>(Reshape{}, {make_const<float>(Tensor::of<float>({3}, {1, 2, 3})), ints({1, 3})}), make<std::int32_t>(Pack{}, {batch, number(1)})});
    Session s;
    for (const std::int64_t n : {1, 4, 7}) {
        const Feed fed{x, tenon::detail::random_upstream<float>({n, 2, 3}, 1)};
        const auto run = [&](const Output& y) {
            const Callable c = s.make_callable({y}, fed);
            return std::pair(c.plan().kernels(), s.run_all({y}, {fed})[0].dims());
        };
        CHECK(run(flat) == std::pair(std::size_t{0}, Dims{n, 6}));
        CHECK(run(same) == std::pair(std::size_t{0}, Dims{n, 6}));
        CHECK(run(sums) == std::pair(std::size_t{1}, Dims{n}));
        CHECK(run(make<float>(AddN{}, {tiled, tiled})).second == Dims{n, 3});
        CHECK(run(tiled).first == 0);
    }
    const auto g = gradients(flat, {x}, make<float>(Reshape{}, {x, make<std::int32_t>(Pack{}, {batch, number(6)})}));
    const Feed fed{x, tenon::detail::random_upstream<float>({5, 2, 3}, 1)};
    CHECK(s.make_callable({g[0]}, fed).plan().kernels() == 0);
    CHECK(g[0].dims() == Dims{dyn, 2, 3});
}

TEST_CASE("a gradient that needs only extents does not compute the values") {
    const Node<float> x = make<float>(PlaceholderOp{Dims{dyn, 4}}, {});
    const Node<float> busy = make<float>(Tanh{}, {x});
    const auto parts = make<float>(ConcatV2{}, {busy, busy, number(0)});
    const auto g = gradients(parts, {busy}, make<float>(ConcatV2{}, {x, x, number(0)}));
    CHECK(Session().make_callable({g[0]}, Feed{x, tenon::detail::random_upstream<float>({2, 4}, 1)}).plan().kernels() == 4);  // concat, two slices, their sum
}

TEST_CASE("several outputs, more than a shape rule's answer holds") {
    const auto x = input({dyn, 36});
    const auto y = make<double>(SplitV{8}, {x, ints({1, 2, 3, 4, 5, 6, 7, 8}), number(1)});
    for (int i = 0; i < 8; ++i) CHECK(y.output(i).dims() == Dims{dyn, i + 1});
    const auto shapes = make_operation(table_of<ShapeN, double>(), std::make_shared<ShapeN>(ShapeN{DType::int64, 8}), {x, x, x, x, x, x, x, input({2})});
    CHECK(Output{shapes.operation, 6}.dims() == Dims{2});
    CHECK(Output{shapes.operation, 7}.operation->results[7].known.data<std::int64_t>()[0] == 2);
}

TEST_CASE("strings and complex numbers are moved like numbers") {
    const Output words = make_const<std::string>(Tensor::of<std::string>({2, 2}, {"a", "b", "c", "d"}));
    const Tensor t = Session().run_all({make<std::string>(Transpose{}, {words, ints({1, 0})})})[0];
    CHECK(t.data<std::string>()[1] == "c");
    using C = std::complex<double>;
    const Output z = make_const<C>(Tensor::of<C>({2}, {C(1, 2), C(3, 4)}));
    CHECK(Session().run_all({make<C>(ReverseV2{}, {z, ints({0})})})[0].data<C>()[0] == C(3, 4));
}

TEST_CASE("where says where, as many rows as there are") {
    const Node<double> x = input({dyn, 2});
    const auto y = make<double>(Where{}, {x});
    CHECK(y.dims() == Dims{dyn, 2});
    Session s;
    CHECK(s.run_all({y}, {{x, Tensor::of<double>({2, 2}, {0, 1, 2, 0})}})[0].dims() == Dims{2, 2});
    CHECK(s.run_all({y}, {{x, Tensor::of<double>({2, 2}, {0, 0, 0, -1})}})[0].data<std::int64_t>()[1] == 1);
}
