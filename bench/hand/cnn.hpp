// The convolutional net by hand: patches of one image at a time, so that they stay in the cache, and Eigen's products. Images are NHWC, padding SAME.
#pragma once
#include "pieces.hpp"

#include <algorithm>

namespace hand {

/// Adam over one parameter, in one pass: a block of all four arrays is in the cache while it is worked on.
struct AdamState {
    Row m, v, g;
    explicit AdamState(Index size) : m(Row::Zero(size)), v(Row::Zero(size)), g(size) {}
    void update(float* parameter, float step_size) {
        constexpr Index block = 1024;
        Eigen::Map<Row> p(parameter, m.size());
        for (Index at = 0; at < m.size(); at += block) {
            const Index n = std::min(block, m.size() - at);
            auto mean = m.segment(at, n).array(), square = v.segment(at, n).array();
            const auto gradient = g.segment(at, n).array();
            mean = .9f * mean + .1f * gradient;
            square = .999f * square + .001f * gradient.square();
            p.segment(at, n).array() -= step_size * mean / (square.sqrt() + 1e-8f);
        }
    }
};

/// 5x5 over [side, side, in] images, bias, and relu of the largest of each 2x2.
template <int side, int in, int out> struct ConvolutionAndPool {
    static constexpr int taps = 25 * in, pixels = side * side, half = side / 2, padded = side + 4;
    Rows kernel{taps, out}, patches{pixels, taps}, d_patches{pixels, taps}, dy{pixels, out};
    Row bias = Row::Constant(out, .1f), framed = Row::Zero(padded * padded * in);

    void cut(const float* image) {
        for (int h = 0; h < side; ++h) std::copy_n(image + h * side * in, side * in, framed.data() + ((h + 2) * padded + 2) * in);
        float* to = patches.data();
        for (int h = 0; h < side; ++h)
            for (int w = 0; w < side; ++w)
                for (int i = 0; i < 5; ++i, to += 5 * in) std::copy_n(framed.data() + ((h + i) * padded + w) * in, 5 * in, to);
    }
    /// y keeps what the pool chose from.
    void forward(const float* image, float* y, float* pooled) {
        cut(image);
        Eigen::Map<Rows> all(y, pixels, out);
        all.noalias() = patches * kernel;
        all.rowwise() += bias;
        each_window(y, [&](const float* first, Index at) {
            const float *second = first + out, *third = first + side * out, *fourth = third + out;
            for (int k = 0; k < out; ++k) pooled[at + k] = std::max(std::max(std::max(first[k], second[k]), std::max(third[k], fourth[k])), 0.f);
        });
    }
    /// Adds to the gradients of kernel and bias; `dx` is what arrives at the image, if anybody asks.
    void backward(const float* image, const float* y, const float* pooled, const float* d_pooled, float* d_kernel, float* d_bias, float* dx) {
        cut(image);
        each_window(y, [&](const float* first, Index at) {
            for (const int corner : {0, 1, side, side + 1}) {
                const float* from = first + corner * out;
                float* to = dy.data() + (from - y);
                for (int k = 0; k < out; ++k) to[k] = from[k] == pooled[at + k] && pooled[at + k] > 0 ? d_pooled[at + k] : 0.f;
            }
        });
        Eigen::Map<Rows>(d_kernel, taps, out).noalias() += patches.transpose() * dy;
        Eigen::Map<Row>(d_bias, out) += dy.colwise().sum();
        if (!dx) return;
        d_patches.noalias() = dy * kernel.transpose();
        std::fill_n(dx, pixels * in, 0.f);
        for (int h = 0; h < side; ++h)
            for (int w = 0; w < side; ++w)
                for (int i = std::max(0, 2 - h); i < std::min(5, side + 2 - h); ++i) {
                    const int from = std::max(0, 2 - w), to = std::min(5, side + 2 - w);
                    const float* d = d_patches.data() + ((h * side + w) * 25 + i * 5 + from) * in;
                    float* sum = dx + ((h + i - 2) * side + w + from - 2) * in;
                    for (int k = 0; k < (to - from) * in; ++k) sum[k] += d[k];
                }
    }

private:
    template <class F> static void each_window(const float* y, F f) {
        for (int h = 0; h < half; ++h)
            for (int w = 0; w < half; ++w) f(y + (2 * h * side + 2 * w) * out, Index(h * half + w) * out);
    }
};

/// 5x5x32, pool, 5x5x64, pool, 1024, 10; Adam at 1e-4.
class Cnn {
    static constexpr int features = 7 * 7 * 64, units = 1024, classes = 10;
    Index batch_;
    Rows images_, y1_, pooled1_, y2_, pooled2_, hidden_, logits_, labels_, d_hidden_, d_pooled2_;
    Row d_pooled1_{14 * 14 * 32};
    ConvolutionAndPool<28, 1, 32> first_;
    ConvolutionAndPool<14, 32, 64> second_;
    Rows w3_ = drawn(features, units, .1f, 12), w4_ = drawn(units, classes, .1f, 13);
    Row b3_ = Row::Constant(units, .1f), b4_ = Row::Constant(classes, .1f);
    std::vector<AdamState> state_;
    int steps_ = 0;

public:
    Cnn(Index batch, bool trains)
        : batch_(batch), images_(drawn(batch, 28 * 28, .5f, 1, .5f)), y1_(batch, 28 * 28 * 32), pooled1_(batch, 14 * 14 * 32), y2_(batch, 14 * 14 * 64), pooled2_(batch, features), hidden_(batch, units),
          logits_(batch, classes), labels_(one_hot(batch, classes)), d_hidden_(batch, units), d_pooled2_(batch, features) {
        draw(first_.kernel, .1f, 10), draw(second_.kernel, .1f, 11);
        if (trains) for (const Index size : {25 * 32, 32, 25 * 32 * 64, 64, features * units, units, units * classes, classes}) state_.emplace_back(size);
    }
    float infer() {
        for (Index i = 0; i < batch_; ++i) {
            first_.forward(images_.row(i).data(), y1_.row(i).data(), pooled1_.row(i).data());
            second_.forward(pooled1_.row(i).data(), y2_.row(i).data(), pooled2_.row(i).data());
        }
        hidden_.noalias() = pooled2_ * w3_;
        add_bias_and_relu(hidden_, b3_);
        logits_.noalias() = hidden_ * w4_;
        logits_.rowwise() += b4_;
        return logits_(0, 0);
    }
    float train() {
        infer();
        const float loss = softmax_cross_entropy(logits_, labels_);
        d_hidden_.noalias() = logits_ * w4_.transpose();
        through_relu(d_hidden_, hidden_);
        d_pooled2_.noalias() = d_hidden_ * w3_.transpose();
        for (std::size_t k = 0; k < 4; ++k) state_[k].g.setZero();
        Eigen::Map<Rows>(state_[4].g.data(), features, units).noalias() = pooled2_.transpose() * d_hidden_;
        state_[5].g = d_hidden_.colwise().sum();
        Eigen::Map<Rows>(state_[6].g.data(), units, classes).noalias() = hidden_.transpose() * logits_;
        state_[7].g = logits_.colwise().sum();
        for (Index i = 0; i < batch_; ++i) {
            second_.backward(pooled1_.row(i).data(), y2_.row(i).data(), pooled2_.row(i).data(), d_pooled2_.row(i).data(), state_[2].g.data(), state_[3].g.data(), d_pooled1_.data());
            first_.backward(images_.row(i).data(), y1_.row(i).data(), pooled1_.row(i).data(), d_pooled1_.data(), state_[0].g.data(), state_[1].g.data(), nullptr);
        }
        ++steps_;
        const float step_size = 1e-4f * std::sqrt(1 - std::pow(.999f, float(steps_))) / (1 - std::pow(.9f, float(steps_)));
        float* parameters[]{first_.kernel.data(), first_.bias.data(), second_.kernel.data(), second_.bias.data(), w3_.data(), b3_.data(), w4_.data(), b4_.data()};
        for (std::size_t k = 0; k < 8; ++k) state_[k].update(parameters[k], step_size);
        return loss;
    }
};

}  // namespace hand
