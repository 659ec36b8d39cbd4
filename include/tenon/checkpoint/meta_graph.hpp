// From a graph to the MetaGraphDef that TensorFlow imports, restores, and goes on training.
//
//     graph_def            every operation, and the nodes of its savers
//     saver_def            which nodes save and restore
//     collection_def       variables, trainable_variables: a VariableDef each; train_op: roots that change variables
//
// Of an imported graph everything else stays as it came: its collections, to which new variables are added, its other savers, its signatures, fields
// that are not known here.
#pragma once
#include "saver_nodes.hpp"

#include <deque>

namespace tenon {

/// The message that an imported graph came from, without its nodes; null for a program's own graph.
inline const proto::MetaGraphDef* meta_graph_of(const Graph& graph) {
    const auto* const file = imported_of(graph);
    return file ? &file->meta : nullptr;
}

/// The variables that a collection of an imported graph lists; entries that do not parse are passed over, as collections are hints.
template <class = void> std::vector<proto::VariableDef> variable_defs(const proto::MetaGraphDef& meta, std::string_view collection) {
    std::vector<proto::VariableDef> all;
    const auto* const list = meta.collection_def.find(collection);
    if (!list || !list->bytes_list) return all;
    for (const auto& bytes : list->bytes_list->value) {
        try {
            all.push_back(proto::decode<proto::VariableDef>(bytes, collection));
        } catch (const FormatError&) {}
    }
    return all;
}

namespace detail {

/// TensorFlow's rule: [A-Za-z0-9.][A-Za-z0-9_.\-/>]*
inline bool valid_node_name(std::string_view name) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.'; };
    return !name.empty() && letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || c == '_' || c == '-' || c == '/' || c == '>'; });
}
template <class = void> void check_names(const Graph& graph) {
    std::string bad;
    for (const auto& o : graph.operations())
        if (!o->origin && !valid_node_name(o->name)) bad += (bad.empty() ? "'" : ", '") + o->name + "'";
    if (!bad.empty()) throw NameError("[Saver] names that TensorFlow does not allow, which are ASCII letters, digits and _.-/>: " + bad);
}

/// What collections and savers need to know of variables, and the nodes that they need besides.
template <class = void> class VariableNodes {
    const Graph& graph_;
    proto::GraphDef& def_;
    HashIndex reader_of_;
    std::deque<std::string> readers_;

public:
    VariableNodes(const Graph& graph, proto::GraphDef& def) : graph_(graph), def_(def) {}
    /// The node that reads it; made if nobody reads it, as is the case for the slots of optimisers.
    const std::string& reader(const Operation& variable) {
        const auto at = static_cast<std::size_t>(reader_of_.keep(&variable, static_cast<int>(readers_.size())));
        if (at < readers_.size()) return readers_[at];
        if (const auto o = reader_of(graph_, variable)) return readers_.emplace_back(o->name);
        const bool handle = variable.table->name == "VarHandleOp";
        const auto base = variable.name + (handle ? "/Read/ReadVariableOp" : "/read");
        auto name = base;
        for (int i = 1; graph_.contains(name); ++i) name = base + "_" + std::to_string(i);
        auto& n = def_.node.emplace_back();
        n.name = name;
        n.op = handle ? "ReadVariableOp" : "Identity";
        n.input.push_back(variable.name);
        n.attr[handle ? "dtype" : "T"] = proto::attr_value(variable.table->dtype);
        return readers_.emplace_back(std::move(name));
    }
    /// Of a program's variable.
    proto::VariableDef describe(const Operation& v) {
        return {.variable_name = v.name + ":0", .initializer_name = initializer(v), .snapshot_name = reader(v) + ":0", .is_resource = v.table->name == "VarHandleOp",
                .initial_value_name = tensor_name(v.state->initial), .trainable = v.state->trainable};
    }

private:
    std::string initializer(const Operation& v) const {
        for (const auto& o : graph_.operations())
            if (o->table->initialises && o->inputs.size() == 2 && o->inputs[0].operation.get() == &v && o->inputs[1] == v.state->initial) return o->name;
        throw NameError("[Saver] " + tenon::describe(v) + " has no initialiser in the graph");
    }
};

template <class = void> void add_bytes(proto::MetaGraphDef& meta, const char* collection, std::string bytes) {
    auto& c = meta.collection_def[collection];
    if (!c.bytes_list) c = {.bytes_list = proto::CollectionDef::BytesList{}};
    c.bytes_list->value.push_back(std::move(bytes));
}
template <class = void> void add_name(proto::MetaGraphDef& meta, const char* collection, const std::string& name) {
    auto& c = meta.collection_def[collection];
    if (!c.node_list) c = {.node_list = proto::CollectionDef::NodeList{}};
    auto& list = c.node_list->value;
    if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
}

}  // namespace detail

