// CRC-32C (Castagnoli): polynomial 0x1EDC6F41 reflected, 0x82F63B78; begins and ends inverted. In files it is masked.
//
// The register is a polynomial of degree below 32 in reflected order, highest power in bit 0. Bytes further on are told by products with powers of x:
//
//   instruction   takes 8 bytes each cycle but answers after three, so three runs go side by side and are joined by such a product
//   fold          512 bytes are kept unreduced in eight vectors; all are moved past the next 512 by products of their 64-bit halves with x^4127 and x^4063
//
// On 64 KiB: 67 GB/s by folding (51 with four vectors), 32 by three runs, 2.7 by tables. What the processor has is asked at run time.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace tenon {

namespace detail::crc {

inline constexpr std::uint32_t polynomial = 0x82f63b78u;

/// table[k][b]: the register after byte b and k bytes of zero.
inline constexpr auto table = [] {
    std::array<std::array<std::uint32_t, 256>, 8> t{};
    for (std::uint32_t b = 0; b < 256; ++b) {
        t[0][b] = b;
        for (int bit = 0; bit < 8; ++bit) t[0][b] = t[0][b] >> 1 ^ (t[0][b] & 1 ? polynomial : 0);
    }
    for (std::size_t k = 1; k < 8; ++k)
        for (std::size_t b = 0; b < 256; ++b) t[k][b] = t[k - 1][b] >> 8 ^ t[0][t[k - 1][b] & 0xff];
    return t;
}();

inline std::uint64_t load(const unsigned char* p) {
    std::uint64_t v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
/// x^n modulo the polynomial.
constexpr std::uint32_t power(std::size_t n) {
    std::uint32_t r = 0x80000000u;
    for (; n; --n) r = r >> 1 ^ (r & 1 ? polynomial : 0);
    return r;
}

/// a times b modulo the polynomial, without an instruction for it, which not all processors have.
constexpr std::uint32_t product(std::uint32_t a, std::uint32_t b) {
    std::uint32_t r = 0;
    for (int bit = 0; bit < 32; ++bit) {
        r ^= b & (0u - (a >> 31));
        a <<= 1;
        b = b >> 1 ^ (polynomial & (0u - (b & 1)));
    }
    return r;
}
/// x^(8 n) modulo the polynomial, for any n.
constexpr std::uint32_t power_of_bytes(std::uint64_t n) {
    auto r = power(0);
    for (auto square = power(8); n; n >>= 1, square = product(square, square)) if (n & 1) r = product(r, square);
    return r;
}

/// The register after n bytes, eight at a time by tables; on any processor.
inline std::uint32_t by_table(std::uint32_t c, const unsigned char* p, std::size_t n) {
    for (; n >= 8; p += 8, n -= 8) {
        const auto low = [&](int i) { return static_cast<std::size_t>(p[i] ^ (c >> 8 * i & 0xff)); };
        c = table[7][low(0)] ^ table[6][low(1)] ^ table[5][low(2)] ^ table[4][low(3)] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
    }
    for (; n; --n) c = c >> 8 ^ table[0][(c ^ *p++) & 0xff];
    return c;
}

#if defined(__x86_64__)
/// `c` moved past L bytes of zero, where `k` = x^(8 L - 33): the product is one short, the instruction adds 32.
[[gnu::target("sse4.2,pclmul")]] inline std::uint32_t skip(std::uint32_t c, std::uint32_t k) {
    const auto product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(c), _mm_cvtsi64_si128(k), 0);
    return static_cast<std::uint32_t>(_mm_crc32_u64(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(product))));
}
/// Three runs of `length` bytes side by side, as often as they fit.
template <std::size_t length> [[gnu::target("sse4.2,pclmul")]] std::uint32_t interleaved(std::uint32_t c, const unsigned char*& p, std::size_t& n) {
    constexpr auto one = power(8 * length - 33), two = power(16 * length - 33);
    for (; n >= 3 * length; p += 3 * length, n -= 3 * length) {
        std::uint64_t a = c, b = 0, d = 0;
        for (std::size_t i = 0; i < length; i += 8) {
            a = _mm_crc32_u64(a, load(p + i));
            b = _mm_crc32_u64(b, load(p + length + i));
            d = _mm_crc32_u64(d, load(p + 2 * length + i));
        }
        c = skip(static_cast<std::uint32_t>(a), two) ^ skip(static_cast<std::uint32_t>(b), one) ^ static_cast<std::uint32_t>(d);
    }
    return c;
}
[[gnu::target("sse4.2,pclmul")]] inline std::uint32_t by_instruction(std::uint32_t c, const unsigned char* p, std::size_t n) {
    c = interleaved<4096>(c, p, n);
    c = interleaved<256>(c, p, n);
    c = interleaved<64>(c, p, n);
    std::uint64_t wide = c;
    for (; n >= 8; p += 8, n -= 8) wide = _mm_crc32_u64(wide, load(p));
    c = static_cast<std::uint32_t>(wide);
    for (; n; --n) c = _mm_crc32_u8(c, *p++);
    return c;
}

