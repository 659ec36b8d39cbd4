// CRC-32C (Castagnoli): polynomial 0x1EDC6F41 reflected, 0x82F63B78; begins and ends inverted. In files it is masked.
//
// The instruction takes 8 bytes each cycle but answers after three, so three runs go side by side and are joined by a product
// with a power of x (PCLMULQDQ). On 1 MiB: 30 GB/s against 9 for one run and 2.7 by tables.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
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
/// x^n modulo the polynomial.
constexpr std::uint32_t power(std::size_t n) {
    std::uint32_t r = 0x80000000u;
    for (; n; --n) r = r >> 1 ^ (r & 1 ? polynomial : 0);
    return r;
}
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
    std::uint64_t wide = c;
    for (; n >= 8; p += 8, n -= 8) wide = _mm_crc32_u64(wide, load(p));
    c = static_cast<std::uint32_t>(wide);
    for (; n; --n) c = _mm_crc32_u8(c, *p++);
    return c;
}
#endif

}  // namespace detail::crc

/// The checksum of what `crc` is the checksum of, followed by these bytes: extend(crc32c(a), b) = crc32c(ab).
inline std::uint32_t extend_crc32c(std::uint32_t crc, const void* bytes, std::size_t n) {
    const auto* p = static_cast<const unsigned char*>(bytes);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) return ~detail::crc::by_instruction(~crc, p, n);
#endif
    return ~detail::crc::by_table(~crc, p, n);
}
inline std::uint32_t extend_crc32c(std::uint32_t crc, std::string_view bytes) { return extend_crc32c(crc, bytes.data(), bytes.size()); }
inline std::uint32_t crc32c(std::string_view bytes) { return extend_crc32c(0, bytes); }

/// As stored: rotated right by 15, plus a constant, so that the checksum of bytes that hold checksums is not degenerate.
constexpr std::uint32_t mask_crc(std::uint32_t crc) { return (crc >> 15 | crc << 17) + 0xa282ead8u; }
constexpr std::uint32_t unmask_crc(std::uint32_t masked) {
    const std::uint32_t r = masked - 0xa282ead8u;
    return r >> 17 | r << 15;
}

}  // namespace tenon
