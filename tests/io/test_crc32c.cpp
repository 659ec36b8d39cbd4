#include <doctest/doctest.h>
#include <tenon/io/crc32c.hpp>

#include <string>

using namespace tenon;

namespace {

/// Bit by bit, from the definition.
std::uint32_t by_definition(std::string_view bytes) {
    std::uint32_t c = 0xffffffffu;
    for (const char b : bytes) {
        c ^= static_cast<unsigned char>(b);
        for (int bit = 0; bit < 8; ++bit) c = c >> 1 ^ (c & 1 ? 0x82f63b78u : 0);
    }
    return ~c;
}
std::string noise(std::size_t n) {
    std::string s;
    for (std::uint32_t x = 12345; s.size() < n;) s += static_cast<char>((x = x * 1664525u + 1013904223u) >> 24);
    return s;
}

}  // namespace

TEST_CASE("checksums and masked checksums have the published values") {
    std::string up, down;
    for (int i = 0; i < 32; ++i) up += static_cast<char>(i), down += static_cast<char>(31 - i);
    const struct {
        std::string bytes;
        std::uint32_t crc, masked;
    } rows[] = {{"", 0x00000000, 0xa282ead8},
                {"a", 0xc1d04330, 0x28e46e78},
                {"123456789", 0xe3069283, 0xc78ab0e5},
                {std::string(4, '\0'), 0x48674bc7, 0x3a117ba6},
                {std::string(32, '\0'), 0x8a9136aa, 0x0fd7fffa},
                {std::string(32, '\xff'), 0x62a8ab43, 0xf909b029},
                {up, 0x46dd794e, 0x951f7892},
                {down, 0x113fdb5c, 0x593b0d57},
                {std::string("\0\0\x80\x3f", 4), 0xdd54c4ab, 0x2bdaa581}};
    for (const auto& row : rows) {
        CHECK(crc32c(row.bytes) == row.crc);
        CHECK(by_definition(row.bytes) == row.crc);
        CHECK(mask_crc(row.crc) == row.masked);
        CHECK(unmask_crc(row.masked) == row.crc);
    }
}

TEST_CASE("every way of computing gives the definition's value, at every length and alignment, copying too") {
    using namespace detail::crc;
    const auto bytes = noise(60000);
    std::string copy(bytes.size() + 64, '\0');
    for (const auto way : {Way::tables, Way::instruction, Way::fold}) {
        if (way > best_way()) continue;
        CAPTURE(static_cast<int>(way));
        for (std::size_t n = 0; n < 60000; n = n < 1700 ? n + 1 : n + 997) {
            const std::string_view part(bytes.data() + n % 9, n > 9 ? n - 9 : n);
            const auto* const p = reinterpret_cast<const unsigned char*>(part.data());
            const auto want = by_definition(part);
            CHECK(~extend(way, ~0u, p, part.size()) == want);
            auto* const to = copy.data() + n % 67;
            to[part.size()] = 'x';
            CHECK(~extend_and_copy(way, ~0u, p, part.size(), reinterpret_cast<unsigned char*>(to)) == want);
            CHECK((std::string_view(to, part.size()) == part));
            CHECK(to[part.size()] == 'x');
        }
    }
    CHECK(crc32c(bytes) == by_definition(bytes));
    CHECK(extend_crc32c_and_copy(0, bytes.data(), bytes.size(), copy.data()) == by_definition(bytes));
}

TEST_CASE("a checksum is extended piece by piece") {
    const auto bytes = noise(20000);
    const auto whole = crc32c(bytes);
    for (std::size_t cut = 0; cut < bytes.size(); cut += 61) CHECK(extend_crc32c(crc32c({bytes.data(), cut}), bytes.data() + cut, bytes.size() - cut) == whole);
}

TEST_CASE("the checksums of two pieces are joined to that of both") {
    const auto bytes = noise(20000);
    const auto whole = crc32c(bytes);
    for (std::size_t cut = 0; cut < bytes.size(); cut += 61) {
        const std::string_view second = std::string_view(bytes).substr(cut);
        CHECK(join_crc32c(crc32c({bytes.data(), cut}), crc32c(second), second.size()) == whole);
    }
    CHECK(join_crc32c(whole, 0, 0) == whole);
    std::string zeros(3u << 20, '\0');
    const auto none = crc32c(zeros);
    auto doubled = none;  // 3 MiB times 2^12, beyond 32 bits
    std::uint64_t n = zeros.size();
    for (int i = 0; i < 12; ++i, n *= 2) doubled = join_crc32c(doubled, doubled, n);
    auto counted = std::uint32_t{0};
    for (int i = 0; i < 4096; ++i) counted = join_crc32c(counted, none, zeros.size());
    CHECK(doubled == counted);
}
