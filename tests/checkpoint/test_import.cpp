// Graphs that TensorFlow saved: imported, restored, run, trained on, saved again and read back.
#include "../support/golden.hpp"
#include <tenon/checkpoint/bundle.hpp>
#include <tenon/checkpoint/import_meta_graph.hpp>
#include <tenon/checkpoint/saving.hpp>
#include <tenon/grad/gradients.hpp>
#include <tenon/io/proto.hpp>

#include <doctest/doctest.h>

using namespace tenon;
using test::golden, test::Scratch, test::Json;

namespace {

std::vector<NamedFeed> feeds_of(const Json& j) {
    std::vector<NamedFeed> feeds;
    for (const auto& [name, value] : j.items()) feeds.push_back({name, test::tensor_from(value)});
    return feeds;
}
std::vector<Tensor> run(Session& session, const std::vector<std::string>& fetches, const std::vector<NamedFeed>& fed) {
    std::vector<Output> wanted;
    std::vector<Feed> feeds;
    for (const auto& f : fetches) wanted.push_back(session.graph().get_tensor_by_name(f));
    for (const auto& f : fed) feeds.push_back(session.resolve(f));
    return session.run_all(wanted, std::move(feeds));
}
void check_runs(Session& session, const Json& runs) {
    for (const auto& r : runs) {
        std::vector<std::string> names;
        for (const auto& [name, value] : r.at("fetches").items()) names.push_back(name);
        const auto got = run(session, names, feeds_of(r.value("feeds", Json::object())));
        for (std::size_t i = 0; i < names.size(); ++i) {
            INFO(names[i]);
            CHECK(test::difference(got[i], test::tensor_from(r.at("fetches").at(names[i])), r.value("rtol", 1e-5), r.value("atol", 1e-6)) == "");
        }
    }
}
/// Everything without state that the fetches are computed from, in one plan that may share and fold, against every operation alone, whose inputs are fed.
/// How many operations that are.
std::size_t check_alone(Session& session, const Json& r) {
    std::vector<Feed> given;
    for (const auto& f : feeds_of(r.value("feeds", Json::object()))) given.push_back(session.resolve(f));
    std::vector<Output> all, todo;
    for (const auto& [name, value] : r.at("fetches").items()) todo.push_back(session.graph().get_tensor_by_name(name));
    HashIndex seen;
    while (!todo.empty()) {
        const Output o = todo.back();
        todo.pop_back();
        const OpTable& t = *o.operation->table;
        if (std::any_of(given.begin(), given.end(), [&](const Feed& f) { return f.of.operation == o.operation; }) || !seen.insert(o.operation.get())) continue;
        if (t.seed) return 0;
        for (const auto& i : o.operation->inputs) todo.push_back(i);
        for (int i = 0; !t.stateful && i < static_cast<int>(o.operation->results.size()); ++i) if (Output{o.operation, i}.dtype() != DType::string) all.push_back({o.operation, i});
    }
    const auto fed = given;
    const auto together = session.run_all(all, fed);
    for (std::size_t i = 0; i < all.size(); ++i) {
        given = fed;
        for (std::size_t k = 0; k < all.size(); ++k)
            if (std::find(all[i].operation->inputs.begin(), all[i].operation->inputs.end(), all[k]) != all[i].operation->inputs.end()) given.push_back({all[k], together[k]});
        const Tensor alone = session.run_all({all[i]}, given)[0];
        INFO(describe(*all[i].operation));
        REQUIRE(alone.dims() == together[i].dims());
        CHECK(std::memcmp(alone.raw(), together[i].raw(), alone.bytes()) == 0);
    }
    return all.size();
}
void check_restored(const ImportedModel& model, const Json& tensors, double rtol = 0, double atol = 0) {
    for (const auto& v : model.saver.variables()) {
        if (!v.slice.empty()) continue;  // parts are compared by running the graph
        INFO(v.key);
        CHECK(test::difference(v.variable.operation->state->value, test::tensor_from(tensors.at(v.key)), rtol, atol) == "");
    }
}
void check_training(const ImportedModel& model, Session& session, const Json& training) {
    const auto& steps = training.at("steps");
    for (const auto& step : steps) {
        const bool again = step.contains("feeds") && step.at("feeds").is_string();
        const auto& fed = again ? steps.at(0).at("feeds") : step.at("feeds");
        std::vector<std::string> names{training.at("op").get<std::string>()};
        for (const auto& [name, value] : step.at("fetches").items()) names.push_back(name);
        const auto got = run(session, names, feeds_of(fed));
        for (std::size_t i = 1; i < names.size(); ++i) {
            INFO(names[i]);
            CHECK(test::difference(got[i], test::tensor_from(step.at("fetches").at(names[i])), training.value("rtol", 1e-4), training.value("atol", 1e-5)) == "");
        }
    }
    check_restored(model, training.at("tensors_after"), training.value("rtol", 1e-4), training.value("atol", 1e-5));
}

/// A golden case: restored, run, trained on if it is told how, saved again, and read back.
struct Case {
    const char* name;
    const char* fetch = "";  ///< only the runs that fetch this and no training: the graph has ops besides for which tenon has no kernel
};
constexpr auto no_run = "no run";
constexpr Case cases[]{
    {"blog_op_to_restore"}, {"blog_save"}, {"minimal"}, {"savers"}, {"meta_text"}, {"slices_ref", "y:0"}, {"slices_resource", "y:0"}, {"shards"}, {"v1_checkpoint"}, {"legacy_graph"}, {"state_kept"},
    {"mlp_ref"}, {"mlp_resource"}, {"conv_ref"}, {"conv_resource"}, {"batch_norm_ref", no_run}, {"batch_norm_resource", no_run}, {"embedding_ref"}, {"embedding_resource"}, {"lstm_dynamic", no_run}, {"control_flow_v1", no_run}, {"control_flow_v2", no_run}, {"lstm_static"},
    {"optimisers/adagrad"}, {"optimisers/adagrad_resource"}, {"optimisers/adam"}, {"optimisers/adam_resource"}, {"optimisers/momentum"}, {"optimisers/momentum_resource"},
    {"optimisers/nesterov"}, {"optimisers/nesterov_resource"}, {"optimisers/rmsprop"}, {"optimisers/rmsprop_resource"}, {"optimisers/sgd"}, {"optimisers/sgd_resource"},
};

/// Nodes by name: where they stand in a file says nothing.
proto::MetaGraphDef in_order(proto::MetaGraphDef meta) {
    auto& nodes = meta.graph_def->node;
    std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return meta;
}

void check_case(const Case& c) {
    const auto expect = test::expectation(c.name);
    const auto prefix = golden(c.name, expect.at("checkpoint")), meta = golden(c.name, expect.at("meta"));
    Json runs = Json::array();
    if (expect.contains("runs"))
        for (const auto& r : expect.at("runs")) if (!*c.fetch || r.at("fetches").contains(c.fetch)) runs.push_back(r);
    auto model = import_meta_graph(meta);
    Session session{model.graph};
    CHECK(model.saver.restore(session, prefix).unused.empty());
    CHECK(model.saver.not_restored().empty());
    check_restored(model, expect.at("tensors"));
    check_runs(session, runs);
    model.saver.restore(session, prefix);

    for (const auto format : {MetaFormat::binary, MetaFormat::json}) {
        Scratch dir;
        const auto saved = model.saver.save(session, dir / "again", {.meta = format});
        if (file_exists(index_name(prefix))) {
            CHECK(test::read_bytes(index_name(saved)) == test::read_bytes(index_name(prefix)));
            const auto shards = BundleReader(prefix).shards();
            for (std::uint32_t s = 0; s < shards; ++s) CHECK(test::read_bytes(data_name(saved, s, shards)) == test::read_bytes(data_name(prefix, s, shards)));
        }
        auto again = import_meta_graph(saved + ".meta");
        const auto before = in_order(imported_of(model.graph)->whole()), after = in_order(imported_of(again.graph)->whole());
        if (before.saver_def->version == proto::SaverDef::Version::v2) CHECK(proto::encode(after) == proto::encode(before));  // nothing is lost or added
        else CHECK(after.saver_def->restore_op_name != before.saver_def->restore_op_name);  // what read version 1 cannot read this
        Session second{again.graph};
        again.saver.restore(second, saved);
        check_restored(again, expect.at("tensors"));
        check_runs(second, runs);
        if (expect.contains("training") && !*c.fetch) {
            again.saver.restore(second, saved);
            check_training(again, second, expect.at("training"));
        }
    }
}

}  // namespace

