// A plan: how to compute some fetches for feeds of certain extents. Made once, run often; running it allocates
// nothing, looks nothing up and takes no lock: a loop over (kernel, resolved memory).
//
// Making it is plain code over integers. Operations and their outputs are numbered; then
//
//   number     walk back from fetches and targets; feeds cut the graph wherever they are
//   infer      extents, dtypes and known values, by the ops' own rules; feeds of which a rule reads the elements are noted
//   choose     what has to be computed, values known; compiled groups where nobody wants what is between
//   arrange    order: inputs first, readers of a variable before its updates unless they wait for them
//   place      views and updates share memory, elementwise results take over what dies, the rest lives in one arena
#pragma once
#include "../expr/statement.hpp"
#include "../tensor/random.hpp"
#include "arena.hpp"
#include "feed.hpp"

#include <deque>
#include <queue>
#include <unordered_map>

namespace tenon {

/// The random streams of one session, by operation; they go on from run to run.
using Streams = std::unordered_map<const Operation*, random::Philox>;

/// Thrown while planning: a shape rule reads elements that nobody knows before something has run.
struct NeedsValue { Output of; };

class Plan {
    struct Step {
        Kernel run;
        Call call;
        const Operation* of;
    };
    struct Patch { std::size_t feed; Ref* ref; };

    std::vector<Output> keep_;
    std::deque<Ref> refs_;
    std::vector<const Ref*> pointers_;
    std::vector<Step> steps_;
    std::vector<Patch> patches_;
    std::vector<const Ref*> fetched_;
    std::vector<std::shared_ptr<const void>> owned_;
    std::vector<State*> reads_, assigns_;
    std::vector<const Operation*> read_operations_;
    Buffer arena_;
    std::size_t arena_bytes_ = 0;

    friend class PlanBuilder;

public:
    Plan() = default;
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;

    /// Feeds are those that the plan was made for, in the same order, with the same extents.
    void run(std::span<const Feed> feeds) const {
        for (const Patch& p : patches_) p.ref->data = feeds[p.feed].value.raw();
        for (std::size_t i = 0; i < reads_.size(); ++i)
            if (!reads_[i]->initialized) throw ValueError(describe(*read_operations_[i]) + " has no value: restore it, or run its initialiser");
        for (const Step& s : steps_) {
            try {
                s.run(s.call);
            } catch (const ValueError& e) {
                throw ValueError(describe(*s.of) + ": " + e.what());
            }
        }
        for (State* s : assigns_) s->initialized = true;
    }
    /// Where fetch `i` lies; its elements hold until the next run.
    const Ref& result(std::size_t i) const { return *fetched_[i]; }
    Tensor fetch(std::size_t i) const {
        const Ref& r = result(i);
        Tensor t(r.dtype, r.dims);
        t.assign(Tensor(r.dtype, r.dims, r.data, nullptr));
        return t;
    }
    std::size_t kernels() const { return steps_.size(); }
    std::size_t arena_bytes() const { return arena_bytes_; }
};

class PlanBuilder {
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
    };
    struct Unit {
        std::vector<int> ops;  // of one group, or one
        const Group* group = nullptr;
        std::vector<int> in;   // values read, each once
        std::vector<int> before{}, after{};
        int waits = 0;
    };

    Plan& plan_;
    std::span<const Output> fetches_;
    std::span<const Feed> feeds_;
    Streams& streams_;
    std::unordered_map<const Operation*, int> number_;
    std::vector<Op> ops_;
    std::vector<Value> values_;
    std::vector<Unit> units_;
    std::vector<int> sequence_;  // units, as they will run
    std::unordered_map<const Group*, bool> refused_;

public:
    PlanBuilder(Plan& plan, std::span<const Output> fetches, std::span<const Feed> feeds, Streams& streams) : plan_(plan), fetches_(fetches), feeds_(feeds), streams_(streams) {}

    void build() {
        number();
        infer();
        choose();
        make_units();
        for (int attempt = 0; !arrange(attempt > 0); ++attempt)
            if (attempt > 1) throw ValueError("[run] operations wait for each other in a circle");
        emit();
    }

private:
    static std::size_t z(int i) { return static_cast<std::size_t>(i); }

    // ---- number ------------------------------------------------------------------------------------------

    int feed_of(const Operation* o, int index) const {
        for (std::size_t i = 0; i < feeds_.size(); ++i) if (feeds_[i].of.operation.get() == o && feeds_[i].of.index == index) return static_cast<int>(i);
        return none;
    }
    bool is_fed(const Output& o) const { return feed_of(o.operation.get(), o.index) != none; }
    int value_of(const Output& o) const { return ops_[z(number_.at(o.operation.get()))].first_value + o.index; }

