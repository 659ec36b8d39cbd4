// Products where Eigen is told to call a BLAS. Its functions are here, so that nothing has to be installed and calls can be counted.
#define EIGEN_USE_BLAS
#include "../support/draw.hpp"

#include <doctest/doctest.h>
#include <tenon/tensor/gemm.hpp>
#include <tenon/tensor/tensor.hpp>

using namespace tenon;

namespace {

int calls = 0;

/// c = alpha op(a) op(b) + beta c, in Fortran's order.
template <class T> void blas_gemm(const char* ta, const char* tb, const int* m, const int* n, const int* k, const T* alpha, const T* a, const int* lda, const T* b, const int* ldb, const T* beta, T* c, const int* ldc) {
    ++calls;
    const auto at = [](const T* x, int ld, const char* transposed, int i, int j) { return *transposed == 'N' ? x[i + j * ld] : x[j + i * ld]; };
    for (int j = 0; j < *n; ++j)
        for (int i = 0; i < *m; ++i) {
            T sum = 0;
            for (int p = 0; p < *k; ++p) sum += at(a, *lda, ta, i, p) * at(b, *ldb, tb, p, j);
            T& to = c[i + j * *ldc];
            to = *alpha * sum + (*beta == T(0) ? T(0) : *beta * to);
        }
}
template <class T> void blas_gemv(const char* ta, const int* m, const int* n, const T* alpha, const T* a, const int* lda, const T* x, const int* step_x, const T* beta, T* y, const int* step_y) {
    const int one = 1, rows = *ta == 'N' ? *m : *n, depth = *ta == 'N' ? *n : *m;
    REQUIRE((*step_x == 1 && *step_y == 1));
    blas_gemm(ta, "N", &rows, &one, &depth, alpha, a, lda, x, &depth, beta, y, &rows);
}

}  // namespace

extern "C" {
int sgemm_(const char* ta, const char* tb, const int* m, const int* n, const int* k, const float* alpha, const float* a, const int* lda, const float* b, const int* ldb, const float* beta, float* c, const int* ldc) {
    return blas_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc), 0;
}
int dgemm_(const char* ta, const char* tb, const int* m, const int* n, const int* k, const double* alpha, const double* a, const int* lda, const double* b, const int* ldb, const double* beta, double* c, const int* ldc) {
    return blas_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc), 0;
}
int sgemv_(const char* ta, const int* m, const int* n, const float* alpha, const float* a, const int* lda, const float* x, const int* step_x, const float* beta, float* y, const int* step_y) {
    return blas_gemv(ta, m, n, alpha, a, lda, x, step_x, beta, y, step_y), 0;
}
int dgemv_(const char* ta, const int* m, const int* n, const double* alpha, const double* a, const int* lda, const double* x, const int* step_x, const double* beta, double* y, const int* step_y) {
    return blas_gemv(ta, m, n, alpha, a, lda, x, step_x, beta, y, step_y), 0;
}
}

TEST_CASE_TEMPLATE("a large product is the BLAS's where Eigen uses one, whatever lies how, and is finished like any other", T, float, double) {
    test::Draw draw(1);
    for (const bool large : {true, false})
        for (int way = 0; way < 16; ++way) {
            const bool ta = way & 1, tb = way & 2, adds = way & 4, finished = way & 8;
            const std::int64_t m = large ? 33 + draw.below(9) : 3, n = large ? 40 + draw.below(9) : 5, k = large ? 50 + draw.below(9) : 7;
            const std::int64_t as = (ta ? m : k) + draw.below(3), bs = (tb ? k : n) + draw.below(3), cs = n + draw.below(3);
            const auto a = draw.numbers<T>((ta ? k : m) * as), b = draw.numbers<T>((tb ? n : k) * bs), offset = draw.numbers<T>(n), before = draw.numbers<T>(m * cs);
            auto c = before;
            const gemm::Factor<T> x{a.data(), as, ta}, y{b.data(), bs, tb};
            gemm::Epilogue<T> end;
            if (finished) end.offset = offset.data(), end.rectifies = true;
            Buffer workspace(gemm::workspace_bytes<T>(m, n, k));
            calls = 0;
            if (adds) gemm::add(c.data(), cs, x, y, m, n, k, T(-2), workspace.data());
            else gemm::multiply(c.data(), cs, x, y, m, n, k, workspace.data(), machine(), end);
            CHECK(calls == (large ? 1 : 0));
            double worst = 0;
            for (std::int64_t i = 0; i < m; ++i)
                for (std::int64_t j = 0; j < cs; ++j) {
                    const auto at = static_cast<std::size_t>(i * cs + j);
                    double expected = before[at], sum = 0;
                    for (std::int64_t p = 0; p < k; ++p) sum += j < n ? double(a[std::size_t(ta ? p * as + i : i * as + p)]) * double(b[std::size_t(tb ? j * bs + p : p * bs + j)]) : 0;
                    if (j < n && adds) expected -= 2 * sum;
                    else if (j < n) expected = finished ? std::max(0., sum + double(offset[std::size_t(j)])) : sum;
                    worst = std::max(worst, std::abs(double(c[at]) - expected));
                }
            CAPTURE(way);
            CHECK(worst <= std::numeric_limits<T>::epsilon() * 80);
        }
}
