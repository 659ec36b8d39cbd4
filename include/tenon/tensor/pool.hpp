// Pooling over two axes, NHWC: input [batch, h.input, w.input, channels], output [batch, h.output, w.output, channels].
// Padding takes no part: it is neither a maximum nor counted in a mean.
#pragma once
#include "lanes.hpp"
#include "window.hpp"

#include <algorithm>
#include <cstdint>
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
    /// step(offset in the input) from tap to tap in row-major order.
    template <class Step> void for_each(Step step) const {
        for (std::int64_t y = 0; y < rows; ++y)
            for (std::int64_t x = 0; x < columns; ++x) step(input + y * y_next + x * x_next);
    }
};

/// visit(offset in the output, taps) for every position; both speak of channel 0.
template <class Visit> void for_each_position(const Shape& s, Visit visit) {
    const std::int64_t row = s.w.input * s.channels;
    std::int64_t output = 0;
    for (std::int64_t n = 0; n < s.batch; ++n)
        for (std::int64_t oy = 0; oy < s.h.output; ++oy)
            for (std::int64_t ox = 0; ox < s.w.output; ++ox, output += s.channels) {
                const std::int64_t ky = s.h.first(oy), kx = s.w.first(ox);
                visit(output, Taps{(n * s.h.input + s.h.at(oy, ky)) * row + s.w.at(ox, kx) * s.channels, s.h.window.dilation * row, s.w.window.dilation * s.channels,
                                   s.h.last(oy) - ky, s.w.last(ox) - kx});
            }
}

}  // namespace detail

/// The greatest element of each window.
///
/// Values    any ordered T; a window starts at the lowest finite value, so that of -inf or NaN alone it gives that, and NaN is passed over
/// Source    TensorFlow op MaxPool
template <class T> void max(const Shape& s, const T* input, T* output) {
    detail::for_each_position(s, [&](std::int64_t o, const detail::Taps& taps) {
        T* const y = output + o;
        std::fill_n(y, s.channels, std::numeric_limits<T>::lowest());
        taps.for_each([&](std::int64_t i) { for_each_lane(s.channels, [x = input + i, y](std::int64_t c) { y[c] = x[c] > y[c] ? x[c] : y[c]; }); });
    });
}

/// visit(offset in the output, offset in the input) of each window's first maximum in row-major order: where MaxPoolGrad sends the gradient, and
/// MaxPoolWithArgmax's index. A NaN that comes first stays, any other is passed over, as in TensorFlow. Windows on padding alone have none.
template <class T, class Visit> void for_each_maximum(const Shape& s, const T* input, Visit visit) {
    constexpr std::int64_t lanes = 16;
    using Tap = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;  // as wide as T, so that both are vectors of one length
    detail::for_each_position(s, [&](std::int64_t o, const detail::Taps& taps) {
        if (taps.rows <= 0 || taps.columns <= 0) return;
        for (std::int64_t c = 0; c < s.channels; c += lanes) {
            const std::int64_t n = std::min(lanes, s.channels - c);
            T best[lanes];
            Tap at[lanes] = {}, tap = 0;
            std::copy_n(input + taps.input + c, n, best);
            taps.for_each([&](std::int64_t i) {
                for_each_lane(n, [&, x = input + i + c, tap](std::int64_t l) {
                    const Tap greater = -static_cast<Tap>(x[l] > best[l]);  // a mask, since g++ would branch on a choice
                    at[l] = (tap & greater) | (at[l] & ~greater);
                    best[l] = x[l] > best[l] ? x[l] : best[l];
                });
                ++tap;
            });
            const Tap columns = static_cast<Tap>(taps.columns);
            for (std::int64_t l = 0; l < n; ++l) visit(o + c + l, taps.input + at[l] / columns * taps.y_next + at[l] % columns * taps.x_next + c + l);
        }
    });
}

/// The gradient of max() with respect to its input: each position's goes to its first maximum.
///
/// Source    TensorFlow op MaxPoolGrad, which does not read the pooled values either
template <class T> void max_grad(const Shape& s, const T* input, const T* upstream, T* gradient) {
    std::fill_n(gradient, s.input_size(), T(0));
    for_each_maximum(s, input, [=](std::int64_t o, std::int64_t i) { gradient[i] += upstream[o]; });
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
template <class T> void average(const Shape& s, const T* input, T* output) {
    detail::for_each_position(s, [&](std::int64_t o, const detail::Taps& taps) {
        T* const y = output + o;
        std::fill_n(y, s.channels, T(0));
        taps.for_each([&](std::int64_t i) { for_each_lane(s.channels, [x = input + i, y](std::int64_t c) { y[c] += x[c]; }); });
        const T count = static_cast<T>(std::max<std::int64_t>(taps.count(), 1));
        for_each_lane(s.channels, [y, count](std::int64_t c) { y[c] /= count; });
    });
}

/// The gradient of average() with respect to its input.
///
/// Source    TensorFlow op AvgPoolGrad
template <class T> void average_grad(const Shape& s, const T* upstream, T* gradient) {
    std::fill_n(gradient, s.input_size(), T(0));
    detail::for_each_position(s, [&](std::int64_t o, const detail::Taps& taps) {
        const T count = static_cast<T>(std::max<std::int64_t>(taps.count(), 1));
        taps.for_each([&](std::int64_t i) { for_each_lane(s.channels, [g = upstream + o, d = gradient + i, count](std::int64_t c) { d[c] += g[c] / count; }); });
    });
}

}  // namespace tenon::pool
