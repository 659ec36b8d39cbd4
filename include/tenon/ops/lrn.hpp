// Local response normalisation, as AlexNet has it.
//
// Source    TensorFlow ops LRN, LRNGrad; alpha is not divided by the window's size, as Caffe and ONNX do
#pragma once
#include "windows.hpp"

#include <cmath>

namespace tenon {

struct LRNGrad;

/// Each element by the squares of its neighbours: x / (bias + alpha sum x²)^beta over `depth_radius` channels on either side.
///
/// Shapes    x [batch,height,width,channels] -> the same
/// Values    float, half, bfloat16
/// Gradient  LRNGrad, which has none itself, as in TensorFlow
struct LRN {
    std::int64_t depth_radius = 5;
    float bias = 1, alpha = 1, beta = 0.5f;
    static constexpr const char* name = "LRN";
    static constexpr int arity = 1;
    static constexpr bool of_doubles = false;
    template <class Self = LRN> static constexpr auto params = members(attr("depth_radius", &Self::depth_radius), attr("bias", &Self::bias), attr("alpha", &Self::alpha), attr("beta", &Self::beta));
    constexpr Inferred infer(const Dims& x) const {
        if (x.rank != 4) return reject("[LRN] needs images [batch,height,width,channels]: ", x);
        if (depth_radius < 0) return reject("[LRN] depth_radius ", depth_radius, " is negative");
        return x;
    }
    struct Neighbours { std::int64_t first, last; };
    template <class = void> Neighbours of(std::int64_t c, std::int64_t channels) const { return {std::max<std::int64_t>(c - std::min(depth_radius, channels), 0), std::min(c + std::min(depth_radius, channels) + 1, channels)}; }
    template <class T> T norm(const T* row, Neighbours w) const {
        T sum = 0;
        for (auto i = w.first; i < w.last; ++i) sum += row[i] * row[i];
        return static_cast<T>(bias) + static_cast<T>(alpha) * sum;
    }
    /// norm^-beta; the exponents in use are roots, ten times as fast as std::pow.
    template <class T> T scale(T norm) const {
        if (beta == 0.5f) return T(1) / std::sqrt(norm);
        if (beta == 0.75f) return T(1) / (std::sqrt(norm) * std::sqrt(std::sqrt(norm)));
        return std::pow(norm, -static_cast<T>(beta));
    }
    template <class T> void compute(const Call& c) const {
        const auto x = c.input<T>(0);
        const auto y = c.output<T>(0);
        const auto channels = x.dims[3];
        for (std::int64_t row = 0; row < x.size(); row += channels)
            for (std::int64_t k = 0; k < channels; ++k) y[row + k] = x[row + k] * scale(norm(x.data + row, of(k, channels)));
    }
    template <class T> static auto gradient(const RunTime<LRN>& self, const Node<T>& g, const Node<T>& y, const Node<T>& x) { return std::tuple(make<T>(detail::later<LRNGrad, T>{self.op}, {g, x, y})); }
};

/// The gradient of LRN. With n_k the norm at channel k: dx_i = g_i n_i^-beta - 2 alpha beta x_i sum g_k y_k / n_k, over the k whose neighbour i is.
///
/// Shapes    input_grads, input_image, output_image [..], all the same -> the same
struct LRNGrad : LRN {
    static constexpr const char* name = "LRNGrad";
    static constexpr int arity = 3;
    static constexpr bool differentiable = false;
    constexpr Inferred infer(const Dims& g, const Dims& x, const Dims& y) const {
        if (x.rank != 4 || !compatible(g, x) || !compatible(x, y)) return reject("[LRNGrad] shapes differ: ", g, ", ", x, " and ", y);
        return x;
    }
    template <class T> void compute(const Call& c) const {
        const auto g = c.input<T>(0), x = c.input<T>(1), y = c.input<T>(2);
        const auto dx = c.output<T>(0);
        const auto channels = x.dims[3];
        std::fill_n(dx.data, dx.size(), T(0));
        for (std::int64_t row = 0; row < x.size(); row += channels)
            for (std::int64_t k = 0; k < channels; ++k) {
                const Neighbours w = of(k, channels);
                const T n = norm(x.data + row, w), share = T(-2) * static_cast<T>(alpha) * static_cast<T>(beta) * g[row + k] * y[row + k] / n;
                for (auto i = w.first; i < w.last; ++i) dx[row + i] += x[row + i] * share;
                dx[row + k] += g[row + k] * scale(n);
            }
    }
};

/// x / (bias + alpha sum x²)^beta over neighbouring channels: `local_response_normalization<LRN{.depth_radius = 2}>(x)`.
template <LRN op = LRN{}, Operand X> auto local_response_normalization(X&& x) { return call(Constant<op>{}, std::forward<X>(x)); }

}  // namespace tenon
