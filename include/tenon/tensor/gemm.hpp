// Products of row-major matrices, c += alpha op(a) op(b), with packing memory that the caller owns.
//
// The result is made in tiles that stay in registers over up to `deepest` of k. The factors are packed so that a tile reads them from end to end: a
// in blocks that stay in the second-level cache, b in panels as wide as a tile, of which one at a time is in the first-level cache. Where the rows are
// few, b is read where it lies. A vector as one factor makes it a sum of rows or a row of dot products, which packing would only slow down.
//
// Packing memory is part of the plan: asked of malloc at every product, as Eigen does, the same training step takes 174 or 331 us depending on
// what the process allocated before.
#pragma once
#include "blas.hpp"
#include "gemm_tiles.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace tenon::gemm {

/// One factor: rows lie `stride` elements apart; op(a) is its transpose if `transposed`. Handed on by reference: members written one by one are slow to copy
/// right after.
template <class T> struct Factor {
    const T* data;
    std::int64_t stride;
    bool transposed = false;
};

/// Where a product goes that goes into several matrices, one to the left of the other, `columns` of it into each. `first`: the column that a share begins with.
/// No tile may be of two of them: both are multiples of two registers.
template <class T> struct SideBySide {
    T* const* matrices = nullptr;
    std::int64_t columns = 0, first = 0;
    T* at(std::int64_t j) const { return matrices[(first + j) / columns] + (first + j) % columns; }
};

/// What becomes of a product c besides: scale[j] c + offset[j] + beside, which lies as c does and may be c's memory, and of that nothing below 0 if `rectifies`.
/// What is null is not there.
template <class T> struct Epilogue {
    const T *scale = nullptr, *offset = nullptr, *beside = nullptr;
    bool rectifies = false;
    SideBySide<T> into{};  ///< instead of c; without `beside`

    explicit operator bool() const { return scale || offset || beside || rectifies; }
    /// Of a tile whose first element is element `at` of the rows and in column j, while sums over some of k are made: the first of them, or the last?
    Finish<T> finish(std::int64_t at, std::int64_t j, bool first, bool last) const {
        Finish<T> f;
        if (scale) f.scale = scale + j;
        if (last && offset) f.offset = offset + j;  // to the whole sum, as a step of its own would
        if (first && beside) f.beside = beside + at;
        if (last && rectifies) f.floor = 0;
        return f;
    }
    Epilogue from(std::int64_t at, std::int64_t j) const { return {scale ? scale + j : scale, offset ? offset + j : offset, beside ? beside + at : beside, rectifies, {into.matrices, into.columns, into.first + j}}; }
};

