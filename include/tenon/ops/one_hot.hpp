// Numbers as positions, and positions as numbers: OneHot and Where.
#pragma once
#include "../tensor/strided.hpp"
#include "shape.hpp"

namespace tenon {

/// A new axis of `depth`, with on_value at the place that an index says and off_value elsewhere.
///
/// Shapes    indices [..], depth [], on_value [], off_value [] -> [.., depth, ..]; the new axis is `axis` of the result
/// Values    an index outside [0, depth) gives off_value everywhere
/// Gradient  to on_value what arrives at its places, to off_value the rest; none to the indices
struct OneHot {
    std::int64_t depth = 0, axis = -1;
    static constexpr const char* name = "OneHot";
    static constexpr int arity = 3, type_input = 1;
    static constexpr bool moves = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "TI", 0}};
    template <class Self = OneHot> static constexpr auto params = members(const_input("depth", &Self::depth, 1), attr("axis", &Self::axis));
    static constexpr DType input_type(std::size_t i, DType self) { return i ? self : index_dtype; }
    constexpr int place(int rank) const { return axis == -1 ? rank : static_cast<int>(axis); }
    constexpr Inferred result(const Dims& x, std::int64_t extent) const {
        if (axis < -1 || axis > x.rank) return reject("[OneHot] axis ", axis, " is outside the result of ", x);
        Dims y;
        for (int i = 0; i <= x.rank; ++i) {
            if (i == place(x.rank)) y.push(extent);
            if (i < x.rank) y.push(x[i]);
        }
        return y;
    }
    constexpr Inferred infer(const Dims& x, const Dims& on, const Dims& off) const {
        if (on.rank != 0 || off.rank != 0) return reject("[OneHot] values are scalars: ", on, " and ", off);
        if (depth < 0) return reject("[OneHot] depth ", depth, " is negative");
        return result(x, depth);
    }
    template <class = void> Inferred infer_open(std::span<const Dims> in) const { return result(in[0], dyn); }
    template <class T> void compute(const Call& c) const {
        const auto y = c.output<T>(0);
        const Dims& x = c.in[0]->dims;
        const auto inner = product(x, place(x.rank), x.rank);
        std::fill_n(y.data, y.size(), c.input<T>(3)[0]);
        for (std::int64_t i = 0, n = x.size(); i < n; ++i)
            if (const auto at = index_at(*c.in[0], i); at >= 0 && at < depth) y[(i / inner * depth + at) * inner + i % inner] = c.input<T>(2)[0];
    }
    template <class T> static auto gradient(const RunTime<OneHot>& self, const Node<T>& g, const Node<T>&, const auto& indices, const Node<T>&, const Node<T>&) {
        const Node<T> hot = make<T>(OneHot{0, self.op.axis}, {indices, self.at->inputs[1], scalar_like<T>(g, 1), scalar_like<T>(g, 0)});
        const Node<T> on(sum(Node<T>(g * hot)));
        return std::tuple(no_gradient{}, on, Node<T>(Node<T>(sum(g)) - on));
    }
};

/// Where x is not zero, one row of axes per element, in C order.
///
/// Shapes    x [..] -> [n, rank] int64; n depends on the elements
/// Gradient  none
struct Where {
    static constexpr const char* name = "Where";
    static constexpr int arity = 1;
    static constexpr bool differentiable = false;
    template <class T> using result = std::int64_t;
    static constexpr bool needs(std::size_t, std::size_t) { return true; }
    template <class T> static std::int64_t count(const Ref& x) {
        const T* v = static_cast<const T*>(x.data);
        return std::count_if(v, v + x.dims.size(), [](const T& e) { return e != T(0); });
    }
    template <class = void> Inferred infer_refs(std::span<const Ref> in) const {
        const Ref& x = in[0];
        if (!x.data) return Dims{dyn, x.dims.ranked() ? x.dims.rank : dyn};
        const auto n = [&] {
            switch (x.dtype) {
                case DType::float32: return count<float>(x);
                case DType::float64: return count<double>(x);
                case DType::int32: return count<std::int32_t>(x);
                case DType::int64: return count<std::int64_t>(x);
                case DType::half: return count<half>(x);
                case DType::bfloat16: return count<bfloat16>(x);
                default: return count<std::uint8_t>(x);
            }
        }();
        return Dims{n, x.dims.rank};
    }
    template <class T> void compute(const Call& c) const {
        const auto x = c.input<T>(0);
        const Dims strides = strides_of(x.dims);
        std::int64_t* y = c.output<std::int64_t>(0).data;
        for (std::int64_t i = 0; i < x.size(); ++i)
            if (x[i] != T(0))
                for (int a = 0; a < x.dims.rank; ++a) *y++ = i / strides[a] % x.dims[a];
    }
};

/// `one_hot<10>(labels)`: a last axis of `depth`, 1 at the label and 0 elsewhere.
template <std::int64_t depth, class T = float, GraphOperand I> auto one_hot(const I& indices, T on = T(1), T off = T(0)) {
    return call(Constant<OneHot{depth}>{}, indices, Node<T, Shape<>>(make_const<T>(Tensor::scalar(on))), Node<T, Shape<>>(make_const<T>(Tensor::scalar(off))));
}
/// Where x is not zero: [n, rank] int64.
template <GraphOperand X> Node<std::int64_t> where(const X& x) { return Node<std::int64_t>(call(Constant<Where{}>{}, x)); }

}  // namespace tenon
