// Compiled statements: what a typed elementwise expression adds to the operations that it makes.
//
// A kernel goes over its operands packet by packet and through the whole tree with each: forward once, and backward with the ops' own rules
// while everything is still in registers. What each leaf's adjoint reads is asked of the same rules, told for sets of inputs, so that plans
// know it too.
#pragma once
#include "walk_back.hpp"

namespace tenon {

/// A value while it is held: V computes like an array (tensor/packet.hpp).
struct held_domain;
template <class V> struct Held {
    using domain = held_domain;
    using shape = Unranked;
    using value_type = typename V::Scalar;
    V value;
};
struct held_domain {
    template <class Self, class V, class... Rest> static Held<V> call(Self self, const Held<V>& x, const Rest&... rest) { return {self().forward(x.value, rest.value...)}; }
};

/// Of a value only which inputs it reads, a bit each.
struct reads_domain;
struct Reads {
    using domain = reads_domain;
    using shape = Unranked;
    using value_type = float;
    std::uint32_t inputs = 0;
};
struct reads_domain {
    template <class Self, class... X> static Reads call(Self, const X&... x) { return {(x.inputs | ...)}; }
};

namespace detail {

template <class Pattern> inline constexpr int leaves_of = 1;
template <auto op, class... In> inline constexpr int leaves_of<Tree<op, In...>> = (leaves_of<In> + ...);

/// One node of a statement while one packet passes through it, V by V; its leaves are those from `first` on.
template <class V, class Pattern, int first> struct Live;
template <class V, int first, class... In> struct inputs_of;
template <class V, int first, class A> struct inputs_of<V, first, A> { using type = std::tuple<Live<V, A, first>>; };
template <class V, int first, class A, class B> struct inputs_of<V, first, A, B> {
    using type = std::tuple<Live<V, A, first>, Live<V, B, first + leaves_of<A>>>;
};
template <class V, int first, class A, class B, class C> struct inputs_of<V, first, A, B, C> {
    using type = std::tuple<Live<V, A, first>, Live<V, B, first + leaves_of<A>>, Live<V, C, first + leaves_of<A> + leaves_of<B>>>;
};

template <class V, int position> struct Live<V, Leaf, position> {
    V value;
    void load(const auto& leaf) { value = leaf(position); }
    void take(const V& g, const auto& sink) const {
        if (sink.wants(1u << position)) sink.put(position, g);
    }
    void take(no_gradient, const auto&) const {}
};
template <class V, int first, auto op, class... In> struct Live<V, Tree<op, In...>, first> {
    static constexpr std::uint32_t positions = ((1u << leaves_of<Tree<op, In...>>) - 1) << first;
    typename inputs_of<V, first, In...>::type in;
    V value;

    Live() {}
    void load_inputs(const auto& leaf) {
        unpack(in, [&](auto&... x) { (x.load(leaf), ...); });
    }
    void compute() {
        value = unpack(in, [](const auto&... x) { return call(Constant<op>{}, x.value...); });
    }
    void load(const auto& leaf) {
        load_inputs(leaf);
        compute();
    }
    void take(const V& g, const auto& sink) const { back(g, value, sink); }
    void take(no_gradient, const auto&) const {}
    void back(const V& g, const V& y, const auto& sink) const {
        if (!sink.wants(positions)) return;
        const auto rules = unpack(in, [&](const auto&... x) { return std::remove_const_t<decltype(op)>::gradient(Constant<op>{}, g, y, x.value...); });
        [&]<std::size_t... I>(std::index_sequence<I...>) { (std::get<I>(in).take(std::get<I>(rules), sink), ...); }(std::index_sequence_for<In...>{});
    }
};

/// Where the contributions of one packet go. Several positions may share an output: the first assigns.
template <class T> struct Sink {
    T* const* out;  ///< by position
    std::uint32_t wanted, first;
    std::int64_t k = 0;
    bool wants(std::uint32_t positions) const { return wanted & positions; }
    void put(int position, const Held<Packet<T>>& g) const {
        T* const to = out[position] + k;
        (first >> position & 1 ? g.value : g.value + Packet<T>::load(to)).store(to);
    }
};

template <class T, class Pattern> struct Statement {
    static constexpr int leaves = leaves_of<Pattern>;
    static constexpr std::size_t most = leaves <= 3 ? 3 : leaves <= 8 ? 8 : 31;  // few sizes of loop, whatever the statement
    static constexpr std::uint32_t g_bit = 1u << leaves, y_bit = 2u << leaves;  // backward's inputs: leaves, g, y
    template <class V> using Root = Live<V, Pattern, 0>;
    using Value = Held<Packet<T>>;

    static void step(const void*, void* to, const void* const* from, std::int64_t n) {
        std::array<const T*, leaves> x;
        for (std::size_t p = 0; p < leaves; ++p) x[p] = static_cast<const T*>(from[p]);
        for (std::int64_t k = 0; k < n; k += packet_width<T>) {
            Root<Value> tree;
            tree.load([&](int p) { return Value{Packet<T>::load(x[static_cast<std::size_t>(p)] + k)}; });
            tree.value.value.store(static_cast<T*>(to) + k);
        }
    }
    static void forward(const Call& c) { walk<T, T, most>(c, &step, packet_width<T>); }
    /// The sum of all elements, or their mean, without storing them.
    static void reduce(const Call& c) { walk<T, T, most, true>(c, &step, packet_width<T>); }

    template <bool anew> static void step_back(const BackwardStep<T>& s) {
        std::array<const T*, leaves + 2> x;
        std::array<T*, leaves> out;
        // one by one: pointers written just before are slow to read as vectors
        for (std::size_t p = 0; p < x.size(); ++p) asm("" : "=r"(x[p]) : "0"(s.x[p]));
        for (std::size_t p = 0; p < leaves; ++p) asm("" : "=r"(out[p]) : "0"(s.out[p]));
        Sink<T> sink{out.data(), s.wanted, s.first};
        Packet<T> total(T(0));
        for (std::int64_t n = s.n; sink.k < n; sink.k += packet_width<T>) {
            const auto at = [&](int p) { return Value{Packet<T>::load(x[static_cast<std::size_t>(p)] + sink.k)}; };
            Root<Value> tree;
            tree.load_inputs(at);
            if constexpr (anew) {
                tree.compute();
                total = total + tree.value.value.rounded();  // as the value alone is summed
                tree.take(at(leaves), sink);
            } else {
                tree.back(at(leaves), at(leaves + 1), sink);
            }
        }
        if (anew && s.total) total.store(s.total);
    }
    template <bool anew> static std::vector<std::uint32_t> reads() {
        struct Collect {
            std::uint32_t* at;
            bool wants(std::uint32_t) const { return true; }
            void put(int position, const Reads& g) const { at[position] |= g.inputs; }
        };
        std::vector<std::uint32_t> positions(leaves);
        Root<Reads> tree;
        tree.load([](int p) { return Reads{1u << p}; });
        tree.back(Reads{g_bit}, anew ? tree.value : Reads{y_bit}, Collect{positions.data()});
        return positions;
    }
    template <bool anew> static void backward(const Call& c) { walk_back<T, most>(c, &step_back<anew>, anew); }
};

struct Emitter {
    const Output* leaf;
    std::vector<const Operation*> made{};
    template <class T> Output emit(Leaf) { return *leaf++; }
    template <class T, auto op, class... In> Output emit(Tree<op, In...>) {
        const Output o = apply(table_of<std::remove_const_t<decltype(op)>, T>(), shared_constant<op>(), {emit<T>(In{})...});
        made.push_back(o.operation.get());
        return o;
    }
};
template <class Pattern> inline constexpr bool is_one_op = false;
template <auto op, class... In> inline constexpr bool is_one_op<Tree<op, In...>> = (std::is_same_v<In, Leaf> && ...);

}  // namespace detail

namespace detail {
/// `reduced`: by an op that follows, and so not stored.
template <bool reduced, class T, class Pattern> const Output& materialise_as(const Pending<T, Pattern>& e) {
    using S = Statement<T, Pattern>;
    if (e.made->operation) return *e.made;
    Emitter emitter{e.leaves.data()};
    *e.made = emitter.template emit<T>(Pattern{});
    if constexpr (!is_one_op<Pattern> || reduced) {  // one op alone gains nothing from being compiled again
        static_assert(S::leaves < 31, "tenon: name a part of this statement; it has more than 30 operands");
        emitter.made.pop_back();
        Group g{.run = &S::forward, .prepare = &prepare_elementwise, .elementwise = true, .inputs = e.leaves, .inner = std::move(emitter.made)};
        g.reads.push_back((1u << S::leaves) - 1);
        g.backward = &S::template backward<reduced>;
        g.position_reads = S::template reads<reduced>();
        e.made->operation->group = std::make_shared<Group>(std::move(g));
    }
    return *e.made;
}
}  // namespace detail

/// Makes the statement's operations, once, and hangs its compiled kernels on the last of them.
template <class T, class Pattern> const Output& materialise(const Pending<T, Pattern>& e) { return detail::materialise_as<false>(e); }

namespace detail {
/// A full reduction of a statement: the reduction's own operation, and a compiled kernel for both in one pass.
template <class O, class T, class P> Output reduce_statement(Pending<T, P>&& e, std::shared_ptr<const void> op, bool mean) {
    const Output whole = materialise_as<true>(e);
    const Output y = apply(table_of<O, T>(), std::move(op), {whole});
    Group g{.run = &Statement<T, P>::reduce, .prepare = &prepare_reduction, .reduces = true, .inputs = std::move(e.leaves), .total = 0, .mean = mean};
    if (whole.operation->group) g.inner = whole.operation->group->inner;
    g.inner.push_back(whole.operation.get());
    g.reads.push_back((1u << leaves_of<P>) - 1);
    y.operation->group = std::make_shared<Group>(std::move(g));
    return y;
}
}  // namespace detail

}  // namespace tenon
