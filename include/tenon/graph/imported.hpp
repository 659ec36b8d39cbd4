// What an import keeps of its file: nodes as their bytes, decoded when somebody asks, and the rest of the message.
//
//     bytes   the file's, of which each node is a part; or, of a file that is not binary, the nodes as binary ones have them
//     nodes   where each NodeDef begins and ends; an imported operation's `origin` is its row
//
// A node as a NodeDef takes five times its bytes, in pieces. All bytes were checked when the file was read.
#pragma once
#include "../expr/graph.hpp"
#include "../io/fields.hpp"
#include "meta_graph_def.hpp"

#include <optional>

namespace tenon {

/// NodeDefs as binary files have them, one behind the other.
class NodeBytes {
    proto::detail::Encoder encoder_;
    std::string bytes_;
    std::vector<std::size_t> ends_;
    friend struct Imported;

public:
    void reserve(std::size_t bytes) { bytes_.reserve(bytes); }
    void clear() {
        bytes_.clear();
        ends_.clear();
    }
    void add(const proto::NodeDef& node) {
        bytes_ += encoder_.encode(node);
        ends_.push_back(bytes_.size());
    }
};

struct Imported {
    std::string bytes;
    std::vector<std::string_view> nodes{};
    proto::MetaGraphDef meta{};  ///< without its nodes; there is a graph_def

    /// Of a binary `.meta` file; `name` says in errors where it comes from.
    ///
    /// Errors    FormatError
    Imported(std::string file, std::string_view name) : bytes(std::move(file)) {
        meta = proto::decode_but<proto::MetaGraphDef, &proto::GraphDef::node>(bytes, name, nodes);
        if (!meta.graph_def) meta.graph_def.emplace();
    }
    /// Of nodes and a message without them.
    Imported(NodeBytes list, proto::MetaGraphDef&& rest) : bytes(std::move(list.bytes_)), meta(std::move(rest)) {
        if (!meta.graph_def) meta.graph_def.emplace();
        nodes.reserve(list.ends_.size());
        std::size_t from = 0;
        for (const auto end : list.ends_) {
            nodes.push_back(std::string_view(bytes).substr(from, end - from));
            from = end;
        }
    }
    /// Of a message, whose nodes are taken out of it.
    ///
    /// Errors    FormatError for a node that no file could hold
    explicit Imported(proto::MetaGraphDef whole) : Imported(taken_out(whole), std::move(whole)) {}
    Imported(const Imported&) = delete;
    Imported& operator=(const Imported&) = delete;
    ~Imported() = default;

    /// The message with its nodes.
    proto::MetaGraphDef whole() const {
        auto all = meta;
        for (const auto& node : nodes) all.graph_def->node.push_back(proto::decode<proto::NodeDef>(node));
        return all;
    }

private:
    static NodeBytes taken_out(proto::MetaGraphDef& whole) {
        NodeBytes list;
        if (!whole.graph_def) return list;
        for (const auto& node : whole.graph_def->node) {
            list.add(node);
            const auto from = list.ends_.size() > 1 ? list.ends_.end()[-2] : 0;
            proto::check<proto::NodeDef>(std::string_view(list.bytes_).substr(from), "node '" + node.name + "'");
        }
        whole.graph_def->node = {};
        return list;
    }
};
/// What an imported graph keeps of its file; null for a program's own graph.
inline const Imported* imported_of(const Graph& graph) { return static_cast<const Imported*>(graph.origin().get()); }
/// The NodeDef that an imported operation came from; nothing for operations made by a program.
inline std::optional<proto::NodeDef> node_def_of(const Operation& o) {
    if (!o.origin) return {};
    return proto::decode<proto::NodeDef>(*static_cast<const std::string_view*>(o.origin.get()));
}

/// The attributes of a node, each decoded when it is asked for.
class Attributes {
    using Entry = proto::Map<proto::AttrValue>::Entry;
    struct Row { std::string_view key, bytes; };
    std::vector<Row> rows_;
    Entry found_;

public:
    Attributes() = default;
    explicit Attributes(std::string_view node) { read(node); }
    /// Those of another node, whose bytes stay where they are.
    void read(std::string_view node) {
        rows_.clear();
        for (proto::Fields<proto::NodeDef> field(node); field.next();) {
            if (!field.is<&proto::NodeDef::attr>()) continue;
            Row row{{}, field.content()};
            for (proto::Fields<Entry> part(row.bytes); part.next();) if (part.is<&Entry::key>()) row.key = part.content();
            rows_.push_back(row);
        }
    }
    /// The value of `name`, which stays until the next one is asked for; null if there is none. Of several the last.
    const proto::AttrValue* find(std::string_view name) {
        for (auto row = rows_.rbegin(); row != rows_.rend(); ++row) {
            if (row->key != name) continue;
            found_ = proto::decode<Entry>(row->bytes);
            return &found_.value;
        }
        return nullptr;
    }
};

/// What the attribute `_output_shapes` of an imported node says of an output, which is often wrong, and so nothing is held to it. Unranked if it says nothing.
inline Dims hinted_dims(const Output& o) {
    if (!o.operation->origin) return Dims::unranked();
    Attributes attributes(*static_cast<const std::string_view*>(o.operation->origin.get()));
    const auto* const a = attributes.find("_output_shapes");
    const auto i = static_cast<std::size_t>(o.index);
    if (!a || !a->list || i >= a->list->shape.size()) return Dims::unranked();
    try {
        return proto::dims_of(a->list->shape[i]);
    } catch (const ShapeError&) { return Dims::unranked(); }
}

}  // namespace tenon
