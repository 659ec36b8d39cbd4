// Makes one checkpoint of several, by giving their data files other names: how processes that each wrote a part end a sharded save.
#pragma once
#include "bundle_commit.hpp"

#include <map>

namespace tenon {

struct MergeOptions {
    bool allow_missing_files = false;  ///< inputs that do not exist are left out, but not all
    bool delete_old_dirs = true;       ///< directories of the inputs go when they are empty
};

/// Merges the checkpoints `inputs` into `prefix`; the inputs are no more. Parts of one tensor may come from several of them.
///
/// Data files are numbered in the order of the inputs, those without tensors left out; the header has their number, so that names and header agree.
///
/// Errors    MissingFileError; CorruptError if byte order or version differ; NameError for a tensor that is in two inputs; nothing is renamed then
/// Source    MergeBundles in tensorflow/core/util/tensor_bundle/tensor_bundle.cc
inline void merge_bundles(const std::vector<std::string>& inputs, const std::string& prefix, const MergeOptions& options = {}) {
    std::map<std::string, proto::BundleEntryProto> merged;
    std::vector<std::pair<std::string, std::uint32_t>> files;  // name now, shard in the merged checkpoint
    std::vector<std::string> read;
    proto::BundleHeaderProto header;
    for (const auto& input : inputs) {
        if (!file_exists(index_name(input))) {
            if (options.allow_missing_files) continue;
            throw MissingFileError(index_name(input) + ": it is to be merged into " + prefix + ", but does not exist");
        }
        const auto index = BundleIndex::load(input);
        if (read.empty()) header = index.header;
        if (index.header.endianness != header.endianness) throw CorruptError(input + ": Merging bundles with conflicting endianness; inputs corrupted?");
        if (proto::encode(index.header.version) != proto::encode(header.version)) throw CorruptError(input + ": Merging bundles with different format versions");
        read.push_back(input);

        std::map<std::int32_t, std::int32_t> renumbered;
        for (const auto& [key, entry] : index.entries) {
            const auto at = merged.find(key);
            if (at != merged.end()) {
                auto& before = at->second;
                const auto name = BundleIndex::readable(key);
                if (before.slices.empty() || entry.slices.empty())
                    throw NameError(sentence(input, ": Duplicate tensor keyed by ", name, " encountered, when merging into ", prefix));
                if (before.dtype != entry.dtype || detail::stored_shape(before.shape, input) != detail::stored_shape(entry.shape, input))
                    throw CorruptError(sentence(input, ": ", name, ": its parts are of tensors that differ in dtype or shape"));
                before.slices.insert(before.slices.end(), entry.slices.begin(), entry.slices.end());
                continue;
            }
            if (entry.shard_id < 0 || entry.shard_id >= index.header.num_shards)
                throw CorruptError(sentence(input, ": ", BundleIndex::readable(key), ": shard ", entry.shard_id, " of ", index.header.num_shards));
            const auto [shard, fresh] = renumbered.try_emplace(entry.shard_id, static_cast<std::int32_t>(files.size()));
            if (fresh) {
                const auto name = data_name(input, static_cast<std::uint32_t>(entry.shard_id), static_cast<std::uint32_t>(index.header.num_shards));
                if (!file_exists(name)) throw MissingFileError(name + ": it is to be merged into " + prefix + ", but does not exist");
                files.emplace_back(name, static_cast<std::uint32_t>(shard->second));
            }
            merged.emplace(key, entry).first->second.shard_id = shard->second;
        }
    }
    if (read.empty()) throw MissingFileError(prefix + ": At least one prefix checkpoint file must exist, but none existed.");

    if (files.empty()) files.emplace_back(data_name(read[0], 0, static_cast<std::uint32_t>(header.num_shards)), 0);
    const auto index_of = [&](std::uint32_t shards) {
        header.num_shards = static_cast<std::int32_t>(shards);
        TableBuilder table;
        table.add("", proto::encode(header));
        for (const auto& [key, entry] : merged) table.add(key, proto::encode(entry));
        return detail::index_draft(prefix, table.finish());
    };
    const auto directory = directory_of(prefix);
    if (!directory.empty()) make_directory(directory);
    FileTransaction steps;
    const auto place = [&](std::uint32_t shard, const std::string& name) { if (files[shard].first != name) steps.duplicate(files[shard].first, name); };
    detail::commit_bundle(prefix, static_cast<std::uint32_t>(files.size()), place, index_of, nullptr, steps);
    steps.commit();
    for (const auto& input : read) {
        try {
            if (input != prefix) remove_file(index_name(input));
            if (input != prefix) for (const auto& file : data_files(input)) remove_file(file);
        } catch (const FileError&) {}  // what cannot be removed stays: the merged checkpoint is whole
        if (options.delete_old_dirs && directory_of(input) != directory) remove_empty_directory(directory_of(input));
    }
}

}  // namespace tenon
