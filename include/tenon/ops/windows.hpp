// What convolutions and pools share: the attributes of windows that move over the two spatial axes of images.
#pragma once
#include "../tensor/window.hpp"
#include "broadcasting.hpp"

namespace tenon {

template <> struct Spelling<Padding> {
    static constexpr std::array<std::string_view, 3> names{"SAME", "VALID", "EXPLICIT"};
};
/// Where the channels are: behind height and width, or before them.
enum class DataFormat : std::int8_t { nhwc, nchw };
template <> struct Spelling<DataFormat> {
    static constexpr std::array<std::string_view, 2> names{"NHWC", "NCHW"};
};

namespace detail {

/// The window along spatial axis 0 (height) or 1 (width) of op's attributes.
template <class O> constexpr Window window_along(const O& op, int axis, std::int64_t size) {
    Window w{size, op.strides[axis + 1], 1, 0, 0};
    if constexpr (requires { op.dilations; }) w.dilation = op.dilations[axis + 1];
    if constexpr (requires { op.explicit_paddings; })
        if (op.padding == Padding::explicit_) w.before = op.explicit_paddings[2 * axis + 2], w.after = op.explicit_paddings[2 * axis + 3];
    return w;
}
template <class O> constexpr Axis axis_of(const O& op, int axis, std::int64_t input, std::int64_t size) { return place(op.padding, input, window_along(op, axis, size)); }

/// Positions along an axis, as far as its extents are known.
template <class O> constexpr std::int64_t positions(const O& op, int axis, std::int64_t input, std::int64_t size) {
    if (input == dyn || (size == dyn && op.padding != Padding::same)) return dyn;
    return axis_of(op, axis, input, size == dyn ? 1 : size).output;
}

/// Why op's attributes make no sense for images x; empty if they do.
template <class O> constexpr Reason wrong_attributes(const O& op, const Dims& x) {
    if (x.rank != 4) return Reason{} << "[" << O::name << "] needs images [batch,height,width,channels]: " << x;
    if (op.data_format != DataFormat::nhwc) return Reason{} << "[" << O::name << "] data_format NCHW: only NHWC is computed";
    const auto wrong_list = [](const char* list, const Dims& d) {
        Reason why;
        bool fit = d.rank == 4;
        for (const auto e : d) fit &= e >= 1;
        if (!fit) why << "[" << O::name << "] " << list << " " << d << " are not four positive numbers";
        else if (d[0] != 1 || d[3] != 1) why << "[" << O::name << "] " << list << " " << d << " leave the spatial axes";
        return why;
    };
    if (const Reason why = wrong_list("strides", op.strides); why.length) return why;
    if constexpr (requires { op.ksize; }) if (const Reason why = wrong_list("windows", op.ksize); why.length) return why;
    if constexpr (requires { op.dilations; }) if (const Reason why = wrong_list("dilations", op.dilations); why.length) return why;
    if (op.padding != Padding::explicit_) return {};
    if constexpr (requires { op.explicit_paddings; }) {
        const Ints& p = op.explicit_paddings;
        bool fit = p.count == 8;
        for (int i = 0; fit && i < 8; ++i) fit = i < 2 || i > 5 ? p[i] == 0 : p[i] >= 0;
        if (fit) return {};
    }
    return Reason{} << "[" << O::name << "] explicit paddings are two for each of four axes, zero but for height and width";
}
/// Why windows of these sizes do not fit onto images x; empty if they do.
template <class O> constexpr Reason wrong_size(const O& op, const Dims& x, std::int64_t height, std::int64_t width) {
    const std::int64_t size[] = {height, width};
    for (int i = 0; i < 2; ++i)
        if (x[i + 1] != dyn && size[i] != dyn && !fits(op.padding, x[i + 1], window_along(op, i, size[i])))
            return Reason{} << "[" << O::name << "] a window of " << size[i] << " does not fit onto axis " << i + 1 << " of " << x;
    return {};
}

template <class O, class T> struct Later { using type = O; };
/// O, which is complete by the time a rule is told for T: ops and their gradients name each other.
template <class O, class T> using later = typename Later<O, T>::type;

/// The extents of x as a tensor: a Const where all are known, as there is no need to keep x alive for them.
template <class T> Output extents_of(const Node<T>& x) { return x.dims().known() ? integers(x.dims()) : shape_tensor(x); }

}  // namespace detail

}  // namespace tenon
