// Between the first stage of planning and the second: nothing is computed twice. Of two operations that do the same with the same values one runs, for the
// readers of both.
//
// This is not done to what is fed, has an effect, draws random numbers, or waits for another operation: of operations that wait for nothing but their inputs,
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
    using Base::none, Base::z, Base::ops_, Base::values_, Base::value_of, Base::external, Base::uses_group;

private:
    /// Constants of up to so many bytes are the same if their elements are.
    static constexpr std::size_t most_compared = 1024;

    std::vector<int> identity_;  // by value: the first of those known to have the same elements; none until asked for
    HashIndex constants_;        // values, by elements
    HashIndex by_inputs_;        // operations, by table and inputs
    HashIndex by_all_;           // of those that have not these alone: by attributes too

public:
    PlanOnce(std::span<const Output> fetches, std::span<const Feed> feeds) : Base(fetches, feeds), identity_(values_.size(), none) {
        by_inputs_.reserve(ops_.size());
        for (int i = 0; i < static_cast<int>(ops_.size()); ++i) if (is_pure(ops_[z(i)])) share(i);
    }

protected:
    /// Whether an operation that has to run gives nothing but its results, and these depend on nothing but its inputs.
    bool is_pure(const Op& op) const {
        const Operation& o = *op.o;
        const OpTable& t = *o.table;
        if (!op.needed || op.values == 0 || op.gated || !t.forward || t.writes || (t.stateful && t.view < 0) || o.inputs.empty() || uses_group(o)) return false;
        for (int k = 0; k < op.values; ++k) if (external(values_[z(op.first_value + k)])) return false;
        return true;
    }

private:
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
};

}  // namespace tenon
