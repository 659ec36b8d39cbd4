// Softmax over the rows of a matrix, and the cross entropies that fuse it with their gradient.
//
// x, y, labels and backprop are [rows, classes]. The greatest logit of a row is taken off first. A row with NaN or +inf, or of -inf alone, is NaN.
#pragma once
#include "exp_lanes.hpp"
#include "lanes.hpp"
#include "view.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace tenon::by_row {  // a function of the library is named softmax

namespace detail {

inline constexpr std::int64_t block = 1024;  // elements per call of exp, whose vectors short rows alone would not fill

/// The greatest of n elements; that or NaN if NaN is among them.
template <class T> T greatest(const T* x, std::int64_t n) {
    using namespace Eigen::internal;
    using Packet = typename packet_traits<T>::type;
    constexpr std::int64_t width = packet_traits<T>::size;
    T m = -std::numeric_limits<T>::infinity();
    std::int64_t i = 0;
    if (n >= 2 * width) {
        Packet a = ploadu<Packet>(x), b = ploadu<Packet>(x + width);
        for (i = 2 * width; i + 2 * width <= n; i += 2 * width) a = pmax(a, ploadu<Packet>(x + i)), b = pmax(b, ploadu<Packet>(x + i + width));
        m = predux_max(pmax(a, b));
    }
    for (; i < n; ++i) m = x[i] > m ? x[i] : m;
    return m;
}
template <class T> T sum(const T* x, std::int64_t n) {
    using namespace Eigen::internal;
    using Packet = typename packet_traits<T>::type;
    constexpr std::int64_t width = packet_traits<T>::size;
    T s = 0;
    std::int64_t i = 0;
    if (n >= 2 * width) {
        Packet a = ploadu<Packet>(x), b = ploadu<Packet>(x + width);
        for (i = 2 * width; i + 2 * width <= n; i += 2 * width) a = padd(a, ploadu<Packet>(x + i)), b = padd(b, ploadu<Packet>(x + i + width));
        s = predux(padd(a, b));
    }
    for (; i < n; ++i) s += x[i];
    return s;
}

/// Of x y and of x.
template <class T> struct DotAndSum { T dot, sum; };
template <class T> DotAndSum<T> dot_and_sum(const T* x, const T* y, std::int64_t n) {
    using namespace Eigen::internal;
    using Packet = typename packet_traits<T>::type;
    constexpr std::int64_t width = packet_traits<T>::size;
    DotAndSum<T> r{0, 0};
    std::int64_t i = 0;
    if (n >= 2 * width) {
        Packet sum[2] = {ploadu<Packet>(x), ploadu<Packet>(x + width)}, dot[2] = {pmul(sum[0], ploadu<Packet>(y)), pmul(sum[1], ploadu<Packet>(y + width))};
        for (i = 2 * width; i + 2 * width <= n; i += 2 * width)
            for (std::int64_t k = 0; k < 2; ++k) {
                const Packet p = ploadu<Packet>(x + i + k * width);
                dot[k] = pmadd(p, ploadu<Packet>(y + i + k * width), dot[k]), sum[k] = padd(sum[k], p);
            }
        r = {predux(padd(dot[0], dot[1])), predux(padd(sum[0], sum[1]))};
    }
    for (; i < n; ++i) r.dot += x[i] * y[i], r.sum += x[i];
    return r;
}

/// y = x less the greatest of its row. Where that is infinite, and where NaN is in the row, a NaN is in y, and exponentials carry it to the row's sum.
template <class T> void shift(const T* x, T* y, std::int64_t rows, std::int64_t classes) {
    for (std::int64_t r = 0; r < rows; ++r) {
        const T off = greatest(x + r * classes, classes);
        for_each_lane(classes, [=, from = x + r * classes, to = y + r * classes](std::int64_t c) { to[c] = from[c] - off; });
    }
}

/// As many rows as fill a block, at least one.
constexpr std::int64_t rows_of_block(std::int64_t classes) { return std::max<std::int64_t>(block / std::max<std::int64_t>(classes, 1), 1); }
/// step(first row, rows) for each block.
template <class Step> void for_each_block(std::int64_t rows, std::int64_t classes, Step step) {
    if (classes == 0) return;
    const std::int64_t some = rows_of_block(classes);
    for (std::int64_t r = 0; r < rows; r += some) step(r, std::min(some, rows - r));
}

/// Shifts the logits into `y`, lets see(row, shifted logits) read them, makes them exponentials and calls finish(row, exponentials, their sum).
template <class T, class See, class Finish> void each_row(const T* x, T* y, std::int64_t rows, std::int64_t classes, See see, Finish finish) {
    for_each_block(rows, classes, [&](std::int64_t first, std::int64_t n) {
        T* const part = y + first * classes;
        shift(x + first * classes, part, n, classes);
        for (std::int64_t r = 0; r < n; ++r) see(first + r, part + r * classes);
        lanes::exp(part, part, n * classes);
        for (std::int64_t r = 0; r < n; ++r) finish(first + r, part + r * classes, sum(part + r * classes, classes));
    });
}

}  // namespace detail

