// A Saver's part of a graph: nodes that write its variables to a checkpoint and read them back.
//
//     save/filename/input ─► save/filename ─► save/Const          the prefix, fed by whoever saves or restores
//     save/SaveV2 (prefix, tensor_names, shape_and_slices, variables...) ◄─ ^ ─ save/control_dependency
//     save/RestoreV2 (prefix, tensor_names, shape_and_slices) ─► save/Assign, save/Assign_1, ...  ◄─ ^ ─ save/restore_all
//
// Sharded, there is a SaveV2 and a RestoreV2 for each shard, and MergeV2Checkpoints makes one checkpoint of them. SaverDef names
// the nodes to feed, fetch and run. What a Saver saves is told by these nodes alone, so an importer finds it by walking them.
//
// Source    tensorflow/python/training/saver.py (BulkSaverBuilder), as TensorFlow 1.15 writes it
//
// Templates without a use for their parameter: a program that saves nothing compiles none of this.
#pragma once
#include "../base/hash_index.hpp"
#include "../graph/export.hpp"
#include "../run/variable.hpp"
#include "saver.hpp"
#include "slice.hpp"

namespace tenon {

namespace detail {

inline std::string tensor_name(const Output& o) { return o.operation->name + ":" + std::to_string(o.index); }
inline std::string input_name(const Output& o) { return o.index ? tensor_name(o) : o.operation->name; }

/// The operation that reads a variable for expressions and savers: "w/read", "w/Read/ReadVariableOp". Null if there is none.
template <class = void> std::shared_ptr<Operation> reader_of(const Graph& graph, const Operation& variable) {
    std::shared_ptr<Operation> found;
    for (const auto* suffix : {"/read", "/Read/ReadVariableOp"}) {
        if (found || !graph.contains(variable.name + suffix)) continue;
        const auto o = graph.get_operation_by_name(variable.name + suffix);
        const bool reads = (o->table->name == "Identity" || o->table->name == "ReadVariableOp") && !o->inputs.empty() && o->inputs[0].operation.get() == &variable;
        if (reads) found = o;
    }
    return found;
}

/// Appends nodes under a scope that the graph does not have yet.
template <class = void> class NodeWriter {
    proto::GraphDef& graph_;
    std::string scope_;
    HashIndex number_;  // of a name
    std::vector<std::pair<std::string, int>> used_;  // and how often it was

public:
    NodeWriter(proto::GraphDef& graph, const std::string& base) : graph_(graph) {
        const auto taken = [&](const std::string& name) {
            for (const auto& n : graph.node)
                if (n.name == name || (n.name.starts_with(name) && n.name[name.size()] == '/')) return true;
            return false;
        };
        scope_ = base;
        for (int i = 1; taken(scope_); ++i) scope_ = base + "_" + std::to_string(i);
        scope_ += "/";
    }
    /// "save/Assign", then "save/Assign_1", ...
    std::string name(const std::string& base) {
        const int k = number_.keep(hash_of(base), static_cast<int>(used_.size()), [&](int i) { return used_[static_cast<std::size_t>(i)].first == base; });
        if (k == static_cast<int>(used_.size())) used_.emplace_back(base, 0);
        const int n = used_[static_cast<std::size_t>(k)].second++;
        return scope_ + base + (n ? "_" + std::to_string(n) : "");
    }
    proto::NodeDef& add(std::string name, const char* op, std::vector<std::string> inputs) {
        auto& n = graph_.node.emplace_back();
        n.name = std::move(name);
        n.op = op;
        n.input = std::move(inputs);
        return n;
    }
    std::string constant(std::string name, const Tensor& value) {
        auto& n = add(name, "Const", {});
        n.attr["dtype"] = proto::attr_value(value.dtype());
        n.attr["value"] = proto::attr_value(proto::tensor_proto(value));
        return name;
    }
    std::string strings(std::string name, const std::vector<std::string>& list) { return constant(std::move(name), Tensor::of<std::string>({static_cast<std::int64_t>(list.size())}, std::span<const std::string>(list))); }
};

template <class = void> void colocate(proto::NodeDef& node, const std::string& with) { node.attr["_class"] = proto::attr_value(std::vector<std::string>{"loc:@" + with}); }

struct Shard {
    std::vector<const SavedVariable*> variables;
    std::vector<std::string> keys, slices;
    std::vector<DType> dtypes;
};
inline std::vector<Shard> shards_of(const std::vector<SavedVariable>& all) {
    std::vector<Shard> shards(1);
    for (const auto& v : all) {
        if (v.shard >= shards.size()) shards.resize(v.shard + std::size_t{1});
        auto& s = shards[v.shard];
        s.variables.push_back(&v);
        s.keys.push_back(v.key);
        s.slices.push_back(v.slice);
        s.dtypes.push_back(v.variable.dtype());
    }
    return shards;
}

}  // namespace detail

/// Adds the nodes that save and restore `variables`, whose own nodes are in `def`, and says what they are called. `reader` gives the name of
/// the node that reads a resource variable.
template <class Reader> proto::SaverDef write_saver_nodes(proto::GraphDef& def, const std::vector<SavedVariable>& variables, bool sharded, Reader reader) {
    using proto::attr_value;
    detail::NodeWriter<> w(def, "save");
    const auto text = [](const char* s) { return Tensor::scalar<std::string>(s); };
    const auto placeholder = [&](const char* name, const std::string& of) {
        auto& n = w.add(w.name(name), "PlaceholderWithDefault", {of});
        n.attr["dtype"] = attr_value(DType::string);
        n.attr["shape"] = attr_value(Dims{});
        return n.name;
    };
    const auto identity = [&](const char* name, std::vector<std::string> inputs) -> proto::NodeDef& {
        auto& n = w.add(w.name(name), "Identity", std::move(inputs));
        n.attr["T"] = attr_value(DType::string);
        return n;
    };
    const auto prefix = placeholder("Const", placeholder("filename", w.constant(w.name("filename/input"), text("model"))));
    proto::SaverDef saver{.filename_tensor_name = prefix + ":0", .sharded = sharded, .version = proto::SaverDef::Version::v2};
    const auto shards = detail::shards_of(variables);

    const auto save = [&](const detail::Shard& s, const std::string& to) {  // the file, once it is written
        const auto name = w.name("SaveV2");
        std::vector<std::string> inputs{to, w.strings(name + "/tensor_names", s.keys), w.strings(name + "/shape_and_slices", s.slices)};
        for (const auto* v : s.variables) inputs.push_back(v->variable.operation->table->name == "VarHandleOp" ? reader(v->variable) : v->variable.operation->name);
        w.add(name, "SaveV2", std::move(inputs)).attr["dtypes"] = attr_value(s.dtypes);
        auto& done = identity("control_dependency", {to, "^" + name});
        detail::colocate(done, to);
        return done.name;
    };
    if (!sharded) {
        saver.save_tensor_name = save(shards[0], prefix) + ":0";
    } else {
        // On S3, where renaming is copying, parts have another name.
        const auto on_s3 = w.name("StaticRegexFullMatch");
        w.add(on_s3, "StaticRegexFullMatch", {prefix}).attr["pattern"] = attr_value("^s3://.*");
        const auto flat = w.constant(w.name("Const"), text(".part")), nested = w.constant(w.name("Const"), text("_temp/part"));
        const auto suffix = w.name("Select"), parts = w.name("StringJoin");
        w.add(suffix, "Select", {on_s3, flat, nested}).attr["T"] = attr_value(DType::string);
        auto& join = w.add(parts, "StringJoin", {prefix, suffix});
        join.attr["N"] = attr_value(2);
        join.attr["separator"] = attr_value("");
        const auto count = w.constant(w.name("num_shards"), Tensor::scalar(static_cast<std::int32_t>(shards.size())));
        std::vector<std::string> files, after;
        for (std::size_t i = 0; i < shards.size(); ++i) {
            const auto file = w.name("ShardedFilename");
            w.add(file, "ShardedFilename", {parts, w.constant(file + "/shard", Tensor::scalar(static_cast<std::int32_t>(i))), count});
            files.push_back(file);
            after.push_back("^" + save(shards[i], file));
        }
        const auto merge = w.name("MergeV2Checkpoints");
        auto inputs = files;
        inputs.insert(inputs.end(), after.begin(), after.end());
        auto& list = w.add(merge + "/checkpoint_prefixes", "Pack", std::move(inputs));
        list.attr["T"] = attr_value(DType::string);
        list.attr["N"] = attr_value(static_cast<std::int64_t>(files.size()));
        list.attr["axis"] = attr_value(0);
        auto& merged = w.add(merge, "MergeV2Checkpoints", {merge + "/checkpoint_prefixes", prefix});
        merged.attr["delete_old_dirs"] = attr_value(true);
        merged.attr["allow_missing_files"] = attr_value(false);
        after.insert(after.begin(), {prefix, "^" + merge});
        saver.save_tensor_name = identity("Identity", std::move(after)).name + ":0";
    }

    std::vector<std::string> restored;
    for (const auto& s : shards) {
        const auto name = w.name("RestoreV2");
        w.add(name, "RestoreV2", {prefix, w.strings(name + "/tensor_names", s.keys), w.strings(name + "/shape_and_slices", s.slices)}).attr["dtypes"] = attr_value(s.dtypes);
        std::vector<std::string> assigned;
        for (std::size_t i = 0; i < s.keys.size(); ++i) {
            const auto& variable = *s.variables[i]->variable.operation;
            const auto value = name + (i ? ":" + std::to_string(i) : "");
            if (variable.table->name == "VarHandleOp") {
                auto& passed = identity("Identity", {value});
                passed.attr["T"] = attr_value(s.dtypes[i]);
                const auto from = passed.name;
                auto& n = w.add(w.name("AssignVariableOp"), "AssignVariableOp", {variable.name, from});
                n.attr["dtype"] = attr_value(s.dtypes[i]);
                assigned.push_back("^" + n.name);
            } else {
                auto& n = w.add(w.name("Assign"), "Assign", {variable.name, value});
                n.attr["T"] = attr_value(s.dtypes[i]);
                n.attr["use_locking"] = attr_value(true);
                n.attr["validate_shape"] = attr_value(true);
                detail::colocate(n, variable.name);
                assigned.push_back("^" + n.name);
            }
        }
        if (!sharded) restored = std::move(assigned);
        else restored.push_back("^" + w.add(w.name("restore_shard"), "NoOp", std::move(assigned)).name);
    }
    saver.restore_op_name = w.add(w.name("restore_all"), "NoOp", std::move(restored)).name;
    return saver;
}

namespace detail {

/// The strings that a constant holds; null if `o` is not one.
template <class = void> const Tensor* constant_strings(const Output& o) {
    auto at = o;
    while (at.operation->table->name == "Identity" && !at.operation->inputs.empty()) at = at.operation->inputs[0];
    if (at.operation->table->name != "Const" || !at.operation->table->supported) return nullptr;
    const auto& value = as<Const>(at.operation->op.get()).value;
    return value.dtype() == DType::string ? &value : nullptr;
}
template <class = void> std::string string_at(const Output& o, int i, const Operation& of) {
    const auto* const list = constant_strings(o);
    if (!list) throw FormatError("[Saver] " + describe(of) + " takes its names from " + describe(*o.operation) + ", which is no constant");
    if (i < 0 || i >= list->size()) throw FormatError(sentence("[Saver] ", describe(of), " has an output ", i, " and ", list->size(), " names"));
    return list->span<std::string>()[static_cast<std::size_t>(i)];
}
/// The operations behind an operation, itself first, through control edges, and through data edges if `data`.
template <class = void> std::vector<std::shared_ptr<Operation>> behind(const std::shared_ptr<Operation>& from, bool data) {
    std::vector<std::shared_ptr<Operation>> found{from};
    HashIndex seen;
    seen.insert(from.get());
    for (std::size_t i = 0; i < found.size(); ++i) {
        const auto o = found[i];
        for (const auto& c : o->controls) if (seen.insert(c.get())) found.push_back(c);
        if (data) for (const auto& in : o->inputs) if (seen.insert(in.operation.get())) found.push_back(in.operation);
    }
    return found;
}
inline std::string operation_part(const std::string& tensor) { return tensor.substr(0, tensor.rfind(':')); }

}  // namespace detail

/// What the nodes that `saver` names restore, in the order of the keys: a walk from the restore operation to the assignments, and from
/// these to RestoreV2 (or, of version 1, Restore and RestoreSlice) and the constants that name its tensors.
///
/// Errors    NameError if a node is not there; FormatError if the names of the tensors are no constants
template <class = void> std::vector<SavedVariable> read_saver_nodes(const Graph& graph, const proto::SaverDef& saver) {
    std::vector<SavedVariable> all;
    for (const auto& o : detail::behind(graph.get_operation_by_name(saver.restore_op_name), false)) {
        const auto& kind = o->table->name;
        if ((kind != "Assign" && kind != "AssignVariableOp") || o->inputs.size() != 2 || !o->inputs[0].operation->table->is_state) continue;
        auto from = o->inputs[1];
        while ((from.operation->table->name == "Identity" || from.operation->table->name == "Reshape") && !from.operation->inputs.empty()) from = from.operation->inputs[0];
        const auto& restore = *from.operation;
        const bool bulk = restore.table->name == "RestoreV2", v1_slice = restore.table->name == "RestoreSlice", v1 = restore.table->name == "Restore";
        if (restore.inputs.size() < (v1 ? 2u : 3u) || !(bulk || v1_slice || v1)) continue;
        const int i = bulk ? from.index : 0;
        all.push_back({detail::string_at(restore.inputs[1], i, restore), {o->inputs[0].operation, 0}, v1 ? "" : detail::string_at(restore.inputs[2], i, restore)});
    }
    if (saver.sharded && graph.contains(detail::operation_part(saver.save_tensor_name))) {
        HashIndex shard_of;
        int shards = 0;
        auto behind = detail::behind(graph.get_operation_by_name(detail::operation_part(saver.save_tensor_name)), true);
        std::sort(behind.begin(), behind.end(), [](const auto& a, const auto& b) { return a->name.size() != b->name.size() ? a->name.size() < b->name.size() : a->name < b->name; });  // SaveV2, SaveV2_1, ... SaveV2_10
        for (const auto& o : behind) {
            if (o->table->name != "SaveV2") continue;
            for (std::size_t i = 3; i < o->inputs.size(); ++i) if (const auto v = variable_of(o->inputs[i])) shard_of.keep(v.operation.get(), shards);
            ++shards;
        }
        for (auto& v : all) if (const int at = shard_of.find(v.variable.operation.get()); at != HashIndex::none) v.shard = static_cast<std::uint32_t>(at);
    }
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    return all;
}

}  // namespace tenon
