#include <doctest/doctest.h>
#include <tenon/io/coding.hpp>

#include <limits>
#include <vector>

using namespace tenon;

namespace {

std::string hex(std::string_view bytes) {
    std::string text;
    for (const char c : bytes)
        for (const int shift : {4, 0}) text += "0123456789abcdef"[static_cast<unsigned char>(c) >> shift & 15];
    return text;
}
template <class T> std::string coded(void (*put)(std::string&, T), T value) {
    std::string bytes;
    put(bytes, value);
    return bytes;
}
const auto put_number = static_cast<void (*)(std::string&, std::uint64_t)>(put_ordered);
const auto put_string = static_cast<void (*)(std::string&, std::string_view)>(put_ordered);

/// Around every power of two, and the ends.
std::vector<std::int64_t> interesting() {
    std::vector<std::int64_t> all{0, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()};
    for (int bit = 0; bit < 63; ++bit)
        for (const std::int64_t d : {-1, 0, 1})
            for (const std::int64_t sign : {-1, 1}) all.push_back(sign * ((std::int64_t{1} << bit) + d));
    return all;
}

}  // namespace

TEST_CASE("varints have the published bytes") {
    CHECK(hex(coded(put_varint, std::uint64_t{0})) == "00");
    CHECK(hex(coded(put_varint, std::uint64_t{127})) == "7f");
    CHECK(hex(coded(put_varint, std::uint64_t{300})) == "ac02");
    CHECK(hex(coded(put_varint, static_cast<std::uint64_t>(-1))) == "ffffffffffffffffff01");
}

TEST_CASE("what is put is got, and nothing behind it is taken") {
    for (const auto v : interesting()) {
        const auto u = static_cast<std::uint64_t>(v);
        std::string bytes;
        put_varint(bytes, u);
        put_fixed64(bytes, u);
        put_fixed32(bytes, static_cast<std::uint32_t>(u));
        put_varint(bytes, u & 0xffffffffu);
        put_ordered(bytes, u);
        put_ordered_signed(bytes, v);
        put_ordered(bytes, std::string_view("a\0\xff\0z", 5));
        bytes += "rest";
        std::string_view in = bytes;
        CHECK(get_varint(in) == u);
        CHECK(get_fixed64(in) == u);
        CHECK(get_fixed32(in) == static_cast<std::uint32_t>(u));
        CHECK(get_varint32(in) == static_cast<std::uint32_t>(u));
        CHECK(get_ordered(in) == u);
        CHECK(get_ordered_signed(in) == v);
        CHECK(get_ordered_string(in) == std::string("a\0\xff\0z", 5));
        CHECK(in == "rest");
    }
}

TEST_CASE("a cut encoding is refused and left where it is") {
    const auto refuses_prefixes = [](const std::string& whole, const auto& get) {
        for (std::size_t n = 0; n < whole.size(); ++n) {
            std::string_view in(whole.data(), n);
            CHECK_FALSE(get(in));
            CHECK(in.size() == n);
        }
    };
    for (const auto v : interesting()) {
        const auto u = static_cast<std::uint64_t>(v);
        refuses_prefixes(coded(put_varint, u), get_varint);
        refuses_prefixes(coded(put_fixed64, u), get_fixed64);
        refuses_prefixes(coded(put_number, u), get_ordered);
        refuses_prefixes(coded(put_ordered_signed, v), get_ordered_signed);
    }
    refuses_prefixes(coded(put_string, std::string_view("a\0\xff", 3)), get_ordered_string);
}

TEST_CASE("overlong numbers are refused") {
    const auto refused = [](std::string bytes, const auto& get) {
        std::string_view in = bytes;
        return !get(in) && in.size() == bytes.size();
    };
    CHECK(refused("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", get_varint));
    CHECK(refused("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", get_varint));
    CHECK(refused("\xff\xff\xff\xff\x1f", get_varint32));
    CHECK(refused("\x80\x80\x80\x80\x80\x01", get_varint32));
    CHECK(refused("\x09""123456789", get_ordered));
    CHECK(refused({"\x02\x00\x01", 3}, get_ordered));           // not the shortest
    CHECK(refused({"\xc0\x01", 2}, get_ordered_signed));        // 1 in two bytes
    CHECK(refused("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", get_ordered_signed));
    CHECK(refused({"a\x00\x02", 3}, get_ordered_string));       // no such escape
}

TEST_CASE("ordered numbers have TensorFlow's bytes") {
    CHECK(hex(coded(put_number, std::uint64_t{0})) == "00");
    CHECK(hex(coded(put_number, std::uint64_t{2})) == "0102");
    CHECK(hex(coded(put_number, std::uint64_t{256})) == "020100");
    const std::pair<std::int64_t, const char*> rows[] = {
        {0, "80"}, {-1, "7f"}, {1, "81"}, {-64, "40"}, {63, "bf"}, {-65, "3fbf"}, {64, "c040"}, {8191, "dfff"}, {100, "c064"}, {8192, "e02000"}, {784, "c310"},
        {1 << 20, "f0100000"}, {std::int64_t{1} << 31, "f880000000"}, {std::numeric_limits<std::int64_t>::max(), "ffc07fffffffffffffff"}};
    for (const auto& [v, bytes] : rows) CHECK(hex(coded(put_ordered_signed, v)) == bytes);
    CHECK(hex(coded(put_string, std::string_view("a\0b\xff", 4))) == "6100ff62ff000001");
}

TEST_CASE("ordered encodings sort like their values") {
    const auto all = interesting();
    for (const auto a : all)
        for (const auto b : all) {
            CHECK((coded(put_ordered_signed, a) < coded(put_ordered_signed, b)) == (a < b));
            const auto ua = static_cast<std::uint64_t>(a), ub = static_cast<std::uint64_t>(b);
            CHECK((coded(put_number, ua) < coded(put_number, ub)) == (ua < ub));
        }
    const std::string strings[] = {"", std::string(1, '\0'), std::string(2, '\0'), std::string("\0\1", 2), std::string("\0\xff", 2), "\1", "a", std::string("a\0", 2), "a\xff", "b", "\xff", std::string("\xff\0", 2), "\xff\xff"};
    for (const auto& a : strings)
        for (const auto& b : strings) CHECK((coded<std::string_view>(put_string, a) < coded<std::string_view>(put_string, b)) == (a < b));
}
