#include "../support/scratch.hpp"
#include <tenon/checkpoint/bundle.hpp>
#include <tenon/checkpoint/saving.hpp>
#include <tenon/ops/ops.hpp>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace tenon;
using test::Scratch;

namespace {

/// The message of an error of type E; "" if there is none.
template <class E, class F> std::string message(F f) {
    try {
        f();
    } catch (const E& e) { return e.what(); }
    return "";
}
bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
Tensor floats(const Dims& d, float first) {
    Tensor t(DType::float32, d);
    for (auto& x : t.span<float>()) x = first++;
    return t;
}
std::vector<float> elements(const Tensor& t) { return {t.span<float>().begin(), t.span<float>().end()}; }

struct Two {
    Variable<float, Shape<2, 3>> w{"w", constant(floats({2, 3}, 1))};
    Variable<float, Shape<3>> b{"b", constant(floats({3}, 10))};
    Session session;
};

}  // namespace

TEST_CASE("a save makes four files, and a restore gives the values back") {
    Scratch dir;
    Two m;
    Saver saver{m.w, m.b};
    CHECK(saver.save(m.session, dir / "m", {.global_step = 7}) == dir / "m-7");
    CHECK(dir.listing() == "checkpoint m-7.data-00000-of-00001 m-7.index m-7.meta");
    CHECK(latest_checkpoint(dir.path()) == dir / "m-7");
    m.w.assign(floats({2, 3}, -50));
    const auto report = saver.restore(m.session, dir / "m-7");
    CHECK(elements(m.w.value()) == std::vector<float>{1, 2, 3, 4, 5, 6});
    CHECK(report.restored == std::vector<std::string>{"b", "w"});
    CHECK(report.unused.empty());
}

TEST_CASE("a graph saves all its variables, optimiser-like ones that nobody reads included") {
    Scratch dir;
    Two m;
    Variable<float, Shape<>> alone{"alone", constant(3.0f)};
    Saver saver{Graph{m.w + 1.0f, m.b, variable_of(alone)}};
    saver.save(m.session, dir / "m");
    std::string names;
    for (const auto& t : list_variables(dir / "m")) names += t.name + " ";
    CHECK(names == "alone b w ");
    const auto meta = saver.meta_graph();
    bool read = false;
    for (const auto& n : meta.graph_def->node) read |= n.name == "alone/read";
    CHECK(read);  // TensorFlow's VariableDef needs it
}

TEST_CASE("new roots join the graph, and what they reach is saved") {
    Scratch dir;
    Two m;
    Graph graph{m.w};
    Saver first{graph};
    CHECK(first.variables().size() == 1);
    Saver both{graph, m.b + 1.0f};
    CHECK(both.variables().size() == 2);
    CHECK(graph.contains("b"));
    CHECK(first.not_restored() == std::vector<std::string>{"b"});
}

TEST_CASE("variables can have other names in a checkpoint") {
    Scratch dir;
    Two m;
    Saver{{{"kernel", m.w}, {"bias", m.b}}}.save(m.session, dir / "m");
    CHECK(load_variable(dir / "m", "kernel").dims() == Dims{2, 3});
    Saver{std::vector<SavedAs>{{"kernel", m.w}}}.restore(m.session, dir / "m");
    Saver{Graph{m.w * 2.0f, m.b}, {{"only", m.b}}, SaverOptions{.max_to_keep = 1}}.save(m.session, dir / "n");
    CHECK(list_variables(dir / "n").size() == 1);
}

TEST_CASE("one variable under two names, and one name for two variables, are refused") {
    Two m;
    CHECK(message<NameError>([&] { Saver{{{"x", m.w}, {"y", m.w}}}; }) == "[Saver] the variable 'w' would be saved under two names: 'x' and 'y'");
    CHECK(message<NameError>([&] { Saver{{{"x", m.w}, {"x", m.b}}}; }) == "[Saver] two variables would be saved under the name 'x': 'w' and 'b'");
    CHECK(message<NameError>([&] { Saver{m.w, m.w}; }) == "[Saver] the variable 'w' would be saved under two names: 'w' and 'w'");
    CHECK(contains(message<ValueError>([&] { Saver{Node<float, Shape<2, 3>>(m.w * m.w)}; }), "not a variable"));
}

