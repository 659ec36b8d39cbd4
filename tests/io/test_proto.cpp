#include <tenon/io/proto.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <random>

using namespace tenon;
using namespace tenon::proto;

namespace {
enum class Colour : std::int32_t { red = 0, green = 1 };
std::span<const EnumRow> enumerators(Colour) {
    static constexpr EnumRow rows[]{{0, "RED"}, {1, "GREEN"}};
    return rows;
}

struct Leaf {
    std::int64_t size = 0;
    std::string name{};
    Unknown unknown{};
    bool operator==(const Leaf&) const = default;
    static constexpr auto table() { return message("test.Leaf", field<&Leaf::size>(1, "size"), field<&Leaf::name>(2, "name")); }
};
struct Tree {
    std::int32_t i32 = 0;
    std::uint32_t u32 = 0;
    std::uint64_t u64 = 0;
    bool b = false;
    Colour colour = Colour::red;
    float f = 0;
    double d = 0;
    std::uint32_t crc = 0;
    std::string raw{};
    std::optional<Leaf> leaf{};
    std::vector<std::int64_t> numbers{};
    std::vector<float> floats{};
    std::vector<std::uint8_t> flags{};
    std::vector<DType> types{};
    std::vector<std::string> words{};
    std::vector<Leaf> leaves{};
    Map<Tree> children{};
    std::optional<std::string> text{};   // of one oneof
    std::optional<std::int64_t> count{};
    Box<Tree> sub{};
    Leaf always{};
    Unknown unknown{};
    bool operator==(const Tree&) const = default;
    static constexpr auto table() {
        return message("test.Tree", field<&Tree::i32>(1, "i32"), field<&Tree::u32>(2, "u32"), field<&Tree::u64>(3, "u64"), field<&Tree::b>(4, "b"), field<&Tree::colour>(5, "colour"),
                       field<&Tree::f>(6, "f"), field<&Tree::d>(7, "d"), fixed<&Tree::crc>(8, "crc"), bytes<&Tree::raw>(9, "raw"), field<&Tree::leaf>(10, "leaf"),
                       field<&Tree::numbers>(11, "numbers"), field<&Tree::floats>(12, "floats"), field<&Tree::flags>(13, "flags"), field<&Tree::types>(14, "types"),
                       field<&Tree::words>(15, "words"), field<&Tree::leaves>(16, "leaves"), field<&Tree::children>(17, "children"), field<&Tree::text>(18, "text").oneof(),
                       field<&Tree::count>(19, "count").oneof(), field<&Tree::sub>(20, "sub").oneof(), field<&Tree::always>(21, "always"));
    }
};

std::string hex(std::string_view h) {
    std::string s;
    for (std::size_t i = 0; i + 1 < h.size(); i += 2) {
        while (h[i] == ' ') ++i;
        s += static_cast<char>(std::stoi(std::string(h.substr(i, 2)), nullptr, 16));
    }
    return s;
}
std::string why(const std::string& bytes) {
    try {
        (void)decode<Tree>(bytes, "file");
    } catch (const FormatError& e) { return e.what(); }
    return "";
}

Tree full() {
    Tree t{.i32 = -1, .u32 = 4000000000u, .u64 = ~0ull, .b = true, .colour = Colour::green, .f = 0.1f, .d = -0.0, .crc = 0xa282ead8u, .raw = std::string("\0\xff", 2), .leaf = Leaf{}};
    t.numbers = {-1, 0, std::numeric_limits<std::int64_t>::max()};
    t.floats = {1, std::numeric_limits<float>::infinity()};
    t.flags = {1, 0, 1};
    t.types = {DType::float32, DType::int64};
    t.words = {"", "é"};
    t.leaves = {Leaf{.size = 3, .name = "x"}, Leaf{}};
    t.children["b"].i32 = 7;
    t.children["a"].sub = Tree{.b = true};
    t.count = 0;
    t.unknown.emplace() = hex("f80701");
    return t;
}
}  // namespace

TEST_CASE("published bytes are written and read") {
    // protobuf.dev/programming-guides/encoding: 150 as field 1, "testing" as field 2
    CHECK(encode(Leaf{.size = 150}) == hex("089601"));
    CHECK(encode(Leaf{.name = "testing"}) == hex("120774657374696e67"));
    CHECK(encode(Leaf{.size = -1}) == hex("08ffffffffffffffffff01"));
    CHECK(encode(Leaf{}).empty());
    CHECK(decode<Leaf>(hex("089601120774657374696e67")) == Leaf{.size = 150, .name = "testing"});
    CHECK(decode<Leaf>("") == Leaf{});
}

