// Saves variables and the graph they belong to, and restores them, as tf.train.Saver does.
//
//     my_model-1000.data-00000-of-00001, my_model-1000.index     the variables
//     my_model-1000.meta                                         the graph
//     checkpoint                                                 which checkpoint of the directory is the newest
#pragma once
#include "../graph/meta_format.hpp"
#include "../run/session.hpp"
#include "bundle_writer.hpp"
#include "checkpoint_history.hpp"
#include "meta_graph.hpp"
#include "random_state.hpp"
#include "restore.hpp"

#include <unordered_map>
#include <unordered_set>

namespace tenon {

struct SaverOptions {
    int max_to_keep = 5;  ///< older ones are removed; 0: all are kept, and `checkpoint` names the newest only
    double keep_checkpoint_every_n_hours = 10000;
    bool sharded = false;             ///< the graph saves and restores in shards; one data file per shard
    bool pad_step_number = false;     ///< "model-00001000"
    bool save_relative_paths = false; ///< in `checkpoint`, so that the directory may be moved
    bool save_random_state = true;    ///< a graph gets variables that say where its random ops stand, so that a run can be resumed to the bit
};

struct SaveOptions {
    std::optional<std::int64_t> global_step{};  ///< appended to the prefix: "model-1000"
    bool write_meta_graph = true;
    MetaFormat meta = MetaFormat::json;
    std::string latest_filename = "checkpoint";
    bool write_state = true;  ///< false: neither `checkpoint` nor the list of what to keep is touched
};

/// A variable under a name of its own in the checkpoint.
struct SavedAs {
    std::string key;
    Output variable;
};

/// What a Saver is made from: a graph, variables or roots of the graph, options.
template <class X> concept SaverPart = std::is_convertible_v<const X&, Output> || std::is_same_v<X, Graph> || std::is_same_v<X, SaverOptions>;

/// Saves and restores variables.
///
/// Errors    NameError for a variable under two names or a name for two variables; ValueError for what is no variable
///
///     Saver saver{w1, w2};                                  // these
///     Saver saver{graph};                                   // all of the graph
///     Saver saver{graph, train};                            // and of what `train` reaches, which joins the graph
///     Saver saver{graph, SaverOptions{.max_to_keep = 3}};
///     Saver saver{{{"kernel", w1}, {"bias", w2}}};          // under other names
///
/// What is heavy to compile are templates, so that a program pays for what it calls, or has it from the static library.
class Saver {
    struct Made {
        SaverOptions options{};
        Graph graph{};
        std::vector<SavedVariable> variables{};  // in the order of their keys
    };
    Made made_;
    CheckpointHistory history_;

    struct Parts {
        std::optional<Graph> graph{};
        std::vector<Output> outputs{};
        SaverOptions options{};
        void take(const Graph& g) { graph = g; }
        void take(const Output& o) { outputs.push_back(o); }
        void take(const SaverOptions& o) { options = o; }
    };

public:
    /// Saves nothing.
    Saver() = default;
    template <SaverPart... P> requires(sizeof...(P) > 0) explicit Saver(const P&... parts) : Saver(gather(parts...)) {}
    explicit Saver(const std::vector<SavedAs>& variables, const SaverOptions& options = {}) : Saver(Made{options, graph_of(variables), named(variables)}) {}
    /// Some variables of a graph, which is saved with all that belongs to it.
    Saver(Graph graph, const std::vector<SavedAs>& variables, const SaverOptions& options = {}) : Saver(Made{options, std::move(graph), named(variables)}) {}
    /// Variables of a graph, and parts of them, as they are to be stored.
    static Saver of(Graph graph, std::vector<SavedVariable> variables, const SaverOptions& options = {}) { return Saver(Made{options, std::move(graph), std::move(variables)}); }

