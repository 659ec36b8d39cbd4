// Products by the BLAS that Eigen has been told to call (EIGEN_USE_BLAS), for machines whose own library beats the tiles.
#pragma once
#include <cstdint>

#if defined(EIGEN_USE_BLAS)
#include "view.hpp"
#endif

namespace tenon::gemm::detail {

#if defined(EIGEN_USE_BLAS)
inline constexpr bool has_blas = true;

/// c += alpha op(a) op(b) of matrices in C order; Factor as of gemm.hpp.
template <class T, class Factor> void add_by_blas(T* c, std::int64_t c_stride, Factor a, Factor b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha) {
    const auto lying = [](Factor f, std::int64_t rows, std::int64_t columns) { return matrix_map(f.data, f.transposed ? columns : rows, f.transposed ? rows : columns, f.stride); };
    const auto x = lying(a, m, k), y = lying(b, k, n);
    auto z = matrix_map(c, m, n, c_stride);
    if (a.transposed && b.transposed) z.noalias() += alpha * (x.transpose() * y.transpose());
    else if (a.transposed) z.noalias() += alpha * (x.transpose() * y);
    else if (b.transposed) z.noalias() += alpha * (x * y.transpose());
    else z.noalias() += alpha * (x * y);
}
#else
inline constexpr bool has_blas = false;
#endif

}  // namespace tenon::gemm::detail
