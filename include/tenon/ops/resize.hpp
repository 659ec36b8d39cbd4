// Images in another size.
//
// Shapes    images [batch,height,width,channels], size [2] (height, width) -> [batch,size,channels]
// Errors    "[ResizeBilinear] size [0,3] for images [1,4,4,1]", "[ResizeBilinear] corners are aligned, or centres of pixels, not both"
#pragma once
#include "../tensor/resize.hpp"
#include "windows.hpp"

namespace tenon {

namespace detail {
template <class O> constexpr Reason wrong_resize(const O& op, const Dims& images) {
    if (images.rank != 4) return Reason{} << "[" << O::name << "] needs images [batch,height,width,channels]: " << images;
    if (op.align_corners && op.half_pixel_centers) return Reason{} << "[" << O::name << "] corners are aligned, or centres of pixels, not both";
    if (images[1] == 0 || images[2] == 0) return Reason{} << "[" << O::name << "] images have no pixels: " << images;
    return {};
}
template <class O> constexpr Inferred infer_resize(const O& op, const Dims& images, const Dims& size) {
    if (const Reason why = wrong_resize(op, images); why.length) return why;
    if (size.rank != 2 || size[0] < 1 || size[1] < 1) return reject("[", O::name, "] size ", size, " for images ", images);
    return Dims{images[0], size[0], size[1], images[3]};
}
template <class O> resize::Shape resize_shape(const O& op, const Dims& source, const Dims& result) {
    const auto scale = [&](int axis) { return resize::Scale{source[axis], result[axis], op.align_corners, op.half_pixel_centers}; };
    return {source[0], scale(1), scale(2), source[3]};
}
/// Height and width of x as a vector: of extents that are not known, the second and third are picked by a product.
template <class T> Output image_size(const Node<T>& x) {
    if (x.dims().rank == 4 && x.dims()[1] != dyn && x.dims()[2] != dyn) return integers(Dims{x.dims()[1], x.dims()[2]});
    const std::int32_t pick[] = {0, 0, 1, 0, 0, 1, 0, 0};
    const Output column = make<std::int32_t>(Reshape{}, {shape_tensor(x), integers(Dims{4, 1})});
    return make<std::int32_t>(Sum{}, {make<std::int32_t>(Mul{}, {column, make_const<std::int32_t>(Tensor::of<std::int32_t>({4, 2}, pick))}), integers(Dims{0})});
}
}  // namespace detail

struct ResizeBilinearGrad;

/// Values    numbers of any type -> float
/// Gradient  ResizeBilinearGrad, which has none itself, as in TensorFlow
struct ResizeBilinear {
    Dims size;
    bool align_corners = false, half_pixel_centers = false;
    static constexpr const char* name = "ResizeBilinear";
    static constexpr int arity = 1;
    template <class Self = ResizeBilinear> static constexpr auto params = members(const_input("size", &Self::size, 1), attr("align_corners", &Self::align_corners), attr("half_pixel_centers", &Self::half_pixel_centers));
    template <class T> using result = float;
    constexpr Inferred infer(const Dims& x) const { return detail::infer_resize(*this, x, size); }
    template <class = void> Inferred infer_open(std::span<const Dims> x) const { return x[0].rank == 4 ? Dims{x[0][0], dyn, dyn, x[0][3]} : Dims::unranked(); }
    template <class T> void compute(const Call& c) const { resize::bilinear(detail::resize_shape(*this, c.in[0]->dims, c.out[0]->dims), c.input<T>(0).data, c.output<float>(0).data); }
    template <class T> static auto gradient(const RunTime<ResizeBilinear>& self, const Node<float>& g, const Node<float>&, const Node<T>& x) {
        return std::tuple(make<T>(detail::later<ResizeBilinearGrad, T>{self.op.align_corners, self.op.half_pixel_centers}, {g, x}));
    }
};
/// Shapes    grads [batch,..,..,channels] float, original_image [..] -> as original_image
struct ResizeBilinearGrad {
    bool align_corners = false, half_pixel_centers = false;
    static constexpr const char* name = "ResizeBilinearGrad";
    static constexpr int arity = 2, type_input = 1;
    static constexpr bool differentiable = false;
    template <class Self = ResizeBilinearGrad> static constexpr auto params = members(attr("align_corners", &Self::align_corners), attr("half_pixel_centers", &Self::half_pixel_centers));
    static constexpr DType input_type(std::size_t i, DType self) { return i ? self : DType::float32; }
    constexpr Inferred infer(const Dims& g, const Dims& x) const {
        if (const Reason why = detail::wrong_resize(*this, x); why.length) return why;
        bool fit = g.rank == 4;
        if (fit) merge(g[0], x[0], fit), merge(g[3], x[3], fit);
        if (!fit) return reject("[ResizeBilinearGrad] grads ", g, " for images ", x);
        return x;
    }
    template <class T> void compute(const Call& c) const { resize::bilinear_grad(detail::resize_shape(*this, c.in[1]->dims, c.in[0]->dims), c.input<float>(0).data, c.output<T>(0).data); }
};

struct ResizeNearestNeighborGrad;

/// Gradient  ResizeNearestNeighborGrad
struct ResizeNearestNeighbor {
    Dims size;
    bool align_corners = false, half_pixel_centers = false;
    static constexpr const char* name = "ResizeNearestNeighbor";
    static constexpr int arity = 1;
    static constexpr bool moves = true;
    template <class Self = ResizeNearestNeighbor> static constexpr auto params = members(const_input("size", &Self::size, 1), attr("align_corners", &Self::align_corners),
                                              attr("half_pixel_centers", &Self::half_pixel_centers));
    constexpr Inferred infer(const Dims& x) const { return detail::infer_resize(*this, x, size); }
    template <class = void> Inferred infer_open(std::span<const Dims> x) const { return x[0].rank == 4 ? Dims{x[0][0], dyn, dyn, x[0][3]} : Dims::unranked(); }
    template <class T> void compute(const Call& c) const {
        resize::for_each_nearest(detail::resize_shape(*this, c.in[0]->dims, c.out[0]->dims),
                                 [x = c.input<T>(0).data, y = c.output<T>(0).data, n = c.in[0]->dims[3]](std::int64_t to, std::int64_t from) { std::copy_n(x + from, n, y + to); });
    }
    template <class T> static auto gradient(const RunTime<ResizeNearestNeighbor>& self, const Node<T>& g, const Node<T>&, const Node<T>& x) {
        return std::tuple(make<T>(detail::later<ResizeNearestNeighborGrad, T>{{}, self.op.align_corners, self.op.half_pixel_centers}, {g, detail::image_size(x)}));
    }
};
/// Shapes    grads [batch,..,..,channels], size [2] -> [batch,size,channels]
/// Gradient  none
struct ResizeNearestNeighborGrad {
    Dims size;
    bool align_corners = false, half_pixel_centers = false;
    static constexpr const char* name = "ResizeNearestNeighborGrad";
    static constexpr int arity = 1;
    static constexpr bool differentiable = false;
    template <class Self = ResizeNearestNeighborGrad> static constexpr auto params = members(const_input("size", &Self::size, 1), attr("align_corners", &Self::align_corners),
                                              attr("half_pixel_centers", &Self::half_pixel_centers));
    constexpr Inferred infer(const Dims& g) const { return detail::infer_resize(*this, g, size); }
    template <class = void> Inferred infer_open(std::span<const Dims> g) const { return g[0].rank == 4 ? Dims{g[0][0], dyn, dyn, g[0][3]} : Dims::unranked(); }
    template <class T> void compute(const Call& c) const {
        const auto dx = c.output<T>(0);
        std::fill_n(dx.data, dx.size(), T(0));
        resize::for_each_nearest(detail::resize_shape(*this, c.out[0]->dims, c.in[0]->dims), [g = c.input<T>(0).data, d = dx.data, n = dx.dims[3]](std::int64_t to, std::int64_t from) {
            for (std::int64_t k = 0; k < n; ++k) d[from + k] = static_cast<T>(d[from + k] + g[to + k]);
        });
    }
};

template <std::int64_t height, std::int64_t width, Operand X> auto resize_bilinear(X&& images) { return call(Constant<ResizeBilinear{Dims{height, width}}>{}, std::forward<X>(images)); }
template <std::int64_t height, std::int64_t width, Operand X> auto resize_nearest_neighbor(X&& images) { return call(Constant<ResizeNearestNeighbor{Dims{height, width}}>{}, std::forward<X>(images)); }

}  // namespace tenon
