// Batch normalisation with its statistics. TensorFlow has three versions of each op: V2 lets images be half with float parameters,
// V3 adds an output that only GPUs use.
//
// Shapes    x, y [batch,height,width,channels], or [batch,channels,height,width] if data_format is NCHW; parameters and statistics [channels]
// Values    x float, half, bfloat16; everything else float, computed in float
// Source    TensorFlow ops FusedBatchNorm, V2, V3 and their gradients, tensorflow/core/kernels/fused_batch_norm_op.cc
#pragma once
#include "../tensor/batch_norm.hpp"
#include "exp.hpp"
#include "windows.hpp"

namespace tenon {

namespace detail {
inline constexpr std::array batch_norm_types_v1{TypeAttr{TypeAttr::self, "T"}};
inline constexpr std::array batch_norm_types{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "U", 1}};
inline constexpr std::array batch_norm_grad_types{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "U", 3}};

constexpr int batch_norm_axis(DataFormat f) { return f == DataFormat::nchw ? 1 : 3; }
constexpr batch_norm::Shape batch_norm_shape(const Dims& x, DataFormat f) {
    return f == DataFormat::nchw ? batch_norm::Shape::nchw(x[0], x[1], x[2], x[3]) : batch_norm::Shape::nhwc(x[0], x[1], x[2], x[3]);
}
/// x with its channels, as images and parameters say them together.
constexpr Inferred batch_norm_images(const char* name, const Dims& x, DataFormat f, std::initializer_list<Dims> parameters) {
    if (x.rank != 4) return reject("[", name, "] needs images of four axes: ", x);
    bool fit = true;
    Dims y = x;
    for (const Dims& p : parameters) {
        fit &= p.rank == 1;
        if (fit) y[batch_norm_axis(f)] = merge(y[batch_norm_axis(f)], p[0], fit);
        if (!fit) return reject("[", name, "] parameters ", p, " for images ", x);
    }
    return y;
}
/// The axes that statistics are made over, and parameters in the extents that broadcast against images. Templates, since including this must not compile
/// the ops that they name.
template <class F> struct Channels {
    using N = Node<F>;
    DataFormat format;
    template <class O> N reduce(const N& x, bool keep) const {
        O o;
        o.axes = format == DataFormat::nchw ? Dims{0, 2, 3} : Dims{0, 1, 2};
        o.keep_dims = keep && format == DataFormat::nchw;
        return call(RunTime<O>{o}, x);
    }
    N mean(const N& x) const { return reduce<Mean>(x, true); }
    N sum(const N& x) const { return reduce<Sum>(x, false); }
    N spread(const N& p) const { return format == DataFormat::nchw ? N(call(RunTime<Reshape>{Reshape{Dims{1, -1, 1, 1}}}, p)) : p; }
};
/// Parameters are float, whatever images are; in a list of ops, whose rules know no types, both are any float.
template <class T> using parameter_t = std::conditional_t<std::is_same_v<T, any_float>, any_float, float>;
/// Whatever of two sums is there.
template <class F> Node<F> plus(const Node<F>& a, const Node<F>& b) { return a && b ? Node<F>(a + b) : a ? a : b; }

