// Files, feeds, fetches and ops that do not fit: each has a typed error whose message says what and where, and nothing has changed in the variables and
// the session.
#include "../support/bad_input.hpp"
#include "../support/golden.hpp"
#include <tenon/checkpoint/bundle.hpp>

#include <doctest/doctest.h>

using namespace tenon;
using namespace tenon::test;

TEST_CASE("a file that is missing, or of another kind, is named") {
    Scratch dir;
    save_sample(dir / "m");
    const auto model = import_meta_graph(dir / "m.meta");
    Session session{model.graph};
    using Pair = std::pair<std::string, std::string>;
    const auto restored = [&](const std::string& prefix) { return thrown([&] { model.saver.restore(session, prefix); }); };
    CHECK(thrown([&] { import_meta_graph(dir / "none.meta"); }) == Pair("MissingFileError", dir / "none.meta: cannot open: No such file or directory"));
    CHECK(thrown([&] { import_meta_graph(dir.path()); }) == Pair("FileError", dir.path() + ": cannot read: Is a directory"));
    CHECK(restored(dir / "none") == Pair("MissingFileError", dir / "none: there is no such checkpoint"));
    const auto index = read_bytes(dir / "m.index"), data = read_bytes(dir / ("m" + data_suffix));
    remove_file(dir / ("m" + data_suffix));
    CHECK(restored(dir / "m") == Pair("MissingFileError", dir / ("m" + data_suffix + ": cannot open: No such file or directory")));
    write_bytes(dir / ("m" + data_suffix), data);
    for (std::size_t i = 0; i < 8; ++i) {
        write_bytes(dir / "m.index", flipped(index, 8 * (index.size() - 1 - i)));
        CHECK(restored(dir / "m").first == "CorruptError");
        CHECK(restored(dir / "m").second.starts_with(dir / "m.index: not a table (bad magic number)"));
    }
    write_bytes(dir / "m.index", read_bytes(dir / "m.meta"));
    CHECK(restored(dir / "m").second.starts_with(dir / "m.index: "));
    write_bytes(dir / "m.index", index);
    CHECK(restored(dir / "m").first == "");
    for (const auto* suffix : {".index", ".data-00000-of-00001"}) {  // given in place of the graph
        const auto [type, message] = thrown([&] { import_meta_graph(dir / ("m" + std::string(suffix))); });
        CHECK(type == "FormatError");
        CHECK(message.starts_with(dir / ("m" + std::string(suffix))));
    }
}

TEST_CASE("one report says everything that does not fit: missing, extra, other shapes, other types, parts; and nothing has changed") {
    Scratch dir;
    save_sample(dir / "m");
    Session session;
    Variable<float, Shape<7, 5>> w{"w", constant(3.0f)};
    Variable<float, Shape<9>> d{"d", constant(3.0f)};
    Variable<std::int64_t, Shape<1>> step{"other", constant(3)};
    Variable<float, Shape<2, 3>> upper{"p/part_0", constant(3.0f)};
    Variable<float, Shape<12>> h{"hh", constant(3.0f)};
    Variable<float, Shape<>> absent{"absent", constant(3.0f)}, near{"wx", constant(3.0f)};
    const auto var = [](const Output& o) { return variable_of(o); };
    Graph graph{w, d, step, upper, h, absent, near};
    const auto saver = Saver::of(graph, {{"w", var(w)}, {"d", var(d)}, {"step", var(step)}, {"p", var(upper), "6 3 0,2:0,3"}, {"h", var(h)}, {"absent", var(absent)}, {"wx", var(near)}});
    const Values before(graph);
    const auto [type, message] = thrown([&] { saver.restore(session, dir / "m"); });
    CHECK(type == "RestoreError");
    CHECK(message == dir / "m: the checkpoint does not fit the graph: 0 variables fit, 2 tensors are missing, 1 have another type, 4 another shape, 0 are not asked for"
                           "\n  absent is not in the checkpoint"
                           "\n  wx is not in the checkpoint; the nearest are 'w', 'd', 'h'"
                           "\n  d is float64 in the checkpoint, float32 in the graph"
                           "\n  h (for the variable hh) is [11] in the checkpoint, [12] in the graph"
                           "\n  p (for the variable p/part_0) is [4,3] in the checkpoint, [6,3] in the graph, of which 0,2:0,3 is wanted"
                           "\n  step (for the variable other) is [] in the checkpoint, [1] in the graph"
                           "\n  w is [5,7] in the checkpoint, [7,5] in the graph");
    CHECK((Values(graph) == before));
    CHECK(Saver::of(graph, {{"d", var(d)}}).compare(dir / "m").unused == std::vector<std::string>{"h", "p", "step", "w"});
}

