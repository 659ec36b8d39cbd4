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
    static constexpr std::uint32_t by_rows = 0b1;
    template <class Self = MaxPool> static constexpr auto params = members(attr("ksize", &Self::ksize), attr("strides", &Self::strides), attr("padding", &Self::padding), attr("explicit_paddings", &Self::explicit_paddings),
                                              attr("data_format", &Self::data_format));
    constexpr Inferred infer(const Dims& x) const { return detail::infer_pool(*this, x); }
    template <class T> void compute(const Call& c) const { pool::max(detail::pool_shape(*this, c.in[0]->dims), c.input<T>(0).data, c.output<T>(0).data); }
    template <class T> static auto gradient(const RunTime<MaxPool>& self, const Node<T>& g, const Node<T>& y, const Node<T>& x) {
        return std::tuple(make<T>(detail::later<MaxPoolGrad, T>{self.op}, {x, y, g}));
    }
};

/// The gradient of MaxPool's gradient with respect to what arrived: its elements where the maxima are.
///
/// Shapes    orig_input [..], orig_output [..], grad as orig_input -> as orig_output
struct MaxPoolGradGrad : MaxPool {
    static constexpr const char* name = "MaxPoolGradGrad";
    static constexpr int arity = 3;
    static constexpr std::uint32_t by_rows = 0b111;
    constexpr Inferred infer(const Dims& x, const Dims& y, const Dims& g) const {
        if (!compatible(x, g)) return reject("[", name, "] grad ", g, " for an input ", x);
        return detail::infer_pool_gradient(*this, x, {y});
    }
    template <class T> void compute(const Call& c) const {
        pool::max_grad_grad(detail::pool_shape(*this, c.in[0]->dims), c.input<T>(0).data, c.input<T>(2).data, c.output<T>(0).data);
    }
    template <class T> static auto gradient(const RunTime<MaxPoolGradGrad>& self, const Node<T>& g, const Node<T>&, const Node<T>& x, const Node<T>& y, const Node<T>&) {
        return std::tuple(no_gradient{}, no_gradient{}, make<T>(detail::later<MaxPoolGrad, T>{self.op}, {x, y, g}));
    }
};

/// The gradient of MaxPool.
///
/// Shapes    orig_input [..], orig_output [..], grad as orig_output -> as orig_input
struct MaxPoolGrad : MaxPool {
    static constexpr const char* name = "MaxPoolGrad";
    static constexpr int arity = 3;
    static constexpr std::uint32_t by_rows = 0b111;
    constexpr Inferred infer(const Dims& x, const Dims& y, const Dims& g) const {
        const Inferred r = detail::infer_pool_gradient(*this, x, {y, g});
        return r.ok() ? Inferred(x) : r;
    }
    template <class T> void compute(const Call& c) const {
        pool::max_grad(detail::pool_shape(*this, c.in[0]->dims), c.input<T>(0).data, c.input<T>(2).data, c.output<T>(0).data);
    }
    template <class T> static auto gradient(const RunTime<MaxPoolGrad>& self, const Node<T>& g, const Node<T>&, const Node<T>& x, const Node<T>& y, const Node<T>&) {
        return std::tuple(no_gradient{}, no_gradient{}, make<T>(detail::later<MaxPoolGradGrad, T>{self.op}, {x, y, g}));
    }
};

struct MaxPoolGradWithArgmax;

/// MaxPool, and where the maxima are: offsets in an image, or in the batch if include_batch_in_index.
///
/// Shapes    x [batch,height,width,channels] -> values, indices (int64, or int32 if Targmax says so)
/// Values    a NaN that comes first in its window is its maximum, unlike in MaxPool, as in TensorFlow
/// Gradient  MaxPoolGradWithArgmax
struct MaxPoolWithArgmax {
    Dims ksize{1, 1, 1, 1}, strides{1, 1, 1, 1};
    Padding padding = Padding::valid;
    DType targmax = DType::int64;
    bool include_batch_in_index = false;
    static constexpr DataFormat data_format = DataFormat::nhwc;
    static constexpr const char* name = "MaxPoolWithArgmax";
    static constexpr int arity = 1, outputs = 2;
    template <class Self = MaxPoolWithArgmax> static constexpr auto params = members(attr("ksize", &Self::ksize), attr("strides", &Self::strides), attr("padding", &Self::padding),
                                              attr("Targmax", &Self::targmax), attr("include_batch_in_index", &Self::include_batch_in_index));
    DType output_type(int i, std::span<const Ref> in) const { return i ? targmax : in[0].dtype; }
    constexpr Inferred infer(const Dims& x) const {
        const Inferred y = detail::infer_pool(*this, x);
        return y.ok() ? Inferred{y.dims[0], y.dims[0]} : y;
    }
    template <class T> void compute(const Call& c) const {
        if (targmax == DType::int32) with_index<T, std::int32_t>(c);
        else with_index<T, std::int64_t>(c);
    }
    template <class T> static auto gradient(const RunTime<MaxPoolWithArgmax>& self, const Node<T>& g, const Node<T>& y, const Node<T>& x) {
        return std::tuple(make<T>(detail::later<MaxPoolGradWithArgmax, T>{self.op}, {x, g, y.output(1)}));
    }

private:
    template <class T, class Index> void with_index(const Call& c) const {
        const auto s = detail::pool_shape(*this, c.in[0]->dims);
        const T* x = c.input<T>(0).data;
        T* y = c.output<T>(0).data;
        Index* index = c.output<Index>(1).data;
        const std::int64_t image = include_batch_in_index ? s.input_size() : s.h.input * s.w.input * s.channels;
        std::fill_n(y, s.output_size(), std::numeric_limits<T>::lowest());
        std::fill_n(index, s.output_size(), Index(0));
        pool::for_each_maximum(s, x, [=](std::int64_t o, std::int64_t i) { y[o] = x[i], index[o] = static_cast<Index>(i % image); });
    }
};