using Fold [[gnu::vector_size(64)]] = long long;
using Half [[gnu::vector_size(16)]] = long long;
/// What moves a vector past `bits`: for its low half x^(bits + 31), for its high half x^(bits - 33). Products of reflected halves are one short.
constexpr Half far(std::size_t bits) { return Half{power(bits + 31), power(bits - 33)}; }

[[gnu::target("avx512f,avx512vl,vpclmulqdq"), gnu::always_inline]] inline void fold(Fold& x, const Fold& k, const Fold& next) {
#if defined(__clang__)
    x = __builtin_ia32_pclmulqdq512(x, k, 0x00) ^ __builtin_ia32_pclmulqdq512(x, k, 0x11) ^ next;
#else
    x = __builtin_ia32_vpclmulqdq_v8di(x, k, 0x00) ^ __builtin_ia32_vpclmulqdq_v8di(x, k, 0x11) ^ next;
#endif
}
[[gnu::target("avx512f,avx512vl,vpclmulqdq"), gnu::always_inline]] inline void fold(Half& x, const Half& k, const Half& next) {
    x = __builtin_ia32_pclmulqdq128(x, k, 0x00) ^ __builtin_ia32_pclmulqdq128(x, k, 0x11) ^ next;
}
/// Also copies the bytes to `to`, if `copies`.
template <bool copies> [[gnu::target("avx512f,avx512vl,vpclmulqdq,pclmul,sse4.2")]] std::uint32_t by_folding(std::uint32_t c, const unsigned char* p, std::size_t n, unsigned char* to) {
    if (n < 2048) {  // where that is as fast
        if constexpr (copies) p = static_cast<const unsigned char*>(std::memcpy(to, p, n));
        return by_instruction(c, p, n);
    }
    constexpr int vectors = 8;
    constexpr std::size_t step = 64 * vectors;
    constexpr auto past_step = far(8 * step), past_vector = far(512), past_half = far(128);
    Fold x[vectors], next, k;
    for (int i = 0; i < 8; ++i) k[i] = past_step[i % 2];
    std::memcpy(x, p, step);
    if constexpr (copies) to = static_cast<unsigned char*>(std::memcpy(to, x, step)) + step;
    x[0][0] ^= c;
    for (p += step, n -= step; n >= step; p += step, n -= step) {
        for (int i = 0; i < vectors; ++i) {
            std::memcpy(&next, p + 64 * i, 64);
            if constexpr (copies) std::memcpy(to + 64 * i, &next, 64);
            fold(x[i], k, next);
        }
        if constexpr (copies) to += step;
    }
    if constexpr (copies) p = static_cast<const unsigned char*>(std::memcpy(to, p, n));  // the rest is summed where it was copied to
    for (int i = 0; i < 8; ++i) k[i] = past_vector[i % 2];
    for (int i = 1; i < vectors; ++i) {
        next = x[i];
        fold(x[0], k, next);
    }
    for (; n >= 64; p += 64, n -= 64) {
        std::memcpy(&next, p, 64);
        fold(x[0], k, next);
    }
    Half y{x[0][0], x[0][1]}, z;
    for (int i = 2; i < 8; i += 2) fold(y, past_half, Half{x[0][i], x[0][i + 1]});
    for (; n >= 16; p += 16, n -= 16) {
        std::memcpy(&z, p, 16);
        fold(y, past_half, z);
    }
    const auto low = _mm_crc32_u64(0, static_cast<std::uint64_t>(y[0]));
    return by_instruction(static_cast<std::uint32_t>(_mm_crc32_u64(low, static_cast<std::uint64_t>(y[1]))), p, n);
}
#elif defined(__aarch64__)
[[gnu::target("+crc")]] inline std::uint32_t take(std::uint32_t c, std::uint64_t bytes) {
#if defined(__clang__)
    return __builtin_arm_crc32cd(c, bytes);
#else
    return __builtin_aarch64_crc32cx(c, bytes);
#endif
}
[[gnu::target("+crc")]] inline std::uint32_t by_instruction(std::uint32_t c, const unsigned char* p, std::size_t n) {
    constexpr std::size_t length = 8192;
    constexpr auto one = power(8 * length), two = power(16 * length);
    for (; n >= 3 * length; p += 3 * length, n -= 3 * length) {
        std::uint32_t b = 0, d = 0;
        for (std::size_t i = 0; i < length; i += 8) {
            c = take(c, load(p + i));
            b = take(b, load(p + length + i));
            d = take(d, load(p + 2 * length + i));
        }
        c = product(c, two) ^ product(b, one) ^ d;
    }
    for (; n >= 8; p += 8, n -= 8) c = take(c, load(p));
    return by_table(c, p, n);
}
#endif

