// Pooling over two axes, NHWC: input [batch, h.input, w.input, channels], output [batch, h.output, w.output, channels].
// Padding takes no part: it is neither a maximum nor counted in a mean.
//
// The kernels are `flatten`, since g++ leaves a step per tap as a call otherwise, which makes a gradient 3 times slower.
#pragma once
#include "window.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

namespace tenon::pool {

struct Shape {
    std::int64_t batch = 0;
    Axis h, w;
    std::int64_t channels = 0;

    constexpr std::int64_t input_size() const { return batch * h.input * w.input * channels; }
    constexpr std::int64_t output_size() const { return batch * h.output * w.output * channels; }
};

namespace detail {

/// The taps of one position that lie on the input.
struct Taps {
    std::int64_t input, y_next, x_next, rows, columns;  // first element's offset, distances and numbers of taps

    std::int64_t count() const { return rows * columns; }
    /// step(offset in the input) from tap to tap in row-major order. (Two by two, the commonest, is spared its loops.)
    template <class Step> [[gnu::always_inline]] void for_each(Step step) const {
        if (rows == 2 && columns == 2) return step(input), step(input + x_next), step(input + y_next), step(input + y_next + x_next);
        for (std::int64_t y = 0; y < rows; ++y)
            for (std::int64_t x = 0; x < columns; ++x) step(input + y * y_next + x * x_next);
    }
};

/// visit(offset in the output, taps) for every position; both speak of channel 0.
template <class Visit> void for_each_position(const Shape& s, Visit visit) {
    const std::int64_t row = s.w.input * s.channels;
    std::int64_t output = 0;
    for (std::int64_t n = 0; n < s.batch; ++n)
        for (std::int64_t oy = 0; oy < s.h.output; ++oy) {
            const std::int64_t ky = s.h.first(oy), rows = s.h.last(oy) - ky, y = (n * s.h.input + s.h.at(oy, ky)) * row;
            for (std::int64_t ox = 0; ox < s.w.output; ++ox, output += s.channels) {
                const std::int64_t kx = s.w.first(ox);
                visit(output, Taps{y + s.w.at(ox, kx) * s.channels, s.h.window.dilation * row, s.w.window.dilation * s.channels, rows, s.w.last(ox) - kx});
            }
        }
}

/// Some channels side by side that stay in registers while a window is gone through: as many as 64 bytes hold, or one.
template <class T, bool one> struct Channels {
    static constexpr std::int64_t bytes = __BIGGEST_ALIGNMENT__ < 16 ? 16 : __BIGGEST_ALIGNMENT__, width = bytes / static_cast<std::int64_t>(sizeof(T)), parts = 64 / bytes, count = parts * width;
    typedef T Part __attribute__((vector_size(bytes)));
    using Tap = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;  // as wide as T, so that both are vectors of one length
    typedef Tap Taps __attribute__((vector_size(bytes / sizeof(T) * sizeof(Tap))));
};
template <class T> struct Channels<T, true> {
    static constexpr std::int64_t width = 1, parts = 1, count = 1;
    using Part = T;
    using Tap = std::int64_t;
    using Taps = Tap;
};
/// step(p, x) for the parts of a group of channels at `from`; what it leaves in x is stored if it returns true.
template <class G, class T, class Step> [[gnu::always_inline]] inline void for_each_part(T* from, Step step) {
#pragma GCC unroll 4
    for (std::int64_t p = 0; p < G::parts; ++p) {
        typename G::Part x;
        std::memcpy(&x, from + p * G::width, sizeof x);
        if constexpr (std::is_const_v<T>) step(p, x);
        else if (step(p, x)) std::memcpy(from + p * G::width, &x, sizeof x);
    }
}
/// step(group, c) for every group of channels, from channel c on.
template <class T, class Step> void for_each_group(std::int64_t channels, Step step) {
    using G = Channels<T, false>;
    std::int64_t c = 0;
    for (; c + G::count <= channels; c += G::count) step(G(), c);
    for (; c < channels; ++c) step(Channels<T, true>(), c);
}

/// Which of its taps holds the first maximum of each channel of a group, from channel c on.
template <class G, class T> [[gnu::always_inline]] inline void find_maximum(const Taps& taps, const T* input, std::int64_t c, typename G::Taps (&at)[G::parts]) {
    typename G::Part best[G::parts];
    for_each_part<G>(input + taps.input + c, [&](std::int64_t p, const typename G::Part& x) { best[p] = x, at[p] = typename G::Taps(); });
    typename G::Tap tap = 0;
    taps.for_each([&](std::int64_t i) {
        for_each_part<G>(input + i + c, [&](std::int64_t p, const typename G::Part& x) {
            const auto greater = x > best[p];
            at[p] = greater ? typename G::Taps() + tap : at[p];
            best[p] = greater ? x : best[p];
        });
        ++tap;
    });
}

/// Every element of the input is in one window and no other.
constexpr bool is_dissected(const Axis& a) { return a.window.stride == a.window.size && a.window.dilation == 1 && a.at(a.output - 1, a.window.size) >= a.input; }
/// gradient = what add(offset in the output, taps, put) puts at the taps of each window, added up: put(group, offset in the input, channel, value of part p).
template <class T, class Add> void sum_over_windows(const Shape& s, T* gradient, Add add) {
    const bool assigns = is_dissected(s.h) && is_dissected(s.w);
    if (!assigns) std::fill_n(gradient, s.input_size(), T(0));
    for_each_position(s, [&](std::int64_t o, const Taps& taps) {
        if (taps.rows <= 0 || taps.columns <= 0) return;
        for_each_group<T>(s.channels, [&](auto group, std::int64_t c) {
            using G = decltype(group);
            add(group, o + c, taps, c, [=](std::int64_t i, auto value) {
                T* const to = gradient + i + c;
                if (assigns) for_each_part<G>(to, [&](std::int64_t p, typename G::Part& x) { x = value(p); return true; });
                else for_each_part<G>(to, [&](std::int64_t p, typename G::Part& x) { x += value(p); return true; });
            });
        });
    });
}

}  // namespace detail

/// The greatest element of each window.
///
/// Values    any ordered T; a window starts at the lowest finite value, so that of -inf or NaN alone it gives that, and NaN is passed over
/// Source    TensorFlow op MaxPool
template <class T> [[gnu::flatten, gnu::noinline]] void max(const Shape& s, const T* input, T* output) {
    detail::for_each_position(s, [=](std::int64_t o, const detail::Taps& taps) {
        detail::for_each_group<T>(s.channels, [&](auto group, std::int64_t c) {
            using G = decltype(group);
            typename G::Part best[G::parts];
            for (auto& b : best) b = typename G::Part() + std::numeric_limits<T>::lowest();
            taps.for_each([&](std::int64_t i) { detail::for_each_part<G>(input + i + c, [&](std::int64_t p, const typename G::Part& x) { best[p] = x > best[p] ? x : best[p]; }); });
            detail::for_each_part<G>(output + o + c, [&](std::int64_t p, typename G::Part& y) { y = best[p]; return true; });
        });
    });
}

/// visit(offset in the output, offset in the input) of each window's first maximum in row-major order: where MaxPoolGrad sends the gradient, and
/// MaxPoolWithArgmax's index. A NaN that comes first stays, any other is passed over, as in TensorFlow. Windows on padding alone have none.
template <class T, class Visit> void for_each_maximum(const Shape& s, const T* input, Visit visit) {
    detail::for_each_position(s, [&](std::int64_t o, const detail::Taps& taps) {
        if (taps.rows <= 0 || taps.columns <= 0) return;
        detail::for_each_group<T>(s.channels, [&](auto group, std::int64_t c) {
            using G = decltype(group);
            typename G::Taps at[G::parts];
            typename G::Tap tap[G::count];
            detail::find_maximum<G>(taps, input, c, at);
            std::memcpy(tap, at, sizeof tap);
            const auto columns = static_cast<typename G::Tap>(taps.columns);
            for (std::int64_t l = 0; l < G::count; ++l) visit(o + c + l, taps.input + tap[l] / columns * taps.y_next + tap[l] % columns * taps.x_next + c + l);
        });
    });
}

/// The gradient of max() with respect to its input: each position's goes to its first maximum.
///
/// Source    TensorFlow op MaxPoolGrad, which does not read the pooled values either
template <class T> [[gnu::flatten, gnu::noinline]] void max_grad(const Shape& s, const T* input, const T* upstream, T* gradient) {
    detail::sum_over_windows(s, gradient, [=](auto group, std::int64_t o, const detail::Taps& taps, std::int64_t c, auto put) {
        using G = decltype(group);
        typename G::Taps at[G::parts];
        typename G::Part g[G::parts];
        detail::find_maximum<G>(taps, input, c, at);
        detail::for_each_part<G>(upstream + o, [&](std::int64_t p, const typename G::Part& x) { g[p] = x; });
        typename G::Tap tap = 0;
        taps.for_each([&](std::int64_t i) {
            put(i, [&](std::int64_t p) { return at[p] == tap ? g[p] : typename G::Part(); });
            ++tap;
        });
    });
}

/// The gradient of max_grad() with respect to `upstream`: what `gradient`, of the input's shape, holds at the maxima.
///
/// Source    TensorFlow op MaxPoolGradGrad
template <class T> void max_grad_grad(const Shape& s, const T* input, const T* gradient, T* output) {
    std::fill_n(output, s.output_size(), T(0));
    for_each_maximum(s, input, [=](std::int64_t o, std::int64_t i) { output[o] = gradient[i]; });
}

/// The mean of each window's elements; 0 on padding alone.
///
/// Source    TensorFlow op AvgPool
template <class T> [[gnu::flatten, gnu::noinline]] void average(const Shape& s, const T* input, T* output) {
    detail::for_each_position(s, [=](std::int64_t o, const detail::Taps& taps) {
        const T count = static_cast<T>(std::max<std::int64_t>(taps.count(), 1));
        detail::for_each_group<T>(s.channels, [&](auto group, std::int64_t c) {
            using G = decltype(group);
            typename G::Part sum[G::parts] = {};
            taps.for_each([&](std::int64_t i) { detail::for_each_part<G>(input + i + c, [&](std::int64_t p, const typename G::Part& x) { sum[p] += x; }); });
            detail::for_each_part<G>(output + o + c, [&](std::int64_t p, typename G::Part& y) { y = sum[p] / count; return true; });
        });
    });
}

/// The gradient of average() with respect to its input.
///
/// Source    TensorFlow op AvgPoolGrad
template <class T> [[gnu::flatten, gnu::noinline]] void average_grad(const Shape& s, const T* upstream, T* gradient) {
    detail::sum_over_windows(s, gradient, [=](auto group, std::int64_t o, const detail::Taps& taps, std::int64_t, auto put) {
        using G = decltype(group);
        typename G::Part g[G::parts];
        detail::for_each_part<G>(upstream + o, [&, count = static_cast<T>(taps.count())](std::int64_t p, const typename G::Part& x) { g[p] = x / count; });
        taps.for_each([&](std::int64_t i) { put(i, [&](std::int64_t p) { return g[p]; }); });
    });
}

}  // namespace tenon::pool