template <class F> struct BatchNormGradients { Node<F> g{}, x{}, scale{}, mean{}, variance{}; };
/// With statistics that are given, x and scale as their names say, offset in g.
template <class F> BatchNormGradients<F> batch_norm_frozen(Channels<F> channels, float epsilon, const Node<F>& g, const Node<F>& x, const Node<F>& scale, const Node<F>& mean, const Node<F>& variance) {
    using N = Node<F>;
    const N r = rsqrt(N(variance + epsilon));
    return {channels.sum(g), g * channels.spread(scale * r), channels.sum(g * (x - channels.spread(mean))) * r};
}
/// What arrives at y_backprop, x and scale of a FusedBatchNormGrad, from what arrives at its outputs: a at x_backprop, b at scale_backprop,
/// c at offset_backprop. With z = (x - mean) r, r = 1 / sqrt(variance + epsilon), and P(v) = v - mean(v) - z mean(v z), which is its own adjoint:
///
///     x_backprop = scale r P(g),  scale_backprop = sum(g z),  offset_backprop = sum(g)
template <class F> BatchNormGradients<F> batch_norm_second(Channels<F> channels, bool training, float epsilon, const Node<F>& g, const Node<F>& x, const Node<F>& scale, const Node<F>& given_mean,
                                                           const Node<F>& given_variance, const Node<F>& a, const Node<F>& b, const Node<F>& c) {
    using N = Node<F>;
    const auto mean = [&](const N& v) { return channels.mean(v); };
    const N s = channels.spread(scale), xc = x - (training ? mean(x) : channels.spread(given_mean));
    const N r = rsqrt(N((training ? mean(xc * xc) : channels.spread(given_variance)) + epsilon)), z = xc * r;
    const auto project = [&](const N& v) { return training ? N(v - mean(v) - z * mean(v * z)) : v; };
    BatchNormGradients<F> d;
    N to_z, spread_b;
    if (b) spread_b = channels.spread(b), d.g = spread_b * z, to_z = spread_b * g;
    if (c) d.g = plus(d.g, broadcast_like(channels.spread(c), g));
    if (a) {
        const N pg = project(g);
        d.g = plus(d.g, s * r * project(a));
        d.scale = channels.sum(a * pg * r);
        if (training) {
            to_z = plus(to_z, -(s * r * (a * mean(g * z) + g * mean(a * z))));
            d.x = -(s * r * r * z * mean(a * pg));  // through r alone
        }
    }
    if (to_z) d.x = plus(d.x, r * project(to_z));
    if (!training) {
        const N flat = rsqrt(N(given_variance + epsilon));
        if (a) d.variance = channels.sum(a * g) * scale * flat;
        if (b) d.variance = plus(d.variance, b * channels.sum(g * z)), d.mean = -(b * channels.sum(g) * flat);
        if (d.variance) d.variance = d.variance * flat * flat * -0.5f;
    }
    return d;
}
}  // namespace detail

