#include <tenon/io/json.hpp>
#include <tenon/io/proto.hpp>

#include <doctest/doctest.h>

#include <random>

using namespace tenon;
using namespace tenon::proto;

namespace {
struct Point {
    std::int64_t x = 0;
    Unknown unknown{};
    static constexpr auto table() { return message("test.Point", field<&Point::x>(1, "x")); }
};
struct Item {
    std::int32_t max_to_keep = 0;
    std::uint32_t u32 = 0;
    std::int64_t i64 = 0;
    std::uint64_t u64 = 0;
    float f = 0;
    double d = 0;
    bool flag = false;
    DType type = DType::invalid;
    std::string text{}, raw{};
    std::optional<Point> point{};
    std::vector<float> float8_val{};
    std::vector<Point> points{};
    Map<Item> items{};
    Map<Point, std::uint32_t> by_number{};
    std::optional<std::int64_t> i{};
    std::optional<std::string> s{};
    Unknown unknown{};
    static constexpr auto table() {
        return message("test.Item", field<&Item::max_to_keep>(1, "max_to_keep"), field<&Item::u32>(2, "u32"), field<&Item::i64>(3, "i64"), field<&Item::u64>(4, "u64"), field<&Item::f>(5, "f"),
                       field<&Item::d>(6, "d"), field<&Item::flag>(7, "flag"), field<&Item::type>(8, "type"), field<&Item::text>(9, "text"), bytes<&Item::raw>(10, "raw"), field<&Item::point>(11, "point"),
                       field<&Item::float8_val>(12, "float8_val"), field<&Item::points>(13, "points"), field<&Item::items>(14, "items"), field<&Item::by_number>(15, "by_number"),
                       field<&Item::i>(16, "i").oneof(), bytes<&Item::s>(17, "s").oneof());
    }
};

Item read(std::string_view json) { return from_json<Item>(json, "file"); }
std::string why(std::string_view json) {
    try {
        (void)read(json);
    } catch (const FormatError& e) { return e.what(); }
    return "";
}
}  // namespace

TEST_CASE("every kind of field is written as protobuf's JSON") {
    Item m{.max_to_keep = -5, .u32 = 4000000000u, .i64 = -1, .u64 = ~0ull, .f = 0.1f, .d = 1e300, .flag = true, .type = DType::float32, .text = "a\"\\\n\x01é", .raw = std::string("\0\xff", 2), .point = Point{}};
    m.float8_val = {10000, -0.0f, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()};
    m.points = {Point{.x = 3}, Point{}};
    m.items["use_locking"].max_to_keep = 1;
    m.items["_class"];
    m.by_number[7u].x = 1;
    m.i = 0;
    const auto json = to_json(m);
    CHECK(json == R"({"maxToKeep":-5,"u32":4000000000,"i64":"-1","u64":"18446744073709551615","f":0.1,"d":1e+300,"flag":true,"type":"DT_FLOAT","text":"a\"\\\n\u0001é","raw":"AP8=","point":{},)"
                  R"("float8Val":[10000.0,-0.0,"Infinity","-Infinity","NaN"],"points":[{"x":"3"},{}],"items":{"_class":{},"use_locking":{"maxToKeep":1}},"byNumber":{"7":{"x":"1"}},"i":"0"})");
    CHECK(encode(read(json)) == encode(m));
    CHECK(encode(read(to_json(m, {.pretty = true}))) == encode(m));
}

TEST_CASE("pretty JSON has a line per member") {
    Item m{.max_to_keep = 1, .point = Point{}};
    m.points = {Point{.x = 2}};
    CHECK(to_json(m, {.pretty = true}) == "{\n  \"maxToKeep\": 1,\n  \"point\": {},\n  \"points\": [\n    {\n      \"x\": \"2\"\n    }\n  ]\n}");
    CHECK(to_json(Item{}, {.pretty = true}) == "{}");
}

