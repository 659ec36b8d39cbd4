// What saved graphs of public projects ask of an importer. Each case tells one thing that such graphs do, and holds us to it.
// Long because a graph is told node by node.
#include "../support/golden.hpp"
#include "../support/graph_text.hpp"
#include <tenon/checkpoint/builtin_ops.hpp>
#include <tenon/checkpoint/saving.hpp>
#include <tenon/grad/gradients.hpp>
#include <tenon/graph/meta_file.hpp>
#include <tenon/io/proto.hpp>

#include <doctest/doctest.h>

using namespace tenon;
using namespace tenon::test;

namespace {

const std::string trading = std::string(TENON_TEST_DATA) + "/models/trading_dqn/test1.ckpt";

Tensor floats(const Dims& d, float first = 1) {
    Tensor t(DType::float32, d);
    for (auto& x : t.span<float>()) x = first++;
    return t;
}
std::vector<float> elements(const Tensor& t) { return {t.span<float>().begin(), t.span<float>().end()}; }
/// A variable of one float with its initialiser and its reader.
std::string variable(const std::string& name, const char* value) {
    const auto initial = name + "/initial_value", start = "float_val: " + std::string(value);
    return node(name, "VariableV2", {}, type("dtype") + shape("shape", {})) + constant_node(initial, "FLOAT", {}, start) + node(name + "/Assign", "Assign", {name.c_str(), initial.c_str()}, type("T")) +
           node(name + "/read", "Identity", {name.c_str()}, type("T"));
}

}  // namespace

TEST_CASE("any tensor can be fed, an output of an unknown op too, and nothing behind it is looked at") {
    const auto graph = graph_of(node("files", "OneShotIterator", {}) + node("next", "IteratorGetNext", {"files"}) + node("image", "DecodeJpeg", {"next:1"}, attr("channels", "s: \"three\"")) +
                                node("resource", "VarHandleOp", {}, type("dtype") + shape("shape", {3})) + node("value", "ReadVariableOp", {"resource"}, type("dtype")) +
                                node("bad", "Conv2D", {"image", "value"}, type("T") + attr("padding", "s: \"WRONG\"")) + node("sum", "AddV2", {"bad", "next:3"}, type("T")) +
                                node("y", "MatMul", {"sum", "w"}, type("T")) + constant_node("w", "FLOAT", {2, 1}, "float_val: 1 float_val: 10"));
    Session session{graph};
    const auto y = session.run("y:0", feed("bad:0", floats({3, 2})), feed("next:3", floats({1, 2})));
    CHECK(y.dims() == Dims{3, 1});
    CHECK(elements(y) == std::vector<float>{42, 64, 86});
    CHECK(session.run("y:0", feed("sum:0", floats({1, 2}))).item<float>() == 21);
    CHECK(thrown([&] { session.run("y:0", feed("next:3", floats({1, 2}))); }).first == "UnsupportedError");
}

TEST_CASE("a gradient reaches the output of an unknown op, in the type that its reader has") {
    const auto doubles = attr("T", "type: DT_DOUBLE");
    const auto graph = graph_of(node("files", "OneShotIterator", {}) + node("next", "IteratorGetNext", {"files"}) + node("y", "Erf", {"next"}, doubles) + node("z", "Square", {"y"}, doubles));
    const auto x = graph.get_tensor_by_name("next:0");
    const auto g = gradients(graph.get_tensor_by_name<double, Unranked>("z:0"), {x}).at(0);
    CHECK(g.dtype() == DType::float64);
    Session session{graph};
    const double at = 0.3, slope = 1.1283791670955126 * std::exp(-at * at);
    CHECK(session.run_all({g}, {{x, Tensor::scalar(at)}}).at(0).item<double>() == doctest::Approx(2 * std::erf(at) * slope).epsilon(1e-14));
}

TEST_CASE("an op of which one output is fed, and no other needed, needs no inputs") {
    const auto graph = graph_of(placeholder("x", {3, 2}) + node("root", "Sqrt", {"x"}, type("T")) + node("rows", "Unpack", {"root"}, type("T") + attr("num", "i: 3")) + node("y", "Neg", {"rows:2"}, type("T")));
    Session session{graph};
    CHECK(elements(session.run("y:0", feed("rows:2", floats({2})))) == std::vector<float>{-1, -2});
    CHECK(elements(session.run("y:0", feed("rows:1", floats({2})), feed("rows:2", floats({2})))) == std::vector<float>{-1, -2});
    CHECK(thrown([&] { session.run("y:0", feed("rows:1", floats({2}))); }).second == "[run] not fed: 'x' (Placeholder) float32 [3,2]");
}