TEST_CASE("fetches and feeds that do not fit are said with names, types and shapes, and change nothing in the session") {
    const auto expect = expectation("mlp_ref");
    const auto run_after = [&](bool with_errors) {
        const auto model = import_meta_graph(golden("mlp_ref", expect.at("meta")));
        Session session{model.graph};
        model.saver.restore(session, golden("mlp_ref", expect.at("checkpoint")));
        const Values before(model.graph);
        const Tensor x(DType::float32, {2, 8}), y(DType::int32, {2});
        std::fill_n(x.data<float>(), 16, 0.25f);
        std::fill_n(y.data<std::int32_t>(), 2, 1);
        if (with_errors) {
            struct Bad {
                std::string fetch;
                std::vector<NamedFeed> feeds;
                std::string type, message;
            };
            const Bad all[]{
                {"pred", {{"x:0", y}}, "FeedError", "[feed] 'x' (Placeholder) is float32, fed int32"},
                {"pred", {{"x:0", Tensor(DType::float32, {2, 9})}}, "FeedError", "[feed] 'x' (Placeholder) is [dyn,8], fed [2,9]"},
                {"pred", {{"x:0", Tensor(DType::float32, {16})}}, "FeedError", "[feed] 'x' (Placeholder) is [dyn,8], fed [16]"},
                {"pred", {{"xx:0", x}}, "NameError", "[Graph] no operation named 'xx'; the nearest are 'x', 'mul/x', 'sub/x'"},
                {"pred", {{"x:1", x}}, "NameError", "[Graph] no tensor 'x:1': 'x' (Placeholder) has 1 outputs"},
                {"pred", {{"x:0", x}, {"x:0", x}}, "FeedError", "[feed] 'x' (Placeholder) is fed twice"},
                {"pred", {}, "FeedError", "[run] not fed: 'x' (Placeholder) float32 [dyn,8]"},
                {"train", {{"x:0", x}}, "FeedError", "[run] not fed: 'y' (Placeholder) int32 [dyn]"},
                {"prd:0", {{"x:0", x}}, "NameError", "[Graph] no operation named 'prd'; the nearest are 'pred'"},
                {"pred:3", {{"x:0", x}}, "NameError", "[Graph] no tensor 'pred:3': 'pred' (Softmax) has 1 outputs"},
                {"pred:", {{"x:0", x}}, "NameError", "[Graph] 'pred:' is not the name of a tensor: want 'operation:number'"},
                {"init:0", {}, "NameError", "[Graph] no tensor 'init:0': 'init' (NoOp) has 0 outputs"},
                {"train", {{"x:0", x}, {"y:0", Tensor(DType::int32, {3})}}, "ShapeError", "loss_per_example"},
                {"train", {{"x:0", x}, {"y:0", y}, {"hidden/bias:0", Tensor(DType::float32, {15})}}, "FeedError", "[feed] 'hidden/bias' (VariableV2) is [16], fed [15]"},
            };
            for (const auto& bad : all) {
                CAPTURE(bad.fetch);
                const auto [type, message] = thrown([&] {
                    std::vector<Feed> feeds;
                    for (const auto& f : bad.feeds) feeds.push_back(session.resolve(f));
                    session.run_all({model.graph.get_tensor_by_name(bad.fetch)}, feeds);
                });
                CHECK(type == bad.type);
                if (bad.type == "ShapeError") CHECK_MESSAGE(message.find("[SparseSoftmaxCrossEntropyWithLogits]") != message.npos, message);
                else CHECK(message == bad.message);
                CHECK((Values(model.graph) == before));
            }
        }
        std::vector<Feed> feeds{session.resolve(feed("x:0", x)), session.resolve(feed("y:0", y))};
        const auto loss = session.run_all({model.graph.get_tensor_by_name("loss:0"), model.graph.get_tensor_by_name("train")}, feeds)[0];
        return std::pair(loss.item<float>(), Values(model.graph));
    };
    const auto clean = run_after(false), after = run_after(true);
    CHECK(clean.first == after.first);
    CHECK((clean.second == after.second));

    const auto drawing = graph_of(placeholder("x", {2}) + constant_node("three", "INT32", {1}, "int_val: 2") + node("drawn", "RandomUniform", {"three"}, type("T", "INT32") + type("dtype") + attr("seed", "i: 1") + attr("seed2", "i: 2")) +
                                  node("sum", "AddV2", {"drawn", "x"}, type("T")));
    Session one{drawing}, other{drawing};
    CHECK(thrown([&] { other.run("sum:0"); }).first == "FeedError");
    CHECK(thrown([&] { other.run("sum:0", feed("x:0", Tensor(DType::float32, {3}))); }).first == "FeedError");
    CHECK(difference(other.run("drawn:0"), one.run("drawn:0")) == "");  // its random numbers have not gone on
}

