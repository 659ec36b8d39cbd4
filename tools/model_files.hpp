// What a path on the command line names: a checkpoint, with the graph beside it or without; a graph alone; a SavedModel; a directory of checkpoints.
#pragma once
#include <tenon/checkpoint/bundle.hpp>
#include <tenon/checkpoint/checkpoint_files.hpp>
#include <tenon/checkpoint/checkpoint_state.hpp>
#include <tenon/graph/meta_file.hpp>

#include <functional>

namespace tenon::tool {

/// A file of one graph, or a SavedModel's of several. A GraphDef stands in a MetaGraphDef that has nothing else.
struct GraphFile {
    enum Kind { meta_graph, graph, saved_model };
    std::string path;
    MetaFormat format = MetaFormat::binary;
    Kind kind = meta_graph;
    proto::SavedModel content;

    /// The one graph of the file.
    ///
    /// Errors    UnsupportedError if there are several
    proto::MetaGraphDef& only() {
        if (content.meta_graphs.size() != 1) throw UnsupportedError(path + ": it holds " + std::to_string(content.meta_graphs.size()) + " graphs, one is wanted");
        return content.meta_graphs[0];
    }
    std::string written(MetaFormat as) const {
        switch (kind) {
            case graph: return proto::write_graph(*content.meta_graphs[0].graph_def, as);
            case saved_model: return proto::write_in(content, as);
            default: return proto::write_meta(content.meta_graphs[0], as);
        }
    }
};
inline std::string_view name_of(MetaFormat f) { return f == MetaFormat::json ? "json" : f == MetaFormat::text ? "text" : "binary"; }
inline std::string_view name_of(GraphFile::Kind k) { return k == GraphFile::graph ? "GraphDef" : k == GraphFile::saved_model ? "SavedModel" : "MetaGraphDef"; }

namespace detail {

/// Text of one message may parse as another; a graph has nodes, and their ops have names that an op can have.
inline bool is_graph(const proto::GraphDef& g) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '>'; };
    return !g.node.empty() && std::all_of(g.node.begin(), g.node.end(), [&](const auto& n) { return !n.name.empty() && !n.op.empty() && std::all_of(n.op.begin(), n.op.end(), letter); });
}

}  // namespace detail

/// Reads a graph's file. What message it holds is told by its content; the name says what to try first, and of what to speak if none fits.
///
/// Errors    FormatError, MissingFileError
inline GraphFile read_graph_file(const std::string& path) {
    const auto bytes = read_file(path);
    GraphFile file{path, proto::format_of(bytes), GraphFile::meta_graph, {}};
    const auto name = basename_of(path);
    std::vector<GraphFile::Kind> order{GraphFile::graph, GraphFile::meta_graph, GraphFile::saved_model};
    if (name.find(".meta") != name.npos) std::swap(order[0], order[1]);
    if (name.starts_with("saved_model.")) std::swap(order[0], order[2]);
    std::exception_ptr first;
    std::optional<GraphFile> empty;
    for (const auto kind : order) {
        try {
            file.kind = kind;
            file.content = {};
            bool sure = true;
            if (kind == GraphFile::saved_model) {
                file.content = proto::read_saved_model(bytes, path);
                sure = !file.content.meta_graphs.empty();
            } else if (kind == GraphFile::graph) {
                file.content.meta_graphs.emplace_back().graph_def = proto::read_graph(bytes, path);
                sure = detail::is_graph(*file.content.meta_graphs[0].graph_def);
            } else {
                const auto& meta = file.content.meta_graphs.emplace_back(proto::read_meta(bytes, path));
                sure = meta.graph_def.has_value();
            }
            if (sure) return file;
            if (!empty && !first) empty = file;
        } catch (const FormatError&) {
            if (!first && !empty) first = std::current_exception();
        }
    }
    if (first) std::rethrow_exception(first);
    return *empty;
}

/// What a path names, each part if it is there.
struct Model {
    std::string prefix, graph;
    bool has_checkpoint() const { return !prefix.empty(); }
    bool has_graph() const { return !graph.empty(); }
};

/// Errors    MissingFileError
inline Model find_model(std::string path) {
    const auto beside = [](std::string prefix) {
        auto graph = meta_name(prefix);
        return Model{std::move(prefix), file_exists(graph) ? std::move(graph) : std::string()};
    };
    if (directory_exists(path)) {
        for (const auto* name : {"saved_model.pb", "saved_model.pbtxt"}) {
            const auto graph = join_path(path, name), variables = join_path(path, "variables/variables");
            if (file_exists(graph)) return {checkpoint_exists(variables) ? variables : std::string(), graph};
        }
        if (const auto newest = latest_checkpoint(path)) return beside(*newest);
        throw MissingFileError(path + ": this directory holds no SavedModel, and no file 'checkpoint' that names a checkpoint");
    }
    if (path.ends_with(".index") && file_exists(path)) path.resize(path.size() - 6);
    if (file_exists(index_name(path))) return beside(path);
    if (file_exists(path)) {
        const auto file = File::open(path);
        std::string end(std::min<std::uint64_t>(file.size(), 8), '\0');
        file.read_at(file.size() - end.size(), end.data(), end.size());
        std::string magic;
        put_fixed64(magic, tenon::detail::table_magic);
        if (end == magic || file_exists(meta_name(path))) return beside(path);  // of version 1
        return {"", path};
    }
    if (checkpoint_exists(path)) return beside(path);  // of version 1, in shards
    throw MissingFileError(path + ": there is neither " + index_name(path) + " nor a file or directory of this name");
}

}  // namespace tenon::tool
