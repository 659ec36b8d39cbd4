// Random numbers, TensorFlow's own: Philox 4x32-10 and the distributions that its kernels draw from it.
//
//   seed  [ k0 | k1 ]                 key
//   seed2 [ 0 | 0 | low | high ]      counter, a 128-bit number, its lowest word first
//
// One call mixes the counter with the key into four words, then counts up. Element i depends on nothing but the generator and i,
// so a range may be cut anywhere at a multiple of the group (Group) and filled in any order from `skip`ped generators.
#pragma once
#include "view.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <optional>
#include <type_traits>

namespace tenon::random {

/// Philox 4x32-10.
///
/// Values    one call of next() is four words; the counter has 2^128 states
/// Source    Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3; tensorflow/core/lib/random/philox_random.h
struct Philox {
    using Words = std::array<std::uint32_t, 4>;
    std::array<std::uint32_t, 2> key{};
    Words counter{};

    /// Moves on by `calls` calls of next().
    constexpr void skip(std::uint64_t calls) {
        std::uint64_t low = counter[0] | std::uint64_t{counter[1]} << 32, high = counter[2] | std::uint64_t{counter[3]} << 32;
        low += calls;
        high += low < calls;
        counter = {static_cast<std::uint32_t>(low), static_cast<std::uint32_t>(low >> 32), static_cast<std::uint32_t>(high), static_cast<std::uint32_t>(high >> 32)};
    }
    constexpr Words next() {
        Words c = counter;
        for (std::uint32_t round = 0; round < 10; ++round) {
            const std::uint64_t p = std::uint64_t{0xD2511F53} * c[0], q = std::uint64_t{0xCD9E8D57} * c[2];
            c = {static_cast<std::uint32_t>(q >> 32) ^ c[1] ^ (key[0] + round * 0x9E3779B9), static_cast<std::uint32_t>(q),
                 static_cast<std::uint32_t>(p >> 32) ^ c[3] ^ (key[1] + round * 0xBB67AE85), static_cast<std::uint32_t>(p)};
        }
        for (auto& word : counter)
            if (++word) break;
        return c;
    }
    constexpr Philox skipped(std::uint64_t calls) const {
        Philox later = *this;
        later.skip(calls);
        return later;
    }
    friend constexpr bool operator==(const Philox&, const Philox&) = default;
};

/// Numbers that nobody can repeat. (<random> would cost every program an eighth of what Eigen costs.)
template <class = void> std::array<std::int64_t, 2> unrepeatable_seeds() {
    std::array<std::int64_t, 2> seeds{};
    if (std::FILE* const f = std::fopen("/dev/urandom", "rb")) {
        const bool whole = std::fread(seeds.data(), sizeof seeds, 1, f) == 1;
        std::fclose(f);
        if (whole) return seeds;
    }
    std::timespec now{};
    std::timespec_get(&now, TIME_UTC);
    Philox mix{{static_cast<std::uint32_t>(now.tv_nsec), static_cast<std::uint32_t>(now.tv_sec)}, {}};
    const auto w = mix.next();
    return {static_cast<std::int64_t>(w[0] | std::uint64_t{w[1]} << 32), static_cast<std::int64_t>(w[2] | std::uint64_t{w[3]} << 32)};
}
/// The generator of a node with attributes seed and seed2 at its first run. (0, 0) asks for numbers that nobody can repeat: draw seeds elsewhere.
constexpr Philox from_seeds(std::int64_t seed, std::int64_t seed2) {
    const auto s = static_cast<std::uint64_t>(seed), t = static_cast<std::uint64_t>(seed2);
    return {{static_cast<std::uint32_t>(s), static_cast<std::uint32_t>(s >> 32)}, {0, 0, static_cast<std::uint32_t>(t), static_cast<std::uint32_t>(t >> 32)}};
}

/// The generator of the StatelessRandom ops, whose seed is a tensor of two integers.
constexpr Philox from_stateless_seeds(std::int64_t seed, std::int64_t seed2) {
    const auto s = static_cast<std::uint64_t>(seed), t = static_cast<std::uint64_t>(seed2);
    Philox mix{{0x3ec8f720, 0x02461e29}, {static_cast<std::uint32_t>(s), static_cast<std::uint32_t>(s >> 32), static_cast<std::uint32_t>(t), static_cast<std::uint32_t>(t >> 32)}};
    const auto m = mix.next();
    return {{m[0], m[1]}, {0, 0, m[2], m[3]}};
}

/// The generator of a node's next run in a session, after one that made n elements: TensorFlow reserves 256 calls for each.
constexpr Philox after_run(const Philox& philox, std::int64_t n) { return philox.skipped(256 * static_cast<std::uint64_t>(n)); }

/// Attributes seed and seed2 of a random op.
struct Seeds {
    std::int64_t seed = 0, seed2 = 0;
    friend constexpr bool operator==(const Seeds&, const Seeds&) = default;
};

/// The attributes that TensorFlow's Python gives to an op: from the graph's seed, the op's own, and how many ops the graph has
/// seeded for want of their own so far.
///
/// Values    both absent: (0, 0), nondeterministic; both present and zero: (0, 2^31 - 1), which is not
/// Source    tensorflow/python/framework/random_seed.py
constexpr Seeds seeds_of(std::optional<std::int64_t> graph_seed, std::optional<std::int64_t> op_seed, std::int64_t seeded_so_far) {
    constexpr std::int64_t limit = 0x7fffffff, default_graph_seed = 87654321;
    constexpr auto truncate = [](std::int64_t s) { return (s % limit + limit) % limit; };
    if (!graph_seed && !op_seed) return {};
    const Seeds seeds{graph_seed ? truncate(*graph_seed) : default_graph_seed, truncate(op_seed ? *op_seed : seeded_so_far)};
    return seeds == Seeds{} ? Seeds{0, limit} : seeds;
}

namespace detail {

/// The top of [1, 2) as an integer of T's bits, less one: every value is a multiple of the unit of [1, 2).
template <class T> T unit(std::uint32_t x) {
    if constexpr (std::is_same_v<T, float>) return std::bit_cast<float>(0x3f800000u | (x & 0x7fffffu)) - 1.0f;
    else if constexpr (std::is_same_v<T, half>) return Eigen::numext::bit_cast<half>(static_cast<std::uint16_t>(0x3c00u | (x & 0x3ffu))) - half(1.0f);
    else return Eigen::numext::bit_cast<bfloat16>(static_cast<std::uint16_t>(0x3f80u | (x & 0x7fu))) - bfloat16(1.0f);
}
template <class = void> double unit(std::uint32_t high, std::uint32_t low) {
    return std::bit_cast<double>(std::uint64_t{0x3ff} << 52 | std::uint64_t{high & 0xfffffu} << 32 | low) - 1.0;
}

template <class T> struct Pair {
    T sine, cosine;
};
/// Box and Muller: two normal numbers of two uniform ones. The constants and their roundings are TensorFlow's.
template <class = void> Pair<float> box_muller(std::uint32_t x0, std::uint32_t x1) {
    const float u = std::max(unit<float>(x0), 1.0e-7f), r = std::sqrt(-2.0f * std::log(u));
    const auto v = static_cast<float>(6.283185307179586 * static_cast<double>(unit<float>(x1)));
    return {std::sin(v) * r, std::cos(v) * r};
}
template <class = void> Pair<double> box_muller(std::uint32_t x0, std::uint32_t x1, std::uint32_t x2, std::uint32_t x3) {
    const double u = std::max(unit(x0, x1), 1.0e-7), r = std::sqrt(-2.0 * std::log(u)), v = 6.283185307179586 * unit(x2, x3);
    return {std::sin(v) * r, std::cos(v) * r};
}

/// Writes one call's elements after the other; `make` puts the `per_call` elements of one call.
template <int per_call, class T, class Make> void fill(Philox philox, T* out, std::int64_t n, Make make) {
    std::int64_t i = 0;
    for (; i + per_call <= n; i += per_call) make(philox.next(), out + i);
    if (i == n) return;
    T rest[per_call];
    make(philox.next(), rest);
    std::copy_n(rest, n - i, out + i);
}

/// The words of successive calls, one by one.
struct WordByWord {
    Philox philox;
    Philox::Words words{};
    unsigned used = 4;
    std::uint32_t operator()() {
        if (used == 4) words = philox.next(), used = 0;
        return words[used++];
    }
};

}  // namespace detail

/// Elements that one call makes: 2 of double and int64, 4 of everything else. Cut ranges at multiples of it.
template <class T> inline constexpr int group = sizeof(T) == 8 ? 2 : 4;

/// Uniform numbers in [0, 1). T is float, double, half or bfloat16.
///
/// Cost      2 to 3 ns per call of Philox
/// Source    TensorFlow op RandomUniform, tensorflow/core/lib/random/random_distributions.h
template <class T> void uniform(const Philox& philox, T* out, std::int64_t n) {
    detail::fill<group<T>>(philox, out, n, [](const Philox::Words& x, T* y) {
        if constexpr (std::is_same_v<T, double>) y[0] = detail::unit(x[0], x[1]), y[1] = detail::unit(x[2], x[3]);
        else for (unsigned j = 0; j < 4; ++j) y[j] = detail::unit<T>(x[j]);
    });
}

/// Uniform integers in [low, high), high > low. T is int32 or int64. Slightly biased where high - low is no power of two, as TensorFlow's are.
///
/// Source    TensorFlow op RandomUniformInt
template <class T> void uniform_int(const Philox& philox, T low, T high, T* out, std::int64_t n) {
    using U = std::make_unsigned_t<T>;
    const U range = static_cast<U>(static_cast<U>(high) - static_cast<U>(low));
    detail::fill<group<T>>(philox, out, n, [=](const Philox::Words& x, T* y) {
        if constexpr (sizeof(T) == 8)
            for (unsigned j = 0; j < 2; ++j) y[j] = static_cast<T>(static_cast<U>(low) + (x[2 * j] | std::uint64_t{x[2 * j + 1]} << 32) % range);
        else
            for (unsigned j = 0; j < 4; ++j) y[j] = static_cast<T>(static_cast<U>(low) + x[j] % range);
    });
}

/// Numbers of mean 0 and standard deviation 1. T is float, double, half or bfloat16.
///
/// Values    as far as the logarithms, sines and cosines of two libraries agree: 2e-6; half and bfloat16 are rounded from float
/// Source    TensorFlow op RandomStandardNormal
template <class T> void normal(const Philox& philox, T* out, std::int64_t n) {
    detail::fill<group<T>>(philox, out, n, [](const Philox::Words& x, T* y) {
        if constexpr (std::is_same_v<T, double>) {
            const auto pair = detail::box_muller(x[0], x[1], x[2], x[3]);
            y[0] = pair.sine, y[1] = pair.cosine;
        } else
            for (unsigned j = 0; j < 4; j += 2) {
                const auto pair = detail::box_muller(x[j], x[j + 1]);
                y[j] = static_cast<T>(pair.sine), y[j + 1] = static_cast<T>(pair.cosine);
            }
    });
}

/// As normal(), but numbers beyond two standard deviations are drawn again.
///
/// Values    each group has 64 calls per element of its own to draw from, so it does not depend on the luck of others
/// Source    TensorFlow op TruncatedNormal
template <class T> void truncated_normal(const Philox& philox, T* out, std::int64_t n) {
    constexpr std::int64_t size = group<T>;
    for (std::int64_t start = 0; start < n; start += size) {
        detail::WordByWord word{philox.skipped(64 * static_cast<std::uint64_t>(start))};
        const std::int64_t end = std::min(start + size, n);
        const auto keep = [&](std::int64_t& i, auto v) {
            if (std::abs(v) < 2 && i < end) out[i++] = static_cast<T>(v);
        };
        for (std::int64_t i = start; i < end;) {
            const auto x0 = word(), x1 = word();
            const auto pair = [&] {
                if constexpr (std::is_same_v<T, double>) {
                    const auto x2 = word(), x3 = word();
                    return detail::box_muller(x0, x1, x2, x3);
                } else
                    return detail::box_muller(x0, x1);
            }();
            keep(i, pair.sine), keep(i, pair.cosine);
        }
    }
}

}  // namespace tenon::random
