// NumPy's slicing: x[begin:end:step, ..., newaxis, i].
#pragma once
#include "../tensor/strided.hpp"
#include "shape.hpp"

namespace tenon {

namespace detail {
/// Begin, end and step of every position of the brackets, and bits that say what the numbers do not. Bit i of a mask is about
/// position i: begin or end left out, "..." (at most one), a new axis, an index that drops its axis. Among these, "..." counts
/// before a new axis, and that before a dropped axis.
struct SliceSpec {
    Dims begin, end, strides;
    std::int64_t begin_mask = 0, end_mask = 0, ellipsis_mask = 0, new_axis_mask = 0, shrink_axis_mask = 0;
    template <class Self = SliceSpec> static constexpr auto params = members(const_input("begin", &Self::begin, 1), const_input("end", &Self::end, 2), const_input("strides", &Self::strides, 3),
                                           attr("begin_mask", &Self::begin_mask), attr("end_mask", &Self::end_mask), attr("ellipsis_mask", &Self::ellipsis_mask),
                                           attr("new_axis_mask", &Self::new_axis_mask), attr("shrink_axis_mask", &Self::shrink_axis_mask));

    /// Where along each of x's axes elements are taken, and the result's extents.
    struct Boxes {
        Dims first, step, count;   // per axis of x
        Dims result;
        Reason why{};
    };
    static constexpr bool bit(std::int64_t mask, int i) { return mask >> i & 1; }

