// What the hand-written nets beside this file share. All of them are what a careful programmer writes with Eigen: everything is allocated once, and
// an update goes into the product that makes its gradient.
#pragma once
#include <Eigen/Core>
#include <cmath>

#include "../numbers.hpp"

namespace hand {

template <int R, int C> using Matrix = Eigen::Matrix<float, R, C, (C == 1 && R != 1) ? Eigen::ColMajor : Eigen::RowMajor>;
template <int C> using RowOf = Eigen::Matrix<float, 1, C, Eigen::RowMajor>;
using Rows = Matrix<Eigen::Dynamic, Eigen::Dynamic>;
using Row = RowOf<Eigen::Dynamic>;
using Index = Eigen::Index;

template <class M> void draw(M& m, float scale, int seed, float plus = 0) { bench::numbers(m.data(), static_cast<std::size_t>(m.size()), scale, seed, plus); }
inline Rows drawn(Index rows, Index columns, float scale, int seed, float plus = 0) {
    Rows m(rows, columns);
    draw(m, scale, seed, plus);
    return m;
}
inline Rows one_hot(Index rows, Index columns) {
    Rows m(rows, columns);
    bench::one_hot(m.data(), static_cast<std::size_t>(rows), static_cast<std::size_t>(columns));
    return m;
}

/// y becomes relu(y + b).
inline void add_bias_and_relu(Rows& y, const Row& b) { y.array() = (y.rowwise() + b).array().max(0.f); }
/// d becomes zero where relu gave y = 0.
inline void through_relu(Rows& d, const Rows& y) { d.array() = (y.array() > 0.f).select(d.array(), 0.f); }

/// Mean softmax cross entropy; the logits become its gradient.
inline float softmax_cross_entropy(Rows& logits, const Rows& labels) {
    const float per_row = 1.f / float(logits.rows());
    float sum = 0;
    for (Index r = 0; r < logits.rows(); ++r) {
        auto row = logits.row(r).array();
        row = (row - row.maxCoeff()).exp();
        row *= 1 / row.sum();
        sum -= std::log((row * labels.row(r).array()).sum());
        row = (row - labels.row(r).array()) * per_row;
    }
    return sum * per_row;
}

}  // namespace hand