TEST_CASE("numbers are read in every form that protobuf's parsers accept") {
    CHECK(read(R"({"maxToKeep": 5.0})").max_to_keep == 5);
    CHECK(read(R"({"maxToKeep": 1e1})").max_to_keep == 10);
    CHECK(read(R"({"maxToKeep": "-7"})").max_to_keep == -7);
    CHECK(read(R"({"i64": -9223372036854775808})").i64 == std::numeric_limits<std::int64_t>::min());
    CHECK(read(R"({"i64": "1e3"})").i64 == 1000);
    CHECK(read(R"({"u64": "18446744073709551615"})").u64 == ~0ull);
    CHECK(read(R"({"f": "1.5"})").f == 1.5f);
    CHECK(read(R"({"f": 1e-60})").f == 0);
    CHECK(std::signbit(read(R"({"f": -0.0})").f));
    CHECK(std::isnan(read(R"({"d": "NaN"})").d));
    CHECK(read(R"({"d": "-Infinity"})").d == -std::numeric_limits<double>::infinity());
    CHECK(read(R"({"type": 3})").type == DType::int32);
    CHECK(read(R"({"type": "DT_FLOAT_REF"})").type == static_cast<DType>(101));
    CHECK(read(R"({"type": 77})").type == static_cast<DType>(77));
    CHECK(to_json(Item{.type = static_cast<DType>(77)}) == R"({"type":77})");

    CHECK(why(R"({"maxToKeep": 5.5})") == "file: Item.max_to_keep: 5.5 is no int32 (line 1, column 18)");
    CHECK(why(R"({"maxToKeep": 2147483648})") == "file: Item.max_to_keep: 2147483648 is no int32 (line 1, column 25)");
    CHECK(!why(R"({"u32": -1})").empty());
    CHECK(!why(R"({"u64": 18446744073709551616})").empty());
    CHECK(!why(R"({"i64": " 5"})").empty());
    CHECK(!why(R"({"i64": 01})").empty());
    CHECK(!why(R"({"f": 1e39})").empty());
    CHECK(!why(R"({"d": 1e400})").empty());
    CHECK(!why(R"({"f": NaN})").empty());
    CHECK(!why(R"({"f": "inf"})").empty());
    CHECK(!why(R"({"f": .5})").empty());
    CHECK(!why(R"({"f": 1.})").empty());
    CHECK(!why(R"({"flag": 1})").empty());
    CHECK(!why(R"({"flag": "true"})").empty());
    CHECK(!why(R"({"type": "DT_FLOTE"})").empty());
}

TEST_CASE("the largest float is written so that readers who go through double accept it") {
    const auto json = to_json(Item{.f = std::numeric_limits<float>::max()});
    CHECK(json == R"({"f":3.4028234663852886e+38})");
    CHECK(read(json).f == std::numeric_limits<float>::max());
}