/// y = exp(x) / sum exp(x), row by row; y may be x.
///
/// Source    TensorFlow op Softmax
template <class T> void softmax(const T* x, T* y, std::int64_t rows, std::int64_t classes) {
    detail::each_row(x, y, rows, classes, [](std::int64_t, const T*) {}, [=](std::int64_t, T* row, T sum) {
        for_each_lane(classes, [row, scale = T(1) / sum](std::int64_t c) { row[c] *= scale; });
    });
}

/// y = x - log sum exp(x), row by row; y may be x.
///
/// Source    TensorFlow op LogSoftmax
template <class T> void log_softmax(const T* x, T* y, std::int64_t rows, std::int64_t classes) {
    detail::for_each_block(rows, classes, [&](std::int64_t first, std::int64_t n) {
        T exponentials[detail::block];
        T* const part = y + first * classes;
        detail::shift(x + first * classes, part, n, classes);
        if (classes <= detail::block) lanes::exp(part, exponentials, n * classes);
        for (std::int64_t r = 0; r < n; ++r) {
            T sum = classes <= detail::block ? detail::sum(exponentials + r * classes, classes) : T(0);
            for (std::int64_t c = 0; c < classes && classes > detail::block; c += detail::block) {
                const std::int64_t some = std::min(detail::block, classes - c);
                lanes::exp(part + c, exponentials, some);
                sum += detail::sum(exponentials, some);
            }
            for_each_lane(classes, [row = part + r * classes, off = std::log(sum)](std::int64_t c) { row[c] -= off; });
        }
    });
}

/// loss[r] = -sum labels log softmax(logits), in nats, and backprop = softmax(logits) - labels, its gradient if a row of labels sums to 1.
///
/// Values    a label of 0 times a logit of -inf is NaN, as in TensorFlow; backprop may be logits, not labels
/// Source    TensorFlow op SoftmaxCrossEntropyWithLogits
template <class T> void cross_entropy(const T* logits, const T* labels, T* loss, T* backprop, std::int64_t rows, std::int64_t classes) {
    if (classes == 0) std::fill_n(loss, rows, T(0));
    T weight[detail::block];  // the sums of the labels of a block's rows
    const std::int64_t some = detail::rows_of_block(classes);
    detail::each_row(logits, backprop, rows, classes, [=, &weight](std::int64_t r, const T* shifted) {
        const auto [dot, sum] = detail::dot_and_sum(labels + r * classes, shifted, classes);
        loss[r] = -dot;
        weight[r % some] = sum;
    }, [=, &weight](std::int64_t r, T* row, T sum) {
        loss[r] += weight[r % some] * std::log(sum);
        for_each_lane(classes, [row, label = labels + r * classes, scale = T(1) / sum](std::int64_t c) { row[c] = row[c] * scale - label[c]; });
    });
}

/// The same with one class per row for a label: loss[r] = -log softmax(logits)[r, labels[r]].
///
/// Errors    the index of the first label outside [0, classes), nothing having been written; -1 if there is none
/// Source    TensorFlow op SparseSoftmaxCrossEntropyWithLogits
template <class T, class Index>
[[nodiscard]] std::int64_t sparse_cross_entropy(const T* logits, const Index* labels, T* loss, T* backprop, std::int64_t rows, std::int64_t classes) {
    for (std::int64_t r = 0; r < rows; ++r)
        if (labels[r] < 0 || labels[r] >= classes) return r;
    detail::each_row(logits, backprop, rows, classes, [=](std::int64_t r, const T* shifted) { loss[r] = -shifted[labels[r]]; }, [=](std::int64_t r, T* row, T sum) {
        loss[r] += std::log(sum);
        for_each_lane(classes, [row, scale = T(1) / sum](std::int64_t c) { row[c] *= scale; });
        row[labels[r]] -= T(1);
    });
    return -1;
}

}  // namespace tenon::by_row
