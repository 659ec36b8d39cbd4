// Two-dimensional convolutions and their gradients, which are differentiable themselves.
//
// Shapes    x [batch,height,width,channels], filter [height,width,channels/groups,filters] -> [batch,height,width,filters]
// Values    float, double, half, bfloat16; dilations, and groups where the channels are a multiple of the filter's
// Errors    "[Conv2D] 3 channels are no multiple of the filter's 2: [1,4,4,3] with [3,3,2,2]",
//           "[Conv2D] a window of 3 does not fit onto axis 1 of [1,2,2,1]"
#pragma once
#include "../tensor/conv.hpp"
#include "../tensor/depthwise.hpp"
#include "product.hpp"
#include "windows.hpp"

namespace tenon {

struct Conv2DBackpropInput;
struct Conv2DBackpropFilter;

/// Cross-correlation of images with filters.
///
/// Gradient  Conv2DBackpropInput, Conv2DBackpropFilter
/// Cost      2 positions filter_size flops; makes patches of at most 512 KiB at a time
struct Conv2D {
    Dims strides{1, 1, 1, 1};
    Padding padding = Padding::valid;
    Ints explicit_paddings{};
    DataFormat data_format = DataFormat::nhwc;
    Dims dilations{1, 1, 1, 1};
    bool use_cudnn_on_gpu = true;
    static constexpr const char* name = "Conv2D";
    static constexpr int arity = 2;
    static constexpr bool finishes = true;
    template <class Self = Conv2D> static constexpr auto params = members(attr("strides", &Self::strides), attr("padding", &Self::padding), attr("explicit_paddings", &Self::explicit_paddings),
                                              attr("data_format", &Self::data_format), attr("dilations", &Self::dilations), attr("use_cudnn_on_gpu", &Self::use_cudnn_on_gpu));

