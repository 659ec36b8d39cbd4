// How threads share a product: each makes some of its columns or some of its rows.
#pragma once
#include "gemm.hpp"
#include "share.hpp"

namespace tenon::gemm {

/// About how long a product takes on one thread.
template <class T> double nanoseconds(std::int64_t m, std::int64_t n, std::int64_t k) {
    return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) * sizeof(T) / 512;
}

/// What of the result one share is. Borders lie where tiles end: a tile that is not whole rounds otherwise when it is added.
struct Part { Share::Range rows, columns; };

/// Every share packs all of one factor, so columns are shared where the rows are fewer. There are less than `most` where that would leave one too small
/// to be made in tiles.
template <class T> class Parts {
    std::int64_t m_, n_, row_, column_;
    bool by_columns_;
    int count_;

public:
    Parts(std::int64_t m, std::int64_t n, std::int64_t k, int most, Machine on = machine()) : m_(m), n_(n) {
        const Tiles<T>& t = tiles_for<T>(on);
        row_ = n == 1 ? 4 * t.lanes : t.rows, column_ = 2 * t.lanes;  // a column is made as a row, of less than four registers in another order
        by_columns_ = n / column_ >= 2 * most && (m <= n || m / row_ < 2 * most);
        count_ = static_cast<int>(std::max<std::int64_t>(std::min({std::int64_t{most}, by_columns_ ? n / column_ : m / row_, m * n * k / 4096}), 1));
    }
    int count() const { return count_; }
    Part operator[](int i) const {
        const Share share{i, count_};
        return by_columns_ ? Part{{0, m_}, share.of(n_, column_)} : Part{share.of(m_, row_), {0, n_}};
    }
};

/// The factors of a part.
template <class T> Factor<T> rows_of(Factor<T> a, Share::Range r) { return {a.data + (a.transposed ? r.from : r.from * a.stride), a.stride, a.transposed}; }
template <class T> Factor<T> columns_of(Factor<T> b, Share::Range r) { return {b.data + (b.transposed ? r.from * b.stride : r.from), b.stride, b.transposed}; }

}  // namespace tenon::gemm