/// The variables of a graph under their names, in their order: those of a program, and of an import those that its collection `variables` lists, parts of
/// partitioned ones under the name of the whole. All of an import that has no such collection.
template <class = void> std::vector<SavedVariable> variables_to_save(const Graph& graph) {
    std::vector<proto::VariableDef> listed;
    if (const auto* const meta = meta_graph_of(graph)) listed = variable_defs(*meta, "variables");
    HashIndex by_name;
    const auto find = [&](const std::string& name) { return by_name.find(hash_of(name), [&](int i) { return detail::operation_part(listed[static_cast<std::size_t>(i)].variable_name) == name; }); };
    for (std::size_t i = 0; i < listed.size(); ++i)
        if (const auto name = detail::operation_part(listed[i].variable_name); find(name) == HashIndex::none) by_name.add(hash_of(name), static_cast<int>(i));
    std::vector<SavedVariable> all;
    for (const auto& v : graph.variables()) {
        const int at = find(v.operation->name);
        if (at == HashIndex::none) {
            if (listed.empty() || !v.operation->origin) all.push_back({v.operation->name, v});
            continue;
        }
        const auto& info = listed[static_cast<std::size_t>(at)].save_slice_info_def;
        if (!info) {
            all.push_back({v.operation->name, v});
            continue;
        }
        const auto& part = *info;
        ShapeAndSlice s{part.full_shape, {}};
        for (std::size_t i = 0; i < part.var_offset.size() && i < part.var_shape.size(); ++i) s.slice.axes.push_back({part.var_offset[i], part.var_shape[i]});
        all.push_back({part.full_name, v, s.text()});
    }
    return all;
}

struct MetaGraphOptions {
    int max_to_keep = 5;
    double keep_checkpoint_every_n_hours = 10000;
    bool sharded = false;
};

/// The graph with a saver of `variables`. If the graph was imported with a saver of just these, that one stays the graph's saver.
///
/// Errors    NameError for names that TensorFlow does not allow
template <class = void> proto::MetaGraphDef meta_graph(const Graph& graph, const std::vector<SavedVariable>& variables, const MetaGraphOptions& options = {}) {
    detail::check_names(graph);
    proto::MetaGraphDef meta;
    const auto* const imported = meta_graph_of(graph);
    if (imported) {  // all but the graph
        meta.meta_info_def = imported->meta_info_def;
        meta.saver_def = imported->saver_def;
        meta.collection_def = imported->collection_def;
        meta.signature_def = imported->signature_def;
        meta.asset_file_def = imported->asset_file_def;
        meta.unknown = imported->unknown;
    }
    auto& def = meta.graph_def.emplace();
    def = export_graph(graph);
    detail::VariableNodes<> nodes(graph, def);
    for (const auto& v : graph.variables()) {
        if (v.operation->origin || !v.operation->state || !v.operation->state->initial) continue;
        const auto bytes = proto::encode(nodes.describe(*v.operation));
        detail::add_bytes(meta, "variables", bytes);
        if (v.operation->state->trainable) detail::add_bytes(meta, "trainable_variables", bytes);
    }
    for (const auto& root : graph.roots())
        if (root && (root.operation->results.empty() || root.operation->table->writes > 0) && !root.operation->origin) detail::add_name(meta, "train_op", root.operation->name);

    bool same = false;
    // A saver of version 1 restores with ops that cannot read what is written here.
    if (meta.saver_def && meta.saver_def->version == proto::SaverDef::Version::v2 && meta.saver_def->sharded == options.sharded && graph.contains(meta.saver_def->restore_op_name) && graph.contains(detail::operation_part(meta.saver_def->save_tensor_name))) {
        try {
            same = read_saver_nodes(graph, *meta.saver_def) == variables;
        } catch (const FormatError&) {}
    }
    if (!same && !variables.empty()) meta.saver_def = write_saver_nodes(def, variables, options.sharded, [&](const Output& v) { return nodes.reader(*v.operation); });
    if (meta.saver_def) {
        meta.saver_def->max_to_keep = options.max_to_keep;
        meta.saver_def->keep_checkpoint_every_n_hours = static_cast<float>(options.keep_checkpoint_every_n_hours);
    }
    return meta;
}

}  // namespace tenon
