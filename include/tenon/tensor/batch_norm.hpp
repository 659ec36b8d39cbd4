// Batch normalisation with its statistics, and its gradient, for channels last or first.
//
// x, y [outer, channels, inner]; scale, offset, mean, variance [channels]. T is the type of x and y; U, in which everything is computed, that of the rest.
// Source: TensorFlow ops FusedBatchNorm, V2, V3 and their gradients, tensorflow/core/kernels/fused_batch_norm_op.cc.
#pragma once
#include "lanes.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace tenon::batch_norm {

struct Shape {
    std::int64_t outer = 0, channels = 0, inner = 1;

    static constexpr Shape nhwc(std::int64_t batch, std::int64_t h, std::int64_t w, std::int64_t channels) { return {batch * h * w, channels, 1}; }
    static constexpr Shape nchw(std::int64_t batch, std::int64_t channels, std::int64_t h, std::int64_t w) { return {batch, channels, h * w}; }
    /// Elements per channel.
    constexpr std::int64_t count() const { return outer * inner; }
};

namespace detail {

/// sums[c] = the sum of term(i, c) over the elements i of channel c. Sums are made of about sqrt(n) sums, so that
/// the rounding of a million floats is that of two thousand.
template <class U, class Term> void sum_channels(const Shape& s, U* sums, Term term) {
    constexpr std::int64_t lanes = 16;
    const std::int64_t rows = std::max<std::int64_t>(64, static_cast<std::int64_t>(std::sqrt(static_cast<double>(s.inner == 1 ? s.outer : s.count() / lanes))));
    std::fill_n(sums, s.channels, U(0));
    const auto total = [](const U* part) {
        U t = 0;
        for (std::int64_t l = 0; l < lanes; ++l) t += part[l];
        return t;
    };
    if (s.inner == 1) {
        for (std::int64_t from = 0; from < s.outer; from += rows)
            for (std::int64_t c = 0; c < s.channels; c += lanes) {
                U part[lanes] = {};
                const std::int64_t n = std::min(lanes, s.channels - c), end = std::min(from + rows, s.outer);
                for (std::int64_t r = from; r < end; ++r)
                    for_each_lane(n, [&, first = r * s.channels + c](std::int64_t l) { part[l] += term(first + l, c + l); });
                for (std::int64_t l = 0; l < n; ++l) sums[c + l] += part[l];
            }
        return;
    }
    for (std::int64_t o = 0; o < s.outer; ++o)
        for (std::int64_t c = 0; c < s.channels; ++c)
            for (std::int64_t from = 0, plane = (o * s.channels + c) * s.inner; from < s.inner; from += lanes * rows) {
                U part[lanes] = {};
                for (std::int64_t i = from, end = std::min(from + lanes * rows, s.inner); i < end; i += lanes)
                    for_each_lane(std::min(lanes, end - i), [&](std::int64_t l) { part[l] += term(plane + i + l, c); });
                sums[c] += total(part);
            }
}

/// step(i, c) for every element i, of channel c.
template <class Step> void for_each_element(const Shape& s, Step step) {
    if (s.inner == 1)
        for (std::int64_t r = 0; r < s.outer; ++r) for_each_lane(s.channels, [&, first = r * s.channels](std::int64_t c) { step(first + c, c); });
    else
        for (std::int64_t plane = 0; plane < s.outer * s.channels; ++plane)
            for_each_lane(s.inner, [&, first = plane * s.inner, c = plane % s.channels](std::int64_t i) { step(first + i, c); });
}

template <class U> U* factors(std::byte* workspace) { return reinterpret_cast<U*>(workspace); }

}  // namespace detail

/// Bytes of workspace, 64-byte aligned, of each function below that takes one.
template <class U> constexpr std::size_t workspace_bytes(const Shape& s) { return 2 * static_cast<std::size_t>(s.channels) * sizeof(U); }

/// y = (x - mean) scale / sqrt(variance + epsilon) + offset, with statistics that are given.
template <class T, class U>
void inference(const Shape& s, const T* x, const U* scale, const U* offset, const U* mean, const U* variance, U epsilon, T* y, std::byte* workspace) {
    U* const factor = detail::factors<U>(workspace);
    for (std::int64_t c = 0; c < s.channels; ++c) factor[c] = scale[c] / std::sqrt(variance[c] + epsilon);
    detail::for_each_element(s, [=](std::int64_t i, std::int64_t c) { y[i] = static_cast<T>((static_cast<U>(x[i]) - mean[c]) * factor[c] + offset[c]); });
}

/// y = factor x + shift is inference(), of so many channels; of a mean far larger than x - mean it keeps fewer digits.
template <class U> void fold(std::int64_t channels, const U* scale, const U* offset, const U* mean, const U* variance, U epsilon, U* factor, U* shift) {
    for (std::int64_t c = 0; c < channels; ++c) {
        factor[c] = scale[c] / std::sqrt(variance[c] + epsilon);
        shift[c] = offset[c] - mean[c] * factor[c];
    }
}

