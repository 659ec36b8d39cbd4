// The numbers that every worker starts from, in whatever language: the fifth loss of all of them must agree.
#pragma once
#include <cmath>
#include <cstddef>

namespace bench {

/// Uniform numbers in plus + [-scale, scale): frac(sin(12.9898 i + 78.233 seed) 43758.5453), in double.
inline void numbers(float* to, std::size_t count, float scale, int seed, float plus = 0) {
    for (std::size_t i = 0; i < count; ++i) {
        volatile double a = double(i) * 12.9898, b = seed * 78.233;  // volatile: no fused multiply-add
        const double x = std::sin(a + b) * 43758.5453;
        to[i] = float((x - std::floor(x)) * 2 - 1) * scale + plus;
    }
}
/// Row i has its 1 in column i modulo the number of columns.
inline void one_hot(float* to, std::size_t rows, std::size_t columns) {
    for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t k = 0; k < columns; ++k) to[i * columns + k] = i % columns == k ? 1.f : 0.f;
}

}  // namespace bench