namespace detail {

inline constexpr std::int64_t deepest = 256, tallest = 280, widest = 2048;  // of packed blocks: k, rows of a, columns of b

inline constexpr std::int64_t far_bytes = 1 << 19;  // what is larger is not expected in the second-level cache

constexpr std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

/// Rows of a that are packed at a time: as few blocks as can be, equally tall.
constexpr std::int64_t even_block(std::int64_t m, std::int64_t tile) {
    const auto most = tallest / tile * tile, blocks = (m + most - 1) / most;
    return round_up((m + blocks - 1) / blocks, tile);
}

/// How many of `m` rows' last tiles are of the lower kind: so that the fewest rows are computed for nothing, at a row's cost for each such tile.
constexpr std::int64_t low_tiles(std::int64_t m, std::int64_t tall, std::int64_t low) {
    std::int64_t best = 0, least = round_up(m, tall);
    for (std::int64_t count = 1; count <= 4 && least > m; ++count)
        if (const auto rows = round_up(std::max<std::int64_t>(m - count * low, 0), tall) + count * (low + 1); rows < least) least = rows, best = count;
    return best;
}

/// Elements of the two packed blocks.
struct Packing {
    std::int64_t a, b;
    Packing(std::int64_t m, std::int64_t n, std::int64_t k, int rows, int columns) {
        const auto depth = std::min(k, deepest);
        a = round_up(depth * std::min(round_up(m, rows), round_up(tallest, rows)), 16) + 16;  // a register more may be written
        b = depth * std::min(round_up(n, columns), round_up(widest, columns)) + 16;
    }
};

/// Columns [first, first + count) of a factor of `all` by `columns` elements as it lies, or of its transpose if `across`, at [p, p + k) of the other axis.
template <class T>
void pack(const Tiles<T>& t, T* to, std::int64_t width, Factor<T> f, bool across, std::int64_t first, std::int64_t count, std::int64_t p, std::int64_t k, std::int64_t columns, std::int64_t all) {
    if (across) t.pack_transposed(to, width, f.data + first * f.stride + p, f.stride, count, k);
    else t.pack_rows(to, width, f.data + p * f.stride + first, f.stride, count, k, (all - 1 - p) * f.stride + columns - first);
}

template <class T>
void product(const Tiles<T>& t, T* c, std::int64_t c_stride, Factor<T> a, Factor<T> b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, bool adds, std::byte* workspace, const Epilogue<T>& end) {
    const std::int64_t width = 2 * t.lanes;
    const Packing packing(m, n, k, t.rows, static_cast<int>(width));
    T* const packed_a = reinterpret_cast<T*>(workspace);
    T* const packed_b = packed_a + packing.a;
    constexpr std::int64_t line = 64 / sizeof(T);
    const bool ends = static_cast<bool>(end);
    const bool far_result = m * n * static_cast<std::int64_t>(sizeof(T)) > far_bytes;
    const bool far = n * k * static_cast<std::int64_t>(sizeof(T)) > far_bytes;
    const auto panel = [&](std::int64_t columns) { return columns > t.lanes ? width : t.lanes; };
    const auto block = even_block(m, t.rows);
    for (std::int64_t j0 = 0; j0 < n; j0 += widest)
        for (std::int64_t p0 = 0; p0 < k; p0 += deepest)
            for (std::int64_t i0 = 0; i0 < m; i0 += block) {
                const auto columns = std::min(widest, n - j0), depth = std::min(deepest, k - p0), rows = std::min(block, m - i0);
                const auto tall = rows - low_tiles(rows, t.rows, t.few) * t.few;  // rows of tall tiles, or less
                const auto each_tile = [&](auto f) {
                    for (std::int64_t i = 0, h; i < rows; i += h) {
                        const bool few = i >= tall;
                        h = few ? t.few : t.rows;
                        f(i, static_cast<int>(std::min(h, rows - i)), static_cast<int>(h), few);
                    }
                };
                each_tile([&](std::int64_t i, int count, int height, bool) { pack(t, packed_a + i * depth, height, a, !a.transposed, i0 + i, count, p0, depth, m, k); });
                for (std::int64_t j = 0; j < columns; j += width) {
                    const auto w = static_cast<int>(std::min(width, columns - j));
                    const bool whole = !b.transposed && w == width;
                    T* const packed = packed_b + j * depth;
                    const auto b_at = [&](std::int64_t p, std::int64_t column) { return b.data + (b.transposed ? column * b.stride + p : p * b.stride + column); };
                    // the panel after this one is asked for by the second and third tile, half each
                    const T* const next = i0 > 0 || !far ? nullptr : j + width < columns ? b_at(p0, j0 + j + width) : p0 + depth < k ? b_at(p0 + depth, j0) : nullptr;
                    const auto ahead = [&](std::int64_t tile) -> Ahead<T> {
                        if (!next || tile < 1 || tile > 2) return {};
                        if (b.transposed) return {next + (tile - 1) * t.lanes * b.stride, b.stride, (depth + line - 1) / line};
                        return {next + (tile - 1) * t.lanes, b.stride};
                    };
                    if (i0 == 0 && !whole) pack(t, packed, panel(w), b, b.transposed, j0 + j, w, p0, depth, n, k);
                    std::int64_t tile = 0;
                    T* const c_columns = end.into.matrices ? end.into.at(j0 + j) : c + j0 + j;
                    each_tile([&](std::int64_t i, int count, int height, bool few) {
                        const Columns<T> from{packed_a + i * depth, height, depth, 1, 0, 0, ahead(tile++)};
                        Finish<T> finish;
                        if (ends) finish = end.finish((i0 + i) * c_stride + j0 + j, j0 + j, p0 == 0, p0 + depth == k);
                        const Into<T> to{c_columns + (i0 + i) * c_stride, c_stride, count, w, alpha, adds || p0 > 0, ends ? &finish : nullptr};
                        if (far_result) for (int r = 0; r < count; ++r) __builtin_prefetch(to.c + r * c_stride, 1), __builtin_prefetch(to.c + r * c_stride + w - 1, 1);
                        if (whole && i0 + i == 0) t.packing_tile[few](from, b_at(p0, j0 + j), b.stride, packed, to);
                        else t.tile[few][w > t.lanes](from, packed, panel(w), to);
                    });
                }
            }
}

}  // namespace detail

