// Images [batch, height, width, channels] in another size, by interpolation or by the nearest pixel, and the gradients.
#pragma once
#include "lanes.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace tenon::resize {

/// Where the pixels of a result lie on its source, along one axis. In float, as in TensorFlow: other roundings would pick other pixels.
struct Scale {
    std::int64_t from = 0, to = 0;  ///< extents of source and result
    bool align_corners = false, half_pixel_centers = false;

    template <class = void> float factor() const {
        return align_corners && to > 1 ? static_cast<float>(from - 1) / static_cast<float>(to - 1) : static_cast<float>(from) / static_cast<float>(to);
    }
    /// The source pixel under pixel i of the result.
    template <class = void> std::int64_t nearest(std::int64_t i) const {
        const float at = (half_pixel_centers ? static_cast<float>(i) + 0.5f : static_cast<float>(i)) * factor();
        return std::clamp<std::int64_t>(static_cast<std::int64_t>(align_corners ? std::round(at) : std::floor(at)), 0, from - 1);
    }
    struct Pair { std::int64_t lower, upper; float share; };  ///< of `upper`; the rest is of `lower`
    template <class = void> Pair neighbours(std::int64_t i) const {
        const float at = half_pixel_centers ? (static_cast<float>(i) + 0.5f) * factor() - 0.5f : static_cast<float>(i) * factor(), floor = std::floor(at);
        return {std::max<std::int64_t>(static_cast<std::int64_t>(floor), 0), std::min(static_cast<std::int64_t>(std::ceil(at)), from - 1), at - floor};
    }
};
struct Shape {
    std::int64_t batch = 0;
    Scale h, w;
    std::int64_t channels = 0;
    constexpr std::int64_t source_size() const { return batch * h.from * w.from * channels; }
};

/// visit(offset in the result, offset in the source) for every pixel of the result.
template <class Visit> void for_each_nearest(const Shape& s, Visit visit) {
    std::int64_t to = 0;
    for (std::int64_t n = 0; n < s.batch; ++n)
        for (std::int64_t y = 0; y < s.h.to; ++y) {
            const std::int64_t row = (n * s.h.from + s.h.nearest(y)) * s.w.from;
            for (std::int64_t x = 0; x < s.w.to; ++x, to += s.channels) visit(to, (row + s.w.nearest(x)) * s.channels);
        }
}
/// visit(offset in the result, offsets of four pixels of the source: top left, top right, bottom left, bottom right; share of the right, of the bottom).
template <class Visit> void for_each_square(const Shape& s, Visit visit) {
    std::int64_t to = 0;
    for (std::int64_t n = 0; n < s.batch; ++n)
        for (std::int64_t y = 0; y < s.h.to; ++y) {
            const auto v = s.h.neighbours(y);
            const std::int64_t top = (n * s.h.from + v.lower) * s.w.from, bottom = (n * s.h.from + v.upper) * s.w.from;
            for (std::int64_t x = 0; x < s.w.to; ++x, to += s.channels) {
                const auto u = s.w.neighbours(x);
                visit(to, (top + u.lower) * s.channels, (top + u.upper) * s.channels, (bottom + u.lower) * s.channels, (bottom + u.upper) * s.channels, u.share, v.share);
            }
        }
}

/// Source    TensorFlow op ResizeBilinear
template <class T> void bilinear(const Shape& s, const T* source, float* result) {
    for_each_square(s, [=, channels = s.channels](std::int64_t to, std::int64_t tl, std::int64_t tr, std::int64_t bl, std::int64_t br, float u, float v) {
        for (std::int64_t c = 0; c < channels; ++c) {
            const auto at = [=](std::int64_t i) { return static_cast<float>(source[i + c]); };
            const float top = at(tl) + (at(tr) - at(tl)) * u, bottom = at(bl) + (at(br) - at(bl)) * u;
            result[to + c] = top + (bottom - top) * v;
        }
    });
}
/// The gradient of bilinear() with respect to `source`.
template <class T> void bilinear_grad(const Shape& s, const float* upstream, T* gradient) {
    std::fill_n(gradient, s.source_size(), T(0));
    for_each_square(s, [=, channels = s.channels](std::int64_t to, std::int64_t tl, std::int64_t tr, std::int64_t bl, std::int64_t br, float u, float v) {
        for (std::int64_t c = 0; c < channels; ++c) {
            const float g = upstream[to + c];
            gradient[tl + c] += static_cast<T>(g * (1 - v) * (1 - u));
            gradient[tr + c] += static_cast<T>(g * (1 - v) * u);
            gradient[bl + c] += static_cast<T>(g * v * (1 - u));
            gradient[br + c] += static_cast<T>(g * v * u);
        }
    });
}

}  // namespace tenon::resize
