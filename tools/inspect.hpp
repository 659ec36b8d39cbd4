// `tenon inspect`: what a checkpoint and a graph hold. The facts are gathered once, as the JSON that --json prints (docs/tool.md describes it); the
// tables for people are printed from it.
#pragma once
#include "columns.hpp"
#include "likely_outputs.hpp"
#include "model_files.hpp"

#include <tenon/checkpoint/importing.hpp>

#include <nlohmann/json.hpp>

#include <iostream>
#include <map>
#include <unordered_set>

namespace tenon::tool {

using Json = nlohmann::ordered_json;

namespace detail {

/// Extents as a list, -1 where one is unknown; null if not even their number is known.
inline Json shape_json(const Dims& d) {
    if (!d.ranked()) return nullptr;
    Json list = Json::array();
    for (const auto e : d) list.push_back(e);
    return list;
}
inline std::string shape_text(const Json& shape) {
    if (shape.is_null()) return "[...]";
    std::string s = "[";
    for (const auto& e : shape) s += (s.size() > 1 ? "," : "") + (e == -1 ? std::string("dyn") : std::to_string(e.get<std::int64_t>()));
    return s + "]";
}
inline Json dtype_json(DType t) { return t == DType::invalid ? Json() : Json(std::string(tenon::name_of(t))); }
inline std::string text(const Json& value) { return value.is_null() ? "?" : value.get<std::string>(); }

inline Json checkpoint_json(const std::string& prefix) {
    const BundleReader reader(prefix);
    Json variables = Json::array();
    std::uint64_t bytes = 0, elements = 0;
    for (const auto& t : reader.tensors()) {
        Json v{{"name", t.name}, {"dtype", tenon::name_of(t.dtype)}, {"shape", t.shape}, {"bytes", t.bytes()}};
        if (t.sliced) v["parts"] = t.parts.size();
        bytes += t.bytes();
        elements += static_cast<std::uint64_t>(t.size());
        variables.push_back(std::move(v));
    }
    return {{"prefix", prefix}, {"version", reader.version()}, {"shards", reader.shards()}, {"tensors", reader.tensors().size()}, {"elements", elements}, {"bytes", bytes}, {"variables", variables}};
}

inline Json tensor_json(const Output& o) {
    const auto dims = o.dims().ranked() ? o.dims() : hinted_dims(o);
    return {{"name", o.operation->name + ":" + std::to_string(o.index)}, {"op", o.operation->table->name}, {"dtype", dtype_json(o.dtype())}, {"shape", shape_json(dims)}};
}
inline Json infos_json(const proto::Map<proto::TensorInfo>& infos) {
    Json all = Json::object();
    for (const auto& [key, info] : infos) {
        Json shape;
        try {
            if (info.tensor_shape) shape = shape_json(proto::dims_of(*info.tensor_shape));
        } catch (const ShapeError&) {}
        all[key] = {{"name", info.name.value_or("")}, {"dtype", dtype_json(info.dtype)}, {"shape", shape}};
    }
    return all;
}
inline Json savers_json(const Graph& graph, const proto::MetaGraphDef& meta) {
    std::vector<proto::SaverDef> savers;
    if (meta.saver_def) savers.push_back(*meta.saver_def);
    if (const auto* const listed = meta.collection_def.find("savers"); listed && listed->bytes_list)
        for (const auto& bytes : listed->bytes_list->value) {
            try {
                auto s = proto::decode<proto::SaverDef>(bytes, "savers");
                if (std::none_of(savers.begin(), savers.end(), [&](const auto& other) { return other.restore_op_name == s.restore_op_name; })) savers.push_back(std::move(s));
            } catch (const FormatError&) {}  // collections are hints
        }
    Json all = Json::array();
    for (const auto& s : savers) {
        Json restores;
        try {
            restores = read_saver_nodes(graph, s).size();
        } catch (const Error&) {}
        all.push_back({{"restore_op", s.restore_op_name}, {"save_tensor", s.save_tensor_name}, {"filename_tensor", s.filename_tensor_name}, {"restores", restores},
                       {"version", static_cast<int>(s.version)}, {"sharded", s.sharded}, {"max_to_keep", s.max_to_keep}});
    }
    return all;
}
inline Json variables_json(const Graph& graph, const proto::MetaGraphDef& meta) {
    std::unordered_set<std::string> trainable;
    for (const auto& d : variable_defs(meta, "trainable_variables")) trainable.insert(tenon::detail::operation_part(d.variable_name));
    Json all = Json::array();
    for (const auto& v : graph.variables()) {
        auto row = tensor_json(v);
        row["name"] = v.operation->name;
        row["dtype"] = dtype_json(v.operation->table->dtype);
        row["trainable"] = trainable.contains(v.operation->name);
        all.push_back(std::move(row));
    }
    return all;
}
/// Ops that cannot be run, by name and reason; `needed` is how many of them the likely outputs need.
inline Json unsupported_json(const Graph& graph, const std::vector<Output>& outputs) {
    std::unordered_set<const Operation*> needed;
    for (const auto& o : topological(outputs)) needed.insert(o.get());
    struct Row {
        std::uint64_t count = 0, needed = 0;
        std::string example;
    };
    std::map<std::pair<std::string, std::string>, Row> rows;
    for (const auto& o : graph.operations()) {
        if (o->table->supported) continue;
        auto& row = rows[{std::string(o->table->name), std::string(o->table->reason)}];
        if (!row.count++) row.example = o->name;
        row.needed += needed.contains(o.get());
    }
    Json all = Json::array();
    for (const auto& [key, row] : rows)
        all.push_back({{"op", key.first}, {"count", row.count}, {"needed", row.needed}, {"reason", key.second.empty() ? "no such op" : key.second}, {"example", row.example}});
    return all;
}

inline Json graph_json(proto::MetaGraphDef meta_graph, const std::string& path) {
    Json g;
    const auto graph = tenon::detail::import_graph(std::make_shared<const Imported>(std::move(meta_graph)), builtin_ops(), path);
    const auto& meta = *meta_graph_of(graph);
    const auto& def = *meta.graph_def;
    g["nodes"] = graph.operations().size();
    g["functions"] = def.library ? def.library->function.size() : 0;
    g["producer"] = def.versions ? def.versions->producer : def.version;
    g["tensorflow"] = meta.meta_info_def ? meta.meta_info_def->tensorflow_version : "";
    g["tags"] = meta.meta_info_def ? meta.meta_info_def->tags : std::vector<std::string>();
    std::map<std::string, std::uint64_t> counts;
    for (const auto& o : graph.operations()) ++counts[std::string(o->table->name)];
    std::vector<std::pair<std::string, std::uint64_t>> by_count(counts.begin(), counts.end());
    std::stable_sort(by_count.begin(), by_count.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    g["ops"] = Json::object();
    for (const auto& [op, n] : by_count) g["ops"][op] = n;
    g["placeholders"] = Json::array();
    for (const auto& o : graph.operations()) if (is_placeholder(*o) && !o->results.empty()) g["placeholders"].push_back(tensor_json({o, 0}));
    const auto outputs = likely_outputs(graph);
    g["likely_outputs"] = Json::array();
    for (const auto& o : outputs) g["likely_outputs"].push_back(tensor_json(o));
    g["signatures"] = Json::object();
    for (const auto& [key, s] : meta.signature_def) g["signatures"][key] = {{"method", s.method_name}, {"inputs", infos_json(s.inputs)}, {"outputs", infos_json(s.outputs)}};
    g["savers"] = savers_json(graph, meta);
    g["variables"] = variables_json(graph, meta);
    g["unsupported"] = unsupported_json(graph, outputs);
    return g;
}

inline void print_tensors(std::ostream& out, const std::string& title, const Json& list) {
    if (list.empty()) return;
    Columns table("lll");
    for (const auto& t : list) table.add({t["name"], text(t["dtype"]), shape_text(t["shape"])});
    out << '\n' << title << '\n';
    table.print(out);
}
inline void print_checkpoint(std::ostream& out, const Json& c) {
    out << printable(c["prefix"].get<std::string>()) << ": checkpoint of version " << c["version"] << ", " << counted(c["tensors"], "tensor") << " in " << counted(c["shards"], "shard") << '\n';
    if (c["variables"].empty()) return;
    Columns table("lllrl");
    table.add({"variable", "dtype", "shape", "bytes"});
    for (const auto& v : c["variables"])
        table.add({v["name"], v["dtype"], shape_text(v["shape"]), std::to_string(v["bytes"].get<std::uint64_t>()), v.contains("parts") ? counted(v["parts"], "part") : ""});
    table.add({"total", "", counted(c["elements"], "element"), std::to_string(c["bytes"].get<std::uint64_t>())});
    table.print(out);
}
inline void print_graph(std::ostream& out, const Json& g) {
    out << "  " << counted(g["nodes"], "node") << ", " << counted(g["functions"], "function") << ", producer " << g["producer"];
    if (!g["tensorflow"].get<std::string>().empty()) out << ", TensorFlow " << printable(g["tensorflow"].get<std::string>());
    for (const auto& tag : g["tags"]) out << ", tag " << printable(tag.get<std::string>());
    out << '\n';
    std::vector<std::pair<std::string, std::uint64_t>> counts;
    for (const auto& [op, n] : g["ops"].items()) counts.emplace_back(op, n.get<std::uint64_t>());
    if (!counts.empty()) out << "\nops (" << counts.size() << " kinds)\n";
    print_counts(out, counts);
    Json placeholders = Json::array();
    for (const auto& p : g["placeholders"]) if (p["op"] != "PlaceholderWithDefault" || p["dtype"] != "string") placeholders.push_back(p);  // else a saver's file name
    print_tensors(out, "placeholders", placeholders);
    print_tensors(out, "likely outputs", g["likely_outputs"]);
    for (const auto& [key, s] : g["signatures"].items()) {
        out << "\nsignature " << printable(key) << " (" << printable(s["method"].get<std::string>()) << ")\n";
        Columns table("lllll");
        for (const auto* side : {"inputs", "outputs"})
            for (const auto& [name, t] : s[side].items()) table.add({std::string(side, std::string_view(side).size() - 1), name, t["name"], text(t["dtype"]), shape_text(t["shape"])});
        table.print(out);
    }
    if (!g["savers"].empty()) {
        Columns table("lll");
        for (const auto& s : g["savers"])
            table.add({s["restore_op"], s["filename_tensor"],
                       (s["restores"].is_null() ? "restores nobody knows what" : "restores " + counted(s["restores"], "variable")) + (s["version"] == 2 ? "" : ", version 1") +
                           (s["sharded"] ? ", sharded" : "")});
        out << "\nsavers\n";
        table.print(out);
    }
    Columns trainable("lll"), others("lll");
    for (const auto& v : g["variables"]) (v["trainable"] ? trainable : others).add({v["name"], text(v["dtype"]), shape_text(v["shape"])});
    for (const auto& [title, table] : {std::pair("trainable variables", &trainable), std::pair("other variables", &others)}) {
        if (table->empty()) continue;
        out << '\n' << title << '\n';
        table->print(out);
    }
    out << "\nunsupported ops" << (g["unsupported"].empty() ? ": none\n" : "\n");
    Columns table("lrll");
    for (const auto& u : g["unsupported"])
        table.add({u["op"], std::to_string(u["count"].get<std::uint64_t>()), u["needed"] == 0 ? "not needed by the likely outputs" : u["needed"].dump() + " needed by the likely outputs",
                   u["reason"]});
    table.print(out);
}

}  // namespace detail

inline int inspect(const std::string& path, bool as_json) {
    const auto model = find_model(path);
    Json facts{{"path", path}, {"checkpoint", nullptr}, {"graph_file", nullptr}, {"graphs", Json::array()}};
    std::vector<std::string> defects;
    const auto part = [&](auto read) {  // one that is damaged leaves the other to be seen
        try {
            read();
        } catch (const Error& e) { defects.emplace_back(e.what()); }
    };
    if (model.has_checkpoint()) part([&] { facts["checkpoint"] = detail::checkpoint_json(model.prefix); });
    if (model.has_graph())
        part([&] {
            auto file = read_graph_file(model.graph);
            facts["graph_file"] = {{"path", file.path}, {"format", name_of(file.format)}, {"message", name_of(file.kind)}};
            for (auto& g : file.content.meta_graphs) part([&] { facts["graphs"].push_back(detail::graph_json(std::move(g), file.path)); });
        });
    if (as_json) std::cout << facts.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
    else {
        if (!facts["checkpoint"].is_null()) detail::print_checkpoint(std::cout, facts["checkpoint"]);
        if (const auto& file = facts["graph_file"]; !file.is_null())
            std::cout << (facts["checkpoint"].is_null() ? "" : "\n") << printable(file["path"].get<std::string>()) << ": " << file["message"].get<std::string>() << ", "
                      << file["format"].get<std::string>() << '\n';
        for (const auto& g : facts["graphs"]) detail::print_graph(std::cout, g);
    }
    for (const auto& d : defects) std::cerr << "tenon: " << d << '\n';
    return defects.empty() ? 0 : 1;
}

}  // namespace tenon::tool
