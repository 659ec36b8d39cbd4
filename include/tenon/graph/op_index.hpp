// Which ops an importer knows: tables by name and dtype.
#pragma once
#include "../expr/table.hpp"

#include <algorithm>
#include <span>

namespace tenon {

template <class... T> struct Types {};
/// A row of the list of ops: an op and the element types that its kernels are compiled for.
template <class O, class T> struct OpRow;
template <class... Row> struct OpList {};

/// Tables in the order of their names, and for one name in the order of the rows.
using OpIndex = std::span<const OpTable* const>;

inline std::span<const OpTable* const> tables_named(OpIndex ops, std::string_view name) {
    const auto from = std::lower_bound(ops.begin(), ops.end(), name, [](const OpTable* t, std::string_view n) { return t->name < n; });
    auto to = from;
    while (to != ops.end() && (*to)->name == name) ++to;
    return {from, to};
}

namespace detail {
template <class Row> struct tables_of;
template <class O, class... T> struct tables_of<OpRow<O, Types<T...>>> {
    static constexpr std::array<const OpTable*, sizeof...(T)> all{&table<O, T>...};
};
template <class List> struct index_of;
template <class... Row> struct index_of<OpList<Row...>> {
    static constexpr std::size_t count = (tables_of<Row>::all.size() + ...);
    static constexpr auto all = [] {
        std::array<const OpTable*, count> tables{};
        std::size_t n = 0;
        const auto add = [&](const auto& row) { for (const OpTable* t : row) tables[n++] = t; };
        (add(tables_of<Row>::all), ...);
        std::array<std::size_t, count> order{};
        for (std::size_t i = 0; i < count; ++i) order[i] = i;
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {  // stable, as the order of an op's dtypes matters
            const int c = tables[a]->name.compare(tables[b]->name);
            return c ? c < 0 : a < b;
        });
        std::array<const OpTable*, count> sorted{};
        for (std::size_t i = 0; i < count; ++i) sorted[i] = tables[order[i]];
        return sorted;
    }();
};
}  // namespace detail
/// The index of a list. Naming it compiles every kernel of the list.
template <class List> OpIndex index_of() { return detail::index_of<List>::all; }

}  // namespace tenon
