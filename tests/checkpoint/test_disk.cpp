// What saves, restores and imports do to the disk: failing calls, crashes and power failures at every step of a save.
// Long because the C library's functions are replaced in one source of a program.
#include "../support/disk.hpp"
#include "../support/golden.hpp"
#include "../support/power_failure.hpp"
#include <tenon/checkpoint/bundle.hpp>
#include <tenon/checkpoint/import_meta_graph.hpp>
#include <tenon/checkpoint/saving.hpp>
#include <tenon/ops/ops.hpp>

#include <doctest/doctest.h>
#include <functional>
#include <sys/wait.h>

using namespace tenon;
using namespace tenon::test;

namespace {

std::string names_of(const Files& all) {
    std::string text;
    for (const auto& [name, bytes] : all) text += (text.empty() ? "" : " ") + name;
    return text;
}

/// Every folder that a power failure may leave holds checkpoint 1 or 2, after the last step 2: so says value(), of `folder`. How many folders there are.
template <class Value> std::size_t check_states(const PowerFailure& failure, const std::string& folder, const Value& value) {
    std::size_t states = 0;
    for (std::size_t choice = 0; choice < failure.choices(); ++choice)
        for (int bytes = 0; bytes < 5; ++bytes, ++states) {
            CAPTURE(failure.end);
            CAPTURE(choice);
            CAPTURE(bytes);
            put_files(failure.folder(choice, bytes), folder);
            const int found = value();
            CHECK((found == 1 || found == 2));
            if (failure.end == failure.log.size()) CHECK(found == 2);
        }
    return states;
}

/// Two variables that are saved twice: all elements 1, then all 2.
template <int n> struct Model {
    Variable<float, Shape<n>> w{"w", constant(1.0f)};
    Variable<std::int64_t, Shape<>> step{"step", constant(1)};
    Saver saver{w, step, SaverOptions{.max_to_keep = 1, .save_relative_paths = true}};
    Session session;

    void set(int value) {
        std::fill_n(w.value().template data<float>(), n, static_cast<float>(value));
        step.assign(Tensor::scalar<std::int64_t>(value));
    }
    /// What all elements are; 0 if they differ.
    int all() const {
        for (const float f : w.value().template span<float>()) if (f != static_cast<float>(step.value().template item<std::int64_t>())) return 0;
        return static_cast<int>(step.value().template item<std::int64_t>());
    }
    /// What the newest checkpoint of a folder restores to: 1 or 2 if it is whole; -1 if there is none.
    int restored(const std::string& folder) {
        set(7);
        const auto latest = latest_checkpoint(folder);
        if (!latest) return -1;
        CHECK(verify_bundle(*latest).empty());
        saver.restore(session, *latest);
        return all();
    }
};

/// Steps of the first save and of the second, which goes beside it, over it, or has nothing before it.
struct Second {
    std::string name;
    std::optional<int> first, second;
    bool before = true, durable = true;
};
const Second seconds[]{{"another step", 1, 2}, {"the same prefix", {}, {}}, {"no checkpoint before", {}, 1, false}, {"the same prefix, left to the system", {}, {}, true, false}};

template <int n> std::string save(Model<n>& m, const std::string& folder, std::optional<int> step, int value, bool durable = true) {
    m.set(value);
    return m.saver.save(m.session, folder + "/m", {.global_step = step, .durable = durable});
}

/// Calls `check` for each step that the disk takes for `second`, in a folder as the first save left it.
template <int n> void each_step(const Second& second, const std::function<void(std::size_t step, const Files& before, const Files& wanted, const std::string& folder, Model<n>& m)>& check) {
    Scratch scratch;
    const auto folder = scratch / "d";
    Files before, wanted;
    std::size_t steps = 0;
    for (std::size_t at = 0; at <= steps; ++at) {  // the first round is undisturbed
        Model<n> m;
        std::filesystem::remove_all(folder);
        const Watched watched(folder);
        if (second.before) save(m, folder, second.first, 1);
        if (at == 0) {
            before = files_in(folder);
            disk.log.clear();
            save(m, folder, second.second, 2, second.durable);
            wanted = files_in(folder);
            steps = disk.log.size();
            REQUIRE(steps > 15);
            continue;
        }
        CAPTURE(at);
        check(at, before, wanted, folder, m);
    }
}

}  // namespace