TEST_CASE("strings are UTF-8 with JSON's escapes") {
    CHECK(read(R"({"text": "\u00e9\ud83d\ude00\/\b\f\t\r"})").text == "é😀/\b\f\t\r");
    CHECK(why(R"({"text": "\ud83d"})") == "file: Item.text: half a surrogate pair (line 1, column 17)");
    CHECK(!why(R"({"text": "\ude00"})").empty());
    CHECK(!why(R"({"text": "\ud83d\u0041"})").empty());
    CHECK(!why("{\"text\": \"\xe9\"}").empty());
    CHECK(!why("{\"text\": \"a\nb\"}").empty());
    CHECK(!why(R"({"text": "\x41"})").empty());
    CHECK(!why(R"({"text": "\u00g0"})").empty());
    CHECK(!why(R"({"text": 5})").empty());
    CHECK(!why(R"({"text": "abc)").empty());
}

TEST_CASE("bytes are base64, of either alphabet, padded or not") {
    // RFC 4648, section 10
    const std::pair<std::string, std::string> vectors[]{{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, coded] : vectors) {
        std::string out, back;
        put_base64(out, plain);
        CHECK(out == coded);
        CHECK(decode_base64(coded, back));
        CHECK(back == plain);
        CHECK(decode_base64(coded.substr(0, coded.find('=')), back));
        CHECK(back == plain);
    }
    CHECK(read(R"({"raw": "-_-_"})").raw == "\xfb\xff\xbf");
    for (const char* bad : {R"({"raw": "A"})", R"({"raw": "A==="})", R"({"raw": "AA=A"})", R"({"raw": "AA A"})", R"({"raw": 1})"}) CHECK(!why(bad).empty());
}

TEST_CASE("names are those of JSON or of the schema") {
    CHECK(read(R"({"max_to_keep": 3})").max_to_keep == 3);
    CHECK(read(R"({"maxToKeep": 1, "max_to_keep": 2})").max_to_keep == 2);
    CHECK(why("{\n  \"maxTokeep\": 1}") == "file: Item: there is no field 'maxTokeep' (line 2, column 15)");
    CHECK(why(R"({"flag": true, "flag": true})") == "file: Item: 'flag' occurs twice (line 1, column 23)");
    CHECK(why(R"({"items": {"a": {}, "a": {}}})") == "file: Item.items[0]: a key occurs twice (line 1, column 29)");
    CHECK(from_json<Item>(R"({"new": [{"a": [1, "b", null]}, {}, true], "u32": 1})", "file", {.ignore_unknown = true}).u32 == 1);
    CHECK(why(R"({"items": {"T": {"points": [{}, {"y": 1}]}}})") == "file: Item.items['T'].points[1]: there is no field 'y' (line 1, column 38)");
}

TEST_CASE("null is a field that is not set, and nothing else") {
    CHECK(encode(read(R"({"point": null, "items": null, "points": null, "u32": null, "i": null, "s": ""})")) == encode(Item{.s = ""}));
    CHECK(!why(R"({"points": [null]})").empty());
    CHECK(!why(R"({"items": {"a": null}})").empty());
    CHECK(!why("null").empty());
}

TEST_CASE("two members of a oneof are refused") { CHECK(why(R"({"i": 1, "s": ""})") == "file: Item.s: 'i' excludes it (line 1, column 15)"); }

TEST_CASE("text that is not JSON is refused") {
    for (const char* bad : {"", " ", "[]", "{", "{]", "{}x", "{} {}", "{\"u32\" 1}", "{\"u32\":}", "{\"u32\":1,}", "{,}", "{u32:1}", "{\"float8Val\":[1,]}", "{\"float8Val\":[1 2]}", "{\"float8Val\":1}", "{\"point\":[]}", "\xEF\xBB\xBF{}"})
        CHECK_MESSAGE(!why(bad).empty(), bad);
    std::string deep;
    for (int i = 0; i < 200; ++i) deep += R"({"items":{"a":)";
    CHECK(why(deep).find("nested more than 100 deep") != std::string::npos);
    CHECK_THROWS_AS((void)from_json<Item>("{\"new\":" + std::string(100000, '['), "file", {.ignore_unknown = true}), FormatError);
}

TEST_CASE("what JSON cannot keep is not dropped in silence") {
    Item m;
    m.items["a"].point.emplace().unknown = std::string("\xf8\x07\x01");
    CHECK_THROWS_WITH_AS(to_json(m), "Item.items['a'].point holds fields that have no name here, which JSON cannot keep; write the binary format", FormatError);
}

TEST_CASE("damaged JSON is refused or read, never more than that") {
    Item m{.max_to_keep = -5, .f = 0.1f, .text = "é\n"};
    m.points = {Point{.x = 3}, Point{}};
    m.items["k"].raw = "abc";
    m.s = "xyz";
    const auto json = to_json(m);
    for (std::size_t n = 0; n < json.size(); ++n) CHECK(!why(json.substr(0, n)).empty());
    std::mt19937 random(1);
    for (int i = 0; i < 20000; ++i) {
        auto damaged = json;
        for (auto flips = 1 + random() % 3; flips; --flips) damaged[random() % damaged.size()] ^= static_cast<char>(1u << random() % 8);
        try {
            const auto t = read(damaged);
            CHECK(encode(read(to_json(t))) == encode(t));
        } catch (const FormatError&) {}
    }
}

TEST_CASE("elements left apart are handed over one after the other, and of two lists the last counts") {
    struct List {
        std::vector<std::int64_t> xs{};
        void clear() { xs.clear(); }
        void add(const Point& p) { xs.push_back(p.x); }
    } list;
    const auto rest = [&](std::string_view json) { return from_json_but<Item, &Item::points>(json, "file", list); };
    const auto m = rest(R"({"points": [{"x": 3}, {}, {"x": 5}], "u32": 7})");
    CHECK(list.xs == std::vector<std::int64_t>{3, 0, 5});
    CHECK(m.points.empty());
    CHECK(m.u32 == 7);
    rest(R"({"items": {"a": {"points": [{"x": 1}]}, "b": {"points": []}}})");  // wherever they are
    CHECK(list.xs.empty());
    rest(R"({"points": [{"x": 1}]})");
    CHECK(list.xs == std::vector<std::int64_t>{1});
    CHECK_THROWS_WITH_AS(rest(R"({"points": [{"x": 1}, {"y": 1}]})"), "file: Item.points[1]: there is no field 'y' (line 1, column 28)", FormatError);
}
