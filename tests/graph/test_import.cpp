// What an import costs, and what contradictions in a graph are called. That graphs of TensorFlow come out right is tested in tests/checkpoint.
#include <tenon/graph/import.hpp>
#include <tenon/ops/ops.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <set>

using namespace tenon;

namespace {

std::size_t most_bytes = SIZE_MAX;  // of one piece of a tensor's memory
}
[[gnu::noinline]] void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return n > most_bytes ? nullptr : std::malloc(n); }
[[gnu::noinline]] void* operator new(std::size_t n) {
    if (void* p = std::malloc(n)) return p;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace {

using Known = OpList<OpRow<Identity, Types<float>>>;

proto::NodeDef node(std::string name, std::string op, std::vector<std::string> inputs) {
    proto::NodeDef n{.name = std::move(name), .op = std::move(op), .input = std::move(inputs)};
    n.attr["T"] = proto::attr_value(DType::float32);
    return n;
}
Graph imported(std::vector<proto::NodeDef> nodes) {
    proto::MetaGraphDef meta;
    meta.graph_def.emplace().node = std::move(nodes);
    return import_graph(std::move(meta), index_of<Known>());
}
/// Variables "v0", "v1" and so on, of 0, `by`, 2 `by` elements.
Graph variables_of(int n, std::int64_t by) {
    proto::MetaGraphDef meta;
    auto& nodes = meta.graph_def.emplace().node;
    for (int i = 0; i < n; ++i) {
        nodes.push_back(node("v" + std::to_string(i), "VariableV2", {}));
        nodes.back().attr["dtype"] = proto::attr_value(DType::float32);
        nodes.back().attr["shape"] = proto::attr_value(Dims{i * by});
    }
    return import_graph(std::move(meta), index_of<OpList<OpRow<VariableV2, Types<float>>>>());
}

}  // namespace

TEST_CASE("an import costs as much per node whatever the size, and no stack: 200,000 nodes, each behind the next") {
    const int n = 200'000;
    const auto name = [](int i) { return "a/scope/that/all/names/have/in/common/x_" + std::to_string(i); };
    std::vector<proto::NodeDef> nodes;
    for (int i = n - 1; i > 0; --i) nodes.push_back(node(name(i), "Identity", {name(i - 1), "^" + name(i / 2)}));
    nodes.push_back(node(name(0), "Unheard", {}));
    const auto graph = imported(std::move(nodes));
    REQUIRE(graph.operations().size() == static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) {
        const auto& o = *graph.operations()[static_cast<std::size_t>(i)];
        REQUIRE(o.name == name(i));
        if (i == 0) continue;
        REQUIRE(o.inputs.at(0).operation->name == name(i - 1));
        REQUIRE(o.controls.at(0)->name == name(i / 2));
    }
    CHECK(graph.get_operation_by_name(name(n - 1))->table->supported);
    CHECK_FALSE(graph.get_operation_by_name(name(0))->table->supported);
}

TEST_CASE("inputs and control edges stay in their order, and outputs of unknown ops are as many as are read") {
    const auto graph = imported({node("y", "Unheard", {"b:2", "a", "b", "^c", "^a"}), node("a", "Identity", {"b"}), node("b", "Unheard", {}), node("c", "Unheard", {})});
    const auto y = graph.get_operation_by_name("y");
    REQUIRE(y->inputs.size() == 3);
    CHECK(y->inputs[0] == graph.get_tensor_by_name("b:2"));
    CHECK(y->inputs[1] == graph.get_tensor_by_name("a:0"));
    CHECK(y->inputs[2] == graph.get_tensor_by_name("b:0"));
    REQUIRE(y->controls.size() == 2);
    CHECK(y->controls[0]->name == "c");
    CHECK(y->controls[1]->name == "a");
}

TEST_CASE("a loop is carried through: the edge that closes it stays in the NodeDef") {
    const auto graph = imported({node("merge", "Merge", {"start", "next"}), node("start", "Unheard", {}), node("next", "Identity", {"merge"})});
    const auto next = graph.get_operation_by_name("next"), merge = graph.get_operation_by_name("merge");
    CHECK(next->inputs.empty());
    CHECK(next->table->reason == "closes a loop");
    CHECK(node_def_of(*next)->input == std::vector<std::string>{"merge"});
    CHECK(merge->inputs == std::vector<Output>{{graph.get_operation_by_name("start"), 0}, {next, 0}});
}

TEST_CASE("a graph that contradicts itself is refused in a sentence") {
    CHECK_THROWS_WITH_AS(imported({node("a", "Identity", {"b"})}), "[import] node 'a' has an input 'b' that is not in the graph", NameError);
    CHECK_THROWS_WITH_AS(imported({node("a", "Unheard", {}), node("a", "Unheard", {})}), "[import] two nodes are named 'a'", FormatError);
    CHECK_THROWS_WITH_AS(imported({node("", "Unheard", {})}), "[import] a node (Unheard) has no name", FormatError);
    CHECK_THROWS_WITH_AS(imported({node("a", "Unheard", {}), node("b", "Identity", {"a:x"})}), "[import] node 'b' has an input 'a:x'", FormatError);
    CHECK_THROWS_WITH_AS(imported({node("a", "Unheard", {}), node("b", "Identity", {"a"}), node("c", "Identity", {"b:1"})}), "[import] node 'c' reads output 1 of 'b' (Identity), which has 1", NameError);
}

TEST_CASE("outputs of unknown ops are bounded by the inputs of the file, not by the numbers in it") {
    const std::string far = "[import] node 'y' reads output 100000 of 'x' (Unheard), an unknown op: a graph of 1 inputs has at most 4097 outputs of such";
    CHECK_THROWS_WITH_AS(imported({node("x", "Unheard", {}), node("y", "Identity", {"x:100000"})}), far.c_str(), FormatError);
    CHECK(imported({node("x", "Unheard", {}), node("y", "Identity", {"x:4000"})}).get_operation_by_name("x")->results.size() == 4001);
    std::vector<proto::NodeDef> nodes;  // each would be as many as are allowed
    for (int i = 0; i < 3; ++i) {
        const auto x = "x" + std::to_string(i);
        nodes.push_back(node(x, "Unheard", {}));
        nodes.push_back(node("y" + std::to_string(i), "Identity", {x + ":4000"}));
    }
    CHECK_THROWS_AS(imported(nodes), FormatError);
    std::vector<std::string> all;  // who reads them all may have any number
    for (int i = 0; i < 20000; ++i) all.push_back("x:" + std::to_string(i));
    CHECK(imported({node("x", "Unheard", {}), node("y", "Unheard", std::move(all))}).get_operation_by_name("x")->results.size() == 20000);
}

TEST_CASE("variables of an import lie apart, each aligned, and outlive the graph whose others are gone, below and above the largest block") {
    for (const std::int64_t by : {37, 1000, 30000}) {  // 0.7 MB, 20 MB in blocks of up to 16 MiB, and 600 MB of which most are too large for a block
        std::vector<Tensor> values;
        for (const auto& v : variables_of(100, by).variables()) values.push_back(v.operation->state->value);
        REQUIRE(values.size() == 100);
        for (std::size_t i = 0; i < values.size(); ++i) {
            CHECK(values[i].size() == static_cast<std::int64_t>(i) * by);
            CHECK(reinterpret_cast<std::uintptr_t>(values[i].raw()) % 64 == 0);
            if (i > 0) values[i].data<float>()[0] = values[i].data<float>()[values[i].size() - 1] = static_cast<float>(i);
        }
        for (std::size_t i = 1; i < values.size(); ++i) CHECK((values[i].data<float>()[0] == static_cast<float>(i) && values[i].data<float>()[values[i].size() - 1] == static_cast<float>(i)));
    }
}

TEST_CASE("variables of an import of some MiB lie in few blocks, and no block is larger than 16 MiB") {
    std::set<const void*> owners;
    const Graph small = variables_of(100, 1000);
    for (const auto& v : small.variables()) owners.insert(v.operation->state->value.owner().get());
    CHECK(owners.size() < 20);
    most_bytes = (16u << 20) + Buffer::alignment_of(16u << 20);  // with what aligns it
    owners.clear();
    const Graph again = variables_of(100, 10000);  // 200 MB
    most_bytes = SIZE_MAX;
    for (const auto& v : again.variables()) owners.insert(v.operation->state->value.owner().get());
    CHECK(again.variables().size() == 100);
    CHECK(owners.size() < 50);
}

TEST_CASE("a variable that there is memory for is imported, where there is none for a block") {
    most_bytes = 500000;
    const Graph g = variables_of(100, 1000);  // 20 MB
    most_bytes = 100000;
    const Graph less = variables_of(100, 1000);
    most_bytes = SIZE_MAX;
    for (int i = 0; i < 100; ++i) {
        const auto o = g.get_operation_by_name("v" + std::to_string(i)), of_less = less.get_operation_by_name("v" + std::to_string(i));
        REQUIRE(o->table->supported);
        CHECK(o->state->value.size() == i * 1000);
        CHECK(of_less->table->supported == (i < 25));  // of 100,032 bytes, with what aligns it
        if (i >= 25) CHECK(of_less->table->reason == "there is no memory for float32 [" + std::to_string(i * 1000) + "]");
    }
}

TEST_CASE("an import keeps nodes as the file has them, and gives them back as they were") {
    proto::MetaGraphDef meta;
    auto& nodes = meta.graph_def.emplace().node;
    nodes = {node("b", "Identity", {"a"}), node("a", "Unheard", {})};
    nodes[1].attr["_shape"] = proto::attr_value(Dims{2, dyn});
    const auto bytes = proto::encode(meta);
    const auto graph = import_graph(std::make_shared<const Imported>(bytes, "bytes"), index_of<Known>());
    const auto& file = *imported_of(graph);
    CHECK(file.bytes == bytes);
    REQUIRE(file.nodes.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK((file.nodes[i].data() >= file.bytes.data() && file.nodes[i].data() + file.nodes[i].size() <= file.bytes.data() + file.bytes.size()));
        CHECK(proto::encode(*node_def_of(*graph.get_operation_by_name(nodes[i].name))) == proto::encode(nodes[i]));
    }
    CHECK(file.meta.graph_def->node.empty());
    CHECK(proto::encode(file.whole()) == bytes);
    const auto from_message = imported(nodes);  // of which the nodes become bytes
    CHECK(proto::encode(imported_of(from_message)->whole()) == bytes);
    CHECK_FALSE(node_def_of(*Placeholder<float, Shape<>>("p").operation));
}

TEST_CASE("an attribute that occurs twice is the last one, and one in two parts is both") {
    using Entry = proto::Map<proto::AttrValue>::Entry;
    const auto field = [](char number, const std::string& content) { return std::string{number, static_cast<char>(content.size())} + content; };
    const auto value = [](const auto& v) { return proto::encode(proto::attr_value(v)); };
    const auto T = field(10, "T"), node = field(10, "x") + field(18, "Placeholder") + field(42, T + field(18, value(DType::int32))) + field(42, T + field(18, value(DType::float32))) +
                                         field(42, field(10, "list") + field(18, value(std::vector<DType>{DType::int32})) + field(18, value(std::vector<DType>{DType::float32})));
    Attributes attributes(node);
    REQUIRE(attributes.find("T"));
    CHECK(attributes.find("T")->type == DType::float32);
    CHECK(proto::get<std::vector<DType>>(*attributes.find("list")) == std::vector<DType>{DType::int32, DType::float32});
    CHECK(attributes.find("S") == nullptr);
    const auto whole = proto::decode<proto::NodeDef>(node);
    for (const Entry& e : whole.attr) CHECK(proto::encode(*attributes.find(e.key)) == proto::encode(e.value));
}

TEST_CASE("what is wrong with a node's attributes is told when the file is read, used or not") {
    auto bad = node("x", "Unheard", {});
    bad.attr["_never_asked_for"] = proto::attr_value("text");
    proto::MetaGraphDef meta;
    meta.graph_def.emplace().node = {node("a", "Unheard", {}), bad};
    auto bytes = proto::encode(meta);
    const auto at = bytes.find("\x12\x04text");  // the value: a field of 4 bytes
    REQUIRE(at != bytes.npos);
    bytes[at + 1] = '\x05';
    CHECK_THROWS_AS(Imported(bytes, "file"), FormatError);
    std::string read, imported;
    try { (void)proto::decode<proto::MetaGraphDef>(bytes, "file"); } catch (const FormatError& e) { read = e.what(); }
    try { (void)Imported(bytes, "file"); } catch (const FormatError& e) { imported = e.what(); }
    CHECK(imported == read);
    CHECK(imported.find("MetaGraphDef.graph_def.node[1].attr[1]") != imported.npos);
}

TEST_CASE("a node that a program made and no file could hold is refused by its name") {
    auto bad = node("a", "Unheard", {});
    SUBCASE("text") { bad.device = "\xff"; }
    SUBCASE("unknown fields") { bad.unknown.emplace() = "\xff"; }
    proto::MetaGraphDef meta;
    meta.graph_def.emplace().node = {node("b", "Unheard", {}), bad};
    std::string why;
    try { (void)Imported(meta); } catch (const FormatError& e) { why = e.what(); }
    CHECK(why.starts_with("node 'a': NodeDef"));
}
