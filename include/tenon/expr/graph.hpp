// A graph with names: what is exported, what an import gives, and what a session finds tensors in.
#pragma once
#include "../base/hash_index.hpp"
#include "folded_values.hpp"
#include "node.hpp"

#include <algorithm>

namespace tenon {

/// Everything `roots` need, inputs first. Iterative: graphs are deep.
template <class = void> std::vector<std::shared_ptr<Operation>> topological(std::span<const Output> roots) {
    std::vector<std::shared_ptr<Operation>> order, stack;
    std::vector<int> edges;  // of each on the stack those that have been followed
    HashIndex seen;
    const auto enter = [&](const std::shared_ptr<Operation>& o) { if (seen.insert(o.get())) stack.push_back(o), edges.push_back(0); };
    for (const Output& r : roots) {
        enter(r.operation);
        while (!stack.empty()) {
            const Operation& o = *stack.back();
            const auto data = o.inputs.size(), i = static_cast<std::size_t>(edges.back()++);
            if (i == data + o.controls.size()) {
                order.push_back(std::move(stack.back()));
                stack.pop_back(), edges.pop_back();
                continue;
            }
            enter(i < data ? o.inputs[i].operation : o.controls[i - data]);
        }
    }
    return order;
}

namespace detail {
/// Single-letter edits from one name to another, at most `limit`.
template <class = void> std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0]++;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t change = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row[b.size()];
}
}  // namespace detail

/// Operations by name. Copies share them.
///
/// A graph is named by its roots, and everything they reach belongs to it: `Graph graph{loss, train};`. Operations without
/// a name are given one, as TensorFlow would: "MatMul", "MatMul_1", ...
///
/// Errors    NameError, with the nearest names
class Graph {
    struct Parts {
        std::vector<std::shared_ptr<Operation>> operations;  // inputs first
        std::vector<int> next_number;  // per operation: what makes its name free again, NAME_1 and those below being taken
        HashIndex by_name;
        std::vector<Output> roots;
        std::shared_ptr<const void> origin;  // of an import: what the exporter writes back
        FoldedValues folded;                 // of all sessions' plans
    };
    std::shared_ptr<Parts> parts_ = std::make_shared<Parts>();

public:
    Graph() = default;
    template <class = void> explicit Graph(std::vector<Output> roots) { add(std::move(roots)); }
    template <class... R> requires(sizeof...(R) > 0 && (std::is_convertible_v<R, Output> && ...)) explicit Graph(const R&... roots) : Graph(std::vector<Output>{Output(roots)...}) {}

    /// Takes in everything that `roots` reach and that is not here yet. Variables that a program made bring "NAME/Assign",
    /// which gives them their initial value, and "init" runs these for all of them.
    template <class Lazy = void> void add(std::vector<Output> roots);
    /// For importers, whose operations have their names and are found by them; `operations` inputs first.
    template <class = void> static Graph of_named(std::vector<std::shared_ptr<Operation>> operations, HashIndex by_name, std::shared_ptr<const void> origin) {
        Graph g;
        Parts& p = *g.parts_;
        p.by_name = std::move(by_name);
        p.next_number.assign(operations.size(), 1);
        p.operations = std::move(operations);
        p.origin = std::move(origin);
        return g;
    }

    const std::vector<std::shared_ptr<Operation>>& operations() const { return parts_->operations; }
    const std::vector<Output>& roots() const { return parts_->roots; }
    const std::shared_ptr<const void>& origin() const { return parts_->origin; }
    /// What plans for this graph have computed of its constants.
    FoldedValues& folded() const { return parts_->folded; }
    template <class = void> bool contains(std::string_view name) const { return find(name) != HashIndex::none; }

