// Looks for everything that is wrong with a checkpoint.
#pragma once
#include "bundle_reader.hpp"

namespace tenon {

/// Every defect of a checkpoint, a sentence each; none if it is whole. All blocks, entries and tensors are read and their
/// checksums compared; parts must cover their tensors; data files must be there, and end with their last tensor.
///
/// Values    zeros behind the last tensor are padding
inline std::vector<std::string> verify_bundle(const std::string& prefix) {
    detail::Defects defects;
    detail::attempt(&defects, [&] {
        const BundleReader reader(prefix, &defects);
        std::map<std::uint32_t, std::uint64_t> ends;  // of each data file's last tensor
        for (const auto& t : reader.tensors()) {
            reader.verify(t, defects);
            for (const auto& part : t.parts) ends[part.file] = std::max(ends[part.file], part.offset + part.bytes);
        }
        if (reader.version() == 1) return;
        for (const auto& [shard, end] : ends)
            detail::attempt(&defects, [&, shard = shard, end = end] {
                const auto file = File::open(data_name(prefix, shard, reader.shards()));
                std::string surplus(1u << 16, '\0');
                const auto size = file.size();
                for (auto at = end; at < size; at += surplus.size()) {
                    surplus.resize(std::min<std::uint64_t>(surplus.size(), size - at));
                    file.read_at(at, surplus.data(), surplus.size());
                    if (surplus.find_first_not_of('\0') != std::string::npos)
                        throw CorruptError(sentence(file.path(), ": ", size - end, " bytes behind the last tensor belong to none"));
                }
            });
    });
    return defects;
}

}  // namespace tenon
