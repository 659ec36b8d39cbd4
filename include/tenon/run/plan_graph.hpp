// The first stage of planning: which operations and values there are, what is known of them, what has to be computed.
#pragma once
#include "plan.hpp"

#include <algorithm>

namespace tenon {

template <class = void> class PlanGraph {
protected:
    enum : int { none = -1 };
    struct Value {
        Ref ref;
        Tensor known{};
        int op = none, feed = none;
        int root = none;           // whose memory it is; itself if its own
        int first = none, last = none;
        std::size_t offset = 0;
    };
    struct Op {
        const Operation* o = nullptr;
        int first_value = 0, values = 0, unit = none;
        bool needed = false, copies = false;  // copies: a read of a variable that must not see a later update
        bool fed_only = false;  // some outputs are fed, the others nobody needs: its inputs are not looked at
        bool gated = false;  // it, or something it was folded from, has control inputs
        int same = none;      // the operation that computes its results, if another does
        bool folded = false;  // its results have been computed
    };
    std::span<const Output> fetches_;
    std::span<const Feed> feeds_;
    HashIndex number_{};
    std::vector<Op> ops_{};
    std::vector<Value> values_{};
    HashIndex refused_{};

    static std::size_t z(int i) { return static_cast<std::size_t>(i); }
    int value_of(const Output& o) const { return ops_[z(number_.find(o.operation.get()))].first_value + o.index; }
    /// Its elements are not computed by this plan.
    bool external(const Value& v) const { return v.known || v.feed != none; }
    bool uses_group(const Operation& o) const { return o.group && !refused_.contains(o.group.get()); }

    Ref known_ref(int value) const {
        const Value& v = values_[z(value)];
        return {v.known ? v.known.raw() : nullptr, v.ref.dims, v.ref.dtype};
    }
    /// Elementwise readers broadcast as they read, so nobody has to write the repeats for them.
    int unbroadcast(int value) const {
        for (;;) {
            const Value& v = values_[z(value)];
            if (v.known || v.feed != none) return value;
            const Operation& o = *ops_[z(v.op)].o;
            if (o.table->broadcasts < 0 || uses_group(o)) return value;
            value = value_of(o.inputs[z(o.table->broadcasts)]);
        }
    }

    /// The operations that have to run before a folded value counts as there: its control inputs, and those of what it was folded from.
    template <class F> void each_gate(int value, F&& f) const {
        std::vector<int> todo{value}, seen{value};
        while (!todo.empty()) {
            const Value& v = values_[z(todo.back())];
            todo.pop_back();
            if (!v.known || v.feed != none || !ops_[z(v.op)].gated) continue;
            const Operation& o = *ops_[z(v.op)].o;
            for (const auto& c : o.controls) f(number_.find(c.get()));
            for (const Output& i : o.inputs)
                if (const int from = value_of(i); std::find(seen.begin(), seen.end(), from) == seen.end()) seen.push_back(from), todo.push_back(from);
        }
    }

    bool is_view(const Op& op) const {
        const Operation& o = *op.o;
        if (o.table->view < 0 || op.copies || uses_group(o) || values_[z(op.first_value)].feed != none) return false;
        const Ref &in = values_[z(value_of(o.inputs[z(o.table->view)]))].ref, &out = values_[z(op.first_value)].ref;
        return in.dims.size() == out.dims.size() && in.dtype == out.dtype;
    }
    int operand(const Group& g, const Output& o) const { return g.reduces ? value_of(o) : unbroadcast(value_of(o)); }

    /// The values that computing `op` reads.
    template <class F> void each_input(const Op& op, F&& f) const {
        const Operation& o = *op.o;
        if (uses_group(o)) {
            const Group& g = *o.group;
            for (std::size_t i = 0; i < g.inputs.size(); ++i)
                if (g.reads[z(o.group_output)] & 1u << i) f(operand(g, g.inputs[i]));
        } else {
            for (const Output& i : o.inputs) f(o.table->elementwise ? unbroadcast(value_of(i)) : value_of(i));
        }
    }

public:
    PlanGraph(std::span<const Output> fetches, std::span<const Feed> feeds) : fetches_(fetches), feeds_(feeds) {
        number();
        infer();
        choose();
    }

private:
    // ---- number ------------------------------------------------------------------------------------------

    int feed_of(const Operation* o, int index) const {
        for (std::size_t i = 0; i < feeds_.size(); ++i) if (feeds_[i].of.operation.get() == o && feeds_[i].of.index == index) return static_cast<int>(i);
        return none;
    }
    bool is_fed(const Output& o) const { return feed_of(o.operation.get(), o.index) != none; }

    int add(const Operation* o) {
        const int next = static_cast<int>(ops_.size()), at = number_.keep(o, next);
        if (at == next) {
            Op op{o, static_cast<int>(values_.size()), static_cast<int>(o->results.size())};
            for (int i = 0; i < op.values; ++i) {
                Value v;
                v.op = at;
                v.feed = feed_of(o, i);
                v.root = static_cast<int>(values_.size());
                values_.push_back(std::move(v));
            }
            ops_.push_back(op);
        }
        return at;
    }
    /// Inputs before what reads them; iterative, since graphs are deep.
    void number() {
        std::vector<const Operation*> stack;
        std::vector<int> edges;  // of each on the stack those that have been followed
        HashIndex seen;
        const auto enter = [&](const Operation* o) { if (seen.insert(o)) stack.push_back(o), edges.push_back(0); };
        for (const Feed& f : feeds_) if (f.of.operation->inputs.empty() && f.of.operation->results.size() == 1) seen.insert(f.of.operation.get()), add(f.of.operation.get());
        for (const Output& f : fetches_) {
            if (f.operation->results.empty() || !is_fed(f)) enter(f.operation.get());
            while (!stack.empty()) {
                const Operation* const o = stack.back();
                const std::size_t i = z(edges.back()++), data = o->inputs.size(), before = data + o->controls.size(), all = before + (o->group ? o->group->inputs.size() : 0);
                if (i == before) add(o);  // what its group reads may follow: it may depend on the extents of `o`
                if (i == all) {
                    stack.pop_back(), edges.pop_back();
                    continue;
                }
                if (i >= data && i < before) { enter(o->controls[i - data].get()); continue; }
                const Output& from = i < data ? o->inputs[i] : o->group->inputs[i - before];  // a group's kernel wants extents that the operation itself may not reach
                if (!is_fed(from)) enter(from.operation.get());
            }
        }
        const int reached = static_cast<int>(ops_.size());
        for (const Feed& f : feeds_)
            if (const int at = add(f.of.operation.get()); at >= reached) ops_[z(at)].fed_only = true;
    }

    // ---- infer -------------------------------------------------------------------------------------------

    /// Whether its results followed from constants when the graph was made, and from the same: they lie there for all plans.
    bool known_to_graph(const Op& op) const {
        const auto elements = [](const Output& o) { return o.operation->results[z(o.index)].known.raw(); };
        for (int k = 0; k < op.values; ++k) if (!op.o->results[z(k)].known || values_[z(op.first_value + k)].feed != none) return false;
        for (const Output& i : op.o->inputs) if (const Value& v = values_[z(value_of(i))]; !v.known || v.feed != none || v.known.raw() != elements(i)) return false;
        return op.values > 0 && !op.o->inputs.empty();
    }
    void gate(Op& op) {
        op.gated = !op.o->controls.empty();
        for (const Output& i : op.o->inputs) op.gated |= values_[z(value_of(i))].known && ops_[z(values_[z(value_of(i))].op)].gated;
    }
    void infer() {
        for (std::size_t i = 0; i < feeds_.size(); ++i) {
            const Feed& f = feeds_[i];
            Value& v = values_[z(value_of(f.of))];
            const Result& r = f.of.operation->results[z(f.of.index)];
            if (f.value.dtype() != r.dtype && r.dtype != DType::invalid)
                throw FeedError("[feed] " + describe(*f.of.operation) + " is " + std::string(name_of(r.dtype)) + ", fed " + std::string(name_of(f.value.dtype())));
            if (!compatible(r.dims, f.value.dims())) throw FeedError("[feed] " + describe(*f.of.operation) + " is " + to_string(r.dims) + ", fed " + to_string(f.value.dims()));
            v.ref.dims = f.value.dims();
            v.ref.dtype = f.value.dtype();
            if (f.known) v.known = f.value;
        }
        std::vector<Ref> in;
        for (Op& op : ops_) {
            const Operation& o = *op.o;
            bool all_fed = op.values > 0;
            for (int k = 0; k < op.values; ++k) all_fed &= values_[z(op.first_value + k)].feed != none;
            if (all_fed || op.fed_only) continue;
            if (known_to_graph(op)) {
                for (int k = 0; k < op.values; ++k) {
                    Value& v = values_[z(op.first_value + k)];
                    v.ref.dims = o.results[z(k)].dims, v.ref.dtype = o.results[z(k)].known.dtype(), v.known = o.results[z(k)].known;
                }
                gate(op);
                continue;
            }
            in.clear();
            bool open = false;
            for (std::size_t k = 0; k < o.inputs.size(); ++k) {
                in.push_back(known_ref(value_of(o.inputs[k])));
                const bool wanted = (o.table->needs && o.table->needs(k, o.inputs.size())) || is_const_input(*o.table, k, o.inputs.size());
                if (wanted && !in.back().data && o.table->supported) {
                    if (in.back().dims.known()) throw NeedsValue{o.inputs[k]};
                    open = true;
                }
            }
            std::vector<Result> results;
            for (const Ref& r : in) open |= r.dtype == DType::invalid;  // of an op that cannot run
            if (!o.table->supported || open) results.assign(z(op.values), Result{});
            else results = infer_results(*o.table, o.op, in, describe(o));
            gate(op);
            if (o.state && o.state->value && op.values) results[0].dims = o.state->value.dims();
            for (int k = 0; k < op.values; ++k) {
                Value& v = values_[z(op.first_value + k)];
                if (v.feed != none) continue;
                v.ref.dims = results[z(k)].dims;
                v.ref.dtype = results[z(k)].dtype == DType::invalid ? o.results[z(k)].dtype : results[z(k)].dtype;
                v.known = std::move(results[z(k)].known);
            }
        }
    }

    // ---- choose ------------------------------------------------------------------------------------------

    void choose() {
        for (const Feed& f : feeds_)
            for (const Op& op : ops_)
                if (op.o->group)
                    for (const Operation* inner : op.o->group->inner) if (inner == f.of.operation.get()) refused_.insert(op.o->group.get());
        for (bool changed = true; changed;) {
            changed = false;
            for (Op& op : ops_) op.needed = false;
            std::vector<int> todo;
            const auto want = [&](int op) {
                if (!ops_[z(op)].needed) ops_[z(op)].needed = true, todo.push_back(op);
            };
            const auto want_value = [&](int v) {
                if (external(values_[z(v)])) each_gate(v, want);
                else want(values_[z(v)].op);
            };
            for (const Output& f : fetches_) {
                if (f.operation->results.empty()) want(number_.find(f.operation.get()));
                else want_value(value_of(f));
            }
            while (!todo.empty()) {
                const Op& op = ops_[z(todo.back())];
                todo.pop_back();
                each_input(op, want_value);
                for (const auto& c : op.o->controls) want(number_.find(c.get()));
            }
            for (const Op& op : ops_) {
                if (!op.needed || !uses_group(*op.o)) continue;
                for (const Operation* inner : op.o->group->inner) {
                    const int at = number_.find(inner);
                    if (at == none || !ops_[z(at)].needed) continue;
                    refused_.insert(op.o->group.get());
                    changed = true;
                    break;
                }
            }
        }
        refuse_what_cannot_run();
    }
    /// A line for each kind of op and reason, in the order of these: "Foo ('a', 'b', 'c' and 4 more)", "Conv2D ('d'): attribute padding is 'FULL'".
    static std::string listed(const std::vector<const Operation*>& all) {
        const auto order = [](const Operation* a, const Operation* b) {
            const int names = a->table->name.compare(b->table->name);
            return names ? names : a->table->reason.compare(b->table->reason);
        };
        std::string text;
        for (const Operation* kind = nullptr;;) {  // the next kind is looked for: kinds are few, and std::stable_sort costs every program 0.1 s to compile
            const Operation* next = nullptr;
            for (const Operation* o : all) if ((!kind || order(o, kind) > 0) && (!next || order(o, next) < 0)) next = o;
            if (!next) return text;
            kind = next;
            text.append("\n  ").append(kind->table->name).append(" (");
            std::size_t count = 0;
            for (const Operation* o : all)
                if (order(o, kind) == 0 && ++count <= 3) text.append(count > 1 ? ", '" : "'").append(o->name).append("'");
            if (count > 3) text.append(" and ").append(std::to_string(count - 3)).append(" more");
            text.append(kind->table->reason.empty() ? ")" : "): ").append(kind->table->reason);
        }
    }
    void refuse_what_cannot_run() const {
        std::string unfed;
        std::vector<const Operation*> unsupported;
        for (const Op& op : ops_) {
            if (!op.needed) continue;
            if (!op.o->table->supported) unsupported.push_back(op.o);
            else if (op.o->table->name == "Placeholder") unfed += (unfed.empty() ? "" : ", ") + describe(*op.o) + " " + std::string(name_of(op.o->results[0].dtype)) + " " + to_string(op.o->results[0].dims);
        }
        if (!unsupported.empty()) throw UnsupportedError("[run] ops that tenon cannot run, and that are needed:" + listed(unsupported));
        if (!unfed.empty()) throw FeedError("[run] not fed: " + unfed);
        for (const Op& op : ops_) {
            const OpTable& t = *op.o->table;
            for (int k = 0; op.needed && k < op.values; ++k)
                if (const Dims& d = values_[z(op.first_value + k)].ref.dims; !d.known()) throw ShapeError("[run] extents of " + describe(*op.o) + " are not known: " + to_string(d));
            if (op.needed && !t.forward && !t.is_state && op.values) throw UnsupportedError("[run] " + describe(*op.o) + " has no kernel for " + std::string(name_of(t.dtype)));
        }
    }
};

}  // namespace tenon
