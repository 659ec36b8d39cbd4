// Convolutions without patches: products whose tiles read the image where it lies.
//
// An image is copied once with its padding, a band of it that stays in the second-level cache at a time. Then whatever a tile of the product reads
// lies at constant steps:
//
//   forward              rows: positions side by side of one output row; summed over: taps and channels, a run per filter row
//   input's gradient     the same, of the output's gradient, with the filter turned around
//   filter's gradient    rows: taps and channels side by side; summed over: positions, a run per output row
//
// Padding is passed over: filter rows that lie above or below the image, and at its sides the taps that the first or last rows of a tile have there.
#pragma once
#include "conv_shape.hpp"
#include "gemm.hpp"
#include "share.hpp"

namespace tenon::conv {

namespace detail {
/// Of `rows` that are made into tiles, how many are left where a high one does not pay, and how many the tiles hold.
template <class T> constexpr std::int64_t covered(std::int64_t rows, const gemm::Tiles<T>& t) {
    const std::int64_t left = rows % t.rows;
    return rows - left + (left > t.rows / 2 ? t.rows : left > 0 ? t.rows / 2 : 0);
}
/// Pays unless output rows leave tiles mostly empty; a 1x1 window is a plain product.
template <class T> constexpr bool is_direct(const Shape& s, const gemm::Tiles<T>& t) {
    return !s.is_its_own_patches() && s.h.window.size * s.w.window.size > 1 && s.groups == 1 && s.w.window.dilation == 1 && 4 * s.w.output >= 3 * covered(s.w.output, t);
}
/// What `rows` output rows see, padding and all: the image if it has at most 512 KiB, else about 256 KiB of it.
template <class T> struct Band {
    std::int64_t rows, height, width;
    constexpr explicit Band(const Shape& s) : width((s.w.output - 1) * s.w.window.stride + s.w.window.extent()) {
        const std::int64_t row = width * s.channels * static_cast<std::int64_t>(sizeof(T)), whole = ((s.h.output - 1) * s.h.window.stride + s.h.window.extent()) * row;
        const std::int64_t fits = (whole <= std::int64_t{1} << 19 ? whole : std::int64_t{1} << 18) / std::max<std::int64_t>(row, 1);
        rows = std::clamp<std::int64_t>((fits - s.h.window.extent()) / s.h.window.stride + 1, 1, s.h.output);
        height = (rows - 1) * s.h.window.stride + s.h.window.extent();
    }
    /// As far as the last tile reads.
    constexpr std::int64_t size(const Shape& s, int tile) const { return (height * width + tile * s.w.window.stride) * s.channels; }
    std::size_t bytes(const Shape& s, int tile) const { return (static_cast<std::size_t>(size(s, tile)) * sizeof(T) + 63) / 64 * 64; }
    /// to = the image from output row `first` on, zeros at its sides and nothing above and below it, where nobody reads.
    void copy(const Shape& s, const T* image, std::int64_t first, T* to, int tile) const {
        const std::int64_t row = width * s.channels, left = std::min(s.w.window.before, width) * s.channels, inside = std::min(row - left, s.w.input * s.channels);
        std::fill_n(to + height * row, size(s, tile) - height * row, T(0));
        for (std::int64_t y = 0; y < height; ++y, to += row) {
            const std::int64_t from = s.h.at(first, 0) + y;
            const bool is_there = from >= 0 && from < s.h.input;
            if (!is_there) continue;
            std::fill_n(to, left, T(0));
            std::copy_n(image + from * s.w.input * s.channels, inside, to + left);
            std::fill_n(to + left + inside, row - left - inside, T(0));
        }
    }
};
/// k += how many of elements [from, to) of a filter row lie on padding at the first two of `height` positions from x on, at the first, at none, at the
/// last, at the last two: in this order they follow one another. What lies on padding at more positions counts as at two, and zeros are multiplied
/// there. So are they at all where channels are so few that another loop costs more.
constexpr void count_by_padding(const Axis& w, std::int64_t x, std::int64_t height, std::int64_t channels, std::int64_t from, std::int64_t to, std::int64_t (&k)[5]) {
    for (std::int64_t t = from / std::max<std::int64_t>(channels, 1); t * channels < to; ++t) {
        const auto [first, last] = w.positions(t);
        const auto before = std::clamp<std::int64_t>(first - x, 0, 2), after = std::clamp<std::int64_t>(x + height - last, 0, 2);
        k[channels < 8 ? 2 : before >= after ? 2 - before : 2 + after] += std::min(to, (t + 1) * channels) - std::max(from, t * channels);
    }
}
/// How the filter is gone through, one panel after the other: `rows` of it at a time, as many as leave the second-level cache room, or `depth` elements
/// of a row. A piece is packed when its turn comes if all of the input is seen at once, else all of them before.
template <class T> struct Pieces {
    std::int64_t rows, depth;
    bool one_by_one, far;  ///< far: not in a cache, so that the next piece is asked for while one is multiplied

    constexpr Pieces(const Shape& s, const Band<T>& band, int width) : rows(1), depth(s.w.window.size * s.channels), one_by_one(s.batch == 1 && band.rows == s.h.output) {
        constexpr std::int64_t size = sizeof(T), most = 384;  // lines as far apart as the rows of a filter share few sets of the cache
        const bool large = band.rows == s.h.output && s.filter_size() * size > gemm::detail::far_bytes;  // whatever the batch: sums are of the same pieces
        far = one_by_one && large;
        if (large && depth > most) depth = gemm::detail::round_up((depth - 1) / ((depth + most - 1) / most) + 1, 4);
        else rows = std::clamp<std::int64_t>((std::int64_t{1} << 18) / size / std::max<std::int64_t>(depth * width, 1), 1, s.h.window.size);
    }
    constexpr std::int64_t size(const Shape& s, int width) const { return one_by_one ? rows * depth * width : s.patch() * gemm::detail::round_up(s.filters, width); }
};
/// pack(to, panel, j, columns, k, count) packs rows [k, k + count) and columns [j, j + columns) of the filter, `panel` wide. ahead(j, k, line) is where
/// the first of them lie, a line of memory each.
template <class T, class Pack, class AheadOf> void forward_direct(const Shape& s, Machine on, const T* input, T* output, std::byte* workspace, const gemm::Epilogue<T>& end_of_all, Pack pack, AheadOf ahead) {
    const gemm::Tiles<T>& t = gemm::tiles_for<T>(on);
    const gemm::RunTiles<T>& runners = gemm::run_tiles_for<T>(on);
    const Band<T> band(s);
    const Pieces<T> pieces(s, band, 2 * t.lanes);
    T* const seen = reinterpret_cast<T*>(workspace);
    T* const packed = reinterpret_cast<T*>(workspace + band.bytes(s, t.rows));
    const std::int64_t width = 2 * t.lanes, row = band.width * s.channels, filter_row = s.w.window.size * s.channels;
    const auto each_panel = [&](auto f) {
        for (std::int64_t j = 0; j < s.filters; j += width) {
            const auto columns = std::min(width, s.filters - j);
            f(j, columns, columns > t.lanes ? width : t.lanes);
        }
    };
    if (!pieces.one_by_one) each_panel([&](std::int64_t j, std::int64_t columns, std::int64_t panel) { pack(packed + j * s.patch(), panel, j, columns, 0, s.patch()); });
    for (std::int64_t b = 0; b < s.batch; ++b)
        for (std::int64_t first = 0; first < s.h.output; first += band.rows) {
            band.copy(s, input + b * s.h.input * s.w.input * s.channels, first, seen, t.rows);
            each_panel([&](std::int64_t j, std::int64_t columns, std::int64_t panel) {
                for (std::int64_t ky = 0, k = 0, next_ky, next_k; ky < s.h.window.size; ky = next_ky, k = next_k) {
                    const std::int64_t end = std::min(ky + pieces.rows, s.h.window.size), depth = std::min(pieces.depth, filter_row - k), piece_row = ky * filter_row + k;
                    const bool is_row_done = k + depth == filter_row, is_first = piece_row == 0;
                    next_k = is_row_done ? 0 : k + depth, next_ky = is_row_done ? end : ky;
                    const bool is_last = next_ky == s.h.window.size;
                    const T* const piece = pieces.one_by_one ? packed : packed + j * s.patch() + piece_row * panel;
                    if (pieces.one_by_one) pack(packed, panel, j, columns, piece_row, (end - ky - 1) * filter_row + depth);
                    std::int64_t tile = 0;
                    for (std::int64_t x = 0, height; x < s.w.output; x += height) {
                        const bool half = s.w.output - x <= t.rows / 2;
                        height = half ? t.rows / 2 : t.rows;
                        gemm::Runs<T> runs{nullptr, s.w.window.stride * s.channels, 0, s.h.window.dilation * row, {}};
                        count_by_padding(s.w, x, height, s.channels, k, k + depth, runs.k);
                        for (std::int64_t y = first; y < std::min(first + band.rows, s.h.output); ++y) {
                            const std::int64_t from = std::max(s.h.first(y), ky), to = std::min(s.h.last(y), end);
                            if (from >= to && !is_first && !is_last) continue;
                            runs.a = seen + ((y - first) * s.h.window.stride + from * s.h.window.dilation) * row + x * runs.row + k;
                            runs.runs = std::max<std::int64_t>(to - from, 0);
                            runs.ahead = pieces.far && tile < 2 && (!is_last || j + width < s.filters) ? ahead(is_last ? j + width : j, is_last ? 0 : next_ky * filter_row + next_k, tile) : gemm::Ahead<T>{};
                            ++tile;
                            const auto at = ((b * s.h.output + y) * s.w.output + x) * s.filters + j;
                            const gemm::Finish<T> finish = end_of_all.finish(at, j, is_first, is_last);
                            runners.tile_of_runs[half][columns > t.lanes](runs, piece + (from - ky) * filter_row * panel, panel,
                                                                          {output + at, s.filters, static_cast<int>(std::min(height, s.w.output - x)), static_cast<int>(columns), T(1), !is_first,
                                                                           end_of_all ? &finish : nullptr});
                        }
                    }
                }
            });
        }
}
template <class T> std::size_t direct_bytes(const Shape& s, const gemm::Tiles<T>& t) {
    const Band<T> band(s);
    return band.bytes(s, t.rows) + static_cast<std::size_t>(Pieces<T>(s, band, 2 * t.lanes).size(s, 2 * t.lanes) + 16) * sizeof(T);
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
/// Whether the next of `left` rows of the filter's gradient take a tile of half the height.
template <class T> constexpr bool takes_half(std::int64_t left, const gemm::Tiles<T>& t) { return 4 * left <= 3 * t.rows; }
/// For the filter's gradient the taps and channels that lie side by side are the rows, positions are what is summed over.
template <class T> constexpr bool is_direct_to_filter(const Shape& s, const gemm::Tiles<T>& t) {
    const std::int64_t rows = s.w.window.size * s.channels;
    return !s.is_its_own_patches() && s.groups == 1 && s.w.window.dilation == 1 && s.filters % t.lanes == 0 && rows > t.rows / 3;
}
/// How many tiles the rows of the filter's gradient make.
template <class T> constexpr std::int64_t filter_tiles(const Shape& s, const gemm::Tiles<T>& t) {
    std::int64_t tiles = 0;
    for (std::int64_t left = s.w.window.size * s.channels; left > 0; left -= takes_half(left, t) ? t.rows / 2 : t.rows) ++tiles;
    return tiles * s.h.window.size;
}
template <class T> void filter_direct(const Shape& s, Machine on, const T* input, const T* output, T* filter, std::byte* workspace, Share share) {
    const gemm::Tiles<T>& t = gemm::tiles_for<T>(on);
    const Band<T> band(s);
    T* const seen = reinterpret_cast<T*>(workspace);
    const std::int64_t rows = s.w.window.size * s.channels, row = band.width * s.channels, width = 2 * t.lanes;
    const gemm::RunTiles<T>& halves = gemm::run_tiles_for<T>(on);
    const auto mine = share.of(filter_tiles(s, t));
    for (std::int64_t b = 0; b < s.batch; ++b)
        for (std::int64_t first = 0; first < s.h.output; first += band.rows) {
            band.copy(s, input + b * s.h.input * s.w.input * s.channels, first, seen, t.rows);
            for (std::int64_t ky = 0, tile = 0; ky < s.h.window.size; ++ky) {
                const auto seeing = s.h.positions(ky);
                const std::int64_t y = std::max(seeing.first, first), end = std::min({seeing.last, first + band.rows, s.h.output});
                for (std::int64_t i = 0, height; i < rows; i += height, ++tile) {
                    const bool half = takes_half(rows - i, t);
                    height = std::min<std::int64_t>(half ? t.rows / 2 : t.rows, rows - i);
                    if (tile < mine.from || tile >= mine.to) continue;
                    // a tile reads all of its height even if one row is left: less than a tile more than the last position sees, for which Band::size has room
                    // the positions that see a pixel at any of the tile's taps
                    const std::int64_t x = s.w.positions((i + height - 1) / s.channels).first, positions = s.w.positions(i / s.channels).last - x;
                    const gemm::Columns<T> columns{seen + ((y - first) * s.h.window.stride + ky * s.h.window.dilation) * row + x * s.w.window.stride * s.channels + i, s.w.window.stride * s.channels,
                                                   positions, end - y, s.h.window.stride * row, (s.w.output - positions) * s.filters};
                    const bool adds = b > 0 || first > 0;
                    for (std::int64_t j = 0; j < s.filters; j += width) {
                        const auto some = static_cast<int>(std::min(width, s.filters - j));
                        (half ? halves.tile : t.tile[0])[some > t.lanes](columns, output + ((b * s.h.output + y) * s.w.output + x) * s.filters + j, s.filters,
                                                     {filter + (ky * rows + i) * s.filters + j, s.filters, static_cast<int>(height), some, T(1), adds});
                    }
                }
            }
        }
}
}  // namespace detail

}  // namespace tenon::conv
