// Products of row-major matrices, c += alpha op(a) op(b), with packing memory that the caller owns.
//
// The result is made in tiles that stay in registers over up to `deepest` of k. The factors are packed so that a tile reads them from end to end: a
// in blocks that stay in the second-level cache, b in panels as wide as a tile, of which one at a time is in the first-level cache. Where the rows are
// few, b is read where it lies. A vector as one factor makes it a sum of rows or a row of dot products, which packing would only slow down.
//
// Packing memory is part of the plan: asked of malloc at every product, as Eigen does, the same training step takes 174 or 331 us depending on
// what the process allocated before.
#pragma once
#include "gemm_tiles.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace tenon::gemm {

/// One factor: rows lie `stride` elements apart; op(a) is its transpose if `transposed`.
template <class T> struct Factor {
    const T* data;
    std::int64_t stride;
    bool transposed = false;
};

namespace detail {

inline constexpr std::int64_t deepest = 256, tallest = 224, widest = 2048;  // of packed blocks: k, rows of a, columns of b

constexpr std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

/// Elements of the two packed blocks.
struct Packing {
    std::int64_t a, b;
    Packing(std::int64_t m, std::int64_t n, std::int64_t k, int rows, int columns) {
        const auto depth = std::min(k, deepest);
        a = round_up(depth * std::min(round_up(m, rows), round_up(tallest, rows)), 16) + 16;  // a register more may be written
        b = depth * std::min(round_up(n, columns), round_up(widest, columns)) + 16;
    }
};

/// to[p][i] = a[i][p] for i < rows, whatever stands there up to `height`: four by four in registers, else one by one.
template <class T> void pack_transposed(T* to, std::int64_t height, const T* a, std::int64_t stride, std::int64_t rows, std::int64_t k) {
    typedef std::int32_t Four __attribute__((vector_size(16)));
    std::int64_t i = 0;
    if constexpr (sizeof(T) == 4) {
        for (; i + 4 <= rows; i += 4) {
            std::int64_t p = 0;
            for (; p + 4 <= k; p += 4) {
                const auto row = [&](std::int64_t r) {
                    Four v;
                    std::memcpy(&v, a + (i + r) * stride + p, sizeof v);
                    return v;
                };
                const Four r0 = row(0), r1 = row(1), r2 = row(2), r3 = row(3);
                const Four low01 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5), high01 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
                const Four low23 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5), high23 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
                const auto put = [&](std::int64_t q, Four v) { std::memcpy(to + (p + q) * height + i, &v, sizeof v); };
                put(0, __builtin_shufflevector(low01, low23, 0, 1, 4, 5)), put(1, __builtin_shufflevector(low01, low23, 2, 3, 6, 7));
                put(2, __builtin_shufflevector(high01, high23, 0, 1, 4, 5)), put(3, __builtin_shufflevector(high01, high23, 2, 3, 6, 7));
            }
            for (; p < k; ++p) for (std::int64_t r = i; r < i + 4; ++r) to[p * height + r] = a[r * stride + p];
        }
    }
    for (; i < rows; ++i) for (std::int64_t p = 0; p < k; ++p) to[p * height + i] = a[i * stride + p];
}
/// Columns [first, first + count) of a factor of `all` by `columns` elements as it lies, or of its transpose if `across`, at [p, p + k) of the other axis.
template <class T>
void pack(const Tiles<T>& t, T* to, std::int64_t width, Factor<T> f, bool across, std::int64_t first, std::int64_t count, std::int64_t p, std::int64_t k, std::int64_t columns, std::int64_t all) {
    if (across) pack_transposed(to, width, f.data + first * f.stride + p, f.stride, count, k);
    else t.pack_rows(to, width, f.data + p * f.stride + first, f.stride, count, k, (all - 1 - p) * f.stride + columns - first);
}

