// Checkpoints as files: write, read, merge shards, verify.
#pragma once
#include "bundle_merge.hpp"
#include "bundle_reader.hpp"
#include "bundle_verify.hpp"
#include "bundle_writer.hpp"

namespace tenon {

/// Name, dtype and shape of every tensor in a checkpoint, in the order of the names.
inline std::vector<StoredTensor> list_variables(const std::string& prefix) {
    const BundleReader reader(prefix);
    return {reader.tensors().begin(), reader.tensors().end()};
}
/// One tensor of a checkpoint.
inline Tensor load_variable(const std::string& prefix, std::string_view name) { return BundleReader(prefix).read(name); }

}  // namespace tenon
