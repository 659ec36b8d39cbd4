// What this machine can do at most, measured: fused multiply-adds of floats in registers, reading and triads of memory, tanh and exp.
#pragma once
#include "harness.hpp"

#include <Eigen/Core>
#include <cstring>

namespace bench {

#if defined __AVX512F__
inline constexpr int vector_bytes = 64;
#elif defined __AVX__
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif

typedef float Wide __attribute__((vector_size(vector_bytes), may_alias, aligned(4)));
typedef float Half __attribute__((vector_size(vector_bytes / 2)));

/// Multiply-adds of vectors in registers only, into sums that do not wait for each other: named one by one, since g++ keeps an array of them in memory.
/// Gives the flops done.
template <class V = Wide> double multiply_add(long rounds) {
    V a = V{} + 0.999f, b = V{} + 1e-3f;
    V s0 = a, s1 = a + 1.f, s2 = a + 2.f, s3 = a + 3.f, s4 = a + 4.f, s5 = a + 5.f, s6 = a + 6.f, s7 = a + 7.f, s8 = a + 8.f, s9 = a + 9.f;
    for (long r = 0; r < rounds; ++r) {
        s0 = s0 * a + b, s1 = s1 * a + b, s2 = s2 * a + b, s3 = s3 * a + b, s4 = s4 * a + b;
        s5 = s5 * a + b, s6 = s6 * a + b, s7 = s7 * a + b, s8 = s8 * a + b, s9 = s9 * a + b;
        asm volatile("");  // no two rounds become one
    }
    s0 += s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9;
    if (s0[0] == 42.f) std::puts("");
    return 2.0 * double(rounds) * 10 * double(sizeof(V) / 4);
}

/// Three arrays that are read, copied or combined; of a power of two bytes each.
class Arrays {
    Eigen::ArrayXf a_, b_, c_;

public:
    explicit Arrays(std::size_t bytes) : a_(Eigen::ArrayXf::Constant(Eigen::Index(bytes / 4), .5f)), b_(a_), c_(a_) {}
    double bytes() const { return double(a_.size()) * 4; }
    void read() {
        constexpr int wide = 8, lanes = vector_bytes / 4;
        Wide s[wide]{};
        for (Eigen::Index i = 0; i < a_.size(); i += wide * lanes)
#pragma GCC unroll 8
            for (int k = 0; k < wide; ++k) s[k] += *reinterpret_cast<const Wide*>(a_.data() + i + k * lanes);
        for (int k = 1; k < wide; ++k) s[0] += s[k];
        if (s[0][0] == 42.f) std::puts("");
    }
    void triad() { c_ = a_ * 3.f + b_, clobber(); }
    void copy() { std::memcpy(b_.data(), a_.data(), std::size_t(bytes())), clobber(); }
    void fill() { std::memset(c_.data(), 0, std::size_t(bytes())), clobber(); }
    void tanh() { c_ = a_.tanh(), clobber(); }
    void exp() { c_ = a_.exp(), clobber(); }
};

/// Flops per second, as the best of some tries: what a program prints its share of.
inline double peak_flops() {
    double best = 0;
    for (int i = 0; i < 30; ++i) {
        const double start = now(), flops = multiply_add(20000);
        best = std::max(best, flops / (now() - start));
    }
    return best;
}

}  // namespace bench
