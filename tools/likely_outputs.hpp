// Which tensors of a graph somebody will want to fetch: a guess, since graphs do not say. Without the nodes that train, save and summarise, these are
//
//     x ─► layers ─► last layer ─► softmax     what the last layers give, those after which no variable is read, and activations of it;
//                        │
//          labels ─► loss ─► mean              what nothing reads that does not train; and what is called "logits", "output" and the like.
#pragma once
#include <tenon/expr/graph.hpp>

#include <unordered_map>

namespace tenon::tool {

inline bool is_placeholder(const Operation& o) { return o.table->name == "Placeholder" || o.table->name == "PlaceholderV2" || o.table->name == "PlaceholderWithDefault"; }

namespace detail {

template <class... S> bool one_of(std::string_view s, const S&... list) { return ((s == list) || ...); }
/// Whether a part of the name between slashes is "gradients" or "gradients_3".
inline bool in_gradients(std::string_view name) {
    while (true) {
        const auto part = name.substr(0, name.find('/'));
        if (part.starts_with("gradients") && part.substr(9).find_first_not_of("_0123456789") == part.npos) return true;
        if (part.size() == name.size()) return false;
        name.remove_prefix(part.size() + 1);
    }
}
inline bool saves(const Operation& o) {
    const auto n = o.table->name;
    return one_of(n, "Save", "SaveSlices", "SaveV2", "Restore", "RestoreSlice", "RestoreV2", "ShardedFilename", "ShardedFilespec", "MergeV2Checkpoints", "StaticRegexFullMatch", "StringJoin");
}
inline bool changes_state(const Operation& o) {
    const auto n = o.table->name;
    return n.starts_with("Apply") || n.starts_with("ResourceApply") || n.starts_with("SparseApply") || n.starts_with("ResourceSparseApply") || n.starts_with("Assign") ||
           n.starts_with("Scatter") || n.starts_with("ResourceScatter");
}
inline bool reports(const Operation& o) {
    const auto n = o.table->name;
    return n.ends_with("Summary") || n.ends_with("SummaryV2") || one_of(n, "Assert", "Print", "PrintV2", "NoOp", "IsVariableInitialized", "VarIsInitializedOp");
}

/// The last part of the name without its number, "logits" of "model/logits_1".
inline bool called_output(std::string_view name) {
    name.remove_prefix(name.rfind('/') + 1);
    if (const auto end = name.find_last_not_of("0123456789"); end != name.npos && name[end] == '_') name = name.substr(0, end);
    std::string lower(name);
    for (auto& c : lower) if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 'a' - 'A');
    return one_of(lower, "output", "outputs", "logits", "prediction", "predictions", "pred", "probabilities", "probability", "probs", "scores", "softmax");
}
inline bool activates(const Operation& o) { return one_of(o.table->name, "Softmax", "LogSoftmax", "Sigmoid", "Tanh", "ArgMax"); }
inline bool passes(const Operation& o) {
    return one_of(o.table->name, "Identity", "Reshape", "Squeeze", "MaxPool", "AvgPool", "Relu", "Relu6", "Elu", "LeakyRelu", "Softplus", "DepthToSpace", "Transpose");
}

}  // namespace detail

/// In the order of the graph.
inline std::vector<Output> likely_outputs(const Graph& graph) {
    const auto& all = graph.operations();  // inputs first
    const auto n = all.size();
    std::unordered_map<const Operation*, std::size_t> number;
    for (std::size_t i = 0; i < n; ++i) number.emplace(all[i].get(), i);
    const auto source_of = [&](const Output& o) { return number.at(o.operation.get()); };
    std::vector<std::vector<std::size_t>> readers(n);
    for (std::size_t i = 0; i < n; ++i)
        for (const auto& in : all[i]->inputs) readers[source_of(in)].push_back(i);

    // Backwards: what names files (all that only saving and restoring read), and what only updates of variables read.
    std::vector<char> filing(n), updating(n);
    for (auto i = n; i-- > 0;) {
        const auto& o = *all[i];
        const auto only = [&](const std::vector<char>& of) { return !readers[i].empty() && std::all_of(readers[i].begin(), readers[i].end(), [&](auto r) { return of[r]; }); };
        const bool text = !o.results.empty() && o.results[0].dtype == DType::string;
        filing[i] = detail::saves(o) || (text && ((o.table->name == "Identity" && !o.controls.empty()) || only(filing)));
        updating[i] = detail::changes_state(o) || only(updating);
    }
    const bool trained = !graph.variables().empty();
    const auto is_weight = [&](Output o) {
        while ((o.operation->table->name == "Identity" || o.operation->table->name == "ReadVariableOp") && !o.operation->inputs.empty()) o = o.operation->inputs[0];
        return trained ? o.operation->table->is_state : o.operation->table->name == "Const" && is_floating(o.dtype()) && o.dims().rank > 0;
    };
    std::vector<char> forward(n), learned(n), layer(n), wanted(n);
    for (std::size_t i = 0; i < n; ++i) {
        const auto& o = *all[i];
        if (filing[i] || updating[i] || detail::in_gradients(o.name) || detail::reports(o) || detail::one_of(o.table->name, "Shape", "ShapeN", "Size", "Rank")) continue;
        forward[i] = is_placeholder(o);
        for (const auto& in : o.inputs) {
            const auto from = source_of(in);
            forward[i] |= forward[from];
            learned[i] |= forward[from] && learned[from];
            layer[i] |= is_weight(in);
        }
        layer[i] = layer[i] && forward[i] && !is_placeholder(o);
        learned[i] |= layer[i];
    }
    std::vector<char> followed(n);  // by a layer
    for (auto i = n; i-- > 0;) {
        if (!learned[i] || all[i]->results.empty()) continue;
        bool last = true, passed = true;
        for (const auto r : readers[i]) {
            if (!forward[r]) continue;
            followed[i] |= layer[r] || followed[r];
            passed &= detail::passes(*all[r]) != 0;
            last = false;
        }
        wanted[i] = last || detail::called_output(all[i]->name) || (layer[i] && !followed[i] && !passed);
    }
    std::vector<char> trails(layer);  // a last layer, or what only activates and reshapes it
    for (std::size_t i = 0; i < n; ++i) {
        const auto& o = *all[i];
        if (!learned[i] || followed[i] || o.inputs.empty() || !(detail::activates(o) || detail::passes(o))) continue;
        trails[i] |= trails[source_of(o.inputs[0])];
        if (trails[i] && !std::all_of(readers[i].begin(), readers[i].end(), [&](auto r) { return !forward[r] || detail::passes(*all[r]); })) wanted[i] = 1;
    }
    for (auto i = n; i-- > 0;)
        if (wanted[i] && detail::activates(*all[i]))
            if (const auto from = source_of(all[i]->inputs[0]); learned[from]) wanted[from] = 1;
    std::vector<Output> found;
    for (std::size_t i = 0; i < n; ++i) if (wanted[i]) found.push_back({all[i], 0});
    return found;
}

}  // namespace tenon::tool
