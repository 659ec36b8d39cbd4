// The last stage of planning: where everything lies, and the kernels with their memory resolved.
#pragma once
#include "arena.hpp"
#include "plan_products.hpp"

namespace tenon {

template <class Lazy = void> class PlanBuilder : PlanProducts<Lazy> {
    using Base = PlanProducts<Lazy>;
    using typename Base::Op, typename Base::Value, typename Base::Unit, typename Base::Draft;
    using Base::none, Base::z, Base::fetches_, Base::feeds_, Base::ops_, Base::values_, Base::units_, Base::sequence_, Base::value_of, Base::external, Base::operand, Base::unbroadcast,
        Base::uses_group, Base::is_view, Base::known_ref, Base::root, Base::in_arena;

    Plan& plan_;
    Streams& streams_;
    StepSharing* sharing_;

public:
    /// `sharing`: by which threads share the work of long steps; null where there is one.
    PlanBuilder(Plan& plan, std::span<const Output> fetches, std::span<const Feed> feeds, Streams& streams, FoldedValues& folded, StepSharing* sharing = nullptr)
        : Base(fetches, feeds, folded), plan_(plan), streams_(streams), sharing_(sharing) {}
    void build() { emit(); }

private:
    void emit() {
        std::vector<Draft> drafts;
        for (const int u : sequence_) draft(units_[z(u)], drafts);
        this->join(drafts);
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
                if (reads & 1u << i) push(d.in, d.absent_in, operand(g, g.inputs[i]), {});
                else push(d.in, d.absent_in, none, {nullptr, values_[z(v)].ref.dims, values_[z(v)].ref.dtype});
            }
            d.out.assign(g.reads.size(), none);
            d.absent_out.resize(g.reads.size(), Ref{nullptr, Dims::unranked(), DType::invalid});
            for (const int i : u.ops) d.out[z(ops_[z(i)].o->group_output)] = ops_[z(i)].first_value;
            d.may_overwrite = !g.reduces;
        } else {
            if (!o.table->forward || op.folded) return;
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
    /// An elementwise result goes where an operand of the same extents dies. A statement goes backward over the extents of its last input and may have several
    /// results of them; one that is a sum lies apart.
    void take_over(const std::vector<Draft>& drafts) {
        for (int t = 0; t < static_cast<int>(drafts.size()); ++t) {
            const Draft& d = drafts[z(t)];
            if (!d.may_overwrite || (d.has_own_kernel() && d.out.size() != 1)) continue;
            const bool forward = d.has_own_kernel() || static_cast<const Group*>(d.op)->elementwise;
            const Dims whole = ref(d, !forward, forward ? 0 : d.in.size() - 1)->dims;
            for (const int v : d.out)
                if (v != none && root(v) == v && values_[z(v)].ref.dims == whole) take_over(d, t, v);
        }
    }
    void take_over(const Draft& d, int t, int result) {
        Value& y = values_[z(result)];
        for (const int v : d.in) {
            if (v == none || v == result) continue;
            const int r = root(v);
            Value& from = values_[z(r)];
            bool fits = in_arena(r) && from.last == t && from.first < t && values_[z(v)].ref.dtype == y.ref.dtype;
            for (const int other : d.in) if (other != none && root(other) == r) fits &= values_[z(other)].ref.dims == y.ref.dims;
            for (const int other : d.out) fits &= other == none || root(other) != r;
            if (!fits) continue;
            y.root = r;
            from.last = y.last;
            return;
        }
    }
    std::size_t bytes_of_value(int v) const {
        const Ref& r = values_[z(v)].ref;
        return static_cast<std::size_t>(r.dims.size()) * bytes_of(r.dtype);
    }
    const Ref* ref(const Draft& d, bool input, std::size_t i) const {
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
                    if (values_[z(v)].ref.dtype == DType::string) {  // objects, not bytes
                        values_[z(v)].known = Tensor(DType::string, values_[z(v)].ref.dims);
                        continue;
                    }
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
            if (d.shared) {
                for (auto& w : d.shared->workspaces) w.at = placer.take(w.bytes);
                for (const auto& w : d.shared->workspaces) placer.give_back(w.at, w.bytes);
            }
            for (const int v : dying[t]) placer.give_back(values_[z(v)].offset, bytes_of_value(v));
        }
        plan_.arena_bytes_ = placer.bytes();
        plan_.arena_ = Buffer(placer.bytes());
    }
    void complete_and_prepare(Draft& d, std::vector<const Ref*>& in, std::vector<const Ref*>& out) {
        const Operation& o = *d.of;
        if (d.of_plan) return;
        if (!d.has_own_kernel()) {  // a group: its readers need to know which operands are there
            std::vector<Ref> present;
            present.reserve(in.size() + out.size());
            const auto mark = [&](std::vector<const Ref*>& refs, const std::vector<int>& values) {
                for (std::size_t i = 0; i < refs.size(); ++i) if (values[i] != none) refs[i] = &present.emplace_back(Ref{&present, refs[i]->dims, refs[i]->dtype});
            };
            mark(in, d.in), mark(out, d.out);
            const auto* group = static_cast<const Group*>(d.op);
            if (sharing_) d.shared = sharing_->share(d.run, d.op, *o.table, group, in, out, nullptr);
            if (!d.shared) d.prepared = group->prepare(d.op, in, out);
            plan_.owned_.push_back(o.group);  // the operation may be given another
        } else {
            if (o.table->complete) {
                std::vector<Ref> known;
                for (const int v : d.in) known.push_back(known_ref(v));
                plan_.owned_.push_back(o.table->complete(o.op, known));
                d.op = plan_.owned_.back().get();
            }
            if (d.use) d.prepared = std::make_shared<ProductUse>(*d.use);
            if (sharing_) d.shared = sharing_->share(d.run, d.op, *o.table, nullptr, in, out, d.prepared);
            if (!d.shared && o.table->prepare && !d.use) d.prepared = o.table->prepare(d.op, in, out);
            if (!d.shared && o.table->workspace) d.workspace = o.table->workspace(d.op, in, out);
        }
        if (d.shared) plan_.owned_.push_back(d.shared);
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
                plan_.bound_.push_back({o.state.get(), &r});
            } else {
                r.data = plan_.arena_.data() + owner.offset;
            }
            return &r;
        };
        std::size_t total = 0;
        for (const Draft& d : drafts) total += d.in.size() + d.out.size();
        plan_.pointers_.reserve(total);
        plan_.refs_.reserve(total + fetches_.size());
        HashIndex assigned, read;
        std::vector<const Operation*> readers;
        const auto note_read = [&](const Operation& o) { if (read.insert(o.state.get())) readers.push_back(&o); };
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
                const auto [its, fresh] = streams_[d.of];
                if (fresh) t.seed(d.op, its);
                stream = &its;
            }
            if (d.shared) {
                d.shared->bind(d.op, in, out, plan_.arena_.data());
                plan_.steps_.push_back({d.shared->run, Call{d.shared.get(), in, out, nullptr, nullptr, nullptr}, d.of});
            } else plan_.steps_.push_back({d.run, Call{d.op, in, out, d.workspace ? plan_.arena_.data() + d.workspace_at : nullptr, d.prepared.get(), stream}, d.of});
            for (std::size_t i = 0; i < d.in.size(); ++i) {
                if (d.in[i] == none) continue;
                const Value& owner = values_[z(root(d.in[i]))];
                if (external(owner)) continue;
                const Operation& o = *ops_[z(owner.op)].o;
                if (!o.table->is_state) continue;
                if (!t.initialises || i != 0) note_read(o);
                else if (assigned.insert(o.state.get())) plan_.assigns_.push_back(o.state.get());
            }
        }
        for (const Output& f : fetches_) {
            if (f.operation->results.empty()) { plan_.fetched_.push_back(nullptr); continue; }
            plan_.fetched_.push_back(memory(value_of(f)));
            const Value& owner = values_[z(root(value_of(f)))];
            if (!external(owner)) if (const Operation& o = *ops_[z(owner.op)].o; o.table->is_state) note_read(o);
        }
        for (const Operation* o : readers)
            if (!assigned.contains(o->state.get())) plan_.reads_.push_back(o->state.get()), plan_.read_operations_.push_back(o);
        for (auto& f : this->followed_) plan_.owned_.push_back(std::move(f));
        plan_.keep_.assign(fetches_.begin(), fetches_.end());
        for (const Feed& f : feeds_) plan_.keep_.push_back(f.of);
    }
};

}  // namespace tenon
