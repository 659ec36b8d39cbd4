#include <tenon/io/proto.hpp>
#include <tenon/io/text.hpp>

#include <doctest/doctest.h>

#include <random>

using namespace tenon;
using namespace tenon::proto;

namespace {
struct State {
    std::string model_checkpoint_path{};
    std::vector<std::string> all_model_checkpoint_paths{};
    std::vector<double> all_model_checkpoint_timestamps{};
    double last_preserved_timestamp = 0;
    static constexpr auto table() {
        return message("tensorflow.CheckpointState", field<&State::model_checkpoint_path>(1, "model_checkpoint_path"), field<&State::all_model_checkpoint_paths>(2, "all_model_checkpoint_paths"),
                       field<&State::all_model_checkpoint_timestamps>(3, "all_model_checkpoint_timestamps"), field<&State::last_preserved_timestamp>(4, "last_preserved_timestamp"));
    }
};
struct Part {
    std::int32_t i = 0;
    std::uint64_t u = 0;
    float f = 0;
    bool b = false;
    DType type = DType::invalid;
    std::string s{}, raw{};
    std::vector<std::int64_t> many{};
    std::vector<Part> parts{};
    Map<Part> attr{};
    std::optional<std::int64_t> x{};
    std::optional<float> y{};
    Unknown unknown{};
    static constexpr auto table() {
        return message("test.Part", field<&Part::i>(1, "i"), field<&Part::u>(2, "u"), field<&Part::f>(3, "f"), field<&Part::b>(4, "b"), field<&Part::type>(5, "type"), field<&Part::s>(6, "s"),
                       bytes<&Part::raw>(7, "raw"), field<&Part::many>(8, "many"), field<&Part::parts>(9, "parts"), field<&Part::attr>(10, "attr"), field<&Part::x>(11, "x").oneof(),
                       field<&Part::y>(12, "y").oneof());
    }
};
Part read(std::string_view text) { return from_text<Part>(text, "file"); }
std::string why(std::string_view text) {
    try {
        (void)read(text);
    } catch (const FormatError& e) { return e.what(); }
    return "";
}
}  // namespace

TEST_CASE("a checkpoint state is written as TensorFlow writes it") {
    State s{.model_checkpoint_path = "model.ckpt-300"};
    s.all_model_checkpoint_paths = {"model.ckpt-200", "é \"quoted\"\n\x01"};
    s.all_model_checkpoint_timestamps = {1795416353.0068028, 1700000000, 1e22};
    const auto text = to_text(s);
    CHECK(text == "model_checkpoint_path: \"model.ckpt-300\"\n"
                  "all_model_checkpoint_paths: \"model.ckpt-200\"\n"
                  "all_model_checkpoint_paths: \"é \\\"quoted\\\"\\n\\001\"\n"
                  "all_model_checkpoint_timestamps: 1795416353.0068028\n"
                  "all_model_checkpoint_timestamps: 1700000000.0\n"
                  "all_model_checkpoint_timestamps: 1e+22\n");
    CHECK(encode(from_text<State>(text)) == encode(s));
    CHECK(to_text(State{}).empty());
    CHECK(from_text<State>("").model_checkpoint_path.empty());
}

TEST_CASE("every kind of field comes back") {
    Part p{.i = -5, .u = ~0ull, .f = 0.1f, .b = true, .type = DType::int64, .s = "é", .raw = std::string("\0\xff'", 3), .many = {1, -1}};
    p.parts = {Part{.f = std::numeric_limits<float>::infinity()}, Part{.f = -std::numeric_limits<float>::infinity()}, Part{.f = std::numeric_limits<float>::quiet_NaN()}, Part{.f = std::numeric_limits<float>::max()}};
    p.attr["T"].type = DType::float32;
    p.attr["N"].type = static_cast<DType>(77);
    p.x = 0;
    const auto text = to_text(p);
    CHECK(text.find("raw: \"\\000\\377\\'\"\n") != std::string::npos);
    CHECK(text.find("attr {\n  key: \"N\"\n  value {\n    type: 77\n  }\n}\nattr {\n  key: \"T\"\n  value {\n    type: DT_FLOAT\n  }\n}\nx: 0\n") != std::string::npos);
    CHECK(encode(read(text)) == encode(p));
}

TEST_CASE("messages stand in braces or angles, with or without a colon") {
    const auto p = read("parts { i: 1 } parts: { i: 2 }, parts < i: 3 >; parts: <i:4> parts: [{i:5}, <i:6>] parts [{i:7}] parts: []");
    REQUIRE(p.parts.size() == 7);
    for (int i = 0; i < 7; ++i) CHECK(p.parts[static_cast<std::size_t>(i)].i == i + 1);
}

