// Folds over the elements that a broadcast would have repeated: the way of a tensor down to fewer extents.
#pragma once
#include "blocks.hpp"

#include <limits>

namespace tenon {

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

/// y = x folded over the axes that y, seen through `layouts`, has as ones.
template <class F> void reduce(const View<typename F::type>& y, const View<const typename F::type>& x, const Layouts& layouts) {
    using T = typename F::type;
    const Layout& l = layouts.each[0];
    const auto p = l.period;
    std::fill_n(y.data, y.size(), F::start);
    alignas(64) T sums[block];  // of several blocks, each a whole number of periods from the same one's start
    std::int64_t held = -1, length = 0;
    const auto end = [&] {
        if (held >= 0) detail::fold_columns<F>(y.data + held * p, sums, length, p);
    };
    layouts.cuts.each([&](std::int64_t i, std::int64_t n) {
        const auto* from = x.data + i;
        if (l.kind == Layout::periodic && p == 1) {
            T& to = y.data[i / l.repeat];
            to = F::apply(to, detail::fold_run<F>(from, n));
        } else if (l.kind == Layout::periodic && p <= block) {
            const auto which = i / l.repeat;
            if (which == held) return detail::fold_into<F>(sums, from, n);
            end();
            held = which, length = n;
            std::copy_n(from, n, sums);
        } else if (l.kind <= Layout::periodic) {
            detail::fold_into<F>(y.data + l.index(i), from, n);
        } else if (l.kind == Layout::column && p == 1) {
            detail::fold_rows<F>(y.data + i / l.repeat, from, n, l.repeat);
        } else {
            l.each_run(i, n, [&](std::int64_t k, std::int64_t to, std::int64_t run, std::int64_t step) {
                if (step) detail::fold_into<F>(y.data + to, from + k, run);
                else y.data[to] = F::apply(y.data[to], detail::fold_run<F>(from + k, run));
            });
        }
    });
    end();
}
/// Turns sums of `total` elements into means; integers truncate, as in TensorFlow.
template <class T> void divide_by_count(const View<T>& y, std::int64_t total) {
    if (y.size() == 0) return;
    const auto count = total / y.size();
    if constexpr (std::is_floating_point_v<T>) for (std::int64_t i = 0; i < y.size(); ++i) y.data[i] /= static_cast<T>(count);
    else if (count) for (std::int64_t i = 0; i < y.size(); ++i) y.data[i] = static_cast<T>(y.data[i] / static_cast<T>(count));
}

}  // namespace tenon
