// A box cut out of a tensor, and a tensor set into a larger one: each is the other's gradient.
#pragma once
#include "arithmetic.hpp"
#include "pack.hpp"

namespace tenon {

/// Elements [begin, begin + size) along every axis; a size of -1 goes to the end.
///
/// Shapes    x [..], begin [r], size [r] -> size
/// Gradient  Pad with zeros
/// Errors    "[Slice] axis 1 of [2,3]: 2 from 2 on is outside"
struct Slice {
    Dims begin, size;
    static constexpr const char* name = "Slice";
    static constexpr int arity = 1;
    static constexpr bool moves = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Index", 1}};
    template <class Self = Slice> static constexpr auto params = members(const_input("begin", &Self::begin, 1), const_input("size", &Self::size, 2));
    constexpr Inferred infer(const Dims& x) const {
        if (begin.rank != x.rank || size.rank != x.rank) return reject("[Slice] begin ", begin, " and size ", size, " for ", x);
        Dims y;
        for (int i = 0; i < x.rank; ++i) {
            const auto n = size[i] != -1 ? size[i] : x[i] == dyn ? dyn : x[i] - begin[i];
            if (begin[i] < 0 || n < -1 || (x[i] != dyn && (begin[i] > x[i] || n < 0 || n > x[i] - begin[i]))) return reject("[Slice] axis ", i, " of ", x, ": ", size[i], " from ", begin[i], " on is outside");
            y.push(n);
        }
        return y;
    }
    template <class = void> Inferred infer_open(std::span<const Dims> x) const { return Dims::filled(x[0].rank, dyn); }
    template <class = void> std::shared_ptr<const void> prepare(std::span<const Ref* const> in, std::span<const Ref* const> out) const {
        auto copy = std::make_shared<StridedCopy>();
        const Dims from = strides_of(in[0]->dims), to = strides_of(out[0]->dims);
        std::int64_t first = 0;
        for (int i = 0; i < to.rank; ++i) {
            first += begin[i] * from[i];
            copy->push({out[0]->dims[i], from[i], to[i]});
        }
        copy->start(first, 0);
        return copy;
    }
    template <class T> void compute(const Call& c) const { static_cast<const StridedCopy*>(c.prepared)->run(c.input<T>(0).data, c.output<T>(0).data); }
    constexpr std::int64_t first_column(const Dims& x, const Dims& y) const { return x.rank == 2 && y[0] == x[0] ? begin[1] : -1; }
    template <class T> static std::tuple<Node<T>> gradient(const RunTime<Slice>& self, const Node<T>& g, const Node<T>& y, const Node<T>& x);
};

namespace detail {
/// What lies inside paddings, which is also a gradient's way through them.
template <class = void> [[gnu::noinline]] Output inside_paddings(const Ints* known, const Output& paddings, const Output& g, const Output& x, const OpTable& slice, const OpTable& shape) {
    const Dims& d = x.dims();
    bool fixed = known && d.ranked();
    Slice s;
    for (int i = 0; fixed && i < d.rank; ++i) {
        const bool to_end = d[i] == dyn && (*known)[2 * i + 1] == 0;
        fixed = d[i] != dyn || to_end;
        s.begin.push((*known)[2 * i]);
        s.size.push(to_end ? -1 : d[i]);
    }
    if (fixed) return apply(slice, shared_op(s), {g});
    const Output before = with_index_type(paddings.dtype(), [&]<class I>(std::type_identity<I>) { return Output(make<I>(Unpack{2, 1}, {paddings})); });
    return refined(applied(slice, Slice{}, {g, before, applied(shape, ShapeOp{paddings.dtype()}, {x})}), d);
}
template <class T, class O> Node<T> unpadded(const RunTime<O>& self, const Node<T>& g, const Node<T>& x) {
    return Node<T>(inside_paddings(self.complete ? &self.op.paddings : nullptr, self.at->inputs[1], g, x, table_of<Slice, T>(), table_of<ShapeOp, T>()));
}
/// What Pad and PadV2 share.
template <class O> struct Padded {
    Ints paddings;
    static constexpr bool moves = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tpaddings", 1}};
    constexpr Inferred padded(const Dims& x) const {
        if (!are_widths(paddings)) return reject("[", O::name, "] paddings cannot be negative");
        if (paddings.count != 2 * x.rank) return reject("[", O::name, "] ", paddings.count / 2, " pairs of paddings for ", x);
        Dims y = x;
        for (int i = 0; i < x.rank; ++i) if (x[i] != dyn) y[i] += paddings[2 * i] + paddings[2 * i + 1];
        return y;
    }
    Inferred infer_open(std::span<const Dims> x) const { return Dims::filled(x[0].rank, dyn); }
    template <class T> void fill_around(const View<const T>& x, const View<T>& y, const T& value) const {
        if (x.dims.rank == 0) y[0] = x[0];
        else if (y.size() > 0) along(0, strides_of(x.dims), strides_of(y.dims), x, x.data, y.data, value);
    }

private:
    template <class T> void along(int axis, const Dims& from, const Dims& to, const View<const T>& whole, const T* x, T* y, const T& value) const {
        const auto before = paddings[2 * axis] * to[axis], after = paddings[2 * axis + 1] * to[axis], n = whole.dims[axis];
        y = std::fill_n(y, before, value);
        if (axis == whole.dims.rank - 1) {
            y = std::copy_n(x, n, y);
        } else {
            for (std::int64_t i = 0; i < n; ++i, x += from[axis], y += to[axis]) along(axis + 1, from, to, whole, x, y, value);
        }
        std::fill_n(y, after, value);
    }
};
}  // namespace detail

/// x with zeros around it, `before` and `after` along every axis.
///
/// Shapes    x [n0, ..], paddings [r, 2] -> [before0 + n0 + after0, ..]
/// Gradient  Slice
/// Errors    "[Pad] 2 pairs of paddings for [3]"
struct Pad : detail::Padded<Pad> {
    static constexpr const char* name = "Pad";
    static constexpr int arity = 1;
    template <class Self = Pad> static constexpr auto params = members(const_input("paddings", &Self::paddings, 1));
    constexpr Inferred infer(const Dims& x) const { return padded(x); }
    template <class T> void compute(const Call& c) const { fill_around<T>(c.input<T>(0), c.output<T>(0), T()); }
    template <class T> static auto gradient(const RunTime<Pad>& self, const Node<T>& g, const Node<T>&, const Node<T>& x) { return std::tuple(detail::unpadded(self, g, x)); }
};
/// The same with any value instead of zero.
///
/// Shapes    x [n0, ..], paddings [r, 2], value [] -> [before0 + n0 + after0, ..]
/// Gradient  Slice; to the value what arrives around it
struct PadV2 : detail::Padded<PadV2> {
    static constexpr const char* name = "PadV2";
    static constexpr int arity = 2;
    template <class Self = PadV2> static constexpr auto params = members(const_input("paddings", &Self::paddings, 1));
    constexpr Inferred infer(const Dims& x, const Dims& value) const {
        if (value.rank != 0) return reject("[PadV2] value is ", value, ", not a scalar");
        return padded(x);
    }
    template <class T> void compute(const Call& c) const { fill_around<T>(c.input<T>(0), c.output<T>(0), c.input<T>(2)[0]); }
    template <class T> static auto gradient(const RunTime<PadV2>& self, const Node<T>& g, const Node<T>&, const Node<T>& x, const Node<T>&) {
        const Node<T> inside = detail::unpadded(self, g, x);
        return std::tuple(inside, Node<T>(Node<T>(sum(g)) - Node<T>(sum(inside))));
    }
};

namespace detail {
/// g in zeros, where the slice y of x was.
template <class = void> [[gnu::noinline]] Output set_into_zeros(const Slice* known, const Output& begin, const Output& g, const Output& y, const Output& x, const OpTable& pad, const OpTable& shape) {
    const Dims& d = x.dims();
    bool fixed = known && d.ranked();
    Pad p;
    for (int i = 0; fixed && i < d.rank; ++i) {
        const auto at = known->begin[i], size = known->size[i];
        fixed = size == -1 || d[i] != dyn;
        p.paddings.push(at);
        p.paddings.push(size == -1 ? 0 : d[i] - at - size);
    }
    if (fixed) return apply(pad, shared_op(p), {g});
    const Output paddings = with_index_type(begin.dtype(), [&]<class I>(std::type_identity<I>) {
        const Output after_begin = make<I>(Sub{}, {applied(shape, ShapeOp{dtype_of<I>}, {x}), applied(shape, ShapeOp{dtype_of<I>}, {y})});
        return Output(make<I>(Pack{1}, {begin, make<I>(Sub{}, {after_begin, begin})}));
    });
    return refined(applied(pad, Pad{}, {g, paddings}), d);
}
}  // namespace detail
template <class T> std::tuple<Node<T>> Slice::gradient(const RunTime<Slice>& self, const Node<T>& g, const Node<T>& y, const Node<T>& x) {
    return Node<T>(detail::set_into_zeros(self.complete ? &self.op : nullptr, self.at->inputs[1], g, y, x, table_of<Pad, T>(), table_of<ShapeOp, T>()));
}

/// `slice<Dims{0, 1}, Dims{-1, 2}>(x)`: `size` elements from `begin` on along every axis; -1: to the end.
template <Dims begin, Dims size, GraphOperand X> auto slice(const X& x) { return call(Constant<Slice{begin, size}>{}, x); }
template <class T, class S> Node<T> slice(const Node<T, S>& x, const Output& begin, const Output& size) { return make<T>(Slice{}, {x, begin, size}); }
/// `pad<Ints{1, 1, 0, 2}>(x)`: zeros before and after, a pair for every axis.
template <Ints paddings, GraphOperand X> auto pad(const X& x) { return call(Constant<Pad{{paddings}}>{}, x); }

}  // namespace tenon
