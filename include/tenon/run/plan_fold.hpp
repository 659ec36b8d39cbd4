// Between the first stage of planning and the second: nothing is computed in a run that could be computed before it. What follows from constants alone is
// computed here, by its own kernel, if the run reads it and no other plan of the graph has it: plans hold it together.
//
// It is done to what could be shared (plan_once.hpp). What is folded is decided by sizes alone, so that no plan depends on what others hold; then what the run
// reads is taken from them, or computed with what it follows from.
#pragma once
#include "plan_once.hpp"

namespace tenon {

template <class Lazy = void> class PlanFold : public PlanOnce<Lazy> {
protected:
    using Base = PlanOnce<Lazy>;
    using typename Base::Op, typename Base::Value;
    using Base::none, Base::z, Base::fetches_, Base::ops_, Base::values_, Base::value_of, Base::uses_group, Base::is_view, Base::is_pure;

private:
    /// Bytes that folded values of a plan may take beyond those of its constants: so a small file does not make a large plan.
    static constexpr std::size_t least_room = 4u << 20;

    FoldedValues& shared_;
    std::size_t whole_room_ = least_room, room_ = 0;
    std::vector<bool> fails_;       // by operation: it cannot be computed before the run
    std::vector<int> readers_{};    // by value: how many operations may read it, and fetches; of a folded view's memory those of the view too. 0: only folded ones did
    std::vector<int> memory_{};     // by value: the one whose memory a folded view is; itself for others
    std::vector<bool> viewed_{};    // by value: a folded view is its memory
    std::vector<Op*> left_{};       // to the run, though other operations are folded with their results

protected:
    std::vector<std::shared_ptr<Folded>> followed_{};  // what folded values are known by, for the plan to hold

public:
    PlanFold(std::span<const Output> fetches, std::span<const Feed> feeds, FoldedValues& shared) : Base(fetches, feeds), shared_(shared), fails_(ops_.size()) {
        for (const Op& op : ops_)
            if (op.o->inputs.empty())
                for (int k = 0; k < op.values; ++k) if (const Value& v = values_[z(op.first_value + k)]; v.known && v.feed == none) whole_room_ += v.known.bytes();
        std::vector<Tensor> held;
        do decide(); while (!give(held));
    }

private:
    // ---- decide

    void decide() {
        room_ = whole_room_;
        count_readers();
        for (Op& op : ops_) op.folded = false;
        left_.clear();
        for (std::size_t i = 0; i < ops_.size(); ++i) if (!fails_[i] && is_pure(ops_[i]) && follows(ops_[i])) fold(ops_[i]);
        for (Op& op : ops_) if (op.folded) leave(op);
    }
    /// Whether everything that it reads is part of the graph, or folded and not for folded operations alone.
    bool follows(const Op& op) const {
        if (op.o->table->stateful) return false;
        for (const Output& in : op.o->inputs) {
            const int v = value_of(in), at = memory_[z(v)];
            const bool there = values_[z(v)].known || (ops_[z(values_[z(v)].op)].folded && (readers_[z(at)] > 0 || !is_charged(at)));
            if (!there || values_[z(v)].feed != none) return false;
        }
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
        memory_.clear();
        viewed_.assign(values_.size(), false);
        for (int v = 0; v < static_cast<int>(values_.size()); ++v) memory_.push_back(v);
        for (const Op& op : ops_) if (op.needed) each_read(op, [&](int v) { ++readers_[z(v)]; });
        for (const Output& f : fetches_) if (!f.operation->results.empty()) ++readers_[z(value_of(f))];
        for (const Op& op : ops_) {  // what is only waited for may fail
            bool read = !op.needed || op.values == 0;
            for (int k = 0; k < op.values; ++k) read |= readers_[z(op.first_value + k)] > 0;
            if (!read) ++readers_[z(op.first_value)];
        }
    }
    std::size_t bytes_of_value(int value) const { return static_cast<std::size_t>(values_[z(value)].ref.dims.size()) * bytes_of(values_[z(value)].ref.dtype); }
    /// Whether this value's memory was taken from the room.
    bool is_charged(int value) const { return ops_[z(values_[z(value)].op)].folded && memory_[z(value)] == value; }
    /// One that read it is folded: if none is left, its room is free for others.
    void release(int value) {
        const int at = memory_[z(value)];
        if (--readers_[z(at)] == 0 && is_charged(at)) room_ += bytes_of_value(at);
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
        const int y = op.first_value;
        if (!op.o->table->expands || memory_[z(y)] != y || readers_[z(y)] == 0 || viewed_[z(y)] || !follows(op)) return;
        left_.push_back(&op);
        readers_[z(y)] = 0;  // of what is folded
    }
    void fold(Op& op) {
        if (is_view(op)) {
            const int y = op.first_value, at = memory_[z(value_of(op.o->inputs[z(op.o->table->view)]))];
            memory_[z(y)] = at;
            viewed_[z(at)] = true;
            readers_[z(at)] += readers_[z(y)];
        } else {
            std::size_t bytes = 0;
            for (int k = 0; k < op.values; ++k) {
                if (values_[z(op.first_value + k)].ref.dtype == DType::string) return;
                bytes += bytes_of_value(op.first_value + k);
            }
            if (bytes > room_ && bytes > room_after(op)) return;
            room_ -= bytes;
        }
        op.folded = true;
        each_read(op, [&](int v) { release(v); });
    }

    // ---- give

    bool is_computed(const Op& op) const { return op.folded && memory_[z(op.first_value)] == op.first_value; }
    /// Gives all folded values that the run reads their elements. False, and none has them, if an operation fails: the run will tell why. What has been
    /// computed until then is held, to be found again.
    bool give(std::vector<Tensor>& held) {
        if (std::none_of(ops_.begin(), ops_.end(), [](const Op& op) { return op.folded; })) return true;
        const FoldedValues::Lock others_wait(shared_);
        const auto known_by = follow();
        std::vector<int> wanted(values_.size());  // by value: readers that have to be computed now
        std::vector<bool> due(ops_.size());
        for (std::size_t i = ops_.size(); i-- > 0;) {
            Op& op = ops_[i];
            if (!is_computed(op)) continue;
            for (int v = op.first_value; v < op.first_value + op.values; ++v) {
                if (readers_[z(v)] == 0 && wanted[z(v)] == 0) continue;
                values_[z(v)].known = shared_.find(*known_by[i], v - op.first_value, values_[z(v)].ref);
                due[i] = due[i] || !values_[z(v)].known;
            }
            if (due[i]) for (const Output& in : op.o->inputs) ++wanted[z(memory_[z(value_of(in))])];
        }
        bool all = true;
        for (std::size_t i = 0; i < ops_.size(); ++i) if (due[i]) all &= compute(i, *known_by[i], wanted);
        for (const Op& op : ops_) {
            if (!op.folded) continue;
            if (!all) for (int k = 0; k < op.values; ++k) held.push_back(std::exchange(values_[z(op.first_value + k)].known, {}));
            else if (!is_computed(op)) {
                Value& y = values_[z(op.first_value)];
                if (const Tensor& x = values_[z(memory_[z(op.first_value)])].known) y.known = Tensor(y.ref.dtype, y.ref.dims, x.raw(), x.owner());
            }
        }
        if (all) for (Op* op : left_) op->folded = false;
        return all;
    }
    /// By which every folded operation is known, by number of the operation.
    std::vector<std::shared_ptr<Folded>> follow() {
        std::vector<std::shared_ptr<Folded>> known_by(ops_.size());
        const auto by = [&](int value) {
            const int at = values_[z(value)].op;
            if (!ops_[z(at)].folded) {
                followed_.push_back(shared_.of_constant(values_[z(value)].known));
                return Folded::Input{followed_.back()->number, 0};
            }
            return Folded::Input{known_by[z(at)]->number, value - ops_[z(at)].first_value};
        };
        for (std::size_t i = 0; i < ops_.size(); ++i) {
            if (!ops_[i].folded) continue;
            std::vector<Folded::Input> inputs;
            for (const Output& in : ops_[i].o->inputs) inputs.push_back(by(value_of(in)));
            known_by[i] = shared_.of_operation(*ops_[i].o, std::move(inputs));
            followed_.push_back(known_by[i]);
        }
        return known_by;
    }
    bool compute(std::size_t i, Folded& known_by, std::vector<int>& wanted) {
        const Op& op = ops_[i];
        std::vector<Ref> in, out;
        for (const Output& o : op.o->inputs) {
            const int v = value_of(o);
            const Tensor& x = values_[z(memory_[z(v)])].known;
            if (!x) return false;  // it failed itself
            in.push_back({x.raw(), values_[z(v)].ref.dims, values_[z(v)].ref.dtype});
        }
        for (int k = 0; k < op.values; ++k) out.push_back(values_[z(op.first_value + k)].ref);
        const auto results = compute_now(*op.o->table, op.o->op, in, out);
        fails_[i] = results.empty();
        if (fails_[i]) return false;
        for (int k = 0; k < op.values; ++k) {
            const int v = op.first_value + k;
            if ((readers_[z(v)] == 0 && wanted[z(v)] == 0) || values_[z(v)].known) continue;
            values_[z(v)].known = results[z(k)];
            shared_.tell(known_by, k, results[z(k)]);
        }
        for (const Output& o : op.o->inputs)
            if (const int at = memory_[z(value_of(o))]; --wanted[z(at)] == 0 && readers_[z(at)] == 0 && is_charged(at)) values_[z(at)].known = {};
        return true;
    }
};

}  // namespace tenon