TEST_CASE("a restore reports everything that does not fit at once, and changes nothing") {
    Scratch dir;
    Session session;
    {
        Variable<float, Shape<2>> fits{"fits", constant(1.0f)}, shape{"shape", constant(1.0f)}, near{"layer/weight", constant(1.0f)}, spare{"spare"};
        Variable<double, Shape<2>> type{"type", constant(1.0)};
        Saver{fits, shape, near, spare, type}.save(session, dir / "m");
    }
    Variable<float, Shape<2>> fits{"fits", constant(5.0f)}, near{"layer/weights", constant(5.0f)}, type{"type", constant(5.0f)};
    Variable<float, Shape<3>> shape{"shape", constant(5.0f)};
    Saver saver{fits, shape, near, type};
    const auto text = message<RestoreError>([&] { saver.restore(session, dir / "m"); });
    CHECK(contains(text, "m: the checkpoint does not fit the graph: 1 variables fit, 1 tensors are missing, 1 have another type, 1 another shape, 2 are not asked for"));
    CHECK(contains(text, "\n  layer/weights is not in the checkpoint; the nearest are 'layer/weight'"));
    CHECK(contains(text, "\n  type is float64 in the checkpoint, float32 in the graph"));
    CHECK(contains(text, "\n  shape is [2] in the checkpoint, [3] in the graph"));
    CHECK(contains(text, "\n  not asked for: layer/weight, spare"));
    CHECK(elements(fits.value()) == std::vector<float>{5, 5});
    const auto report = saver.compare(dir / "m");
    CHECK_FALSE(report.fits());
    CHECK(report.restored == std::vector<std::string>{"fits"});
    CHECK(report.text() == text);
}

TEST_CASE("a checkpoint whose last tensor is damaged restores nothing") {
    Scratch dir;
    Two m;
    Saver saver{m.w, m.b};
    saver.save(m.session, dir / "m");
    auto data = test::read_bytes(dir / "m.data-00000-of-00001");
    data.back() = static_cast<char>(data.back() ^ 1);
    test::write_bytes(dir / "m.data-00000-of-00001", data);
    m.b.assign(floats({3}, 0));
    m.w.assign(floats({2, 3}, 0));
    CHECK_THROWS_AS(saver.restore(m.session, dir / "m"), CorruptError);
    CHECK(elements(m.b.value()) == std::vector<float>{0, 1, 2});
    CHECK_THROWS_AS(saver.restore(m.session, dir / "none"), MissingFileError);
}

TEST_CASE("old checkpoints are removed with their graphs, and a name saved again is the newest") {
    Scratch dir;
    Two m;
    Saver saver{m.w, SaverOptions{.max_to_keep = 2}};
    for (const int step : {1, 2, 3}) saver.save(m.session, dir / "m", {.global_step = step});
    CHECK(dir.listing() == "checkpoint m-2.data-00000-of-00001 m-2.index m-2.meta m-3.data-00000-of-00001 m-3.index m-3.meta");
    saver.save(m.session, dir / "m", {.global_step = 2});
    CHECK(saver.last_checkpoints() == std::vector<std::string>{dir / "m-3", dir / "m-2"});
    Saver all{m.w, SaverOptions{.max_to_keep = 0}};
    for (const int step : {10, 11, 12}) all.save(m.session, dir / "k", {.global_step = step, .write_meta_graph = false});
    CHECK(checkpoint_exists(dir / "k-10"));
    CHECK_FALSE(file_exists(dir / "k-12.meta"));
    CHECK(get_checkpoint_state(dir.path())->all_model_checkpoint_paths == std::vector<std::string>{dir / "k-12"});
    Saver another{m.w, SaverOptions{.max_to_keep = 2}};
    another.history().set_last_checkpoints_with_time({{dir / "m-3", 0}, {dir / "m-2", 0}});
    another.save(m.session, dir / "m", {.global_step = 4});
    CHECK_FALSE(checkpoint_exists(dir / "m-3"));
}

