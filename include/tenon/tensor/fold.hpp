// Many elements become fewer: what reductions and the adjoints of broadcasting are made of.
//
// Plain loops over eight lanes: the compiler makes vectors of them, and they cost little to compile.
#pragma once
#include "view.hpp"

#include <array>
#include <cstdint>
#include <type_traits>

namespace tenon {

namespace detail {
/// Integers wrap; signed ones would be undefined.
template <class T> using wrapping_t = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<std::conditional_t<std::is_integral_v<T>, T, int>>, std::type_identity<T>>::type;
}
template <class T> struct Plus {
    using type = T;
    static constexpr T start = T(0);
    static T apply(T a, T b) { return static_cast<T>(static_cast<detail::wrapping_t<T>>(a) + static_cast<detail::wrapping_t<T>>(b)); }
};
namespace detail {
template <class F> typename F::type fold_run(const typename F::type* x, std::int64_t n) {
    using T = typename F::type;
    constexpr std::int64_t lanes = 8;
    std::array<T, lanes> part;
    part.fill(F::start);
    std::int64_t i = 0;
    for (; i + lanes <= n; i += lanes)
        for (std::int64_t k = 0; k < lanes; ++k) part[static_cast<std::size_t>(k)] = F::apply(part[static_cast<std::size_t>(k)], x[i + k]);
    T y = F::start;
    for (const T p : part) y = F::apply(y, p);
    for (; i < n; ++i) y = F::apply(y, x[i]);
    return y;
}
template <class F> void fold_into(typename F::type* y, const typename F::type* x, std::int64_t n) {
    using T = typename F::type;
    if constexpr (std::is_floating_point_v<T> && std::is_same_v<F, Plus<T>>) map(y, n) += map(x, n);  // in vectors at -O2, too
    else for (std::int64_t i = 0; i < n; ++i) y[i] = F::apply(y[i], x[i]);
}
/// y[j] and all of x[j], x[j + p], ..., of n elements; x is overwritten.
template <class F> void fold_columns(typename F::type* y, typename F::type* x, std::int64_t n, std::int64_t p) {
    if (p == 1) return void(*y = F::apply(*y, fold_run<F>(x, n)));
    for (std::int64_t left = n / p, half; left > 1; left = half) {
        half = (left + 1) / 2;
        fold_into<F>(x, x + half * p, (left - half) * p);
    }
    fold_into<F>(y, x, p);
}
/// y[j] and row j of x, of n elements in rows of p, one after the other. Short rows go side by side, so that none waits for itself.
template <class F> void fold_rows(typename F::type* y, const typename F::type* x, std::int64_t n, std::int64_t p) {
    using T = typename F::type;
    constexpr std::int64_t rows = 8;
    if (p <= 32)
        for (; n >= rows * p; n -= rows * p, x += rows * p, y += rows) {
            std::array<T, rows> part;
            for (std::int64_t r = 0; r < rows; ++r) part[static_cast<std::size_t>(r)] = x[r * p];
            for (std::int64_t j = 1; j < p; ++j)
                for (std::int64_t r = 0; r < rows; ++r) part[static_cast<std::size_t>(r)] = F::apply(part[static_cast<std::size_t>(r)], x[r * p + j]);
            for (std::int64_t r = 0; r < rows; ++r) y[r] = F::apply(y[r], part[static_cast<std::size_t>(r)]);
        }
    for (; n > 0; n -= p, x += p, ++y) *y = F::apply(*y, fold_run<F>(x, p));
}
}  // namespace detail

}  // namespace tenon
