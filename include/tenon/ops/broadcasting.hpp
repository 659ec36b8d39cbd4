// The way of gradients through broadcasting and reductions, in TensorFlow's own ops: what extents decide is computed by
// Shape, BroadcastGradientArgs and integer arithmetic, and a plan knows all of it before it runs.
#pragma once
#include "arithmetic.hpp"
#include "cast.hpp"
#include "fill.hpp"
#include "reduce.hpp"
#include "select.hpp"
#include "shape.hpp"
#include "source.hpp"
#include "stitch.hpp"

namespace tenon {

/// Gives x the extents that a vector says.
///
/// Shapes    x [..], shape [r] -> shape
/// Gradient  g summed over the axes that were repeated
/// Cost      none where the reader is elementwise: it broadcasts as it reads
struct BroadcastTo {
    Dims shape;
    static constexpr const char* name = "BroadcastTo";
    static constexpr bool expands = true;
    static constexpr int arity = 1, view = 0;
    static constexpr int broadcasts = 0;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tidx", 1}};
    template <class Self = BroadcastTo> static constexpr auto params = members(const_input("shape", &Self::shape, 1));
    constexpr Inferred infer(const Dims& x) const {
        bool fit = x.rank <= shape.rank;
        for (int i = 1; fit && i <= x.rank; ++i) fit = x[-i] == shape[-i] || x[-i] == 1 || x[-i] == dyn;
        if (!fit) return reject("[BroadcastTo] ", x, " does not broadcast to ", shape);
        return shape;
    }
    template <class = void> std::shared_ptr<const void> prepare(std::span<const Ref* const> in, std::span<const Ref* const> out) const { return detail::prepare_elementwise(nullptr, in.first(1), out); }
    static constexpr bool moves = true;
    template <class T> void compute(const Call& c) const {
        detail::each_block<T, T, 1>(c, [&](auto y, auto& x, auto i, auto n) { std::copy_n(x[0].at(i, n), n, y); });
    }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(sum_to(g, x)); }
};

/// Over which axes the gradients of a broadcasting op are summed, one list per operand.
///
/// Shapes    s0 [r0], s1 [r1] (extents) -> r0 [..], r1 [..] (axes of the result, ascending)
struct BroadcastGradientArgs {
    static constexpr const char* name = "BroadcastGradientArgs";
    static constexpr int arity = 2, outputs = 2;
    static constexpr bool needs(std::size_t, std::size_t) { return true; }
    static constexpr bool differentiable = false;
    struct Axes { std::array<Dims, 2> reduce; };
    /// TensorFlow lists an axis for both operands where both have 1.
    static constexpr Axes axes(const Dims& a, const Dims& b) {
        Axes r;
        const int rank = std::max(a.rank, b.rank);
        const auto at = [&](const Dims& d, int i) { return i < rank - d.rank ? std::int64_t{1} : d[i - (rank - d.rank)]; };
        for (int i = 0; i < rank; ++i) {
            const auto x = at(a, i), y = at(b, i);
            if (x == y && x != 1) continue;
            if (x == 1) r.reduce[0].push(i);
            if (y == 1) r.reduce[1].push(i);
        }
        return r;
    }
    template <class = void> Inferred infer_refs(std::span<const Ref> in) const {
        if (!in[0].data || !in[1].data) return Inferred{Dims{dyn}, Dims{dyn}};
        Dims a, b;
        detail::fill(a, in[0]), detail::fill(b, in[1]);
        if (const auto fit = broadcast(name, a, b); !fit.ok()) return fit;
        const Axes r = axes(a, b);
        return Inferred{Dims{r.reduce[0].rank}, Dims{r.reduce[1].rank}};
    }
    template <class T> void compute(const Call& c) const {
        Dims a, b;
        detail::fill(a, *c.in[0]), detail::fill(b, *c.in[1]);
        const Axes r = axes(a, b);
        for (std::size_t o = 0; o < 2; ++o) std::transform(r.reduce[o].begin(), r.reduce[o].end(), c.output<T>(o).data, [](std::int64_t v) { return static_cast<T>(v); });
    }
};

/// The extents of two tensors after broadcasting.
///
/// Shapes    s0 [r0], s1 [r1] (extents) -> [max(r0, r1)]
struct BroadcastArgs {
    static constexpr const char* name = "BroadcastArgs";
    static constexpr int arity = 2;
    static constexpr bool needs(std::size_t, std::size_t) { return true; }
    static constexpr bool differentiable = false;
    template <class = void> Inferred infer_refs(std::span<const Ref> in) const {
        if (!in[0].data || !in[1].data) return Dims{dyn};
        Dims a, b;
        detail::fill(a, in[0]), detail::fill(b, in[1]);
        if (const auto fit = broadcast(name, a, b); !fit.ok()) return fit;
        return Dims{std::max(a.rank, b.rank)};
    }
    template <class T> void compute(const Call& c) const {
        Dims a, b;
        detail::fill(a, *c.in[0]), detail::fill(b, *c.in[1]);
        const Dims y = broadcast(name, a, b).dims[0];
        std::transform(y.begin(), y.end(), c.output<T>(0).data, [](std::int64_t v) { return static_cast<T>(v); });
    }
};

