// Calls that do not fit: what the compiler would say is what the same call says at run time, word for word.
#include "../support/fed.hpp"
#include <tenon/checkpoint/builtin_ops.hpp>
#include <tenon/ops/ops.hpp>
#include <tenon/ops/scatter.hpp>

#include <doctest/doctest.h>

#include <set>

using namespace tenon;
using namespace tenon::test;

namespace {

/// `rejected<"...">` as text; empty if the call is accepted.
template <class Verdict> constexpr std::string_view sentence_of{};
template <std::size_t n, Text<n> text> constexpr std::string_view sentence_of<rejected<text>>{text.text, n - 1};

Output placeholder(DType t, const Dims& dims) {
    for (const OpTable* p : tables_named(builtin_ops(), "Placeholder")) if (p->dtype == t) return make_operation(*p, tenon::detail::shared_op(PlaceholderOp{dims}), {});
    throw TypeError("no placeholder");
}
/// The op over placeholders of float, or of what it takes instead: the sentence of the ShapeError.
std::string at_run_time(std::string_view name, const void* op, std::initializer_list<Dims> operands) {
    const auto tables = tables_named(builtin_ops(), name);
    const OpTable* table = tables[0];
    for (const OpTable* t : tables) if (t->dtype == DType::float32) table = t;
    return shape_error([&] {
        std::vector<Output> data;
        for (const Dims& d : operands) {
            const DType t = table->input_type ? table->input_type(data.size(), table->dtype) : table->dtype;
            data.push_back(placeholder(t == index_dtype ? DType::int32 : t == any_dtype ? DType::float32 : t, d));
        }
        tenon::detail::apply(*table, {std::shared_ptr<void>(), op}, data);
    });
}
struct Refusals {
    std::set<std::string_view> ops;
    int count = 0;
    void add(std::string_view name, const void* op, std::initializer_list<Dims> operands, std::string_view compiler, std::string_view sentence) {
        CHECK(compiler == sentence);
        CHECK(at_run_time(name, op, operands) == sentence);
        ops.insert(name);
        ++count;
    }
};
template <auto op, class... S> void refused(Refusals& all, std::string_view sentence) {
    using O = std::remove_const_t<decltype(op)>;
    all.add(O::name, tenon::detail::constant<op>, {S::dims...}, sentence_of<decltype(tenon::detail::judge<op, S...>())>, sentence);
}
template <class O> constexpr O over(Dims axes) {
    O o;
    o.axes = axes;
    return o;
}

}  // namespace

