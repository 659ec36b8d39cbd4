// The LSTM by hand: the inputs of all steps are multiplied at once, the weights get all of their gradient in two products at the end.
#pragma once
#include "pieces.hpp"

namespace hand {

class Lstm {
    static constexpr int steps = 28, inputs = 28, units = 128, gates = 4 * units, classes = 10, batch = 64;
    static constexpr float rate = 1e-3f;
    // Row t * batch + r is sequence r at step t; states begin a step earlier.
    Rows x_{steps * batch, inputs}, z_{steps * batch, gates}, h_ = Rows::Zero((steps + 1) * batch, units), c_ = h_, tanh_c_{steps * batch, units};
    Rows w_ = drawn(inputs + units, gates, .08f, 10), wo_ = drawn(units, classes, .08f, 11), logits_{batch, classes}, labels_ = one_hot(batch, classes), dh_{batch, units}, dc_{batch, units};
    Row b_ = Row::Zero(gates), bo_ = Row::Zero(classes);
    using Part = Eigen::Map<Eigen::Array<float, 1, units>>;

    /// Gates i, j, f, o of a row of z.
    Part gate(Index row, int k) { return Part(z_.row(row).data() + k * units); }
    static Part part(Rows& m, Index row) { return Part(m.row(row).data()); }

public:
    Lstm() {
        const Rows sequences = drawn(batch, steps * inputs, 1, 1);
        for (Index t = 0; t < steps; ++t)
            for (Index r = 0; r < batch; ++r) x_.row(t * batch + r) = sequences.row(r).segment(t * inputs, inputs);
    }
    float forward() {
        z_.noalias() = x_ * w_.topRows(inputs);
        for (Index t = 0; t < steps; ++t) {
            if (t > 0) z_.middleRows(t * batch, batch).noalias() += h_.middleRows(t * batch, batch) * w_.bottomRows(units);
            for (Index row = t * batch; row < (t + 1) * batch; ++row) {
                z_.row(row) += b_;
                Part i = gate(row, 0), j = gate(row, 1), f = gate(row, 2), o = gate(row, 3), c = part(c_, row + batch), squashed = part(tanh_c_, row);
                i = i.logistic(), j = j.tanh(), f = (f + 1.f).logistic(), o = o.logistic();
                c = f * part(c_, row) + i * j;
                squashed = c.tanh();
                part(h_, row + batch) = o * squashed;
            }
        }
        logits_.noalias() = h_.bottomRows(batch) * wo_;
        logits_.rowwise() += bo_;
        return logits_(0, 0);
    }
    float train() {
        forward();
        const float loss = softmax_cross_entropy(logits_, labels_);
        dh_.noalias() = logits_ * wo_.transpose();
        dc_.setZero();
        wo_.noalias() -= (rate * h_.bottomRows(batch).transpose()) * logits_;
        bo_ -= rate * logits_.colwise().sum();
        for (Index t = steps; t-- > 0;) {
            for (Index r = 0; r < batch; ++r) {  // z becomes what arrives at it
                const Index row = t * batch + r;
                Part i = gate(row, 0), j = gate(row, 1), f = gate(row, 2), o = gate(row, 3), dh = part(dh_, r), dc = part(dc_, r), squashed = part(tanh_c_, row);
                dc += dh * o * (1.f - squashed.square());
                o = dh * squashed * o * (1.f - o);
                const Eigen::Array<float, 1, units> di = dc * j * i * (1.f - i);
                j = dc * i * (1.f - j.square());
                i = di;
                const Eigen::Array<float, 1, units> kept = f;
                f = dc * part(c_, row) * kept * (1.f - kept);
                dc *= kept;
            }
            if (t > 0) dh_.noalias() = z_.middleRows(t * batch, batch) * w_.bottomRows(units).transpose();
        }
        b_ -= rate * z_.colwise().sum();
        w_.topRows(inputs).noalias() -= (rate * x_.transpose()) * z_;
        w_.bottomRows(units).noalias() -= (rate * h_.topRows(steps * batch).transpose()) * z_;
        return loss;
    }
};

}  // namespace hand