/// y = (x - mean) scale / sqrt(variance + epsilon) + offset, with the statistics of the batch when training, with those given otherwise.
///
/// Shapes    x, scale, offset, mean, variance -> y, batch_mean, batch_variance, reserve_space_1, reserve_space_2 (, reserve_space_3 []);
///           mean and variance may be [0] when training
/// Values    batch_variance is n / (n - 1) of the biased one, which y uses and reserve_space_2 holds; with exponential_avg_factor f,
///           batch_mean and batch_variance are (1 - f) before + f now. Without training all four are the given ones
/// Gradient  FusedBatchNormGrad for x, scale and offset, of what arrives at y; nothing may arrive elsewhere. To the statistics if they are given
/// Errors    "[FusedBatchNorm] parameters [2] for images [1,4,4,3]"
template <class O, class Grad, int version> struct FusedBatchNormalisation {
    float epsilon = 1e-4f, exponential_avg_factor = 1;
    DataFormat data_format = DataFormat::nhwc;
    bool is_training = true;
    static constexpr int arity = 5, outputs = version == 3 ? 6 : 5;
    static constexpr auto types = [] {
        if constexpr (version == 1) return detail::batch_norm_types_v1;
        else return detail::batch_norm_types;
    }();
    template <class Self = FusedBatchNormalisation> static constexpr auto params = members(attr("epsilon", &Self::epsilon), attr("exponential_avg_factor", &Self::exponential_avg_factor),
                                              attr("data_format", &Self::data_format), attr("is_training", &Self::is_training));
    static constexpr DType input_type(std::size_t i, DType self) { return i ? DType::float32 : self; }
    static DType output_type(int i, std::span<const Ref> in) { return i ? DType::float32 : in[0].dtype; }
    static constexpr bool of_doubles = false;

    constexpr Inferred infer(const Dims& x, const Dims& scale, const Dims& offset, const Dims& mean, const Dims& variance) const {
        const bool given = !is_training || exponential_avg_factor != 1;
        const Inferred y = given ? detail::batch_norm_images(O::name, x, data_format, {scale, offset, mean, variance}) : detail::batch_norm_images(O::name, x, data_format, {scale, offset});
        if (!y.ok()) return y;
        const Dims each{y.dims[0][detail::batch_norm_axis(data_format)]};
        return Inferred{y.dims[0], each, each, each, each, Dims{}};
    }
    template <class T> std::size_t workspace(std::span<const Ref* const> in, std::span<const Ref* const>) const {
        return batch_norm::workspace_bytes<T>(detail::batch_norm_shape(in[0]->dims, data_format));
    }
    template <class T> void compute(const Call& c) const {
        const auto s = detail::batch_norm_shape(c.in[0]->dims, data_format);
        const T *x = c.input<T>(0).data, *scale = c.input<T>(1).data, *offset = c.input<T>(2).data, *mean = c.input<T>(3).data, *variance = c.input<T>(4).data;
        T *y = c.output<T>(0).data, *batch_mean = c.output<T>(1).data, *batch_variance = c.output<T>(2).data, *used_mean = c.output<T>(3).data, *used_variance = c.output<T>(4).data;
        if (is_training) {
            batch_norm::training(s, x, scale, offset, static_cast<T>(epsilon), y, used_mean, used_variance, c.workspace);
            batch_norm::averages(s, static_cast<T>(exponential_avg_factor), mean, variance, used_mean, used_variance, batch_mean, batch_variance);
        } else {
            batch_norm::inference(s, x, scale, offset, mean, variance, static_cast<T>(epsilon), y, c.workspace);
            for (T* to : {batch_mean, used_mean}) std::copy_n(mean, s.channels, to);
            for (T* to : {batch_variance, used_variance}) std::copy_n(variance, s.channels, to);
        }
        if constexpr (version == 3) c.output<T>(5)[0] = 0;
    }
    constexpr Joins joins() const { return !is_training && data_format == DataFormat::nhwc ? Joins::normalises : Joins::no; }
    template <class T> void fold(const Call& c) const requires std::is_floating_point_v<T> {
        const auto scale = c.input<T>(0);
        T* const to = c.output<T>(0).data;
        batch_norm::fold(scale.size(), scale.data, c.input<T>(1).data, c.input<T>(2).data, c.input<T>(3).data, static_cast<T>(epsilon), to, to + scale.size());
    }
    template <class T> static auto gradient(const RunTime<O>& self, const Node<T>& g, const Node<T>& y, const Node<T>& x, const Output& scale, const Output&, const Output& mean, const Output& variance) {
        using F = detail::parameter_t<T>;
        const Node<F> a(scale), v(variance);
        if (!self.op.is_training && self.op.data_format == DataFormat::nchw) {  // TensorFlow has no kernel of the gradient for this
            const auto d = detail::batch_norm_frozen(detail::Channels<F>{DataFormat::nchw}, self.op.epsilon, cast_like(g, a), cast_like(x, a), a, Node<F>(mean), v);
            return std::tuple_cat(std::tuple(Output(cast_like(d.x, x)), Output(d.scale), Output(d.g)), to_statistics(self.op, a, v, d.scale, d.g));
        }
        Grad op;
        op.epsilon = self.op.epsilon, op.data_format = self.op.data_format, op.is_training = self.op.is_training;
        const bool training = self.op.is_training;
        std::vector<Output> in{g, x, scale, training ? Output(y.output(3)) : mean, training ? Output(y.output(4)) : variance};
        if (version == 3) in.push_back(y.output(5));
        const Node<T> d = make<T>(op, std::move(in));
        const Node<F> d_scale(d.output(1)), d_offset(d.output(2));
        return std::tuple_cat(std::tuple(Output(d), Output(d_scale), Output(d_offset)), to_statistics(self.op, a, v, d_scale, d_offset));
    }

private:
    template <class F> static std::tuple<Output, Output> to_statistics(const O& op, const Node<F>& scale, const Node<F>& variance, const Node<F>& d_scale, const Node<F>& d_offset) {
        if (op.is_training) return {};
        const Node<F> r = rsqrt(Node<F>(variance + op.epsilon)), slope = scale * r;
        return {Output(Node<F>(-(d_offset * slope))), Output(Node<F>(d_scale * slope * r * -0.5f))};
    }
};