    /// The shape rule, in the words of O: this op or one of its gradients.
    template <class O> static constexpr Inferred infer_as(const O& op, const Dims& x, const Dims& f) {
        if (const Reason why = detail::wrong_attributes(op, x); why.length) return why;
        if (f.rank != 4) return reject("[", O::name, "] needs a filter [height,width,channels,filters]: ", f);
        if (x[3] != dyn && f[2] != dyn) {
            if (f[2] < 1 || x[3] % f[2]) return reject("[", O::name, "] ", x[3], " channels are no multiple of the filter's ", f[2], ": ", x, " with ", f);
            if (const auto groups = x[3] / f[2]; groups > 1 && f[3] != dyn && f[3] % groups) return reject("[", O::name, "] ", f[3], " filters for ", groups, " groups of channels: ", x, " with ", f);
        }
        if (const Reason why = detail::wrong_size(op, x, f[0], f[1]); why.length) return why;
        return Dims{x[0], detail::positions(op, 0, x[1], f[0]), detail::positions(op, 1, x[2], f[1]), f[3]};
    }
    constexpr conv::Shape shape(const Dims& x, const Dims& f) const {
        return {x[0], detail::axis_of(*this, 0, x[1], f[0]), detail::axis_of(*this, 1, x[2], f[1]), x[3], f[3], x[3] / f[2]};
    }
    constexpr Inferred infer(const Dims& x, const Dims& filter) const { return infer_as(*this, x, filter); }
    template <class T> std::size_t workspace(std::span<const Ref* const> in, std::span<const Ref* const>) const {
        return conv::forward_workspace_bytes<T>(shape(in[0]->dims, in[1]->dims));
    }
    template <class T> void compute(const Call& c) const {
        conv::forward(shape(c.in[0]->dims, c.in[1]->dims), c.input<T>(0).data, c.input<T>(1).data, c.output<T>(0).data, c.workspace, machine(), detail::epilogue<T>(c, detail::product_use(c)));
    }
    /// Every image is convolved by one thread.
    template <class T> static Sharing by_images(std::uint32_t rows, const conv::Shape& s, std::span<const Ref* const> in, std::span<const Ref* const> out, const Threads& threads) {
        return !conv::images_are_apart(s) ? Sharing{} : shared_rows(rows, in, out, threads, gemm::nanoseconds<T>(s.positions(), s.filters, s.patch()));
    }
    template <class T> Sharing sharing(std::span<const Ref* const> in, std::span<const Ref* const> out, const Threads& threads) const { return by_images<T>(0b1, shape(in[0]->dims, in[1]->dims), in, out, threads); }
    template <class T> static auto gradient(const RunTime<Conv2D>& self, const Node<T>& g, const Node<T>&, const Node<T>& x, const Node<T>& filter) {
        return std::tuple(make<T>(detail::later<Conv2DBackpropInput, T>{self.op, {}}, {detail::extents_of(x), filter, g}), make<T>(detail::later<Conv2DBackpropFilter, T>{self.op, {}}, {x, detail::extents_of(filter), g}));
    }
};

namespace detail {
/// The verdict on what arrives at a convolution's result, if that result is what `forward` says.
template <class O> constexpr Inferred infer_backprop(const Inferred& forward, const Dims& g, const Dims& result) {
    if (!forward.ok()) return forward.why;
    if (!compatible(forward.dims[0], g)) return reject("[", O::name, "] out_backprop ", g, " where ", forward.dims[0], " is wanted");
    return result;
}
}  // namespace detail

/// The gradient of Conv2D with respect to its images: a transposed convolution. Its attributes are Conv2D's.
///
/// Shapes    input_sizes (extents), filter, out_backprop -> input_sizes
struct Conv2DBackpropInput : Conv2D {
    Dims input_sizes;
    static constexpr const char* name = "Conv2DBackpropInput";
    static constexpr bool finishes = false;
    template <class Self = Conv2DBackpropInput> static constexpr auto params = members(const_input("input_sizes", &Self::input_sizes, 0), Conv2D::params<>);
    /// TensorFlow also takes height and width alone.
    constexpr Dims input(const Dims& filter, const Dims& g) const { return input_sizes.rank == 2 && g.rank == 4 && filter.rank == 4 ? Dims{g[0], input_sizes[0], input_sizes[1], filter[2]} : input_sizes; }
    constexpr Inferred infer(const Dims& filter, const Dims& g) const {
        const Dims x = input(filter, g);
        return detail::infer_backprop<Conv2DBackpropInput>(infer_as(*this, x, filter), g, x);
    }
    template <class = void> Inferred infer_open(std::span<const Dims>) const { return Dims::filled(4, dyn); }
    template <class T> std::size_t workspace(std::span<const Ref* const> in, std::span<const Ref* const> out) const {
        return conv::backprop_input_workspace_bytes<T>(shape(out[0]->dims, in[1]->dims));
    }
    template <class T> void compute(const Call& c) const {
        conv::backprop_input(shape(c.out[0]->dims, c.in[1]->dims), c.input<T>(1).data, c.input<T>(2).data, c.output<T>(0).data, c.workspace);
    }
    template <class T> Sharing sharing(std::span<const Ref* const> in, std::span<const Ref* const> out, const Threads& threads) const { return by_images<T>(0b100, shape(out[0]->dims, in[1]->dims), in, out, threads); }
    template <class T> static auto gradient(const RunTime<Conv2DBackpropInput>& self, const Node<T>& g, const Node<T>&, const Node<T>& filter, const Node<T>& out_backprop) {
        return std::tuple(make<T>(detail::later<Conv2DBackpropFilter, T>{self.op, {}}, {g, detail::extents_of(filter), out_backprop}), make<T>(Conv2D(self.op), {g, filter}));
    }
};

/// The gradient of Conv2D with respect to its filter. Its attributes are Conv2D's.
///
/// Shapes    input, filter_sizes (extents), out_backprop -> filter_sizes
struct Conv2DBackpropFilter : Conv2D {
    Dims filter_sizes;
    static constexpr const char* name = "Conv2DBackpropFilter";
    static constexpr bool finishes = false;
    template <class Self = Conv2DBackpropFilter> static constexpr auto params = members(const_input("filter_sizes", &Self::filter_sizes, 1), Conv2D::params<>);
    constexpr Inferred infer(const Dims& x, const Dims& g) const { return detail::infer_backprop<Conv2DBackpropFilter>(infer_as(*this, x, filter_sizes), g, filter_sizes); }
    template <class = void> Inferred infer_open(std::span<const Dims>) const { return Dims::filled(4, dyn); }
    template <class T> std::size_t workspace(std::span<const Ref* const> in, std::span<const Ref* const> out) const {
        return conv::backprop_filter_workspace_bytes<T>(shape(in[0]->dims, out[0]->dims));
    }
    template <class T> void compute(const Call& c) const {
        conv::backprop_filter(shape(c.in[0]->dims, c.out[0]->dims), c.input<T>(0).data, c.input<T>(2).data, c.output<T>(0).data, c.workspace, machine(), c.share);
    }
    template <class T> Sharing sharing(std::span<const Ref* const> in, std::span<const Ref* const> out, const Threads& threads) const {
        const auto s = shape(in[0]->dims, out[0]->dims);
        const int most = threads.shares(gemm::nanoseconds<T>(s.positions(), s.filters, s.patch()), threads.count);
        return {conv::backprop_filter_shares<T>(s, most), 0, workspace<T>(in, out)};
    }
    template <class T> static auto gradient(const RunTime<Conv2DBackpropFilter>& self, const Node<T>& g, const Node<T>&, const Node<T>& x, const Node<T>& out_backprop) {
        return std::tuple(make<T>(detail::later<Conv2DBackpropInput, T>{self.op, {}}, {detail::extents_of(x), g, out_backprop}), make<T>(Conv2D(self.op), {x, g}));
    }
};

struct DepthwiseConv2dNativeBackpropInput;
struct DepthwiseConv2dNativeBackpropFilter;

/// Every channel with filters of its own: channel c and filter m give channel c M + m of the result.
///
/// Shapes    x [batch,height,width,channels], filter [height,width,channels,M] -> [batch,height,width,channels M]
/// Cost      2 positions filter_size flops
struct DepthwiseConv2dNative {
    Dims strides{1, 1, 1, 1};
    Padding padding = Padding::valid;
    Ints explicit_paddings{};
    DataFormat data_format = DataFormat::nhwc;
    Dims dilations{1, 1, 1, 1};
    static constexpr const char* name = "DepthwiseConv2dNative";
    static constexpr int arity = 2;
    static constexpr std::uint32_t by_rows = 0b1;
    template <class Self = DepthwiseConv2dNative> static constexpr auto params = members(attr("strides", &Self::strides), attr("padding", &Self::padding), attr("explicit_paddings", &Self::explicit_paddings),
                                              attr("data_format", &Self::data_format), attr("dilations", &Self::dilations));