TEST_CASE("a plan holds what the fetches need, and not the 5000 nodes beside it") {
    const auto [graph, saver] = import_meta_graph(trading + ".meta");
    Session session{graph};
    saver.restore(session, trading);
    CHECK(graph.operations().size() > 5000);
    const auto y = graph.get_tensor_by_name("eval_net/q/BiasAdd:0");
    const auto run = session.make_callable({y}, session.resolve(feed("s:0", floats({3, 180}))));
    CHECK(run.plan().kernels() <= 8);  // three layers of a product, a bias and an activation
}

TEST_CASE("hints are hints: wrong shapes, collections of what is not there, a version that is no version, unknown ops") {
    const auto wrong = attr("_output_shapes", "list { shape { dim { size: 7 } dim { size: 7 } } }");
    const auto nodes = node("x", "Placeholder", {}, type("dtype") + attr("shape", "shape { unknown_rank: true }") + wrong) + constant_node("w", "FLOAT", {2, 1}, "float_val: 1 float_val: 10") +
                       node("y", "MatMul", {"x", "w"}, type("T") + wrong) + node("odd", "NobodyKnowsMe", {"y"}, wrong) + node("z", "Add", {"odd", "y"}, type("T") + wrong) + variable("v", "2");
    auto model = model_of(nodes, "meta_info_def { tensorflow_version: \"0.12.head\" }\n"
                                       "collection_def { key: \"trainable_variables\" value { bytes_list { value: \"\\n\\050cut\" value: \"\\n\\006lost:0\" } } }\n"
                                       "collection_def { key: \"losses\" value { node_list { value: \"no/such/node:0\" value: \"y:9\" } } }\n"
                                       "collection_def { key: \"while_context\" value { any_list { } } }\n");
    Session session{model.graph};
    const auto x = feed("x:0", floats({3, 2}));
    CHECK(elements(session.run("y:0", x)) == std::vector<float>{21, 43, 65});
    CHECK(elements(session.run("z:0", x, feed("odd:0", floats({3, 1})))) == std::vector<float>{22, 45, 68});
    CHECK(model.graph.get_tensor_by_name("x:0").dims() == Dims::unranked());
    CHECK(hinted_dims(model.graph.get_tensor_by_name("x:0")) == Dims{7, 7});
    CHECK(hinted_dims(model.graph.get_tensor_by_name("w:0")) == Dims::unranked());
    CHECK(meta_graph_of(model.graph)->meta_info_def->tensorflow_version == "0.12.head");
    session.run("v/Assign");
    CHECK(session.run("v/read:0").item<float>() == 2);
    Scratch dir;
    CHECK(model.saver.variables().size() == 1);
    model.saver.save(session, dir / "m");  // and all of it is saved again
    CHECK(import_meta_graph(dir / "m.meta").graph.contains("odd"));
}

