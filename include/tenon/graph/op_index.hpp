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
    static constexpr std::array<const OpTable*, sizeof...(T)> all{&listed_table<O, T>...};
};
template <class List> struct index_of;
template <class... Row> struct index_of<OpList<Row...>> {
    static constexpr std::size_t count = (tables_of<Row>::all.size() + ...);
    static constexpr auto all = [] {  // whole rows are sorted: compilers count the steps of a constant
        const std::array<std::span<const OpTable* const>, sizeof...(Row)> rows{tables_of<Row>::all...};
        std::array<std::size_t, sizeof...(Row)> order{};
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
            const int c = rows[x][0]->name.compare(rows[y][0]->name);
            return c ? c < 0 : x < y;
        });
        std::array<const OpTable*, count> tables{};
        std::size_t n = 0;
        for (const auto row : order) for (const OpTable* t : rows[row]) tables[n++] = t;
        return tables;
    }();
};
}  // namespace detail
/// The index of a list. Naming it compiles every kernel of the list.
template <class List> OpIndex index_of() { return detail::index_of<List>::all; }

}  // namespace tenon
