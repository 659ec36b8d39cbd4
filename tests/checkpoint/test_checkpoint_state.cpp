#include "../support/golden.hpp"

#include <doctest/doctest.h>
#include <tenon/checkpoint/bundle_writer.hpp>
#include <tenon/checkpoint/checkpoint_history.hpp>

using namespace tenon;
using namespace tenon::test;

namespace {

/// The directory to work in, for paths that are relative to it.
class Inside {
    std::filesystem::path before_ = std::filesystem::current_path();

public:
    explicit Inside(const Scratch& dir) { std::filesystem::current_path(dir.path()); }
    ~Inside() { std::filesystem::current_path(before_); }
};
void save(const std::string& prefix, float value = 0) {
    BundleWriter writer(prefix);
    writer.add("v", Tensor::scalar(value));
    writer.finish();
    write_bytes(prefix + ".meta", "");
}
std::string joined(const std::vector<std::string>& words) {
    std::string s;
    for (const auto& w : words) s += (s.empty() ? "" : " ") + w;
    return s;
}

}  // namespace

TEST_CASE("texts of a state file are read as TensorFlow reads them") {
    Scratch dir;
    const Inside inside(dir);
    std::size_t read = 0, refused = 0;
    const auto rows = expectation("state_text").at("rows");
    for (const auto& row : rows) {
        const auto text = from_base64(row.at("text_b64").get<std::string>());
        CAPTURE(text);
        write_bytes("checkpoint", text);
        if (!row.contains("state") || row.at("state").is_null()) {
            CHECK_THROWS_AS(get_checkpoint_state("."), FormatError);
            ++refused;
            continue;
        }
        const auto& want = row.at("state");
        const auto state = get_checkpoint_state(".");
        REQUIRE(state);
        CHECK(state->model_checkpoint_path == want.at("model_checkpoint_path").get<std::string>());
        CHECK(state->all_model_checkpoint_paths == want.value("all_model_checkpoint_paths", std::vector<std::string>{}));
        std::vector<double> times;
        if (want.contains("all_model_checkpoint_timestamps"))
            for (const auto& t : want.at("all_model_checkpoint_timestamps")) times.push_back(test::detail::number(t));
        CHECK(state->all_model_checkpoint_timestamps == times);
        CHECK(state->last_preserved_timestamp == want.value("last_preserved_timestamp", 0.0));
        ++read;
    }
    CHECK(read == 10);
    CHECK(refused == 9);
}

TEST_CASE("a state file is written as TensorFlow writes it") {
    Scratch dir;
    const Inside inside(dir);
    const auto rows = expectation("state_text").at("written");
    for (const auto& row : rows) {
        update_checkpoint_state("", row.at("path").get<std::string>());
        CHECK(read_bytes("checkpoint") == row.at("text").get<std::string>());
        CHECK(get_checkpoint_state(".")->model_checkpoint_path == "./" + row.at("path").get<std::string>());
    }
}

TEST_CASE("paths are stored relative to the directory where both are relative, or on request") {
    Scratch dir;
    const Inside inside(dir);
    std::filesystem::create_directories("train/deep");
    const auto stored = [](const std::string& directory, const std::string& path, StateOptions options = {}) {
        update_checkpoint_state(directory, path, options);
        return proto::from_text<proto::CheckpointState>(read_bytes(join_path(directory, options.latest_filename))).all_model_checkpoint_paths;
    };
    CHECK(joined(stored("train", "train/model")) == "model");
    CHECK(joined(stored("", "./model")) == "model");
    CHECK(joined(stored("train/deep/", "train/m", {.all_paths = {"train/deep/a", "/abs/b"}})) == "a /abs/b ../m");
    const auto absolute = dir / "train";
    CHECK(joined(stored(absolute, absolute + "/model")) == absolute + "/model");
    CHECK(joined(stored(absolute, absolute + "/model", {.save_relative_paths = true})) == "model");
    CHECK(joined(stored(absolute, "model", {.save_relative_paths = true})) == "model");
    CHECK(joined(stored("train", "train/c", {.all_paths = {"train/a", "train/c"}})) == "a c");
}

