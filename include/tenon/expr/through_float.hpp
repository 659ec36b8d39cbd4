// How ops that compute run on half and bfloat16: in float, whole tensors at a time, rounded once. One kernel per op serves three types.
#pragma once
#include "operation.hpp"

#include <utility>

namespace tenon::detail {

template <class = void> std::size_t padded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
template <class = void> std::size_t float_bytes(const Ref& r) { return is_floating(r.dtype) ? padded(static_cast<std::size_t>(r.dims.size()) * 4) : 0; }
inline bool is_half(const Ref& r) { return r.dtype == DType::half || r.dtype == DType::bfloat16; }
template <class = void> void widen(const Ref& from, float* to) {
    const auto n = from.dims.size();
    if (from.dtype == DType::half) for (std::int64_t i = 0; i < n; ++i) to[i] = float(static_cast<const half*>(from.data)[i]);
    else for (std::int64_t i = 0; i < n; ++i) to[i] = float(static_cast<const bfloat16*>(from.data)[i]);
}
template <class = void> void narrow(const float* from, const Ref& to) {
    const auto n = to.dims.size();
    if (to.dtype == DType::half) for (std::int64_t i = 0; i < n; ++i) static_cast<half*>(to.data)[i] = half(from[i]);
    else for (std::int64_t i = 0; i < n; ++i) static_cast<bfloat16*>(to.data)[i] = bfloat16(from[i]);
}
template <class = void> std::size_t workspace_through_float(decltype(OpTable::workspace) workspace, const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out) {
    std::size_t bytes = (in.size() + out.size()) * (sizeof(Ref) + sizeof(Ref*)) + 128;
    for (const Ref* r : in) bytes += float_bytes(*r);
    for (const Ref* r : out) bytes += float_bytes(*r);
    return padded(bytes) + (workspace ? workspace(op, in, out) : 0);
}
template <class = void> void run_through_float(Kernel forward, int writes, const Call& c) {
    std::byte* at = c.workspace;
    const auto take = [&](std::size_t bytes) { return std::exchange(at, at + padded(bytes)); };
    const auto all = c.in.size() + c.out.size();
    Ref* refs = reinterpret_cast<Ref*>(take(all * sizeof(Ref)));
    const Ref** pointers = reinterpret_cast<const Ref**>(take(all * sizeof(Ref*)));
    for (std::size_t i = 0; i < all; ++i) {
        const bool is_input = i < c.in.size();
        const Ref& r = is_input ? *c.in[i] : *c.out[i - c.in.size()];
        new (refs + i) Ref(r);
        pointers[i] = refs + i;
        if (!is_half(r) || !r.data) continue;
        refs[i].dtype = DType::float32;
        refs[i].data = !is_input && writes && i == c.in.size() ? refs[0].data : take(static_cast<std::size_t>(r.dims.size()) * 4);
        if (is_input) widen(r, static_cast<float*>(refs[i].data));
    }
    Call inner{c.op, {pointers, c.in.size()}, {pointers + c.in.size(), c.out.size()}, take(0), c.prepared, c.random};
    forward(inner);
    for (std::size_t i = 0; i < all; ++i) {
        const bool is_input = i < c.in.size();
        const Ref& r = is_input ? *c.in[i] : *c.out[i - c.in.size()];
        const bool written = is_input ? i < static_cast<std::size_t>(writes) : !writes;
        if (written && is_half(r) && r.data) narrow(static_cast<const float*>(refs[i].data), r);
    }
}

}  // namespace tenon::detail
