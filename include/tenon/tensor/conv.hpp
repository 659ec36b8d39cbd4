// Two-dimensional convolution and its two gradients, as products with patches.
//
//   input   [batch, h.input, w.input, channels]                 NHWC
//   filter  [h.size, w.size, channels / groups, filters]        HWIO
//   output  [batch, h.output, w.output, filters]                group g reads and writes the g-th part of the channels and of the filters
//
// A patch is what one output position sees, h.size * w.size * channels / groups elements in the filter's order, zeros for padding. Patches are made
// for some positions at a time, so that they are still in the second-level cache when the product reads them: at a batch of 8 all patches at once
// are 1.4 times slower. Where the input is its own patches (1x1 windows, windows as large as the input) nothing is copied.
#pragma once
#include "gemm.hpp"
#include "lanes.hpp"
#include "window.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace tenon::conv {

struct Shape {
    std::int64_t batch = 0;
    Axis h, w;
    std::int64_t channels = 0, filters = 0, groups = 1;

    constexpr std::int64_t group_channels() const { return channels / groups; }
    constexpr std::int64_t group_filters() const { return filters / groups; }
    constexpr std::int64_t positions() const { return batch * h.output * w.output; }
    constexpr std::int64_t patch() const { return h.window.size * w.window.size * group_channels(); }
    constexpr std::int64_t input_size() const { return batch * h.input * w.input * channels; }
    constexpr std::int64_t filter_size() const { return patch() * filters; }
    constexpr std::int64_t output_size() const { return positions() * filters; }
    /// The input's elements are already the patches, `input_stride()` apart.
    constexpr bool is_its_own_patches() const {
        const auto pointwise = [](const Axis& a) { return a.window.size == 1 && a.window.stride == 1 && a.window.before == 0 && a.output == a.input; };
        const auto whole = [](const Axis& a) { return a.window.size == a.input && a.window.dilation == 1 && a.window.before == 0 && a.output == 1; };
        return (pointwise(h) && pointwise(w)) || (groups == 1 && whole(h) && whole(w));
    }
    constexpr std::int64_t input_stride() const { return h.window.size * w.window.size * channels; }
};

namespace detail {

/// Positions whose patches are made at a time: 512 KiB of them, yet enough for the product to be worth packing the filter.
template <class T> constexpr std::int64_t block_positions(const Shape& s) {
    if (s.is_its_own_patches()) return s.positions();
    const std::int64_t bytes = std::max<std::int64_t>(s.patch() * static_cast<std::int64_t>(sizeof(T)), 1);
    return std::min(s.positions(), std::max<std::int64_t>(48, (std::int64_t{1} << 19) / bytes));
}
template <class T> constexpr std::size_t patch_bytes(const Shape& s) {
    return s.is_its_own_patches() ? 0 : (static_cast<std::size_t>(block_positions<T>(s) * s.patch()) * sizeof(T) + 63) / 64 * 64;
}

/// Calls run(y, x, count, patch) for every run of `count` elements that the patches of positions [from, from + count) share with the input:
/// `x` is where it starts in the input (relative to the group's first channel), `patch` where in the patches; x is negative for padding.
/// One run is the taps of a filter row where channels and taps lie side by side, a single tap otherwise.
template <class Run> void for_each_run(const Shape& s, std::int64_t from, std::int64_t count, Run run) {
    const std::int64_t c = s.group_channels(), row = s.w.window.size * c;
    const bool side_by_side = s.w.window.dilation == 1 && s.groups == 1;
    std::int64_t patch = 0, ox = from % s.w.output, oy = from / s.w.output % s.h.output, image = from / s.w.output / s.h.output;
    for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t first = s.w.first(ox), last = s.w.last(ox);
        for (std::int64_t ky = 0; ky < s.h.window.size; ++ky, patch += row) {
            const std::int64_t y = s.h.at(oy, ky);
            if (y < 0 || y >= s.h.input || first == last) {
                run(std::int64_t{-1}, patch, row);
                continue;
            }
            const std::int64_t start = ((image * s.h.input + y) * s.w.input + s.w.at(ox, first)) * s.channels;
            if (first > 0) run(std::int64_t{-1}, patch, first * c);
            if (side_by_side) run(start, patch + first * c, (last - first) * c);
            else
                for (std::int64_t kx = first; kx < last; ++kx) run(start + (kx - first) * s.w.window.dilation * s.channels, patch + kx * c, c);
            if (last < s.w.window.size) run(std::int64_t{-1}, patch + last * c, (s.w.window.size - last) * c);
        }
        if (++ox == s.w.output) {
            ox = 0;
            if (++oy == s.h.output) oy = 0, ++image;
        }
    }
}