/// Bytes, 64-byte aligned, that a product of these extents works in.
template <class T> std::size_t workspace_bytes(std::int64_t m, std::int64_t n, std::int64_t k, Machine on = machine()) {
    if (m == 0 || n == 0 || k == 0) return 0;
    const Tiles<T>& t = tiles_for<T>(on);
    const auto bytes = [&](std::int64_t rows, std::int64_t columns) {
        const detail::Packing packing(rows, columns, k, t.rows, 2 * t.lanes);
        return static_cast<std::size_t>(detail::round_up((packing.a + packing.b) * static_cast<std::int64_t>(sizeof(T)), 64));
    };
    return n == 1 ? std::max(bytes(m, 1), bytes(1, m)) : bytes(m, n);  // a column is also made as a row
}

/// The plain loops, for dense factors of constant extents: there they are as fast as fixed-size Eigen and compile ten times faster.
template <class T> [[gnu::always_inline]] inline void add_small(T* c, const T* a, bool ta, const T* b, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, T alpha) {
    const std::int64_t ai = ta ? 1 : k, ap = ta ? m : 1;
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t p = 0; p < k; ++p) {
            const T s = alpha * a[i * ai + p * ap];
            if (tb) for (std::int64_t j = 0; j < n; ++j) c[i * n + j] += s * b[j * k + p];
            else for (std::int64_t j = 0; j < n; ++j) c[i * n + j] += s * b[p * n + j];
        }
}

namespace detail {
/// For extents so small that packing would be most of the work: c += alpha op(a) op(b), or c = alpha op(a) op(b).
template <class T> void unpacked(T* c, std::int64_t c_stride, const Factor<T>& a, const Factor<T>& b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, bool adds) {
    typedef T Some __attribute__((vector_size(16)));
    constexpr std::int64_t lanes = 16 / sizeof(T);
    const std::int64_t x_next = a.transposed ? 1 : a.stride, x_step = a.transposed ? a.stride : 1, b_step = b.transposed ? 1 : b.stride, b_next = b.transposed ? b.stride : 1;
    const T* x = a.data;
    for (std::int64_t i = 0; i < m; ++i, c += c_stride, x += x_next) {
        std::int64_t j = 0;
        for (; b_next == 1 && j + lanes <= n; j += lanes) {
            Some sum = {}, y, before = {};
            for (std::int64_t p = 0; p < k; ++p) {
                std::memcpy(&y, b.data + p * b_step + j, sizeof y);
                sum += x[p * x_step] * y;
            }
            if (adds) std::memcpy(&before, c + j, sizeof before);
            before += alpha * sum;
            std::memcpy(c + j, &before, sizeof before);
        }
        for (; j < n; ++j) {
            T sum = 0;
            for (std::int64_t p = 0; p < k; ++p) sum += x[p * x_step] * b.data[j * b_next + p * b_step];
            c[j] = (adds ? c[j] : T(0)) + alpha * sum;
        }
    }
}
/// So few terms that any other way costs more to choose than this one to go.
constexpr bool are_few(std::int64_t m, std::int64_t n, std::int64_t k) { return m * n * k <= (m > 1 && n > 1 ? 512 : 32); }
template <class T>
void product_of(T* c, std::int64_t c_stride, const Factor<T>& left, const Factor<T>& right, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, bool adds, std::byte* workspace, Machine on, const Epilogue<T>& end = {}) {
    if (m == 0 || n == 0) return;
    const bool column = n == 1 && m > 1 && c_stride == 1 && !end.beside;  // made as a row
    const Factor<T> turned[2] = {{right.data, right.transposed ? 1 : right.stride, true}, {left.data, left.stride, !left.transposed}};
    const Factor<T> &a = column ? turned[0] : left, &b = column ? turned[1] : right;
    if (column) n = m, m = 1, c_stride = n;
    if (k > 0 && are_few(m, n, k) && !end && !end.into.matrices) return unpacked(c, c_stride, a, b, m, n, k, alpha, adds);
    const Tiles<T>& t = tiles_for<T>(on);
    const std::int64_t a_step = a.transposed ? a.stride : 1;  // along k
    const bool one = m == 1 && n * k > 32, rows = one && !b.transposed, dots = one && b.transposed && a_step == 1, small = m * n * k <= 512;
    const bool by_blas = has_blas && m > 1 && n > 1 && m * n * k >= 1 << 15 && !end.beside && !end.into.matrices;  // what is smaller is not worth the call
    // a matrix beside may lie where c does, so nothing but whole sums are written over it
    const bool beside = end.beside, in_tiles = k > 0 && !by_blas && ((!rows && !dots && !small) || beside || end.into.matrices);
    if (in_tiles) {
        product(t, c, c_stride, a, b, m, n, k, alpha, adds, workspace, column ? Epilogue<T>{} : end);
        if (!column) return;
    } else if (k > 0 && !by_blas) {
        if (rows) t.add_rows(c, n, a.data, a_step, k, b.data, b.stride, alpha, adds);
        else if (dots) t.add_dots(c, n, a.data, k, b.data, b.stride, alpha, adds);
        else unpacked(c, c_stride, a, b, m, n, k, alpha, adds);
    } else {
        for (std::int64_t i = 0; i < m && (beside || !adds); ++i) {  // beside: then k is 0
            T* const row = c + i * c_stride;
            if (!beside) std::fill_n(row, n, T(0));
            else if (end.beside != c) std::copy_n(end.beside + i * c_stride, n, row);
        }
        if constexpr (has_blas) if (k > 0) add_by_blas(c, c_stride, a, b, m, n, k, alpha);
    }
    if (!end) return;
    if (column) {
        const Finish<T> finish = end.finish(0, 0, true, true);
        for (std::int64_t i = 0; i < n; i += widest) t.finish(c + i, 1, {c + i, 1, static_cast<int>(std::min(widest, n - i)), 1, T(1), false, &finish});
        return;
    }
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < n; j += widest) {
            const Finish<T> finish = Epilogue<T>{beside ? nullptr : end.scale, end.offset, nullptr, end.rectifies}.finish(0, j, true, true);
            T* const part = c + i * c_stride + j;
            t.finish(part, n, {part, n, 1, static_cast<int>(std::min(widest, n - j)), T(1), false, &finish});
        }
}
}  // namespace detail

