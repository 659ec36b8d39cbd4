// Which updates of variables have to wait for which readers, told by edges.
//
// A plan of ours runs a variable's readers before its updates, edge or not. TensorFlow knows edges only, and reads a reference
// where it lies: there an update may overtake the gradient that multiplies with the old weights.
#pragma once
#include "../expr/graph.hpp"

namespace tenon::detail {

/// Finds, for the updates that a program made, what reads the old value in the same run and is tied to them by no edge.
/// What is run together is what a root of the graph needs.
template <class = void> class UpdateOrder {
    std::span<const std::shared_ptr<Operation>> operations_;
    HashIndex number_;
    std::vector<std::vector<int>> users_, waits_;

    static std::size_t z(int i) { return static_cast<std::size_t>(i); }
    int number(const Operation* o) const { return number_.find(o); }
    template <class F> static void each_input(const Operation& o, F f) {
        for (const Output& i : o.inputs) f(i.operation.get());
        for (const auto& c : o.controls) f(c.get());
    }
    template <class Next> std::vector<bool> reached(int from, Next next) const {
        std::vector<bool> seen(operations_.size());
        std::vector<int> todo{from};
        while (!todo.empty()) {
            const int at = todo.back();
            todo.pop_back();
            if (seen[z(at)]) continue;
            seen[z(at)] = true;
            next(at, [&](int i) { if (i != HashIndex::none) todo.push_back(i); });
        }
        return seen;
    }
    std::vector<bool> before(int o) const {
        return reached(o, [&](int at, auto add) { each_input(*operations_[z(at)], [&](const Operation* i) { add(number(i)); }); });
    }
    std::vector<bool> after(int o) const {
        return reached(o, [&](int at, auto add) { for (const int u : users_[z(at)]) add(u); });
    }

public:
    explicit UpdateOrder(const Graph& graph) : operations_(graph.operations()), users_(operations_.size()), waits_(operations_.size()) {
        for (std::size_t i = 0; i < operations_.size(); ++i) number_.keep(operations_[i].get(), static_cast<int>(i));
        std::vector<int> memory(operations_.size(), HashIndex::none);  // the variable that an operation's first output lies in
        std::vector<std::vector<int>> readers(operations_.size());     // of a variable
        for (std::size_t i = 0; i < operations_.size(); ++i) {
            const Operation& o = *operations_[i];
            each_input(o, [&](const Operation* from) { if (const int f = number(from); f != HashIndex::none) users_[z(f)].push_back(static_cast<int>(i)); });
            const auto lies_in = [&](std::size_t input) {
                const int f = number(o.inputs[input].operation.get());
                return f == HashIndex::none || o.inputs[input].index ? HashIndex::none : memory[z(f)];
            };
            if (o.table->is_state) memory[i] = static_cast<int>(i);
            else if (o.table->writes > 0) memory[i] = lies_in(0);
            else if (o.table->view >= 0 && o.table->name != "ReadVariableOp") memory[i] = lies_in(z(o.table->view));
            else
                for (std::size_t k = 0; k < o.inputs.size(); ++k)
                    if (const int v = lies_in(k); v != HashIndex::none && (readers[z(v)].empty() || readers[z(v)].back() != static_cast<int>(i))) readers[z(v)].push_back(static_cast<int>(i));
        }
        for (const Output& root : graph.roots()) {
            const auto together = before(number(root.operation.get()));
            for (std::size_t u = 0; u < operations_.size(); ++u) {
                const Operation& update = *operations_[u];
                if (!together[u] || update.table->writes <= 0 || update.origin) continue;  // an imported node stays as it is
                std::vector<bool> earlier, later;
                for (std::size_t k = 0; k < z(update.table->writes); ++k) {
                    const int variable = memory[z(number(update.inputs[k].operation.get()))];
                    if (variable == HashIndex::none) continue;
                    for (const int r : readers[z(variable)]) {
                        if (!together[z(r)]) continue;
                        if (earlier.empty()) earlier = before(static_cast<int>(u)), later = after(static_cast<int>(u));
                        if (!earlier[z(r)] && !later[z(r)] && std::find(waits_[u].begin(), waits_[u].end(), r) == waits_[u].end()) waits_[u].push_back(r);
                    }
                }
            }
        }
    }

    /// What operation `i` of the graph has to wait for besides its inputs.
    template <class F> void each_reader(std::size_t i, F f) const { for (const int r : waits_[i]) f(*operations_[z(r)]); }
};

}  // namespace tenon::detail