/// Calls step(group, from, count) for blocks of positions.
template <class T, class Step> void for_each_block(const Shape& s, Step step) {
    const std::int64_t block = block_positions<T>(s);
    for (std::int64_t g = 0; g < s.groups; ++g)
        for (std::int64_t from = 0; from < s.positions(); from += block) step(g, from, std::min(block, s.positions() - from));
}

/// The patches of group `g` at positions [from, from + count), made in `memory` if need be.
template <class T> gemm::Factor<T> patches(const Shape& s, const T* input, std::int64_t g, std::int64_t from, std::int64_t count, std::byte* memory) {
    if (input) input += g * s.group_channels();  // null: an image without pixels
    if (s.is_its_own_patches()) return {input + from * s.input_stride(), s.input_stride()};
    auto* made = reinterpret_cast<T*>(memory);
    for_each_run(s, from, count, [=](std::int64_t x, std::int64_t patch, std::int64_t n) {
        T* const to = made + patch;
        if (x < 0) std::fill_n(to, n, T(0));
        else if (n > 16) std::copy_n(input + x, n, to);
        else for (std::int64_t i = 0; i < n; ++i) to[i] = input[x + i];  // not worth a call of memcpy
    });
    return {made, s.patch()};
}

template <class T, class Bytes> std::size_t workspace_bytes(const Shape& s, Bytes product) {
    const std::int64_t block = block_positions<T>(s), rest = block ? s.positions() % block : 0;
    return patch_bytes<T>(s) + std::max(product(block), product(rest));
}

}  // namespace detail