TEST_CASE("the options of a save are TensorFlow's") {
    Scratch dir;
    Two m;
    CHECK(Saver{m.w, SaverOptions{.pad_step_number = true}}.save(m.session, dir / "m", {.global_step = 3}) == dir / "m-00000003");
    Saver saver{m.w, SaverOptions{.save_relative_paths = true}};
    saver.save(m.session, dir / "r", {.latest_filename = "newest"});
    CHECK(test::read_bytes(dir / "newest") == "model_checkpoint_path: \"r\"\nall_model_checkpoint_paths: \"r\"\n");
    saver.save(m.session, dir / "quiet", {.latest_filename = "newest", .write_state = false});
    CHECK(latest_checkpoint(dir.path(), "newest") == dir / "r");
    for (const auto format : {MetaFormat::json, MetaFormat::binary, MetaFormat::text}) saver.save(m.session, dir / "f", {.meta = format});
    CHECK(contains(test::read_bytes(dir / "f.meta"), "node {"));
}

TEST_CASE("a save that cannot be done leaves nothing behind") {
    Scratch dir;
    Two m;
    Saver saver{m.w};
    CHECK(contains(message<MissingFileError>([&] { saver.save(m.session, dir / "no/such/m"); }), "no/such"));
    CHECK(dir.listing().empty());
    CHECK(message<ValueError>([&] { saver.save(m.session, dir / "checkpoint"); }) == "[Saver] the prefix '" + dir / "checkpoint" + "' collides with the state file 'checkpoint'");
    CHECK_THROWS_AS(saver.save(m.session, dir / "m", {.latest_filename = "a/b"}), ValueError);
    CHECK_THROWS_AS(saver.save(m.session, dir.path() + "/"), ValueError);
    CHECK_THROWS_AS(Saver().save(m.session, dir / "m"), ValueError);
    CHECK(dir.listing().empty());

    saver.save(m.session, dir / "one/m", {.global_step = 1});  // one level is made
    ::mkdir((dir / "one/m-2.meta").c_str(), 0777);             // where the graph was to go
    CHECK_THROWS_AS(saver.save(m.session, dir / "one/m", {.global_step = 2}), FileError);
    CHECK_FALSE(checkpoint_exists(dir / "one/m-2"));
    CHECK(latest_checkpoint(dir / "one") == dir / "one/m-1");
    CHECK(list_directory(dir / "one", "m-2") == std::vector<std::string>{"m-2.meta"});
    Variable<float, Shape<>> odd{"a b", constant(1.0f)};
    CHECK(contains(message<NameError>([&] { Saver{odd}.save(m.session, dir / "odd"); }), "'a b'"));
    Saver{odd}.save(m.session, dir / "odd", {.write_meta_graph = false});  // the name of a tensor may be anything
}

TEST_CASE("resource variables, integers, strings of state and scalars are saved") {
    Scratch dir;
    Session session;
    const Output handle = detail::make_variable<float>("h", Dims{2}, constant(4.0f), true, true);
    Variable<std::int64_t, Shape<>> step{"step", constant(12)};
    Saver saver{handle, step};
    saver.save(session, dir / "m");
    CHECK(load_variable(dir / "m", "step").item<std::int64_t>() == 12);
    CHECK(elements(load_variable(dir / "m", "h")) == std::vector<float>{4, 4});
    step.assign(Tensor::scalar<std::int64_t>(0));
    saver.restore(session, dir / "m");
    CHECK(step.value().item<std::int64_t>() == 12);
}