TEST_CASE("numbers are read in all their forms") {
    CHECK(read("i: 0x1F").i == 31);
    CHECK(read("i: -017").i == -15);
    CHECK(read("i: - 5").i == -5);
    CHECK(read("u: 18446744073709551615").u == ~0ull);
    CHECK(read("f: 1.5f").f == 1.5f);
    CHECK(read("f: 1e-05").f == 1e-5f);
    CHECK(read("f: .5").f == .5f);
    CHECK(read("f: 10F").f == 10);
    CHECK(read("f: -inf").f == -std::numeric_limits<float>::infinity());
    CHECK(read("f: Infinity").f == std::numeric_limits<float>::infinity());
    CHECK(std::isnan(read("f: -nan").f));
    for (const char* yes : {"b: true", "b: True", "b: t", "b: 1"}) CHECK(read(yes).b);
    for (const char* no : {"b: true b: false", "b:t b: False", "b: 1 b: f", "b: 1 b: 0"}) CHECK(!read(no).b);
    CHECK(read("type: DT_INT32").type == DType::int32);
    CHECK(read("type: 3").type == DType::int32);
    CHECK(read("many: [1, 2] many: 3 many: []").many == std::vector<std::int64_t>{1, 2, 3});
    for (const char* bad : {"i: 2147483648", "i: 1.5", "i: 0x", "i: 08", "u: -1", "f: 1e39", "f: x", "b: 2", "b: yes", "type: DT_FLOTE", "i: \"1\"", "i:", "i: -", "many: [1", "many: [1,]", "many: [1 2]", "many [1", "i: [1]"})
        CHECK_MESSAGE(!why(bad).empty(), bad);
}

TEST_CASE("strings have either quote, escapes, and are joined when adjacent") {
    CHECK(read(R"(s: "a" 'b"' # comment
                  "c")").s == "ab\"c");
    CHECK(read(R"(s: "\a\b\f\n\r\t\v\\\'\"\x41\u00e9\101\60")").s == "\a\b\f\n\r\t\v\\'\"AéA0");
    CHECK(read(R"(s: "\q\?")").s == "\\q\\?");
    CHECK(read(R"(s: "\303\251")").s == "é");
    CHECK(read(R"(raw: "\xe9\377")").raw == "\xe9\xff");
    CHECK(why(R"(s: "\xe9")") == "file: Part.s: the text is not UTF-8 (line 1, column 10)");
    for (const char* bad : {"s: \"a", "s: \"a\nb\"", "s: \"a\\", "s: \"\\x\"", "s: \"\\u12\"", "s: \"\\ud800\"", "s: \"\\777\"", "s: a", "s \"a\""}) CHECK_MESSAGE(!why(bad).empty(), bad);
}

TEST_CASE("the last of several wins") {
    CHECK(read("i: 1 i: 2").i == 2);
    const auto p = read("x: 1 y: 2");
    CHECK(!p.x);
    CHECK(p.y == 2);
    CHECK(read("attr { key: \"a\" value { i: 1 } } attr { key: \"a\" value { i: 2 } }").attr.find("a")->i == 2);
}

TEST_CASE("an error says where it is") {
    CHECK(why("parts {\r\n  i: 1\n  attr { key: \"T\" value { j: 1 } }\n}") == "file: Part.parts[0].attr[0].value: there is no field 'j' (line 3, column 28)");
    CHECK(why("i 1") == "file: Part.i: ':' is expected (line 1, column 3)");
    CHECK(why("parts { i: 1") == "file: Part.parts[0]: the message does not end (line 1, column 13)");
    CHECK(why("parts { i: 1 >").find("the name of a field is expected") != std::string::npos);
    CHECK(why("}").find("the name of a field is expected") != std::string::npos);
    CHECK(why("\xEF\xBB\xBFi: 1").find("the name of a field is expected") != std::string::npos);
    CHECK(why("parts { [type.googleapis.com/x.Y] { } }").find("Any") != std::string::npos);
    std::string deep;
    for (int i = 0; i < 200; ++i) deep += "parts {";
    CHECK(why(deep).find("nested more than 100 deep") != std::string::npos);
    Part p;
    p.parts.emplace_back().unknown = std::string("\xf8\x07\x01");
    CHECK_THROWS_WITH_AS(to_text(p), "Part.parts[0] holds fields that have no name here, which text cannot keep; write the binary format", FormatError);
}

TEST_CASE("damaged text is refused or read, never more than that") {
    Part p{.i = -5, .f = 0.1f, .type = DType::int64, .s = "é", .raw = "\xff", .many = {1, -1}};
    p.attr["T"].parts.emplace_back().x = 3;
    const auto text = to_text(p);
    std::mt19937 random(1);
    for (int i = 0; i < 20000; ++i) {
        auto damaged = text.substr(0, i < static_cast<int>(text.size()) ? static_cast<std::size_t>(i) : text.size());
        if (damaged.empty()) continue;
        for (auto flips = random() % 4; flips; --flips) damaged[random() % damaged.size()] ^= static_cast<char>(1u << random() % 8);
        try {
            const auto t = read(damaged);
            CHECK(encode(read(to_text(t))) == encode(t));
        } catch (const FormatError&) {}
    }
}
