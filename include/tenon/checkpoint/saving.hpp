// What a Saver does; saver.hpp is what programs see of it.
#pragma once
#include "../graph/meta_writing.hpp"
#include "bundle_writer.hpp"
#include "checkpoint_history.hpp"
#include "meta_graph.hpp"
#include "random_state.hpp"
#include "restore.hpp"
#include "saver.hpp"

namespace tenon {

namespace detail {
template <class = void> Output variable_behind(const Output& o) {
    if (!o) throw ValueError("[Saver] a handle that refers to nothing is not a variable");
    if (auto v = variable_of(o)) return v;
    throw ValueError("[Saver] not a variable: " + describe(*o.operation) + "; a graph and its roots are saved by Saver{graph, root}");
}
template <class = void> std::vector<SavedVariable> named_variables(const std::vector<Output>& variables) {
    std::vector<SavedVariable> all;
    for (const auto& o : variables) {
        const auto v = variable_behind(o);
        all.push_back({v.operation->name, v});
    }
    return all;
}
template <class = void> std::vector<SavedVariable> named_variables(const std::vector<SavedAs>& variables) {
    std::vector<SavedVariable> all;
    for (const auto& [key, o] : variables) all.push_back({key, variable_behind(o)});
    return all;
}
template <class = void> Graph graph_of(const std::vector<SavedAs>& variables) {
    std::vector<Output> roots;
    for (const auto& [key, o] : variables) roots.push_back(o);
    return Graph(roots);
}
}  // namespace detail

template <class Lazy> void Saver::make(const SaverOptions& options, Graph graph, std::vector<SavedVariable> variables) {
    options_ = options;
    graph_ = std::move(graph);
    variables_ = std::move(variables);
    std::stable_sort(variables_.begin(), variables_.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    check();
    history_ = std::make_shared<CheckpointHistory>(HistoryOptions{.max_to_keep = options.max_to_keep, .keep_checkpoint_every_n_hours = options.keep_checkpoint_every_n_hours, .save_relative_paths = options.save_relative_paths});
}
template <class Lazy> void Saver::gather(Parts&& all) {
    if (!all.has_graph) return make(all.options, Graph(all.outputs), detail::named_variables(all.outputs));
    if (!all.outputs.empty()) all.graph.add(std::move(all.outputs));
    if (all.options.save_random_state) add_streams(all.graph);
    auto variables = variables_to_save(all.graph);
    make(all.options, std::move(all.graph), std::move(variables));
}
template <class Lazy> requires save_hpp_is_included<Lazy> Saver::Saver(const std::vector<SavedAs>& variables, const SaverOptions& options) {
    make(options, detail::graph_of(variables), detail::named_variables(variables));
}
template <class Lazy> requires save_hpp_is_included<Lazy> Saver::Saver(Graph graph, const std::vector<SavedAs>& variables, const SaverOptions& options) {
    make(options, std::move(graph), detail::named_variables(variables));
}
template <class Lazy> Saver Saver::of(Graph graph, std::vector<SavedVariable> variables, const SaverOptions& options) {
    Saver saver;
    saver.make(options, std::move(graph), std::move(variables));
    return saver;
}
template <class Lazy> std::vector<std::string> Saver::not_restored() const {
    HashIndex known;
    for (const auto& v : variables()) known.insert(v.variable.operation.get());
    std::vector<std::string> names;
    for (const auto& v : graph().variables()) if (!known.contains(v.operation.get())) names.push_back(v.operation->name);
    return names;
}
template <class Lazy> std::vector<std::string> Saver::last_checkpoints() const { return history_ ? history_->last_checkpoints() : std::vector<std::string>(); }
template <class Lazy> CheckpointHistory& Saver::history() {
    if (!history_) history_ = std::make_shared<CheckpointHistory>();
    return *history_;
}

template <class Lazy> void Saver::check() const {
    HashIndex first;
    for (std::size_t i = 0; i < variables().size(); ++i) {
        const auto& v = variables()[i];
        const auto its = static_cast<std::size_t>(first.keep(v.variable.operation.get(), static_cast<int>(i)));
        if (its != i) throw NameError(sentence("[Saver] the variable '", v.variable.operation->name, "' would be saved under two names: '", variables()[its].key, "' and '", v.key, "'"));
        if (!i || variables()[i - 1].key != v.key) continue;
        const auto& before = variables()[i - 1];
        if (v.slice.empty() || before.slice.empty())
            throw NameError(sentence("[Saver] two variables would be saved under the name '", v.key, "': '", before.variable.operation->name, "' and '", v.variable.operation->name, "'"));
    }
}
namespace detail {
inline void bring_near(const void* p, std::size_t n) {
    const auto at = reinterpret_cast<std::uintptr_t>(p);  // may be null, and n more than there is
    for (std::size_t i = 0; i < n; i += 64) __builtin_prefetch(reinterpret_cast<const void*>(at + i));
}
/// Calls visit(variable) for each. A value is three pointers away; what lies there for the next variables, and up to so many `bytes` of theirs, is asked for
/// in advance: thousands of small ones would each wait for it.
template <class Visit> void each_near(const std::vector<SavedVariable>& all, std::size_t bytes, Visit visit) {
    const auto operation = [&](std::size_t i) { return all[i].variable.operation.get(); };
    for (std::size_t i = 0, n = all.size(); i < n; ++i) {
        if (i + 12 < n) bring_near(&operation(i + 12)->state, 1), bring_near(all[i + 12].key.data(), bytes ? 1 : 0);
        if (i + 8 < n) bring_near(operation(i + 8)->state.get(), sizeof(State));
        if (bytes && i + 4 < n) bring_near(operation(i + 4)->state->value.raw(), std::min(bytes, operation(i + 4)->state->value.bytes()));
        visit(all[i]);
    }
}
}  // namespace detail

template <class Lazy> void Saver::check_values() const {
    std::string without;
    detail::each_near(variables(), 0, [&](const SavedVariable& v) {
        if (!v.variable.operation->state->initialized) without += (without.empty() ? "" : ", ") + v.variable.operation->name;
    });
    if (!without.empty()) throw ValueError("[Saver] variables that have no value: " + without + "; restore them, or run their initialisers");
}

template <class Lazy> std::string Saver::save(Session& session, const std::string& path, const SaveOptions& o) {
    if (variables().empty()) throw ValueError("[Saver] no variables to save");
    if (path.empty() || path.ends_with('/')) throw ValueError("[Saver] '" + path + "' is not the prefix of a checkpoint: it ends in no name");
    if (o.latest_filename.find('/') != std::string::npos) throw ValueError("[Saver] 'latest_filename' must not contain path components: " + o.latest_filename);
    const auto prefix = o.global_step ? step_name(path, *o.global_step, options().pad_step_number) : path;
    if (basename_of(prefix) == o.latest_filename) throw ValueError("[Saver] the prefix '" + prefix + "' collides with the state file '" + o.latest_filename + "'");
    check_values();
    store_streams(graph(), session);
    const auto meta = o.write_meta_graph ? proto::write_meta(meta_graph(), o.meta) : std::string();

    const auto directory = directory_of(prefix);
    const bool new_directory = !directory_exists(directory);
    FileTransaction files(o.durable);
    try {
        write(prefix, o.write_meta_graph ? &meta : nullptr, o.alignment, files);
        if (o.write_state) history().record(prefix, o.latest_filename, files);
    } catch (...) {
        files.undo();
        if (new_directory) remove_empty_directory(directory);
        throw;
    }
    files.commit();
    if (o.write_state) history().remove_one();
    return prefix;
}

template <class Lazy> void Saver::write(const std::string& prefix, const std::string* meta, std::uint64_t alignment, FileTransaction& files) const {
    const bool sharded = options().sharded;
    std::vector<std::uint64_t> bytes(sharded ? detail::shards_of(variables()).size() : 1);
    std::uint64_t all = 0;
    detail::each_near(variables(), 0, [&](const SavedVariable& v) {
        const auto& value = v.variable.operation->state->value;
        if (value.dtype() != DType::string) bytes[sharded ? v.shard : 0] += value.bytes(), all += value.bytes();
    });
    BundleWriter writer(prefix, {.shards = static_cast<std::uint32_t>(bytes.size()), .alignment = alignment, .durable = files.durable(), .write_at_finish = all >= detail::least_for_two_threads});
    for (std::uint32_t s = 0; s < bytes.size(); ++s) writer.reserve(bytes[s], s);
    detail::each_near(variables(), 256, [&](const SavedVariable& v) {
        const auto& value = v.variable.operation->state->value;
        const auto shard = sharded ? v.shard : 0;
        if (const auto part = ShapeAndSlice::parse(v.slice)) writer.add_slice(v.key, part->shape, part->slice, value, shard);
        else writer.add(v.key, value, shard);
    });
    std::optional<Draft> graph;  // on the disk before the checkpoint comes to be
    if (meta) {
        graph.emplace(meta_name(prefix), files.durable());
        graph->append(*meta);
        graph->finish();
    }
    writer.finish(files, graph ? &*graph : nullptr);
}

template <class Lazy> RestoreReport Saver::restore(Session& session, const std::string& prefix, Restore how) const {
    if (variables().empty()) throw ValueError("[Saver] no variables to restore");
    auto report = detail::restore_variables(prefix, variables(), how);
    load_streams(graph(), session);
    return report;
}

template <class Lazy> RestoreReport Saver::compare(const std::string& prefix) const {
    std::vector<detail::RestoreStep> steps;
    return detail::plan_restore(BundleReader(prefix), variables(), steps);
}

template <class Lazy> proto::MetaGraphDef Saver::meta_graph() const {
    return tenon::meta_graph(graph(), variables(), {options().max_to_keep, options().keep_checkpoint_every_n_hours, options().sharded});
}

}  // namespace tenon