    template <class O> static constexpr Inferred infer_as(const O& op, const Dims& x, const Dims& f) {
        if (const Reason why = detail::wrong_attributes(op, x); why.length) return why;
        if (f.rank != 4) return reject("[", O::name, "] needs a filter [height,width,channels,multiplier]: ", f);
        bool fit = true;
        const auto channels = merge(x[3], f[2], fit);
        if (!fit) return reject("[", O::name, "] ", x[3], " channels with filters for ", f[2], ": ", x, " with ", f);
        if (const Reason why = detail::wrong_size(op, x, f[0], f[1]); why.length) return why;
        return Dims{x[0], detail::positions(op, 0, x[1], f[0]), detail::positions(op, 1, x[2], f[1]), channels == dyn || f[3] == dyn ? dyn : channels * f[3]};
    }
    constexpr conv::Shape shape(const Dims& x, const Dims& f) const {
        return {x[0], detail::axis_of(*this, 0, x[1], f[0]), detail::axis_of(*this, 1, x[2], f[1]), x[3], x[3] * f[3], std::max<std::int64_t>(x[3], 1)};
    }
    constexpr Inferred infer(const Dims& x, const Dims& filter) const { return infer_as(*this, x, filter); }
    template <class T> void compute(const Call& c) const {
        depthwise::forward(shape(c.in[0]->dims, c.in[1]->dims), c.input<T>(0).data, c.input<T>(1).data, c.output<T>(0).data);
    }
    template <class T> static auto gradient(const RunTime<DepthwiseConv2dNative>& self, const Node<T>& g, const Node<T>&, const Node<T>& x, const Node<T>& filter) {
        return std::tuple(make<T>(detail::later<DepthwiseConv2dNativeBackpropInput, T>{self.op, {}}, {detail::extents_of(x), filter, g}),
                          make<T>(detail::later<DepthwiseConv2dNativeBackpropFilter, T>{self.op, {}}, {x, detail::extents_of(filter), g}));
    }
};

struct DepthwiseConv2dNativeBackpropInput : DepthwiseConv2dNative {
    Dims input_sizes;
    static constexpr const char* name = "DepthwiseConv2dNativeBackpropInput";
    static constexpr std::uint32_t by_rows = 0b100;
    template <class Self = DepthwiseConv2dNativeBackpropInput> static constexpr auto params = members(const_input("input_sizes", &Self::input_sizes, 0), DepthwiseConv2dNative::params<>);
    constexpr Inferred infer(const Dims& filter, const Dims& g) const {
        return detail::infer_backprop<DepthwiseConv2dNativeBackpropInput>(infer_as(*this, input_sizes, filter), g, input_sizes);
    }
    template <class = void> Inferred infer_open(std::span<const Dims>) const { return Dims::filled(4, dyn); }
    template <class T> void compute(const Call& c) const {
        depthwise::backprop_input(shape(c.out[0]->dims, c.in[1]->dims), c.input<T>(1).data, c.input<T>(2).data, c.output<T>(0).data);
    }
    template <class T> static auto gradient(const RunTime<DepthwiseConv2dNativeBackpropInput>& self, const Node<T>& g, const Node<T>&, const Node<T>& filter, const Node<T>& out_backprop) {
        return std::tuple(make<T>(detail::later<DepthwiseConv2dNativeBackpropFilter, T>{self.op, {}}, {g, detail::extents_of(filter), out_backprop}), make<T>(DepthwiseConv2dNative(self.op), {g, filter}));
    }
};

struct DepthwiseConv2dNativeBackpropFilter : DepthwiseConv2dNative {
    Dims filter_sizes;
    static constexpr const char* name = "DepthwiseConv2dNativeBackpropFilter";
    static constexpr std::uint32_t by_rows = 0;  // images are added up
    template <class Self = DepthwiseConv2dNativeBackpropFilter> static constexpr auto params = members(const_input("filter_sizes", &Self::filter_sizes, 1), DepthwiseConv2dNative::params<>);
    constexpr Inferred infer(const Dims& x, const Dims& g) const {
        return detail::infer_backprop<DepthwiseConv2dNativeBackpropFilter>(infer_as(*this, x, filter_sizes), g, filter_sizes);
    }
    template <class = void> Inferred infer_open(std::span<const Dims>) const { return Dims::filled(4, dyn); }
    template <class T> void compute(const Call& c) const {
        depthwise::backprop_filter(shape(c.in[0]->dims, c.out[0]->dims), c.input<T>(0).data, c.input<T>(2).data, c.output<T>(0).data);
    }
    template <class T> static auto gradient(const RunTime<DepthwiseConv2dNativeBackpropFilter>& self, const Node<T>& g, const Node<T>&, const Node<T>& x, const Node<T>& out_backprop) {
        return std::tuple(make<T>(detail::later<DepthwiseConv2dNativeBackpropInput, T>{self.op, {}}, {detail::extents_of(x), g, out_backprop}), make<T>(DepthwiseConv2dNative(self.op), {x, g}));
    }
};

///     auto h = conv2d<Conv2D{.strides = {1, 2, 2, 1}, .padding = Padding::same}>(images, filter);
template <Conv2D op = Conv2D{}, Operand X, Operand F> auto conv2d(X&& x, F&& filter) { return call(Constant<op>{}, std::forward<X>(x), std::forward<F>(filter)); }
template <DepthwiseConv2dNative op = DepthwiseConv2dNative{}, Operand X, Operand F> auto depthwise_conv2d(X&& x, F&& filter) { return call(Constant<op>{}, std::forward<X>(x), std::forward<F>(filter)); }

}  // namespace tenon
