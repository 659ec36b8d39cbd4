// How the files of a checkpoint P come to their names: at every instant there is a whole one, for TensorFlow too.
//
//   P.data-00000-of-00001      the data files, which nobody reads yet,
//   P.index                    then the index: P exists when its index does.
//
// Over a checkpoint of the same name this would leave, in between, its index with our data. So there
//
//   P.data-00000-of-00002      the data under a number of shards that no file has,
//   P.index                    the index that says so: from here on the new checkpoint is there, and the old one is not;
//   P.data-00000-of-00001      the data under its final name as well,
//   P.index                    and the final index. The other names go.
#pragma once
#include "../io/file_transaction.hpp"
#include "bundle_index.hpp"

namespace tenon::detail {

/// Steps of `files`. `place(shard, name)` is the one that gives a data file a name; `index_of(shards)` makes the index for data files that are named
/// for so many. `graph`, if any, comes to its name before the index does.
template <class Place, class IndexOf> void commit_bundle(const std::string& prefix, std::uint32_t shards, Place place, IndexOf index_of, Draft* graph, FileTransaction& files) {
    Draft index = index_of(shards);
    const auto directory = directory_of(prefix);
    const auto before = data_files(prefix);
    const auto exists = [&](const std::string& name) { return std::binary_search(before.begin(), before.end(), name); };
    const auto any_of = [&](std::uint32_t number) {
        for (std::uint32_t s = 0; s < shards; ++s) if (exists(data_name(prefix, s, number))) return true;
        return false;
    };
    auto spare = shards;
    if (file_exists(index_name(prefix))) while (any_of(spare)) ++spare;

    for (std::uint32_t s = 0; s < shards; ++s) place(s, data_name(prefix, s, spare));
    if (graph) files.publish(*graph);
    files.settle(directory);
    if (spare != shards) {
        Draft first = index_of(spare);
        files.publish(first);
        files.settle(directory);
        for (std::uint32_t s = 0; s < shards; ++s) {
            files.duplicate(data_name(prefix, s, spare), data_name(prefix, s, shards));
            files.remove_later(data_name(prefix, s, spare));
        }
        files.settle(directory);
    }
    files.publish(index);
    files.settle(directory);
    for (const auto& file : before) {  // those of another number of shards
        bool ours = false;
        for (std::uint32_t s = 0; s < shards; ++s) ours |= file == data_name(prefix, s, shards);
        if (!ours) files.remove_later(file);
    }
}
/// An index on its way to its name; the bytes are on the disk, if it is to be durable.
inline Draft index_draft(const std::string& prefix, const std::string& bytes, bool durable = true) {
    Draft index(index_name(prefix), durable);
    index.append(bytes);
    index.finish();
    return index;
}

}  // namespace tenon::detail
