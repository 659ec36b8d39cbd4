// A checkpoint to be damaged: its entries taken apart, changed and put together again with right checksums, or its bytes changed.
#pragma once
#include "scratch.hpp"
#include <tenon/checkpoint/bundle.hpp>
#include <tenon/checkpoint/checkpoint_files.hpp>

#include <functional>
#include <map>

namespace tenon::test {

/// The index at `prefix`, changed by `edit`, which sees keys and values; the empty key is the header.
inline void edit_index(const std::string& prefix, const std::function<void(std::map<std::string, std::string>&)>& edit) {
    std::map<std::string, std::string> entries;
    TableReader(index_name(prefix)).each([&](const std::string& key, std::string_view value) { entries[key] = value; });
    edit(entries);
    TableBuilder table;
    for (const auto& [k, v] : entries) table.add(k, v);
    write_bytes(index_name(prefix), table.finish());
}
template <class M, class Edit> void edit_entry(const std::string& prefix, const std::string& key, Edit edit) {
    edit_index(prefix, [&](auto& entries) {
        auto m = proto::decode<M>(entries.at(key));
        edit(m);
        entries[key] = proto::encode(m);
    });
}
/// What reading every tensor says first, without the path before it; "" if all is well.
inline std::string first_defect(const std::string& prefix) {
    try {
        const BundleReader reader(prefix);
        for (const auto& t : reader.tensors()) reader.read(t);
        return "";
    } catch (const Error& e) {
        const std::string text = e.what();
        const auto at = text.rfind(prefix, 0) == 0 ? prefix.size() : 0;
        return text.substr(at);
    }
}

}  // namespace tenon::test
