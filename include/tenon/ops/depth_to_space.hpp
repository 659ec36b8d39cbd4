// Blocks of pixels as channels, and back.
//
// Errors    "[DepthToSpace] 6 channels do not divide into blocks of 2 x 2: [1,2,2,6]"
#pragma once
#include "windows.hpp"

namespace tenon {

struct SpaceToDepth;

/// What both directions share. `deep` has block_size² times the channels of `wide`.
struct BlockRearrangement {
    std::int64_t block_size = 2;
    DataFormat data_format = DataFormat::nhwc;
    static constexpr int arity = 1;
    static constexpr bool moves = true;

    template <class O> constexpr Reason wrong(const Dims& x) const {
        if (x.rank != 4) return Reason{} << "[" << O::name << "] needs images [batch,height,width,channels]: " << x;
        if (data_format != DataFormat::nhwc) return Reason{} << "[" << O::name << "] data_format NCHW: only NHWC is computed";
        if (block_size < 2) return Reason{} << "[" << O::name << "] block_size " << block_size << " is less than 2";
        return {};
    }
    /// copy(offset in deep, offset in wide, elements) for every pixel of wide.
    template <class Copy> void each_pixel(const Dims& wide, Copy copy) const {
        const auto h = wide[1], w = wide[2], channels = wide[3], b = block_size;
        for (std::int64_t n = 0, to = 0; n < wide[0]; ++n)
            for (std::int64_t y = 0; y < h; ++y)
                for (std::int64_t x = 0; x < w; ++x, to += channels)
                    copy((((n * (h / b) + y / b) * (w / b) + x / b) * b * b + y % b * b + x % b) * channels, to, channels);
    }
};

/// Shapes    x [batch,height,width,channels] -> [batch,height B,width B,channels / B²]
/// Gradient  SpaceToDepth
struct DepthToSpace : BlockRearrangement {
    static constexpr const char* name = "DepthToSpace";
    template <class Self = DepthToSpace> static constexpr auto params = members(attr("block_size", &Self::block_size), attr("data_format", &Self::data_format));
    constexpr Inferred infer(const Dims& x) const {
        if (const Reason why = wrong<DepthToSpace>(x); why.length) return why;
        const auto b = block_size;
        if (x[3] != dyn && x[3] % (b * b)) return reject("[", name, "] ", x[3], " channels do not divide into blocks of ", b, " x ", b, ": ", x);
        return Dims{x[0], x[1] == dyn ? dyn : x[1] * b, x[2] == dyn ? dyn : x[2] * b, x[3] == dyn ? dyn : x[3] / (b * b)};
    }
    template <class T> void compute(const Call& c) const {
        each_pixel(c.out[0]->dims, [x = c.input<T>(0).data, y = c.output<T>(0).data](std::int64_t deep, std::int64_t wide, std::int64_t n) { std::copy_n(x + deep, n, y + wide); });
    }
    template <class T> static auto gradient(const RunTime<DepthToSpace>& self, const Node<T>& g, const Node<T>&, const Node<T>&) { return std::tuple(make<T>(detail::later<SpaceToDepth, T>{self.op}, {g})); }
};

/// Shapes    x [batch,height,width,channels] -> [batch,height / B,width / B,channels B²]
/// Gradient  DepthToSpace
/// Errors    "[SpaceToDepth] [1,3,4,2] does not divide into blocks of 2 x 2"
struct SpaceToDepth : BlockRearrangement {
    static constexpr const char* name = "SpaceToDepth";
    template <class Self = SpaceToDepth> static constexpr auto params = members(attr("block_size", &Self::block_size), attr("data_format", &Self::data_format));
    constexpr Inferred infer(const Dims& x) const {
        if (const Reason why = wrong<SpaceToDepth>(x); why.length) return why;
        const auto b = block_size;
        if ((x[1] != dyn && x[1] % b) || (x[2] != dyn && x[2] % b)) return reject("[", name, "] ", x, " does not divide into blocks of ", b, " x ", b);
        return Dims{x[0], x[1] == dyn ? dyn : x[1] / b, x[2] == dyn ? dyn : x[2] / b, x[3] == dyn ? dyn : x[3] * b * b};
    }
    template <class T> void compute(const Call& c) const {
        each_pixel(c.in[0]->dims, [x = c.input<T>(0).data, y = c.output<T>(0).data](std::int64_t deep, std::int64_t wide, std::int64_t n) { std::copy_n(x + wide, n, y + deep); });
    }
    template <class T> static auto gradient(const RunTime<SpaceToDepth>& self, const Node<T>& g, const Node<T>&, const Node<T>&) { return std::tuple(make<T>(DepthToSpace{self.op}, {g})); }
};

template <std::int64_t block_size, Operand X> auto depth_to_space(X&& x) { return call(Constant<DepthToSpace{{block_size}}>{}, std::forward<X>(x)); }
template <std::int64_t block_size, Operand X> auto space_to_depth(X&& x) { return call(Constant<SpaceToDepth{{block_size}}>{}, std::forward<X>(x)); }

}  // namespace tenon