    /// Writes a checkpoint and says its prefix. Files come to their names when they are complete, `checkpoint` the last of them.
    ///
    /// Errors    ValueError if a variable has no value, or there is none; FileError; nothing is left behind, and what was there before is as it was
    template <class = void> std::string save(Session& session, const std::string& path, const SaveOptions& options = {});
    /// Gives every variable its value in the checkpoint, or, if one of them does not fit, none. The random ops of the graph go on where they stood.
    ///
    /// Errors    RestoreError, which lists everything that is missing or of another type or shape; MissingFileError, CorruptError, FormatError
    template <class = void> RestoreReport restore(Session& session, const std::string& prefix) const;
    /// What `restore` would say; nothing is changed and no tensor is read.
    template <class = void> RestoreReport compare(const std::string& prefix) const;
    /// What is written to the `.meta` file.
    template <class = void> proto::MetaGraphDef meta_graph() const;

    /// In the order of their keys.
    const std::vector<SavedVariable>& variables() const { return made_.variables; }
    /// Names of variables of the graph that this saver does not restore.
    std::vector<std::string> not_restored() const {
        std::unordered_set<const Operation*> known;
        for (const auto& v : variables()) known.insert(v.variable.operation.get());
        std::vector<std::string> names;
        for (const auto& v : graph().variables()) if (!known.contains(v.operation.get())) names.push_back(v.operation->name);
        return names;
    }
    const Graph& graph() const { return made_.graph; }
    const SaverOptions& options() const { return made_.options; }
    /// Oldest first.
    std::vector<std::string> last_checkpoints() const { return history_.last_checkpoints(); }
    /// For checkpoints of an earlier run: which there are, and whether they may be removed.
    CheckpointHistory& history() { return history_; }

private:
    explicit Saver(Made m)
        : made_(std::move(m)), history_({.max_to_keep = options().max_to_keep, .keep_checkpoint_every_n_hours = options().keep_checkpoint_every_n_hours, .save_relative_paths = options().save_relative_paths}) {
        auto& all = made_.variables;
        std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
        check();
    }
    template <class... P> static Made gather(const P&... parts) {
        Parts all;
        (all.take(parts), ...);
        if (!all.graph) return {all.options, Graph(all.outputs), named(all.outputs)};
        if (!all.outputs.empty()) all.graph->add(std::move(all.outputs));
        if (all.options.save_random_state) add_streams(*all.graph);
        return {all.options, *all.graph, variables_to_save(*all.graph)};
    }
    static Output variable_behind(const Output& o) {
        if (!o) throw ValueError("[Saver] a handle that refers to nothing is not a variable");
        if (auto v = variable_of(o)) return v;
        throw ValueError("[Saver] not a variable: " + describe(*o.operation) + "; a graph and its roots are saved by Saver{graph, root}");
    }
    static std::vector<SavedVariable> named(const std::vector<Output>& variables) {
        std::vector<SavedVariable> all;
        for (const auto& o : variables) {
            const auto v = variable_behind(o);
            all.push_back({v.operation->name, v});
        }
        return all;
    }
    static std::vector<SavedVariable> named(const std::vector<SavedAs>& variables) {
        std::vector<SavedVariable> all;
        for (const auto& [key, o] : variables) all.push_back({key, variable_behind(o)});
        return all;
    }
    static Graph graph_of(const std::vector<SavedAs>& variables) {
        std::vector<Output> roots;
        for (const auto& [key, o] : variables) roots.push_back(o);
        return Graph(roots);
    }
    void check() const {
        std::unordered_map<const Operation*, std::string_view> key_of;
        for (std::size_t i = 0; i < variables().size(); ++i) {
            const auto& v = variables()[i];
            const auto [at, fresh] = key_of.emplace(v.variable.operation.get(), v.key);
            if (!fresh) throw NameError(sentence("[Saver] the variable '", v.variable.operation->name, "' would be saved under two names: '", at->second, "' and '", v.key, "'"));
            if (!i || variables()[i - 1].key != v.key) continue;
            const auto& before = variables()[i - 1];
            if (v.slice.empty() || before.slice.empty())
                throw NameError(sentence("[Saver] two variables would be saved under the name '", v.key, "': '", before.variable.operation->name, "' and '", v.variable.operation->name, "'"));
        }
    }
    void check_values() const {
        std::string without;
        for (const auto& v : variables())
            if (!v.variable.operation->state->initialized) without += (without.empty() ? "" : ", ") + v.variable.operation->name;
        if (!without.empty()) throw ValueError("[Saver] variables that have no value: " + without + "; restore them, or run their initialisers");
    }
    /// What to do if something fails later.
    using Undo = std::vector<void (*)(const std::string& prefix)>;
    template <class = void> void write(const std::string& prefix, const std::string* meta, Undo& undo) const;
};

template <class> std::string Saver::save(Session& session, const std::string& path, const SaveOptions& o) {
    if (variables().empty()) throw ValueError("[Saver] no variables to save");
    if (path.empty() || path.ends_with('/')) throw ValueError("[Saver] '" + path + "' is not the prefix of a checkpoint: it ends in no name");
    if (o.latest_filename.find('/') != std::string::npos) throw ValueError("[Saver] 'latest_filename' must not contain path components: " + o.latest_filename);
    const auto prefix = o.global_step ? step_name(path, *o.global_step, options().pad_step_number) : path;
    if (basename_of(prefix) == o.latest_filename) throw ValueError("[Saver] the prefix '" + prefix + "' collides with the state file '" + o.latest_filename + "'");
    check_values();
    store_streams(graph(), session);
    const auto meta = o.write_meta_graph ? proto::write_meta(meta_graph(), o.meta) : std::string();

    const auto directory = directory_of(prefix);
    const bool new_directory = !directory_exists(directory), new_checkpoint = !checkpoint_exists(prefix);
    Undo undo;
    try {
        write(prefix, o.write_meta_graph ? &meta : nullptr, undo);
        if (o.write_state) history_.saved(prefix, o.latest_filename);
    } catch (...) {
        for (auto step = undo.rbegin(); new_checkpoint && step != undo.rend(); ++step) {
            try {
                (*step)(prefix);
            } catch (const FileError&) {}  // the first error is the one to tell
        }
        if (new_directory) remove_empty_directory(directory);
        throw;
    }
    return prefix;
}

template <class> void Saver::write(const std::string& prefix, const std::string* meta, Undo& undo) const {
    const bool sharded = options().sharded;
    BundleWriter writer(prefix, {.shards = sharded ? static_cast<std::uint32_t>(detail::shards_of(variables()).size()) : 1});
    for (const auto& v : variables()) {
        const auto& value = v.variable.operation->state->value;
        const auto shard = sharded ? v.shard : 0;
        if (const auto part = ShapeAndSlice::parse(v.slice)) writer.add_slice(v.key, part->shape, part->slice, value, shard);
        else writer.add(v.key, value, shard);
    }
    std::optional<Draft> graph;  // on the disk before the checkpoint comes to be
    if (meta) {
        graph.emplace(meta_name(prefix));
        graph->append(*meta);
        graph->finish();
    }
    writer.finish();
    undo.push_back(&remove_checkpoint_data);
    if (graph) {
        graph->publish();
        undo.push_back([](const std::string& p) { remove_file(meta_name(p)); });
        sync_directory(directory_of(prefix));
    }
}

template <class> RestoreReport Saver::restore(Session& session, const std::string& prefix) const {
    if (variables().empty()) throw ValueError("[Saver] no variables to restore");
    auto report = detail::restore_variables(prefix, variables());
    load_streams(graph(), session);
    return report;
}

template <class> RestoreReport Saver::compare(const std::string& prefix) const {
    std::vector<detail::RestoreStep> steps;
    return detail::plan_restore(BundleReader(prefix), variables(), steps);
}

template <class> proto::MetaGraphDef Saver::meta_graph() const {
    return tenon::meta_graph(graph(), variables(), {options().max_to_keep, options().keep_checkpoint_every_n_hours, options().sharded});
}

#ifdef TENON_PREBUILT
extern template std::string Saver::save<void>(Session&, const std::string&, const SaveOptions&);
extern template RestoreReport Saver::restore<void>(Session&, const std::string&) const;
extern template RestoreReport Saver::compare<void>(const std::string&) const;
extern template proto::MetaGraphDef Saver::meta_graph<void>() const;
extern template std::vector<SavedVariable> variables_to_save<void>(const Graph&);
#endif

}  // namespace tenon
