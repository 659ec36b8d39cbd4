// gradients(loss, w...): a transformation of the graph. The result is more operations, TensorFlow's own, so a training
// graph is exported like any other and has gradients itself.
//
// Going backward, a compiled statement is met as a whole: its operations' rules are told one by one, which makes the
// exportable operations, and then the statement's compiled backward kernel is hung on the contributions to its
// leaves. A plan that wants none of the operations between runs the kernel: one pass for all leaves.
#pragma once
#include "../expr/graph.hpp"
#include "../ops/broadcasting.hpp"
#include "../ops/identity.hpp"

#include <functional>

namespace tenon {

namespace detail {

/// Operations and their outputs as numbers, inputs first.
template <class = void> class Backward {
    using Parts = std::vector<std::vector<Output>>;  // contributions to the adjoint of each output, by number

    std::vector<std::shared_ptr<Operation>> order_;
    HashIndex number_;
    std::vector<std::size_t> first_;               // of each operation's outputs
    std::vector<char> reaching_, done_;
    std::vector<std::vector<int>> users_;
    Parts adjoints_;

    static std::size_t z(int i) { return static_cast<std::size_t>(i); }

public:
    Backward(std::span<const Output> ys, std::span<const Output> wrt) : order_(topological(ys)) {
        const std::size_t n = order_.size();
        reaching_.resize(n), done_.resize(n), users_.resize(n), first_.resize(n);
        std::size_t outputs = 0;
        for (std::size_t k = 0; k < n; ++k) {
            number_.keep(order_[k].get(), static_cast<int>(k));
            first_[k] = outputs;
            outputs += std::max<std::size_t>(order_[k]->results.size(), 1);
        }
        adjoints_.resize(outputs);
        std::vector<char> lost(n);
        for (std::size_t k = 0; k < n; ++k) {
            const Operation& o = *order_[k];
            bool reaches = false;
            for (const Output& i : o.inputs) {
                const int from = number_.find(i.operation.get());
                users_[z(from)].push_back(static_cast<int>(k));
                reaches |= reaching_[z(from)] && carries_gradient(i.dtype());
            }
            reaches &= !o.table->stops_gradient;
            lost[k] = reaches && !o.table->gradient && !ends_path(o);
            for (const Output& w : wrt) reaches |= w.operation == order_[k];
            reaching_[k] = reaches && !ends_path(o);
            for (const Output& w : wrt) reaching_[k] |= w.operation == order_[k];
        }
        refuse_lost_gradients(ys, lost);
    }

    std::vector<Output> operator()(std::span<const Output> ys, std::span<const Output> seeds, std::span<const Output> wrt) {
        for (std::size_t i = 0; i < ys.size(); ++i) adjoint(ys[i]).push_back(seeds[i]);
        for (auto k = order_.size(); k-- > 0;) {
            const auto& o = order_[k];
            if (!reaching_[k] || done_[k] || !o->table->gradient) continue;
            const auto g = totals(*o, adjoints_);
            if (std::none_of(g.begin(), g.end(), [](const Output& x) { return x.operation != nullptr; }) || o->inputs.empty()) continue;
            if (const auto inside = closed_statement(*o); !inside.empty()) {
                through_statement(Output{o, 0}, g[0], inside);
                for (const int i : inside) done_[z(i)] = 1;
            } else {
                through(o, g, adjoints_);
            }
        }
        std::vector<Output> result;
        for (const Output& w : wrt) result.push_back(number_.contains(w.operation.get()) ? total(adjoint(w)) : Output{});
        return result;
    }

private:
    static bool carries_gradient(DType t) { return is_floating(t) || t == DType::invalid; }
    /// Integers and booleans have no gradient in anybody's mathematics; that loses nothing.
    static bool ends_path(const Operation& o) {
        for (const Result& r : o.results) if (carries_gradient(r.dtype)) return false;
        return true;
    }
    std::vector<Output>& adjoint(const Output& o) { return adjoints_[first_[z(number_.find(o.operation.get()))] + z(o.index)]; }

    /// A lost gradient is an error only on a path from what is differentiated.
    void refuse_lost_gradients(std::span<const Output> ys, const std::vector<char>& lost) const {
        std::vector<char> seen(order_.size());
        std::vector<int> todo;
        for (const Output& y : ys) todo.push_back(number_.find(y.operation.get()));
        std::string names;
        while (!todo.empty()) {
            const int k = todo.back();
            todo.pop_back();
            if (seen[z(k)]++ || (!reaching_[z(k)] && !lost[z(k)])) continue;
            if (lost[z(k)]) names += (names.empty() ? "" : ", ") + describe(*order_[z(k)]);
            else
                for (const Output& i : order_[z(k)]->inputs) todo.push_back(number_.find(i.operation.get()));
        }
        if (!names.empty()) throw GradientError("[gradients] no gradient through " + names + "; stop_gradient cuts where none is wanted");
    }

    /// Sum of what has arrived; one contribution is used as it is.
    static Output total(std::vector<Output>& parts) {
        if (parts.empty()) return {};
        if (parts.size() > 1) {
            const OpTable* add = parts[0].operation->table->add_n;
            for (const Output& p : parts) if (!add) add = p.operation->table->add_n;
            if (!add) throw GradientError("[gradients] contributions of " + describe(*parts[0].operation) + " cannot be added");
            parts = {make_operation(*add, std::make_shared<AddN>(), std::move(parts), "gradients/")};
        }
        return parts[0];
    }
    std::vector<Output> totals(const Operation& o, Parts& to) {
        std::vector<Output> g;
        const auto first = first_[z(number_.find(&o))];
        for (std::size_t i = 0; i < o.results.size(); ++i) g.push_back(total(to[first + i]));
        return g;
    }
    void through(const std::shared_ptr<Operation>& o, std::span<const Output> g, Parts& to) {
        const auto parts = o->table->gradient(o, g);
        for (std::size_t i = 0; i < parts.size(); ++i) {
            if (!parts[i].operation) continue;
            const Output& x = o->inputs[i];
            const int from = number_.find(x.operation.get());
            put_in_scope(parts[i]);
            if (reaching_[z(from)]) to[first_[z(from)] + z(x.index)].push_back(parts[i]);
        }
    }

    /// What a rule made is exported below "gradients/".
    void put_in_scope(const Output& made) const {
        std::vector<Operation*> todo{made.operation.get()};
        while (!todo.empty()) {
            Operation& o = *todo.back();
            todo.pop_back();
            if (!o.name.empty() || number_.contains(&o)) continue;
            o.name = "gradients/";
            for (const Output& i : o.inputs) todo.push_back(i.operation.get());
        }
    }

    /// The operations of the statement that ends in `root`, last first; none if there is no kernel or somebody else uses one of them.
    std::vector<int> closed_statement(const Operation& root) const {
        if (!root.group || !root.group->backward) return {};
        std::vector<int> inside{number_.find(&root)};
        for (const Operation* o : root.group->inner) {
            const int at = number_.find(o);
            if (at == HashIndex::none) return {};
            inside.push_back(at);
        }
        std::make_heap(inside.begin(), inside.end(), std::greater<>());  // as a plan's heap, so that nothing more is compiled
        std::sort_heap(inside.begin(), inside.end(), std::greater<>());
        for (std::size_t i = 1; i < inside.size(); ++i)
            for (const int user : users_[z(inside[i])]) if (std::find(inside.begin(), inside.end(), user) == inside.end()) return {};
        return inside;
    }
    void through_statement(const Output& y, const Output& g, const std::vector<int>& inside) {
        Parts local(adjoints_.size());
        local[first_[z(inside[0])]].push_back(g);
        for (const int k : inside) {
            const auto& o = order_[z(k)];
            if (const auto part = totals(*o, local); part[0].operation) through(o, part, local);
        }
        const Group& forward = *y.operation->group;
        auto backward = std::make_shared<Group>(Group{.run = forward.backward, .prepare = &prepare_backward, .inputs = forward.inputs});
        backward->inputs.push_back(g);
        backward->inputs.push_back(y);
        std::vector<Output> roots;
        for (std::size_t p = 0; p < forward.inputs.size(); ++p) {
            const Output& leaf = forward.inputs[p];
            const auto first = static_cast<std::size_t>(std::find(forward.inputs.begin(), forward.inputs.end(), leaf) - forward.inputs.begin());
            if (first < p) {  // the same leaf again: the kernel adds to the same output
                backward->target.push_back(backward->target[first]);
            } else {
                const int number = number_.find(leaf.operation.get());
                const auto slot = first_[z(number)] + z(leaf.index);
                const Output part = total(local[slot]);
                if (part.operation) adjoints_[slot].push_back(part);
                const bool fresh = part.operation && part.operation != g.operation && !number_.contains(part.operation.get()) && !part.operation->group &&
                                   !part.operation->results[0].known;
                backward->target.push_back(fresh ? static_cast<int>(backward->reads.size()) : -1);
                if (fresh) {
                    part.operation->group_output = static_cast<int>(backward->reads.size());
                    backward->reads.push_back(0);
                    roots.push_back(part);
                }
            }
            if (const int t = backward->target[p]; t >= 0) backward->reads[z(t)] |= forward.position_reads[p];
        }
        for (std::size_t p = 0; p < forward.inputs.size(); ++p) if (!forward.position_reads[p]) backward->target[p] = -1;  // nothing arrives there
        backward->inner = between(roots, backward->inputs);
        if (const auto total = total_of(y, g); total && !roots.empty()) {  // one pass for value and gradient
            const Group& reduction = *total->group;
            backward->mean = reduction.mean;
            backward->inner.insert(backward->inner.end(), reduction.inner.begin(), reduction.inner.end());
            backward->total = total->group_output = static_cast<int>(backward->reads.size());
            backward->reads.push_back(reduction.reads[0]);
            roots.push_back({total, 0});
        }
        for (const Output& r : roots) r.operation->group = backward;
    }
    /// The sum or mean of the statement `y`, if its kernel can come along with the backward kernel: the adjoint `g` does not wait for it.
    /// Nor may `g` know it in any other way: the total would own its kernel, the kernel `g`, and `g` the total.
    std::shared_ptr<Operation> total_of(const Output& y, const Output& g) const {
        std::shared_ptr<Operation> found;
        for (const int user : users_[z(number_.find(y.operation.get()))])
            if (const auto& o = order_[z(user)]; o->group && o->group->reduces && o->group->inner.back() == y.operation.get()) found = o;
        if (!found) return {};
        HashIndex seen;
        std::vector<const Operation*> todo{g.operation.get()};
        while (!todo.empty()) {
            const Operation* o = todo.back();
            todo.pop_back();
            if (o == found.get()) return {};
            if (!seen.insert(o)) continue;
            for (const Output& i : o->inputs) todo.push_back(i.operation.get());
            for (const auto& c : o->controls) todo.push_back(c.get());
            if (o->group && o->group->total >= 0)  // a total that comes with a gradient waits for that one's adjoint
                for (const Output& i : o->group->inputs) todo.push_back(i.operation.get());
        }
        return found;
    }
    /// What `roots` are computed from, down to `inputs`, both excepted.
    static std::vector<const Operation*> between(const std::vector<Output>& roots, const std::vector<Output>& inputs) {
        HashIndex seen;
        for (const Output& i : inputs) seen.insert(i.operation.get());
        for (const Output& r : roots) seen.insert(r.operation.get());
        std::vector<const Operation*> todo, inner;
        for (const Output& r : roots) todo.push_back(r.operation.get());
        while (!todo.empty()) {
            const Operation* o = todo.back();
            todo.pop_back();
            for (const Output& i : o->inputs) {
                const Operation* next = i.operation.get();
                if (next->inputs.empty() || !seen.insert(next)) continue;
                inner.push_back(next);
                todo.push_back(next);
            }
        }
        return inner;
    }
};

}  // namespace detail

/// What typed calls come down to. An absent output: `ys` do not depend on it.
template <class = void> [[gnu::noinline]] std::vector<Output> gradients(std::span<const Output> ys, std::span<const Output> seeds, std::span<const Output> wrt) {
    return detail::Backward<>(ys, wrt)(ys, seeds, wrt);
}

/// The derivative of sum(y) after each of `wrt`, as tensors of the graph of the same type and shape.
///
/// Errors    GradientError if a path from y to one of `wrt` goes through an op without a gradient; it names all of them
///
///     auto [dw, db] = gradients(loss, w, b);
template <GraphOperand Y, GraphOperand... V> auto gradients(const Y& y, const V&... wrt) {
    using T = value_type_of<Y>;
    const Output of[] = {node(y)}, with[] = {Output(node(wrt))...};
    const Output seeds[] = {ones_like_shape(Node<T>(of[0]))};
    const auto g = gradients(of, seeds, with);
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return std::tuple(Node<value_type_of<V>, shape_of<V>>(g[I].operation ? g[I] : Output(zeros_of_shape(Node<value_type_of<V>>(with[I]), "gradients/")))...);
    }(std::index_sequence_for<V...>{});
}
/// The same with what arrives at y given, and for lists: `gradients(y, {w, b}, grad_y)`. Absent where y does not depend on it.
template <GraphOperand Y> std::vector<Output> gradients(const Y& y, const std::vector<Output>& wrt, const Output& grad_y = {}) {
    using T = value_type_of<Y>;
    const Output of[] = {node(y)};
    const Output seeds[] = {grad_y.operation ? grad_y : Output(ones_like_shape(Node<T>(of[0])))};
    if (!compatible(seeds[0].dims(), of[0].dims())) throw ShapeError("[gradients] grad_y is " + to_string(seeds[0].dims()) + " for y " + to_string(of[0].dims()));
    return gradients(of, seeds, wrt);
}

#ifdef TENON_PREBUILT
extern template std::vector<Output> gradients<void>(std::span<const Output>, std::span<const Output>, std::span<const Output>);
#endif

}  // namespace tenon