TEST_CASE("times are written for each path, or not at all") {
    Scratch dir;
    update_checkpoint_state(dir.path(), "b", {.all_paths = {"a", "b"}, .timestamps = {1.5, 2.5}, .last_preserved_timestamp = 1});
    const auto state = get_checkpoint_state(dir.path());
    CHECK(state->all_model_checkpoint_timestamps == std::vector<double>{1.5, 2.5});
    CHECK(state->last_preserved_timestamp == 1);
    CHECK_THROWS_WITH_AS(update_checkpoint_state(dir.path(), "b", {.timestamps = {1, 2}}), "2 times for 1 checkpoints", ValueError);
    CHECK_THROWS_AS(update_checkpoint_state(dir.path(), "\xe9"), ValueError);
    CHECK_THROWS_AS(update_checkpoint_state(dir.path(), dir / "checkpoint"), ValueError);
    CHECK_THROWS_AS(update_checkpoint_state(dir.path(), "a", {.latest_filename = "x/y"}), ValueError);
    CHECK(get_checkpoint_state(dir.path())->model_checkpoint_path == dir / "b");
}

TEST_CASE("the latest checkpoint is the one named, if it exists") {
    Scratch dir;
    CHECK_FALSE(latest_checkpoint(dir.path()));
    CHECK_FALSE(latest_checkpoint(dir / "none"));
    save(dir / "m-1");
    save(dir / "m-2");
    update_checkpoint_state(dir.path(), dir / "m-1");
    CHECK(latest_checkpoint(dir.path()) == dir / "m-1");
    update_checkpoint_state(dir.path(), "m-3");
    CHECK_FALSE(latest_checkpoint(dir.path()));
    update_checkpoint_state(dir.path(), "/moved/away/m-2");
    CHECK(latest_checkpoint(dir.path()) == dir / "m-2");
    CHECK(latest_checkpoint(golden("state_kept", ".")) == golden("state_kept", "./model.ckpt-500"));
    CHECK(latest_checkpoint(golden("v1_checkpoint", ".")));
    CHECK(checkpoint_exists(golden("v1_checkpoint", "old.ckpt")));
    CHECK_FALSE(checkpoint_exists(golden("v1_checkpoint", "old")));
}

TEST_CASE("five saves with max_to_keep 3 leave what TensorFlow leaves") {
    Scratch dir;
    const Inside inside(dir);
    CheckpointHistory history({.max_to_keep = 3});
    for (int step = 100; step <= 500; step += 100) {
        const auto prefix = step_name("model.ckpt", step);
        save(prefix, static_cast<float>(step) / 2);
        if (step < 500) remove_file(prefix + ".meta");  // as in the golden program, which writes the graph once
        history.saved(prefix);
    }
    std::string want;
    for (const auto& name : list_directory(golden("state_kept", "."))) if (name != "expect.json") want += (want.empty() ? "" : " ") + name;
    CHECK(dir.listing() == want);
    for (const auto& name : list_directory(".")) if (!name.ends_with(".meta")) CHECK(read_bytes(name) == read_bytes(golden("state_kept", name)));
}

TEST_CASE("a path that is saved again becomes the newest, and is not removed") {
    Scratch dir;
    CheckpointHistory history({.max_to_keep = 2});
    for (const auto* name : {"a", "b", "a", "c"}) {
        save(dir / name);
        history.saved(dir / name);
    }
    CHECK(joined(history.last_checkpoints()) == dir / "a" + " " + dir / "c");
    CHECK_FALSE(checkpoint_exists(dir / "b"));
    CHECK(get_checkpoint_state(dir.path())->all_model_checkpoint_paths == history.last_checkpoints());
}

TEST_CASE("max_to_keep 0 keeps all, and names only the newest") {
    Scratch dir;
    CheckpointHistory history({.max_to_keep = 0});
    for (const auto* name : {"a", "b", "c"}) {
        save(dir / name);
        history.saved(dir / name);
    }
    CHECK((checkpoint_exists(dir / "a") && checkpoint_exists(dir / "b")));
    CHECK(joined(get_checkpoint_state(dir.path())->all_model_checkpoint_paths) == dir / "c");
    CHECK(history.last_checkpoints().empty());
    CHECK_THROWS_AS(CheckpointHistory({.max_to_keep = -1}), ValueError);
}

