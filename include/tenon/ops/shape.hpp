// Extents as tensors, and new extents for the same elements. What only asks for extents is known when a plan is made,
// keeps nothing alive and costs nothing when it runs.
#pragma once
#include "../expr/node.hpp"

namespace tenon {

namespace detail {
template <class = void> Tensor integer_tensor(DType t, const Dims& dims, std::span<const std::int64_t> v) {
    Tensor y(t, dims);
    for (std::size_t i = 0; i < v.size(); ++i) {
        if (t == DType::int64) y.data<std::int64_t>()[i] = v[i];
        else y.data<std::int32_t>()[i] = static_cast<std::int32_t>(v[i]);
    }
    return y;
}
}  // namespace detail

/// The extents of x, as a vector.
///
/// Shapes    x [..] -> [rank]
/// Values    int32 or int64
/// Gradient  none: extents do not depend on elements
struct ShapeOp {
    DType out_type = DType::int32;
    static constexpr const char* name = "Shape";
    static constexpr int arity = 1;
    static constexpr bool takes_unranked = true;
    template <class Self = ShapeOp> static constexpr auto params = members(attr("out_type", &Self::out_type));
    template <class T> using result = std::int32_t;
    DType output_type(int) const { return out_type; }
    static constexpr Inferred infer(const Dims& x) { return Dims{x.ranked() ? x.rank : dyn}; }
    template <class = void> static Tensor known(const ShapeOp& op, std::span<const Ref> in, int) {
        return in[0].dims.known() ? detail::integer_tensor(op.out_type, {in[0].dims.rank}, {in[0].dims.begin(), in[0].dims.end()}) : Tensor();
    }
    static auto gradient(auto, auto, auto, auto) { return std::tuple(no_gradient{}); }
};

/// The extents of each of several tensors.
///
/// Shapes    x [..] each -> [rank] each
struct ShapeN {
    DType out_type = DType::int32;
    std::int64_t n = 1;
    static constexpr const char* name = "ShapeN";
    static constexpr bool variadic = true, differentiable = false, takes_unranked = true;
    template <class Self = ShapeN> static constexpr auto params = members(attr("out_type", &Self::out_type), attr("N", &Self::n));
    template <class T> using result = std::int32_t;
    template <class = void> int output_count() const { return static_cast<int>(n); }
    DType output_type(int) const { return out_type; }
    template <class = void> Inferred infer(std::span<const Dims> x) const {
        if (static_cast<std::int64_t>(x.size()) != n) return reject("[ShapeN] ", static_cast<std::int64_t>(x.size()), " tensors, N is ", n);
        return Dims{dyn};
    }
    template <class = void> std::vector<Dims> output_dims(std::span<const Ref> in) const {
        std::vector<Dims> y;
        for (const Ref& x : in) y.push_back({x.dims.ranked() ? x.dims.rank : dyn});
        return y;
    }
    template <class = void> static Tensor known(const ShapeN& op, std::span<const Ref> in, int i) { return ShapeOp::known({op.out_type}, in.subspan(static_cast<std::size_t>(i), 1), 0); }
};

/// How many elements x has.
///
/// Shapes    x [..] -> []
struct Size {
    DType out_type = DType::int32;
    static constexpr const char* name = "Size";
    static constexpr int arity = 1;
    static constexpr bool takes_unranked = true;
    template <class Self = Size> static constexpr auto params = members(attr("out_type", &Self::out_type));
    template <class T> using result = std::int32_t;
    DType output_type(int) const { return out_type; }
    static constexpr Inferred infer(const Dims&) { return Dims{}; }
    template <class = void> static Tensor known(const Size& op, std::span<const Ref> in, int) {
        const std::int64_t n[] = {in[0].dims.size()};
        return in[0].dims.known() ? detail::integer_tensor(op.out_type, {}, n) : Tensor();
    }
    static auto gradient(auto, auto, auto, auto) { return std::tuple(no_gradient{}); }
};

/// How many axes x has.
///
/// Shapes    x [..] -> [] int32
struct Rank {
    static constexpr const char* name = "Rank";
    static constexpr int arity = 1;
    static constexpr bool takes_unranked = true;
    template <class T> using result = std::int32_t;
    static constexpr Inferred infer(const Dims&) { return Dims{}; }
    template <class = void> static Tensor known(const Rank&, std::span<const Ref> in, int) {
        const std::int64_t n[] = {in[0].dims.rank};
        return in[0].dims.ranked() ? detail::integer_tensor(DType::int32, {}, n) : Tensor();
    }
    static auto gradient(auto, auto, auto, auto) { return std::tuple(no_gradient{}); }
};

/// The same elements, in the same order, with other extents; one of them may be -1: whatever is left.
///
/// Shapes    x [..], shape [r] -> shape
/// Gradient  g, with x's extents
/// Errors    "[Reshape] [2,3] cannot become [4,2]"
struct Reshape {
    Dims shape;
    static constexpr const char* name = "Reshape";
    static constexpr int arity = 1, view = 0;
    static constexpr bool moves = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tshape", 1}};
    template <class Self = Reshape> static constexpr auto params = members(const_input("shape", &Self::shape, 1));
    constexpr Inferred infer(const Dims& x) const {
        Dims y = shape;
        int open = -1;
        for (int i = 0; i < y.rank; ++i) {
            if (y[i] < -1) return reject("[Reshape] extent ", y[i], " is negative: ", shape);
            if (y[i] != -1) continue;
            if (open >= 0) return reject("[Reshape] only one extent may be -1: ", shape);
            open = i;
        }
        const auto n = x.size();
        if (open < 0) {
            if (n != dyn && n != y.size()) return reject("[Reshape] ", x, " cannot become ", shape);
            return y;
        }
        if (n == dyn) return y;
        y[open] = 1;
        const auto rest = y.size();
        if (rest == 0 || n % rest) return reject("[Reshape] ", x, " cannot become ", shape);
        y[open] = n / rest;
        return y;
    }
    template <class T> void compute(const Call& c) const { std::copy_n(c.input<T>(0).data, c.input<T>(0).size(), c.output<T>(0).data); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(reshape_like(g, x)); }
};

/// A new axis of one.
///
/// Shapes    x [..], dim -> [.., 1, ..]; the new axis is `dim` of the result
/// Gradient  g, with x's extents
struct ExpandDims {
    std::int64_t dim = 0;
    static constexpr const char* name = "ExpandDims";
    static constexpr int arity = 1, view = 0;
    static constexpr bool moves = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tdim", 1}};
    template <class Self = ExpandDims> static constexpr auto params = members(const_input("dim", &Self::dim, 1));
    constexpr Inferred infer(const Dims& x) const {
        const auto at = dim < 0 ? dim + x.rank + 1 : dim;
        if (at < 0 || at > x.rank) return reject("[ExpandDims] axis ", dim, " is outside ", x);
        Dims y;
        for (int i = 0; i <= x.rank; ++i) {
            if (i == at) y.push(1);
            if (i < x.rank) y.push(x[i]);
        }
        return y;
    }
    template <class T> void compute(const Call& c) const { std::copy_n(c.input<T>(0).data, c.input<T>(0).size(), c.output<T>(0).data); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(reshape_like(g, x)); }
};

/// x without axes of one: those listed, or all.
///
/// Shapes    x [.., 1, ..] -> [..]
/// Gradient  g, with x's extents
/// Errors    "[Squeeze] axis 1 of [1,2] is not 1", "[Squeeze] axis 2 is outside [1,2]"
struct Squeeze {
    Dims squeeze_dims;
    static constexpr const char* name = "Squeeze";
    static constexpr int arity = 1, view = 0;
    static constexpr bool moves = true;
    template <class Self = Squeeze> static constexpr auto params = members(attr("squeeze_dims", &Self::squeeze_dims));
    constexpr Inferred infer(const Dims& x) const {
        std::array<bool, max_rank> gone{};
        for (const auto a : squeeze_dims) {
            if (a >= x.rank || a < -x.rank) return reject("[Squeeze] axis ", a, " is outside ", x);
            const int i = static_cast<int>(a < 0 ? a + x.rank : a);
            if (x[i] != 1 && x[i] != dyn) return reject("[Squeeze] axis ", a, " of ", x, " is not 1");
            gone[static_cast<std::size_t>(i)] = true;
        }
        Dims y;
        for (int i = 0; i < x.rank; ++i) {
            if (squeeze_dims.rank == 0 && x[i] == dyn) return Dims::unranked();
            if (squeeze_dims.rank ? !gone[static_cast<std::size_t>(i)] : x[i] != 1) y.push(x[i]);
        }
        return y;
    }
    template <class T> void compute(const Call& c) const { std::copy_n(c.input<T>(0).data, c.input<T>(0).size(), c.output<T>(0).data); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(reshape_like(g, x)); }
};

/// The extents of x: [rank] int32.
template <GraphOperand X> auto shape(const X& x) { return call(Constant<ShapeOp{}>{}, x); }
/// How many elements x has: [] int32.
template <GraphOperand X> auto size(const X& x) { return call(Constant<Size{}>{}, x); }
/// How many axes x has: [] int32.
template <GraphOperand X> auto rank(const X& x) { return call(Constant<Rank{}>{}, x); }
/// x with extents that a tensor of the graph gives.
template <class T, class S, class I, class R> Node<T> reshape(const Node<T, S>& x, const Node<I, R>& extents) { return make<T>(Reshape{}, {x, extents}); }
/// x with the extents of the template's arguments; one may be dyn: whatever is left.
template <std::int64_t... N, Operand X> auto reshape(X&& x) { return call(Constant<Reshape{Dims{N...}}>{}, std::forward<X>(x)); }
/// x with a new axis of one; `axis` of the result.
template <std::int64_t axis, Operand X> auto expand_dims(X&& x) { return call(Constant<ExpandDims{axis}>{}, std::forward<X>(x)); }
/// x without the axes listed, which are 1; without any axis of one if none is listed.
template <std::int64_t... axes, Operand X> auto squeeze(X&& x) { return call(Constant<Squeeze{Dims{axes...}}>{}, std::forward<X>(x)); }

/// The extents of x for rules: an int32 or int64 vector that a plan knows.
template <class T> Output shape_tensor(const Node<T>& x, DType index = DType::int32) {
    return make_operation(table_of<ShapeOp, T>(), detail::shared_op(ShapeOp{index}), {x});
}
namespace detail {
template <class = void> [[gnu::noinline]] const Output& refined(const Output& y, const Dims& extents) {
    bool fit = true;
    const Dims d = merge(y.dims(), extents, fit);
    if (fit) y.operation->results[0].dims = d;
    return y;
}
}  // namespace detail
/// What a rule knows about its result, and the shape rule cannot see before extents are known.
template <class T> Node<T> with_extents(Node<T> y, const Dims& extents) {
    detail::refined(y, extents);
    return y;
}

namespace detail {
// Rules of ops that move elements are the same for every element type. Those that are long are functions of the tables they need.
template <class O> [[gnu::noinline]] Output applied(const OpTable& t, O op, std::vector<Output> in) { return make_operation(t, shared_op(std::move(op)), std::move(in)); }
/// f(std::type_identity<I>()) for the C++ type of an index.
template <class F> auto with_index_type(DType index, F f) { return index == DType::int64 ? f(std::type_identity<std::int64_t>{}) : f(std::type_identity<std::int32_t>{}); }
}  // namespace detail
template <class T, class S> Node<T> reshape_like(const Node<T, S>& x, const Output& like) {
    if (like.dims().known() && x.dims() == like.dims()) return Node<T>(x);
    if (like.dims().known()) return call(RunTime<Reshape>{Reshape{like.dims()}}, Node<T>(x));
    return with_extents(make<T>(Reshape{}, {x, shape_tensor(Node<T>(like))}), like.dims());
}

}  // namespace tenon
