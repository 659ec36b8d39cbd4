// Two-dimensional convolution and its two gradients, as products: of the image where it lies if its shape fills tiles (conv_direct.hpp), else of
// patches of it (conv_patches.hpp). The extents are in conv_shape.hpp.
#pragma once
#include "conv_direct.hpp"
#include "conv_patches.hpp"
#include "gemm_part.hpp"
#include "lanes.hpp"

namespace tenon::conv {

/// Bytes of workspace, 64-byte aligned: a band of the image and the filter or a piece of it, or patches of at most 512 KiB or 48 positions and the product's packing.
template <class T> std::size_t forward_workspace_bytes(const Shape& s, Machine on = machine()) {
    const gemm::Tiles<T>& t = gemm::tiles_for<T>(on);
    if (s.output_size() == 0 || s.input_size() == 0) return 0;
    if (detail::is_direct(s, t)) return detail::direct_bytes(s, t);
    return detail::workspace_bytes<T>(s, [&](std::int64_t block) { return gemm::workspace_bytes<T>(block, s.group_filters(), s.patch(), on); });
}
template <class T> std::size_t backprop_input_workspace_bytes(const Shape& s, Machine on = machine()) {
    const gemm::Tiles<T>& t = gemm::tiles_for<T>(on);
    if (s.output_size() == 0 || s.input_size() == 0) return 0;
    if (detail::is_direct_to_input(s, t)) return detail::direct_bytes(detail::turned(s), t);
    return detail::workspace_bytes<T>(s, [&](std::int64_t block) { return gemm::workspace_bytes<T>(block, s.patch(), s.group_filters(), on); });
}
template <class T> std::size_t backprop_filter_workspace_bytes(const Shape& s, Machine on = machine()) {
    const gemm::Tiles<T>& t = gemm::tiles_for<T>(on);
    if (s.output_size() == 0 || s.filter_size() == 0 || s.input_size() == 0) return 0;
    if (detail::is_direct_to_filter(s, t)) return detail::Band<T>(s).bytes(s, t.rows);
    return detail::workspace_bytes<T>(s, [&](std::int64_t block) { return gemm::workspace_bytes<T>(s.patch(), s.group_filters(), block, on); });
}

/// Whether an image alone becomes, to the last bit, what it becomes among others, in forward() and backprop_input(): very small products are sums of another order.
constexpr bool images_are_apart(const Shape& s) {
    const std::int64_t positions = s.h.output * s.w.output;
    return positions >= 16 && positions * s.patch() * s.group_filters() > 512;
}

/// output = input * filter, a cross-correlation: filters are not flipped. Of that what `end` says, by filter.
///
/// Values    float, double; strides, dilations, paddings and groups of any kind
/// Cost      2 positions patch filters / groups flops
/// Source    TensorFlow op Conv2D
template <class T> void forward(const Shape& s, const T* input, const T* filter, T* output, std::byte* workspace, Machine on = machine(), const gemm::Epilogue<T>& end = {}) {
    if (s.output_size() == 0) return;
    if (s.input_size() == 0) return gemm::multiply(output, s.filters, gemm::Factor<T>{nullptr, 0}, gemm::Factor<T>{nullptr, s.filters}, s.positions(), s.filters, 0, workspace, on, end);
    if (const gemm::Tiles<T>& t = gemm::tiles_for<T>(on); detail::is_direct(s, t))
        return detail::forward_direct(s, on, input, output, workspace, end, [&](T* to, std::int64_t panel, std::int64_t j, std::int64_t columns, std::int64_t k, std::int64_t count) {
            gemm::detail::pack(t, to, panel, gemm::Factor<T>{filter, s.filters}, false, j, columns, k, count, s.filters, s.patch());
        }, [&](std::int64_t j, std::int64_t k, std::int64_t line) { return gemm::Ahead<T>{filter + k * s.filters + j + line * t.lanes, s.filters}; });
    const std::int64_t filters = s.group_filters();
    detail::for_each_block<T>(s, [&](std::int64_t g, std::int64_t from, std::int64_t count) {
        gemm::multiply(output + from * s.filters + g * filters, s.filters, detail::patches(s, input, g, from, count, workspace),
                       gemm::Factor<T>{filter + g * filters, s.filters}, count, filters, s.patch(), workspace + detail::patch_bytes<T>(s), on,
                       end.from(from * s.filters + g * filters, g * filters));
    });
}

/// The gradient of forward() with respect to `input`, from that of `output`; a transposed convolution by itself.
///
/// Cost      as forward(); overlapping patches are added in order of position, so the result is the same in every run
/// Source    TensorFlow op Conv2DBackpropInput
template <class T> void backprop_input(const Shape& s, const T* filter, const T* output, T* input, std::byte* workspace, Machine on = machine()) {
    if (s.output_size() == 0 || s.input_size() == 0) { std::fill_n(input, s.input_size(), T(0)); return; }
    if (const gemm::Tiles<T>& t = gemm::tiles_for<T>(on); detail::is_direct_to_input(s, t))
        return detail::forward_direct(detail::turned(s), on, output, input, workspace, gemm::Epilogue<T>{}, [&](T* to, std::int64_t panel, std::int64_t j, std::int64_t columns, std::int64_t k, std::int64_t count) {
            const std::int64_t taps = s.h.window.size * s.w.window.size;  // from the last one on
            for (std::int64_t end = k + count, some; k < end; k += some, to += some * panel) {
                const std::int64_t tap = taps - 1 - k / s.filters, f = k % s.filters;
                some = std::min(s.filters - f, end - k);
                t.pack_transposed(to, panel, filter + (tap * s.channels + j) * s.filters + f, s.filters, columns, some);
            }
        }, [](std::int64_t, std::int64_t, std::int64_t) { return gemm::Ahead<T>{}; });
    const std::int64_t filters = s.group_filters();
    const bool direct = s.is_its_own_patches();
    if (!direct) std::fill_n(input, s.input_size(), T(0));
    detail::for_each_block<T>(s, [&](std::int64_t g, std::int64_t from, std::int64_t count) {
        T* const into = input + g * s.group_channels();
        T* const made = reinterpret_cast<T*>(workspace);
        gemm::multiply(direct ? into + from * s.input_stride() : made, direct ? s.input_stride() : s.patch(), gemm::Factor<T>{output + from * s.filters + g * filters, s.filters},
                       gemm::Factor<T>{filter + g * filters, s.filters, true}, count, s.patch(), filters, workspace + detail::patch_bytes<T>(s), on);
        if (direct) return;
        detail::for_each_run(s, from, count, [=](std::int64_t x, std::int64_t patch, std::int64_t n) {
            if (x >= 0) for_each_lane(n, [to = into + x, from = made + patch](std::int64_t i) { to[i] += from[i]; });
        });
    });
}

namespace detail {
/// Of the products that make the filter's gradient of patches.
template <class T> gemm::Parts<T> filter_parts(const Shape& s, int most, Machine on) { return {s.patch(), s.group_filters(), blocks_of<T>(s).shortest, most, on}; }
}  // namespace detail

/// Into how many shares, `most` at most, backprop_filter() is divided. Each element of the filter is summed by one; patches are made by all of them, which
/// few filters do not pay for.
template <class T> int backprop_filter_shares(const Shape& s, int most, Machine on = machine()) {
    if (s.output_size() == 0 || s.filter_size() == 0 || s.input_size() == 0) return 1;
    if (const gemm::Tiles<T>& t = gemm::tiles_for<T>(on); detail::is_direct_to_filter(s, t)) return static_cast<int>(std::min<std::int64_t>(most, detail::filter_tiles(s, t)));
    return s.is_its_own_patches() || s.group_filters() >= 64 ? detail::filter_parts<T>(s, most, on).count() : 1;
}

/// The gradient of forward() with respect to `filter`, from that of `output`; or one of backprop_filter_shares() of it.
///
/// Source    TensorFlow op Conv2DBackpropFilter
template <class T> void backprop_filter(const Shape& s, const T* input, const T* output, T* filter, std::byte* workspace, Machine on = machine(), Share share = {}) {
    if (s.output_size() == 0 || s.filter_size() == 0 || s.input_size() == 0) { std::fill_n(filter, s.filter_size(), T(0)); return; }
    if (const gemm::Tiles<T>& t = gemm::tiles_for<T>(on); detail::is_direct_to_filter(s, t)) return detail::filter_direct(s, on, input, output, filter, workspace, share);
    const std::int64_t filters = s.group_filters();
    const gemm::Part part = detail::filter_parts<T>(s, share.count, on)[share.index];
    T* const mine = filter + part.rows.from * s.filters + part.columns.from;
    for (std::int64_t g = 0; g < s.groups; ++g)
        for (std::int64_t r = 0; r < part.rows.size(); ++r) std::fill_n(mine + r * s.filters + g * filters, part.columns.size(), T(0));
    detail::for_each_block<T>(s, [&](std::int64_t g, std::int64_t from, std::int64_t count) {
        auto patches = detail::patches(s, input, g, from, count, workspace);
        patches.transposed = true;
        gemm::add(mine + g * filters, s.filters, gemm::rows_of(patches, part.rows), gemm::columns_of(gemm::Factor<T>{output + from * s.filters + g * filters, s.filters}, part.columns),
                  part.rows.size(), part.columns.size(), count, T(1), workspace + detail::patch_bytes<T>(s), on);
    });
}

}  // namespace tenon::conv