TEST_CASE("one checkpoint every n hours is kept for ever") {
    Scratch dir;
    double hours = 0;
    CheckpointHistory history({.max_to_keep = 1, .keep_checkpoint_every_n_hours = 2, .clock = [&] { return hours * 3600; }});
    for (int i = 0; i < 9; ++i) {
        hours = 0.75 * i;
        save(dir / std::to_string(i));
        history.saved(dir / std::to_string(i));
    }
    std::string left;
    for (int i = 0; i < 9; ++i) if (checkpoint_exists(dir / std::to_string(i))) left += std::to_string(i);
    CHECK(left == "368");  // 3 at 2.25 h is the first after 2 h, 6 at 4.5 h after 4 h, 8 is the newest
}

TEST_CASE("checkpoints of an earlier run are taken over, removed, or left alone") {
    Scratch dir;
    const auto names = [&](const std::string& letters) {
        std::vector<std::string> paths;
        for (const char c : letters) paths.push_back(dir / std::string(1, c));
        return paths;
    };
    for (const auto& p : names("abc")) save(p);
    {
        CheckpointHistory history({.max_to_keep = 2});
        history.set_last_checkpoints(names("ab"));
        save(dir / "x");
        history.saved(dir / "x");
        CHECK(checkpoint_exists(dir / "a"));  // its time is not known: kept
    }
    {
        CheckpointHistory history({.max_to_keep = 2});
        history.set_last_checkpoints_with_time({{dir / "a", 1.0}, {dir / "b", 2.0}});
        save(dir / "y");
        history.saved(dir / "y");
        CHECK_FALSE(checkpoint_exists(dir / "a"));
    }
    CheckpointHistory history({.max_to_keep = 2});
    history.recover_last_checkpoints(names("abc"));
    CHECK(history.last_checkpoints() == names("bc"));
    save(dir / "z");
    history.saved(dir / "z");
    CHECK_FALSE(checkpoint_exists(dir / "b"));
    CHECK(checkpoint_exists(dir / "x"));
}

TEST_CASE("a checkpoint's files are removed, its neighbours' are not") {
    Scratch dir;
    for (const auto* name : {"m-1", "m-10", "m-1.data"}) save(dir / name);
    BundleWriter sharded(dir / "m-1", {.shards = 2});
    sharded.add("a", Tensor::scalar(1.0f), 0);
    sharded.add("b", Tensor::scalar(1.0f), 1);
    sharded.finish();
    write_bytes(dir / "m-1.data-00000-of-00001x", "");
    remove_checkpoint(dir / "m-1");
    CHECK(dir.listing() == "m-1.data-00000-of-00001x m-1.data.data-00000-of-00001 m-1.data.index m-1.data.meta m-10.data-00000-of-00001 m-10.index m-10.meta");
    remove_checkpoint(dir / "m-1");
    remove_checkpoint(dir / "none/m");
}

TEST_CASE("names of steps and graphs") {
    CHECK(step_name("m", 7) == "m-7");
    CHECK(step_name("m", 7, true) == "m-00000007");
    CHECK(step_name("m", 123456789, true) == "m-123456789");
    CHECK(meta_name("m-7") == "m-7.meta");
    CHECK(meta_name("m-7-" + std::string(5, '?') + "-of-00003") == "m-7.meta");
    CHECK(meta_name("m-00001-of-00003") == "m.meta");
    CHECK(meta_name("a-of-3") == "a-of-3.meta");
    CHECK(meta_name("m", "json") == "m.json");
}

TEST_CASE("a state file that says so already is left alone, unless it has to be durable") {
    Scratch dir;
    const auto file = dir / "checkpoint";
    const auto update = [&](const char* newest, bool durable) {
        FileTransaction files(durable);
        update_checkpoint_state(dir.path(), dir / newest, {}, files);
        files.commit();
    };
    const auto number = [&] {
        struct stat s {};
        REQUIRE(::stat(file.c_str(), &s) == 0);
        return s.st_ino;
    };
    update("m-1", false);
    const File held = File::open(file);  // so that its number is not given to another
    const auto first = number();
    const auto text = read_bytes(file);
    update("m-1", false);
    CHECK(number() == first);
    update("m-1", true);
    CHECK(number() != first);
    for (const auto* newest : {"m-2", "m-11"}) {
        update(newest, false);
        CHECK(latest_checkpoint(dir.path()) == std::nullopt);
        CHECK(read_bytes(file).find(dir / newest + "\"") != std::string::npos);
    }
    update("m-1", false);
    CHECK(read_bytes(file) == text);
}
