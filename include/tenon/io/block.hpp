// A block of sorted keys with values, the unit of a table.
//
//   entry    varint32 shared | varint32 unshared | varint32 value bytes | key without its first `shared` bytes | value
//   block    entries | fixed32 offset of each restart | fixed32 number of restarts
//
// `shared` counts the bytes that a key has in common with the one before. Every 16th entry restarts: shared is 0 there.
#pragma once
#include "../base/error.hpp"
#include "coding.hpp"

#include <cstring>
#include <utility>
#include <vector>

namespace tenon {

class BlockBuilder {
    int interval_, since_restart_ = 0;
    std::string bytes_, last_key_;
    std::vector<std::uint32_t> restarts_{0};

public:
    explicit BlockBuilder(int restart_interval = 16) : interval_(restart_interval) {}
    bool empty() const { return bytes_.empty(); }
    /// Bytes that a key has in common with the last one, of the block before if this one is empty.
    std::size_t shared_with_last(std::string_view key) const {
        const auto n = std::min(key.size(), last_key_.size());
        std::size_t shared = 0;
        while (shared + 8 <= n && std::memcmp(key.data() + shared, last_key_.data() + shared, 8) == 0) shared += 8;
        while (shared < n && key[shared] == last_key_[shared]) ++shared;
        return shared;
    }
    const std::string& last_key() const { return last_key_; }
    /// Bytes of the block if it ended here.
    std::size_t size() const { return bytes_.size() + 4 * restarts_.size() + 4; }

    /// The key is greater than all before.
    void add(std::string_view key, std::string_view value) { add(key, value, shared_with_last(key)); }
    void add(std::string_view key, std::string_view value, std::size_t shared_with_last) {
        const bool restart = since_restart_ == interval_;
        if (restart) restarts_.push_back(static_cast<std::uint32_t>(bytes_.size())), since_restart_ = 0;
        const auto shared = restart || empty() ? 0 : shared_with_last;
        char lengths[3 * most_varint_bytes];
        bytes_.append(lengths, put_varint(put_varint(put_varint(lengths, shared), key.size() - shared), value.size()));
        bytes_.append(key, shared).append(value);
        last_key_.resize(shared_with_last);
        last_key_.append(key, shared_with_last);
        ++since_restart_;
    }
    /// The block; the builder is as new, but for its last key.
    std::string finish() {
        for (const auto at : restarts_) put_fixed32(bytes_, at);
        put_fixed32(bytes_, static_cast<std::uint32_t>(restarts_.size()));
        restarts_ = {0};
        since_restart_ = 0;
        return std::exchange(bytes_, {});
    }
};

/// Calls visit(const std::string& key, std::string_view value) for each entry, in order. `where` begins the message of an error.
///
/// Errors    CorruptError unless lengths stay inside the block, keys ascend, and restarts are entries that share nothing; also
///           if keys are 64 times as long as the block: 16 is the most that this sharing gives, more is made to fill memory
template <class Visit> void each_entry(std::string_view contents, const std::string& where, Visit visit) {
    const auto corrupt = [&](const char* what) { return CorruptError(where + ": " + what); };
    auto tail = contents.substr(std::max<std::size_t>(contents.size(), 4) - 4);
    const auto count = get_fixed32(tail);
    if (!count || *count > (contents.size() - 4) / 4) throw corrupt("bad block contents: its restarts do not fit");
    auto entries = contents.substr(0, contents.size() - 4 - std::size_t{4} * *count);
    auto restarts = contents.substr(entries.size(), std::size_t{4} * *count);
    const auto end = entries.size();
    if (*count == 0 && end != 0) throw corrupt("bad block contents: entries but no restart");

    std::string key;
    std::size_t key_bytes = 0;
    constexpr auto none = ~std::uint64_t{0};
    const auto next_restart = [&] {
        const auto at = get_fixed32(restarts);
        return at ? std::uint64_t{*at} : none;
    };
    auto restart = next_restart();
    for (bool first = true; !entries.empty(); first = false) {
        const auto offset = end - entries.size();
        const auto shared = get_varint32(entries), unshared = get_varint32(entries), value_bytes = get_varint32(entries);
        if (!shared || !unshared || !value_bytes || *shared > key.size() || std::uint64_t{*unshared} + *value_bytes > entries.size())
            throw corrupt("bad entry in block: its lengths do not fit");
        if (restart < offset) throw corrupt("bad block contents: a restart is not at an entry");
        if (restart == offset) {
            if (*shared != 0) throw corrupt("bad entry in block: a restart that is not whole");
            restart = next_restart();
        } else if (first) throw corrupt("bad block contents: the first entry is no restart");
        const auto suffix = entries.substr(0, *unshared);
        if (!first && suffix <= std::string_view(key).substr(*shared)) throw corrupt("keys do not ascend");
        key.resize(*shared);
        key += suffix;
        if ((key_bytes += key.size()) / 64 > contents.size()) throw corrupt("bad block contents: its keys are longer than sharing can make them");
        const auto value = entries.substr(*unshared, *value_bytes);
        entries.remove_prefix(std::size_t{*unshared} + *value_bytes);
        visit(std::as_const(key), value);
    }
    if (restart != none && restart != 0) throw corrupt("bad block contents: a restart is not at an entry");
}

}  // namespace tenon
