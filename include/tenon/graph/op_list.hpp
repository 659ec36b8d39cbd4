// Every op that an importer knows, a row each, with the element types that its kernels are compiled for. Naming the index
// compiles them all, so only importers include this, or link the library that did.
#pragma once
#include "../ops/ops.hpp"
#include "op_index.hpp"

namespace tenon {

using float_types = Types<float, double, half, bfloat16>;
using number_types = Types<float, double, std::int32_t, std::int64_t, half, bfloat16>;
using integer_types = Types<std::int32_t, std::int64_t>;
using bool_type = Types<bool>;
using any_types = Types<float, double, std::int32_t, std::int64_t, bool, half, bfloat16, std::uint8_t>;
using stored_types = Types<float, double, std::int32_t, std::int64_t, bool, half, bfloat16, std::uint8_t, std::string, std::int8_t, std::int16_t, std::uint16_t, std::uint32_t, std::uint64_t,
                           std::complex<float>, std::complex<double>>;

using SourceOps = OpList<
    OpRow<Const, stored_types>, OpRow<PlaceholderOp, stored_types>, OpRow<PlaceholderWithDefault, stored_types>, OpRow<NoOp, Types<float>>,
    OpRow<VariableV2, stored_types>, OpRow<VariableV1, stored_types>, OpRow<VarHandleOp, stored_types>, OpRow<ReadVariableOp, stored_types>,
    OpRow<Assign, stored_types>, OpRow<AssignVariableOp, stored_types>,
    OpRow<AssignAdd, number_types>, OpRow<AssignSub, number_types>, OpRow<AssignAddVariableOp, number_types>, OpRow<AssignSubVariableOp, number_types>,
    OpRow<Identity, stored_types>, OpRow<StopGradient, stored_types>, OpRow<PreventGradient, stored_types>,
    OpRow<RandomUniform, float_types>, OpRow<RandomStandardNormal, float_types>, OpRow<TruncatedNormal, float_types>>;

using MathOps = OpList<
    OpRow<Add, number_types>, OpRow<AddV2, number_types>, OpRow<AddN, number_types>, OpRow<Sub, number_types>, OpRow<Mul, number_types>, OpRow<RealDiv, float_types>,
    OpRow<FloorDiv, number_types>, OpRow<FloorMod, number_types>,
    OpRow<Neg, number_types>, OpRow<Square, number_types>, OpRow<Exp, float_types>, OpRow<Cast, any_types>,
    OpRow<MatMul, float_types>, OpRow<Sum, number_types>, OpRow<Mean, number_types>>;

using ArrayOps = OpList<
    OpRow<ShapeOp, stored_types>, OpRow<Size, stored_types>, OpRow<Rank, stored_types>, OpRow<Reshape, stored_types>, OpRow<ExpandDims, stored_types>,
    OpRow<BroadcastTo, any_types>, OpRow<BroadcastGradientArgs, integer_types>, OpRow<Fill, stored_types>, OpRow<Range, Types<std::int32_t, std::int64_t, float, double>>,
    OpRow<DynamicStitch, any_types>>;

using TrainOps = OpList<
    OpRow<ApplyGradientDescent, float_types>, OpRow<ResourceApplyGradientDescent, float_types>, OpRow<ApplyMomentum, float_types>, OpRow<ResourceApplyMomentum, float_types>,
    OpRow<ApplyAdam, float_types>, OpRow<ResourceApplyAdam, float_types>, OpRow<ApplyRMSProp, float_types>, OpRow<ResourceApplyRMSProp, float_types>,
    OpRow<ApplyAdagrad, float_types>, OpRow<ResourceApplyAdagrad, float_types>>;

namespace detail {
template <class... List> struct join_lists;
template <class... A> struct join_lists<OpList<A...>> { using type = OpList<A...>; };
template <class... A, class... B, class... Rest> struct join_lists<OpList<A...>, OpList<B...>, Rest...> : join_lists<OpList<A..., B...>, Rest...> {};
}  // namespace detail
using AllOps = typename detail::join_lists<SourceOps, MathOps, ArrayOps, TrainOps>::type;

}  // namespace tenon
