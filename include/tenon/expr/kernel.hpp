// From an op's `forward` or `compute` to the kernel that plans call.
#pragma once
#include "../tensor/blocks.hpp"
#include "../tensor/packet.hpp"
#include "constant.hpp"
#include "through_float.hpp"

namespace tenon::detail {

// ---- kernels

/// out = f(block of each operand), over all blocks: the loop of every elementwise kernel.
template <class T, class R, std::size_t N, class F> void each_block(const Call& c, F&& f) {
    const auto& layouts = *static_cast<const Layouts*>(c.prepared);
    std::array<Reader<T>, N> readers;
    for (std::size_t k = 0; k < N; ++k) readers[k].open(*c.in[k], layouts.each[k], layouts.cuts);
    R* const out = static_cast<R*>(c.out[0]->data);
    layouts.cuts.each([&](std::int64_t i, std::int64_t n) { f(out + i, readers, i, n); });
}
using Step = void (*)(const void* op, void* y, const void* const* x, std::int64_t n);
/// One block of `n` elements: `step` gets a multiple of `width`; those left come again with some before them, or in buffers of `width`.
template <class T, class R, std::size_t most> [[gnu::noinline]] void step_block(const void* op, Step step, std::int64_t width, R* y, const void* (&x)[most], std::size_t operands, std::int64_t n) {
    const auto left = n & (width - 1), whole = n - left;
    if (whole) step(op, y, x, whole);
    if constexpr (std::is_floating_point_v<T> && std::is_same_v<T, R>) {
        if (left == 0) return;
        bool again = whole > 0;
        for (std::size_t k = 0; k < operands; ++k) again &= x[k] != y;
        const auto from = again ? n - width : whole;
        alignas(64) T buffer[most + 1][packet_width<T>];
        for (std::size_t k = 0; k < operands; ++k) {
            const T* const rest = static_cast<const T*>(x[k]) + from;
            if (!again) copy_padded(buffer[k], rest, left);
            x[k] = again ? rest : buffer[k];
        }
        step(op, again ? y + from : buffer[most], x, width);
        if (!again) copy_less(y + from, buffer[most], left);
    }
}
/// The same with one function per op or statement: the loop around it is compiled once per type. `width`, a power of two: a multiple of it is what `step` gets.
/// `totals`: out is the sum of all, or their mean.
template <class T, class R, std::size_t most, bool totals = false> [[gnu::noinline]] void walk(const Call& c, Step step, std::int64_t width) {
    const auto& layouts = *static_cast<const Layouts*>(c.prepared);
    const std::size_t operands = layouts.each.size();
    R* const out = static_cast<R*>(c.out[0]->data);
    alignas(64) std::array<std::conditional_t<totals, T, char>, totals ? block : 1> values;
    [[maybe_unused]] R sum{};
    const auto each = [&](const auto& at) __attribute__((always_inline)) {
        layouts.cuts.each([&](std::int64_t i, std::int64_t n) {
            const void* x[most];
            for (std::size_t k = 0; k < operands; ++k) x[k] = at(k, i, n);
            if constexpr (totals) {  // by lanes, and then what is left: as backward
                T* const y = values.data();
                step_block<T, T>(c.op, step, width, y, x, operands, n);
                const auto left = n & (width - 1);
                Packet<T> lanes(T(0));
                for (std::int64_t k = 0; k < n - left; k += packet_width<T>) lanes = lanes + Packet<T>::load(y + k);
                sum += lanes.sum();
                for (std::int64_t k = n - left; k < n; ++k) sum += y[k];
            } else step_block<T, R>(c.op, step, width, out + i, x, operands, n);
        });
    };
    if (layouts.is_plain()) {
        each([&](std::size_t k, std::int64_t i, std::int64_t) { return layouts.plain<T>(k, *c.in[k]) + (layouts.stays(k) ? 0 : i); });
    } else {
        std::array<Reader<T>, most> readers;
        for (std::size_t k = 0; k < operands; ++k) readers[k].open(*c.in[k], layouts.each[k], layouts.cuts);
        each([&](std::size_t k, std::int64_t i, std::int64_t n) { return readers[k].at(i, n); });
    }
    if constexpr (totals) *out = as<Group>(c.op).mean ? sum / static_cast<T>(layouts.cuts.size()) : sum;
}
/// Integers wrap, as they do in TensorFlow; signed ones would be undefined.
template <class T> auto wrapping(const T& v) {
    if constexpr (std::is_same_v<T, bool>) return v;
    else if constexpr (std::is_integral_v<T> && sizeof(T) < 4) return static_cast<std::uint32_t>(v);
    else if constexpr (std::is_integral_v<T>) return static_cast<std::make_unsigned_t<T>>(v);
    else return v;
}
template <class O, class T> inline constexpr bool in_packets = std::is_floating_point_v<T> && std::is_same_v<result_t<O, T>, T> && !requires { O::by_element; };
/// Packets where they pay, a plain loop over `element`, or over `forward` of single elements, where they do not.
template <class O, class T, class R, class... X> void step_over(const O& op, R* y, std::int64_t n, const X*... x) {
    if constexpr (in_packets<O, T>) for (std::int64_t k = 0; k < n; k += packet_width<T>) op.forward(Packet<T>::load(x + k)...).store(y + k);
    else if constexpr (requires { op.element(*x...); }) for (std::int64_t k = 0; k < n; ++k) y[k] = static_cast<R>(op.element(x[k]...));
    else for (std::int64_t k = 0; k < n; ++k) y[k] = static_cast<R>(op.forward(wrapping(x[k])...));
}
template <class O, class T> void step(const void* self, void* to, const void* const* from, std::int64_t n) {
    const auto x = [&](int i) { return static_cast<const T*>(from[i]); };
    auto* const y = static_cast<result_t<O, T>*>(to);
    if constexpr (O::arity == 1) step_over<O, T>(as<O>(self), y, n, x(0));
    else if constexpr (O::arity == 2) step_over<O, T>(as<O>(self), y, n, x(0), x(1));
    else step_over<O, T>(as<O>(self), y, n, x(0), x(1), x(2));
}
template <class = void> std::shared_ptr<const void> prepare_elementwise(const void*, std::span<const Ref* const> in, std::span<const Ref* const> out) {
    const auto layouts = std::make_shared<Layouts>(in.data(), in.size(), out[0]->dims, out[0]->dims.size());
    layouts->settle(in.data());
    return layouts;
}
template <class T> using storage_t = std::conditional_t<std::is_same_v<T, std::string>, std::string,
    std::conditional_t<sizeof(T) == 1, std::uint8_t, std::conditional_t<sizeof(T) == 2, std::uint16_t, std::conditional_t<sizeof(T) == 4, std::uint32_t, std::conditional_t<sizeof(T) == 8, std::uint64_t, T>>>>>;

template <class O> inline constexpr bool keeps_type = requires { O::moves; } || requires { O::casts; };
template <class O> constexpr int writes_of() {
    if constexpr (requires { O::writes; }) return O::writes;
    else return 0;
}

/// The element type that a kernel is compiled for: whatever only moves elements once per width, whatever goes through float once for both small types.
template <class O, class T> struct kernel_type_of { using type = T; };
template <class O, class T> requires requires { O::moves; } struct kernel_type_of<O, T> { using type = storage_t<T>; };
template <class O, class T> requires(is_small_float<T> && !keeps_type<O>) struct kernel_type_of<O, T> { using type = half; };
template <class O, class T> using kernel_type = typename kernel_type_of<O, T>::type;

template <class O, class T> void forward(const Call& c) {
    if constexpr (is_small_float<T> && !keeps_type<O>) {
        run_through_float(&forward<O, float>, writes_of<O>(), c);
    } else if constexpr (ElementwiseOp<O>) {
        walk<T, result_t<O, T>, 3>(c, &step<O, T>, in_packets<O, T> ? packet_width<T> : 1);
    } else {
        as<O>(c.op).template compute<T>(c);
    }
}
template <class O, class T> concept HasWorkspace = requires(const O& o, std::span<const Ref* const> r) { o.template workspace<T>(r, r); };
template <class O, class T> std::size_t workspace(const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out) {
    if constexpr (!is_small_float<T> || keeps_type<O>) return as<O>(op).template workspace<T>(in, out);
    else if constexpr (HasWorkspace<O, float>) return workspace_through_float(&workspace<O, float>, op, in, out);
    else return workspace_through_float(nullptr, op, in, out);
}

}  // namespace tenon::detail
