// Numbers found by address or by hash. One class that is no template: each std::unordered_map would cost every program that includes
// it 20 to 50 ms of compiling, used or not.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace tenon {

/// What names are looked up by.
inline std::size_t hash_of(std::string_view name) { return std::hash<std::string_view>()(name); }
/// One hash of several: of `hash` and what follows it.
inline std::size_t mixed(std::size_t hash, std::size_t with) { return (hash ^ with) * std::size_t{0x9e3779b97f4a7c15} ^ hash >> 29; }

/// Open addressing: slots in a power of two, at most half of them taken. Nothing is ever taken out.
///
///     HashIndex number;
///     number.keep(&operation, 7);                                             // by address
///     number.keep(hash, 7, [&](int i) { return names[i] == name; });          // by what the number stands for
class HashIndex {
    struct Slot {
        std::size_t hash;
        int value;
    };
    std::vector<Slot> slots_;
    std::size_t taken_ = 0;

    template <class = void> static std::size_t number_of(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }
    /// Fibonacci hashing: addresses differ in their middle bits, products in their upper ones.
    template <class = void> std::size_t slot_of(std::size_t hash) const { return static_cast<std::size_t>(hash * std::uint64_t{0x9e3779b97f4a7c15} >> 32) & (slots_.size() - 1); }
    template <class = void> void put(const Slot& s) {
        std::size_t i = slot_of(s.hash);
        while (slots_[i].value != none) i = (i + 1) & (slots_.size() - 1);
        slots_[i] = s;
    }
    template <class = void> void grow(std::size_t slots) {
        const auto old = std::move(slots_);
        slots_ = std::vector<Slot>(slots, Slot{0, none});
        for (const Slot& s : old) if (s.value != none) put(s);
    }

public:
    static constexpr int none = -1;

    /// The number with this hash for which `same(number)` holds, or `none`.
    template <class Same> int find(std::size_t hash, Same same) const {
        if (slots_.empty()) return none;
        for (std::size_t i = slot_of(hash); slots_[i].value != none; i = (i + 1) & (slots_.size() - 1))
            if (slots_[i].hash == hash && same(slots_[i].value)) return slots_[i].value;
        return none;
    }
    template <class = void> void add(std::size_t hash, int value) {
        if (2 * (taken_ + 1) > slots_.size()) grow(slots_.empty() ? 16 : 2 * slots_.size());
        put({hash, value});
        ++taken_;
    }
    /// Makes room for so many numbers.
    template <class = void> void reserve(std::size_t n) {
        std::size_t slots = 16;
        while (slots < 2 * n) slots *= 2;
        if (slots > slots_.size()) grow(slots);
    }
    /// The number with this hash for which `same(number)` holds: `value`, unless there was one before.
    template <class Same> int keep(std::size_t hash, int value, Same same) {
        if (const int before = find(hash, same); before != none) return before;
        add(hash, value);
        return value;
    }

    /// Puts `to(number)` in place of each number.
    template <class To> void renumber(To to) {
        for (Slot& s : slots_) if (s.value != none) s.value = to(s.value);
    }

    template <class = void> int find(const void* p) const { return find(number_of(p), [](int) { return true; }); }
    template <class = void> bool contains(const void* p) const { return find(p) != none; }
    /// The number kept for p: `value`, unless there was one before.
    template <class = void> int keep(const void* p, int value) {
        if (const int before = find(p); before != none) return before;
        add(number_of(p), value);
        return value;
    }
    /// Whether p is new.
    template <class = void> bool insert(const void* p) {
        if (contains(p)) return false;
        add(number_of(p), 0);
        return true;
    }
};

}  // namespace tenon
