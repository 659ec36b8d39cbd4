// Depthwise convolution and its two gradients: a convolution with as many groups as channels, whose patches would not be worth making.
//
//   input   [batch, h.input, w.input, channels]
//   filter  [h.size, w.size, channels, multiplier]
//   output  [batch, h.output, w.output, channels * multiplier]
//
// With one filter a channel, the usual case, sums stay in registers: positions side by side see the same taps, but at the edges. Others go tap by tap.
#pragma once
#include "conv_shape.hpp"
#include "depthwise_rows.hpp"
#include "lanes.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <type_traits>

namespace tenon::depthwise {

namespace detail {

/// step(offset in the output, in the input, in the filter) for every position and each of its taps on the input; all speak of channel 0.
template <class Step> void for_each_tap(const conv::Shape& s, Step step) {
    std::int64_t output = 0;
    for (std::int64_t n = 0; n < s.batch; ++n)
        for (std::int64_t oy = 0; oy < s.h.output; ++oy)
            for (std::int64_t ox = 0; ox < s.w.output; ++ox, output += s.filters)
                for (std::int64_t ky = s.h.first(oy); ky < s.h.last(oy); ++ky)
                    for (std::int64_t kx = s.w.first(ox); kx < s.w.last(ox); ++kx)
                        step(output, ((n * s.h.input + s.h.at(oy, ky)) * s.w.input + s.w.at(ox, kx)) * s.channels, (ky * s.w.window.size + kx) * s.filters);
}

/// step(c, i) for every channel c of the input and each channel i of the output that is made of it.
template <class Step> [[gnu::always_inline]] inline void for_each_channel(const conv::Shape& s, Step step) {
    if (s.filters == s.channels) return for_each_lane(s.channels, [=](std::int64_t c) { step(c, c); });
    const std::int64_t multiplier = s.group_filters();
    for (std::int64_t c = 0; c < s.channels; ++c)
        for (std::int64_t i = c * multiplier; i < (c + 1) * multiplier; ++i) step(c, i);
}

/// What a position sums along one axis: `count` taps from `tap` on, `tap_step` apart, at elements of the source from `at` on, `step` apart.
struct Line {
    std::int64_t tap, tap_step, at, step, count;
    bool sees_the_same_taps_as(const Line& other) const { return tap == other.tap && count == other.count; }
};
/// Of position o of the output, on the input.
inline Line line_of_output(const Axis& a, std::int64_t o) {
    const std::int64_t first = a.first(o);
    return {first, 1, a.at(o, first), a.window.dilation, a.last(o) - first};
}
/// Of element i of the input, on the output: the taps through which it was read.
inline Line line_of_input(const Axis& a, std::int64_t i) {
    const auto& w = a.window;
    const std::int64_t common = std::gcd(w.stride, w.dilation), tap_step = w.stride / common, step = w.dilation / common;
    const auto reads = [&](std::int64_t tap) {
        const std::int64_t from = i + w.before - tap * w.dilation;
        return from >= 0 && from % w.stride == 0 && from / w.stride < a.output;
    };
    std::int64_t first = 0, count = 0;
    while (first < w.size && !reads(first)) ++first;
    for (std::int64_t tap = first; tap < w.size && reads(tap); tap += tap_step) ++count;
    return {first, tap_step, (i + w.before - first * w.dilation) / w.stride, -step, count};
}
/// visit(first, how many, line of the first) for positions `step` apart that see the same taps, until all `extent` of them were visited.
template <class LineOf, class Visit> void for_each_run(std::int64_t extent, std::int64_t step, LineOf line_of, Visit visit) {
    for (std::int64_t offset = 0; offset < std::min(step, extent); ++offset)
        for (std::int64_t at = offset, next; at < extent; at = next) {
            const Line line = line_of(at);
            for (next = at + step; next < extent && line.sees_the_same_taps_as(line_of(next));) next += step;
            visit(at, (next - at) / step, line);
        }
}

/// An image of one side of a convolution: `rows` by `columns` positions.
struct Extents {
    std::int64_t rows, columns;
};
/// result = the sums that line_of(axis, position) speaks of. Positions `step` columns apart in the result are `source_step` apart in the source.
template <class T, class LineOf> void sum_lines(const conv::Shape& s, const Rows<T>& kernels, LineOf line_of, Extents from, const T* source, std::int64_t source_step, const T* filter, Extents to, T* result, std::int64_t step) {
    const std::int64_t channels = s.channels, filter_row = s.w.window.size * channels;
    for_each_run(to.columns, step, [&](std::int64_t x) { return line_of(s.w, x); }, [&](std::int64_t x, std::int64_t positions, const Line& column) {
        for (std::int64_t n = 0; n < s.batch; ++n)
            for (std::int64_t y = 0; y < to.rows; ++y) {
                const Line row = line_of(s.h, y);
                T* const to_row = result + ((n * to.rows + y) * to.columns + x) * channels;
                if (row.count == 0 || column.count == 0)
                    for (std::int64_t p = 0; p < positions; ++p) std::fill_n(to_row + p * step * channels, channels, T(0));
                else
                    kernels.sum_row({source + ((n * from.rows + row.at) * from.columns + column.at) * channels, source_step * channels, filter + row.tap * filter_row + column.tap * channels, to_row, step * channels, positions, channels,
                                     {{row.count, row.step * from.columns * channels, row.tap_step * filter_row}, {column.count, column.step * channels, column.tap_step * channels}}});
            }
    });
}

template <class T> inline constexpr bool has_rows = std::is_same_v<T, float> || std::is_same_v<T, double>;
/// Whether each channel has one filter, and they fill a register.
template <class T> bool is_by_rows(const conv::Shape& s, const Rows<T>& rows) { return s.filters == s.channels && s.channels >= rows.lanes; }

/// filter += input * output, a row of positions at a time.
template <class T> void add_rows(const conv::Shape& s, const Rows<T>& rows, const T* input, const T* output, T* filter) {
    const std::int64_t channels = s.channels;
    for (std::int64_t n = 0; n < s.batch; ++n)
        for (std::int64_t oy = 0; oy < s.h.output; ++oy)
            for (std::int64_t ky = s.h.first(oy); ky < s.h.last(oy); ++ky)
                for (std::int64_t kx = 0; kx < s.w.window.size; ++kx) {
                    const auto [first, last] = s.w.positions(kx);
                    if (first >= last) continue;
                    rows.add_products(input + ((n * s.h.input + s.h.at(oy, ky)) * s.w.input + s.w.at(first, kx)) * channels, s.w.window.stride * channels,
                                      output + ((n * s.h.output + oy) * s.w.output + first) * channels, channels, last - first, channels, filter + (ky * s.w.window.size + kx) * channels);
                }
}

}  // namespace detail

/// Source    TensorFlow op DepthwiseConv2dNative
template <class T> void forward(const conv::Shape& s, const T* input, const T* filter, T* output, [[maybe_unused]] Machine on = machine()) {
    if constexpr (detail::has_rows<T>)
        if (const auto& rows = rows_for<T>(s.channels, on); detail::is_by_rows(s, rows))
            return detail::sum_lines(s, rows, detail::line_of_output, {s.h.input, s.w.input}, input, s.w.window.stride, filter, {s.h.output, s.w.output}, output, 1);
    std::fill_n(output, s.output_size(), T(0));
    detail::for_each_tap(s, [&](std::int64_t o, std::int64_t i, std::int64_t k) {
        detail::for_each_channel(s, [x = input + i, w = filter + k, y = output + o](std::int64_t c, std::int64_t m) { y[m] += x[c] * w[m]; });
    });
}

/// The gradient of forward() with respect to `input`, from that of `output`.
template <class T> void backprop_input(const conv::Shape& s, const T* filter, const T* output, T* input, [[maybe_unused]] Machine on = machine()) {
    if constexpr (detail::has_rows<T>)
        if (const auto& rows = rows_for<T>(s.channels, on); detail::is_by_rows(s, rows))
            return detail::sum_lines(s, rows, detail::line_of_input, {s.h.output, s.w.output}, output, 1, filter, {s.h.input, s.w.input}, input, s.w.window.stride);
    std::fill_n(input, s.input_size(), T(0));
    detail::for_each_tap(s, [&](std::int64_t o, std::int64_t i, std::int64_t k) {
        detail::for_each_channel(s, [x = input + i, w = filter + k, y = output + o](std::int64_t c, std::int64_t m) { x[c] += y[m] * w[m]; });
    });
}

/// The gradient of forward() with respect to `filter`, from that of `output`.
template <class T> void backprop_filter(const conv::Shape& s, const T* input, const T* output, T* filter, [[maybe_unused]] Machine on = machine()) {
    std::fill_n(filter, s.filter_size(), T(0));
    if constexpr (detail::has_rows<T>)
        if (const auto& rows = rows_for<T>(s.channels, on); detail::is_by_rows(s, rows)) return detail::add_rows(s, rows, input, output, filter);
    detail::for_each_tap(s, [&](std::int64_t o, std::int64_t i, std::int64_t k) {
        detail::for_each_channel(s, [x = input + i, w = filter + k, y = output + o](std::int64_t c, std::int64_t m) { w[m] += x[c] * y[m]; });
    });
}

}  // namespace tenon::depthwise