/// The gradient of a fused batch normalisation with respect to x, scale and offset.
///
/// Shapes    y_backprop, x, scale, reserve_space_1 (mean), reserve_space_2 (variance) (, reserve_space_3) ->
///           x_backprop, scale_backprop, offset_backprop, [0], [0]
/// Gradient  to y_backprop, x and scale, and to the statistics, which are seen as part of x when training
template <class O, int version> struct FusedBatchNormalisationGrad {
    float epsilon = 1e-4f;
    DataFormat data_format = DataFormat::nhwc;
    bool is_training = true;
    static constexpr int arity = version == 3 ? 6 : 5, outputs = 5;
    static constexpr bool all_outputs = true;
    static constexpr auto types = [] {
        if constexpr (version == 1) return detail::batch_norm_types_v1;
        else return detail::batch_norm_grad_types;
    }();
    template <class Self = FusedBatchNormalisationGrad> static constexpr auto params = members(attr("epsilon", &Self::epsilon), attr("data_format", &Self::data_format),
                                              attr("is_training", &Self::is_training));
    static constexpr DType input_type(std::size_t i, DType self) { return i > 1 ? DType::float32 : self; }
    static DType output_type(int i, std::span<const Ref> in) { return i ? DType::float32 : in[0].dtype; }
    static constexpr bool of_doubles = false;

    constexpr Inferred infer(const Dims& g, const Dims& x, const Dims& scale, const Dims& mean, const Dims& variance) const {
        if (!compatible(g, x)) return reject("[", O::name, "] y_backprop ", g, " for images ", x);
        const Inferred y = detail::batch_norm_images(O::name, x, data_format, {scale, mean, variance});
        if (!y.ok()) return y;
        const Dims each{y.dims[0][detail::batch_norm_axis(data_format)]};
        return Inferred{y.dims[0], each, each, Dims{0}, Dims{0}};
    }
    constexpr Inferred infer(const Dims& g, const Dims& x, const Dims& scale, const Dims& mean, const Dims& variance, const Dims&) const { return infer(g, x, scale, mean, variance); }
    template <class T> std::size_t workspace(std::span<const Ref* const> in, std::span<const Ref* const>) const {
        return batch_norm::workspace_bytes<T>(detail::batch_norm_shape(in[1]->dims, data_format));
    }
    template <class T> void compute(const Call& c) const {
        const auto run = is_training ? &batch_norm::training_grad<T, T> : &batch_norm::inference_grad<T, T>;
        run(detail::batch_norm_shape(c.in[1]->dims, data_format), c.input<T>(0).data, c.input<T>(1).data, c.input<T>(2).data, c.input<T>(3).data, c.input<T>(4).data, static_cast<T>(epsilon),
            c.output<T>(0).data, c.output<T>(1).data, c.output<T>(2).data, c.workspace);
    }
    template <class T> static auto gradient(const RunTime<O>& self, const detail::Adjoints<T>& g, const Node<T>&, const Node<T>& dy, const Node<T>& x, const Output& scale, const Output& mean,
                                            const Output& variance, const auto&... reserved) {
        using F = detail::parameter_t<T>;
        const Node<F> a(scale);
        const auto of_parameters = [&](int i) { return g.has(i) ? Node<F>(g.g[static_cast<std::size_t>(i)]) : Node<F>(); };
        const auto d = detail::batch_norm_second(detail::Channels<F>{self.op.data_format}, self.op.is_training, self.op.epsilon, cast_like(dy, a), cast_like(x, a), a, Node<F>(mean), Node<F>(variance),
                                                 g.has(0) ? cast_like(g[0], a) : Node<F>(), of_parameters(1), of_parameters(2));
        const auto back = [&](const Node<F>& v) { return v ? Output(cast_like(v, x)) : Output(); };
        return std::tuple_cat(std::tuple(back(d.g), back(d.x), Output(d.scale), Output(d.mean), Output(d.variance)), std::tuple(((void)reserved, no_gradient{})...));
    }
};

struct FusedBatchNormGrad : FusedBatchNormalisationGrad<FusedBatchNormGrad, 1> { static constexpr const char* name = "FusedBatchNormGrad"; };
struct FusedBatchNormGradV2 : FusedBatchNormalisationGrad<FusedBatchNormGradV2, 2> { static constexpr const char* name = "FusedBatchNormGradV2"; };
struct FusedBatchNormGradV3 : FusedBatchNormalisationGrad<FusedBatchNormGradV3, 3> { static constexpr const char* name = "FusedBatchNormGradV3"; };
struct FusedBatchNorm : FusedBatchNormalisation<FusedBatchNorm, FusedBatchNormGrad, 1> { static constexpr const char* name = "FusedBatchNorm"; };
struct FusedBatchNormV2 : FusedBatchNormalisation<FusedBatchNormV2, FusedBatchNormGradV2, 2> { static constexpr const char* name = "FusedBatchNormV2"; };
struct FusedBatchNormV3 : FusedBatchNormalisation<FusedBatchNormV3, FusedBatchNormGradV3, 3> { static constexpr const char* name = "FusedBatchNormV3"; };