TEST_CASE("a run names every kind of op that it needs and that cannot be run, with reasons; those that it does not need do no harm") {
    std::string nodes = placeholder("x", {2}) + node("a", "Frobnicate", {"x"});
    std::string last = "a";
    for (int i = 0; i < 5; ++i) {
        const auto name = "q" + std::to_string(i);
        nodes += node(name, "Quux", {last.c_str()});
        last = name;
    }
    nodes += node("m", "MatMul", {"x", "x"}, attr("T", "s: \"float\"")) + node("pool", "MaxPool", {last.c_str()}, type("T") + attr("padding", "s: \"FULL\"")) + node("sum", "AddN", {"pool", "m"}, type("T") + attr("N", "i: 2"));
    nodes += node("good", "Relu", {"x"}, type("T")) + node("elsewhere", "Zork", {"x"}) + node("text", "Relu", {"s"}, type("T", "STRING")) + placeholder("s", {}, "STRING");
    const auto graph = graph_of(nodes);
    Session session{graph};
    const auto x = feed("x:0", Tensor::of<float>({2}, {-1, 2}));
    const auto message = [&](const char* fetch) {
        const auto [type, text] = thrown([&] { session.run(fetch, x); });
        CHECK(type == "UnsupportedError");
        return text;
    };
    CHECK(message("sum:0") == "[run] ops that tenon cannot run, and that are needed:"
                              "\n  Frobnicate ('a')"
                              "\n  MatMul ('m'): an attribute is not a type"
                              "\n  MaxPool ('pool'): attribute padding is 'FULL'"
                              "\n  Quux ('q0', 'q1', 'q2' and 2 more)");
    CHECK(message("text:0") == "[run] ops that tenon cannot run, and that are needed:\n  Relu ('text'): no kernel of Relu for its element type");
    CHECK(message("elsewhere:0").ends_with("needed:\n  Zork ('elsewhere')"));
    CHECK(session.run("good:0", x).span<float>()[1] == 2);
    CHECK(session.run("sum:0", feed("pool:0", Tensor::of<float>({2}, {1, 1})), feed("m:0", Tensor::of<float>({2}, {2, 3}))).span<float>()[1] == 4);
}
