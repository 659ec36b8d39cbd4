// Reductions over axes: Sum, Mean, Prod, Max, Min, All, Any; and L2Loss.
//
// Shapes    x [..], axes -> the axes not listed; listed ones stay as 1 if keep_dims
// Errors    "[Sum] axis 2 is outside [3,4]", "[Sum] axis 0 is listed twice"
#pragma once
#include "../expr/statement.hpp"
#include "arithmetic.hpp"
#include "cast.hpp"
#include "compare.hpp"
#include "gather.hpp"
#include "scan.hpp"
#include "select.hpp"
#include "shape.hpp"
#include "unique.hpp"
#include "../tensor/reduce.hpp"

namespace tenon {

constexpr Dims all_axes(int rank) {
    Dims d;
    for (int i = 0; i < rank; ++i) d.push(i);
    return d;
}

namespace detail {
[[gnu::noinline]] constexpr Inferred reduced(std::string_view op, const Dims& x, const Dims& axes, bool keep_dims) {
    std::array<bool, max_rank> gone{};
    for (const auto a : axes) {
        if (a >= x.rank || a < -x.rank) return reject("[", op, "] axis ", a, " is outside ", x);
        auto& g = gone[static_cast<std::size_t>(a < 0 ? a + x.rank : a)];
        if (g) return reject("[", op, "] axis ", a, " is listed twice");
        g = true;
    }
    Dims y;
    for (int i = 0; i < x.rank; ++i)
        if (!gone[static_cast<std::size_t>(i)]) y.push(x[i]);
        else if (keep_dims) y.push(1);
    return y;
}
}  // namespace detail

/// What all reductions share. `O::Fold` combines two elements; see tensor/reduce.hpp.
template <class O> struct Reduction {
    Dims axes;
    bool keep_dims = false;
    static constexpr int arity = 1, view = 0;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tidx", 1}};

    /// x's extents with 1 where an axis is reduced.
    constexpr Dims kept(Dims x) const {
        for (const auto a : axes) x[static_cast<int>(a)] = 1;
        return x;
    }
    constexpr Inferred infer(const Dims& x) const { return detail::reduced(O::name, x, axes, keep_dims); }
    /// With axes that are not known yet, only a result of as many axes is.
    Inferred infer_open(std::span<const Dims> x) const { return keep_dims ? Dims::filled(x[0].rank, dyn) : Dims::unranked(); }

    std::shared_ptr<const void> prepare(std::span<const Ref* const> in, std::span<const Ref* const>) const {
        const Ref as_kept{nullptr, kept(in[0]->dims), in[0]->dtype};
        const Ref* operand[] = {&as_kept};
        return std::make_shared<Layouts>(operand, 1, in[0]->dims, block);
    }
    template <class T> void compute(const Call& c) const {
        reduce<typename O::template Fold<T>>(c.output<T>(0), c.input<T>(0), *static_cast<const Layouts*>(c.prepared));
        if constexpr (requires { O::is_mean; }) divide_by_count(c.output<T>(0), c.input<T>(0).size());
    }
};

namespace detail {
/// Something of the reduction's shape with the reduced axes, `axes` if they are known, back as ones.
template <class T> [[gnu::noinline]] Node<T> with_axes(const Dims* axes, const Output& list, const Node<T>& g, const Node<T>& x) {
    if (!axes) return reshape_to_kept(g, x, list);
    const int rank = x.dims().rank;
    std::uint32_t reduced = 0;
    for (const auto a : *axes) reduced |= 1u << (a < 0 ? a + rank : a);
    Node<T> y = g;
    for (int axis = 0; axis < rank; ++axis) if (reduced >> axis & 1) y = call(RunTime<ExpandDims>{ExpandDims{axis}}, y);
    return y;
}
template <class O, class T> Node<T> with_kept_axes(const RunTime<O>& self, const Node<T>& g, const Node<T>& x) {
    return self.op.keep_dims ? g : with_axes(self.complete && x.dims().ranked() ? &self.op.axes : nullptr, self.at->inputs[1], g, x);
}
}  // namespace detail

struct Sum : Reduction<Sum> {
    static constexpr const char* name = "Sum";
    template <class Self = Sum> static constexpr auto params = members(const_input("reduction_indices", &Self::axes, 1), attr("keep_dims", &Self::keep_dims));
    template <class T> using Fold = Plus<T>;
    template <class T> static auto gradient(const RunTime<Sum>& self, const Node<T>& g, const Node<T>&, const Node<T>& x) {
        return std::tuple(broadcast_like(detail::with_kept_axes(self, g, x), x));
    }
};
struct Mean : Reduction<Mean> {
    static constexpr const char* name = "Mean";
    static constexpr bool is_mean = true;
    template <class Self = Mean> static constexpr auto params = members(const_input("reduction_indices", &Self::axes, 1), attr("keep_dims", &Self::keep_dims));
    template <class T> using Fold = Plus<T>;
    template <class T> static auto gradient(const RunTime<Mean>& self, const Node<T>& g, const Node<T>& y, const Node<T>& x) {
        return std::tuple(broadcast_like(detail::with_kept_axes(self, divide_by_ratio(g, x, y), x), x));
    }
};

/// Whether all are true; so it is of nothing.
struct All : Reduction<All> {
    static constexpr const char* name = "All";
    static constexpr bool differentiable = false;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::input, "Tidx", 1}};
    template <class Self = All> static constexpr auto params = members(const_input("reduction_indices", &Self::axes, 1), attr("keep_dims", &Self::keep_dims));
    template <class> using Fold = AllTrue;
};
/// Whether one is true.
struct Any : Reduction<Any> {
    static constexpr const char* name = "Any";
    static constexpr bool differentiable = false;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::input, "Tidx", 1}};
    template <class Self = Any> static constexpr auto params = members(const_input("reduction_indices", &Self::axes, 1), attr("keep_dims", &Self::keep_dims));
    template <class> using Fold = AnyTrue;
};

