// Exponentials of many elements, in the widest registers of the machine at hand.
//
// Eigen's are as wide as the program was compiled for: with plain -O2, 5 times slower on AVX-512 than these. Where they are as wide, they are faster (floats).
#pragma once
#include "machine.hpp"
#include "packet.hpp"

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace tenon::lanes {

namespace portable {
/// Eigen's maps take scalars up to the first aligned element, so that their last bits depend on the address; these are vectors throughout.
template <class T> void exp(const T* x, T* y, std::int64_t n) {
    constexpr std::int64_t width = packet_width<T>;
    std::int64_t i = 0;
    for (; i + width <= n; i += width) Packet<T>::load(x + i).exp().store(y + i);
    if (i == n) return;
    T rest[width] = {};
    std::copy_n(x + i, n - i, rest);
    Packet<T>::load(rest).exp().store(rest);
    std::copy_n(rest, n - i, y + i);
}
}  // namespace portable

#if defined(__x86_64__)
#include "begin_avx2.inc"
namespace avx2 {
inline constexpr int vector_bytes = 32;
#include "exp_lanes.inc"
}  // namespace avx2
#include "end_target.inc"
#include "begin_avx512.inc"
namespace avx512 {
inline constexpr int vector_bytes = 64;
#include "exp_lanes.inc"
}  // namespace avx512
#include "end_target.inc"
#endif

/// y = exp(x); y may be x.
template <class T> void exp(const T* x, T* y, std::int64_t n, [[maybe_unused]] Machine on = machine()) {
#if defined(__x86_64__)
    constexpr auto bytes = Eigen::internal::packet_traits<T>::size * sizeof(T);
    if constexpr (bytes < 64) {
        if (on == Machine::avx512) return avx512::exp(x, y, n);
        if constexpr (bytes < 32) if (on == Machine::avx2) return avx2::exp(x, y, n);
    }
#endif
    portable::exp(x, y, n);
}

}  // namespace tenon::lanes
