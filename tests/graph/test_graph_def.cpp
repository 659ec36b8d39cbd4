#include <tenon/graph/meta_file.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

using namespace tenon;
using namespace tenon::proto;

namespace {
const std::string data = TENON_TEST_DATA;

std::string slurp(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE_MESSAGE(file, path);
    return {std::istreambuf_iterator<char>(file), {}};
}
/// Every file below the test data whose name ends so, but for those that are damaged on purpose.
std::vector<std::string> files(std::string_view ending) {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data)) {
        const auto path = entry.path().string();
        if (path.ends_with(ending) && path.find("/damaged/") == path.npos) all.push_back(path);
    }
    std::sort(all.begin(), all.end());
    REQUIRE(!all.empty());
    return all;
}
const NodeDef& node(const GraphDef& graph, std::string_view name) {
    for (const auto& n : graph.node) if (n.name == name) return n;
    FAIL("no node " << name);
    return graph.node.front();
}

/// JSON as two writers may differ in it: floats by the digits they write.
bool same(const nlohmann::json& a, const nlohmann::json& b) {
    if (a.is_number_float() || b.is_number_float()) return a.is_number() && b.is_number() && static_cast<float>(a.get<double>()) == static_cast<float>(b.get<double>());
    if (a.type() != b.type() || a.size() != b.size()) return a.is_number() && b.is_number() && a == b;
    if (a.is_object()) {
        for (const auto& [key, value] : a.items()) if (!b.contains(key) || !same(value, b[key])) return false;
        return true;
    }
    if (a.is_array()) {
        for (std::size_t i = 0; i < a.size(); ++i) if (!same(a[i], b[i])) return false;
        return true;
    }
    return a == b;
}
}  // namespace

TEST_CASE("every MetaGraphDef that TensorFlow wrote comes back from binary, JSON and text") {
    std::size_t nodes = 0;
    for (const auto& path : files(".meta")) {
        CAPTURE(path);
        const auto meta = read_meta(slurp(path), path);
        REQUIRE(meta.graph_def);
        nodes += meta.graph_def->node.size();
        const auto bytes = encode(meta);  // canonical: maps in order
        CHECK(encode(decode<MetaGraphDef>(bytes)) == bytes);
        for (const auto format : {MetaFormat::json, MetaFormat::binary, MetaFormat::text}) CHECK(encode(read_meta(write_meta(meta, format), path)) == bytes);
    }
    CHECK(nodes > 1000);
}

TEST_CASE("binary files that have their maps in order are written byte for byte as they were") {
    std::size_t equal = 0, reordered = 0;
    for (const auto& path : files(".meta")) {
        CAPTURE(path);
        const auto bytes = slurp(path);
        const auto again = encode(read_meta(bytes, path));
        CHECK(again.size() == bytes.size());  // nothing lost, nothing added
        auto a = bytes, b = again;
        std::sort(a.begin(), a.end());
        std::sort(b.begin(), b.end());
        CHECK(a == b);
        (again == bytes ? equal : reordered) += 1;
    }
    MESSAGE(equal << " files byte for byte, " << reordered << " with maps in another order");
}

TEST_CASE("JSON is what protobuf's MessageToJson writes") {
    for (const auto& path : files(".meta.json")) {
        CAPTURE(path);
        const auto meta = read_meta(slurp(path.substr(0, path.size() - 5)), path);
        const auto golden = slurp(path);
        CHECK(same(nlohmann::json::parse(write_meta(meta, MetaFormat::json)), nlohmann::json::parse(golden)));
        CHECK(encode(read_meta(golden, path)) == encode(meta));
    }
}

TEST_CASE("text is read as the binary file that says the same") {
    for (const auto& path : files(".meta.txt")) {
        CAPTURE(path);
        CHECK(encode(read_meta(slurp(path), path)) == encode(read_meta(slurp(path.substr(0, path.size() - 4)), path)));
    }
    const auto frozen = data + "/golden/frozen/frozen.pb";
    CHECK(encode(read_graph(slurp(frozen + "txt"), frozen)) == encode(read_graph(slurp(frozen), frozen)));
    CHECK(encode(read_graph(write_graph(read_graph(slurp(frozen), frozen), MetaFormat::json), frozen)) == encode(read_graph(slurp(frozen), frozen)));
}