namespace detail {
/// Over every axis of a tensor whose rank may only be known when a plan is made.
template <class O, class T> Node<T> reduce_all(const Node<T>& x, bool keep_dims) {
    O o;
    o.keep_dims = keep_dims;
    if (x.dims().ranked()) {
        o.axes = all_axes(x.dims().rank);
        return call(RunTime<O>{o}, x);
    }
    return make<T>(o, {x, range_of_rank(x)});
}
}  // namespace detail

/// Values    1 of nothing; integers wrap
/// Gradient  g times the product of all others, exact where some are 0
struct Prod : Reduction<Prod> {
    static constexpr const char* name = "Prod";
    template <class Self = Prod> static constexpr auto params = members(const_input("reduction_indices", &Self::axes, 1), attr("keep_dims", &Self::keep_dims));
    template <class T> using Fold = Times<T>;
    /// Axis by axis: the product of the others along it, then the same of the products along it.
    template <class T> static auto gradient(const RunTime<Prod>& self, const Node<T>& g, const Node<T>&, const Node<T>& x) {
        Node<T> d = detail::with_kept_axes(self, g, x), partial = x;
        if (!self.complete) return std::tuple(Node<T>(d * others_of_all(x, self.at->inputs[1])));
        for (const auto axis : self.op.axes) d = d * others(partial, axis), partial = along(partial, axis);
        return std::tuple(d);
    }

private:
    template <class T> static Node<T> along(const Node<T>& x, std::int64_t axis) {
        Prod p;
        p.axes = {axis}, p.keep_dims = true;
        return call(RunTime<Prod>{p}, x);
    }
    /// What stands before an element times what stands behind it.
    template <class T> static Node<T> others(const Node<T>& x, std::int64_t axis) {
        return call(RunTime<Cumprod>{detail::scan<Cumprod>(axis, true, false)}, x) * call(RunTime<Cumprod>{detail::scan<Cumprod>(axis, true, true)}, x);
    }
    /// As TensorFlow does it: the axes are brought to the front and made one.
    template <class T> static Node<T> others_of_all(const Node<T>& x, const Output& axes) {
        using I = std::int32_t;
        const auto rank = detail::rank_of(x);
        const Output shape = shape_tensor(x), zero = detail::integers(0), gone = make<I>(FloorMod{}, {make<I>(Cast{}, {axes}), rank});
        const Output list = make<I>(Reshape{}, {gone, detail::integers(Dims{-1})}), rest = make<I>(ListDiff{}, {range_of_rank(x), list}), order = make<I>(ConcatV2{}, {list, rest, zero});
        const auto extent = [&](const Output& of) { return detail::reduce_all<Prod>(Node<I>(make<I>(GatherV2{}, {shape, of, zero})), false); };
        const Node<T> moved = make<T>(Transpose{}, {x, order});
        const Node<T> all = others(Node<T>(make<T>(Reshape{}, {moved, make<I>(Pack{}, {extent(list), extent(rest)})})), 0);
        return make<T>(Transpose{}, {make<T>(Reshape{}, {all, shape_tensor(moved)}), make<I>(InvertPermutation{}, {order})});
    }
};