/// How checksums are computed; a processor that has one has those before it.
enum class Way { tables, instruction, fold };
inline Way best_way() {
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("pclmul")) return Way::tables;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("vpclmulqdq") ? Way::fold : Way::instruction;
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
    return Way::instruction;
#elif defined(__aarch64__) && defined(__linux__)
    return ::getauxval(AT_HWCAP) & 1u << 7 ? Way::instruction : Way::tables;  // HWCAP_CRC32
#else
    return Way::tables;
#endif
}
inline std::uint32_t extend([[maybe_unused]] Way way, std::uint32_t c, const unsigned char* p, std::size_t n) {
#if defined(__x86_64__)
    if (way == Way::fold) return by_folding<false>(c, p, n, nullptr);
#endif
#if defined(__x86_64__) || defined(__aarch64__)
    if (way == Way::instruction) return by_instruction(c, p, n);
#endif
    return by_table(c, p, n);
}
inline std::uint32_t extend_and_copy(Way way, std::uint32_t c, const unsigned char* p, std::size_t n, unsigned char* to) {
#if defined(__x86_64__)
    if (way == Way::fold) return by_folding<true>(c, p, n, to);
#endif
    for (std::size_t piece; n; p += piece, to += piece, n -= piece) {
        piece = n < 12288 ? n : 12288;  // summed while it is in the nearest cache
        std::memcpy(to, p, piece);
        c = extend(way, c, to, piece);
    }
    return c;
}

}  // namespace detail::crc

/// The checksum of what `crc` is the checksum of, followed by these bytes: extend(crc32c(a), b) = crc32c(ab).
inline std::uint32_t extend_crc32c(std::uint32_t crc, const void* bytes, std::size_t n) {
    return ~detail::crc::extend(detail::crc::best_way(), ~crc, static_cast<const unsigned char*>(bytes), n);
}
inline std::uint32_t extend_crc32c(std::uint32_t crc, std::string_view bytes) { return extend_crc32c(crc, bytes.data(), bytes.size()); }
inline std::uint32_t crc32c(std::string_view bytes) { return extend_crc32c(0, bytes); }
/// The checksum of what `first` is the checksum of, followed by n bytes whose own is `second`.
constexpr std::uint32_t join_crc32c(std::uint32_t first, std::uint32_t second, std::uint64_t n) { return detail::crc::product(first, detail::crc::power_of_bytes(n)) ^ second; }
/// extend_crc32c of n bytes that are copied to `to` on the way: what is copied is what is summed, even if somebody writes to `bytes` meanwhile.
inline std::uint32_t extend_crc32c_and_copy(std::uint32_t crc, const void* bytes, std::size_t n, void* to) {
    return ~detail::crc::extend_and_copy(detail::crc::best_way(), ~crc, static_cast<const unsigned char*>(bytes), n, static_cast<unsigned char*>(to));
}

/// As stored: rotated right by 15, plus a constant, so that the checksum of bytes that hold checksums is not degenerate.
constexpr std::uint32_t mask_crc(std::uint32_t crc) { return (crc >> 15 | crc << 17) + 0xa282ead8u; }
constexpr std::uint32_t unmask_crc(std::uint32_t masked) {
    const std::uint32_t r = masked - 0xa282ead8u;
    return r >> 17 | r << 15;
}

}  // namespace tenon