/// c += alpha op(a) op(b), where rows of c lie `c_stride` elements apart.
///
/// Shapes    op(a) [m,k], op(b) [k,n], c [m,n]
/// Values    float, double; c overlaps neither factor; extents may be 0
/// Cost      2 m n k flops; packs into `workspace`, workspace_bytes(m, n, k) of it
template <class T>
void add(T* c, std::int64_t c_stride, const Factor<T>& a, const Factor<T>& b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, std::byte* workspace, Machine on = machine()) {
    detail::product_of(c, c_stride, a, b, m, n, k, alpha, true, workspace, on);
}

/// c = op(a) op(b), zeros if k = 0, and of that what `end` says. Otherwise as add(). Where it goes into several matrices `c_stride` is theirs, m > 1 and k > 0.
template <class T>
void multiply(T* c, std::int64_t c_stride, const Factor<T>& a, const Factor<T>& b, std::int64_t m, std::int64_t n, std::int64_t k, std::byte* workspace, Machine on = machine(), const Epilogue<T>& end = {}) {
    detail::product_of(c, c_stride, a, b, m, n, k, T(1), false, workspace, on, end);
}

/// c += alpha op(a) op(b) of dense matrices.
template <class T>
void add(T* c, const T* a, bool ta, const T* b, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, std::byte* workspace) {
    add(c, n, Factor<T>{a, ta ? m : k, ta}, Factor<T>{b, tb ? k : n, tb}, m, n, k, alpha, workspace);
}

/// c = op(a) op(b) of dense matrices; zeros if k = 0.
template <class T> void multiply(T* c, const T* a, bool ta, const T* b, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, std::byte* workspace) {
    multiply(c, n, Factor<T>{a, ta ? m : k, ta}, Factor<T>{b, tb ? k : n, tb}, m, n, k, workspace);
}

/// `count` products of dense matrices, whose factors lie `a_next` and `b_next` elements apart (0: the same for all) and whose results side by side.
/// One workspace of a single product serves all.
template <class T>
void multiply_batch(std::int64_t count, T* c, const T* a, std::int64_t a_next, bool ta, const T* b, std::int64_t b_next, bool tb, std::int64_t m, std::int64_t n,
                    std::int64_t k, std::byte* workspace) {
    for (std::int64_t i = 0; i < count; ++i) multiply(c + i * m * n, a + i * a_next, ta, b + i * b_next, tb, m, n, k, workspace);
}

/// to = the transpose of a, [m,n] and dense.
template <class T> void transpose(T* to, const T* a, std::int64_t m, std::int64_t n, Machine on = machine()) {
    const Tiles<T>& t = tiles_for<T>(on);
    if (m >= t.lanes) return t.pack_transposed(to, m, a, n, m, n);
    for (std::int64_t i = 0; i < m; ++i) for (std::int64_t j = 0; j < n; ++j) to[j * m + i] = a[i * n + j];
}

}  // namespace tenon::gemm