/// The first batch normalisation, of graphs from 2015. Only for import; TensorFlow refuses it in new graphs.
///
/// Shapes    t [batch,height,width,channels], m, v, beta, gamma [channels] -> as t
/// Values    (t - m) / sqrt(v + variance_epsilon) gamma + beta, without gamma unless scale_after_normalization
/// Gradient  to all five, in today's ops
struct BatchNormWithGlobalNormalization {
    float variance_epsilon = 0;
    bool scale_after_normalization = false;
    static constexpr const char* name = "BatchNormWithGlobalNormalization";
    static constexpr int arity = 5;
    template <class Self = BatchNormWithGlobalNormalization> static constexpr auto params = members(attr("variance_epsilon", &Self::variance_epsilon),
                                              attr("scale_after_normalization", &Self::scale_after_normalization));
    constexpr Inferred infer(const Dims& t, const Dims& m, const Dims& v, const Dims& beta, const Dims& gamma) const { return detail::batch_norm_images(name, t, DataFormat::nhwc, {m, v, beta, gamma}); }
    template <class T> std::size_t workspace(std::span<const Ref* const> in, std::span<const Ref* const>) const {
        return 3 * static_cast<std::size_t>(in[1]->dims.size()) * sizeof(T);
    }
    template <class T> void compute(const Call& c) const {
        const auto s = detail::batch_norm_shape(c.in[0]->dims, DataFormat::nhwc);
        const T* gamma = c.input<T>(4).data;
        if (!scale_after_normalization) {
            T* const ones = reinterpret_cast<T*>(c.workspace) + 2 * s.channels;
            std::fill_n(ones, s.channels, T(1));
            gamma = ones;
        }
        batch_norm::inference(s, c.input<T>(0).data, gamma, c.input<T>(3).data, c.input<T>(1).data, c.input<T>(2).data, static_cast<T>(variance_epsilon), c.output<T>(0).data, c.workspace);
    }
    template <class T> static auto gradient(const RunTime<BatchNormWithGlobalNormalization>& self, const Node<T>& g, const Node<T>&, const Node<T>& t, const Node<T>& m, const Node<T>& v, const Node<T>&,
                                            const Node<T>& gamma) {
        Sum over_images;
        over_images.axes = Dims{0, 1, 2};
        const auto sum = [&](const Node<T>& x) { return Node<T>(call(RunTime<Sum>{over_images}, x)); };
        const bool scaled = self.op.scale_after_normalization;
        const Node<T> r = rsqrt(Node<T>(v + self.op.variance_epsilon)), slope = scaled ? Node<T>(r * gamma) : r, dg = sum(g), dz = sum(g * (t - m));
        return std::tuple(Output(g * slope), Output(-(dg * slope)), Output(dz * slope * r * r * -0.5), Output(dg), scaled ? Output(dz * r) : Output());
    }
};

struct FusedBatchNormOptions {
    float epsilon = 1e-3f, exponential_avg_factor = 1;
    DataFormat data_format = DataFormat::nhwc;
    bool is_training = true;
    constexpr FusedBatchNormV3 op() const {
        FusedBatchNormV3 o;
        o.epsilon = epsilon, o.exponential_avg_factor = exponential_avg_factor, o.data_format = data_format, o.is_training = is_training;
        return o;
    }
};
/// The normalised images, and the mean and variance with which moving averages are updated.
///
///     auto [y, mean, variance] = fused_batch_norm(x, scale, offset);                                              // training
///     auto [y, mean, variance] = fused_batch_norm<{.is_training = false}>(x, scale, offset, moving_mean, moving_variance);
template <FusedBatchNormOptions options = FusedBatchNormOptions{}, GraphOperand X, GraphOperand S, GraphOperand B, GraphOperand M, GraphOperand V>
auto fused_batch_norm(const X& x, const S& scale, const B& offset, const M& mean, const V& variance) {
    const auto y = call(Constant<options.op()>{}, node(x), node(scale), node(offset), node(mean), node(variance));
    using Statistic = Node<float, shape_of<S>>;
    return std::tuple(y, Statistic(y.output(1)), Statistic(y.output(2)));
}
template <FusedBatchNormOptions options = FusedBatchNormOptions{}, GraphOperand X, GraphOperand S, GraphOperand B> auto fused_batch_norm(const X& x, const S& scale, const B& offset) {
    static_assert(options.is_training && options.exponential_avg_factor == 1, "tenon: without training, or for averages, fused_batch_norm needs a mean and a variance");
    const auto none = [] { return Node<float, Shape<0>>(make_const<float>(Tensor(DType::float32, {0}))); };
    return fused_batch_norm<options>(x, scale, offset, none(), none());
}

}  // namespace tenon
