// Where along an axis the largest or smallest element is.
#pragma once
#include "../expr/node.hpp"

#include <limits>

namespace tenon {

/// Shapes    x [.., n, ..], dimension [] -> [.., ..], int64 or int32
/// Values    the first of equal ones; a NaN is passed over, and 0 where there is nothing else
/// Gradient  none
/// Errors    "[ArgMax] axis 1 of [2,0] is empty"
template <class O> struct ArgExtreme {
    std::int64_t dimension = 0;
    DType index = DType::int64;
    static constexpr int arity = 1;
    static constexpr bool differentiable = false;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tidx", 1}};
    template <class T> using result = std::int64_t;
    DType output_type(int) const { return index; }
    constexpr Inferred infer(const Dims& x) const {
        if (dimension >= x.rank || dimension < -x.rank) return reject("[", O::name, "] axis ", dimension, " is outside ", x);
        const int at = static_cast<int>(dimension < 0 ? dimension + x.rank : dimension);
        if (x[at] == 0) return reject("[", O::name, "] axis ", dimension, " of ", x, " is empty");
        Dims y;
        for (int i = 0; i < x.rank; ++i) if (i != at) y.push(x[i]);
        return y;
    }
    template <class T> void compute(const Call& c) const {
        const auto x = c.input<T>(0);
        const int at = static_cast<int>(dimension < 0 ? dimension + x.dims.rank : dimension);
        std::int64_t inner = 1;
        for (int i = at + 1; i < x.dims.rank; ++i) inner *= x.dims[i];
        const auto n = x.dims[at];
        for (std::int64_t k = 0; k < c.out[0]->dims.size(); ++k) {
            const T* from = x.data + k / inner * n * inner + k % inner;
            T best = O::template start<T>;
            std::int64_t found = 0;
            for (std::int64_t i = 0; i < n; ++i)
                if (O::better(from[i * inner], best)) best = from[i * inner], found = i;
            if (index == DType::int64) c.output<std::int64_t>(0)[k] = found;
            else c.output<std::int32_t>(0)[k] = static_cast<std::int32_t>(found);
        }
    }
};
struct ArgMax : ArgExtreme<ArgMax> {
    static constexpr const char* name = "ArgMax";
    template <class Self = ArgMax> static constexpr auto params = members(const_input("dimension", &Self::dimension, 1), attr("output_type", &Self::index));
    template <class T> static constexpr T start = std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
    static bool better(auto v, auto best) { return v > best; }
};
struct ArgMin : ArgExtreme<ArgMin> {
    static constexpr const char* name = "ArgMin";
    template <class Self = ArgMin> static constexpr auto params = members(const_input("dimension", &Self::dimension, 1), attr("output_type", &Self::index));
    template <class T> static constexpr T start = std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
    static bool better(auto v, auto best) { return v < best; }
};

namespace detail {
template <class O> constexpr O arg_extreme(std::int64_t axis) {
    O o;
    o.dimension = axis;
    return o;
}
}  // namespace detail
template <std::int64_t axis, Operand X> auto argmax(X&& x) { return call(Constant<detail::arg_extreme<ArgMax>(axis)>{}, std::forward<X>(x)); }
template <std::int64_t axis, Operand X> auto argmin(X&& x) { return call(Constant<detail::arg_extreme<ArgMin>(axis)>{}, std::forward<X>(x)); }

}  // namespace tenon
