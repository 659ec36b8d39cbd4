// How graphs are imported from files. Programs include import_meta_graph.hpp.
#pragma once
#include "../graph/meta_file.hpp"
#include "builtin_ops.hpp"
#include "imported_model.hpp"
#include "saving.hpp"

namespace tenon {

namespace detail {

/// What collections say of variables.
inline void mark_trainable(const Graph& graph, const proto::MetaGraphDef& meta) {
    for (const auto& d : variable_defs(meta, "trainable_variables")) {
        const auto name = operation_part(d.variable_name);
        if (!graph.contains(name)) continue;
        const auto o = graph.get_operation_by_name(name);
        if (o->state) o->state->trainable = true;
    }
}
inline Saver saver_of(const Graph& graph, const proto::MetaGraphDef& meta) {
    SaverOptions options;
    if (const auto* const s = meta.saver_def ? &*meta.saver_def : nullptr) {
        options.max_to_keep = std::max(s->max_to_keep, 0);
        if (s->keep_checkpoint_every_n_hours > 0) options.keep_checkpoint_every_n_hours = static_cast<double>(s->keep_checkpoint_every_n_hours);
        options.sharded = s->sharded;
        if (graph.contains(s->restore_op_name)) return Saver::of(graph, read_saver_nodes(graph, *s), options);  // else its nodes were taken out
    }
    return Saver::of(graph, variables_to_save(graph), options);
}
/// What contradicts itself in a file is an error of that file.
inline Graph import_graph(std::shared_ptr<const Imported> file, OpIndex ops, const std::string& path) {
    try {
        return tenon::import_graph(std::move(file), ops);
    } catch (const Error& e) { throw FormatError(path + ": " + e.what()); }
}
inline ImportedModel imported(std::shared_ptr<const Imported> file, OpIndex ops, const std::string& path) {
    const auto graph = import_graph(std::move(file), ops, path);
    const auto& kept = *meta_graph_of(graph);
    try {
        mark_trainable(graph, kept);
        return {graph, saver_of(graph, kept)};
    } catch (const Error& e) { throw FormatError(path + ": " + e.what()); }
}

/// A `.meta` file in whichever format.
inline std::shared_ptr<const Imported> read_imported(const std::string& path) {
    auto bytes = read_file(path);
    switch (proto::format_of(bytes)) {
        case MetaFormat::binary: return std::make_shared<const Imported>(std::move(bytes), path);
        case MetaFormat::json: {
            NodeBytes nodes;
            nodes.reserve(bytes.size() / 2);  // most graphs need a third; what is not touched costs nothing
            auto rest = proto::from_json_but<proto::MetaGraphDef, &proto::GraphDef::node>(bytes, path, nodes);
            return std::make_shared<const Imported>(std::move(nodes), std::move(rest));
        }
        default: return std::make_shared<const Imported>(proto::read_meta(bytes, path));
    }
}

inline ImportedModel import_meta_graph(const std::string& path, OpIndex ops) { return imported(read_imported(path), ops, path); }

inline Graph import_graph_def(const std::string& path, OpIndex ops) {
    proto::MetaGraphDef meta;
    meta.graph_def.emplace() = proto::read_graph(read_file(path), path);
    return import_graph(std::make_shared<const Imported>(std::move(meta)), ops, path);
}

inline ImportedModel import_saved_model(const std::string& directory, std::vector<std::string> tags, OpIndex ops) {
    const auto binary = join_path(directory, "saved_model.pb"), text = join_path(directory, "saved_model.pbtxt");
    const auto& path = file_exists(binary) || !file_exists(text) ? binary : text;
    auto model = proto::read_saved_model(read_file(path), path);
    const auto sorted = [](std::vector<std::string> list) {
        std::sort(list.begin(), list.end());
        return list;
    };
    std::string there;
    for (auto& meta : model.meta_graphs) {
        const auto has = meta.meta_info_def ? meta.meta_info_def->tags : std::vector<std::string>{};
        if (sorted(has) == sorted(tags)) {
            auto result = imported(std::make_shared<const Imported>(std::move(meta)), ops, path);
            const auto values = join_path(directory, "variables/variables");
            if (!result.saver.variables().empty()) restore_variables(values, result.saver.variables());
            return result;
        }
        there += there.empty() ? "" : "; ";
        for (const auto& t : has) there += (&t == &has.front() ? "" : ", ") + t;
    }
    std::string wanted;
    for (const auto& t : tags) wanted += (wanted.empty() ? "" : ", ") + t;
    throw NameError(path + ": no graph has the tags " + wanted + "; there are: " + there);
}

/// The operation that gives a variable its first value.
inline std::shared_ptr<Operation> initializer_of(const Graph& graph, const std::string& variable) {
    if (const auto* const meta = meta_graph_of(graph))
        for (const auto* collection : {"variables", "local_variables"})
            for (const auto& d : variable_defs(*meta, collection))
                if (operation_part(d.variable_name) == variable && graph.contains(d.initializer_name)) return graph.get_operation_by_name(d.initializer_name);
    if (graph.contains(variable + "/Assign")) return graph.get_operation_by_name(variable + "/Assign");
    throw NameError("[initialize] the graph has no initialiser of the variable '" + variable + "'");
}
inline void assign(const Graph& graph, const std::string& variable, const Tensor& value) {
    const auto o = graph.get_operation_by_name(variable);
    if (!o->state) throw NameError("[assign] " + describe(*o) + " is not a variable");
    if (value.dtype() != o->table->dtype) throw TypeError(sentence("[assign] ", describe(*o), " is ", o->table->dtype, ", the value ", value.dtype()));
    auto& state = *o->state;
    const auto& dims = state.value ? state.value.dims() : o->results[0].dims;
    if (!compatible(dims, value.dims())) throw ShapeError(sentence("[assign] ", describe(*o), " is ", dims, ", the value ", value.dims()));
    if (state.value) state.value.assign(value);  // in place: plans know the address
    else state.value = value.clone();
    state.initialized = true;
}
inline void initialize(Session& session, const Graph& graph, const std::vector<std::string>& variables) {
    std::vector<Output> all;
    for (const auto& v : variables) all.push_back({initializer_of(graph, v), 0});
    if (!all.empty()) session.run_all(all);
}

}  // namespace detail
}  // namespace tenon