TEST_CASE("what restores is the op that saver_def names, wherever it is: its tensors, their keys, parts of them") {
    const auto [graph, saver] = import_meta_graph(trading + ".meta");
    const auto& names = *meta_graph_of(graph)->saver_def;
    CHECK(names.restore_op_name == "save_152/restore_all");
    CHECK(saver.variables().size() == 24);
    Session session{graph};
    session.run("save_152/restore_all", feed(names.filename_tensor_name, Tensor::scalar(trading)));
    const auto by_nodes = elements(session.run("eval_net/q/bias:0"));
    saver.restore(session, trading);
    CHECK(elements(session.run("eval_net/q/bias:0")) == by_nodes);

    const auto restore = [](const std::string& scope, const char* variable, const std::string& key, const std::string& slice) {
        return constant_node(scope + "names", "STRING", {1}, "string_val: \"" + key + "\"") + constant_node(scope + "slices", "STRING", {1}, "string_val: \"" + slice + "\"") +
               node(scope + "RestoreV2", "RestoreV2", {"file", (scope + "names").c_str(), (scope + "slices").c_str()}, attr("dtypes", "list { type: DT_FLOAT }")) +
               node(scope + "Assign", "Assign", {variable, (scope + "RestoreV2").c_str()}, type("T"));
    };
    const auto var = [](const char* name, int n) { return node(name, "VariableV2", {}, type("dtype") + shape("shape", {n})); };
    const auto nodes = var("Bias_1", 2) + var("part_0", 1) + var("not_restored", 3) + constant_node("file", "STRING", {}, "string_val: \"model\"") + restore("Global_Net/save/a/", "Bias_1", "Bias", "") +
                       restore("Global_Net/save/b/", "part_0", "whole", "3 1,1") + node("Global_Net/save/restore_all", "NoOp", {"^Global_Net/save/a/Assign", "^Global_Net/save/b/Assign"}) + node("save/restore_all", "NoOp", {});
    const auto model = model_of(nodes, "saver_def { filename_tensor_name: \"file:0\" restore_op_name: \"Global_Net/save/restore_all\" version: V2 }");
    Scratch dir;
    BundleWriter writer(dir / "m");
    writer.add("Bias", floats({2}));
    writer.add("whole", floats({3}, 10));
    writer.finish();
    Session second{model.graph};
    CHECK(model.saver.restore(second, dir / "m").restored == std::vector<std::string>{"Bias_1", "part_0"});
    CHECK(elements(second.run("Bias_1:0")) == std::vector<float>{1, 2});
    CHECK(elements(second.run("part_0:0")) == std::vector<float>{11});
    CHECK(model.saver.not_restored() == std::vector<std::string>{"not_restored"});
}

TEST_CASE("a graph whose saver was taken out restores its variables by their names") {
    const auto model = model_of(variable("v", "5"), "saver_def { filename_tensor_name: \"save/Const:0\" save_tensor_name: \"save/control_dependency:0\" restore_op_name: \"save/restore_all\" max_to_keep: 2 version: V2 }");
    Scratch dir;
    BundleWriter writer(dir / "m");
    writer.add("v", Tensor::scalar(3.0f));
    writer.finish();
    Session session{model.graph};
    CHECK(model.saver.restore(session, dir / "m").restored == std::vector<std::string>{"v"});
    CHECK(session.run("v/read:0").item<float>() == 3);
    CHECK(model.saver.options().max_to_keep == 2);
}

TEST_CASE("a variable that no memory can hold is no error until it is needed") {
    const auto graph = graph_of(node("huge", "VariableV2", {}, type("dtype") + shape("shape", {1 << 22, 1 << 22})) + node("huge/read", "Identity", {"huge"}, type("T")) + placeholder("x", {}) + node("y", "Neg", {"x"}, type("T")));
    Session session{graph};
    CHECK(session.run("y:0", feed("x:0", 2.0f)).item<float>() == -2);
    const auto [type, message] = thrown([&] { session.run("huge/read:0"); });
    CHECK((type == "UnsupportedError" || type == "ValueError"));  // the system may promise memory that it does not have
    CHECK(message.find("'huge'") != message.npos);
}

TEST_CASE("variables that a checkpoint lacks are told by name, and take their initialiser's value or one that is given") {
    const auto nodes = variable("kept", "1") + variable("slot", "5") + node("average", "VariableV2", {}, type("dtype") + shape("shape", {2})) + node("sum", "AddV2", {"kept/read", "slot/read"}, type("T")) +
                       node("scaled", "Mul", {"sum", "average"}, type("T"));
    const auto model = model_of(nodes, "collection_def { key: \"variables\" value { bytes_list { value: \"\\n\\006kept:0\" } } }");
    Scratch dir;
    BundleWriter writer(dir / "m");
    writer.add("kept", Tensor::scalar(3.0f));
    writer.finish();
    Session session{model.graph};
    model.saver.restore(session, dir / "m");
    CHECK(model.saver.not_restored() == std::vector<std::string>{"slot", "average"});
    CHECK(thrown([&] { session.run("sum:0"); }) == std::pair<std::string, std::string>("ValueError", "'slot' (VariableV2) has no value: restore it, or run its initialiser"));
    initialize(session, model.graph, {"slot"});
    CHECK(session.run("sum:0").item<float>() == 8);
    CHECK(thrown([&] { initialize(session, model.graph, {"average"}); }) == std::pair<std::string, std::string>("NameError", "[initialize] the graph has no initialiser of the variable 'average'"));
    assign(model.graph, "average", floats({2}, 2));
    CHECK(elements(session.run("scaled:0")) == std::vector<float>{16, 24});
    assign(model.graph, "slot", Tensor::scalar(7.0f));  // where plans know it
    CHECK(elements(session.run("scaled:0")) == std::vector<float>{20, 30});
    CHECK(thrown([&] { assign(model.graph, "slot", floats({1})); }).second == "[assign] 'slot' (VariableV2) is [], the value [1]");
    CHECK(thrown([&] { assign(model.graph, "slot", Tensor::scalar(1.0)); }).second == "[assign] 'slot' (VariableV2) is float32, the value float64");
    CHECK(thrown([&] { assign(model.graph, "sum", Tensor::scalar(1.0f)); }).first == "NameError");
}