TEST_CASE("what TensorFlow saved is imported, restored, run and trained on, saved again byte for byte, and read back from binary and JSON") {
    for (const auto& c : cases) {
        const std::string name = c.name;
        CAPTURE(name);
        try {
            check_case(c);
        } catch (const Error& e) { FAIL_CHECK(std::string(e.what())); }  // and the next
    }
}

TEST_CASE("what a plan shares or folds changes no bit: operations of golden graphs give alone what they give together") {
    std::size_t checked = 0;
    for (const auto& c : cases) {
        const std::string name = c.name;
        CAPTURE(name);
        const auto expect = test::expectation(c.name);
        if (*c.fetch || !expect.contains("runs") || expect.at("runs").empty()) continue;
        auto model = import_meta_graph(golden(c.name, expect.at("meta")));
        Session session{model.graph};
        model.saver.restore(session, golden(c.name, expect.at("checkpoint")));
        checked += check_alone(session, expect.at("runs").at(0));
    }
    CHECK(checked > 100);
}

TEST_CASE("a head on a frozen net goes on training from where TensorFlow stood") {
    const auto expect = test::expectation("fc7_transfer");
    auto model = import_meta_graph(golden("fc7_transfer", "transfer-1.meta"));
    Session session{model.graph};
    model.saver.restore(session, golden("fc7_transfer", "transfer-1"));
    check_training(model, session, expect.at("training"));

    auto frozen = import_meta_graph(golden("fc7_transfer", expect.at("meta")));
    Session second{frozen.graph};
    frozen.saver.restore(second, golden("fc7_transfer", expect.at("checkpoint")));
    check_restored(frozen, expect.at("tensors"));
    check_runs(second, expect.at("runs"));
}