TEST_CASE("a save that fails at any step of the disk leaves files, variables and history as they were, and can be done again") {
    constexpr int large = 270000;  // more than 1 MiB: blocks are reserved
    std::size_t refused = 0, done = 0;
    for (const auto& second : seconds)
        for (const int error : {EIO, ENOSPC}) {
            CAPTURE(second.name);
            CAPTURE(error);
            each_step<large>(second, [&](std::size_t at, const Files& before, const Files& wanted, const std::string& folder, Model<large>& m) {
                const auto history = m.saver.last_checkpoints();
                std::string message;
                Change::Kind kind{};
                {
                    const Watched watched(folder, at, error);
                    try {
                        save(m, folder, second.second, 2, second.durable);
                    } catch (const FileError& e) { message = e.what(); }
                    kind = disk.log.at(at - 1).kind;
                }
                CAPTURE(kind);
                CHECK(m.all() == 2);
                if (message.empty()) {  // nothing that matters: hints, a look at the state file that is there, other names for files, cleaning up
                    CHECK((kind == Change::read || kind == Change::reserve || kind == Change::link || kind == Change::remove || kind == Change::close));
                    CHECK(m.restored(folder) == 2);
                    auto left = files_in(folder);
                    std::erase_if(left, [](const auto& f) { return f.first.find(".tempstate") != std::string::npos; });
                    if (kind != Change::remove) CHECK(names_of(files_in(folder)) == names_of(wanted));
                    for (const auto& [name, bytes] : wanted) CHECK(left[name] == bytes);
                    ++done;
                    return;
                }
                ++refused;
                CHECK(message.starts_with(folder));
                CHECK(names_of(files_in(folder)) == names_of(before));
                CHECK((files_in(folder) == before));
                CHECK(directory_exists(folder) == second.before);
                CHECK(m.saver.last_checkpoints() == history);
                save(m, folder, second.second, 2, second.durable);
                CHECK((files_in(folder) == wanted));
            });
        }
    MESSAGE(refused << " saves failed, " << done << " did without");
    CHECK(refused > 100);
}

TEST_CASE("a program that dies at any step of a save leaves a whole checkpoint, the old or the new, and can save again") {
    std::size_t old = 0, fresh = 0;
    for (const auto& second : seconds) {
        CAPTURE(second.name);
        each_step<50>(second, [&](std::size_t at, const Files&, const Files& wanted, const std::string& folder, Model<50>& m) {
            const auto child = ::fork();
            REQUIRE(child >= 0);
            if (child == 0) {
                const Watched watched(folder, at, 0, true);
                save(m, folder, second.second, 2, second.durable);
                ::_exit(0);
            }
            int status = 0;
            REQUIRE(::waitpid(child, &status, 0) == child);
            REQUIRE(WEXITSTATUS(status) == 99);
            const int value = m.restored(folder);
            CHECK((value == 1 || value == 2 || (value == -1 && !second.before)));
            (value == 2 ? fresh : old) += 1;
            save(m, folder, second.second, 2, second.durable);
            CHECK(m.restored(folder) == 2);
            const auto left = files_in(folder);
            for (const auto& [name, bytes] : wanted) CHECK(left.at(name) == bytes);
            if (second.first == second.second) CHECK(data_files(folder + "/m").size() == 1);  // what the crash left under spare names is gone
        });
    }
    MESSAGE(old << " crashes left the old checkpoint, " << fresh << " the new one");
    CHECK(old > 30);
    CHECK(fresh > 5);
}