    int add(const Operation* o) {
        const auto [at, fresh] = number_.try_emplace(o, static_cast<int>(ops_.size()));
        if (fresh) {
            Op op{o, static_cast<int>(values_.size()), static_cast<int>(o->results.size())};
            for (int i = 0; i < op.values; ++i) {
                Value v;
                v.op = at->second;
                v.feed = feed_of(o, i);
                v.root = static_cast<int>(values_.size());
                values_.push_back(std::move(v));
            }
            ops_.push_back(op);
        }
        return at->second;
    }
    /// Inputs before what reads them; iterative, since graphs are deep.
    void number() {
        struct Visit { const Operation* o; std::size_t edge; };
        std::vector<Visit> stack;
        std::unordered_map<const Operation*, bool> seen;
        const auto enter = [&](const Operation* o) { if (seen.try_emplace(o, true).second) stack.push_back({o, 0}); };
        for (const Feed& f : feeds_) if (f.of.operation->inputs.empty() && f.of.operation->results.size() == 1) seen.emplace(f.of.operation.get(), true), add(f.of.operation.get());
        for (const Output& f : fetches_) {
            if (f.operation->results.empty() || !is_fed(f)) enter(f.operation.get());
            while (!stack.empty()) {
                auto& [o, edge] = stack.back();
                const std::size_t data = o->inputs.size();
                if (edge == data + o->controls.size()) {
                    add(o);
                    stack.pop_back();
                    continue;
                }
                const std::size_t i = edge++;
                if (i >= data) enter(o->controls[i - data].get());
                else if (!is_fed(o->inputs[i])) enter(o->inputs[i].operation.get());
            }
        }
        for (const Feed& f : feeds_) add(f.of.operation.get());  // those whose other outputs nobody needs
    }

    // ---- infer -------------------------------------------------------------------------------------------

