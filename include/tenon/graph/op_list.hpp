// Every op that an importer knows, a row each, with the element types that its kernels are compiled for. Naming the index
// compiles them all, so only importers include this, or link the library that did.
#pragma once
#include "../ops/ops.hpp"
#include "../ops/scatter.hpp"
#include "op_index.hpp"

namespace tenon {

using float_types = Types<float, double, half, bfloat16>;
using number_types = Types<float, double, std::int32_t, std::int64_t, half, bfloat16>;
using integer_types = Types<std::int32_t, std::int64_t>;
using bool_type = Types<bool>;
using any_types = Types<float, double, std::int32_t, std::int64_t, bool, half, bfloat16, std::uint8_t>;
using stored_types = Types<float, double, std::int32_t, std::int64_t, bool, half, bfloat16, std::uint8_t, std::string, std::int8_t, std::int16_t, std::uint16_t, std::uint32_t, std::uint64_t,
                           std::complex<float>, std::complex<double>>;

using scattered_types = Types<float, double, std::int32_t, std::int64_t, half, bfloat16, bool>;
using set_types = Types<float, double, std::int32_t, std::int64_t, std::string>;

using SourceOps = OpList<
    OpRow<Const, stored_types>, OpRow<PlaceholderOp, stored_types>, OpRow<PlaceholderWithDefault, stored_types>, OpRow<NoOp, Types<float>>,
    OpRow<VariableV2, stored_types>, OpRow<VariableV1, stored_types>, OpRow<VarHandleOp, stored_types>, OpRow<ReadVariableOp, stored_types>,
    OpRow<Assign, stored_types>, OpRow<AssignVariableOp, stored_types>,
    OpRow<AssignAdd, number_types>, OpRow<AssignSub, number_types>, OpRow<AssignAddVariableOp, number_types>, OpRow<AssignSubVariableOp, number_types>,
    OpRow<Identity, stored_types>, OpRow<StopGradient, stored_types>, OpRow<PreventGradient, stored_types>,
    OpRow<RandomUniform, float_types>, OpRow<RandomStandardNormal, float_types>, OpRow<TruncatedNormal, float_types>>;

using cast_types = Types<float, double, std::int32_t, std::int64_t, bool, half, bfloat16, std::uint8_t, std::int8_t, std::int16_t, std::uint16_t, std::uint32_t, std::uint64_t>;
using added_types = Types<float, double, std::int32_t, std::int64_t, half, bfloat16, std::uint8_t, std::string>;
using multiplied_types = Types<float, double, std::int32_t, std::int64_t, half, bfloat16, std::uint8_t, std::complex<float>, std::complex<double>>;
using compared_types = Types<float, double, std::int32_t, std::int64_t, half, bfloat16, std::uint8_t>;
using equal_types = Types<float, double, std::int32_t, std::int64_t, half, bfloat16, std::uint8_t, bool, std::string>;

using ElementwiseOps = OpList<
    OpRow<Add, added_types>, OpRow<AddV2, added_types>, OpRow<Sub, number_types>, OpRow<Mul, multiplied_types>, OpRow<MulNoNan, float_types>,
    OpRow<RealDiv, float_types>, OpRow<Div, number_types>, OpRow<TruncateDiv, number_types>, OpRow<FloorDiv, number_types>, OpRow<FloorMod, number_types>,
    OpRow<Mod, number_types>, OpRow<TruncateMod, number_types>, OpRow<DivNoNan, float_types>, OpRow<Reciprocal, float_types>, OpRow<ReciprocalGrad, float_types>,
    OpRow<Inv, float_types>, OpRow<InvGrad, float_types>, OpRow<Neg, number_types>, OpRow<Square, number_types>, OpRow<SquaredDifference, number_types>,
    OpRow<ZerosLike, stored_types>, OpRow<OnesLike, any_types>, OpRow<Abs, number_types>, OpRow<Sign, number_types>,
    OpRow<Floor, float_types>, OpRow<Ceil, float_types>, OpRow<Round, number_types>, OpRow<Rint, float_types>,
    OpRow<Less, compared_types>, OpRow<LessEqual, compared_types>, OpRow<Greater, compared_types>, OpRow<GreaterEqual, compared_types>,
    OpRow<Equal, equal_types>, OpRow<NotEqual, equal_types>, OpRow<LogicalAnd, bool_type>, OpRow<LogicalOr, bool_type>, OpRow<LogicalNot, bool_type>,
    OpRow<IsNan, float_types>, OpRow<IsInf, float_types>, OpRow<IsFinite, float_types>,
    OpRow<Select, stored_types>, OpRow<SelectV2, stored_types>, OpRow<Maximum, number_types>, OpRow<Minimum, number_types>, OpRow<ClipByValue, number_types>,
    OpRow<Exp, float_types>, OpRow<Expm1, float_types>, OpRow<Log, float_types>, OpRow<Log1p, float_types>, OpRow<Pow, number_types>,
    OpRow<Sqrt, float_types>, OpRow<SqrtGrad, float_types>, OpRow<Rsqrt, float_types>, OpRow<RsqrtGrad, float_types>,
    OpRow<Sin, float_types>, OpRow<Cos, float_types>, OpRow<Tan, float_types>, OpRow<Sinh, float_types>, OpRow<Cosh, float_types>,
    OpRow<Asin, float_types>, OpRow<Acos, float_types>, OpRow<Atan, float_types>, OpRow<Erf, float_types>, OpRow<Erfc, float_types>,
    OpRow<Tanh, float_types>, OpRow<TanhGrad, float_types>, OpRow<Sigmoid, float_types>, OpRow<SigmoidGrad, float_types>,
    OpRow<Relu, number_types>, OpRow<ReluGrad, float_types>, OpRow<Relu6, number_types>, OpRow<Relu6Grad, float_types>,
    OpRow<LeakyRelu, float_types>, OpRow<LeakyReluGrad, float_types>, OpRow<Elu, float_types>, OpRow<EluGrad, float_types>,
    OpRow<Selu, float_types>, OpRow<SeluGrad, float_types>, OpRow<Softplus, float_types>, OpRow<SoftplusGrad, float_types>,
    OpRow<Softsign, float_types>, OpRow<SoftsignGrad, float_types>, OpRow<Cast, cast_types>>;

using MathOps = OpList<OpRow<AddN, number_types>, OpRow<Sum, number_types>, OpRow<Mean, number_types>, OpRow<Prod, number_types>,
    OpRow<Max, number_types>, OpRow<Min, number_types>, OpRow<All, bool_type>, OpRow<Any, bool_type>, OpRow<L2Loss, float_types>,
    OpRow<ArgMax, any_types>, OpRow<ArgMin, any_types>, OpRow<Cumsum, number_types>, OpRow<Cumprod, number_types>>;

using ArrayOps = OpList<
    OpRow<ShapeOp, stored_types>, OpRow<ShapeN, stored_types>, OpRow<Size, stored_types>, OpRow<Rank, stored_types>, OpRow<Reshape, stored_types>, OpRow<ExpandDims, stored_types>,
    OpRow<Squeeze, stored_types>, OpRow<Snapshot, stored_types>, OpRow<IdentityN, Types<float>>, OpRow<CheckNumerics, float_types>, OpRow<Bitcast, number_types>,
    OpRow<BroadcastTo, stored_types>, OpRow<BroadcastArgs, integer_types>, OpRow<BroadcastGradientArgs, integer_types>,
    OpRow<Fill, stored_types>, OpRow<Range, number_types>, OpRow<LinSpace, Types<float, double>>,
    OpRow<Transpose, stored_types>, OpRow<InvertPermutation, integer_types>, OpRow<Concat, stored_types>, OpRow<ConcatV2, stored_types>, OpRow<ConcatOffset, Types<std::int32_t>>,
    OpRow<Split, stored_types>, OpRow<SplitV, stored_types>, OpRow<Pack, stored_types>, OpRow<Unpack, stored_types>, OpRow<Slice, stored_types>, OpRow<StridedSlice, stored_types>,
    OpRow<StridedSliceGrad, stored_types>, OpRow<Pad, stored_types>, OpRow<PadV2, stored_types>, OpRow<MirrorPad, stored_types>, OpRow<MirrorPadGrad, number_types>,
    OpRow<Tile, stored_types>, OpRow<ReverseV2, stored_types>, OpRow<Gather, stored_types>, OpRow<GatherV2, stored_types>, OpRow<GatherNd, stored_types>, OpRow<ScatterNd, scattered_types>,
    OpRow<UnsortedSegmentSum, number_types>, OpRow<DynamicStitch, stored_types>, OpRow<ParallelDynamicStitch, stored_types>, OpRow<DynamicPartition, stored_types>, OpRow<OneHot, stored_types>, OpRow<Where, any_types>,
    OpRow<SpaceToBatchND, stored_types>, OpRow<BatchToSpaceND, stored_types>, OpRow<ListDiff, set_types>, OpRow<Unique, set_types>>;

using TrainOps = OpList<
    OpRow<ApplyGradientDescent, float_types>, OpRow<ResourceApplyGradientDescent, float_types>, OpRow<ApplyMomentum, float_types>, OpRow<ResourceApplyMomentum, float_types>,
    OpRow<ApplyAdam, float_types>, OpRow<ResourceApplyAdam, float_types>, OpRow<ApplyRMSProp, float_types>, OpRow<ResourceApplyRMSProp, float_types>,
    OpRow<ApplyAdagrad, float_types>, OpRow<ResourceApplyAdagrad, float_types>,
    OpRow<VariableShape, Types<float>>, OpRow<ResourceGather, stored_types>,
    OpRow<ScatterUpdate, scattered_types>, OpRow<ScatterAdd, number_types>, OpRow<ScatterSub, number_types>, OpRow<ScatterMul, number_types>,
    OpRow<ResourceScatterUpdate, scattered_types>, OpRow<ResourceScatterAdd, number_types>, OpRow<ResourceScatterSub, number_types>, OpRow<ResourceScatterMul, number_types>,
    OpRow<SparseApplyMomentum, float_types>, OpRow<ResourceSparseApplyMomentum, float_types>, OpRow<SparseApplyRMSProp, float_types>, OpRow<ResourceSparseApplyRMSProp, float_types>,
    OpRow<SparseApplyAdagrad, float_types>, OpRow<ResourceSparseApplyAdagrad, float_types>>;

using NeuralOps = OpList<
    OpRow<MatMul, Types<float, double, half, bfloat16, std::int32_t, std::int64_t>>, OpRow<BatchMatMul, float_types>, OpRow<BatchMatMulV2, float_types>, OpRow<BatchMatMulV3, float_types>,
    OpRow<BiasAdd, float_types>, OpRow<BiasAddV1, float_types>, OpRow<BiasAddGrad, float_types>,
    OpRow<Softmax, float_types>, OpRow<LogSoftmax, float_types>, OpRow<SoftmaxCrossEntropyWithLogits, float_types>, OpRow<SparseSoftmaxCrossEntropyWithLogits, float_types>,
    OpRow<Conv2D, float_types>, OpRow<Conv2DBackpropInput, float_types>, OpRow<Conv2DBackpropFilter, float_types>,
    OpRow<DepthwiseConv2dNative, float_types>, OpRow<DepthwiseConv2dNativeBackpropInput, float_types>, OpRow<DepthwiseConv2dNativeBackpropFilter, float_types>,
    OpRow<MaxPool, number_types>, OpRow<MaxPoolGrad, float_types>, OpRow<MaxPoolGradGrad, float_types>, OpRow<MaxPoolWithArgmax, float_types>, OpRow<MaxPoolGradWithArgmax, float_types>,
    OpRow<AvgPool, float_types>, OpRow<AvgPoolGrad, float_types>,
    OpRow<FusedBatchNorm, Types<float>>, OpRow<FusedBatchNormV2, Types<float, half, bfloat16>>, OpRow<FusedBatchNormV3, Types<float, half, bfloat16>>,
    OpRow<FusedBatchNormGrad, Types<float>>, OpRow<FusedBatchNormGradV2, Types<float, half, bfloat16>>, OpRow<FusedBatchNormGradV3, Types<float, half, bfloat16>>,
    OpRow<BatchNormWithGlobalNormalization, float_types>, OpRow<LRN, Types<float, half, bfloat16>>, OpRow<LRNGrad, Types<float, half, bfloat16>>,
    OpRow<DepthToSpace, any_types>, OpRow<SpaceToDepth, any_types>, OpRow<InTopK, integer_types>, OpRow<InTopKV2, integer_types>, OpRow<TopKV2, number_types>,
    OpRow<ResizeBilinear, compared_types>, OpRow<ResizeBilinearGrad, float_types>, OpRow<ResizeNearestNeighbor, any_types>, OpRow<ResizeNearestNeighborGrad, float_types>>;

namespace detail {
template <class... List> struct join_lists;
template <class... A> struct join_lists<OpList<A...>> { using type = OpList<A...>; };
template <class... A, class... B, class... Rest> struct join_lists<OpList<A...>, OpList<B...>, Rest...> : join_lists<OpList<A..., B...>, Rest...> {};
}  // namespace detail
using AllOps = typename detail::join_lists<SourceOps, ElementwiseOps, MathOps, ArrayOps, TrainOps, NeuralOps>::type;

}  // namespace tenon