/// inference() with the batch's own statistics, which it writes: `variance` is the biased one. They are NaN if the batch is empty.
template <class T, class U>
void training(const Shape& s, const T* x, const U* scale, const U* offset, U epsilon, T* y, U* mean, U* variance, std::byte* workspace) {
    const U n = static_cast<U>(s.count());
    detail::sum_channels(s, mean, [=](std::int64_t i, std::int64_t) { return static_cast<U>(x[i]); });
    for (std::int64_t c = 0; c < s.channels; ++c) mean[c] /= n;
    detail::sum_channels(s, variance, [=](std::int64_t i, std::int64_t c) {
        const U d = static_cast<U>(x[i]) - mean[c];
        return d * d;
    });
    for (std::int64_t c = 0; c < s.channels; ++c) variance[c] /= n;
    inference(s, x, scale, offset, mean, variance, epsilon, y, workspace);
}

/// The outputs batch_mean and batch_variance of a training step: (1 - factor) before + factor now, the variance of now being the unbiased one,
/// n / max(n - 1, 1) of `variance`. With factor 1 the values before are not read and may be null.
template <class U>
void averages(const Shape& s, U factor, const U* mean_before, const U* variance_before, const U* mean, const U* variance, U* batch_mean, U* batch_variance) {
    const U unbias = static_cast<U>(s.count()) / static_cast<U>(std::max<std::int64_t>(s.count() - 1, 1));
    for (std::int64_t c = 0; c < s.channels; ++c) {
        batch_mean[c] = factor == U(1) ? mean[c] : (U(1) - factor) * mean_before[c] + factor * mean[c];
        batch_variance[c] = factor == U(1) ? variance[c] * unbias : (U(1) - factor) * variance_before[c] + factor * variance[c] * unbias;
    }
}

/// The gradient of training() with respect to x, scale and offset, from that of y; `mean` and `variance` are those it wrote.
///
/// Gradient  with z = (x - mean) / sqrt(variance + epsilon):  doffset = sum g,  dscale = sum g z,  dx = scale / sqrt(variance + epsilon) (g - mean g - z mean(g z))
template <class T, class U>
void training_grad(const Shape& s, const T* g, const T* x, const U* scale, const U* mean, const U* variance, U epsilon, T* dx, U* dscale, U* doffset, std::byte* workspace) {
    U *const outer = detail::factors<U>(workspace), *const slope = outer + s.channels;
    const U n = static_cast<U>(std::max<std::int64_t>(s.count(), 1));
    detail::sum_channels(s, doffset, [=](std::int64_t i, std::int64_t) { return static_cast<U>(g[i]); });
    detail::sum_channels(s, dscale, [=](std::int64_t i, std::int64_t c) { return static_cast<U>(g[i]) * (static_cast<U>(x[i]) - mean[c]); });
    if (s.count() == 0) return;  // zeros, whatever the statistics of nothing are
    for (std::int64_t c = 0; c < s.channels; ++c) {
        const U r = U(1) / std::sqrt(variance[c] + epsilon);
        outer[c] = scale[c] * r;
        slope[c] = r * r * dscale[c] / n;
        dscale[c] *= r;
    }
    detail::for_each_element(s, [=](std::int64_t i, std::int64_t c) {
        dx[i] = static_cast<T>(outer[c] * (static_cast<U>(g[i]) - doffset[c] / n - (static_cast<U>(x[i]) - mean[c]) * slope[c]));
    });
}

/// The gradient of inference() with respect to x, scale and offset. None flows to the statistics, as in TensorFlow.
template <class T, class U>
void inference_grad(const Shape& s, const T* g, const T* x, const U* scale, const U* mean, const U* variance, U epsilon, T* dx, U* dscale, U* doffset, std::byte* workspace) {
    U* const factor = detail::factors<U>(workspace);
    detail::sum_channels(s, doffset, [=](std::int64_t i, std::int64_t) { return static_cast<U>(g[i]); });
    detail::sum_channels(s, dscale, [=](std::int64_t i, std::int64_t c) { return static_cast<U>(g[i]) * (static_cast<U>(x[i]) - mean[c]); });
    for (std::int64_t c = 0; c < s.channels; ++c) {
        const U r = U(1) / std::sqrt(variance[c] + epsilon);
        factor[c] = scale[c] * r;
        dscale[c] *= r;
    }
    detail::for_each_element(s, [=](std::int64_t i, std::int64_t c) { dx[i] = static_cast<T>(static_cast<U>(g[i]) * factor[c]); });
}

}  // namespace tenon::batch_norm
