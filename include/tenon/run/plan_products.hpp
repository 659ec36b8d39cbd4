// Between the second stage of planning and the third: products, of matrices or of images with filters, take over what is done with their results alone,
// so that no result lies in memory only to be read once.
//
//   finish    a bias, batch normalisation by     is done with each tile of the product
//             given statistics, an addition,     before it is written
//             Relu, one after the other
//   columns   Slice of a b                       the product of some columns of b
//   parts     Split of the columns of a b        the product goes into them side by side
//   turned    many products with one b, each     b is transposed once
//             of which transposes it
//   sums      AddN of products                   products that are added where the sum lies: the first assigns
//   descent   variable -= rate a b               a product into the variable
//
// A product stays where it is in the sequence, but for a finish and a descent, which wait until all is there.
// Long because every way to join two steps is some lines over the same drafts.
#pragma once
#include "plan_order.hpp"
#include "plan_shares.hpp"

#include <optional>

namespace tenon {

template <class Lazy = void> class PlanProducts : public PlanOrder<Lazy> {
protected:
    using Base = PlanOrder<Lazy>;
    using typename Base::Op, typename Base::Value;
    using Base::none, Base::z, Base::fetches_, Base::ops_, Base::values_, Base::value_of, Base::external, Base::known_ref;

    /// A step of the plan before it has memory.
    struct Draft {
        Kernel run = nullptr;
        const Operation* of = nullptr;
        const void* op = nullptr;
        std::vector<int> in{}, out{};              // values, or none with the extents in `absent`
        std::vector<Ref> absent_in{}, absent_out{};
        bool may_overwrite = false;
        bool of_plan = false;                      // its kernel needs nothing of its operation
        std::optional<ProductUse> use{};
        std::shared_ptr<const void> prepared{};
        std::size_t workspace = 0, workspace_at = 0;
        std::shared_ptr<SharedStep> shared{};
        bool has_own_kernel() const { return op == of->op.get() && !of_plan; }
    };

    PlanProducts(std::span<const Output> fetches, std::span<const Feed> feeds, FoldedValues& folded) : Base(fetches, feeds, folded) {}

    void join(std::vector<Draft>& drafts) {
        take_columns(drafts);
        turn_once(drafts);
        add_up(drafts);
        finish(drafts);
        descend(drafts);
        split(drafts);
        std::erase_if(drafts, [](const Draft& d) { return !d.run; });
    }
    int root(int value) const {
        while (values_[z(value)].root != value) value = values_[z(value)].root;
        return value;
    }
    bool in_arena(int r) const {
        const Value& v = values_[z(r)];
        return !external(v) && !ops_[z(v.op)].o->table->is_state;
    }

private:
    static constexpr std::size_t turns = 3;  // what a transposed copy has to spare to be made

    /// Who reads what, by root; the draft that makes a value, if one does.
    struct Uses {
        std::vector<int> readers, maker;
    };
    Uses uses(const std::vector<Draft>& drafts) const {
        enum { many = -2 };
        Uses u{std::vector<int>(values_.size()), std::vector<int>(values_.size(), none)};
        for (int t = 0; t < static_cast<int>(drafts.size()); ++t) {
            if (!drafts[z(t)].run) continue;
            for (const int v : drafts[z(t)].in) if (v != none) ++u.readers[z(root(v))];
            for (const int v : drafts[z(t)].out) if (v != none) u.maker[z(root(v))] = u.maker[z(root(v))] == none && root(v) == v ? t : many;
        }
        for (const Output& f : fetches_) if (!f.operation->results.empty()) ++u.readers[z(root(value_of(f)))];
        return u;
    }
    /// The draft with a kernel of its own whose result is `value`, all of it, if one draft alone reads it; none if it is a product that goes elsewhere.
    int sole_maker(const std::vector<Draft>& drafts, const Uses& u, int value) const {
        if (value == none || root(value) != value || external(values_[z(value)]) || u.readers[z(value)] != 1) return none;
        const int t = u.maker[z(value)];
        return t < 0 || !drafts[z(t)].run || !drafts[z(t)].has_own_kernel() || (drafts[z(t)].use && drafts[z(t)].use->into != ProductUse::assign) ? none : t;
    }
    /// The same of a product of matrices that nothing is done with yet.
    int product_for(const std::vector<Draft>& drafts, const Uses& u, int value) const {
        const int t = sole_maker(drafts, u, value);
        return t == none || !drafts[z(t)].of->table->is_turned || (drafts[z(t)].use && drafts[z(t)].use->finishes()) ? none : t;
    }
    /// Whether a draft writes what `value` is or is a view of.
    bool writes(const Draft& d, int value) const {
        if (!d.run) return false;
        bool found = false;
        for (const int v : d.out) found |= v != none && root(v) == root(value);
        for (int k = 0; d.has_own_kernel() && k < d.of->table->writes; ++k) found |= d.in[z(k)] != none && root(d.in[z(k)]) == root(value);  // a resource's is no output
        return found;
    }
    /// Whether nothing from draft `from` on and before draft `to` writes `value`.
    bool stays(const std::vector<Draft>& drafts, std::size_t from, std::size_t to, int value) const {
        for (std::size_t t = from; t < to; ++t) if (writes(drafts[t], value)) return false;
        return true;
    }
    /// Whether draft `at` reads the same if it waits until draft `to`.
    bool may_wait(const std::vector<Draft>& drafts, int at, int to) const {
        const auto& in = drafts[z(at)].in;
        return std::all_of(in.begin(), in.end(), [&](int v) { return v == none || stays(drafts, z(at), z(to), v); });
    }
    /// New drafts, in the order of their values, and before which of the others each belongs.
    struct Fresh {
        std::vector<Draft> drafts{};
        std::vector<int> before{};
    };
    static void insert(std::vector<Draft>& drafts, Fresh fresh) {
        std::vector<int> first(drafts.size(), none), next(fresh.drafts.size(), none);  // those that belong before one are a chain: std::sort of drafts costs every program 0.2 s to compile
        for (std::size_t c = fresh.drafts.size(); c-- > 0;) next[c] = std::exchange(first[z(fresh.before[c])], static_cast<int>(c));
        std::vector<Draft> all;
        for (std::size_t t = 0; t < drafts.size(); ++t) {
            for (int c = first[t]; c != none; c = next[z(c)]) all.push_back(std::move(fresh.drafts[z(c)]));
            all.push_back(std::move(drafts[t]));
        }
        drafts = std::move(all);
    }
    /// A value of the plan's own, made by a kernel of the table of what `at` is of.
    Draft made(const Draft& at, Kernel run, std::vector<int> in, const Dims& dims) {
        Value v;
        v.ref = {nullptr, dims, values_[z(in[0])].ref.dtype};
        v.op = this->number_.find(at.of);
        v.root = static_cast<int>(values_.size());
        Draft d{.run = run, .of = at.of, .op = at.op, .in = std::move(in), .out = {v.root}, .of_plan = true};
        d.absent_in.resize(d.in.size()), d.absent_out.resize(1);
        values_.push_back(std::move(v));
        return d;
    }
    static ProductUse& use_of(Draft& d) { return d.use ? *d.use : d.use.emplace(); }

    void take_columns(std::vector<Draft>& drafts) const {
        const Uses u = uses(drafts);
        for (Draft& d : drafts) {
            if (!d.of->table->first_column || !d.has_own_kernel()) continue;
            const int product = product_for(drafts, u, d.in[0]);
            if (product == none) continue;
            std::vector<Ref> known;
            for (const int v : d.in) known.push_back(known_ref(v));
            const auto op = d.of->table->complete(d.of->op, known);
            const auto first = d.of->table->first_column(op.get(), values_[z(d.in[0])].ref.dims, values_[z(d.out[0])].ref.dims);
            if (first < 0) continue;
            use_of(drafts[z(product)]).first = first;
            drafts[z(product)].out = d.out;
            d.run = nullptr;
        }
    }
    void turn_once(std::vector<Draft>& drafts) {
        std::vector<std::vector<int>> products(values_.size());  // by b
        for (int t = 0; t < static_cast<int>(drafts.size()); ++t) {
            const Draft& d = drafts[z(t)];
            if (d.run && d.of->table->is_turned && d.has_own_kernel() && d.of->table->is_turned(d.op)) products[z(d.in[1])].push_back(t);
        }
        Fresh copies;
        for (int b = 0; b < static_cast<int>(products.size()); ++b) {
            const auto& list = products[z(b)];
            if (list.size() < turns || !stays(drafts, z(list.front()), z(list.back()), b)) continue;
            const Draft& first = drafts[z(list.front())];
            const Dims d = values_[z(b)].ref.dims;
            Draft copy = made(first, first.of->table->turn, {b}, Dims{d[1], d[0]});
            for (const int t : list) {
                drafts[z(t)].in[1] = copy.out[0];
                use_of(drafts[z(t)]).turned = true;
            }
            copies.before.push_back(list.front());
            copies.drafts.push_back(std::move(copy));
        }
        insert(drafts, std::move(copies));
    }
    void add_up(std::vector<Draft>& drafts) const {
        const Uses u = uses(drafts);
        for (Draft& d : drafts) {
            if (!d.run || !d.of->table->sums || !d.has_own_kernel() || d.in.size() < 2 || root(d.out[0]) != d.out[0]) continue;
            std::vector<int> products;
            for (const int v : d.in) products.push_back(product_for(drafts, u, v));
            const int first = *std::min_element(products.begin(), products.end());  // none is less than any
            if (first == none) continue;
            for (const int t : products) {
                if (t != first) use_of(drafts[z(t)]).into = ProductUse::add;
                drafts[z(t)].out = d.out;
            }
            d.run = nullptr;
        }
    }
    /// What is done with a product's result, collected from the last op to the first.
    struct Finish {
        int product = none, column = none, beside = none;
        bool normalises = false, rectifies = false;
    };
    /// Each op is done in turn: scaled and shifted, added to, rectified. `at`: the op of draft `d`, or one that its group stands for.
    bool collect(const std::vector<Draft>& drafts, const Uses& u, const Draft& d, const Operation& at, Finish& f) const {
        const auto joins = at.table->joins ? at.table->joins(at.op.get()) : Joins::no;
        const Group* const group = d.has_own_kernel() ? nullptr : static_cast<const Group*>(d.op);
        const auto value = [&](std::size_t i) { return group ? this->operand(*group, at.inputs[i]) : d.in[i]; };
        const auto inside = [&](std::size_t i) {
            const Operation* const o = at.inputs[i].operation.get();
            return group && std::find(group->inner.begin(), group->inner.end(), o) != group->inner.end() ? o : nullptr;
        };
        const auto go_on = [&](std::size_t i) {
            if (const Operation* const o = inside(i)) return collect(drafts, u, d, *o, f);
            f.product = sole_maker(drafts, u, value(i));
            return f.product != none && drafts[z(f.product)].of->table->finishes;
        };
        if (joins == Joins::rectifies && !f.rectifies && f.column == none && f.beside == none) {
            f.rectifies = true;
            return go_on(0);
        }
        if (joins == Joins::normalises && !group && f.column == none && f.beside == none) {
            f.normalises = true;
            return go_on(0);
        }
        if (joins != Joins::adds && joins != Joins::adds_offset) return false;
        const Dims& y = values_[z(d.out[0])].ref.dims;
        for (std::size_t i = 0; i < (joins == Joins::adds ? 2u : 1u); ++i) {
            if (inside(1 - i)) continue;
            const int other = value(1 - i);
            if (other == none) continue;
            const Dims& x = values_[z(other)].ref.dims;
            Finish with = f;
            if (x == y && with.beside == none && joins == Joins::adds) with.beside = other;
            else if (x.rank > 0 && x.size() == y[-1] && x[-1] == y[-1] && with.column == none) with.column = other;
            else continue;
            std::swap(f, with);
            if (go_on(i)) return true;
            f = with;
        }
        return false;
    }
    void finish(std::vector<Draft>& drafts) {
        const Uses u = uses(drafts);
        Fresh folds;
        for (int t = 0; t < static_cast<int>(drafts.size()); ++t) {
            Draft& d = drafts[z(t)];
            if (!d.run || d.of_plan || d.use || d.out.empty() || d.out[0] == none || root(d.out[0]) != d.out[0]) continue;
            if (!d.has_own_kernel() && (!static_cast<const Group*>(d.op)->elementwise || d.out.size() != 1)) continue;
            Finish f;
            if (!collect(drafts, u, d, *d.of, f)) continue;
            bool all_else_unread = true;
            for (std::size_t k = 1; k < d.out.size(); ++k) all_else_unread &= u.readers[z(d.out[k])] == 0;
            Draft& product = drafts[z(f.product)];
            const ProductUse had = product.use ? *product.use : ProductUse{};
            const bool in_turn = !had.rectifies && !(had.beside >= 0 && (f.beside != none || f.normalises)) && !(had.column >= 0 && (f.column != none || f.normalises));
            if (!all_else_unread || !in_turn || values_[z(product.out[0])].ref.dims != values_[z(d.out[0])].ref.dims || product.of->table->dtype != values_[z(d.out[0])].ref.dtype || !may_wait(drafts, f.product, t)) continue;
            if (f.normalises) {
                if (!d.of->table->fold) continue;
                Draft fold = made(d, d.of->table->fold, std::vector<int>(d.in.begin() + 1, d.in.end()), Dims{2, values_[z(d.out[0])].ref.dims[-1]});
                f.column = fold.out[0];
                folds.before.push_back(t);
                folds.drafts.push_back(std::move(fold));
            }
            const int out = d.out[0];
            d = std::exchange(product, {});
            ProductUse& use = use_of(d);
            const auto reads = [&](int value) {
                d.in.push_back(value), d.absent_in.push_back({});
                return static_cast<int>(d.in.size()) - 1;
            };
            if (f.column != none) use.column = reads(f.column);
            if (f.beside != none) use.beside = reads(f.beside);
            use.scales |= f.normalises;
            use.rectifies |= f.rectifies;
            d.out = {out};
        }
        insert(drafts, std::move(folds));
    }
    /// Of variable -= rate gradient. The product waits until the update, so what it reads must be as it was: nothing that an update writes.
    void descend(std::vector<Draft>& drafts) const {
        const Uses u = uses(drafts);
        for (Draft& d : drafts) {
            if (!d.run || !d.of->table->descends || !d.has_own_kernel()) continue;
            const int t = product_for(drafts, u, d.in[2]);
            if (t == none) continue;
            Draft& product = drafts[z(t)];
            const auto keeps = [&](int v) { return external(values_[z(root(v))]) || in_arena(root(v)); };
            if (!keeps(product.in[0]) || !keeps(product.in[1])) continue;
            const int variable = d.in[0], rate = d.in[1];
            d = std::exchange(product, {});
            use_of(d).into = ProductUse::descend;
            d.in.push_back(rate), d.absent_in.push_back({});
            d.in.push_back(variable), d.absent_in.push_back({});
            d.out = {variable};
        }
    }
    /// After all who ask for a product by one of its outputs.
    void split(std::vector<Draft>& drafts) const {
        const Uses u = uses(drafts);
        for (Draft& d : drafts) {
            if (!d.run || !d.of->table->splits_columns || !d.has_own_kernel() || d.out.size() < 2 || d.out.size() > ProductUse::most_outputs) continue;
            const int t = sole_maker(drafts, u, d.in.back());
            if (t == none || !drafts[z(t)].of->table->is_turned || (drafts[z(t)].use && drafts[z(t)].use->beside >= 0)) continue;
            std::vector<Ref> known;
            for (const int v : d.in) known.push_back(known_ref(v));
            const Dims &whole = values_[z(d.in.back())].ref.dims, &part = values_[z(d.out[0])].ref.dims;
            const auto k = values_[z(drafts[z(t)].in[0])].ref.dims.size() / std::max<std::int64_t>(whole[0], 1);
            const auto bytes = part[-1] * static_cast<std::int64_t>(bytes_of(values_[z(d.out[0])].ref.dtype));
            const bool fills_tiles = whole[0] > 1 && k > 0 && bytes > 0 && bytes % ProductUse::tile_bytes == 0;
            const bool placed = std::all_of(d.out.begin(), d.out.end(), [&](int v) { return root(v) == v && in_arena(v); });
            if (!fills_tiles || !placed || !d.of->table->splits_columns(d.of->table->complete(d.of->op, known).get(), whole)) continue;
            drafts[z(t)].out = d.out, drafts[z(t)].absent_out = d.absent_out;
            d.run = nullptr;
        }
    }
};

}  // namespace tenon
