// The files of a checkpoint, by their names.
#pragma once
#include "bundle_index.hpp"
#include "bundle_v1.hpp"
#include "checkpoints.hpp"

namespace tenon {

#ifndef TENON_PREBUILT
template <> inline constexpr bool detail::has_files<void> = true;
#endif

template <class Lazy> requires save_hpp_is_included<Lazy> bool checkpoint_exists(const std::string& prefix) { return file_exists(index_name(prefix)) || !detail::V1Tables::files(prefix).empty(); }

/// When it was written, in seconds since 1970.
inline double checkpoint_time(const std::string& prefix) {
    const auto v1 = file_exists(index_name(prefix)) ? std::vector<std::string>{} : detail::V1Tables::files(prefix);
    return modification_time(v1.empty() ? index_name(prefix) : v1[0]);
}

/// "model-1000", or "model-00001000" if the number is padded.
inline std::string step_name(const std::string& prefix, std::int64_t step, bool pad_step_number = false) {
    auto digits = std::to_string(step);
    if (pad_step_number && digits.size() < 8) digits.insert(digits.starts_with('-') ? 1 : 0, 8 - digits.size(), '0');
    return prefix + "-" + digits;
}

/// "model-1000.meta", also for a checkpoint of version 1 in shards, "model-1000-?????-of-00003".
inline std::string meta_name(const std::string& prefix, const std::string& suffix = "meta") {
    const auto before = [](std::string_view s, std::string_view allowed) {
        auto n = s.size();
        while (n > 0 && allowed.find(s[n - 1]) != std::string_view::npos) --n;
        return s.substr(0, n);
    };
    const std::string_view all = prefix, number = before(all, "0123456789");
    if (number.size() < all.size() && number.ends_with("-of-")) {
        const auto shards = number.substr(0, number.size() - 4), stem = before(shards, "0123456789?");
        if (stem.size() < shards.size() && stem.ends_with('-')) return std::string(stem.substr(0, stem.size() - 1)) + "." + suffix;
    }
    return prefix + "." + suffix;
}

/// Removes the variables of a checkpoint: its index, from then on it does not exist, and its data. What is not there is no error.
inline void remove_checkpoint_data(const std::string& prefix) {
    for (const auto& file : file_exists(index_name(prefix)) ? std::vector<std::string>{} : detail::V1Tables::files(prefix)) remove_file(file);
    remove_file(index_name(prefix));
    for (const auto& file : data_files(prefix)) remove_file(file);
}
/// Removes a checkpoint, and its graph first.
inline void remove_checkpoint(const std::string& prefix, const std::string& meta_suffix = "meta") {
    remove_file(meta_name(prefix, meta_suffix));
    remove_checkpoint_data(prefix);
}

}  // namespace tenon