TEST_CASE("what the compiler refuses is refused at run time in the same words, in every family") {
    Refusals r;
    using M = Shape<2, 3>;
    using V = Shape<4>;
    using Images = Shape<dyn, 5, 5, 4>;
    refused<Add{}, M, V>(r, "[Add] shapes do not broadcast: [2,3] and [4]");
    refused<AddV2{}, Shape<dyn, 3>, V>(r, "[AddV2] shapes do not broadcast: [dyn,3] and [4]");
    refused<Sub{}, M, Shape<3, 1>>(r, "[Sub] shapes do not broadcast: [2,3] and [3,1]");
    refused<Mul{}, M, V>(r, "[Mul] shapes do not broadcast: [2,3] and [4]");
    refused<RealDiv{}, M, V>(r, "[RealDiv] shapes do not broadcast: [2,3] and [4]");
    refused<FloorDiv{}, M, V>(r, "[FloorDiv] shapes do not broadcast: [2,3] and [4]");
    refused<Pow{}, M, V>(r, "[Pow] shapes do not broadcast: [2,3] and [4]");
    refused<Maximum{}, M, V>(r, "[Maximum] shapes do not broadcast: [2,3] and [4]");
    refused<SquaredDifference{}, M, V>(r, "[SquaredDifference] shapes do not broadcast: [2,3] and [4]");
    refused<TanhGrad{}, M, V>(r, "[TanhGrad] shapes do not broadcast: [2,3] and [4]");
    refused<Less{}, M, V>(r, "[Less] shapes do not broadcast: [2,3] and [4]");
    refused<Equal{}, M, V>(r, "[Equal] shapes do not broadcast: [2,3] and [4]");
    refused<LogicalAnd{}, M, V>(r, "[LogicalAnd] shapes do not broadcast: [2,3] and [4]");
    refused<Select{}, Shape<3>, M, M>(r, "[Select] condition [3] for values [2,3]");
    refused<SelectV2{}, M, V, M>(r, "[SelectV2] shapes do not broadcast: [4] and [2,3]");
    refused<ClipByValue{}, M, Shape<3>, Shape<>>(r, "[ClipByValue] bound [3] for [2,3]");
    refused<AddN{}, M, M, V>(r, "[AddN] shapes differ: [2,3] and [4]");

    refused<MatMul{}, M, Shape<4, 5>>(r, "[MatMul] inner extents differ: [2,3] x [4,5]");
    refused<MatMul{true, false}, M, Shape<3, 5>>(r, "[MatMul] inner extents differ: [2,3] x [3,5]");
    refused<MatMul{}, V, M>(r, "[MatMul] needs two matrices: [4] x [2,3]");
    refused<BatchMatMul{}, Shape<2, 2, 3>, Shape<2, 4, 5>>(r, "[BatchMatMul] inner extents differ: [2,2,3] x [2,4,5]");
    refused<BatchMatMulV2{}, Shape<3, 2, 3>, Shape<2, 3, 4>>(r, "[BatchMatMulV2] batches differ: [3,2,3] x [2,3,4]");
    refused<BiasAdd{}, M, Shape<2>>(r, "[BiasAdd] bias [2] for [2,3]");
    refused<Softmax{}, Shape<>>(r, "[Softmax] needs an axis of classes: []");
    refused<SoftmaxCrossEntropyWithLogits{}, Shape<3>, Shape<3>>(r, "[SoftmaxCrossEntropyWithLogits] needs matrices: [3] and [3]");
    refused<SparseSoftmaxCrossEntropyWithLogits{}, M, Shape<3>>(r, "[SparseSoftmaxCrossEntropyWithLogits] labels [3] for [2,3]");

    refused<over<Sum>({2}), M>(r, "[Sum] axis 2 is outside [2,3]");
    refused<over<Mean>({0, -2}), M>(r, "[Mean] axis -2 is listed twice");
    refused<over<Max>({-3}), M>(r, "[Max] axis -3 is outside [2,3]");
    refused<over<Min>({5}), M>(r, "[Min] axis 5 is outside [2,3]");
    refused<over<Prod>({1, 1}), M>(r, "[Prod] axis 1 is listed twice");
    refused<tenon::detail::arg_extreme<ArgMax>(2), M>(r, "[ArgMax] axis 2 is outside [2,3]");
    refused<tenon::detail::arg_extreme<ArgMax>(1), Shape<2, 0>>(r, "[ArgMax] axis 1 of [2,0] is empty");

    refused<Reshape{Dims{4, 2}}, M>(r, "[Reshape] [2,3] cannot become [4,2]");
    refused<Reshape{Dims{-1, -1}}, M>(r, "[Reshape] only one extent may be -1: [dyn,dyn]");
    refused<Transpose{Dims{0, 0}}, M>(r, "[Transpose] [0,0] is not a permutation of the axes of [2,3]");
    refused<ExpandDims{4}, M>(r, "[ExpandDims] axis 4 is outside [2,3]");
    refused<Squeeze{Dims{1}}, Shape<1, 2>>(r, "[Squeeze] axis 1 of [1,2] is not 1");
    refused<ConcatV2{{1}}, M, Shape<4, 1>>(r, "[ConcatV2] shapes differ beside axis 1: [2,3] and [4,1]");
    refused<ConcatV2{{2}}, M, M>(r, "[ConcatV2] axis 2 is outside [2,3]");
    refused<Split{1, 2}, M>(r, "[Split] axis 1 of [2,3] does not divide into 2");
    refused<Pack{0}, M, V>(r, "[Pack] shapes differ: [2,3] and [4]");
    refused<Unpack{3, 0}, M>(r, "[Unpack] axis 0 of [2,3] has not 3 parts");
    refused<Slice{Dims{0, 2}, Dims{1, 2}}, M>(r, "[Slice] axis 1 of [2,3]: 2 from 2 on is outside");
    refused<Slice{Dims{0}, Dims{1}}, M>(r, "[Slice] begin [0] and size [1] for [2,3]");
    refused<StridedSlice{{Dims{5}, Dims{6}, Dims{1}, 0, 0, 0, 0, 1}}, M>(r, "[StridedSlice] slice index 5 of dimension 0 out of bounds: [2,3]");
    refused<StridedSlice{{Dims{0}, Dims{1}, Dims{0}}}, M>(r, "[StridedSlice] strides[0] must be non-zero");
    refused<Pad{{Ints{1, 1, 0, 0}}}, V>(r, "[Pad] 2 pairs of paddings for [4]");
    refused<PadV2{{Ints{1, 1}}}, V, V>(r, "[PadV2] value is [4], not a scalar");
    refused<Tile{Dims{2}}, M>(r, "[Tile] 1 multiples for [2,3]");
    refused<ReverseV2{Dims{2}}, M>(r, "[ReverseV2] axis 2 is outside [2,3]");
    refused<MirrorPad{{Ints{3, 0}}}, Shape<2>>(r, "[MirrorPad] paddings are wider than [2]");
    refused<Fill{Dims{2}}, V>(r, "[Fill] value is [4], not a scalar");
    refused<BroadcastTo{Dims{2, 5}}, M>(r, "[BroadcastTo] [2,3] does not broadcast to [2,5]");
    refused<OneHot{-1}, V, Shape<>, Shape<>>(r, "[OneHot] depth -1 is negative");
    refused<GatherV2{{2}}, M, V>(r, "[GatherV2] axis 2 is outside [2,3]");
    refused<GatherNd{}, M, Shape<2, 3>>(r, "[GatherNd] indices [2,3] for [2,3]");
    refused<UnsortedSegmentSum{3}, M, V>(r, "[UnsortedSegmentSum] 3 segments: ids [4] for [2,3]");
    refused<TopKV2{4}, M>(r, "[TopKV2] k 4 is outside [0,3]: [2,3]");
    refused<InvertPermutation{}, M>(r, "[InvertPermutation] [2,3] is not a vector");

    refused<Conv2D{}, Images, Shape<3, 3, 3, 8>>(r, "[Conv2D] 4 channels are no multiple of the filter's 3: [dyn,5,5,4] with [3,3,3,8]");
    refused<Conv2D{}, M, Shape<3, 3, 3, 8>>(r, "[Conv2D] needs images [batch,height,width,channels]: [2,3]");
    refused<MaxPool{{1, 2, 2, 1}, {1, 2, 2, 1}}, M>(r, "[MaxPool] needs images [batch,height,width,channels]: [2,3]");
    refused<FusedBatchNormOptions{}.op(), Images, Shape<4>, Shape<3>, Shape<0>, Shape<0>>(r, "[FusedBatchNormV3] parameters [3] for images [dyn,5,5,4]");
    refused<DepthToSpace{{3}}, Images>(r, "[DepthToSpace] 4 channels do not divide into blocks of 3 x 3: [dyn,5,5,4]");
    refused<SpaceToDepth{{2}}, Images>(r, "[SpaceToDepth] [dyn,5,5,4] does not divide into blocks of 2 x 2");
    refused<LRN{}, M>(r, "[LRN] needs images [batch,height,width,channels]: [2,3]");

    refused<Assign{}, M, V>(r, "[Assign] value [4] for variable [2,3]");
    refused<ApplyGradientDescent{}, M, Shape<>, V>(r, "[ApplyGradientDescent] gradient [4] for variable [2,3]");
    refused<ApplyMomentum{}, M, V, Shape<>, M, Shape<>>(r, "[ApplyMomentum] slot [4] for variable [2,3]");
    refused<ScatterAdd{}, M, V, V>(r, "[ScatterAdd] rows [4] at [4] for variable [2,3]");
    MESSAGE(r.count << " wrong calls of " << r.ops.size() << " ops");
}
