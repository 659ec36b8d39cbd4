// Window arithmetic that convolution and pooling share, per spatial axis:
//
//         before      input n        after
//        |.......|xxxxxxxxxxxxxxxx|........|     output o covers the padded elements
//         [w . w . w]                            o stride, o stride + dilation, ..., o stride + (size - 1) dilation
//                 [w . w . w]
//
// Source: TensorFlow, tensorflow/core/framework/kernel_shape_util.cc. SAME pads the odd element behind.
#pragma once
#include <algorithm>
#include <cstdint>

namespace tenon {

enum class Padding : std::int8_t { same, valid, explicit_ };

/// How a window moves along one axis. `before` and `after` count if the padding is explicit.
struct Window {
    std::int64_t size = 1, stride = 1, dilation = 1, before = 0, after = 0;

    /// Elements from a window's first to its last.
    constexpr std::int64_t extent() const { return (size - 1) * dilation + 1; }
    friend constexpr bool operator==(const Window&, const Window&) = default;
};

/// A window placed on an axis of `input` elements: the padding in numbers, and how many positions there are.
struct Axis {
    std::int64_t input = 0;
    Window window;
    std::int64_t output = 0;

    /// The input element under tap t at position o; outside [0, input) it is padding.
    constexpr std::int64_t at(std::int64_t o, std::int64_t t) const { return o * window.stride - window.before + t * window.dilation; }
    /// The taps [first, last) at position o that lie on the input. (Most positions see no padding, and are spared the division.)
    constexpr std::int64_t first(std::int64_t o) const { return at(o, 0) >= 0 ? 0 : std::min(window.size, (-at(o, 0) + window.dilation - 1) / window.dilation); }
    constexpr std::int64_t last(std::int64_t o) const {
        if (at(o, window.size - 1) < input) return window.size;
        const std::int64_t room = input - at(o, 0);  // elements from tap 0 to the input's end
        return room <= 0 ? first(o) : std::max(first(o), std::min(window.size, (room - 1) / window.dilation + 1));
    }
    /// The positions [first, last) whose tap t lies on the input.
    struct Range { std::int64_t first, last; };
    constexpr Range positions(std::int64_t t) const {
        const std::int64_t off = window.before - t * window.dilation;  // of position 0 to the left of element 0
        const std::int64_t first = std::clamp<std::int64_t>((std::max<std::int64_t>(off, 0) + window.stride - 1) / window.stride, 0, output);
        return {first, std::max(first, std::min(output, input + off <= 0 ? 0 : (input + off - 1) / window.stride + 1))};
    }
    friend constexpr bool operator==(const Axis&, const Axis&) = default;
};

/// Places a window.
///
/// Values    size, stride and dilation at least 1, paddings at least 0; the output is 0 where the window does not fit (see fits)
constexpr Axis place(Padding padding, std::int64_t input, Window w) {
    if (padding == Padding::same) {
        const std::int64_t output = (input + w.stride - 1) / w.stride, pad = output ? std::max<std::int64_t>((output - 1) * w.stride + w.extent() - input, 0) : 0;
        w.before = pad / 2, w.after = pad - pad / 2;
        return {input, w, output};
    }
    if (padding == Padding::valid) w.before = w.after = 0;
    return {input, w, std::max<std::int64_t>((input + w.before + w.after - w.extent() + w.stride) / w.stride, 0)};
}

/// Whether a window lies within the padded axis at all. TensorFlow refuses it otherwise: "Negative dimension size caused by subtracting 3 from 2".
constexpr bool fits(Padding padding, std::int64_t input, const Window& w) {
    return padding == Padding::same || input + (padding == Padding::explicit_ ? w.before + w.after : 0) >= w.extent();
}

}  // namespace tenon