/// Values    NaN if there is one; of nothing minus infinity (Max), infinity (Min), or the last integer
/// Gradient  g, in equal parts to those that are equal to the result
template <class O> struct Extreme : Reduction<O> {
    template <class T> static auto gradient(const RunTime<O>& self, const Node<T>& g, const Node<T>& y, const Node<T>& x) {
        const Node<T> hit = cast_like(equal(detail::with_kept_axes(self, y, x), x), x);
        Sum count;
        count.keep_dims = true;
        return std::tuple(hit / make<T>(count, {hit, self.at->inputs[1]}) * detail::with_kept_axes(self, g, x));
    }
};
struct Max : Extreme<Max> {
    static constexpr const char* name = "Max";
    template <class Self = Max> static constexpr auto params = members(const_input("reduction_indices", &Self::axes, 1), attr("keep_dims", &Self::keep_dims));
    template <class T> using Fold = Largest<T>;
};
struct Min : Extreme<Min> {
    static constexpr const char* name = "Min";
    template <class Self = Min> static constexpr auto params = members(const_input("reduction_indices", &Self::axes, 1), attr("keep_dims", &Self::keep_dims));
    template <class T> using Fold = Smallest<T>;
};

/// Half the sum of squares.
///
/// Shapes    t [..] -> []
/// Gradient  g t
struct L2Loss {
    static constexpr const char* name = "L2Loss";
    static constexpr int arity = 1;
    static constexpr Inferred infer(const Dims&) { return Dims{}; }
    template <class T> void compute(const Call& c) const { c.output<T>(0)[0] = c.input<T>(0).flat().square().sum() / 2; }
    static auto gradient(auto, auto g, auto, auto t) { return std::tuple(g * t); }
};

namespace detail {
template <class O> consteval O reduction(const Dims& axes, bool keep_dims) {
    O o;
    o.axes = axes;
    o.keep_dims = keep_dims;
    return o;
}
template <class O, int rank> inline constexpr O reduction_constant = reduction<O>(all_axes(rank), false);
template <class O, bool keep_dims, std::int64_t... axes, class X> auto reduce_call(X&& x) {
    constexpr Dims dims = shape_of<X>::dims;
    constexpr bool statement = sizeof...(axes) == 0 && !keep_dims && dims.ranked() && !std::is_lvalue_reference_v<X> && !std::is_same_v<typename pattern_of<std::remove_cvref_t<X>>::type, Leaf>;
    if constexpr (statement && (std::is_same_v<O, Sum> || std::is_same_v<O, Mean>)) {
        constexpr auto& op = reduction_constant<O, dims.rank>;
        return Node<value_type_of<X>, Shape<>>(reduce_statement<O>(std::move(x), std::shared_ptr<const void>(std::shared_ptr<void>(), &op), std::is_same_v<O, Mean>));
    } else if constexpr (sizeof...(axes) > 0 || dims.ranked()) {
        return call(Constant<reduction<O>(sizeof...(axes) ? Dims{axes...} : all_axes(dims.ranked() ? dims.rank : 0), keep_dims)>{}, std::forward<X>(x));
    } else {
        return reduce_all<O>(node(std::forward<X>(x)), keep_dims);
    }
}
}  // namespace detail

/// `sum(x)` over all axes, `sum<0, -1>(x)` over some.
template <std::int64_t... axes, Operand X> auto sum(X&& x) { return detail::reduce_call<Sum, false, axes...>(std::forward<X>(x)); }
template <std::int64_t... axes, Operand X> auto mean(X&& x) { return detail::reduce_call<Mean, false, axes...>(std::forward<X>(x)); }
template <std::int64_t... axes, Operand X> auto prod(X&& x) { return detail::reduce_call<Prod, false, axes...>(std::forward<X>(x)); }
template <std::int64_t... axes, Operand X> auto max(X&& x) { return detail::reduce_call<Max, false, axes...>(std::forward<X>(x)); }
template <std::int64_t... axes, Operand X> auto min(X&& x) { return detail::reduce_call<Min, false, axes...>(std::forward<X>(x)); }
template <std::int64_t... axes, Operand X> auto reduce_all(X&& x) { return detail::reduce_call<All, false, axes...>(std::forward<X>(x)); }
template <std::int64_t... axes, Operand X> auto reduce_any(X&& x) { return detail::reduce_call<Any, false, axes...>(std::forward<X>(x)); }
template <Operand X> auto l2_loss(X&& x) { return call(Constant<L2Loss{}>{}, std::forward<X>(x)); }

}  // namespace tenon