TEST_CASE("every kind of field comes back") {
    const auto t = full();
    const auto bytes = encode(t);
    CHECK(decode<Tree>(bytes) == t);
    CHECK(encode(decode<Tree>(bytes)) == bytes);
    std::string behind = "xy";
    encode(t, behind);
    CHECK(behind == "xy" + bytes);
}

TEST_CASE("defaults are left out unless the field has presence") {
    CHECK(encode(Tree{}) == hex("aa0100"));
    CHECK(encode(Tree{.leaf = Leaf{}}) == hex("5200 aa0100"));
    CHECK(encode(Tree{.text = ""}) == hex("920100 aa0100"));
    CHECK(encode(Tree{.count = 0}) == hex("980100 aa0100"));
    CHECK(encode(Tree{.f = -0.0f}) == hex("3500000080 aa0100"));
}

TEST_CASE("repeated numbers are read packed, one by one, and mixed") {
    const auto t = decode<Tree>(hex("5801 5a020203 5804 65 0000803f 6208 0000004000004040 6801 6a020001"));
    CHECK(t.numbers == std::vector<std::int64_t>{1, 2, 3, 4});
    CHECK(t.floats == std::vector<float>{1, 2, 3});
    CHECK(t.flags == std::vector<std::uint8_t>{1, 0, 1});
}

TEST_CASE("of repeated scalars the last wins, and messages are merged") {
    CHECK(decode<Leaf>(hex("08010802")).size == 2);
    CHECK(decode<Tree>(hex("52020801 5203120178")).leaf == Leaf{.size = 1, .name = "x"});
}

TEST_CASE("of a oneof the last member wins") {
    const auto t = decode<Tree>(hex("92010178 980105"));
    CHECK(!t.text);
    CHECK(t.count == 5);
}

TEST_CASE("a map is sorted, and of entries with one key the last wins") {
    const auto t = decode<Tree>(hex("8a01070a016212020803 8a01070a016112020801 8a01070a016212020802"));
    REQUIRE(t.children.size() == 2);
    CHECK(t.children.begin()->key == "a");
    CHECK(t.children.find("b")->i32 == 2);
    CHECK(t.children.find("c") == nullptr);
}

TEST_CASE("a message in many pieces is merged in the time of its bytes") {
    std::string bytes;
    for (int i = 0; i < 100000; ++i) bytes += hex("a20109 8a0106 0a04") + std::to_string(1000 + i % 9000) + (i % 2 ? hex("52020801") : "");
    const auto t = decode<Tree>(bytes);  // sorting after each piece would take minutes
    CHECK(t.sub->children.size() == 9000);
    CHECK(t.sub->children.contains("9999"));
    CHECK(t.leaf->size == 1);
}

TEST_CASE("fields may come in any order: only that among the elements of one field matters") {
    Tree whole{.i32 = 7, .leaf = Leaf{.size = 3, .name = "leaf"}};
    for (int i = 0; i < 12; ++i) {
        const auto name = std::string(static_cast<std::size_t>(3 * i), 'x') + std::to_string(10 + i);
        whole.leaves.push_back({.size = i, .name = name});
        whole.words.push_back(name);
        whole.children[name].i32 = i;
        whole.children[name].leaves.resize(static_cast<std::size_t>(i % 3));
    }
    std::mt19937 draw(3);
    for (int round = 0; round < 200; ++round) {
        std::string bytes;
        std::size_t leaf = 0, word = 0, child = 0;
        bool rest = false;
        while (leaf < 12 || word < 12 || child < 12 || !rest) {
            Tree part;
            const auto run = 1 + draw() % 4;
            switch (draw() % 4) {
                case 0: for (auto i = run; i && leaf < 12; --i) part.leaves.push_back(whole.leaves[leaf++]); break;
                case 1: for (auto i = run; i && word < 12; --i) part.words.push_back(whole.words[word++]); break;
                case 2: for (auto i = run; i && child < 12; --i, ++child) part.children.entries().push_back(whole.children.entries()[child]); break;
                default: if (!std::exchange(rest, true)) part.i32 = whole.i32, part.leaf = whole.leaf;
            }
            part.unknown.reset();
            auto piece = encode(part);
            piece.resize(piece.size() - 3);  // without `always`, which is written always
            bytes += piece;
        }
        REQUIRE(decode<Tree>(bytes) == whole);
    }
}

