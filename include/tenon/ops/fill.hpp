// Tensors that are made from a few numbers: Fill, Range, LinSpace.
#pragma once
#include "shape.hpp"

#include <cmath>

namespace tenon {

/// A tensor of one value.
///
/// Shapes    dims [r], value [] -> dims
/// Gradient  sum(g) to value
/// Cost      none where the reader is elementwise: it repeats as it reads
struct Fill {
    Dims dims;
    static constexpr const char* name = "Fill";
    static constexpr int arity = 1;
    static constexpr bool moves = true, expands = true;
    static constexpr int broadcasts = 1;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "index_type", 0}};
    template <class Self = Fill> static constexpr auto params = members(const_input("dims", &Self::dims, 0));
    constexpr Inferred infer(const Dims& value) const {
        if (value.rank != 0) return reject("[Fill] value is ", value, ", not a scalar");
        for (const auto e : dims) if (e < 0) return reject("[Fill] extent ", e, " is negative: ", dims);
        return dims;
    }
    template <class T> void compute(const Call& c) const { std::fill_n(c.output<T>(0).data, c.output<T>(0).size(), c.input<T>(1)[0]); }
    static auto gradient(auto, auto g, auto, auto) { return std::tuple(sum(g)); }
};

/// The numbers of a half-open range.
///
/// Shapes    start [], limit [], delta [] -> [ceil((limit - start) / delta)]
/// Gradient  sum(g) to start, sum of g times the number of steps to delta, none to limit: it only says how many there are
/// Errors    "[Range] delta is 0", "[Range] 3 to 0 in steps of 1 goes the wrong way"
struct Range {
    static constexpr const char* name = "Range";
    static constexpr int arity = 3;
    static constexpr bool needs(std::size_t, std::size_t) { return true; }
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "Tidx"}};
    template <class = void> static Inferred count(std::int64_t start, std::int64_t limit, std::int64_t delta) {
        if (delta == 0) return reject("[Range] delta is 0");
        if (delta > 0 ? start > limit : start < limit) return reject("[Range] ", start, " to ", limit, " in steps of ", delta, " goes the wrong way");
        const auto bits = [](std::int64_t x) { return static_cast<std::uint64_t>(x); };
        const std::uint64_t way = delta > 0 ? bits(limit) - bits(start) : bits(start) - bits(limit), step = delta > 0 ? bits(delta) : 0 - bits(delta);
        const std::uint64_t n = way / step + (way % step != 0);
        if (n > static_cast<std::uint64_t>(most_elements)) return reject("[Range] ", start, " to ", limit, " has too many elements");
        return Dims{static_cast<std::int64_t>(n)};
    }
    /// `rounded`: to the element type, as its own arithmetic would.
    template <class Rounded> static Inferred count(double start, double limit, double delta, Rounded rounded) {
        if (delta == 0) return reject("[Range] delta is 0");
        if (delta > 0 ? start > limit : start < limit) return reject("[Range] goes the wrong way");
        const double n = std::ceil(std::abs(rounded(rounded(limit - start) / delta)));
        if (!(n < double(most_elements))) return reject("[Range] has no end");
        return Dims{static_cast<std::int64_t>(n)};
    }
    template <class = void> Inferred infer_refs(std::span<const Ref> in) const {
        for (const Ref& r : in)
            if (r.dims.ranked() && r.dims.size() != 1) return reject("[Range] bounds are scalars: ", r.dims);
        for (const Ref& r : in) if (!r.data) return Dims{dyn};
        const DType t = in[0].dtype;
        if (!is_floating(t)) return count(index_at(in[0], 0), index_at(in[1], 0), index_at(in[2], 0));
        const auto value = [&](std::size_t i) -> double {
            const void* x = in[i].data;
            switch (t) {
                case DType::float64: return *static_cast<const double*>(x);
                case DType::half: return float(*static_cast<const half*>(x));
                case DType::bfloat16: return float(*static_cast<const bfloat16*>(x));
                default: return *static_cast<const float*>(x);
            }
        };
        return count(value(0), value(1), value(2), [t](double v) -> double {
            switch (t) {
                case DType::float64: return v;
                case DType::half: return float(half(static_cast<float>(v)));
                case DType::bfloat16: return float(bfloat16(static_cast<float>(v)));
                default: return static_cast<float>(v);
            }
        });
    }
    template <class T> void compute(const Call& c) const {
        const auto y = c.output<T>(0);
        T at = c.input<T>(0)[0];
        for (std::int64_t i = 0; i < y.size(); ++i) {
            if (i) at = static_cast<T>(at + c.input<T>(2)[0]);
            y[i] = at;
        }
    }
    template <class T> static auto gradient(const RunTime<Range>&, const Node<T>& g, const Node<T>& y, const Node<T>& start, const Node<T>&, const Node<T>& delta) {
        return std::tuple(Node<T>(sum(g)), no_gradient{}, Node<T>(sum(Node<T>(g * ((y - start) / delta)))));
    }
};

/// num numbers from start to stop, both included.
///
/// Shapes    start [], stop [], num [] -> [num]
struct LinSpace {
    std::int64_t num = 1;
    static constexpr const char* name = "LinSpace";
    static constexpr int arity = 2;
    static constexpr bool differentiable = false;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tidx", 2}};
    template <class Self = LinSpace> static constexpr auto params = members(const_input("num", &Self::num, 2));
    constexpr Inferred infer(const Dims& start, const Dims& stop) const {
        if (start.rank != 0 || stop.rank != 0) return reject("[LinSpace] bounds are scalars: ", start, " and ", stop);
        if (num < 1) return reject("[LinSpace] ", num, " numbers");
        return Dims{num};
    }
    template <class T> void compute(const Call& c) const {
        const T start = c.input<T>(0)[0], stop = c.input<T>(1)[0];
        T* y = c.output<T>(0).data;
        y[0] = start;
        if (num == 1) return;
        const T step = (stop - start) / static_cast<T>(num - 1);
        for (std::int64_t i = 0; i < num - 1; ++i) y[i] = start + step * static_cast<T>(i);
        y[num - 1] = stop;
    }
};

/// `fill<2, 3>(x)`: a tensor whose every element is the scalar x.
template <std::int64_t... N, GraphOperand X> auto fill(const X& value) { return call(Constant<Fill{Dims{N...}}>{}, value); }
/// The numbers from start up to limit, limit excluded; scalars of the graph.
template <class T, class S, class U, class V> Node<T> range(const Node<T, S>& start, const Node<T, U>& limit, const Node<T, V>& delta) { return make<T>(Range{}, {start, limit, delta}); }
/// Zeros of x's shape, which is all of x that they depend on.
template <class T> Node<T> zeros_of_shape(const Node<T>& x, std::string_view name = {}) {
    return with_extents(make<T>(Fill{}, {shape_tensor(x), scalar_like<T>(x, 0)}, name), x.dims());
}

}  // namespace tenon
