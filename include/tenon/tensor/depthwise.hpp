// Depthwise convolution and its two gradients: a convolution with as many groups as channels, whose patches would not be worth making.
//
//   input   [batch, h.input, w.input, channels]
//   filter  [h.size, w.size, channels, multiplier]
//   output  [batch, h.output, w.output, channels * multiplier]
#pragma once
#include "conv_shape.hpp"
#include "lanes.hpp"

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

}  // namespace detail

/// Source    TensorFlow op DepthwiseConv2dNative
template <class T> void forward(const conv::Shape& s, const T* input, const T* filter, T* output) {
    std::fill_n(output, s.output_size(), T(0));
    detail::for_each_tap(s, [&](std::int64_t o, std::int64_t i, std::int64_t k) {
        detail::for_each_channel(s, [x = input + i, w = filter + k, y = output + o](std::int64_t c, std::int64_t m) { y[m] += x[c] * w[m]; });
    });
}

/// The gradient of forward() with respect to `input`, from that of `output`.
template <class T> void backprop_input(const conv::Shape& s, const T* filter, const T* output, T* input) {
    std::fill_n(input, s.input_size(), T(0));
    detail::for_each_tap(s, [&](std::int64_t o, std::int64_t i, std::int64_t k) {
        detail::for_each_channel(s, [x = input + i, w = filter + k, y = output + o](std::int64_t c, std::int64_t m) { x[c] += y[m] * w[m]; });
    });
}

/// The gradient of forward() with respect to `filter`, from that of `output`.
template <class T> void backprop_filter(const conv::Shape& s, const T* input, const T* output, T* filter) {
    std::fill_n(filter, s.filter_size(), T(0));
    detail::for_each_tap(s, [&](std::int64_t o, std::int64_t i, std::int64_t k) {
        detail::for_each_channel(s, [x = input + i, w = filter + k, y = output + o](std::int64_t c, std::int64_t m) { w[m] += x[c] * y[m]; });
    });
}

}  // namespace tenon::depthwise
