// What members of messages are made of, beside numbers, strings, vectors and std::optional: Box, Map, Unknown.
#pragma once
#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace tenon::proto {

/// An optional value on the heap, copied deeply: for members that are large and seldom set, or recursive.
template <class T> class Box {
    std::unique_ptr<T> value_;

public:
    Box() = default;
    Box(T value) : value_(std::make_unique<T>(std::move(value))) {}
    Box(const Box& b) : value_(b.value_ ? std::make_unique<T>(*b.value_) : nullptr) {}
    Box(Box&&) noexcept = default;
    Box& operator=(Box b) noexcept {
        value_ = std::move(b.value_);
        return *this;
    }
    ~Box() = default;

    explicit operator bool() const { return value_ != nullptr; }
    bool has_value() const { return value_ != nullptr; }
    T& operator*() const { return *value_; }
    T* operator->() const { return value_.get(); }
    T& emplace() { return *(value_ = std::make_unique<T>()); }
    void reset() { value_.reset(); }
    friend bool operator==(const Box& a, const Box& b) { return a && b ? *a == *b : !a == !b; }
};

/// Fields of a file that its reader's table does not know, as they stood: tag and payload. They are written again behind the known ones.
using Unknown = Box<std::string>;

namespace detail {
/// Where the last of each key stands, in the order of the keys. Apart from the maps, since sorting is dear to compile.
template <class K> std::vector<std::size_t> last_of_each(const std::vector<const K*>& keys) {
    std::vector<std::size_t> order(keys.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return *keys[a] < *keys[b] || (!(*keys[b] < *keys[a]) && a > b); });
    order.erase(std::unique(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return *keys[a] == *keys[b]; }), order.end());
    return order;
}
}  // namespace detail

/// A map in the order of its keys, so that equal messages have equal bytes. Small, therefore a vector.
template <class V, class K = std::string> class Map {
public:
    struct Entry {
        K key{};
        V value{};
        bool operator==(const Entry&) const = default;
        static constexpr auto table();
    };

    auto begin() const { return entries_.begin(); }
    auto end() const { return entries_.end(); }
    auto begin() { return entries_.begin(); }
    auto end() { return entries_.end(); }
    std::size_t size() const { return entries_.size(); }
    bool empty() const { return entries_.empty(); }
    /// The value of `key`, or null.
    template <class Q> V* find(const Q& key) {
        if constexpr (std::is_convertible_v<const Q&, std::string_view>) {
            if (entries_.size() <= few) {  // lengths mostly differ
                const std::string_view text = key;
                for (Entry& e : entries_) if (e.key.size() == text.size() && e.key == text) return &e.value;
                return nullptr;
            }
        }
        const auto at = lower(key);
        return at != entries_.end() && at->key == key ? &at->value : nullptr;
    }
    template <class Q> const V* find(const Q& key) const { return const_cast<Map*>(this)->find(key); }
    template <class Q> bool contains(const Q& key) const { return find(key) != nullptr; }
    /// The value of `key`, made if there is none.
    template <class Q> V& operator[](const Q& key) {
        auto at = lower(key);
        if (at == entries_.end() || !(at->key == key)) at = entries_.insert(at, Entry{K(key), V{}});
        return at->value;
    }
    template <class Q> void erase(const Q& key) {
        const auto at = lower(key);
        if (at != entries_.end() && at->key == key) entries_.erase(at);
    }
    bool operator==(const Map& m) const { return entries_ == m.entries_; }

    /// The entries as a reader appends them: out of order and with repeated keys, until `settle`.
    std::vector<Entry>& entries() { return entries_; }
    const std::vector<Entry>& entries() const { return entries_; }
    /// Sorts; of entries with one key the last wins.
    void settle() {
        const auto key = [&](std::size_t i) -> const K& { return entries_[i].key; };
        bool sorted = true;
        for (std::size_t i = 1; i < entries_.size() && sorted; ++i) sorted = key(i - 1) < key(i);
        if (sorted) return;
        std::vector<const K*> keys(entries_.size());
        for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = &key(i);
        std::vector<Entry> in_order;
        for (const auto i : detail::last_of_each(keys)) in_order.push_back(std::move(entries_[i]));
        entries_ = std::move(in_order);
    }

private:
    static constexpr std::size_t few = 16;
    std::vector<Entry> entries_;
    template <class Q> auto lower(const Q& key) {
        return std::lower_bound(entries_.begin(), entries_.end(), key, [](const Entry& e, const Q& k) { return e.key < k; });
    }
};

}  // namespace tenon::proto