    template <class Lazy = void> std::shared_ptr<Operation> get_operation_by_name(std::string_view name) const;
    /// The tensor "op:1"; "op" is "op:0", or the operation itself if it has no outputs.
    template <int lazy = 0> Output get_tensor_by_name(std::string_view name) const;
    /// The same as a typed handle; dtype and what is known of the shape are checked here.
    ///
    ///     auto fc7 = graph.get_tensor_by_name<float, Shape<dyn, 4096>>("fc7:0");
    template <class T, class S = Unranked> Node<T, S> get_tensor_by_name(std::string_view name) const {
        const Output o = get_tensor_by_name(name);
        if (o.operation->results.empty()) throw NameError("[Graph] '" + std::string(name) + "' is an operation without outputs");
        if (o.dtype() != dtype_of<T>) throw TypeError("[Graph] '" + std::string(name) + "' is " + std::string(name_of(o.dtype())) + ", asked for " + std::string(name_of(dtype_of<T>)));
        if (!compatible(o.dims(), S::dims)) throw ShapeError("[Graph] '" + std::string(name) + "' is " + to_string(o.dims()) + ", asked for " + to_string(S::dims));
        return Node<T, S>(o);
    }
    /// The variables, in the order of the graph.
    template <class = void> std::vector<Output> variables() const {
        std::vector<Output> all;
        for (const auto& o : parts_->operations) if (o->table->is_state) all.push_back({o, 0});
        return all;
    }

private:
    template <class = void> int find(std::string_view name) const {
        return parts_->by_name.find(hash_of(name), [&](int i) { return parts_->operations[static_cast<std::size_t>(i)]->name == name; });
    }
    template <class = void> void append(std::shared_ptr<Operation> o) const {
        parts_->by_name.add(hash_of(o->name), static_cast<int>(parts_->operations.size()));
        parts_->next_number.push_back(1);
        parts_->operations.push_back(std::move(o));
    }
    template <class = void> bool holds(const Operation* o) const {
        const int at = find(o->name);
        return at != HashIndex::none && parts_->operations[static_cast<std::size_t>(at)].get() == o;
    }
    /// `base`, or else the first of base_1, base_2, ... that is free. Names are never given back, so the search goes on where the last one ended.
    template <class = void> std::string free_name(const std::string& base) const {
        const int at = find(base);
        if (at == HashIndex::none) return base;
        int& number = parts_->next_number[static_cast<std::size_t>(at)];
        std::string name;
        do name = base + "_" + std::to_string(number++);
        while (contains(name));
        return name;
    }
    template <class = void> void add_operations(std::span<const Output> roots) {
        struct Renamed { std::string from, to; };
        std::vector<Renamed> renamed;  // variables, whose reads follow them
        HashIndex by_old_name;
        const auto at_old_name = [&](std::string_view name) { return by_old_name.find(hash_of(name), [&](int i) { return renamed[static_cast<std::size_t>(i)].from == name; }); };
        for (const auto& o : topological(roots)) {
            if (holds(o.get())) continue;
            std::string base = o->name;
            if (base.empty() || base.back() == '/') base += o->table->name;
            if (const auto slash = base.rfind('/'); slash != std::string::npos)
                if (const int at = at_old_name(std::string_view(base).substr(0, slash)); at != HashIndex::none) base = renamed[static_cast<std::size_t>(at)].to + base.substr(slash);
            std::string name = free_name(base);
            if (o->table->is_state && name != base) {
                if (const int at = at_old_name(base); at != HashIndex::none) {
                    renamed[static_cast<std::size_t>(at)].to = name;
                } else {
                    by_old_name.add(hash_of(base), static_cast<int>(renamed.size()));
                    renamed.push_back({base, name});
                }
            }
            o->name = std::move(name);
            append(o);
        }
    }
    template <class = void> std::string nearest(std::string_view name) const {
        std::vector<std::pair<std::size_t, std::string_view>> close;
        for (const auto& o : parts_->operations) {
            const std::string_view n = o->name;
            const auto slash = n.rfind('/');
            auto d = detail::distance(name, n);
            if (slash != std::string_view::npos) d = std::min(d, detail::distance(name, n.substr(slash + 1)) + 1);
            if (d <= std::max<std::size_t>(2, name.size() / 3)) close.emplace_back(d, n);
        }
        std::sort(close.begin(), close.end());
        std::string text;
        for (std::size_t i = 0; i < std::min<std::size_t>(close.size(), 3); ++i) text += (i ? ", '" : "; the nearest are '") + std::string(close[i].second) + "'";
        return text;
    }
};

template <class Lazy> void Graph::add(std::vector<Output> roots) {
    Parts& p = *parts_;
    const auto from = p.operations.size();
    add_operations(roots);
    std::vector<std::shared_ptr<Operation>> assigned;
    const OpTable* no_op = nullptr;
    for (auto i = from; i < p.operations.size(); ++i) {
        const auto o = p.operations[i];
        if (!o->table->is_state || !o->state || !o->state->initial) continue;
        no_op = o->state->no_op;
        const OpTable& assign = *o->state->assign;
        const Output made = make_operation(assign, assign.clone(nullptr), {{o, 0}, o->state->initial}, o->name + "/Assign");
        add_operations({&made, 1});
        assigned.push_back(made.operation);
    }
    if (no_op) {
        const Output init = make_operation(*no_op, no_op->clone(nullptr), {}, "init");
        init.operation->controls = std::move(assigned);
        add_operations({&init, 1});
    }
    for (auto& r : roots) p.roots.push_back(std::move(r));
}
template <class Lazy> std::shared_ptr<Operation> Graph::get_operation_by_name(std::string_view name) const {
    const int at = find(name);
    if (at == HashIndex::none) throw NameError("[Graph] no operation named '" + std::string(name) + "'" + nearest(name));
    return parts_->operations[static_cast<std::size_t>(at)];
}
template <int lazy> Output Graph::get_tensor_by_name(std::string_view name) const {
    const auto colon = name.rfind(':');
    int index = 0;
    if (colon != std::string_view::npos) {
        if (colon + 1 == name.size() || name.size() - colon > 6) throw NameError("[Graph] '" + std::string(name) + "' is not the name of a tensor: want 'operation:number'");
        for (const char c : name.substr(colon + 1)) {
            if (c < '0' || c > '9') throw NameError("[Graph] '" + std::string(name) + "' is not the name of a tensor: want 'operation:number'");
            index = 10 * index + (c - '0');
        }
    }
    auto o = get_operation_by_name(name.substr(0, colon));
    const auto outputs = o->results.size();
    if (static_cast<std::size_t>(index) >= outputs && (outputs || colon != std::string_view::npos))
        throw NameError("[Graph] no tensor '" + std::string(name) + "': " + describe(*o) + " has " + std::to_string(outputs) + " outputs");
    return {std::move(o), index};
}
#ifdef TENON_PREBUILT
extern template std::vector<std::shared_ptr<Operation>> topological<void>(std::span<const Output>);
extern template void Graph::add<void>(std::vector<Output>);
extern template std::shared_ptr<Operation> Graph::get_operation_by_name<void>(std::string_view) const;
extern template Output Graph::get_tensor_by_name<0>(std::string_view) const;
#endif

}  // namespace tenon
