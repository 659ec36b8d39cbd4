// Checkpoints as files: write, read, merge shards, verify.
#pragma once
#include "bundle_merge.hpp"
#include "bundle_reader.hpp"
#include "bundle_verify.hpp"
#include "bundle_writer.hpp"
#include "checkpoint_files.hpp"

namespace tenon {

template <class Lazy> requires save_hpp_is_included<Lazy> std::vector<ListedVariable> list_variables(const std::string& prefix) {
    const BundleReader reader(prefix);
    std::vector<ListedVariable> all;
    for (const auto& t : reader.tensors()) all.push_back({t.name, t.dtype, t.shape});
    return all;
}
template <class Lazy> requires save_hpp_is_included<Lazy> Tensor load_variable(const std::string& prefix, std::string_view name) { return BundleReader(prefix).read(name); }

}  // namespace tenon
