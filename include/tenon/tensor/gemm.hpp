// Products of row-major matrices, c += alpha op(a) op(b), with packing memory that the caller owns.
//
// Eigen's public product asks malloc for its packing buffers above 128 KiB, and the same training step then takes 174 or 331 µs
// depending on what the process allocated before. So this calls the kernel below it. Four of these per dtype are all the products
// that any program instantiates, whatever its shapes.
// A vector as one factor makes it a sum of rows or a row of dot products, which packing would only slow down.
#pragma once
#include "view.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace tenon::gemm {

/// One factor: rows lie `stride` elements apart; op(a) is its transpose if `transposed`.
template <class T> struct Factor {
    const T* data;
    std::int64_t stride;
    bool transposed = false;
};

namespace detail {

template <class T> struct Packing : Eigen::internal::level3_blocking<T, T> {
    Packing(std::int64_t m, std::int64_t n, std::int64_t k, std::byte* memory = nullptr) {
        this->m_mc = n, this->m_nc = m, this->m_kc = k;  // Eigen's result is our transpose
        Eigen::internal::computeProductBlockingSizes<T, T>(this->m_kc, this->m_mc, this->m_nc, Eigen::Index{1});
        if (!memory) return;
        this->m_blockA = reinterpret_cast<T*>(memory);
        this->m_blockB = reinterpret_cast<T*>(memory + size_a());
    }
    std::size_t size_a() const { return (static_cast<std::size_t>(this->m_mc * this->m_kc) * sizeof(T) + 63) / 64 * 64; }
    std::size_t bytes() const { return size_a() + (static_cast<std::size_t>(this->m_kc * this->m_nc) * sizeof(T) + 63) / 64 * 64; }
};

template <class T, bool ta, bool tb>
void add_packed(T* c, std::int64_t c_stride, Factor<T> a, Factor<T> b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, std::byte* workspace) {
    constexpr int left = tb ? Eigen::RowMajor : Eigen::ColMajor, right = ta ? Eigen::RowMajor : Eigen::ColMajor;
    Packing<T> packing(m, n, k, workspace);
    Eigen::internal::general_matrix_matrix_product<Eigen::Index, T, left, false, T, right, false, Eigen::ColMajor, 1>::run(
        n, m, k, b.data, b.stride, a.data, a.stride, c, 1, c_stride, alpha, packing, nullptr);
}

template <class T, int order> using Elements = Eigen::internal::const_blas_data_mapper<T, Eigen::Index, order>;

/// c[0..n) += alpha (x[0] b[0][..] + x[1] b[1][..] + ...), where x holds k elements `x_stride` apart.
template <class T> void add_rows(T* c, std::int64_t n, const T* x, std::int64_t x_stride, std::int64_t k, const T* b, std::int64_t b_stride, T alpha) {
    using Rows = Elements<T, Eigen::ColMajor>;
    using Vector = Elements<T, Eigen::RowMajor>;
    Eigen::internal::general_matrix_vector_product<Eigen::Index, T, Rows, Eigen::ColMajor, false, T, Vector, false>::run(
        n, k, Rows(b, b_stride), Vector(x, x_stride), c, 1, alpha);
}

/// c[j c_stride] += alpha (x . b[j][..]) for j in [0, n), where x holds k elements side by side.
template <class T> void add_dots(T* c, std::int64_t c_stride, std::int64_t n, const T* x, std::int64_t k, const T* b, std::int64_t b_stride, T alpha) {
    using Rows = Elements<T, Eigen::RowMajor>;
    using Vector = Elements<T, Eigen::ColMajor>;
    Eigen::internal::general_matrix_vector_product<Eigen::Index, T, Rows, Eigen::RowMajor, false, T, Vector, false>::run(
        n, k, Rows(b, b_stride), Vector(x, 1), c, c_stride, alpha);
}

}  // namespace detail

/// Bytes, 64-byte aligned, that a product of these extents works in.
template <class T> std::size_t workspace_bytes(std::int64_t m, std::int64_t n, std::int64_t k) {
    return m == 0 || n == 0 || k == 0 ? 0 : detail::Packing<T>(m, n, k).bytes();
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

/// c += alpha op(a) op(b), where rows of c lie `c_stride` elements apart.
///
/// Shapes    op(a) [m,k], op(b) [k,n], c [m,n]
/// Values    float, double; c overlaps neither factor; extents may be 0
/// Cost      2 m n k flops; packs into `workspace`, workspace_bytes(m, n, k) of it
template <class T>
void add(T* c, std::int64_t c_stride, Factor<T> a, Factor<T> b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, std::byte* workspace) {
    if (m == 0 || n == 0 || k == 0) return;
    const std::int64_t a_step = a.transposed ? a.stride : 1, b_step = b.transposed ? 1 : b.stride;  // along k
    if (m == 1 && !b.transposed) detail::add_rows(c, n, a.data, a_step, k, b.data, b.stride, alpha);
    else if (m == 1 && a_step == 1) detail::add_dots(c, 1, n, a.data, k, b.data, b.stride, alpha);
    else if (n == 1 && !a.transposed && b_step == 1) detail::add_dots(c, c_stride, m, b.data, k, a.data, a.stride, alpha);
    else if (n == 1 && a.transposed && c_stride == 1) detail::add_rows(c, m, b.data, b_step, k, a.data, a.stride, alpha);
    else if (a.transposed && b.transposed) detail::add_packed<T, true, true>(c, c_stride, a, b, m, n, k, alpha, workspace);
    else if (a.transposed) detail::add_packed<T, true, false>(c, c_stride, a, b, m, n, k, alpha, workspace);
    else if (b.transposed) detail::add_packed<T, false, true>(c, c_stride, a, b, m, n, k, alpha, workspace);
    else detail::add_packed<T, false, false>(c, c_stride, a, b, m, n, k, alpha, workspace);
}

/// c = op(a) op(b); zeros if k = 0. Otherwise as add().
template <class T> void multiply(T* c, std::int64_t c_stride, Factor<T> a, Factor<T> b, std::int64_t m, std::int64_t n, std::int64_t k, std::byte* workspace) {
    for (std::int64_t i = 0; i < m; ++i) std::fill_n(c + i * c_stride, n, T(0));
    add(c, c_stride, a, b, m, n, k, T(1), workspace);
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
