// Perceptrons by hand: a training step of gradient descent.
#pragma once
#include "pieces.hpp"

#include <vector>

namespace hand {

constexpr float rate = 1e-3f;

/// Any number of dense layers with relu between them, softmax cross entropy at the end.
struct Classifier {
    std::vector<Rows> w, a, d;  ///< a[0] is the batch; d[k] arrives at a[k]
    std::vector<Row> b;
    Rows labels;
    float loss = 0;

    Classifier(Index batch, const std::vector<Index>& widths) : labels(one_hot(batch, widths.back())) {
        a.push_back(drawn(batch, widths[0], 1, 1));
        for (std::size_t k = 0; k + 1 < widths.size(); ++k) {
            w.push_back(drawn(widths[k], widths[k + 1], std::pow(float(widths[k]), -.5f), 10 + int(k)));
            b.push_back(Row::Zero(widths[k + 1]));
            a.emplace_back(batch, widths[k + 1]);
        }
        for (const Rows& x : a) d.emplace_back(x.rows(), x.cols());
    }
    float step() {
        const std::size_t layers = w.size();
        for (std::size_t k = 0; k < layers; ++k) {
            a[k + 1].noalias() = a[k] * w[k];
            if (k + 1 < layers) add_bias_and_relu(a[k + 1], b[k]);
            else a[k + 1].rowwise() += b[k];
        }
        loss = softmax_cross_entropy(a[layers], labels);
        const Rows* arrives = &a[layers];
        for (std::size_t k = layers; k-- > 0;) {
            if (k > 0) {
                d[k].noalias() = *arrives * w[k].transpose();
                through_relu(d[k], a[k]);
            }
            w[k].noalias() -= (rate * a[k].transpose()) * *arrives;
            b[k] -= rate * arrives->colwise().sum();
            arrives = &d[k];
        }
        return loss;
    }
};

/// tanh, sigmoid, mean squared error; all extents constant, or all of them Eigen::Dynamic.
template <int B, int I, int H, int O> struct Tiny {
    Matrix<B, I> x;
    Matrix<B, O> y, p;
    Matrix<I, H> w1, dw1;
    RowOf<H> b1, db1;
    Matrix<H, O> w2, dw2;
    RowOf<O> b2, db2;
    Matrix<B, H> a, da;
    float loss = 0;

    Tiny(int batch, int inputs, int hidden, int outputs) {
        x.resize(batch, inputs), y.resize(batch, outputs), p.resize(batch, outputs), a.resize(batch, hidden), da.resize(batch, hidden);
        w1.resize(inputs, hidden), dw1.resize(inputs, hidden), w2.resize(hidden, outputs), dw2.resize(hidden, outputs);
        b1.resize(hidden), db1.resize(hidden), b2.resize(outputs), db2.resize(outputs);
        draw(x, 1, 1), draw(y, .5f, 2, .5f), draw(w1, std::pow(float(inputs), -.5f), 10), draw(w2, std::pow(float(hidden), -.5f), 11), b1.setZero(), b2.setZero();
    }
    float step() {
        const auto product = [](const auto& l, const auto& r) {
            if constexpr (B > 0) return l.lazyProduct(r);
            else return l * r;
        };
        a.noalias() = product(x, w1);
        a.array() = (a.rowwise() + b1).array().tanh();
        p.noalias() = product(a, w2);
        p.array() = ((p.rowwise() + b2).array() * .5f).tanh() * .5f + .5f;
        const float c = 2.f / float(p.size());
        loss = (p - y).squaredNorm() * .5f * c;
        p.array() = c * (p.array() - y.array()) * p.array() * (1.f - p.array());
        dw2.noalias() = product(a.transpose(), p);
        db2.noalias() = p.colwise().sum();
        da.noalias() = product(p, w2.transpose());
        da.array() *= 1.f - a.array().square();
        dw1.noalias() = product(x.transpose(), da);
        db1.noalias() = da.colwise().sum();
        w1 -= rate * dw1, b1 -= rate * db1, w2 -= rate * dw2, b2 -= rate * db2;
        return loss;
    }
};

}  // namespace hand
