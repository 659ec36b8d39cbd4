// Copies between parts of a tensor that are themselves stored in C order.
#pragma once
#include "slice.hpp"

namespace tenon::detail {

/// Where element `first` of the box `inner` stands in `outer`, which holds it, both with all lengths known.
inline std::size_t offset_in(const TensorSlice& outer, const TensorSlice& inner) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < outer.axes.size(); ++i) {
        const auto& [start, length] = outer.axes[i];
        at = at * static_cast<std::size_t>(length) + static_cast<std::size_t>(inner.axes[i].start - start);
    }
    return at;
}
/// The axis from which on `inner` is one run in `outer`: all later axes are whole. 0: it is one run altogether.
inline std::size_t run_axis(const TensorSlice& outer, const TensorSlice& inner) {
    auto axis = outer.axes.size();
    while (axis > 0 && (axis == outer.axes.size() || inner.axes[axis].length == outer.axes[axis].length)) --axis;
    while (axis > 0 && inner.axes[axis - 1].length == 1) --axis;
    return axis;
}
/// Calls run(at in `from`, at in `to`, n) for runs of elements that together are `box`, which lies in both.
template <class Run> void each_run(const TensorSlice& box, const TensorSlice& from, const TensorSlice& to, Run run) {
    if (box.size() == 0) return;
    const auto axis = std::max(run_axis(from, box), run_axis(to, box));
    std::size_t n = 1;
    for (auto i = axis; i < box.axes.size(); ++i) n *= static_cast<std::size_t>(box.axes[i].length);
    TensorSlice at = box;
    for (;;) {
        run(offset_in(from, at), offset_in(to, at), n);
        auto i = axis;
        for (; i > 0; --i) {
            auto& a = at.axes[i - 1];
            if (++a.start < box.axes[i - 1].start + box.axes[i - 1].length) break;
            a.start = box.axes[i - 1].start;
        }
        if (i == 0) return;
    }
}

}  // namespace tenon::detail