TEST_CASE("a placeholder without extents is of unknown shape before producer 24, a scalar since") {
    const auto nodes = placeholder("x", {}) + node("y", "Neg", {"x"}, type("T"));
    for (const int producer : {0, 8, 17, 23}) {  // 0: none is said
        Session old{graph_of(nodes, producer)};
        CHECK(old.run("y:0", feed("x:0", floats({2, 3}))).dims() == Dims{2, 3});
        CHECK(old.run("y:0", feed("x:0", 4.0f)).item<float>() == -4);
    }
    for (const int producer : {24, 134}) {
        Session session{graph_of(nodes, producer)};
        CHECK(session.run("y:0", feed("x:0", 4.0f)).item<float>() == -4);
        CHECK(thrown([&] { session.run("y:0", feed("x:0", floats({2, 3}))); }).second == "[feed] 'x' (Placeholder) is [], fed [2,3]");
    }
}

TEST_CASE("where a batch is baked in, the error names the node and both shapes") {
    const auto graph = graph_of(node("x", "Placeholder", {}, type("dtype") + attr("shape", "shape { dim { size: -1 } dim { size: 6 } }")) + constant_node("four", "INT32", {3}, "int_val: 4 int_val: 2 int_val: 3") +
                                node("shaped", "Reshape", {"x", "four"}, type("T") + type("Tshape", "INT32")) + constant_node("rows", "FLOAT", {4, 6}, "float_val: 1") + node("added", "AddV2", {"x", "rows"}, type("T")) +
                                node("squeezed", "Squeeze", {"x"}, type("T") + attr("squeeze_dims", "list { }")) + constant_node("w", "FLOAT", {6, 1}, "float_val: 1") + node("product", "MatMul", {"squeezed", "w"}, type("T")));
    Session session{graph};
    const auto message = [&](const char* fetch, int batch) {
        const auto [type, text] = thrown([&] { session.run(fetch, feed("x:0", floats({batch, 6}))); });
        CHECK((text.empty() || type == "ShapeError"));
        return text;
    };
    for (const auto* fetch : {"shaped:0", "added:0", "product:0"}) CHECK(message(fetch, 4) == "");
    CHECK(message("shaped:0", 5) == "'shaped' (Reshape): [Reshape] [5,6] cannot become [4,2,3]");
    CHECK(message("added:0", 5) == "'added' (AddV2): [AddV2] shapes do not broadcast: [5,6] and [4,6]");
    CHECK(message("product:0", 1) == "'product' (MatMul): [MatMul] needs two matrices: [6] x [6,1]");
}