TEST_CASE("interrupted calls and short writes are no errors") {
    for (const auto& second : seconds) {
        CAPTURE(second.name);
        for (const bool cut : {false, true})
            each_step<50>(second, [&](std::size_t at, const Files&, const Files& wanted, const std::string& folder, Model<50>& m) {
                const Watched watched(folder, at, 0, false, cut);
                save(m, folder, second.second, 2, second.durable);
                CHECK((files_in(folder) == wanted));
            });
        each_step<50>(second, [&](std::size_t at, const Files&, const Files& wanted, const std::string& folder, Model<50>& m) {
            const Watched watched(folder, at, EINTR);
            try {
                save(m, folder, second.second, 2, second.durable);
                if (disk.log.at(at - 1).kind != Change::remove) CHECK((files_in(folder) == wanted));
            } catch (const FileError&) {
                const auto kind = disk.log.at(at - 1).kind;
                CHECK((kind == Change::rename || kind == Change::make_folder));  // which are never interrupted
            }
        });
    }
}

TEST_CASE("a merge that fails at any step leaves its inputs and what had the name, and can be done again") {
    Scratch scratch;
    const auto folder = scratch / "d";
    const auto write = [&](const char* name, const char* key, float value) {
        BundleWriter writer(join_path(folder, name));
        writer.add(key, Tensor::scalar(value));
        writer.finish();
    };
    const auto prepare = [&] {
        std::filesystem::remove_all(folder);
        std::filesystem::create_directory(folder);
        write("m", "a", 1), write("x", "a", 2), write("y", "b", 3);
    };
    const auto merge = [&] { merge_bundles({folder + "/x"}, folder + "/m"); };
    std::size_t failed = 0;
    for (std::size_t at = 0, steps = 0; at <= steps; ++at) {  // the first round is undisturbed
        CAPTURE(at);
        const Watched quiet(folder);
        prepare();
        const auto before = files_in(folder);
        std::string message;
        {
            const Watched watched(folder, at, EIO);
            try {
                merge();
            } catch (const FileError& e) { message = e.what(); }
            if (at == 0) steps = disk.log.size();
        }
        if (!message.empty()) CHECK((files_in(folder) == before));
        failed += !message.empty();
        if (checkpoint_exists(folder + "/x")) merge();
        CHECK(load_variable(folder + "/m", "a").item<float>() == 2);
    }
    CHECK(failed > 20);
}

TEST_CASE("a power failure at any step of a save leaves a whole checkpoint") {
    std::size_t states = 0;
    for (const auto& second : seconds) {
        if (!second.before || !second.durable) continue;
        CAPTURE(second.name);
        Scratch scratch;
        const auto folder = scratch / "d", after = scratch / "after";
        Model<50> m;
        save(m, folder, second.first, 1);
        const auto before = files_in(folder);
        std::vector<Change> log;
        {
            const Watched watched(folder);
            save(m, folder, second.second, 2, second.durable);
            log = disk.log;
        }
        for (std::size_t end = 0; end <= log.size(); ++end) states += check_states({log, before, end}, after, [&] { return m.restored(after); });
    }
    MESSAGE(states << " folders");
    CHECK(states > 1500);
}

TEST_CASE("a save that is not durable waits for no disk, and writes the same files") {
    Scratch scratch;
    Files wanted;
    for (const bool durable : {true, false}) {
        const auto folder = scratch / "d";
        std::filesystem::remove_all(folder);
        Model<50> m;
        const Watched watched(folder);
        for (const int value : {1, 2}) save(m, folder, {}, value, durable);
        std::size_t syncs = 0;
        for (const auto& c : disk.log) syncs += c.kind == Change::sync;
        CHECK((durable ? syncs > 10 : syncs == 0));
        if (durable) wanted = files_in(folder);
        else CHECK((files_in(folder) == wanted));
    }
}

