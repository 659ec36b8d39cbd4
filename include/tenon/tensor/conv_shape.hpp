// The extents of a two-dimensional convolution.
//
//   input   [batch, h.input, w.input, channels]                 NHWC
//   filter  [h.size, w.size, channels / groups, filters]        HWIO
//   output  [batch, h.output, w.output, filters]                group g reads and writes the g-th part of the channels and of the filters
#pragma once
#include "window.hpp"

namespace tenon::conv {

struct Shape {
    std::int64_t batch = 0;
    Axis h, w;
    std::int64_t channels = 0, filters = 0, groups = 1;

    constexpr std::int64_t group_channels() const { return channels / groups; }
    constexpr std::int64_t group_filters() const { return filters / groups; }
    constexpr std::int64_t positions() const { return batch * h.output * w.output; }
    constexpr std::int64_t patch() const { return h.window.size * w.window.size * group_channels(); }
    constexpr std::int64_t input_size() const { return batch * h.input * w.input * channels; }
    constexpr std::int64_t filter_size() const { return patch() * filters; }
    constexpr std::int64_t output_size() const { return positions() * filters; }
    /// The input's elements are already the patches, `input_stride()` apart.
    constexpr bool is_its_own_patches() const {
        const auto pointwise = [](const Axis& a) { return a.window.size == 1 && a.window.stride == 1 && a.window.before == 0 && a.output == a.input; };
        const auto whole = [](const Axis& a) { return a.window.size == a.input && a.window.dilation == 1 && a.window.before == 0 && a.output == 1; };
        return (pointwise(h) && pointwise(w)) || (groups == 1 && whole(h) && whole(w));
    }
    constexpr std::int64_t input_stride() const { return h.window.size * w.window.size * channels; }
};

}  // namespace tenon::conv
