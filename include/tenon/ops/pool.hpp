// Maximum and mean over windows of images, and the gradients, which are differentiable themselves.
//
// Shapes    x [batch,height,width,channels] -> [batch,height,width,channels]
// Errors    "[MaxPool] windows [2,2,2,1] leave the spatial axes", "[AvgPool] a window of 3 does not fit onto axis 1 of [1,2,2,1]"
#pragma once
#include "../tensor/pool.hpp"
#include "windows.hpp"

namespace tenon {

namespace detail {
template <class O> constexpr Inferred infer_pool(const O& op, const Dims& x) {
    if (const Reason why = wrong_attributes(op, x); why.length) return why;
    if (const Reason why = wrong_size(op, x, op.ksize[1], op.ksize[2]); why.length) return why;
    for (int i = 0; i < 2; ++i)
        if (const Window w = window_along(op, i, op.ksize[i + 1]); w.before >= w.size || w.after >= w.size)
            return reject("[", O::name, "] a window of ", w.size, " lies on padding alone: ", std::max(w.before, w.after));
    return Dims{x[0], positions(op, 0, x[1], op.ksize[1]), positions(op, 1, x[2], op.ksize[2]), x[3]};
}
template <class O> constexpr pool::Shape pool_shape(const O& op, const Dims& x) {
    return {x[0], axis_of(op, 0, x[1], op.ksize[1]), axis_of(op, 1, x[2], op.ksize[2]), x[3]};
}
/// `of_output` each have the extents of what x is pooled to.
template <class O> constexpr Inferred infer_pool_gradient(const O& op, const Dims& x, std::initializer_list<Dims> of_output) {
    const Inferred y = infer_pool(op, x);
    if (!y.ok()) return y;
    for (const Dims& d : of_output) if (!compatible(y.dims[0], d)) return reject("[", O::name, "] ", d, " where ", x, " is pooled to ", y.dims[0]);
    return y;
}
}  // namespace detail

struct MaxPoolGrad;

/// The greatest element of each window.
///
/// Values    padding never is; NaN is passed over, and a window of -inf gives the lowest finite value, as in TensorFlow
/// Gradient  to each window's first maximum in row-major order
struct MaxPool {
    Dims ksize{1, 1, 1, 1}, strides{1, 1, 1, 1};
    Padding padding = Padding::valid;
    Ints explicit_paddings{};
    DataFormat data_format = DataFormat::nhwc;
    static constexpr const char* name = "MaxPool";
    static constexpr int arity = 1;
    static constexpr auto params = std::tuple(attr("ksize", &MaxPool::ksize), attr("strides", &MaxPool::strides), attr("padding", &MaxPool::padding), attr("explicit_paddings", &MaxPool::explicit_paddings),
                                              attr("data_format", &MaxPool::data_format));
    constexpr Inferred infer(const Dims& x) const { return detail::infer_pool(*this, x); }
    template <class T> void compute(const Call& c) const { pool::max(detail::pool_shape(*this, c.in[0]->dims), c.input<T>(0).data, c.output<T>(0).data); }
    template <class T> static auto gradient(const RunTime<MaxPool>& self, const Node<T>& g, const Node<T>& y, const Node<T>& x) {
        return std::tuple(make<T>(MaxPoolGrad{self.op}, {x, y, g}));
    }
};

/// The gradient of MaxPool's gradient with respect to what arrived: its elements where the maxima are.
///
/// Shapes    orig_input [..], orig_output [..], grad as orig_input -> as orig_output
struct MaxPoolGradGrad : MaxPool {
    static constexpr const char* name = "MaxPoolGradGrad";
    static constexpr int arity = 3;
    constexpr Inferred infer(const Dims& x, const Dims& y, const Dims& g) const {
        if (!compatible(x, g)) return reject("[", name, "] grad ", g, " for an input ", x);
        return detail::infer_pool_gradient(*this, x, {y});
    }
    template <class T> void compute(const Call& c) const {
        pool::max_grad_grad(detail::pool_shape(*this, c.in[0]->dims), c.input<T>(0).data, c.input<T>(2).data, c.output<T>(0).data);
    }
    template <class T> static auto gradient(const RunTime<MaxPoolGradGrad>& self, const Node<T>& g, const Node<T>&, const Node<T>& x, const Node<T>& y, const Node<T>&) {
        return std::tuple(no_gradient{}, no_gradient{}, make<T>(MaxPoolGrad{self.op}, {x, y, g}));
    }
};

/// The gradient of MaxPool.
///
/// Shapes    orig_input [..], orig_output [..], grad as orig_output -> as orig_input
struct MaxPoolGrad : MaxPool {
    static constexpr const char* name = "MaxPoolGrad";
    static constexpr int arity = 3;
    constexpr Inferred infer(const Dims& x, const Dims& y, const Dims& g) const {
        const Inferred r = detail::infer_pool_gradient(*this, x, {y, g});
        return r.ok() ? Inferred(x) : r;
    }
    template <class T> void compute(const Call& c) const {
        pool::max_grad(detail::pool_shape(*this, c.in[0]->dims), c.input<T>(0).data, c.input<T>(2).data, c.output<T>(0).data);
    }
    template <class T> static auto gradient(const RunTime<MaxPoolGrad>& self, const Node<T>& g, const Node<T>&, const Node<T>& x, const Node<T>& y, const Node<T>&) {
        return std::tuple(no_gradient{}, no_gradient{}, make<T>(MaxPoolGradGrad{self.op}, {x, y, g}));
    }
};

struct AvgPoolGrad;

/// The mean of each window's elements; padding does not count.
///
/// Gradient  to each element of a window, in equal parts
struct AvgPool {
    Dims ksize{1, 1, 1, 1}, strides{1, 1, 1, 1};
    Padding padding = Padding::valid;
    DataFormat data_format = DataFormat::nhwc;
    static constexpr const char* name = "AvgPool";
    static constexpr int arity = 1;
    static constexpr auto params = std::tuple(attr("ksize", &AvgPool::ksize), attr("strides", &AvgPool::strides), attr("padding", &AvgPool::padding), attr("data_format", &AvgPool::data_format));
    constexpr Inferred infer(const Dims& x) const { return detail::infer_pool(*this, x); }
    template <class T> void compute(const Call& c) const { pool::average(detail::pool_shape(*this, c.in[0]->dims), c.input<T>(0).data, c.output<T>(0).data); }
    template <class T> static auto gradient(const RunTime<AvgPool>& self, const Node<T>& g, const Node<T>&, const Node<T>& x) {
        return std::tuple(make<T>(AvgPoolGrad{self.op, {}}, {detail::extents_of(x), g}));
    }
};

/// The gradient of AvgPool.
///
/// Shapes    orig_input_shape (extents), grad [..] -> orig_input_shape
struct AvgPoolGrad : AvgPool {
    Dims orig_input_shape;
    static constexpr const char* name = "AvgPoolGrad";
    static constexpr auto params = std::tuple_cat(std::tuple(const_input("orig_input_shape", &AvgPoolGrad::orig_input_shape, 0)), AvgPool::params);
    constexpr Inferred infer(const Dims& g) const {
        const Inferred y = detail::infer_pool_gradient(*this, orig_input_shape, {g});
        return y.ok() ? Inferred(orig_input_shape) : y;
    }
    Inferred infer_open(std::span<const Dims>) const { return Dims::filled(4, dyn); }
    template <class T> void compute(const Call& c) const { pool::average_grad(detail::pool_shape(*this, c.out[0]->dims), c.input<T>(1).data, c.output<T>(0).data); }
    template <class T> static auto gradient(const RunTime<AvgPoolGrad>& self, const Node<T>& g, const Node<T>&, const Node<T>&) { return std::tuple(make<T>(AvgPool(self.op), {g})); }
};

///     auto h = max_pool<MaxPool{.ksize = {1, 2, 2, 1}, .strides = {1, 2, 2, 1}, .padding = Padding::same}>(x);
template <MaxPool op, Operand X> auto max_pool(X&& x) { return call(Constant<op>{}, std::forward<X>(x)); }
template <AvgPool op, Operand X> auto avg_pool(X&& x) { return call(Constant<op>{}, std::forward<X>(x)); }

}  // namespace tenon
