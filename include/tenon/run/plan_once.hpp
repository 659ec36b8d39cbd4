// Between the first stage of planning and the second: nothing is computed twice, and nothing in a run that could be computed before it.
//
//   shared    of two operations that do the same with the same values one runs, for the readers of both
//   folded    what follows from constants alone is computed here, by its own kernel, and belongs to the plan if the run reads it
//
// Neither is done to what is fed, has an effect, draws random numbers, or waits for another operation: of operations that wait for nothing but their inputs,
// two that read the same variable are before the same updates of it. Compiled statements stay as they are, since one kernel computes them.
#pragma once
#include "plan_graph.hpp"

namespace tenon {

namespace detail {

/// An op's attributes as bytes that are equal if these are.
class AttrBytes : public AttrVisitor {
    std::string& to_;
    template <class T> void put(const T& v) { to_.append(reinterpret_cast<const char*>(&v), sizeof v); }
    void put_text(const std::string& s) { put(s.size()), to_ += s; }
    template <class List> void put_all(const List& list) {
        put(list.end() - list.begin());
        for (const auto& v : list) put(v);
    }

public:
    explicit AttrBytes(std::string& to) : to_(to) {}
    void at(const char*, bool& v) override { put(v); }
    void at(const char*, std::int64_t& v) override { put(v); }
    void at(const char*, float& v) override { put(v); }
    void at(const char*, std::string& v) override { put_text(v); }
    void at(const char*, DType& v) override { put(v); }
    void at(const char*, Dims& v, bool) override { put(v.rank), put_all(v); }
    void at(const char*, Ints& v) override { put_all(v); }
    void at(const char*, Tensor& v) override { put(v.raw()), put(v.dtype()), put(v.dims().rank), put_all(v.dims()); }
    void at(const char*, std::vector<DType>& v) override { put_all(v); }
    void at(const char*, std::vector<std::string>& v) override {
        put(v.size());
        for (const auto& s : v) put_text(s);
    }
    void choice(const char*, int& v, std::span<const std::string_view>) override { put(v); }
};

}  // namespace detail

template <class Lazy = void> class PlanOnce : public PlanGraph<Lazy> {
protected:
    using Base = PlanGraph<Lazy>;
    using typename Base::Op, typename Base::Value;
    using Base::none, Base::z, Base::fetches_, Base::ops_, Base::values_, Base::value_of, Base::external, Base::known_ref, Base::uses_group, Base::is_view;

private:
    /// Bytes that folded values of a plan may take beyond those of its constants: so a small file does not make a large plan.
    static constexpr std::size_t least_room = 4u << 20;
    /// Constants of up to so many bytes are the same if their elements are.
    static constexpr std::size_t most_compared = 1024;

    std::size_t room_ = least_room;
    std::vector<int> readers_;   // by value: how many operations may read it, and fetches; of a folded view's memory those of the view too
    std::vector<int> memory_;    // by value: the one whose memory a folded view is; itself for others
    std::vector<int> identity_;  // by value: the first of those known to have the same elements; none until asked for
    HashIndex constants_;        // values, by elements
    HashIndex by_inputs_;        // operations, by table and inputs
    HashIndex by_all_;           // of those that have not these alone: by attributes too

public:
    PlanOnce(std::span<const Output> fetches, std::span<const Feed> feeds) : Base(fetches, feeds), identity_(values_.size(), none) {
        for (const Op& op : ops_)
            if (op.o->inputs.empty())
                for (int k = 0; k < op.values; ++k) if (const Value& v = values_[z(op.first_value + k)]; v.known && v.feed == none) room_ += v.known.bytes();
        by_inputs_.reserve(ops_.size());
        for (int i = 0; i < static_cast<int>(ops_.size()); ++i) if (is_pure(ops_[z(i)])) share(i);
        count_readers();
        for (Op& op : ops_) if (is_pure(op) && follows(op)) fold(op);
        for (Op& op : ops_) if (op.folded) leave(op);
    }

private:
    /// Whether an operation that has to run gives nothing but its results, and these depend on nothing but its inputs.
    bool is_pure(const Op& op) const {
        const Operation& o = *op.o;
        const OpTable& t = *o.table;
        if (!op.needed || op.values == 0 || op.gated || !t.forward || t.writes || (t.stateful && t.view < 0) || o.inputs.empty() || uses_group(o)) return false;
        for (int k = 0; k < op.values; ++k) if (external(values_[z(op.first_value + k)])) return false;
        return true;
    }

    // ---- shared

    static std::size_t mixed(std::size_t hash, std::size_t with) { return (hash ^ with) * std::size_t{0x9e3779b97f4a7c15} ^ hash >> 29; }
    static std::string_view elements(const Tensor& t) { return {reinterpret_cast<const char*>(t.raw()), t.bytes()}; }

    int identity(int value) {
        int& known = identity_[z(value)];
        if (known != none) return known;
        const Value& v = values_[z(value)];
        if (!v.known || v.feed != none || ops_[z(v.op)].gated || v.known.dtype() == DType::string || v.known.bytes() > most_compared) return known = value;
        return known = constants_.keep(mixed(hash_of(elements(v.known)), static_cast<std::size_t>(v.known.dtype())), value, [&](int other) {
            const Tensor &a = v.known, &b = values_[z(other)].known;
            return a.dtype() == b.dtype() && a.dims() == b.dims() && elements(a) == elements(b);
        });
    }
    bool same_inputs(const Op& a, const Op& b) {
        if (a.o->table != b.o->table || a.values != b.values || a.o->inputs.size() != b.o->inputs.size()) return false;
        for (std::size_t k = 0; k < a.o->inputs.size(); ++k) if (identity(value_of(a.o->inputs[k])) != identity(value_of(b.o->inputs[k]))) return false;
        return true;
    }
    static std::string attributes(const Operation& o) {
        std::string text;
        detail::AttrBytes bytes(text);
        if (o.table->attributes == &detail::hidden_attributes) return std::to_string(reinterpret_cast<std::uintptr_t>(o.op.get()));
        const auto copy = o.table->clone(o.op.get());
        o.table->attributes(copy.get(), bytes);
        return text;
    }
    /// Lets another operation compute this one's results, if one does.
    void share(int i) {
        Op& op = ops_[z(i)];
        std::size_t hash = reinterpret_cast<std::uintptr_t>(op.o->table);
        for (const Output& in : op.o->inputs) hash = mixed(hash, z(identity(value_of(in))));
        int same = by_inputs_.keep(hash, i, [&](int other) { return same_inputs(ops_[z(other)], op); });
        if (same == i) return;
        const auto its = attributes(*op.o);
        if (attributes(*ops_[z(same)].o) != its) {
            same = by_all_.keep(mixed(hash, hash_of(its)), i, [&](int other) { return same_inputs(ops_[z(other)], op) && attributes(*ops_[z(other)].o) == its; });
            if (same == i) return;
        }
        op.first_value = ops_[z(same)].first_value;
        op.same = same;
        op.needed = false;
    }

    // ---- folded

    /// Whether everything that it reads is part of the graph, or follows from what is.
    bool follows(const Op& op) const {
        if (op.o->table->stateful) return false;
        for (const Output& in : op.o->inputs) if (const Value& v = values_[z(value_of(in))]; !v.known || v.feed != none) return false;
        return true;
    }
    /// All values that an operation may read: elementwise ones read what is broadcast for them, unless that is folded.
    template <class F> void each_read(const Op& op, F&& f) const {
        const Operation& o = *op.o;
        const auto follow = [&](const Output& input) {
            for (Output at = input;;) {
                const int value = value_of(at);
                f(value);
                const OpTable& t = *ops_[z(values_[z(value)].op)].o->table;
                if (t.broadcasts < 0 || values_[z(value)].feed != none) return;
                at = ops_[z(values_[z(value)].op)].o->inputs[z(t.broadcasts)];
            }
        };
        for (const Output& i : o.inputs) follow(i);
        if (uses_group(o)) for (const Output& i : o.group->inputs) follow(i);
    }
    void count_readers() {
        readers_.assign(values_.size(), 0);
        for (int v = 0; v < static_cast<int>(values_.size()); ++v) memory_.push_back(v);
        for (const Op& op : ops_) if (op.needed) each_read(op, [&](int v) { ++readers_[z(v)]; });
        for (const Output& f : fetches_) if (!f.operation->results.empty()) ++readers_[z(value_of(f))];
    }
    std::size_t bytes_of_value(int value) const { return static_cast<std::size_t>(values_[z(value)].ref.dims.size()) * bytes_of(values_[z(value)].ref.dtype); }
    /// Whether this value's memory was taken from the room.
    bool is_charged(int value) const { return ops_[z(values_[z(value)].op)].folded && memory_[z(value)] == value; }
    /// One that read it is folded: if none is left, its room is free for others.
    void release(int value) {
        const int at = memory_[z(value)];
        if (--readers_[z(at)] > 0 || !is_charged(at)) return;
        room_ += bytes_of_value(at);
        values_[z(at)].known = {};
    }
    /// What is free once the operation's inputs that only it reads are.
    std::size_t room_after(const Op& op) {
        std::size_t room = room_;
        each_read(op, [&](int v) { if (const int at = memory_[z(v)]; --readers_[z(at)] == 0 && is_charged(at)) room += bytes_of_value(at); });
        each_read(op, [&](int v) { ++readers_[z(memory_[z(v)])]; });
        return room;
    }
    /// What costs no more to run than to read is left to the run.
    void leave(Op& op) {
        if (!op.o->table->expands || !follows(op)) return;
        Value& y = values_[z(op.first_value)];
        if (memory_[z(op.first_value)] != op.first_value || y.known.owner().use_count() != 1) return;
        y.known = {};
        op.folded = false;
    }
    void fold(Op& op) {
        const Operation& o = *op.o;
        if (is_view(op)) {
            Value& y = values_[z(op.first_value)];
            const int of = value_of(o.inputs[z(o.table->view)]);
            const Value& x = values_[z(of)];
            y.known = Tensor(y.ref.dtype, y.ref.dims, x.known.raw(), x.known.owner());
            op.folded = true;
            memory_[z(op.first_value)] = memory_[z(of)];
            readers_[z(memory_[z(of)])] += readers_[z(op.first_value)];
            each_read(op, [&](int v) { release(v); });
            return;
        }
        std::size_t bytes = 0;
        for (int k = 0; k < op.values; ++k) {
            if (values_[z(op.first_value + k)].ref.dtype == DType::string) return;
            bytes += bytes_of_value(op.first_value + k);
        }
        if (bytes > room_ && bytes > room_after(op)) return;
        std::vector<Ref> in, wanted;
        for (const Output& i : o.inputs) in.push_back(known_ref(value_of(i)));
        for (int k = 0; k < op.values; ++k) wanted.push_back(values_[z(op.first_value + k)].ref);
        auto results = compute_now(*o.table, o.op, in, wanted);
        if (results.empty()) return;
        for (int k = 0; k < op.values; ++k) values_[z(op.first_value + k)].known = std::move(results[z(k)]);
        op.folded = true;
        each_read(op, [&](int v) { release(v); });
        room_ -= bytes;
    }
};

}  // namespace tenon
