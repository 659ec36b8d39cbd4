// Plain loops that every compiler turns into vector instructions at -O2.
#pragma once
#include <cstdint>

namespace tenon {

/// step(i) for i in [0, n). No step may read what another writes.
///
/// g++ 12 at -O2 vectorises loops of constant length only, and only if it need not ask whether pointers overlap: so 16 at a time, and told so.
/// At -O3 it would first unroll them, and then not find the vectors any more.
template <class Step> [[gnu::always_inline]] inline void for_each_lane(std::int64_t n, Step step) {
    std::int64_t i = 0;
    for (; i + 16 <= n; i += 16)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC ivdep
#pragma GCC unroll 1
#endif
        for (std::int64_t lane = 0; lane < 16; ++lane) step(i + lane);
    for (; i < n; ++i) step(i);
}

}  // namespace tenon
