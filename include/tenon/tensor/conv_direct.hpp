// Convolutions without patches: products whose tiles read the image where it lies.
//
// An image is copied once with its padding, a band of it that stays in the second-level cache at a time. Then whatever a tile of the product reads
// lies at constant steps:
//
//   forward              rows: positions side by side of one output row; summed over: taps and channels, a run per filter row
//   input's gradient     the same, of the output's gradient, with the filter turned around
//   filter's gradient    rows: taps and channels side by side; summed over: positions, a run per output row
#pragma once
#include "conv_shape.hpp"
#include "gemm.hpp"

namespace tenon::conv {

namespace detail {
/// Pays unless output rows leave tiles mostly empty; a 1x1 window is a plain product.
template <class T> constexpr bool is_direct(const Shape& s, const gemm::Tiles<T>& t) {
    const std::int64_t tiles = (s.w.output + t.rows - 1) / t.rows;
    return !s.is_its_own_patches() && s.groups == 1 && s.w.window.dilation == 1 && 4 * s.w.output >= 3 * tiles * t.rows;
}
/// What `rows` output rows see, padding and all: about 256 KiB of the image.
template <class T> struct Band {
    std::int64_t rows, height, width;
    constexpr explicit Band(const Shape& s) : width((s.w.output - 1) * s.w.window.stride + s.w.window.extent()) {
        const std::int64_t row = width * s.channels * static_cast<std::int64_t>(sizeof(T)), fits = (std::int64_t{1} << 18) / std::max<std::int64_t>(row, 1);
        rows = std::clamp<std::int64_t>((fits - s.h.window.extent()) / s.h.window.stride + 1, 1, s.h.output);
        height = (rows - 1) * s.h.window.stride + s.h.window.extent();
    }
    /// As far as the last tile reads.
    constexpr std::int64_t size(const Shape& s, int tile) const { return (height * width + tile * s.w.window.stride) * s.channels; }
    std::size_t bytes(const Shape& s, int tile) const { return (static_cast<std::size_t>(size(s, tile)) * sizeof(T) + 63) / 64 * 64; }
    /// to = the image from output row `first` on, zeros around it.
    void copy(const Shape& s, const T* image, std::int64_t first, T* to, int tile) const {
        const std::int64_t row = width * s.channels, left = std::min(s.w.window.before, width) * s.channels, inside = std::min(row - left, s.w.input * s.channels);
        std::fill_n(to + height * row, size(s, tile) - height * row, T(0));
        for (std::int64_t y = 0; y < height; ++y, to += row) {
            const std::int64_t from = s.h.at(first, 0) + y;
            const bool is_there = from >= 0 && from < s.h.input;
            std::fill_n(to, is_there ? left : row, T(0));
            if (!is_there) continue;
            std::copy_n(image + from * s.w.input * s.channels, inside, to + left);
            std::fill_n(to + left + inside, row - left - inside, T(0));
        }
    }
};
/// pack(to, panel, j, columns) packs columns [j, j + columns) of the filter, `panel` wide.
template <class T, class Pack> void forward_direct(const Shape& s, const gemm::Tiles<T>& t, const T* input, T* output, std::byte* workspace, Pack pack) {
    const Band<T> band(s);
    T* const seen = reinterpret_cast<T*>(workspace);
    T* const packed = reinterpret_cast<T*>(workspace + band.bytes(s, t.rows));
    const std::int64_t width = 2 * t.lanes, patch = s.patch();
    const auto each_panel = [&](auto f) {
        for (std::int64_t j = 0; j < s.filters; j += width) {
            const auto columns = std::min(width, s.filters - j);
            f(j, columns, columns > t.lanes ? width : t.lanes);
        }
    };
    each_panel([&](std::int64_t j, std::int64_t columns, std::int64_t panel) { pack(packed + j * patch, panel, j, columns); });
    for (std::int64_t b = 0; b < s.batch; ++b)
        for (std::int64_t first = 0; first < s.h.output; first += band.rows) {
            band.copy(s, input + b * s.h.input * s.w.input * s.channels, first, seen, t.rows);
            each_panel([&](std::int64_t j, std::int64_t columns, std::int64_t panel) {
                for (std::int64_t y = 0; y < std::min(band.rows, s.h.output - first); ++y)
                    for (std::int64_t x = 0; x < s.w.output; x += t.rows)
                        t.tile_of_runs[columns > t.lanes]({seen + (y * s.h.window.stride * band.width + x * s.w.window.stride) * s.channels, s.w.window.stride * s.channels, s.h.window.size,
                                                           s.h.window.dilation * band.width * s.channels, s.w.window.size * s.channels},
                                                          packed + j * patch, panel,
                                                          {output + ((b * s.h.output + first + y) * s.w.output + x) * s.filters + j, s.filters, static_cast<int>(std::min<std::int64_t>(t.rows, s.w.output - x)),
                                                           static_cast<int>(columns), T(1), false});
            });
        }
}
template <class T> std::size_t direct_bytes(const Shape& s, const gemm::Tiles<T>& t) {
    return Band<T>(s).bytes(s, t.rows) + static_cast<std::size_t>(gemm::detail::round_up(s.filters, 2 * t.lanes) * s.patch() + 16) * sizeof(T);
}
/// The input's gradient is a convolution of the output's with the filter turned around, if positions are as dense as elements.
constexpr Shape turned(const Shape& s) {
    const auto axis = [](const Axis& a) { return Axis{a.output, {a.window.size, 1, a.window.dilation, a.window.extent() - 1 - a.window.before}, a.input}; };
    return {s.batch, axis(s.h), axis(s.w), s.filters, s.channels, s.groups};
}
template <class T> constexpr bool is_direct_to_input(const Shape& s, const gemm::Tiles<T>& t) {
    const Shape back = turned(s);
    return s.h.window.stride == 1 && s.w.window.stride == 1 && back.h.window.before >= 0 && back.w.window.before >= 0 && 2 * s.channels >= t.lanes && is_direct(back, t);
}
/// For the filter's gradient the taps and channels that lie side by side are the rows, positions are what is summed over.
template <class T> constexpr bool is_direct_to_filter(const Shape& s, const gemm::Tiles<T>& t) {
    const std::int64_t rows = s.w.window.size * s.channels, tiles = (rows + t.rows - 1) / t.rows;
    return !s.is_its_own_patches() && s.groups == 1 && s.w.window.dilation == 1 && s.filters % t.lanes == 0 && 4 * rows >= 3 * tiles * t.rows;
}
template <class T> void filter_direct(const Shape& s, const gemm::Tiles<T>& t, const T* input, const T* output, T* filter, std::byte* workspace) {
    const Band<T> band(s);
    T* const seen = reinterpret_cast<T*>(workspace);
    const std::int64_t rows = s.w.window.size * s.channels, row = band.width * s.channels, width = 2 * t.lanes;
    for (std::int64_t b = 0; b < s.batch; ++b)
        for (std::int64_t first = 0; first < s.h.output; first += band.rows) {
            band.copy(s, input + b * s.h.input * s.w.input * s.channels, first, seen, t.rows);
            const T* const upstream = output + (b * s.h.output + first) * s.w.output * s.filters;
            for (std::int64_t ky = 0; ky < s.h.window.size; ++ky)
                for (std::int64_t i = 0; i < rows; i += t.rows)
                    for (std::int64_t j = 0; j < s.filters; j += width) {
                        const auto columns = std::min(width, s.filters - j);
                        t.tile[0][columns > t.lanes]({seen + ky * s.h.window.dilation * row + i, s.w.window.stride * s.channels, s.w.output, std::min(band.rows, s.h.output - first), s.h.window.stride * row},
                                                     upstream + j, s.filters,
                                                     {filter + (ky * rows + i) * s.filters + j, s.filters, static_cast<int>(std::min<std::int64_t>(t.rows, rows - i)), static_cast<int>(columns), T(1), b > 0 || first > 0});
                    }
        }
}
}  // namespace detail

}  // namespace tenon::conv