TEST_CASE("a graph trains in two ways, by its own gradients and by ours, to the same numbers") {
    for (const auto* name : {"mlp_ref", "mlp_resource", "conv_ref", "lstm_static"}) {
        CAPTURE(name);
        const auto expect = expectation(name);
        const auto model = import_meta_graph(golden(name, expect.at("meta")));
        Session session{model.graph};
        model.saver.restore(session, golden(name, expect.at("checkpoint")));
        std::vector<Output> variables, theirs;  // of each variable that an optimiser's op updates, the gradient that it is given
        for (const auto& o : model.graph.operations()) {
            const auto at = o->table->name.find("Apply");
            if (at == std::string_view::npos || o->name.find("/update_") == std::string::npos) continue;
            const bool adam = o->table->name.ends_with("ApplyAdam"), momentum = o->table->name.ends_with("ApplyMomentum"), descent = o->table->name.ends_with("ApplyGradientDescent");
            REQUIRE((adam || momentum || descent));
            variables.push_back(o->inputs[0]);
            theirs.push_back(o->inputs[adam ? 9 : momentum ? 3 : 2]);
        }
        REQUIRE(variables.size() >= 2);
        std::vector<Output> read;  // what expressions use of each
        for (const auto& v : variables) {
            const auto reader = tenon::detail::reader_of(model.graph, *v.operation);
            REQUIRE(reader);
            read.push_back(v.operation->table->name == "VarHandleOp" ? v : Output{reader, 0});
        }
        const auto ours = gradients(Node<float>(model.graph.get_tensor_by_name("loss:0")), read);
        std::vector<Output> both;
        for (std::size_t i = 0; i < theirs.size(); ++i) both.push_back(theirs[i]), both.push_back(ours[i]);
        std::vector<Feed> feeds;
        for (const auto& [key, value] : expect.at("training").at("steps").at(0).at("feeds").items()) feeds.push_back(session.resolve(feed(key, tensor_from(value))));
        const auto got = session.run_all(both, feeds);
        for (std::size_t i = 0; i < got.size(); i += 2) {
            INFO(variables[i / 2].operation->name);
            CHECK(difference(got[i + 1], got[i], 1e-5, 1e-6) == "");
        }
    }
}

TEST_CASE("a step that reads a variable which it updates sees the value from before the step") {
    const auto graph = graph_of(variable("v", "3") + constant_node("two", "FLOAT", {}, "float_val: 2") + node("twice", "Mul", {"v", "two"}, type("T")) + node("also", "Mul", {"v/read", "two"}, type("T")) +
                                node("added", "AssignAdd", {"v", "two"}, type("T")) + node("scaled", "Mul", {"twice", "v/read"}, type("T")) + node("step", "NoOp", {"^added"}) + node("later", "Identity", {"v", "^added"}, type("T")));
    Session session{graph};
    session.run("v/Assign");
    const auto at = [&](const char* name) { return graph.get_tensor_by_name(name); };
    const auto values = session.run_all({at("scaled:0"), at("step"), at("twice:0"), at("also:0"), at("v/read:0"), at("later:0")});
    CHECK(values[0].item<float>() == 18);
    CHECK(values[2].item<float>() == 6);
    CHECK(values[3].item<float>() == 6);
    CHECK(values[4].item<float>() == 3);
    CHECK(values[5].item<float>() == 5);
    CHECK(session.run("twice:0").item<float>() == 10);
}

TEST_CASE("fetching an output changes state where updates hang on it as control inputs") {
    const auto graph = graph_of(variable("average", "8") + placeholder("x", {}) + node("change", "Sub", {"average/read", "x"}, type("T")) + constant_node("rate", "FLOAT", {}, "float_val: 0.5") +
                                node("part", "Mul", {"change", "rate"}, type("T")) + node("update", "AssignSub", {"average", "part"}, type("T")) + node("y", "Identity", {"x", "^update"}, type("T")) + node("plain", "Identity", {"x"}, type("T")));
    Session session{graph};
    session.run("average/Assign");
    const auto x = feed("x:0", 4.0f);
    CHECK(session.run("plain:0", x).item<float>() == 4);
    CHECK(session.run("average:0").item<float>() == 8);
    CHECK(session.run("y:0", x).item<float>() == 4);
    CHECK(session.run("average:0").item<float>() == 6);
    CHECK(session.run("y:0", x).item<float>() == 4);
    CHECK(session.run("average:0").item<float>() == 5);
}

