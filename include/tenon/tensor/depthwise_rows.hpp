// Rows of a depthwise convolution with one filter a channel, compiled for each kind of machine.
#pragma once
#include "machine.hpp"

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace tenon::depthwise {

/// Taps along one axis: how many, and elements from each to the next.
struct Taps {
    std::int64_t count, source_step, filter_step;
};
/// Positions side by side that see the same taps: result = sum over taps of source * filter, channel by channel. Pointers are to the first position and tap.
template <class T> struct Row {
    const T* source;
    std::int64_t source_step;  ///< from position to position
    const T* filter;
    T* result;
    std::int64_t result_step, positions, channels;
    Taps taps[2];  ///< of rows and columns
};
template <class T> struct Rows {
    std::int64_t lanes;  ///< the fewest channels that sum_row takes
    void (*sum_row)(const Row<T>&);
    void (*add_products)(const T* x, std::int64_t x_step, const T* y, std::int64_t y_step, std::int64_t positions, std::int64_t channels, T* sum);
};

namespace portable {
inline constexpr int vector_bytes = 16;
#include "depthwise_rows.inc"
}  // namespace portable

#if defined(__x86_64__)
#include "begin_avx2.inc"
namespace avx2 {
inline constexpr int vector_bytes = 32;
#include "depthwise_rows.inc"
}  // namespace avx2
#include "end_target.inc"
#include "begin_avx512.inc"
namespace avx512 {
inline constexpr int vector_bytes = 64;
#include "depthwise_rows.inc"
}  // namespace avx512
#include "end_target.inc"
#endif

/// The widest that `channels` fill; for fewer, portable ones, which take none of them.
template <class T> const Rows<T>& rows_for([[maybe_unused]] std::int64_t channels, [[maybe_unused]] Machine m) {
#if defined(__x86_64__)
    if (m == Machine::avx512 && channels >= avx512::lanes<T>) return avx512::rows<T>;
    if (m != Machine::portable && channels >= avx2::lanes<T>) return avx2::rows<T>;
#endif
    return portable::rows<T>;
}

}  // namespace tenon::depthwise
