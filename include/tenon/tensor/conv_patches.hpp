// Patches of an image, for convolutions that are products with them.
//
// A patch is what one output position sees, h.size * w.size * channels / groups elements in the filter's order, zeros for padding. Patches are made
// for some positions at a time, so that they are still in the second-level cache when the product reads them: at a batch of 8 all patches at once
// are 1.4 times slower. Where the input is its own patches (1x1 windows, windows as large as the input) nothing is copied.
#pragma once
#include "conv_shape.hpp"
#include "gemm.hpp"

namespace tenon::conv {

namespace detail {

/// Positions whose patches are made at a time: 512 KiB of them, yet enough for the product to be worth packing the filter.
template <class T> constexpr std::int64_t block_positions(const Shape& s) {
    if (s.is_its_own_patches()) return s.positions();
    const std::int64_t bytes = std::max<std::int64_t>(s.patch() * static_cast<std::int64_t>(sizeof(T)), 1);
    return std::min(s.positions(), std::max<std::int64_t>(48, (std::int64_t{1} << 19) / bytes));
}
/// In how many blocks positions are gone through, and how many the shortest has; some have one more.
struct Blocks { std::int64_t count, shortest; };
template <class T> constexpr Blocks blocks_of(const Shape& s) {
    const std::int64_t most = block_positions<T>(s), count = most ? (s.positions() + most - 1) / most : 0;
    return {count, count ? s.positions() / count : 0};
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

/// Calls step(group, from, count) for blocks of positions, as long as each other: of a few positions a product is another sum, so that images would
/// be convolved otherwise by themselves than among others.
template <class T, class Step> void for_each_block(const Shape& s, Step step) {
    const auto [blocks, shortest] = blocks_of<T>(s);
    for (std::int64_t g = 0; g < s.groups; ++g)
        for (std::int64_t i = 0, from = 0, n; i < blocks; ++i, from += n) step(g, from, n = shortest + (i < s.positions() % blocks));
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
    const std::int64_t shortest = blocks_of<T>(s).shortest;
    return patch_bytes<T>(s) + std::max(product(shortest), product(shortest + 1));
}

}  // namespace detail

}  // namespace tenon::conv