TEST_CASE("a SavedModel is read") {
    for (const auto& path : files("saved_model.pb")) {
        CAPTURE(path);
        const auto model = read_saved_model(slurp(path), path);
        REQUIRE(!model.meta_graphs.empty());
        CHECK(model.meta_graphs[0].signature_def.contains("serving_default"));
        CHECK(encode(model).size() == slurp(path).size());
    }
}

TEST_CASE("what the files say is found in the structs") {
    const auto meta = read_meta(slurp(data + "/golden/minimal/minimal.meta"), "minimal.meta");
    CHECK(meta.saver_def->filename_tensor_name == "save/Const:0");
    CHECK(meta.saver_def->keep_checkpoint_every_n_hours == 10000);
    CHECK(meta.saver_def->version == SaverDef::Version::v2);
    const auto* const variables = meta.collection_def.find("variables");
    REQUIRE(variables);
    const auto w = decode<VariableDef>(variables->bytes_list->value.at(0));
    CHECK(w.variable_name == "w:0");
    CHECK(w.initializer_name == "w/Assign");
    const auto& y = node(*meta.graph_def, "y");
    CHECK(y.op == "MatMul");
    CHECK(attr<DType>(y, "T") == DType::float32);
    CHECK(attr<bool>(y, "transpose_a", false) == false);
    CHECK(attr<std::int64_t>(y, "grad_a", 7) == 7);
    CHECK_THROWS_WITH_AS(attr<DType>(y, "dtype"), "node 'y' (MatMul) has no attribute 'dtype'", NameError);
    CHECK_THROWS_WITH_AS(attr<bool>(y, "T"), "node 'y' (MatMul), attribute 'T': an attribute is not a bool", TypeError);
}

TEST_CASE("attributes are made of plain values and read as such") {
    CHECK(get<bool>(attr_value(true)));
    CHECK(get<std::int64_t>(attr_value(-3)) == -3);
    CHECK(get<float>(attr_value(0.5f)) == 0.5f);
    CHECK(get<std::string>(attr_value("SAME")) == "SAME");
    CHECK(get<std::string>(attr_value(std::string("NHWC"))) == "NHWC");
    CHECK(get<DType>(attr_value(DType::half)) == DType::half);
    CHECK(get<Dims>(attr_value(Dims{2, dyn, 3})) == Dims{2, dyn, 3});
    CHECK(get<Dims>(attr_value(Dims{})) == Dims{});
    CHECK(get<Dims>(attr_value(Dims::unranked())) == Dims::unranked());
    CHECK(get<std::vector<std::int64_t>>(attr_value(std::vector<int>{1, 2})) == std::vector<std::int64_t>{1, 2});
    CHECK(get<std::vector<float>>(attr_value(std::vector<float>{})).empty());
    CHECK(get<std::vector<bool>>(attr_value(std::vector<bool>{true, false})) == std::vector<bool>{true, false});
    CHECK(get<std::vector<std::string>>(attr_value(std::vector<std::string>{"a"})) == std::vector<std::string>{"a"});
    CHECK(get<std::vector<DType>>(attr_value(std::vector<DType>{DType::int8})) == std::vector<DType>{DType::int8});
    CHECK(get<std::vector<Dims>>(attr_value(std::vector<Dims>{{1}, {}})) == std::vector<Dims>{{1}, {}});
    CHECK_THROWS_AS(get<bool>(attr_value(1)), TypeError);
    CHECK_THROWS_AS(get<std::vector<bool>>(attr_value(true)), TypeError);
}

TEST_CASE("attributes are written though they have their default value") {
    const auto bytes = [](const AttrValue& a) { return encode(a); };
    CHECK(bytes(attr_value(false)) == std::string("\x28\0", 2));
    CHECK(bytes(attr_value("")) == std::string("\x12\0", 2));
    CHECK(bytes(attr_value(0)) == std::string("\x18\0", 2));
    CHECK(bytes(attr_value(std::vector<int>{})) == std::string("\x0a\0", 2));
    CHECK(to_json(attr_value(Dims{})) == R"({"shape":{}})");
    CHECK(to_json(attr_value(Dims{0, dyn})) == R"({"shape":{"dim":[{},{"size":"-1"}]}})");
    CHECK(to_json(attr_value(Dims::unranked())) == R"({"shape":{"unknownRank":true}})");
    CHECK(to_json(attr_value("SAME")) == R"({"s":"U0FNRQ=="})");
}