TEST_CASE("importing a graph opens no checkpoint; a run that restores opens the one that it is given") {
    const auto prefix = std::string(TENON_TEST_DATA) + "/models/trading_dqn/test1.ckpt";
    Scratch dir;
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(dir.path());  // where the prefix that is a constant of the graph, "model", leads
    {
        const Watched watched("model");
        const auto [graph, saver] = import_meta_graph(prefix + ".meta");
        CHECK(disk.log.empty());
        Session session{graph};
        CHECK_THROWS_AS(session.run("save/restore_all"), MissingFileError);
        CHECK_FALSE(disk.log.empty());
    }
    std::filesystem::current_path(before);
    const Watched watched(std::string(TENON_TEST_DATA) + "/models/trading_dqn/");
    const auto [graph, saver] = import_meta_graph(prefix + ".meta");
    Session session{graph};
    CHECK(disk.log.size() == 1);  // the .meta
    saver.restore(session, prefix);
    CHECK(disk.log.size() == 3);  // .index and .data
}

TEST_CASE("a checkpoint that two threads write is the old or the new one, whichever step fails and whenever the power does") {
    Scratch scratch;
    const auto folder = scratch / "d", after = scratch / "after";
    const auto write = [&](int value) {
        BundleWriter writer(folder + "/m", {.write_at_finish = true});
        const Tensor t(DType::uint8, {(1 << 20) + 1});
        std::memset(t.raw(), value, t.bytes());
        for (const auto* name : {"a", "b", "c", "d"}) writer.add(name, t);
        writer.finish();
    };
    const auto value_in = [](const std::string& where) {
        CHECK(verify_bundle(where + "/m").empty());
        const BundleReader reader(where + "/m");
        const auto value = static_cast<int>(reader.read("a").raw()[0]);
        for (const auto& stored : reader.tensors()) {
            const auto t = reader.read(stored);
            if (std::count(t.raw(), t.raw() + t.bytes(), static_cast<std::byte>(value)) != static_cast<std::ptrdiff_t>(t.bytes())) return 0;
        }
        return value;
    };
    write(1);
    const auto before = files_in(folder);
    std::vector<Change> log;
    {
        const Watched watched(folder);
        write(2);
        log = disk.log;
    }
    CHECK(value_in(folder) == 2);
    std::size_t failed = 0, states = 0;
    for (std::size_t at = 1; at <= log.size(); ++at) {
        CAPTURE(at);
        put_files(before, folder);
        bool refused = false;
        {
            const Watched watched(folder, at, EIO);
            try {
                write(2);
            } catch (const FileError&) { refused = true; }
        }
        failed += refused;
        CHECK(value_in(folder) == (refused ? 1 : 2));
        if (refused) CHECK(names_of(files_in(folder)) == names_of(before));
    }
    CHECK(failed > 20);
    for (std::size_t end = 0; end <= log.size(); ++end) {
        if (end > 0 && end < log.size() && log[end - 1].kind == Change::write && end % 5) continue;
        states += check_states({log, before, end}, after, [&] { return value_in(after); });
    }
    CHECK(states > 100);
}

TEST_CASE("a disk that says it is full is believed if it has no blocks; a write that writes nothing is an error") {
    Scratch dir;
    const std::string bytes(3 << 20, 'x');
    const auto save = [&](bool full, bool stuck, std::size_t at) {
        const Watched watched(dir.path(), at, ENOSPC);
        disk.full = full, disk.stuck = stuck;
        Draft draft(dir / "f");
        draft.reserve(bytes.size());
        draft.append(bytes);
        draft.publish();
    };
    CHECK_THROWS_WITH_AS(save(true, false, 2), doctest::Contains("cannot write: No space left on device"), FileError);
    CHECK_THROWS_WITH_AS(save(false, true, 0), doctest::Contains("cannot write: Input/output error"), FileError);
    CHECK(dir.listing() == "");
    save(false, false, 2);
    CHECK((read_bytes(dir / "f") == bytes));
}
