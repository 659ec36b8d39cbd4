// What variables start from. An initialiser builds operations, TensorFlow's own, so that an exported graph can be initialised by
// TensorFlow as well; with a seed both draw the same numbers.
#pragma once
#include "broadcasting.hpp"
#include "elementwise.hpp"
#include "random_ops.hpp"

#include <optional>

namespace tenon {

/// Builds the operations of an initial value; `scope` ends in "/".
template <class I> concept Initializer = requires(const I& i) { i.template build<float>(Dims{}, std::string()); };

namespace detail {
/// Seeds of an op with a seed of its own in a graph without one.
template <class = void> random::Seeds op_seeds(const std::optional<std::int64_t>& seed) { return seed ? random::Seeds{87654321, *seed} : random::Seeds{0, 0}; }

/// draw * scale + shift, named as TensorFlow names it: `scope` + kind, with its parts below.
template <class T, class O> Output drawn(const Dims& dims, const std::string& scope, const std::string& kind, const char* shift_name, const char* scale_name, T shift, T scale, std::optional<std::int64_t> seed) {
    O op;
    const auto s = op_seeds(seed);
    op.seed = s.seed, op.seed2 = s.seed2;
    const std::string under = scope + kind + "/";
    const Output shape = integers(dims);
    shape.operation->name = under + "shape";
    const Output drawing = make<T>(op, {shape}, under + O::name);
    const Output scaled = make<T>(Mul{}, {drawing, make_const<T>(Tensor::scalar(scale), under + scale_name)}, under + "mul");
    return make<T>(Add{}, {scaled, make_const<T>(Tensor::scalar(shift), under + shift_name)}, scope + kind);
}
template <class T> Output filled(const Dims& dims, const std::string& scope, const std::string& kind, T value) {
    if (dims.size() <= 1000) {
        Tensor t(dtype_of<T>, dims);
        std::fill_n(t.data<T>(), t.size(), value);
        return make_const<T>(std::move(t), scope + kind);
    }
    const Output shape = integers(dims);
    shape.operation->name = scope + kind + "/shape_as_tensor";
    return make<T>(Fill{}, {shape, make_const<T>(Tensor::scalar(value), scope + kind + "/Const")}, scope + kind);
}
}  // namespace detail

/// The same number everywhere.
template <class V> struct ConstantInitializer {
    V value;
    const char* kind = "Const";
    template <class T> Output build(const Dims& dims, const std::string& scope) const { return detail::filled<T>(dims, scope, kind, static_cast<T>(value)); }
};
template <class V> requires std::is_arithmetic_v<V> constexpr ConstantInitializer<V> constant(V value) { return {value}; }
constexpr ConstantInitializer<int> zeros() { return {0, "zeros"}; }
constexpr ConstantInitializer<int> ones() { return {1, "ones"}; }

/// Elements given one by one, in C order.
struct TensorInitializer {
    Tensor value;
    template <class T> Output build(const Dims& dims, const std::string& scope) const { return make_const<T>(value.reshaped(dims), scope + "Const"); }
};
template <class = void> TensorInitializer constant(Tensor value) { return {std::move(value)}; }

/// Uniform in [minval, maxval).
struct RandomUniformInitializer {
    float minval = -0.05f, maxval = 0.05f;
    std::optional<std::int64_t> seed{};
    template <class T> Output build(const Dims& dims, const std::string& scope) const {
        return detail::drawn<T, RandomUniform>(dims, scope, "random_uniform", "min", "sub", static_cast<T>(minval), static_cast<T>(maxval) - static_cast<T>(minval), seed);
    }
};
constexpr RandomUniformInitializer random_uniform(RandomUniformInitializer i = {}) { return i; }

struct RandomNormalInitializer {
    float mean = 0, stddev = 1;
    std::optional<std::int64_t> seed{};
    template <class T> Output build(const Dims& dims, const std::string& scope) const {
        return detail::drawn<T, RandomStandardNormal>(dims, scope, "random_normal", "mean", "stddev", static_cast<T>(mean), static_cast<T>(stddev), seed);
    }
};
constexpr RandomNormalInitializer random_normal(RandomNormalInitializer i = {}) { return i; }

/// Normal, but what lies more than two standard deviations off is drawn again.
struct TruncatedNormalInitializer {
    float mean = 0, stddev = 1;
    std::optional<std::int64_t> seed{};
    template <class T> Output build(const Dims& dims, const std::string& scope) const {
        return detail::drawn<T, TruncatedNormal>(dims, scope, "truncated_normal", "mean", "stddev", static_cast<T>(mean), static_cast<T>(stddev), seed);
    }
};
constexpr TruncatedNormalInitializer truncated_normal(TruncatedNormalInitializer i = {}) { return i; }

enum class FanMode { in, out, average };
enum class Distribution { truncated_normal, untruncated_normal, uniform };

/// Variance scale / n, with n the number of inputs, of outputs, or their average.
///
/// Source    tensorflow/python/ops/init_ops.py, VarianceScaling
struct VarianceScalingInitializer {
    float scale = 1;
    FanMode mode = FanMode::in;
    Distribution distribution = Distribution::truncated_normal;
    std::optional<std::int64_t> seed{};
    template <class T> Output build(const Dims& dims, const std::string& scope) const {
        double fan_in = 1, fan_out = 1;
        if (dims.rank == 1) fan_in = fan_out = double(dims[0]);
        if (dims.rank >= 2) {
            double field = 1;
            for (int i = 0; i < dims.rank - 2; ++i) field *= double(dims[i]);
            fan_in = field * double(dims[-2]), fan_out = field * double(dims[-1]);
        }
        const double n = std::max(1.0, mode == FanMode::in ? fan_in : mode == FanMode::out ? fan_out : (fan_in + fan_out) / 2), variance = double(scale) / n;
        if (distribution == Distribution::uniform) {
            const double limit = std::sqrt(3 * variance);
            return detail::drawn<T, RandomUniform>(dims, scope, "random_uniform", "min", "sub", static_cast<T>(-limit), static_cast<T>(limit) - static_cast<T>(-limit), seed);
        }
        if (distribution == Distribution::untruncated_normal)
            return detail::drawn<T, RandomStandardNormal>(dims, scope, "random_normal", "mean", "stddev", T(0), static_cast<T>(std::sqrt(variance)), seed);
        // 0.8796...: the standard deviation that is left of 1 after truncation
        return detail::drawn<T, TruncatedNormal>(dims, scope, "truncated_normal", "mean", "stddev", T(0), static_cast<T>(std::sqrt(variance) / .87962566103423978), seed);
    }
};
constexpr VarianceScalingInitializer variance_scaling(VarianceScalingInitializer i = {}) { return i; }

struct GlorotOptions { std::optional<std::int64_t> seed{}; };
constexpr VarianceScalingInitializer glorot_uniform(GlorotOptions o = {}) { return {1, FanMode::average, Distribution::uniform, o.seed}; }
constexpr VarianceScalingInitializer glorot_normal(GlorotOptions o = {}) { return {1, FanMode::average, Distribution::truncated_normal, o.seed}; }

}  // namespace tenon