TEST_CASE("a default Saver's SaverDef has the bytes that TensorFlow writes") {
    SaverDef saver{.filename_tensor_name = "save/Const:0", .save_tensor_name = "save/control_dependency:0", .restore_op_name = "save/restore_all", .max_to_keep = 5, .keep_checkpoint_every_n_hours = 10000, .version = SaverDef::Version::v2};
    CHECK(encode(saver) == "\x0a\x0csave/Const:0\x12\x19save/control_dependency:0\x1a\x10save/restore_all\x20\x05\x35" + std::string("\0\x40\x1c\x46\x38\x02", 6));
}

TEST_CASE("extents of a file are checked") {
    const auto shape = [](std::vector<std::int64_t> sizes) {
        TensorShapeProto s;
        for (const auto size : sizes) s.dim.push_back({.size = size});
        return s;
    };
    CHECK(dims_of(shape({2, -1})) == Dims{2, dyn});
    CHECK_THROWS_AS(dims_of(shape({-2})), ShapeError);
    CHECK_THROWS_AS(dims_of(shape({1, 1, 1, 1, 1, 1, 1, 1, 1})), ShapeError);
    CHECK_THROWS_AS(dims_of(shape({std::int64_t{1} << 40, std::int64_t{1} << 40})), ShapeError);
    CHECK(dims_of(shape({0, std::int64_t{1} << 40})).size() == 0);
}

TEST_CASE("an empty file is an empty MetaGraphDef") {
    CHECK(encode(read_meta("", "empty")).empty());
    CHECK(encode(read_meta("{}", "empty")).empty());
    CHECK(encode(read_meta(" \n# nothing\n", "empty")).empty());
}

TEST_CASE("a binary file whose second byte is a brace is not taken for JSON") {
    MetaGraphDef meta;
    meta.meta_info_def.emplace().tensorflow_version = std::string(119, 'v');
    meta.meta_info_def->stripped_default_attrs = true;
    REQUIRE(encode(meta).substr(0, 2) == "\n{");
    CHECK(encode(read_meta(encode(meta), "m")) == encode(meta));
}

TEST_CASE("files that hold no graph are refused") {
    CHECK_THROWS_AS((void)read_meta("hello world", "m"), FormatError);
    CHECK_THROWS_AS((void)read_meta("{\"nodes\": []}", "m"), FormatError);
    CHECK_THROWS_AS((void)read_meta("[1, 2]", "m"), FormatError);
    CHECK_THROWS_AS((void)read_meta(std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16), "m"), FormatError);
    CHECK_THROWS_AS((void)read_meta(std::string(1000, '\0'), "m"), FormatError);
    CHECK_THROWS_AS((void)read_meta(slurp(data + "/golden/minimal/minimal.index"), "m"), FormatError);
}

TEST_CASE("truncated and damaged files are refused or read, never more than that") {
    const auto original = slurp(data + "/golden/minimal/minimal.meta");
    for (const auto format : {MetaFormat::binary, MetaFormat::json, MetaFormat::text}) {
        const auto bytes = write_meta(read_meta(original, "m"), format);
        const auto survive = [&](const std::string& damaged) {
            try {
                const auto meta = read_meta(damaged, "m");
                CHECK(encode(decode<MetaGraphDef>(encode(meta))) == encode(meta));
            } catch (const FormatError& e) { CHECK(std::string_view(e.what()).starts_with("m: MetaGraphDef")); }
        };
        for (std::size_t n = 0; n < bytes.size(); n += format == MetaFormat::binary ? 1 : 7) survive(bytes.substr(0, n));
        std::mt19937 random(1);
        for (int i = 0; i < 1000; ++i) {
            auto damaged = bytes;
            damaged[random() % damaged.size()] ^= static_cast<char>(1u << random() % 8);
            survive(damaged);
        }
    }
}

TEST_CASE("JSON nests no deeper than its message may in a binary file") {
    int accepted = 0, refused = 0;
    for (int levels = 20; levels < 60; ++levels) {
        std::string value = R"({"i":"1"})";
        for (int i = 0; i < levels; ++i) value = R"({"func":{"name":"f","attr":{"a":)" + value + "}}}";
        MetaGraphDef meta;
        try {
            meta = read_meta(R"({"graphDef":{"node":[{"name":"n","op":"x","attr":{"f":)" + value + "}}]}}", "file");
        } catch (const FormatError&) {
            ++refused;
            continue;
        }
        ++accepted;
        CHECK(encode(read_meta(encode(meta), "file")) == encode(meta));
    }
    CHECK((accepted > 0 && refused > 0));
}
