#include "../support/snappy.hpp"

#include <doctest/doctest.h>
#include <tenon/io/snappy.hpp>

using namespace tenon;

TEST_CASE("literals and each kind of copy are decoded") {
    const auto decode = [](std::string_view s) { return snappy_decode(s); };
    CHECK(decode({"\x00", 1}) == "");
    CHECK(decode({"\x03\x08" "abc", 5}) == "abc");
    CHECK(decode({"\x0a\x04" "ab\x11\x02", 6}) == "ababababab");                            // 01: length 8, distance 2
    CHECK(decode({"\x0a\x00" "a\x22\x01\x00", 6}) == "aaaaaaaaaa");                         // 10: length 9, distance 1
    CHECK(decode({"\x0a\x04" "ab\x1f\x02\x00\x00\x00", 9}) == "ababababab");                // 11: length 8, distance 2
    const std::string long_literal(300, 'x');
    CHECK(decode(std::string("\xac\x02\xf4\x2b\x01", 5) + long_literal) == long_literal);   // 61: length - 1 in two bytes
}

TEST_CASE("what is not whole and right is refused") {
    const auto refused = [](std::string_view s) { return !snappy_decode(s); };
    CHECK(refused(""));
    CHECK(refused({"\x03\x08" "ab", 4}));                     // literal past the end
    CHECK(refused({"\x02\x08" "abc", 5}));                    // more than declared
    CHECK(refused({"\x04\x08" "abc", 5}));                    // less than declared
    CHECK(refused({"\x0a\x00" "a\x21\x00", 5}));              // distance 0
    CHECK(refused({"\x0a\x00" "a\x21\x02", 5}));              // before the beginning
    CHECK(refused({"\x05\x00" "a\x22\x01\x00", 6}));          // copy past what is declared
    CHECK(refused({"\x0a\x00" "a\x22\x01", 5}));              // half a distance
    CHECK(refused({"\x05\xfc\xff", 3}));                      // half a length
    CHECK(refused("\xff\xff\xff\xff\x0f\x08" "abc"));         // 4 GiB declared in 9 bytes
}

TEST_CASE("what is encoded is decoded, and no cut or flipped byte is trusted") {
    std::string text;
    for (std::uint32_t i = 0, x = 1; i < 4000; ++i, x = x * 1664525u + 1013904223u) text += i % 97 < 50 ? "layer" + std::to_string(x >> 28) + "/" : std::string(1, static_cast<char>(x >> 20));
    const auto code = test::snappy_encode(text);
    REQUIRE(code.size() < text.size());
    CHECK(snappy_decode(code) == text);
    for (std::size_t n = 0; n < code.size(); n += 7) CHECK_FALSE(snappy_decode({code.data(), n}));
    for (std::size_t i = 0; i < code.size(); ++i) {
        auto bad = code;
        bad[i] = static_cast<char>(bad[i] ^ (1 << i % 8));
        const auto got = snappy_decode(bad);
        CHECK((!got || got->size() <= 22 * code.size()));
    }
}