TEST_CASE("graphs are told from their bytes: binary, JSON, text, without default attributes") {
    const auto expect = test::expectation("meta_text");
    for (const std::string file : {"m.meta", "m.meta.json", "m.meta.txt", "m.stripped.meta"}) {
        CAPTURE(file);
        auto [graph, saver] = import_meta_graph(golden("meta_text", file));
        Session session{graph};
        saver.restore(session, golden("meta_text", expect.at("checkpoint")));
        check_runs(session, expect.at("runs"));
    }
}

TEST_CASE("frozen graphs need no checkpoint") {
    const auto expect = test::expectation("frozen");
    for (const auto* file : {"frozen.pb", "frozen.pbtxt"}) {
        const auto graph = import_graph_def(golden("frozen", file));
        Session session{graph};
        check_runs(session, expect.at("runs"));
    }
}

TEST_CASE("a SavedModel comes with its values") {
    const auto expect = test::expectation("saved_model");
    auto model = import_saved_model(golden("saved_model", "model"));
    Session session{model.graph};
    check_restored(model, expect.at("tensors"));
    check_runs(session, expect.at("runs"));
    CHECK_THROWS_AS(import_saved_model(golden("saved_model", "model"), {"train"}), NameError);
    CHECK_THROWS_AS(import_saved_model(golden("saved_model", "none")), MissingFileError);
}

