// The entries of an index on their way to its table: keys with their encoded values, one behind the other in one piece of memory.
#pragma once
#include "../base/hash_index.hpp"
#include "../io/table.hpp"

namespace tenon::detail {

/// Keys may come in any order, each once. In ascending order, which is the usual one, they cost no look-up.
class IndexEntries {
    struct Entry {
        std::size_t at;
        std::uint32_t key_bytes, value_bytes;
    };
    std::string bytes_;
    std::vector<Entry> entries_;
    HashIndex by_key_;  // of all entries, once one did not ascend
    bool ascending_ = true;

    std::string_view key(const Entry& e) const { return std::string_view(bytes_).substr(e.at, e.key_bytes); }
    std::string_view value(const Entry& e) const { return std::string_view(bytes_).substr(e.at + e.key_bytes, e.value_bytes); }

public:
    bool contains(std::string_view k) const {
        if (entries_.empty()) return false;
        if (!ascending_) return by_key_.find(hash_of(k), [&](int i) { return key(entries_[static_cast<std::size_t>(i)]) == k; }) != HashIndex::none;
        const auto at = std::lower_bound(entries_.begin(), entries_.end(), k, [&](const Entry& e, std::string_view wanted) { return key(e) < wanted; });
        return at != entries_.end() && key(*at) == k;
    }
    /// Whether `k` stands behind all others, and so is new.
    bool ascends(std::string_view k) const { return ascending_ && (entries_.empty() || key(entries_.back()) < k); }
    /// The key is new. The value is both parts, one behind the other.
    void add(std::string_view k, std::string_view v, std::string_view rest = {}) {
        if (ascending_ && !ascends(k)) {
            for (std::size_t i = 0; i < entries_.size(); ++i) by_key_.add(hash_of(key(entries_[i])), static_cast<int>(i));
            ascending_ = false;
        }
        const auto at = bytes_.size();  // an entry that there is no memory for is not there
        bytes_.append(k).append(v).append(rest);
        if (entries_.size() == entries_.capacity()) entries_.reserve(2 * entries_.size() + 1);
        if (!ascending_) by_key_.add(hash_of(k), static_cast<int>(entries_.size()));
        entries_.push_back({at, static_cast<std::uint32_t>(k.size()), static_cast<std::uint32_t>(v.size() + rest.size())});
    }
    std::size_t size() const { return entries_.size(); }
    /// Gives the entry that was added as number i another value. The old one stays in memory.
    void change(std::size_t i, std::string_view v) {
        auto& e = entries_[i];
        const std::string k(key(e));
        e = {bytes_.size(), e.key_bytes, static_cast<std::uint32_t>(v.size())};
        bytes_.append(k).append(v);
    }
    /// Calls visit(key, value) in the order of the keys.
    template <class Visit> void each(Visit visit) const {
        auto sorted = ascending_ ? std::vector<Entry>() : entries_;
        std::sort(sorted.begin(), sorted.end(), [&](const Entry& a, const Entry& b) { return key(a) < key(b); });
        for (const auto& e : ascending_ ? entries_ : sorted) visit(key(e), value(e));
    }
};

}  // namespace tenon::detail
