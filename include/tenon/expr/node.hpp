// Typed handles on the graph, and lazy statements over them.
//
// A statement is a tree of elementwise ops over handles. A temporary fuses into the statement around it; a *named*
// one is computed once: using a named Apply makes it a Node. So no type outgrows one statement, nothing is computed
// twice, and `std::move(h) * d` is how a program asks for fusion across a name.
//
//     auto y = tanh(a * b + c) * d;         // one pass, forward; one pass, backward
//     auto h = tanh(a * b + c);             // two passes: h is named and used twice
//     auto z = h * h;
//
// A shape is only ever the outermost part of a type. What is below it, the pattern of ops, serves every shape:
//
//     tanh(a * b + c) * d      Apply<float, Tree<Mul, Tree<Tanh, Tree<Add, Tree<Mul, Leaf, Leaf>, Leaf>>, Leaf>, Shape<64, 10>>
#pragma once
#include "table.hpp"

namespace tenon {

struct graph_domain;

/// A tensor of the graph: a handle that owns what it is computed from. S may be Unranked.
template <class T, class S> struct Node : Output {
    using domain = graph_domain;
    using value_type = T;
    using shape = S;
    Node() = default;
    explicit Node(Output o) : Output(std::move(o)) {}
    Node<T> output(int i) const { return Node<T>(Output{operation, i}); }
};

struct Leaf {};
template <auto op, class... In> struct Tree {};

/// A statement that is not in the graph yet; `made` is the result once some copy of it was materialised.
template <class T, class Pattern> struct Pending {
    std::vector<Output> leaves;
    std::shared_ptr<Output> made = std::make_shared<Output>();
};
template <class T, class Pattern> const Output& materialise(const Pending<T, Pattern>& e);

template <class T, class Pattern, class S> struct Apply : Pending<T, Pattern> {
    using domain = graph_domain;
    using value_type = T;
    using shape = S;
    operator Node<T, S>() const { return Node<T, S>(materialise(*this)); }
    operator Output() const { return materialise(*this); }
};

template <class T, class S> const Node<T, S>& node(const Node<T, S>& n) { return n; }
template <class T, class P, class S> Node<T, S> node(const Apply<T, P, S>& e) { return e; }

/// An operand of the graph, of whatever type and shape.
template <class X> concept GraphOperand = Operand<X> && std::is_same_v<domain_of<X>, graph_domain>;
template <class X> using value_type_of = typename std::remove_cvref_t<X>::value_type;
template <class X> using shape_of = typename std::remove_cvref_t<X>::shape;

namespace detail {

// What an operand becomes inside a statement: temporaries stay lazy, everything else is a leaf.
template <class X> struct pattern_of { using type = Leaf; };
template <class T, class P, class S> struct pattern_of<Apply<T, P, S>> { using type = P; };
template <class = void> std::vector<Output> leaves(const Output& n) { return {n}; }
template <class T, class P> std::vector<Output> leaves(const Pending<T, P>& e) { return {materialise(e)}; }
template <class T, class P> std::vector<Output> leaves(Pending<T, P>& e) { return {materialise(e)}; }
template <class T, class P> std::vector<Output> leaves(Pending<T, P>&& e) {
    if (e.made->operation) return {*e.made};
    return std::move(e.leaves);
}
template <class = void> [[gnu::noinline]] std::vector<Output> join(std::initializer_list<std::vector<Output>> parts) {
    std::vector<Output> all;
    for (const auto& p : parts) all.insert(all.end(), p.begin(), p.end());
    return all;
}

/// Whether an op over operands of type T can be part of a compiled statement.
template <class O, class T> inline constexpr bool fuses = ElementwiseOp<O> && std::is_floating_point_v<T> && std::is_same_v<result_t<O, T>, T>;
/// Some attributes keep an op out of statements.
template <auto op> constexpr bool may_fuse() {
    if constexpr (requires { op.fuses(); }) return op.fuses();
    else return true;
}

/// An op as part of a type needs no memory of its own.
template <auto op> inline constexpr const void* constant = &op;
template <auto op> std::shared_ptr<const void> shared_constant() { return {std::shared_ptr<void>(), &op}; }

template <class = void> [[gnu::noinline]] Output apply(const OpTable& t, std::shared_ptr<const void> op, std::vector<Output> data) {
    if (t.expand) data = t.expand(op.get(), std::move(data));
    return make_operation(t, std::move(op), std::move(data));
}
/// What calls and rules compile to. Operands by address and constants without an owner: copies of pointers that count are most of the code otherwise.
template <class = void> [[gnu::noinline]] Output apply_to(const OpTable& t, std::shared_ptr<const void> op, std::initializer_list<const Output*> data) {
    std::vector<Output> copies;
    copies.reserve(data.size() + 2);
    for (const Output* d : data) copies.push_back(*d);
    return apply(t, std::move(op), std::move(copies));
}
template <class = void> [[gnu::noinline]] Output apply_constant(const OpTable& t, const void* op, std::initializer_list<const Output*> data) { return apply_to(t, {std::shared_ptr<void>(), op}, data); }
inline const Output* address(const Output& o) { return &o; }

}  // namespace detail

struct graph_domain {
    template <auto op, class... X> static auto call(Constant<op>, X&&... x) {
        using O = std::remove_const_t<decltype(op)>;
        using T = value_type_of<std::tuple_element_t<typed_by<O>(), std::tuple<X...>>>;
        using S = typename verdict<op, X...>::shape;
        if constexpr (detail::fuses<O, T> && detail::may_fuse<op>() && !std::is_same_v<S, Unranked>)
            return Apply<T, Tree<op, typename detail::pattern_of<X>::type...>, S>{{detail::join({detail::leaves(std::forward<X>(x))...})}};
        else
            return Node<result_t<O, T>, S>(detail::apply_constant(table_of<O, T>(), detail::constant<op>, {detail::address(node(x))...}));
    }
    template <class O, class... X> static auto call(RunTime<O> self, const X&... x) {
        using T = value_type_of<std::tuple_element_t<typed_by<O>(), std::tuple<X...>>>;
        return Node<result_t<O, T>>(detail::apply_to(table_of<O, T>(), detail::shared_op(std::move(self.op)), {detail::address(node(x))...}));
    }
};

/// An op applied at run time to all inputs of its NodeDef, those that are members of the op included.
template <class T, class O> Node<result_t<O, T>> make(O op, std::vector<Output> inputs, std::string_view name = {}) {
    return Node<result_t<O, T>>(make_operation(table_of<O, T>(), detail::shared_op(std::move(op)), std::move(inputs), name));
}

/// Gives an operation its name, under which it is exported and found. A statement is materialised.
template <class T, class S> Node<T, S> named(std::string name, const Node<T, S>& n) {
    n.operation->name = std::move(name);
    return n;
}
template <class T, class P, class S> Node<T, S> named(std::string name, const Apply<T, P, S>& e) { return named(std::move(name), Node<T, S>(e)); }

}  // namespace tenon