TEST_CASE("the nodes of a saver run as in TensorFlow") {
    Scratch dir;
    const auto prefix = golden("savers", "all");
    auto [graph, saver] = import_meta_graph(prefix + ".meta");
    Session session{graph};
    const auto& names = *meta_graph_of(graph)->saver_def;
    const auto file = names.filename_tensor_name;
    session.run(names.restore_op_name, feed(file, Tensor::scalar(prefix)));
    CHECK(session.run(names.save_tensor_name, feed(file, Tensor::scalar(dir / "m"))).item<std::string>() == dir / "m");
    CHECK(test::read_bytes(dir / "m.index") == test::read_bytes(prefix + ".index"));
    CHECK_THROWS_AS(session.run(names.restore_op_name, feed(file, Tensor::scalar(dir / "none"))), MissingFileError);
    CHECK_THROWS_AS(session.run(names.restore_op_name, feed(file, Tensor::scalar(golden("blog_save", "my_test_model")))), RestoreError);
}

TEST_CASE("a graph that grows keeps its savers, and a new one saves old and new variables") {
    Scratch dir;
    auto model = import_meta_graph(golden("blog_op_to_restore", "my_test_model-1000.meta"));
    Session session{model.graph};
    model.saver.restore(session, golden("blog_op_to_restore", "my_test_model-1000"));
    const auto op = model.graph.get_tensor_by_name<float, Shape<>>("op_to_restore:0");
    Variable<float, Shape<>> scale{"scale", constant(0.5f)};
    const auto scaled = named("scaled", op * scale);
    Saver saver{model.graph, scaled};
    const auto meta = saver.meta_graph();
    CHECK(meta.saver_def->restore_op_name == "save_1/restore_all");
    CHECK(variable_defs(meta, "variables").size() == 2);
    saver.save(session, dir / "m");
    auto again = import_meta_graph(dir / "m.meta");
    Session second{again.graph};
    again.saver.restore(second, dir / "m");
    CHECK(second.run("scaled:0", feed("w1:0", 4.0f), feed("w2:0", 8.0f)).item<float>() == 12.0f);
    CHECK(again.graph.get_operation_by_name("scale")->state->trainable);
    Saver third{again.graph};  // the same variables: the graph's own saver will do
    CHECK(third.meta_graph().saver_def->restore_op_name == "save_1/restore_all");
}

TEST_CASE("variables that a saver does not restore are named, and can be initialised") {
    Scratch dir;
    Session session;
    Variable<float, Shape<2>> kept{"kept", constant(1.0f)}, left{"left", constant(2.0f)};
    Saver{Graph{kept, left}, {{"kept", kept}}}.save(session, dir / "m");
    auto [graph, saver] = import_meta_graph(dir / "m.meta");
    Session second{graph};
    saver.restore(second, dir / "m");
    CHECK(saver.not_restored() == std::vector<std::string>{"left"});
    CHECK_THROWS_AS(second.run("left:0"), ValueError);
    initialize(second, graph, saver.not_restored());
    CHECK(second.run("left:0").item<float>() == 2.0f);
    CHECK_THROWS_AS(initialize(second, graph, {"nobody"}), NameError);
}

TEST_CASE("a file that is no graph is refused by its name") {
    Scratch dir;
    CHECK_THROWS_AS(import_meta_graph(dir / "none.meta"), MissingFileError);
    const auto whole = test::read_bytes(golden("blog_op_to_restore", "my_test_model-1000.meta"));
    for (std::size_t cut = 1; cut < whole.size(); cut += 97) {
        test::write_bytes(dir / "cut.meta", whole.substr(0, whole.size() - cut));
        try {
            import_meta_graph(dir / "cut.meta");
        } catch (const Error&) {}
    }
    test::write_bytes(dir / "cut.meta", whole.substr(0, whole.size() / 2));
    CHECK_THROWS_AS(import_meta_graph(dir / "cut.meta"), Error);
    test::write_bytes(dir / "cut.meta", "{\"graphDef\": {\"node\": [{\"nam\": 1}]}}");
    CHECK_THROWS_AS(import_meta_graph(dir / "cut.meta"), FormatError);
}