/// The sum of tensors of one shape: how contributions to a gradient meet.
///
/// Shapes    x [..] each -> [..]
/// Gradient  g to each
struct AddN {
    static constexpr const char* name = "AddN";
    static constexpr bool variadic = true, sums = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::count, "N"}};
    static constexpr Inferred infer(std::span<const Dims> x) {
        if (x.empty()) return reject("[AddN] has nothing to add");
        Dims y = x[0];
        for (const Dims& d : x) {
            bool fit = true;
            const Dims both = merge(y, d, fit);
            if (!fit) return reject("[AddN] shapes differ: ", y, " and ", d);
            y = both;
        }
        return y;
    }
    template <class T> void compute(const Call& c) const {
        const auto y = c.output<T>(0);
        const auto n = y.size();
        std::copy_n(c.input<T>(0).data, n, y.data);
        for (std::size_t i = 1; i < c.in.size(); ++i) {
            const T* x = c.input<T>(i).data;
            for (std::int64_t k = 0; k < n; ++k) y.data[k] = static_cast<T>(y.data[k] + x[k]);
        }
    }
    static std::vector<Output> gradient(auto, auto g, auto, const auto& x) { return std::vector<Output>(x.size(), g); }
};
/// The sum of tensors of one shape: `add_n(a, b, c)`.
template <GraphOperand A, GraphOperand... X> auto add_n(const A& a, const X&... x) {
    return Node<value_type_of<A>, shape_of<A>>(make<value_type_of<A>>(AddN{}, {node(a), node(x)...}));
}

template <class T> Node<T> broadcast_like(const Node<T>& x, const Node<T>& like) {
    if (like.dims().known() && x.dims() == like.dims()) return x;
    return with_extents(make<T>(BroadcastTo{}, {x, shape_tensor(like)}), like.dims());
}
/// What arrives at an operand that was broadcast, summed over the repeats.
template <class T> Node<T> sum_to(const Node<T>& g, const Node<T>& a) {
    const Dims &from = g.dims(), &to = a.dims();
    if (to.known() && from.known()) {
        if (from == to) return g;
        const auto axes = BroadcastGradientArgs::axes(to, from).reduce[0];
        Sum s;
        s.axes = axes;
        return reshape_like(call(RunTime<Sum>{s}, g), a);
    }
    bool leading_only = to.ranked() && from.ranked();
    for (int i = 1; leading_only && i <= to.rank; ++i) leading_only = to[-i] == from[-i] && to[-i] != dyn;
    if (leading_only) {
        Sum s;
        s.axes = all_axes(from.rank - to.rank);
        return call(RunTime<Sum>{s}, g);
    }
    const Output extents = shape_tensor(a);
    const Output axes = make<std::int32_t>(BroadcastGradientArgs{}, {extents, shape_tensor(g)});
    return with_extents(make<T>(Reshape{}, {make<T>(Sum{}, {g, axes}), extents}), to);
}
template <class V, class A> Held<V> sum_to(const Held<V>& g, const A&) { return g; }  // kernels sum as they write
template <class A> Reads sum_to(const Reads& g, const A&) { return g; }

template <class T> Output range_of_rank(const Node<T>& x) {
    if (x.dims().ranked()) return detail::integers(all_axes(x.dims().rank));
    const Output rank = make_operation(table_of<Rank, T>(), std::make_shared<Rank>(), {x});
    return make<std::int32_t>(Range{}, {detail::integers(0), rank, detail::integers(1)});
}
/// g with x's extents, ones where `axes` reduced it: for axes that only a plan knows.
template <class T> Node<T> reshape_to_kept(const Node<T>& g, const Node<T>& x, const Output& axes) {
    const Output rank = make_operation(table_of<Rank, T>(), std::make_shared<Rank>(), {x});
    const Output all = range_of_rank(x);
    const Output positive = make<std::int32_t>(FloorMod{}, {make<std::int32_t>(Add{}, {axes, rank}), rank});
    const Output ones = make<std::int32_t>(Fill{}, {make_operation(table_of<ShapeOp, std::int32_t>(), std::make_shared<ShapeOp>(), {axes}), detail::integers(1)});
    return make<T>(Reshape{}, {g, make<std::int32_t>(DynamicStitch{}, {all, positive, shape_tensor(x), ones})});
}
/// g divided by how many elements of x each element of y stands for.
template <class T> Node<T> divide_by_ratio(const Node<T>& g, const Node<T>& x, const Node<T>& y) {
    if (x.dims().known() && y.dims().known()) {
        const auto ratio = x.dims().size() / std::max<std::int64_t>(y.dims().size(), 1);
        return make<T>(RealDiv{}, {g, scalar_like<T>(g, static_cast<double>(ratio))});
    }
    const auto size = [](const Node<T>& of) { return detail::folded(make_operation(table_of<Size, T>(), std::make_shared<Size>(), {of})); };
    const Output ratio = make<std::int32_t>(FloorDiv{}, {size(x), make<std::int32_t>(Maximum{}, {size(y), detail::integers(1)})});
    return make<T>(RealDiv{}, {g, cast_like(ratio, g)});
}

/// Ones of x's shape: where going backward starts.
template <class T> Node<T> ones_like_shape(const Node<T>& x) {
    if (x.dims().known() && x.dims().rank == 0) return Node<T>(scalar_like<T>(x, 1));
    return make<T>(Fill{}, {shape_tensor(x), scalar_like<T>(x, 1)});
}

}  // namespace tenon
