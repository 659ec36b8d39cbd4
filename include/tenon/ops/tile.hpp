// Repeated and reversed tensors, and padding with the tensor's own reflection.
#pragma once
#include "broadcasting.hpp"
#include "pack.hpp"
#include "transpose.hpp"

namespace tenon {

/// x repeated along every axis.
///
/// Shapes    x [n0, ..], multiples [r] -> [n0 m0, ..]
/// Gradient  g summed over the repeats
/// Errors    "[Tile] 1 multiples for [2,2]"
struct Tile {
    Dims multiples;
    static constexpr const char* name = "Tile";
    static constexpr int arity = 1;
    static constexpr bool moves = true, expands = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tmultiples", 1}};
    template <class Self = Tile> static constexpr auto params = members(const_input("multiples", &Self::multiples, 1));
    constexpr Inferred infer(const Dims& x) const {
        if (multiples.rank != x.rank) return reject("[Tile] ", multiples.rank, " multiples for ", x);
        Dims y = x;
        for (int i = 0; i < x.rank; ++i) {
            if (multiples[i] < 0 || multiples[i] > most_elements / std::max<std::int64_t>(x[i], 1)) return reject("[Tile] multiples ", multiples, " of ", x);
            y[i] = multiples[i] == 0 ? 0 : x[i] == dyn ? dyn : x[i] * multiples[i];
        }
        return y;
    }
    template <class = void> Inferred infer_open(std::span<const Dims> x) const { return Dims::filled(x[0].rank, dyn); }
    /// From the last axis to the first: what is there once is copied behind itself.
    template <class T> void compute(const Call& c) const {
        const auto x = c.input<T>(0);
        const auto y = c.output<T>(0);
        if (y.size() > 0) along(0, x.dims, strides_of(x.dims), strides_of(y.dims), x.data, y.data);
    }
    template <class T> static std::tuple<Node<T>> gradient(const RunTime<Tile>& self, const Node<T>& g, const Node<T>&, const Node<T>& x) {
        return Node<T>(sum_of_repeats(self.complete ? &self.op.multiples : nullptr, self.at->inputs[1], g, x, table_of<Sum, T>(), table_of<Reshape, T>(), table_of<ShapeOp, T>()));
    }

private:
    template <class = void> [[gnu::noinline]] static Output sum_of_repeats(const Dims* known, const Output& multiples, const Output& g, const Output& x, const OpTable& sum, const OpTable& reshape, const OpTable& shape) {
        const Dims& d = x.dims();
        bool fixed = known && d.known();
        Dims cut;
        Sum s;
        for (int i = 0; fixed && i < d.rank; ++i) {
            const bool repeats = (*known)[i] != 1;
            fixed = cut.rank + 1 + repeats <= max_rank;
            if (fixed && repeats) s.axes.push(cut.rank), cut.push((*known)[i]);
            if (fixed) cut.push(d[i]);
        }
        if (fixed) return detail::apply(sum, detail::shared_op(s), {detail::apply(reshape, detail::shared_op(Reshape{cut}), {g})});
        return detail::with_index_type(multiples.dtype(), [&]<class I>(std::type_identity<I>) {
            const Output pairs = make<I>(Reshape{}, {make<I>(Pack{1}, {multiples, detail::applied(shape, ShapeOp{dtype_of<I>}, {x})}), detail::integers(Dims{-1})});
            const Output axes = make<std::int32_t>(Range{}, {detail::integers(0), detail::applied(table_of<Size, I>(), Size{}, {pairs}), detail::integers(2)});
            return detail::refined(detail::applied(sum, Sum{}, {detail::applied(reshape, Reshape{}, {g, pairs}), axes}), d);
        });
    }
    template <class T> void along(int axis, const Dims& x_dims, const Dims& from, const Dims& to, const T* x, T* y) const {
        if (axis == x_dims.rank) {
            *y = *x;
            return;
        }
        const auto once = x_dims[axis] * to[axis];
        if (axis == x_dims.rank - 1) std::copy_n(x, once, y);
        else for (std::int64_t i = 0; i < x_dims[axis]; ++i) along(axis + 1, x_dims, from, to, x + i * from[axis], y + i * to[axis]);
        for (std::int64_t m = 1; m < multiples[axis]; ++m) std::copy_n(y, once, y + m * once);
    }
};

/// x backwards along some axes.
///
/// Shapes    x [..], axis [k] -> [..]
/// Gradient  g backwards
/// Errors    "[ReverseV2] axis 2 is outside [2,3]", "[ReverseV2] axis 0 is listed twice"
struct ReverseV2 {
    Dims axis;
    static constexpr const char* name = "ReverseV2";
    static constexpr int arity = 1;
    static constexpr bool moves = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tidx", 1}};
    template <class Self = ReverseV2> static constexpr auto params = members(const_input("axis", &Self::axis, 1));
    constexpr Inferred infer(const Dims& x) const {
        std::array<bool, max_rank> used{};
        for (const auto a : axis) {
            if (a >= x.rank || a < -x.rank) return reject("[ReverseV2] axis ", a, " is outside ", x);
            auto& u = used[static_cast<std::size_t>(a < 0 ? a + x.rank : a)];
            if (u) return reject("[ReverseV2] axis ", a, " is listed twice");
            u = true;
        }
        return x;
    }
    Inferred infer_open(std::span<const Dims> x) const { return x[0]; }
    template <class = void> std::shared_ptr<const void> prepare(std::span<const Ref* const> in, std::span<const Ref* const>) const {
        auto copy = std::make_shared<StridedCopy>();
        const Dims& x = in[0]->dims;
        const Dims strides = strides_of(x);
        Dims step = strides;
        std::int64_t first = 0;
        for (const auto a : axis) {
            const int i = detail::from_front(a, x.rank);
            first += (x[i] - 1) * strides[i];
            step[i] = -strides[i];
        }
        for (int i = 0; i < x.rank; ++i) copy->push({x[i], step[i], strides[i]});
        copy->start(first, 0);
        return copy;
    }
    template <class T> void compute(const Call& c) const { static_cast<const StridedCopy*>(c.prepared)->run(c.input<T>(0).data, c.output<T>(0).data); }
    template <class T> static auto gradient(const RunTime<ReverseV2>& self, const Node<T>& g, const Node<T>&, const Node<T>&) {
        return std::tuple(make<T>(ReverseV2{}, {g, self.at->inputs[1]}));
    }
};

enum class MirrorMode { reflect, symmetric };
template <> struct Spelling<MirrorMode> { static constexpr std::array<std::string_view, 2> names{"REFLECT", "SYMMETRIC"}; };

namespace detail {
struct Mirroring {
    Ints paddings;
    MirrorMode mode = MirrorMode::reflect;
    static constexpr int arity = 1;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tpaddings", 1}};
    template <class = void> Inferred infer_open(std::span<const Dims> x) const { return Dims::filled(x[0].rank, dyn); }
    /// Whether `small` may have these paddings.
    constexpr bool fits(const Dims& small) const {
        if (paddings.count != 2 * small.rank || !are_widths(paddings)) return false;
        const std::int64_t edge = mode == MirrorMode::reflect;
        for (int i = 0; i < paddings.count; ++i)
            if (paddings[i] < 0 || (small[i / 2] != dyn && paddings[i] > small[i / 2] - edge)) return false;
        return true;
    }
    /// Which element along an axis of `n` lies at `i` of the padded axis.
    template <class = void> std::int64_t source(int axis, std::int64_t n, std::int64_t i) const {
        const std::int64_t at = i - paddings[2 * axis], edge = mode == MirrorMode::reflect;
        return at < 0 ? -at - (1 - edge) : at >= n ? 2 * n - 1 - edge - at : at;
    }
    /// f(offset in the padded tensor, offset in the small one) for every element of the padded one.
    template <class F> void each(int axis, const Dims& small, const Dims& padded, std::int64_t big_at, std::int64_t small_at, F&& f) const {
        if (axis == small.rank) return f(big_at, small_at);
        for (std::int64_t i = 0; i < padded[axis]; ++i) each(axis + 1, small, padded, big_at * padded[axis] + i, small_at * small[axis] + source(axis, small[axis], i), f);
    }
};
}  // namespace detail

/// x with its own reflection around it; REFLECT does not repeat the edge.
///
/// Shapes    x [n0, ..], paddings [r, 2] -> [before0 + n0 + after0, ..]
/// Gradient  MirrorPadGrad
/// Errors    "[MirrorPad] paddings are wider than [2]"
struct MirrorPad : detail::Mirroring {
    static constexpr const char* name = "MirrorPad";
    static constexpr bool moves = true;
    template <class Self = MirrorPad> static constexpr auto params = members(const_input("paddings", &Self::paddings, 1), attr("mode", &Self::mode));
    constexpr Inferred infer(const Dims& x) const {
        if (!fits(x)) return reject("[MirrorPad] paddings are wider than ", x);
        Dims y = x;
        for (int i = 0; i < x.rank; ++i) if (x[i] != dyn) y[i] += paddings[2 * i] + paddings[2 * i + 1];
        return y;
    }
    template <class T> void compute(const Call& c) const {
        each(0, c.in[0]->dims, c.out[0]->dims, 0, 0, [x = c.input<T>(0).data, y = c.output<T>(0).data](std::int64_t to, std::int64_t from) { y[to] = x[from]; });
    }
    template <class T> static std::tuple<Node<T>> gradient(const RunTime<MirrorPad>& self, const Node<T>& g, const Node<T>&, const Node<T>&);
};
/// What arrives at each element, its reflections included.
///
/// Shapes    g [before0 + n0 + after0, ..], paddings [r, 2] -> [n0, ..]
/// Gradient  MirrorPad
struct MirrorPadGrad : detail::Mirroring {
    static constexpr const char* name = "MirrorPadGrad";
    template <class Self = MirrorPadGrad> static constexpr auto params = members(const_input("paddings", &Self::paddings, 1), attr("mode", &Self::mode));
    constexpr Inferred infer(const Dims& g) const {
        Dims y = g;
        if (!detail::are_widths(paddings)) return reject("[MirrorPadGrad] paddings cannot be negative");
        for (int i = 0; i < g.rank && 2 * i + 1 < paddings.count; ++i) if (g[i] != dyn) y[i] -= paddings[2 * i] + paddings[2 * i + 1];
        if (!fits(y)) return reject("[MirrorPadGrad] paddings do not fit into ", g);
        return y;
    }
    template <class T> void compute(const Call& c) const {
        const auto y = c.output<T>(0);
        std::fill_n(y.data, y.size(), T(0));
        each(0, y.dims, c.in[0]->dims, 0, 0, [g = c.input<T>(0).data, &y](std::int64_t from, std::int64_t to) { y.data[to] = static_cast<T>(y.data[to] + g[from]); });
    }
    template <class T> static auto gradient(const RunTime<MirrorPadGrad>& self, const Node<T>& g, const Node<T>&, const Node<T>&) {
        return std::tuple(make<T>(MirrorPad{{{}, self.op.mode}}, {g, self.at->inputs[1]}));
    }
};
template <class T> std::tuple<Node<T>> MirrorPad::gradient(const RunTime<MirrorPad>& self, const Node<T>& g, const Node<T>&, const Node<T>&) {
    return make<T>(MirrorPadGrad{{{}, self.op.mode}}, {g, self.at->inputs[1]});
}

/// `tile<2, 1>(x)`: x repeated along every axis.
template <std::int64_t... multiples, GraphOperand X> auto tile(const X& x) { return call(Constant<Tile{Dims{multiples...}}>{}, x); }
/// `reverse<0>(x)`: x backwards along the axes listed.
template <std::int64_t... axes, GraphOperand X> auto reverse(const X& x) { return call(Constant<ReverseV2{Dims{axes...}}>{}, x); }

}  // namespace tenon
