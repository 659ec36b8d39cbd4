// The second stage of planning: in which order to compute what has to be computed.
#pragma once
#include "plan_fold.hpp"


namespace tenon {

template <class Lazy = void> class PlanOrder : public PlanFold<Lazy> {
protected:
    using Base = PlanFold<Lazy>;
    using typename Base::Op, typename Base::Value;
    using Base::none, Base::z, Base::fetches_, Base::number_, Base::ops_, Base::values_, Base::value_of, Base::external, Base::uses_group, Base::is_view, Base::each_input, Base::each_gate;

    /// What runs as one kernel.
    struct Unit {
        std::vector<int> ops;           // of one group, or one
        const Group* group = nullptr;
        std::vector<int> in{};          // values read, each once
        std::vector<int> after{};       // units that wait for this one
        int waits = 0;
    };
    std::vector<Unit> units_{};
    std::vector<int> sequence_{};  // units, as they will run

public:
    PlanOrder(std::span<const Output> fetches, std::span<const Feed> feeds, FoldedValues& folded) : Base(fetches, feeds, folded) {
        make_units();
        if (!arrange(false) && !arrange(true)) throw ValueError("[run] operations wait for each other in a circle");
    }

private:
    void make_units() {
        HashIndex of_group;
        for (std::size_t i = 0; i < ops_.size(); ++i) {
            Op& op = ops_[i];
            if (!op.needed) continue;
            const Group* g = uses_group(*op.o) ? op.o->group.get() : nullptr;
            op.unit = static_cast<int>(units_.size());
            if (g) {
                op.unit = of_group.keep(g, op.unit);
                if (z(op.unit) == units_.size()) units_.push_back({{}, g});
            } else {
                units_.push_back({});
            }
            Unit& u = units_[z(op.unit)];
            u.ops.push_back(static_cast<int>(i));
            each_input(op, [&](int v) { if (std::find(u.in.begin(), u.in.end(), v) == u.in.end()) u.in.push_back(v); });
        }
        for (Op& op : ops_) if (op.same != none) op.unit = ops_[z(op.same)].unit;  // who waits for one waits for the other
    }
    /// Whose memory `value` is, and the op through which a variable's memory is first read (or none).
    std::pair<int, int> memory_of(int value) const {
        int reader = none;
        for (;;) {
            const Value& v = values_[z(value)];
            if (external(v)) return {value, reader};
            const Op& op = ops_[z(v.op)];
            const Operation& o = *op.o;
            if (o.table->writes > 0 && value == op.first_value && !o.inputs.empty()) value = value_of(o.inputs[0]);
            else if (is_view(op)) reader = v.op, value = value_of(o.inputs[z(o.table->view)]);
            else return {value, reader};
        }
    }
    bool is_variable(int value) const { return !external(values_[z(value)]) && ops_[z(values_[z(value)].op)].o->table->is_state; }

    void edge(int from, int to) {
        if (from == to) return;
        units_[z(from)].after.push_back(to);
        ++units_[z(to)].waits;
    }
    /// Everything that runs only after `unit` does.
    std::vector<bool> followers(int unit) const {
        std::vector<bool> reached(units_.size());
        std::vector<int> todo{unit};
        while (!todo.empty()) {
            const int u = todo.back();
            todo.pop_back();
            for (const int next : units_[z(u)].after) if (!reached[z(next)]) reached[z(next)] = true, todo.push_back(next);
        }
        return reached;
    }
    bool arrange(bool copy_all_reads) {
        for (Unit& u : units_) u.after.clear(), u.waits = 0;
        sequence_.clear();
        for (int u = 0; u < static_cast<int>(units_.size()); ++u) {
            for (const int v : units_[z(u)].in) {
                if (external(values_[z(v)])) each_gate(v, [&](int op) { edge(ops_[z(op)].unit, u); });
                else edge(ops_[z(values_[z(v)].op)].unit, u);
            }
            for (const int i : units_[z(u)].ops) for (const auto& c : ops_[z(i)].o->controls) edge(ops_[z(number_.find(c.get()))].unit, u);
        }
        guard_variables(copy_all_reads);
        std::vector<int> ready;  // a heap, the smallest first
        const auto add = [&](int u) {
            ready.push_back(u);
            std::push_heap(ready.begin(), ready.end(), std::greater<>());
        };
        for (int u = 0; u < static_cast<int>(units_.size()); ++u) if (units_[z(u)].waits == 0) add(u);
        while (!ready.empty()) {
            std::pop_heap(ready.begin(), ready.end(), std::greater<>());
            const int u = ready.back();
            ready.pop_back();
            sequence_.push_back(u);
            for (const int next : units_[z(u)].after) if (--units_[z(next)].waits == 0) add(next);
        }
        return sequence_.size() == units_.size();
    }
    /// A variable's readers go before its updates, unless they wait for them. One that waits but reads through a view made
    /// earlier gets a copy made in time.
    void guard_variables(bool copy_all_reads) {
        struct Written {
            int variable;  // its value
            std::vector<int> writers{}, readers{}, through{};  // units; the op through which each reader reads
        };
        std::vector<Written> all;
        std::vector<int> number(values_.size(), none);  // of a variable's value among those written
        for (int u = 0; u < static_cast<int>(units_.size()); ++u)
            for (const int i : units_[z(u)].ops) {
                const Operation& o = *ops_[z(i)].o;
                for (std::size_t k = 0; k < z(o.table->writes); ++k)
                    if (const auto [m, reader] = memory_of(value_of(o.inputs[k])); is_variable(m)) {
                        if (number[z(m)] == none) number[z(m)] = static_cast<int>(all.size()), all.push_back({m});
                        all[z(number[z(m)])].writers.push_back(u);
                    }
            }
        if (all.empty()) return;
        const auto note = [&](int value, int unit) {
            const auto [m, reader] = memory_of(value);
            if (is_variable(m) && number[z(m)] != none) all[z(number[z(m)])].readers.push_back(unit), all[z(number[z(m)])].through.push_back(reader);
        };
        for (int u = 0; u < static_cast<int>(units_.size()); ++u) {
            const Unit& unit = units_[z(u)];
            const Op& op = ops_[z(unit.ops[0])];
            if (unit.ops.size() == 1 && is_view(op)) continue;  // reads nothing itself
            for (const int v : unit.in) {
                bool written = false;
                if (!unit.group) for (std::size_t k = 0; k < z(op.o->table->writes); ++k) written |= value_of(op.o->inputs[k]) == v;
                if (!written) note(v, u);
            }
        }
        for (const Output& f : fetches_) if (!f.operation->results.empty() && !external(values_[z(value_of(f))])) note(value_of(f), none);
        bool copied = false;
        for (const Written& written : all)
            for (const int w : written.writers) {
                const auto later = followers(w);
                for (std::size_t i = 0; i < written.readers.size(); ++i) {
                    const int unit = written.readers[i], reader = written.through[i];
                    if (unit == w && reader == none) continue;
                    const bool waits = unit == none || later[z(unit)] || unit == w;
                    if (!waits && !(copy_all_reads && reader != none)) { edge(unit, w); continue; }
                    if (reader == none || later[z(ops_[z(reader)].unit)]) continue;
                    ops_[z(reader)].copies = true;
                    copied = true;
                }
            }
        if (!copied) return;
        for (const Written& written : all)  // the copies are readers now
            for (std::size_t i = 0; i < ops_.size(); ++i)
                if (ops_[i].copies && ops_[i].unit != none && memory_of(value_of(ops_[i].o->inputs[z(ops_[i].o->table->view)])).first == written.variable)
                    for (const int w : written.writers) if (!followers(w)[z(ops_[i].unit)]) edge(ops_[i].unit, w);
    }
};

}  // namespace tenon
