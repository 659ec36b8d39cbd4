// Running sums and products along one axis.
#pragma once
#include "../tensor/reduce.hpp"
#include "arithmetic.hpp"

namespace tenon {

/// Shapes    x [..], axis [] -> [..]
/// Values    element i is the sum (product) of elements 0 to i, without i if exclusive, from the end if reverse
template <class O> struct Scan {
    std::int64_t axis = 0;
    bool exclusive = false, reverse = false;
    static constexpr int arity = 1;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tidx", 1}};
    constexpr Inferred infer(const Dims& x) const {
        if (axis >= x.rank || axis < -x.rank) return reject("[", O::name, "] axis ", axis, " is outside ", x);
        return x;
    }
    Inferred infer_open(std::span<const Dims> x) const { return x[0]; }
    template <class T> void compute(const Call& c) const {
        using Fold = typename O::template Fold<T>;
        const auto x = c.input<T>(0);
        const auto y = c.output<T>(0);
        const int at = static_cast<int>(axis < 0 ? axis + x.dims.rank : axis);
        std::int64_t outer = 1, inner = 1;
        for (int i = 0; i < x.dims.rank; ++i) (i < at ? outer : inner) *= i == at ? 1 : x.dims[i];
        const auto n = x.dims[at];
        for (std::int64_t o = 0; o < outer; ++o)
            for (std::int64_t k = 0; k < n; ++k) {
                const auto row = (o * n + (reverse ? n - 1 - k : k)) * inner, before = row + (reverse ? inner : -inner);
                for (std::int64_t i = 0; i < inner; ++i) {
                    if (exclusive) y[row + i] = k ? Fold::apply(y[before + i], x[before + i]) : Fold::start;
                    else y[row + i] = k ? Fold::apply(y[before + i], x[row + i]) : x[row + i];
                }
            }
    }
};
namespace detail {
template <class O> constexpr O scan(std::int64_t axis, bool exclusive, bool reverse) {
    O o;
    o.axis = axis, o.exclusive = exclusive, o.reverse = reverse;
    return o;
}
}  // namespace detail

/// Gradient  the running sum of g the other way round
struct Cumsum : Scan<Cumsum> {
    static constexpr const char* name = "Cumsum";
    template <class Self = Cumsum> static constexpr auto params = members(const_input("axis", &Self::axis, 1), attr("exclusive", &Self::exclusive), attr("reverse", &Self::reverse));
    template <class T> using Fold = Plus<T>;
    template <class T> static auto gradient(const RunTime<Cumsum>& self, const Node<T>& g, const Node<T>&, const Node<T>&) {
        return std::tuple(make<T>(detail::scan<Cumsum>(0, self.op.exclusive, !self.op.reverse), {g, self.at->inputs[1]}));
    }
};
/// Gradient  the running sum of g y the other way round, over x; 0 where x is 0, as in TensorFlow
struct Cumprod : Scan<Cumprod> {
    static constexpr const char* name = "Cumprod";
    template <class Self = Cumprod> static constexpr auto params = members(const_input("axis", &Self::axis, 1), attr("exclusive", &Self::exclusive), attr("reverse", &Self::reverse));
    template <class T> using Fold = Times<T>;
    template <class T> static auto gradient(const RunTime<Cumprod>& self, const Node<T>& g, const Node<T>& y, const Node<T>& x) {
        return std::tuple(divide_no_nan(make<T>(detail::scan<Cumsum>(0, self.op.exclusive, !self.op.reverse), {g * y, self.at->inputs[1]}), x));
    }
};

template <std::int64_t axis, Operand X> auto cumsum(X&& x) { return call(Constant<detail::scan<Cumsum>(axis, false, false)>{}, std::forward<X>(x)); }
template <std::int64_t axis, Operand X> auto cumprod(X&& x) { return call(Constant<detail::scan<Cumprod>(axis, false, false)>{}, std::forward<X>(x)); }

}  // namespace tenon
