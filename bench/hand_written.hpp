// What a careful programmer writes by hand with Eigen: the references that tenon is measured against. Everything is allocated once.
#pragma once
#include <Eigen/Core>
#include <cmath>

namespace hand {

constexpr float rate = 1e-3f;

template <int R, int C> using Matrix = Eigen::Matrix<float, R, C, (C == 1 && R != 1) ? Eigen::ColMajor : Eigen::RowMajor>;
template <int C> using Row = Eigen::Matrix<float, 1, C, Eigen::RowMajor>;

/// Two dense layers; B, I, H, O (batch, inputs, hidden, outputs) may be Eigen::Dynamic.
template <int B, int I, int H, int O> struct Layers {
    Matrix<B, I> x;
    Matrix<B, O> y, p;
    Matrix<I, H> w1, dw1;
    Row<H> b1, db1;
    Matrix<H, O> w2, dw2;
    Row<O> b2, db2;
    Matrix<B, H> a, da;
    float loss = 0;

    void init(int b, int i, int h, int o) {
        const auto random = [](auto& m, int rows, int columns, float scale) {
            m.resize(rows, columns);
            m.setRandom();
            m *= scale;
        };
        random(x, b, i, 1);
        y.resize(b, o);
        y.setZero();
        for (int k = 0; k < b; ++k) y(k, k % o) = 1;
        random(w1, i, h, 1 / std::sqrt(float(i)));
        random(w2, h, o, 1 / std::sqrt(float(h)));
        b1.resize(h), b2.resize(o), b1.setZero(), b2.setZero();
        a.resize(b, h), da.resize(b, h), p.resize(b, o), dw1.resize(i, h), db1.resize(h), dw2.resize(h, o), db2.resize(o);
    }
    void descend() { w1 -= rate * dw1, b1 -= rate * db1, w2 -= rate * dw2, b2 -= rate * db2; }
};

/// relu, softmax cross entropy, gradient descent.
struct Classifier : Layers<-1, -1, -1, -1> {
    void step() {
        a.noalias() = x * w1;
        a.array() = (a.rowwise() + b1).array().max(0.f);
        p.noalias() = a * w2;
        p.rowwise() += b2;
        float sum = 0;
        const float per_row = 1.f / float(p.rows());
        for (Eigen::Index r = 0; r < p.rows(); ++r) {
            auto row = p.row(r).array();
            const float top = row.maxCoeff();
            row = (row - top).exp();
            row *= 1 / row.sum();
            sum -= std::log((row * y.row(r).array()).sum());
            row = (row - y.row(r).array()) * per_row;
        }
        loss = sum * per_row;
        dw2.noalias() = a.transpose() * p;
        db2.noalias() = p.colwise().sum();
        da.noalias() = p * w2.transpose();
        da.array() = (a.array() > 0.f).select(da.array(), 0.f);
        dw1.noalias() = x.transpose() * da;
        db1.noalias() = da.colwise().sum();
        descend();
    }
};

/// tanh, sigmoid, mean squared error, gradient descent: all extents constant.
template <int B, int I, int H, int O> struct Tiny : Layers<B, I, H, O> {
    void step() {
        auto &s = *this;
        const auto product = [](const auto& l, const auto& r) {
            if constexpr (B > 0) return l.lazyProduct(r);
            else return l * r;
        };
        s.a.noalias() = product(s.x, s.w1);
        s.a.array() = (s.a.rowwise() + s.b1).array().tanh();
        s.p.noalias() = product(s.a, s.w2);
        s.p.array() = ((s.p.rowwise() + s.b2).array() * .5f).tanh() * .5f + .5f;
        const float c = 2.f / float(s.p.size());
        s.loss = (s.p - s.y).squaredNorm() * .5f * c;
        s.p.array() = c * (s.p.array() - s.y.array()) * s.p.array() * (1.f - s.p.array());
        s.dw2.noalias() = product(s.a.transpose(), s.p);
        s.db2.noalias() = s.p.colwise().sum();
        s.da.noalias() = product(s.p, s.w2.transpose());
        s.da.array() *= 1.f - s.a.array().square();
        s.dw1.noalias() = product(s.x.transpose(), s.da);
        s.db1.noalias() = s.da.colwise().sum();
        s.descend();
    }
};

}  // namespace hand