template <class T>
void product(const Tiles<T>& t, T* c, std::int64_t c_stride, Factor<T> a, Factor<T> b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, bool adds, std::byte* workspace) {
    const std::int64_t width = 2 * t.lanes;
    const Packing packing(m, n, k, t.rows, static_cast<int>(width));
    T* const packed_a = reinterpret_cast<T*>(workspace);
    T* const packed_b = packed_a + packing.a;
    const bool b_where_it_lies = !b.transposed && m <= 2 * t.rows;
    const auto panel = [&](std::int64_t columns) { return columns > t.lanes ? width : t.lanes; };
    for (std::int64_t j0 = 0; j0 < n; j0 += widest)
        for (std::int64_t p0 = 0; p0 < k; p0 += deepest) {
            const auto columns = std::min(widest, n - j0), depth = std::min(deepest, k - p0);
            for (std::int64_t j = 0; j < columns; j += width)
                if (const auto w = std::min(width, columns - j); !b_where_it_lies || w < width) pack(t, packed_b + j * depth, panel(w), b, b.transposed, j0 + j, w, p0, depth, n, k);
            const auto block = tallest / t.rows * t.rows;
            for (std::int64_t i0 = 0; i0 < m; i0 += block) {
                const auto rows = std::min(block, m - i0);
                const auto each_tile = [&](auto f) {
                    for (std::int64_t i = 0, h; i < rows; i += h) {
                        const auto left = rows - i;
                        const bool few = left <= 2 * t.few;
                        h = few ? t.few : t.rows;
                        f(i, static_cast<int>(std::min(h, left)), static_cast<int>(h), few);
                    }
                };
                each_tile([&](std::int64_t i, int count, int height, bool) { pack(t, packed_a + i * depth, height, a, !a.transposed, i0 + i, count, p0, depth, m, k); });
                for (std::int64_t j = 0; j < columns; j += width) {
                    const auto w = static_cast<int>(std::min(width, columns - j));
                    const bool in_place = b_where_it_lies && w == width;
                    const T* const from = in_place ? b.data + p0 * b.stride + j0 + j : packed_b + j * depth;
                    each_tile([&](std::int64_t i, int count, int height, bool few) {
                        t.tile[few][w > t.lanes]({packed_a + i * depth, height, depth}, from, in_place ? b.stride : panel(w), {c + (i0 + i) * c_stride + j0 + j, c_stride, count, w, alpha, adds || p0 > 0});
                    });
                }
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
/// For extents so small that packing would be most of the work.
template <class T> void add_unpacked(T* c, std::int64_t c_stride, Factor<T> a, Factor<T> b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha) {
    typedef T Some __attribute__((vector_size(16)));
    constexpr std::int64_t lanes = 16 / sizeof(T);
    for (std::int64_t i = 0; i < m; ++i, c += c_stride) {
        const T* const x = a.data + (a.transposed ? i : i * a.stride);
        const std::int64_t x_step = a.transposed ? a.stride : 1, b_step = b.transposed ? 1 : b.stride, b_next = b.transposed ? b.stride : 1;
        std::int64_t j = 0;
        for (; !b.transposed && j + lanes <= n; j += lanes) {
            Some sum = {}, y;
            for (std::int64_t p = 0; p < k; ++p) {
                std::memcpy(&y, b.data + p * b.stride + j, sizeof y);
                sum += x[p * x_step] * y;
            }
            std::memcpy(&y, c + j, sizeof y);
            y += alpha * sum;
            std::memcpy(c + j, &y, sizeof y);
        }
        for (; j < n; ++j) {
            T sum = 0;
            for (std::int64_t p = 0; p < k; ++p) sum += x[p * x_step] * b.data[j * b_next + p * b_step];
            c[j] += alpha * sum;
        }
    }
}
template <class T>
void product_of(T* c, std::int64_t c_stride, Factor<T> a, Factor<T> b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, bool adds, std::byte* workspace, Machine on) {
    if (m == 0 || n == 0) return;
    const Tiles<T>& t = tiles_for<T>(on);
    if (n == 1 && m > 1 && c_stride == 1) return product_of<T>(c, m, {b.data, b.transposed ? 1 : b.stride, true}, {a.data, a.stride, !a.transposed}, 1, m, k, alpha, adds, workspace, on);
    const std::int64_t a_step = a.transposed ? a.stride : 1;  // along k
    const bool rows = m == 1 && !b.transposed && n >= 2 * t.lanes, dots = m == 1 && b.transposed && a_step == 1, small = m * n * k <= 512;
    if (k > 0 && !rows && !dots && !small) return product(t, c, c_stride, a, b, m, n, k, alpha, adds, workspace);
    if (!adds) for (std::int64_t i = 0; i < m; ++i) std::fill_n(c + i * c_stride, n, T(0));
    if (k == 0) return;
    if (rows) t.add_rows(c, n, a.data, a_step, k, b.data, b.stride, alpha);
    else if (dots) t.add_dots(c, 1, n, a.data, k, b.data, b.stride, alpha);
    else add_unpacked(c, c_stride, a, b, m, n, k, alpha);
}
}  // namespace detail

/// c += alpha op(a) op(b), where rows of c lie `c_stride` elements apart.
///
/// Shapes    op(a) [m,k], op(b) [k,n], c [m,n]
/// Values    float, double; c overlaps neither factor; extents may be 0
/// Cost      2 m n k flops; packs into `workspace`, workspace_bytes(m, n, k) of it
template <class T>
void add(T* c, std::int64_t c_stride, Factor<T> a, Factor<T> b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, std::byte* workspace, Machine on = machine()) {
    detail::product_of(c, c_stride, a, b, m, n, k, alpha, true, workspace, on);
}

/// c = op(a) op(b); zeros if k = 0. Otherwise as add().
template <class T>
void multiply(T* c, std::int64_t c_stride, Factor<T> a, Factor<T> b, std::int64_t m, std::int64_t n, std::int64_t k, std::byte* workspace, Machine on = machine()) {
    detail::product_of(c, c_stride, a, b, m, n, k, T(1), false, workspace, on);
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

}  // namespace tenon::gemm