    Ref known_ref(int value) const {
        const Value& v = values_[z(value)];
        return {v.known ? v.known.raw() : nullptr, v.ref.dims, v.ref.dtype};
    }
    void infer() {
        for (std::size_t i = 0; i < feeds_.size(); ++i) {
            const Feed& f = feeds_[i];
            Value& v = values_[z(value_of(f.of))];
            const Result& r = f.of.operation->results[z(f.of.index)];
            if (f.value.dtype() != r.dtype)
                throw FeedError("[feed] " + describe(*f.of.operation) + " is " + std::string(name_of(r.dtype)) + ", fed " + std::string(name_of(f.value.dtype())));
            if (!compatible(r.dims, f.value.dims())) throw FeedError("[feed] " + describe(*f.of.operation) + " is " + to_string(r.dims) + ", fed " + to_string(f.value.dims()));
            v.ref.dims = f.value.dims();
            v.ref.dtype = r.dtype;
            if (f.known) v.known = f.value;
        }
        std::vector<Ref> in;
        for (Op& op : ops_) {
            const Operation& o = *op.o;
            bool all_fed = op.values > 0;
            for (int k = 0; k < op.values; ++k) all_fed &= values_[z(op.first_value + k)].feed != none;
            if (all_fed) continue;
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
            if (!o.table->supported || open) results.assign(z(op.values), Result{});
            else results = infer_results(*o.table, o.op, in, describe(o));
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

    /// Elementwise readers broadcast as they read, so nobody has to write the repeats for them.
    int unbroadcast(int value) const {
        for (;;) {
            const Value& v = values_[z(value)];
            if (v.known || v.feed != none) return value;
            const Operation& o = *ops_[z(v.op)].o;
            if (o.table->broadcasts < 0 || (o.group && !refused(o.group.get()))) return value;
            value = value_of(o.inputs[z(o.table->broadcasts)]);
        }
    }
    bool refused(const Group* g) const { return refused_.contains(g); }
    bool uses_group(const Operation& o) const { return o.group && !refused(o.group.get()); }

    /// The values that computing `op` reads.
    template <class F> void each_input(const Op& op, F&& f) const {
        const Operation& o = *op.o;
        if (uses_group(o)) {
            const Group& g = *o.group;
            for (std::size_t i = 0; i < g.inputs.size(); ++i)
                if (g.reads[z(o.group_output)] & 1u << i) f(unbroadcast(value_of(g.inputs[i])));
        } else {
            for (const Output& i : o.inputs) f(o.table->elementwise ? unbroadcast(value_of(i)) : value_of(i));
        }
    }
    bool external(const Value& v) const { return v.known || v.feed != none; }

    void choose() {
        for (const Feed& f : feeds_)
            for (const Op& op : ops_)
                if (op.o->group)
                    for (const Operation* inner : op.o->group->inner) if (inner == f.of.operation.get()) refused_[op.o->group.get()] = true;
        for (bool changed = true; changed;) {
            changed = false;
            for (Op& op : ops_) op.needed = false;
            std::vector<int> todo;
            const auto want = [&](int op) {
                if (!ops_[z(op)].needed) ops_[z(op)].needed = true, todo.push_back(op);
            };
            const auto want_value = [&](int v) { if (!external(values_[z(v)])) want(values_[z(v)].op); };
            for (const Output& f : fetches_) {
                if (f.operation->results.empty()) want(number_.at(f.operation.get()));
                else want_value(value_of(f));
            }
            while (!todo.empty()) {
                const Op& op = ops_[z(todo.back())];
                todo.pop_back();
                each_input(op, want_value);
                for (const auto& c : op.o->controls) want(number_.at(c.get()));
            }
            for (const Op& op : ops_) {
                if (!op.needed || !uses_group(*op.o)) continue;
                for (const Operation* inner : op.o->group->inner) {
                    const auto at = number_.find(inner);
                    if (at == number_.end() || !ops_[z(at->second)].needed) continue;
                    refused_[op.o->group.get()] = true;
                    changed = true;
                    break;
                }
            }
        }
        refuse_what_cannot_run();
    }
    void refuse_what_cannot_run() const {
        std::string unsupported, unfed;
        for (const Op& op : ops_) {
            if (!op.needed) continue;
            const OpTable& t = *op.o->table;
            if (!t.supported) unsupported += (unsupported.empty() ? "" : ", ") + describe(*op.o);
            else if (t.name == "Placeholder") unfed += (unfed.empty() ? "" : ", ") + describe(*op.o) + " " + std::string(name_of(op.o->results[0].dtype)) + " " + to_string(op.o->results[0].dims);
            else if (!t.forward && !t.is_state && op.values) throw UnsupportedError("[run] " + describe(*op.o) + " has no kernel for " + std::string(name_of(t.dtype)));
        }
        if (!unsupported.empty()) throw UnsupportedError("[run] ops that tenon cannot run: " + unsupported);
        if (!unfed.empty()) throw FeedError("[run] not fed: " + unfed);
        for (const Op& op : ops_)
            for (int k = 0; op.needed && k < op.values; ++k)
                if (const Dims& d = values_[z(op.first_value + k)].ref.dims; !d.known()) throw ShapeError("[run] extents of " + describe(*op.o) + " are not known: " + to_string(d));
    }

    // ---- arrange -----------------------------------------------------------------------------------------

    void make_units() {
        std::unordered_map<const Group*, int> of_group;
        for (std::size_t i = 0; i < ops_.size(); ++i) {
            Op& op = ops_[i];
            if (!op.needed) continue;
            const Group* g = uses_group(*op.o) ? op.o->group.get() : nullptr;
            op.unit = static_cast<int>(units_.size());
            if (g) {
                const auto [at, fresh] = of_group.try_emplace(g, op.unit);
                op.unit = at->second;
                if (fresh) units_.push_back({{}, g, {}});
            } else {
                units_.push_back({{}, nullptr, {}});
            }
            Unit& u = units_[z(op.unit)];
            u.ops.push_back(static_cast<int>(i));
            each_input(op, [&](int v) { if (std::find(u.in.begin(), u.in.end(), v) == u.in.end()) u.in.push_back(v); });
        }
    }
    bool is_view(const Op& op) const {
        const Operation& o = *op.o;
        if (o.table->view < 0 || op.copies || uses_group(o) || values_[z(op.first_value)].feed != none) return false;
        const Ref &in = values_[z(value_of(o.inputs[z(o.table->view)]))].ref, &out = values_[z(op.first_value)].ref;
        return in.dims.size() == out.dims.size() && in.dtype == out.dtype;
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
    static bool writes_input(const Operation& o, std::size_t i) { return i < z(o.table->writes); }

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
            for (const int v : units_[z(u)].in) if (!external(values_[z(v)])) edge(ops_[z(values_[z(v)].op)].unit, u);
            for (const int i : units_[z(u)].ops) for (const auto& c : ops_[z(i)].o->controls) edge(ops_[z(number_.at(c.get()))].unit, u);
        }
        guard_variables(copy_all_reads);
        std::priority_queue<int, std::vector<int>, std::greater<>> ready;
        for (int u = 0; u < static_cast<int>(units_.size()); ++u) if (units_[z(u)].waits == 0) ready.push(u);
        while (!ready.empty()) {
            const int u = ready.top();
            ready.pop();
            sequence_.push_back(u);
            for (const int next : units_[z(u)].after) if (--units_[z(next)].waits == 0) ready.push(next);
        }
        return sequence_.size() == units_.size();
    }
    /// A variable's readers go before its updates, unless they wait for them. One that waits but reads through a view made
    /// earlier gets a copy made in time.
    void guard_variables(bool copy_all_reads) {
        struct Access { int unit, reader; };
        std::unordered_map<int, std::vector<int>> writers;      // variable's value -> units
        std::unordered_map<int, std::vector<Access>> readers;
        for (int u = 0; u < static_cast<int>(units_.size()); ++u)
            for (const int i : units_[z(u)].ops) {
                const Operation& o = *ops_[z(i)].o;
                for (std::size_t k = 0; k < z(o.table->writes); ++k)
                    if (const auto [m, reader] = memory_of(value_of(o.inputs[k])); is_variable(m)) writers[m].push_back(u);
            }
        if (writers.empty()) return;
        const auto note = [&](int value, int unit) {
            const auto [m, reader] = memory_of(value);
            if (is_variable(m) && writers.contains(m)) readers[m].push_back({unit, reader});
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
        for (const auto& [variable, units] : writers)
            for (const int w : units) {
                const auto later = followers(w);
                for (const Access& r : readers[variable]) {
                    if (r.unit == w && r.reader == none) continue;
                    const bool waits = r.unit == none || later[z(r.unit)] || r.unit == w;
                    if (!waits && !(copy_all_reads && r.reader != none)) { edge(r.unit, w); continue; }
                    if (r.reader == none || later[z(ops_[z(r.reader)].unit)]) continue;
                    ops_[z(r.reader)].copies = true;
                    copied = true;
                }
            }
        if (!copied) return;
        for (const auto& [variable, units] : writers)  // the copies are readers now
            for (std::size_t i = 0; i < ops_.size(); ++i)
                if (ops_[i].copies && ops_[i].unit != none && memory_of(value_of(ops_[i].o->inputs[z(ops_[i].o->table->view)])).first == variable)
                    for (const int w : units) if (!followers(w)[z(ops_[i].unit)]) edge(ops_[i].unit, w);
    }

    // ---- place -------------------------------------------------------------------------------------------

    struct Draft {
        Kernel run = nullptr;
        const Operation* of = nullptr;
        const void* op = nullptr;
        std::vector<int> in, out;              // values, or none with the extents in `absent`
        std::vector<Ref> absent_in, absent_out;
        bool may_overwrite = false;
        std::shared_ptr<const void> prepared{};
        std::size_t workspace = 0, workspace_at = 0;
    };
    void emit() {
        std::vector<Draft> drafts;
        for (const int u : sequence_) draft(units_[z(u)], drafts);
        lifetimes(drafts);
        take_over(drafts);
        place(drafts);
        finish(drafts);
    }
    void draft(const Unit& u, std::vector<Draft>& drafts) {
        const Op& op = ops_[z(u.ops[0])];
        const Operation& o = *op.o;
        Draft d;
        d.of = &o;
        const auto push = [](std::vector<int>& list, std::vector<Ref>& absent, int value, const Ref& r) {
            list.push_back(value);
            absent.push_back(r);
        };
        if (u.group) {
            const Group& g = *u.group;
            d.run = g.run;
            d.op = &g;
            std::uint32_t reads = 0;
            for (const int i : u.ops) reads |= g.reads[z(ops_[z(i)].o->group_output)];
            for (std::size_t i = 0; i < g.inputs.size(); ++i) {
                const int v = value_of(g.inputs[i]);
                if (reads & 1u << i) push(d.in, d.absent_in, unbroadcast(v), {});
                else push(d.in, d.absent_in, none, {nullptr, values_[z(v)].ref.dims, values_[z(v)].ref.dtype});
            }
            d.out.assign(g.reads.size(), none);
            d.absent_out.resize(g.reads.size(), Ref{nullptr, Dims::unranked(), DType::invalid});
            for (const int i : u.ops) d.out[z(ops_[z(i)].o->group_output)] = ops_[z(i)].first_value;
            d.may_overwrite = g.target.empty();
        } else {
            if (!o.table->forward) return;
            if (op.values && external(values_[z(op.first_value)]) && op.values == 1) return;
            if (is_view(op)) {
                values_[z(op.first_value)].root = value_of(o.inputs[z(o.table->view)]);
                return;
            }
            d.run = o.table->forward;
            d.op = o.op.get();
            for (const Output& i : o.inputs) push(d.in, d.absent_in, o.table->elementwise ? unbroadcast(value_of(i)) : value_of(i), {});
            for (int k = 0; k < op.values; ++k) push(d.out, d.absent_out, op.first_value + k, {});
            if (o.table->writes && op.values) values_[z(op.first_value)].root = value_of(o.inputs[0]);
            d.may_overwrite = o.table->elementwise && o.results[0].dtype == o.table->dtype;
        }
        drafts.push_back(std::move(d));
    }
    int root(int value) const {
        while (values_[z(value)].root != value) value = values_[z(value)].root;
        return value;
    }
    bool in_arena(int r) const {
        const Value& v = values_[z(r)];
        return !external(v) && !ops_[z(v.op)].o->table->is_state;
    }
    void lifetimes(const std::vector<Draft>& drafts) {
        for (int t = 0; t < static_cast<int>(drafts.size()); ++t)
            for (const auto* list : {&drafts[z(t)].in, &drafts[z(t)].out})
                for (const int v : *list)
                    if (v != none) {
                        Value& r = values_[z(root(v))];
                        if (r.first == none) r.first = t;
                        r.last = t;
                    }
        for (const Output& f : fetches_) if (!f.operation->results.empty()) values_[z(root(value_of(f)))].last = static_cast<int>(drafts.size());
    }
    /// An elementwise result goes where an operand of the same extents dies.
    void take_over(const std::vector<Draft>& drafts) {
        for (int t = 0; t < static_cast<int>(drafts.size()); ++t) {
            const Draft& d = drafts[z(t)];
            if (!d.may_overwrite || d.out.size() != 1 || root(d.out[0]) != d.out[0]) continue;
            Value& y = values_[z(d.out[0])];
            for (const int v : d.in) {
                if (v == none || v == d.out[0]) continue;
                const int r = root(v);
                Value& from = values_[z(r)];
                bool whole = in_arena(r) && from.last == t && from.first < t && values_[z(v)].ref.dtype == y.ref.dtype;
                for (const int other : d.in) if (other != none && root(other) == r) whole &= values_[z(other)].ref.dims == y.ref.dims;
                if (!whole) continue;
                y.root = r;
                from.last = y.last;
                break;
            }
        }
    }
    std::size_t bytes_of_value(int v) const {
        const Ref& r = values_[z(v)].ref;
        return static_cast<std::size_t>(r.dims.size()) * bytes_of(r.dtype);
    }
    const Ref* ref(const Draft& d, bool input, std::size_t i) {
        const int v = input ? d.in[i] : d.out[i];
        return v != none ? &values_[z(v)].ref : &(input ? d.absent_in : d.absent_out)[i];
    }
    void place(std::vector<Draft>& drafts) {
        Placer placer;
        std::vector<std::vector<int>> dying(drafts.size());
        for (std::size_t t = 0; t < drafts.size(); ++t) {
            Draft& d = drafts[t];
            for (const int v : d.out)
                if (v != none && root(v) == v && in_arena(v) && values_[z(v)].first == static_cast<int>(t)) {
                    values_[z(v)].offset = placer.take(bytes_of_value(v));
                    if (z(values_[z(v)].last) < drafts.size()) dying[z(values_[z(v)].last)].push_back(v);
                }
            std::vector<const Ref*> in, out;
            for (std::size_t i = 0; i < d.in.size(); ++i) in.push_back(ref(d, true, i));
            for (std::size_t i = 0; i < d.out.size(); ++i) out.push_back(ref(d, false, i));
            complete_and_prepare(d, in, out);
            if (d.workspace) {
                d.workspace_at = placer.take(d.workspace);
                placer.give_back(d.workspace_at, d.workspace);
            }
            for (const int v : dying[t]) placer.give_back(values_[z(v)].offset, bytes_of_value(v));
        }
        plan_.arena_bytes_ = placer.bytes();
        plan_.arena_ = Buffer(placer.bytes());
    }
    void complete_and_prepare(Draft& d, std::vector<const Ref*>& in, std::vector<const Ref*>& out) {
        const Operation& o = *d.of;
        if (d.op != o.op.get()) {  // a group: its readers need to know which operands are there
            std::deque<Ref> present;
            for (std::size_t i = 0; i < out.size(); ++i) if (d.out[i] != none) out[i] = &present.emplace_back(Ref{&present, out[i]->dims, out[i]->dtype});
            const bool backward = !static_cast<const Group*>(d.op)->target.empty();
            d.prepared = backward ? detail::prepare_backward(d.op, in, out) : detail::prepare_elementwise(d.op, in, out);
        } else {
            if (o.table->complete) {
                std::vector<Ref> known;
                for (const int v : d.in) known.push_back(known_ref(v));
                plan_.owned_.push_back(o.table->complete(o.op, known));
                d.op = plan_.owned_.back().get();
            }
            if (o.table->prepare) d.prepared = o.table->prepare(d.op, in, out);
            if (o.table->workspace) d.workspace = o.table->workspace(d.op, in, out);
        }
        if (d.prepared) plan_.owned_.push_back(d.prepared);
    }
    void finish(std::vector<Draft>& drafts) {
        std::vector<Ref*> placed(values_.size(), nullptr);
        const auto memory = [&](int v) -> const Ref* {
            if (placed[z(v)]) return placed[z(v)];
            Ref& r = plan_.refs_.emplace_back(values_[z(v)].ref);
            placed[z(v)] = &r;
            const int at = root(v);
            const Value& owner = values_[z(at)];
            if (owner.known) {
                r.data = owner.known.raw();
                plan_.owned_.push_back(owner.known.owner());
            } else if (owner.feed != none) {
                plan_.patches_.push_back({z(owner.feed), &r});
            } else if (const Operation& o = *ops_[z(owner.op)].o; o.table->is_state) {
                if (!o.state || !o.state->value) throw ShapeError("[run] " + describe(o) + " has no extents yet");
                r.data = o.state->value.raw();
            } else {
                r.data = plan_.arena_.data() + owner.offset;
            }
            return &r;
        };
        std::size_t total = 0;
        for (const Draft& d : drafts) total += d.in.size() + d.out.size();
        plan_.pointers_.reserve(total);
        std::unordered_map<State*, const Operation*> assigned, read;
        for (Draft& d : drafts) {
            const auto list = [&](bool input) {
                const auto from = plan_.pointers_.size();
                const auto& values = input ? d.in : d.out;
                for (std::size_t i = 0; i < values.size(); ++i) plan_.pointers_.push_back(values[i] != none ? memory(values[i]) : &plan_.refs_.emplace_back((input ? d.absent_in : d.absent_out)[i]));
                return std::span<const Ref* const>(plan_.pointers_.data() + from, values.size());
            };
            const auto in = list(true), out = list(false);
            random::Philox* stream = nullptr;
            const OpTable& t = *d.of->table;
            if (t.seed && d.op != nullptr && !uses_group(*d.of)) {
                const auto [at, fresh] = streams_.try_emplace(d.of);
                if (fresh) t.seed(d.op, at->second);
                stream = &at->second;
            }
            plan_.steps_.push_back({d.run, Call{d.op, in, out, d.workspace ? plan_.arena_.data() + d.workspace_at : nullptr, d.prepared.get(), stream}, d.of});
            for (std::size_t i = 0; i < d.in.size(); ++i) {
                if (d.in[i] == none) continue;
                const Value& owner = values_[z(root(d.in[i]))];
                if (external(owner)) continue;
                const Operation& o = *ops_[z(owner.op)].o;
                if (!o.table->is_state) continue;
                if (t.initialises && i == 0) assigned[o.state.get()] = &o;
                else read[o.state.get()] = &o;
            }
        }
        for (const Output& f : fetches_) {
            if (f.operation->results.empty()) { plan_.fetched_.push_back(nullptr); continue; }
            plan_.fetched_.push_back(memory(value_of(f)));
            const Value& owner = values_[z(root(value_of(f)))];
            if (!external(owner)) if (const Operation& o = *ops_[z(owner.op)].o; o.table->is_state) read[o.state.get()] = &o;
        }
        for (const auto& [state, o] : read)
            if (!assigned.contains(state)) plan_.reads_.push_back(state), plan_.read_operations_.push_back(o);
        for (const auto& [state, o] : assigned) plan_.assigns_.push_back(state);
        plan_.keep_.assign(fetches_.begin(), fetches_.end());
        for (const Feed& f : feeds_) plan_.keep_.push_back(f.of);
    }
};

}  // namespace tenon