TEST_CASE("integer arithmetic is graph code: it says shapes, and none of it runs") {
    const auto i32 = type("T", "INT32");
    const auto scalar = [](const char* name, const char* value) { return constant_node(name, "INT32", {}, "int_val: " + std::string(value)); };
    const auto vec = [](const char* name, const char* value) { return constant_node(name, "INT32", {1}, "int_val: " + std::string(value)); };
    const auto slice = [&](const char* name, const char* from, const char* begin, const char* end) {
        return node(name, "StridedSlice", {from, begin, end, "one"}, i32 + type("Index", "INT32") + attr("shrink_axis_mask", "i: 1"));
    };
    const auto graph = graph_of(node("x", "Placeholder", {}, type("dtype") + attr("shape", "shape { dim { size: -1 } dim { size: -1 } dim { size: 4 } }")) + node("shape", "Shape", {"x"}, type("T") + type("out_type", "INT32")) +
                                vec("zero", "0") + vec("one", "1") + vec("two", "2") + vec("three", "3") + slice("batch", "shape", "zero", "one") + slice("time", "shape", "one", "two") + slice("width", "shape", "two", "three") +
                                node("rows", "Mul", {"batch", "time"}, i32) + scalar("half", "2") + node("left", "FloorDiv", {"width", "half"}, i32) + node("right", "Sub", {"width", "left"}, i32) + node("most", "Maximum", {"left", "right"}, i32) +
                                node("target", "Pack", {"rows", "most", "half"}, i32 + attr("N", "i: 3") + attr("axis", "i: 0")) + node("y", "Reshape", {"x", "target"}, type("T") + type("Tshape", "INT32")) +
                                node("all", "Prod", {"target", "zero"}, i32 + type("Tidx", "INT32") + attr("keep_dims", "b: false")) + scalar("start", "0") + scalar("step", "1") + node("range", "Range", {"start", "rows", "step"}, type("Tidx", "INT32")) +
                                node("wide", "Cast", {"range"}, type("SrcT", "INT32") + type("DstT", "INT64")) + node("fill", "Fill", {"target", "value"}, type("T", "BOOL") + type("index_type", "INT32")) + constant_node("value", "BOOL", {}, "bool_val: true"));
    Session session{graph};
    for (const auto& [batch, time] : {std::pair(2, 3), std::pair(1, 1), std::pair(5, 2), std::pair(0, 3)}) {
        const auto x = feed("x:0", floats({batch, time, 4}));
        CHECK(session.run("y:0", x).dims() == Dims{batch * time, 2, 2});
        CHECK(session.run("all:0", x).item<std::int32_t>() == batch * time * 4);
        CHECK(session.run("wide:0", x).dtype() == DType::int64);
        CHECK(session.run("wide:0", x).dims() == Dims{batch * time});
        CHECK(session.run("fill:0", x).dims() == Dims{batch * time, 2, 2});
        CHECK(session.make_callable({graph.get_tensor_by_name("y:0")}, session.resolve(x)).plan().kernels() == 0);
    }
}

TEST_CASE("old spellings run: Concat, Gather, Div, Inv, Reciprocal, BatchMatMul, Variable, Pack, Unpack") {
    const auto f = type("T");
    const auto graph = graph_of(placeholder("x", {2, 2}) + constant_node("axis", "INT32", {}, "int_val: 1") + node("concat", "Concat", {"axis", "x", "x"}, f + attr("N", "i: 2")) + constant_node("ids", "INT32", {1}, "int_val: 1") +
                                node("gather", "Gather", {"x", "ids"}, type("Tparams") + type("Tindices", "INT32")) + node("div", "Div", {"x", "x"}, f) + node("inv", "Inv", {"x"}, f) + node("reciprocal", "Reciprocal", {"x"}, f) +
                                node("batch", "BatchMatMul", {"x", "x"}, f) + node("pack", "Pack", {"x", "x"}, f + attr("N", "i: 2")) + node("unpack", "Unpack", {"x"}, f + attr("num", "i: 2")) +
                                node("v", "Variable", {}, type("dtype") + shape("shape", {2, 2})) + node("v/Assign", "Assign", {"v", "x"}, f));
    Session session{graph};
    const auto x = feed("x:0", floats({2, 2}));
    const auto run = [&](const char* name) { return elements(session.run(name, x)); };
    CHECK(run("concat:0") == std::vector<float>{1, 2, 1, 2, 3, 4, 3, 4});
    CHECK(run("gather:0") == std::vector<float>{3, 4});
    CHECK(run("div:0") == std::vector<float>{1, 1, 1, 1});
    CHECK(run("inv:0") == run("reciprocal:0"));
    CHECK(run("inv:0")[3] == 0.25f);
    CHECK(run("batch:0") == std::vector<float>{7, 10, 15, 22});
    CHECK(session.run("pack:0", x).dims() == Dims{2, 2, 2});
    CHECK(run("unpack:1") == std::vector<float>{3, 4});
    session.run("v/Assign", x);
    CHECK(run("v:0") == std::vector<float>{1, 2, 3, 4});
}