    constexpr Boxes resolve(std::string_view op, const Dims& x) const {
        Boxes b;
        const int n = begin.rank;
        if (end.rank != n || strides.rank != n) return b.why << "[" << op << "] begin " << begin << ", end " << end << " and strides " << strides << " differ in length", b;
        int used = 0, ellipses = 0;
        for (int i = 0; i < n; ++i) {
            const bool dots = bit(ellipsis_mask, i);
            ellipses += dots;
            used += !dots && !bit(new_axis_mask, i);
        }
        if (ellipses > 1) return b.why << "[" << op << "] more than one ellipsis", b;
        if (used > x.rank) return b.why << "[" << op << "] " << used << " axes are indexed, but there are only " << x.rank << " in " << x, b;
        const auto whole = [&](int count) {
            for (; count > 0; --count) {
                const auto e = x[b.first.rank];
                b.first.push(0), b.step.push(1), b.count.push(e), b.result.push(e);
            }
        };
        for (int i = 0; i < n; ++i) {
            if (bit(ellipsis_mask, i)) whole(x.rank - used);
            else if (bit(new_axis_mask, i)) {
                if (b.result.rank == max_rank) return b.why << "[" << op << "] more than 8 axes", b;
                b.result.push(1);
            } else if (!position(op, x, i, b)) return b;
        }
        if (!ellipses) whole(x.rank - used);
        return b;
    }

private:
    constexpr bool position(std::string_view op, const Dims& x, int i, Boxes& b) const {
        const int axis = b.first.rank;
        const auto e = x[axis], s = strides[i];
        const bool shrinks = bit(shrink_axis_mask, i);
        if (s == 0) return b.why << "[" << op << "] strides[" << i << "] must be non-zero", false;
        if (shrinks && s < 0) return b.why << "[" << op << "] only stride 1 allowed on non-range indexing", false;
        if (s < -most_elements || s > most_elements) return b.why << "[" << op << "] strides[" << i << "] is " << s, false;
        b.step.push(shrinks ? 1 : s);
        if (e == dyn) {
            b.first.push(dyn), b.count.push(dyn);
            if (!shrinks) b.result.push(dyn);
            return true;
        }
        if (shrinks) {
            const auto at = begin[i] < 0 ? begin[i] + e : begin[i];
            if (at < 0 || at >= e) return b.why << "[" << op << "] slice index " << begin[i] << " of dimension " << axis << " out of bounds: " << x, false;
            b.first.push(at), b.count.push(1);
            return true;
        }
        const std::int64_t low = s > 0 ? 0 : -1, high = s > 0 ? e : e - 1;
        const auto bound = [&](bool masked, std::int64_t v, std::int64_t otherwise) { return masked ? otherwise : std::clamp(v < 0 ? v + e : v, low, high); };
        const auto from = bound(bit(begin_mask, i), begin[i], s > 0 ? low : high), to = bound(bit(end_mask, i), end[i], s > 0 ? high : low);
        const auto length = to - from;
        const auto count = length == 0 || (length < 0) != (s < 0) ? 0 : (length + s + (s > 0 ? -1 : 1)) / s;
        b.first.push(count ? from : 0), b.count.push(count), b.result.push(count);
        return true;
    }
};
/// Between a tensor and the box that a slice takes out of it.
template <class = void> std::shared_ptr<const void> copy_of_slice(const SliceSpec& spec, const Dims& whole, bool into_whole) {
    auto copy = std::make_shared<StridedCopy>();
    const auto b = spec.resolve("StridedSlice", whole);
    const Dims strides = strides_of(whole), packed = strides_of(b.count);
    std::int64_t first = 0;
    for (int i = 0; i < whole.rank; ++i) {
        first += b.first[i] * strides[i];
        const auto step = b.step[i] * strides[i];
        copy->push(into_whole ? StridedCopy::Axis{b.count[i], packed[i], step} : StridedCopy::Axis{b.count[i], step, packed[i]});
    }
    if (into_whole) copy->start(0, first);
    else copy->start(first, 0);
    return copy;
}
}  // namespace detail

/// x[begin:end:strides] of NumPy, with masks for what is left out.
///
/// Shapes    x [..], begin [m], end [m], strides [m] -> [..]
/// Gradient  StridedSliceGrad
/// Errors    "[StridedSlice] slice index 5 of dimension 0 out of bounds: [2,3]"
struct StridedSlice : detail::SliceSpec {
    static constexpr const char* name = "StridedSlice";
    static constexpr int arity = 1;
    static constexpr bool moves = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Index", 1}};
    constexpr Inferred infer(const Dims& x) const {
        const auto b = resolve(name, x);
        if (b.why.length) return b.why;
        return b.result;
    }
    template <class = void> std::shared_ptr<const void> prepare(std::span<const Ref* const> in, std::span<const Ref* const>) const { return detail::copy_of_slice(*this, in[0]->dims, false); }
    template <class T> void compute(const Call& c) const { static_cast<const StridedCopy*>(c.prepared)->run(c.input<T>(0).data, c.output<T>(0).data); }
    template <class T> static std::tuple<Node<T>> gradient(const RunTime<StridedSlice>& self, const Node<T>& g, const Node<T>&, const Node<T>& x);
};

/// Zeros of x's shape, with g where the slice was taken.
///
/// Shapes    shape [r], begin [m], end [m], strides [m], g [..] -> shape
/// Gradient  the slice
struct StridedSliceGrad : detail::SliceSpec {
    Dims shape;
    static constexpr const char* name = "StridedSliceGrad";
    static constexpr int arity = 1;
    static constexpr bool moves = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Index", 1}};
    template <class Self = StridedSliceGrad> static constexpr auto params = members(const_input("shape", &Self::shape, 0), SliceSpec::params<>);
    constexpr Inferred infer(const Dims& g) const {
        const auto b = resolve(name, shape);
        if (b.why.length) return b.why;
        for (const auto e : shape) if (e < 0) return reject("[StridedSliceGrad] extent ", e, " is negative: ", shape);
        if (!compatible(b.result, g)) return reject("[StridedSliceGrad] g is ", g, " for a slice ", b.result);
        return shape;
    }
    template <class = void> std::shared_ptr<const void> prepare(std::span<const Ref* const>, std::span<const Ref* const> out) const { return detail::copy_of_slice(*this, out[0]->dims, true); }
    template <class T> void compute(const Call& c) const {
        const auto y = c.output<T>(0);
        std::fill_n(y.data, y.size(), T());
        static_cast<const StridedCopy*>(c.prepared)->run(c.input<T>(4).data, y.data);
    }
    template <class T> static auto gradient(const RunTime<StridedSliceGrad>& self, const Node<T>& g, const Node<T>&, const Node<T>&) {
        const auto& in = self.at->inputs;
        return std::tuple(make<T>(StridedSlice{{static_cast<const detail::SliceSpec&>(self.op)}}, {g, in[1], in[2], in[3]}));
    }
};

template <class T> std::tuple<Node<T>> StridedSlice::gradient(const RunTime<StridedSlice>& self, const Node<T>& g, const Node<T>&, const Node<T>& x) {
    const auto& in = self.at->inputs;
    return with_extents(make<T>(StridedSliceGrad{{static_cast<const detail::SliceSpec&>(self.op)}, {}}, {shape_tensor(x, in[1].dtype()), in[1], in[2], in[3], g}), x.dims());
}

/// `strided_slice<Dims{0, 1}, Dims{2, 9}, Dims{1, 3}>(x)`: x[0:2, 1:9:3].
template <Dims begin, Dims end, Dims strides = Dims::filled(begin.rank, 1), GraphOperand X> auto strided_slice(const X& x) {
    return call(Constant<StridedSlice{{begin, end, strides}}>{}, x);
}

}  // namespace tenon
