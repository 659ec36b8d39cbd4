// `tenon convert`: a checkpoint of either version, and its graph, written again as version 2.
#pragma once
#include "columns.hpp"
#include "model_files.hpp"

#include <iostream>

namespace tenon::tool {

struct ConvertOptions {
    std::optional<MetaFormat> meta{};      ///< none: as it is
    std::optional<std::uint32_t> shards{};  ///< none: as they are
};

namespace detail {

inline bool restores_version_1_only(const proto::MetaGraphDef& meta) {
    return meta.graph_def && std::any_of(meta.graph_def->node.begin(), meta.graph_def->node.end(), [](const auto& n) { return n.op == "RestoreSlice" || n.op == "Restore"; });
}

/// A tensor, or a part of one, on its way from a checkpoint to another.
struct Piece {
    const StoredTensor* tensor;
    const StoredPart* part;
    TensorSlice slice;  ///< of a part: as it is written there, where "-" and "0,3" have other keys
    std::uint32_t shard;
};

/// All of a checkpoint in the order in which it lies in its files, so that writing it again gives the same bytes. With another number of shards, each
/// gets a run of pieces of about the same size.
inline std::vector<Piece> pieces_of(const BundleReader& reader, std::uint32_t shards) {
    std::vector<Piece> all;
    std::uint64_t total = 0, before = 0;
    const auto index = reader.version() == 2 ? std::optional(BundleIndex::load(reader.prefix())) : std::nullopt;
    for (const auto& t : reader.tensors()) {
        const auto* const entry = index && t.sliced ? index->find(t.name) : nullptr;
        for (std::size_t i = 0; i < t.parts.size(); ++i) {
            const auto& p = t.parts[i];
            all.push_back({&t, &p, entry ? TensorSlice::from(entry->slices.at(i)) : p.slice, p.file});
            total += p.bytes;
        }
    }
    std::stable_sort(all.begin(), all.end(), [](const Piece& a, const Piece& b) {
        const auto place = [](const Piece& p) { return std::tuple(p.part->file, p.part->offset, p.part->bytes); };
        return place(a) < place(b);
    });
    if (shards == reader.shards() && reader.version() == 2) return all;
    for (auto& p : all) {
        const auto middle = static_cast<double>(before) + 0.5 * static_cast<double>(p.part->bytes);
        p.shard = total ? std::min(shards - 1, static_cast<std::uint32_t>(middle / static_cast<double>(total) * shards)) : 0;
        before += p.part->bytes;
    }
    return all;
}

inline void write_piece(BundleWriter& writer, const BundleReader& reader, const Piece& p) {
    const auto& t = *p.tensor;
    if (t.sliced) writer.add_slice(t.name, t.shape, p.slice, reader.read(t, p.part->slice), p.shard);
    else if (t.dtype == DType::string || t.shape.size() <= std::size_t{max_rank}) writer.add(t.name, reader.read(t), p.shard);
    else {
        const Buffer bytes(static_cast<std::size_t>(t.size()) * file_bytes_of(t.dtype));
        reader.read_into(t, {bytes.data(), bytes.bytes()});
        writer.add(t.name, t.dtype, t.shape, {bytes.data(), bytes.bytes()}, p.shard);
    }
}

}  // namespace detail

/// Errors    those of reading and writing; nothing has been written under its name then
inline int convert(const std::string& source, const std::string& to, const ConvertOptions& options) {
    const auto model = find_model(source);
    const auto graph_to = model.has_checkpoint() ? meta_name(to) : to;
    std::string graph, graph_line;
    if (model.has_graph()) {
        auto file = read_graph_file(model.graph);
        if (file.kind == GraphFile::saved_model && model.has_checkpoint()) {  // a checkpoint has one graph beside it
            file.only();
            file.kind = GraphFile::meta_graph;
        }
        if (std::any_of(file.content.meta_graphs.begin(), file.content.meta_graphs.end(), [](const auto& g) { return detail::restores_version_1_only(g); }))
            graph_line = sentence("remark: ", printable(graph_to), ": its saver has RestoreSlice ops, with which TensorFlow reads checkpoints of version 1 only; tenon reads both\n");
        const auto format = options.meta.value_or(file.format);
        graph = file.written(format);
        graph_line += sentence(printable(graph_to), ": ", name_of(file.kind), ", ", name_of(format), ", ", bytes_text(graph.size()), "\n");
    }
    if (model.has_checkpoint()) {
        const BundleReader reader(model.prefix);
        const auto shards = options.shards.value_or(reader.shards());
        const auto pieces = detail::pieces_of(reader, shards);
        std::optional<Draft> draft;  // on the disk before the checkpoint comes to be
        BundleWriter writer(to, {.shards = shards});
        for (const auto& p : pieces) detail::write_piece(writer, reader, p);
        if (model.has_graph()) {
            draft.emplace(graph_to);
            draft->append(graph);
            draft->finish();
        }
        FileTransaction files;
        writer.finish(files, draft ? &*draft : nullptr);
        files.commit();
        const BundleReader written(to);
        std::cout << printable(to) << ": " << counted(written.tensors().size(), "tensor") << " in " << counted(written.shards(), "shard") << '\n';
    } else write_file_atomically(graph_to, graph);
    std::cout << graph_line;
    return 0;
}

}  // namespace tenon::tool
