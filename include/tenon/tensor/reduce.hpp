// Folds over the elements that a broadcast would have repeated: the way of a tensor down to fewer extents.
//
// Plain loops over eight lanes: the compiler makes vectors of them, and they cost little to compile.
#pragma once
#include "blocks.hpp"

#include <array>
#include <limits>

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
template <class T> struct Times {
    using type = T;
    static constexpr T start = T(1);
    static T apply(T a, T b) { return static_cast<T>(static_cast<detail::wrapping_t<T>>(a) * static_cast<detail::wrapping_t<T>>(b)); }
};
/// NaN wins. Of nothing: minus infinity, or the lowest integer.
template <class T> struct Largest {
    using type = T;
    static constexpr T start = std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
    static T apply(T a, T b) { return b > a || b != b ? b : a; }
};
template <class T> struct Smallest {
    using type = T;
    static constexpr T start = std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
    static T apply(T a, T b) { return b < a || b != b ? b : a; }
};
struct AllTrue {
    using type = bool;
    static constexpr bool start = true;
    static bool apply(bool a, bool b) { return a && b; }
};
struct AnyTrue {
    using type = bool;
    static constexpr bool start = false;
    static bool apply(bool a, bool b) { return a || b; }
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
    for (std::int64_t i = 0; i < n; ++i) y[i] = F::apply(y[i], x[i]);
}
}  // namespace detail

/// y = x folded over the axes that y, seen through `layouts`, has as ones.
template <class F> void reduce(const View<typename F::type>& y, const View<const typename F::type>& x, const Layouts& layouts) {
    const Layout& l = layouts.each[0];
    std::fill_n(y.data, y.size(), F::start);
    layouts.cuts.each([&](std::int64_t i, std::int64_t n) {
        const auto* from = x.data + i;
        const auto p = l.period;
        if (l.kind == Layout::whole) detail::fold_into<F>(y.data + i, from, n);
        else if (l.kind == Layout::periodic && p == 1) y.data[0] = F::apply(y.data[0], detail::fold_run<F>(from, n));
        else if (l.kind == Layout::periodic && p > block) detail::fold_into<F>(y.data + i % p, from, n);
        else if (l.kind == Layout::periodic) for (std::int64_t k = 0; k < n; k += p) detail::fold_into<F>(y.data, from + k, p);
        else
            l.each_run(i, n, [&](std::int64_t k, std::int64_t to, std::int64_t length, std::int64_t step) {
                if (step) detail::fold_into<F>(y.data + to, from + k, length);
                else y.data[to] = F::apply(y.data[to], detail::fold_run<F>(from + k, length));
            });
    });
}
/// Turns sums of `total` elements into means; integers truncate, as in TensorFlow.
template <class T> void divide_by_count(const View<T>& y, std::int64_t total) {
    if (y.size() == 0) return;
    const auto count = total / y.size();
    if constexpr (std::is_floating_point_v<T>) for (std::int64_t i = 0; i < y.size(); ++i) y.data[i] /= static_cast<T>(count);
    else if (count) for (std::int64_t i = 0; i < y.size(); ++i) y.data[i] = static_cast<T>(y.data[i] / static_cast<T>(count));
}

}  // namespace tenon