TEST_CASE("a oneof in a message that comes in pieces has the member of the last piece") {
    const auto t = decode<Tree>(hex("a20103 920100") + hex("a20103 980105"));
    REQUIRE(t.sub);
    CHECK(!t.sub->text);
    CHECK(t.sub->count == 5);
    const auto in_map = decode<Tree>(hex("8a010d 0a0161 1203920100 1203980105"));
    REQUIRE(in_map.children.contains("a"));
    CHECK(!in_map.children.find("a")->text);
    CHECK(in_map.children.find("a")->count == 5);
}

TEST_CASE("unknown fields survive") {
    // numbers 100 (varint), 101 (8 bytes), 102 (bytes), 103 (4 bytes) around a known one
    const auto unknown = hex("a00605 a9060102030405060708 b2060161 bd0601020304");
    const auto leaf = decode<Leaf>(unknown + hex("0801"));
    CHECK(leaf.size == 1);
    CHECK(encode(leaf) == hex("0801") + unknown);
}

TEST_CASE("an error says where it is") {
    CHECK(why(hex("52050809")) == "file: Tree.leaf: 5 bytes are announced, 2 are left (byte 2)");
    CHECK(why(hex("820100 8201021205")) == "file: Tree.leaves[1].name: 5 bytes are announced, 0 are left (byte 8)");
    CHECK(why(hex("08")) == "file: Tree.i32: a varint runs past the end (byte 1)");
    CHECK(why(hex("08ffffffffffffffffff02")) == "file: Tree.i32: a varint exceeds 64 bits (byte 1)");
    CHECK(why(hex("5a0180")) == "file: Tree.numbers[0]: a varint runs past the end (byte 3)");
    CHECK(why(hex("6203000000")) == "file: Tree.floats[0]: 3 bytes are no whole number of elements (byte 2)");
    CHECK(why(hex("0b")) == "file: Tree: field 1 has wire type 3 (byte 0)");
    CHECK(why(hex("00")) == "file: Tree: a field cannot have the number 0 (byte 0)");
    CHECK(why(hex("0a00")) == "file: Tree.i32: wire type 2 where 0 belongs (byte 1)");
    CHECK(why(hex("7a01ff")) == "file: Tree.words[0]: the text is not UTF-8 (byte 2)");
    CHECK(why(hex("4a01ff")).empty());
}

TEST_CASE("messages are nested at most 100 deep") {
    const auto nested = [](int levels) {
        Tree t;
        for (int i = 1; i < levels; ++i) t = Tree{.sub = std::move(t)};
        return encode(t);
    };
    CHECK(encode(decode<Tree>(nested(99))) == nested(99));  // `always` is one level more
    CHECK(why(nested(101)).find("nested more than 100 deep") != std::string::npos);
}

TEST_CASE("truncated and damaged messages are refused or read, never more than that") {
    const auto bytes = encode(full());
    for (std::size_t n = 0; n < bytes.size(); ++n) why(bytes.substr(0, n));
    std::mt19937 random(1);
    for (int i = 0; i < 20000; ++i) {
        auto damaged = bytes;
        for (auto flips = 1 + random() % 3; flips; --flips) damaged[random() % damaged.size()] ^= static_cast<char>(1u << random() % 8);
        try {
            const auto t = decode<Tree>(damaged);
            CHECK(encode(decode<Tree>(encode(t))) == encode(t));  // what is read can be written
        } catch (const FormatError&) {}
    }
}

TEST_CASE("UTF-8 is what RFC 3629 says") {
    for (const char* good : {"", "plain ascii, longer than a word", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) CHECK(valid_utf8(good));
    for (const char* bad : {"\x80", "12345678\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC2", "\xE1\x80", "\xFF"}) CHECK(!valid_utf8(bad));
    for (const std::uint32_t code : {0u, 0x7Fu, 0x80u, 0x7FFu, 0x800u, 0xFFFFu, 0x10000u, 0x10FFFFu}) {
        std::string s;
        put_utf8(s, code);
        CHECK(valid_utf8(s));
        CHECK(s.size() == (code < 0x80 ? 1u : code < 0x800 ? 2u : code < 0x10000 ? 3u : 4u));
    }
}
