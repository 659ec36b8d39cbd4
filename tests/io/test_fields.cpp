#include <tenon/io/fields.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <random>

using namespace tenon;
using namespace tenon::proto;

namespace {
struct Twig {
    std::int64_t size = 0;
    std::string name{};
    Unknown unknown{};
    bool operator==(const Twig&) const = default;
    static constexpr auto table() { return message("test.Twig", field<&Twig::size>(1, "size"), field<&Twig::name>(2, "name")); }
};
struct Branch {
    std::int32_t i32 = 0;
    float f = 0;
    double d = 0;
    std::string raw{};
    std::optional<Twig> leaf{};
    std::vector<std::int64_t> numbers{};
    std::vector<float> floats{};
    std::vector<DType> types{};
    std::vector<std::string> words{};
    std::vector<Twig> leaves{};
    Map<Branch> children{};
    std::optional<std::string> text{};  // of one oneof
    Box<Branch> sub{};
    Unknown unknown{};
    bool operator==(const Branch&) const = default;
    static constexpr auto table() {
        return message("test.Branch", field<&Branch::i32>(1, "i32"), field<&Branch::f>(2, "f"), field<&Branch::d>(3, "d"), bytes<&Branch::raw>(4, "raw"), field<&Branch::leaf>(5, "leaf"),
                       field<&Branch::numbers>(6, "numbers"), field<&Branch::floats>(7, "floats"), field<&Branch::types>(8, "types"), field<&Branch::words>(9, "words"), field<&Branch::leaves>(10, "leaves"),
                       field<&Branch::children>(11, "children"), field<&Branch::text>(12, "text").oneof(), field<&Branch::sub>(13, "sub").oneof());
    }
};
struct Forest {
    std::vector<Branch> trees{};
    std::int32_t age = 0;
    bool operator==(const Forest&) const = default;
    static constexpr auto table() { return message("test.Forest", field<&Forest::trees>(1, "trees"), field<&Forest::age>(2, "age")); }
};

Branch full() {
    Branch t{.i32 = -1, .f = 0.1f, .d = -0.0, .raw = std::string("\0\xff", 2), .leaf = Twig{}};
    t.numbers = {-1, 0, std::numeric_limits<std::int64_t>::max()};
    t.floats = {1, 2};
    t.types = {DType::float32, DType::int64};
    t.words = {"", "é"};
    t.leaves = {Twig{.size = 3, .name = "x"}, Twig{}};
    t.children["a"].sub = Branch{.i32 = 1};
    t.children["b"].text = "t";
    t.unknown.emplace() = "\xf8\x07\x01";
    return t;
}
}  // namespace

TEST_CASE("elements left apart lie where they stood, and the rest is read as ever") {
    const auto bytes = encode(Forest{.trees = {full(), Branch{}, full()}, .age = 7}) + encode(Forest{.trees = {Branch{.i32 = 3}}});
    std::vector<std::string_view> apart;
    CHECK(decode_but<Forest, &Forest::trees>(bytes, "file", apart) == Forest{.age = 7});
    REQUIRE(apart.size() == 4);
    for (const auto& tree : apart) CHECK((tree.data() > bytes.data() && tree.data() + tree.size() <= bytes.data() + bytes.size()));
    CHECK(decode<Branch>(apart[0]) == full());
    CHECK(decode<Branch>(apart[1]) == Branch{});
    CHECK(decode<Branch>(apart[3]) == Branch{.i32 = 3});
}

TEST_CASE("elements left apart are refused where they would be if they were read, in the same words") {
    auto tree = full();
    tree.children["deep"] = full();
    const auto sound = encode(Forest{.trees = {Branch{}, tree}, .age = 7});
    std::size_t refused = 0, places = 0;
    const auto compare = [&](const std::string& bytes) {
        std::string apart_says, read_says;
        std::vector<std::string_view> apart;
        Forest read;
        try {
            (void)decode_but<Forest, &Forest::trees>(bytes, "file", apart);
        } catch (const FormatError& e) { apart_says = e.what(); }
        try {
            read = decode<Forest>(bytes, "file");
        } catch (const FormatError& e) { read_says = e.what(); }
        CHECK(apart_says == read_says);
        ++places;
        refused += !read_says.empty();
        if (!read_says.empty()) return;
        REQUIRE(apart.size() == read.trees.size());
        for (std::size_t i = 0; i < apart.size(); ++i) CHECK(encode(decode<Branch>(apart[i])) == encode(read.trees[i]));
    };
    for (std::size_t n = 0; n < sound.size(); ++n) compare(sound.substr(0, n));
    for (std::size_t bit = 0; bit < 8 * sound.size(); ++bit) {
        auto bad = sound;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
        compare(bad);
    }
    std::mt19937 random(7);
    for (int i = 0; i < 20000; ++i) {
        auto bad = sound;
        for (int k = 0; k < 3; ++k) bad[random() % bad.size()] = static_cast<char>(random());
        compare(bad);
    }
    CHECK(refused > places / 4);
    CHECK(refused < places);
}

TEST_CASE("the fields of bytes come one after the other, as they stand") {
    const auto bytes = encode(Branch{.f = 1, .raw = "abc", .leaf = Twig{.size = 150}}) + encode(Branch{.raw = ""}) + encode(Branch{.raw = "de"});
    std::string found;
    for (Fields<Branch> field(bytes); field.next();) {
        if (field.is<&Branch::raw>()) found += "raw " + std::string(field.content()) + ", ";
        else if (field.is<&Branch::leaf>()) found += "leaf " + std::to_string(decode<Twig>(field.content()).size) + ", ";
        else if (field.is<&Branch::f>()) found += "f of " + std::to_string(field.content().size()) + ", ";
    }
    CHECK(found == "f of 4, raw abc, leaf 150, raw de, ");
    Fields<Branch> damaged("\x22\x05" "ab");
    CHECK_THROWS_AS(damaged.next(), FormatError);
}