namespace detail {
/// Forward without patches: an image is copied once with its padding, band by band, and a tile of the product reads its rows, the positions side by side of
/// one output row, where they lie in it. Pays unless such rows leave tiles mostly empty; a 1x1 window is a plain product.
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

/// Bytes of workspace, 64-byte aligned: a band of the image and the filter, or patches of at most 512 KiB or 48 positions and the product's packing.
template <class T> std::size_t forward_workspace_bytes(const Shape& s, Machine on = machine()) {
    const gemm::Tiles<T>& t = gemm::tiles_for<T>(on);
    if (s.output_size() == 0 || s.input_size() == 0) return 0;
    if (detail::is_direct(s, t)) return detail::direct_bytes(s, t);
    return detail::workspace_bytes<T>(s, [&](std::int64_t block) { return gemm::workspace_bytes<T>(block, s.group_filters(), s.patch(), on); });
}
template <class T> std::size_t backprop_input_workspace_bytes(const Shape& s, Machine on = machine()) {
    const gemm::Tiles<T>& t = gemm::tiles_for<T>(on);
    if (s.output_size() == 0 || s.input_size() == 0) return 0;
    if (detail::is_direct_to_input(s, t)) return detail::direct_bytes(detail::turned(s), t);
    return detail::workspace_bytes<T>(s, [&](std::int64_t block) { return gemm::workspace_bytes<T>(block, s.patch(), s.group_filters(), on); });
}
template <class T> std::size_t backprop_filter_workspace_bytes(const Shape& s, Machine on = machine()) {
    const gemm::Tiles<T>& t = gemm::tiles_for<T>(on);
    if (s.output_size() == 0 || s.filter_size() == 0) return 0;
    if (detail::is_direct_to_filter(s, t)) return detail::Band<T>(s).bytes(s, t.rows);
    return detail::workspace_bytes<T>(s, [&](std::int64_t block) { return gemm::workspace_bytes<T>(s.patch(), s.group_filters(), block, on); });
}

/// output = input * filter, a cross-correlation: filters are not flipped.
///
/// Values    float, double; strides, dilations, paddings and groups of any kind
/// Cost      2 positions patch filters / groups flops
/// Source    TensorFlow op Conv2D
template <class T> void forward(const Shape& s, const T* input, const T* filter, T* output, std::byte* workspace, Machine on = machine()) {
    if (s.output_size() == 0) return;
    if (s.input_size() == 0) { std::fill_n(output, s.output_size(), T(0)); return; }
    if (const gemm::Tiles<T>& t = gemm::tiles_for<T>(on); detail::is_direct(s, t))
        return detail::forward_direct(s, t, input, output, workspace, [&](T* to, std::int64_t panel, std::int64_t j, std::int64_t columns) {
            gemm::detail::pack(t, to, panel, gemm::Factor<T>{filter, s.filters}, false, j, columns, 0, s.patch(), s.filters, s.patch());
        });
    const std::int64_t filters = s.group_filters();
    detail::for_each_block<T>(s, [&](std::int64_t g, std::int64_t from, std::int64_t count) {
        gemm::multiply(output + from * s.filters + g * filters, s.filters, detail::patches(s, input, g, from, count, workspace),
                       gemm::Factor<T>{filter + g * filters, s.filters}, count, filters, s.patch(), workspace + detail::patch_bytes<T>(s), on);
    });
}

/// The gradient of forward() with respect to `input`, from that of `output`; a transposed convolution by itself.
///
/// Cost      as forward(); overlapping patches are added in order of position, so the result is the same in every run
/// Source    TensorFlow op Conv2DBackpropInput
template <class T> void backprop_input(const Shape& s, const T* filter, const T* output, T* input, std::byte* workspace, Machine on = machine()) {
    if (s.output_size() == 0 || s.input_size() == 0) { std::fill_n(input, s.input_size(), T(0)); return; }
    if (const gemm::Tiles<T>& t = gemm::tiles_for<T>(on); detail::is_direct_to_input(s, t))
        return detail::forward_direct(detail::turned(s), t, output, input, workspace, [&](T* to, std::int64_t panel, std::int64_t j, std::int64_t columns) {
            for (std::int64_t taps = s.h.window.size * s.w.window.size, tap = taps; tap > 0; --tap, to += s.filters * panel)
                gemm::detail::pack_transposed(to, panel, filter + ((tap - 1) * s.channels + j) * s.filters, s.filters, columns, s.filters);
        });
    const std::int64_t filters = s.group_filters();
    const bool direct = s.is_its_own_patches();
    if (!direct || s.output_size() == 0) std::fill_n(input, s.input_size(), T(0));
    detail::for_each_block<T>(s, [&](std::int64_t g, std::int64_t from, std::int64_t count) {
        T* const into = input ? input + g * s.group_channels() : nullptr;
        T* const made = reinterpret_cast<T*>(workspace);
        gemm::multiply(direct ? into + from * s.input_stride() : made, direct ? s.input_stride() : s.patch(), gemm::Factor<T>{output + from * s.filters + g * filters, s.filters},
                       gemm::Factor<T>{filter + g * filters, s.filters, true}, count, s.patch(), filters, workspace + detail::patch_bytes<T>(s), on);
        if (direct) return;
        detail::for_each_run(s, from, count, [=](std::int64_t x, std::int64_t patch, std::int64_t n) {
            if (x >= 0) for_each_lane(n, [to = into + x, from = made + patch](std::int64_t i) { to[i] += from[i]; });
        });
    });
}

/// The gradient of forward() with respect to `filter`, from that of `output`.
///
/// Source    TensorFlow op Conv2DBackpropFilter
template <class T> void backprop_filter(const Shape& s, const T* input, const T* output, T* filter, std::byte* workspace, Machine on = machine()) {
    if (s.output_size() == 0 || s.filter_size() == 0) { std::fill_n(filter, s.filter_size(), T(0)); return; }
    if (const gemm::Tiles<T>& t = gemm::tiles_for<T>(on); s.input_size() > 0 && detail::is_direct_to_filter(s, t)) return detail::filter_direct(s, t, input, output, filter, workspace);
    const std::int64_t filters = s.group_filters();
    std::fill_n(filter, s.filter_size(), T(0));
    detail::for_each_block<T>(s, [&](std::int64_t g, std::int64_t from, std::int64_t count) {
        auto patches = detail::patches(s, input, g, from, count, workspace);
        patches.transposed = true;
        gemm::add(filter + g * filters, s.filters, patches, gemm::Factor<T>{output + from * s.filters + g * filters, s.filters}, s.patch(), filters, count, T(1),
                  workspace + detail::patch_bytes<T>(s), on);
    });
}

}  // namespace tenon::conv