/// The gradient of MaxPoolWithArgmax.
///
/// Shapes    input [..], grad as the pooled, argmax as the pooled -> as input
/// Gradient  none
/// Errors    "[MaxPoolGradWithArgmax] index 99 is outside an image of 32 elements", when it runs
struct MaxPoolGradWithArgmax : MaxPoolWithArgmax {
    static constexpr const char* name = "MaxPoolGradWithArgmax";
    static constexpr int arity = 3, outputs = 1;
    static constexpr bool differentiable = false;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Targmax", 2}};
    template <class Self = MaxPoolWithArgmax> static constexpr auto params = members(attr("ksize", &Self::ksize), attr("strides", &Self::strides), attr("padding", &Self::padding),
                                              attr("include_batch_in_index", &Self::include_batch_in_index));
    static constexpr DType input_type(std::size_t i, DType self) { return i == 2 ? index_dtype : self; }
    DType output_type(int, std::span<const Ref> in) const { return in[0].dtype; }
    constexpr Inferred infer(const Dims& x, const Dims& g, const Dims& index) const {
        const Inferred y = detail::infer_pool_gradient(*this, x, {g, index});
        return y.ok() ? Inferred(x) : y;
    }
    template <class T> void compute(const Call& c) const {
        const auto g = c.input<T>(1);
        const auto dx = c.output<T>(0);
        std::fill_n(dx.data, dx.size(), T(0));
        if (g.size() == 0) return;
        const std::int64_t image = include_batch_in_index ? dx.size() : dx.size() / dx.dims[0], positions = include_batch_in_index ? g.size() : g.size() / g.dims[0];
        for (std::int64_t i = 0; i < g.size(); ++i) {
            const auto at = index_at(*c.in[2], i);
            if (at < 0 || at >= image) throw ValueError("[MaxPoolGradWithArgmax] index " + std::to_string(at) + " is outside an image of " + std::to_string(image) + " elements");
            dx[i / positions * image + at] += g[i];
        }
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
    static constexpr std::uint32_t by_rows = 0b1;
    template <class Self = AvgPool> static constexpr auto params = members(attr("ksize", &Self::ksize), attr("strides", &Self::strides), attr("padding", &Self::padding), attr("data_format", &Self::data_format));
    constexpr Inferred infer(const Dims& x) const { return detail::infer_pool(*this, x); }
    template <class T> void compute(const Call& c) const { pool::average(detail::pool_shape(*this, c.in[0]->dims), c.input<T>(0).data, c.output<T>(0).data); }
    template <class T> static auto gradient(const RunTime<AvgPool>& self, const Node<T>& g, const Node<T>&, const Node<T>& x) {
        return std::tuple(make<T>(detail::later<AvgPoolGrad, T>{self.op, {}}, {detail::extents_of(x), g}));
    }
};

/// The gradient of AvgPool.
///
/// Shapes    orig_input_shape (extents), grad [..] -> orig_input_shape
struct AvgPoolGrad : AvgPool {
    Dims orig_input_shape;
    static constexpr const char* name = "AvgPoolGrad";
    static constexpr std::uint32_t by_rows = 0b10;
    template <class Self = AvgPoolGrad> static constexpr auto params = members(const_input("orig_input_shape", &Self::orig_input_shape, 0), AvgPool::params<>);
    constexpr Inferred infer(const Dims& g) const {
        const Inferred y = detail::infer_pool_gradient(*this, orig_input_shape, {g});
        return y.ok() ? Inferred(orig_input_shape) : y;
    }
    template <class = void> Inferred infer_open(std::span<const Dims>) const { return Dims::filled(4, dyn); }
    template <class T> void compute(const Call& c) const { pool::average_grad(detail::pool_shape(*this, c.out[0]->dims), c.input<T>(1).data, c.output<T>(0).data); }
    template <class T> static auto gradient(const RunTime<AvgPoolGrad>& self, const Node<T>& g, const Node<T>&, const Node<T>&) { return std::tuple(make<T>(AvgPool(self.op), {g})); }
};

///     auto h = max_pool<MaxPool{.ksize = {1, 2, 2, 1}, .strides = {1, 2, 2, 1}, .padding = Padding::same}>(x);
template <MaxPool op, Operand X> auto max_pool(X&& x) { return call(Constant<op>{}, std::forward<X>(x)); }
template <AvgPool op, Operand X> auto avg_pool(X&& x) { return call(Constant<op>{}, std::forward<X>(x)); }

}  // namespace tenon
