// Between the second stage of planning and the third: products of matrices take over what is done with their results alone, so that no result lies in
// memory only to be read once.
//
//   columns   Slice of a b                     the product of some columns of b
//   turned    many products with one b, each   b is transposed once
//             of which transposes it
//   sums      AddN of products                 products that are added where the sum lies: the first assigns
//   descent   variable -= rate a b             a product into the variable
//
// A product stays where it is in the sequence, but for a descent, which waits until the update.
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

    PlanProducts(std::span<const Output> fetches, std::span<const Feed> feeds) : Base(fetches, feeds) {}

    void join(std::vector<Draft>& drafts) {
        take_columns(drafts);
        turn_once(drafts);
        add_up(drafts);
        descend(drafts);
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
    /// The product whose result is `value`, all of it, if one draft alone reads it.
    int product_for(const std::vector<Draft>& drafts, const Uses& u, int value) const {
        if (root(value) != value || external(values_[z(value)]) || u.readers[z(value)] != 1) return none;
        const int t = u.maker[z(value)];
        if (t < 0 || !drafts[z(t)].run || !drafts[z(t)].of->table->is_turned || !drafts[z(t)].has_own_kernel() || (drafts[z(t)].use && drafts[z(t)].use->into != ProductUse::assign)) return none;
        return t;
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
        std::vector<std::vector<std::size_t>> products(values_.size());  // by b
        for (std::size_t t = 0; t < drafts.size(); ++t) {
            const Draft& d = drafts[t];
            if (d.run && d.of->table->is_turned && d.has_own_kernel() && d.of->table->is_turned(d.op)) products[z(d.in[1])].push_back(t);
        }
        std::vector<std::pair<std::size_t, Draft>> copies;  // each before a draft
        for (int b = 0; b < static_cast<int>(products.size()); ++b) {
            const auto& list = products[z(b)];
            if (list.size() < turns) continue;
            bool changes = false;
            for (std::size_t t = list.front(); t < list.back(); ++t)
                for (const int v : drafts[t].out) changes |= drafts[t].run && v != none && root(v) == root(b);
            if (changes) continue;
            const Draft& first = drafts[list.front()];
            const Ref& r = values_[z(b)].ref;
            Value turned;
            turned.ref = {nullptr, Dims{r.dims[1], r.dims[0]}, r.dtype};
            turned.op = this->number_.find(first.of);
            turned.root = static_cast<int>(values_.size());
            Draft copy{.run = first.of->table->turn, .of = first.of, .op = first.op, .in = {b}, .out = {turned.root}, .absent_in = {Ref{}}, .absent_out = {Ref{}}, .of_plan = true};
            for (const std::size_t t : list) {
                drafts[t].in[1] = turned.root;
                use_of(drafts[t]).turned = true;
            }
            values_.push_back(std::move(turned));
            copies.emplace_back(list.front(), std::move(copy));
        }
        std::stable_sort(copies.begin(), copies.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        std::vector<Draft> all;
        for (std::size_t t = 0, c = 0; t < drafts.size(); ++t) {
            for (; c < copies.size() && copies[c].first == t; ++c) all.push_back(std::move(copies[c].second));
            all.push_back(std::move(drafts[t]));
        }
        drafts = std::move(all);
    }
    void add_up(std::vector<Draft>& drafts) const {
        const Uses u = uses(drafts);
        for (Draft& d : drafts) {
            if (!d.run || !d.of->table->sums || !d.has_own_kernel() || d.in.size() < 2 || root(d.out[0]) != d.out[0]) continue;
            std::vector<int> products;
            for (const int v : d.in) products.push_back(product_for(drafts, u, v));
            std::sort(products.begin(), products.end());
            if (products.front() == none) continue;
            for (const int t : products) {
                if (t != products.front()) use_of(drafts[z(t)]).into = ProductUse::add;
                drafts[z(t)].out = d.out;
            }
            d.run = nullptr;
        }
    }
    /// Of variable -= rate gradient. The product waits until the update, so what it reads must be as it was: nothing that an update writes.
    void descend(std::vector<Draft>& drafts) const {
        const Uses u = uses(drafts);
        for (Draft& d : drafts) {
            if (!d.run || !d.of->table->descends || !d.has_own_kernel()) continue;
            const int t = product_for(drafts, u, d.in[2]);
            if (t == none) continue;
            Draft& product = drafts[z(t)];
            const auto stays = [&](int v) { return external(values_[z(root(v))]) || in_arena(root(v)); };
            if (!stays(product.in[0]) || !stays(product.in[1])) continue;
            const int variable = d.in[0], rate = d.in[1];
            d = std::exchange(product, {});
            use_of(d).into = ProductUse::descend;
            d.in.push_back(rate), d.absent_in.push_back({});
            d.in.push_back(variable), d.absent_in.push_back({});
            d.out = {variable};
        }
    }
};

}  // namespace tenon