TEST_CASE("the ops that saved models have most often are there, but for control flow") {
    const std::string_view wanted[]{"Identity", "MatMul", "VariableV2", "Add", "Const", "BiasAdd", "Mul", "Relu", "Reshape", "Shape", "StridedSlice", "Conv2D", "Pack", "Sub", "ConcatV2", "Sigmoid", "Softmax", "RealDiv",
                                    "Tanh", "ExpandDims", "MaxPool", "Transpose", "Cast", "Fill", "Floor", "GreaterEqual", "Maximum", "Range", "Less", "Split", "Variable", "Select", "Squeeze", "All", "VarHandleOp", "ArgMax", "GatherV2", "Slice"};
    for (const auto name : wanted) CHECK_MESSAGE(!tables_named(builtin_ops(), name).empty(), name);
}

TEST_CASE("fields and attributes that tenon does not know survive import and export, in every message of a graph") {
    const std::string later = "\xfa\x3f\x05later";  // field 1023
    auto meta = proto::read_meta(read_bytes(golden("savers", "all.meta")), "all.meta");
    auto& def = *meta.graph_def;
    std::size_t marks = 0;
    const auto mark = [&](auto& m) {
        m = proto::decode<std::remove_cvref_t<decltype(m)>>(proto::encode(m) + later);
        ++marks;
    };
    mark(def.node[0]);
    mark(def.node[1].attr.begin()->value);
    def.node[2].attr["_new"] = proto::attr_value(7);
    mark(def.node[2].attr["_new"]);
    auto& unknown = def.node.emplace_back();
    unknown.name = "unknown", unknown.op = "FromTheFuture", unknown.device = "/job:worker/task:3", unknown.input = {"a/read", "^step/read"};
    unknown.attr["mode"] = proto::attr_value("fast");
    mark(unknown);
    def.version = 9;
    def.versions->bad_consumers = {3};
    mark(*def.versions);
    def.library.emplace();
    mark(*def.library);
    mark(def);
    mark(*meta.meta_info_def);
    mark(*meta.saver_def);
    mark(meta.collection_def["mine"]);
    mark(meta.signature_def["serve"]);
    mark(meta);
    const auto count = [&](const std::string& bytes) {
        std::size_t n = 0;
        for (auto at = bytes.find(later); at != bytes.npos; at = bytes.find(later, at + 1)) ++n;
        return n;
    };
    const auto before = proto::encode(meta);
    REQUIRE(count(before) == marks);
    Scratch dir;
    write_bytes(dir / "m.meta", before);
    const auto sorted = [](const std::string& bytes) {  // where a node stands says nothing
        auto m = proto::decode<proto::MetaGraphDef>(bytes);
        std::sort(m.graph_def->node.begin(), m.graph_def->node.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
        return proto::encode(m);
    };
    auto [graph, saver] = import_meta_graph(dir / "m.meta");
    Session session{graph};
    saver.restore(session, golden("savers", "all"));
    saver.save(session, dir / "again", {.meta = MetaFormat::binary});
    CHECK(sorted(read_bytes(dir / "again.meta")) == sorted(before));
    CHECK(thrown([&, &to = saver] { to.save(session, dir / "text", {.meta = MetaFormat::text}); }).first == "FormatError");  // which cannot keep them
    CHECK_FALSE(file_exists(dir / "text.index"));

    // More on top: what was there stays.
    Variable<float, Shape<>> more{"more", constant(1.0f)};
    Graph grown = graph;
    Saver{grown, named("top", Node<float>(grown.get_tensor_by_name("y:0")) * more)}.save(session, dir / "grown", {.meta = MetaFormat::binary});
    CHECK(count(read_bytes(dir / "grown.meta")) >= marks - 1);  // the saver_def is a new one
    CHECK(import_meta_graph(dir / "grown.meta").graph.contains("top"));
}
