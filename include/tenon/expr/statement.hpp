// Compiled statements: what a typed elementwise expression adds to the operations that it makes.
//
// Forward is one Eigen assignment per block. Backward goes down the same tree once per block with the ops' own rules:
// results marked `keep` are computed once into a block, adjoints that are used more than once as well, all the rest
// stays a lazy expression. What each leaf's adjoint reads is part of its type (`reads`), so that plans know it too.
#pragma once
#include "node.hpp"

namespace tenon {

/// An Eigen array expression, and which of the kernel's inputs it reads.
struct block_domain;
template <class E, std::uint32_t mask> struct Lazy {
    using domain = block_domain;
    using shape = Unranked;
    using value_type = typename E::Scalar;
    static constexpr std::uint32_t reads = mask;
    E value;
};
template <std::uint32_t mask, class E> Lazy<E, mask> lazy(const E& e) { return {e}; }

struct block_domain {
    template <class Self, class... E, std::uint32_t... mask> static auto call(Self self, const Lazy<E, mask>&... x) {
        return lazy<(mask | ...)>(self().forward(x.value...));
    }
};

namespace detail {

template <class Pattern> inline constexpr int leaves_of = 1;
template <auto op, class... In> inline constexpr int leaves_of<Tree<op, In...>> = (leaves_of<In> + ...);

template <std::uint32_t... mask> struct Reads {
    static constexpr std::array<std::uint32_t, sizeof...(mask)> positions{mask...};
};
template <std::uint32_t... a, std::uint32_t... b> constexpr Reads<a..., b...> operator+(Reads<a...>, Reads<b...>) { return {}; }

/// Where the adjoints of leaves go. Several positions of one leaf share an output.
template <class T> struct Sink {
    std::span<Writer<T>> outputs;
    const int* target;
    std::uint32_t wanted = 0, touched = 0;  // positions; outputs
    std::int64_t i = 0, n = 0;
    template <class E> void put(int position, const E& e) {
        const auto slot = static_cast<std::uint32_t>(target[position]);
        outputs[slot].put(i, n, e, !(touched & 1u << slot));
        touched |= 1u << slot;
    }
};

/// One node of a statement while one block passes through it; its leaves are those from `first` on.
template <class T, class Pattern, int first> struct Live;
template <class T, int first, class... In> struct inputs_of;
template <class T, int first, class A> struct inputs_of<T, first, A> { using type = std::tuple<Live<T, A, first>>; };
template <class T, int first, class A, class B> struct inputs_of<T, first, A, B> {
    using type = std::tuple<Live<T, A, first>, Live<T, B, first + leaves_of<A>>>;
};
template <class T, int first, class A, class B, class C> struct inputs_of<T, first, A, B, C> {
    using type = std::tuple<Live<T, A, first>, Live<T, B, first + leaves_of<A>>, Live<T, C, first + leaves_of<A> + leaves_of<B>>>;
};

template <class T, int position> struct Live<T, Leaf, position> {
    static constexpr std::uint32_t positions = 1u << position;
    static constexpr Reads<0> nothing{};
    const T* data;
    std::int64_t n;
    void load(Reader<T>* in, std::int64_t i, std::int64_t count) { data = in[position].at(i, n = count); }
    auto value() const { return lazy<positions>(map(data, n)); }
    auto take(no_gradient, Sink<T>&) const { return nothing; }
    template <class E, std::uint32_t mask> auto take(const Lazy<E, mask>& g, Sink<T>& sink) const {
        if (sink.wanted & positions) sink.put(position, g.value);
        return Reads<mask>{};
    }
};

template <class T, int first, auto op, class... In> struct Live<T, Tree<op, In...>, first> {
    using O = std::remove_const_t<decltype(op)>;
    static constexpr int leaves = leaves_of<Tree<op, In...>>;
    static constexpr std::uint32_t positions = ((1u << leaves) - 1) << first;
    static constexpr auto nothing = []<std::size_t... I>(std::index_sequence<I...>) { return Reads<(I * 0)...>{}; }(std::make_index_sequence<leaves>{});
    static constexpr bool keep = requires { requires O::keep; };
    typename inputs_of<T, first, In...>::type in;
    std::int64_t n;
    alignas(64) T kept[keep ? block : 1], adjoint[sizeof...(In) > 1 ? block : 1];

    Live() {}  // not defaulted: std::tuple would clear the blocks first, 140 ns for three ops
    void load(Reader<T>* r, std::int64_t i, std::int64_t count) {
        n = count;
        unpack(in, [&](auto&... x) { (x.load(r, i, count), ...); });
    }
    /// Before going backward: fill the blocks of results that rules reuse. What reads an absent leaf nobody wants.
    template <bool root = false> void prepare(std::uint32_t present) {
        unpack(in, [&](auto&... x) { (prepare_input(x, present), ...); });
        if constexpr (keep && !root) if (!(positions & ~present)) store(kept, n, fresh().value);
    }
    template <class X> static void prepare_input(X& x, std::uint32_t present) { if constexpr (requires { x.prepare(present); }) x.prepare(present); }
    auto fresh() const {
        return unpack(in, [](const auto&... x) { return call(Constant<op>{}, x.value()...); });
    }
    auto forward() const {
        return unpack(in, [](const auto&... x) { return call(Constant<op>{}, forward_of(x)...); });
    }
    template <class X> static auto forward_of(const X& x) {
        if constexpr (requires { x.forward(); }) return x.forward();
        else return x.value();
    }
    auto value() const {
        if constexpr (keep) return lazy<positions>(map(static_cast<const T*>(kept), n));
        else return fresh();
    }
    auto take(no_gradient, Sink<T>&) { return nothing; }
    template <class E, std::uint32_t mask> auto take(const Lazy<E, mask>& g, Sink<T>& sink) { return back(g, value(), sink); }
    template <class E, std::uint32_t mask, class Y> auto back(const Lazy<E, mask>& g, const Y& y, Sink<T>& sink) {
        if constexpr (sizeof...(In) > 1 && !std::is_same_v<E, flat_map<const T>>) {
            if (sink.wanted & positions) store(adjoint, n, g.value);
            return through(lazy<mask>(map(static_cast<const T*>(adjoint), n)), y, sink);
        } else {
            return through(g, y, sink);
        }
    }
    template <class G, class Y> auto through(const G& g, const Y& y, Sink<T>& sink) {
        const auto rules = unpack(in, [&](const auto&... x) { return O::gradient(Constant<op>{}, g, y, x.value()...); });
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return (std::get<I>(in).take(std::get<I>(rules), sink) + ...);
        }(std::index_sequence_for<In...>{});
    }
};

/// Of a reduction: its operands broadcast to extents that nothing has.
template <class = void> std::shared_ptr<const void> prepare_reduction(const void*, std::span<const Ref* const> in, std::span<const Ref* const>) {
    Dims whole = in[0]->dims;
    for (const Ref* r : in) whole = broadcast("", whole, r->dims).dims[0];
    return std::make_shared<Layouts>(in.data(), in.size(), whole, block);
}

/// Of a backward kernel: its readers (leaves, g) and, per output, its writers.
struct BackwardLayouts {
    Layouts in;
    std::vector<Layout> out;
};
template <class = void> std::shared_ptr<const void> prepare_backward(const void*, std::span<const Ref* const> in, std::span<const Ref* const> out) {
    const auto p = std::make_shared<BackwardLayouts>();
    const Dims& y = in.back()->dims;
    p->in = Layouts(in.data(), in.size() - 1, y, block);
    for (const Ref* o : out) {
        p->out.emplace_back(o->data || o->dims.ranked() ? Layout(o->dims, y) : Layout());
        p->in.cuts.respect(p->out.back());
    }
    return p;
}

template <class T, class Pattern> struct Statement {
    using Root = Live<T, Pattern, 0>;
    static constexpr int leaves = leaves_of<Pattern>;
    static constexpr std::uint32_t g_bit = 1u << leaves, y_bit = 2u << leaves;  // backward's inputs: leaves, g, y

    static void forward(const Call& c) {
        Root tree;
        each_block<T, T, leaves>(c, [&](auto y, auto& x, auto i, auto n) {
            tree.load(x.data(), i, n);
            store(y, n, tree.forward().value);
        });
    }
    static auto back(Root& tree, const T* g, const T* y, Sink<T>& sink) {
        return tree.back(lazy<g_bit>(map(g, sink.n)), lazy<y_bit>(map(y, sink.n)), sink);
    }
    using reads = decltype(back(std::declval<Root&>(), nullptr, nullptr, std::declval<Sink<T>&>()));
    static auto back_anew(Root& tree, const T* g, Sink<T>& sink) { return tree.back(lazy<g_bit>(map(g, sink.n)), tree.value(), sink); }
    using reads_anew = decltype(back_anew(std::declval<Root&>(), nullptr, std::declval<Sink<T>&>()));

    /// The sum of all elements, or their mean, without storing them.
    static void reduce(const Call& c) {
        const auto& layouts = *static_cast<const Layouts*>(c.prepared);
        std::array<Reader<T>, leaves> in;
        for (std::size_t k = 0; k < leaves; ++k) in[k].open(*c.in[k], layouts.each[k], layouts.cuts);
        Root tree;
        T sum = 0;
        layouts.cuts.each([&](std::int64_t i, std::int64_t n) {
            tree.load(in.data(), i, n);
            sum += tree.forward().value.sum();
        });
        static_cast<T*>(c.out[0]->data)[0] = as<Group>(c.op).mean ? sum / static_cast<T>(layouts.cuts.size()) : sum;
    }

    /// in: leaves, g, y, without memory where nobody reads them; out: one per distinct leaf, likewise. `anew`, of a statement that is reduced:
    /// y was not stored, so it is computed again, and one output may be the total of its elements: value and gradient in one pass.
    template <bool anew> static void backward(const Call& c) {
        const auto& layouts = *static_cast<const BackwardLayouts*>(c.prepared);
        const Group& group = as<Group>(c.op);
        const int* target = group.target.data();
        const Ref& y = *c.in[leaves + 1];
        T* const total = group.total < 0 ? nullptr : static_cast<T*>(c.out[static_cast<std::size_t>(group.total)]->data);
        T sum = 0;
        std::array<Reader<T>, leaves + 1> in;
        std::array<Writer<T>, leaves> out;
        Sink<T> sink{out, target};
        std::uint32_t present = 0;
        for (std::size_t p = 0; p <= leaves; ++p) {
            in[p].open(*c.in[p], layouts.in.each[p], layouts.in.cuts);
            if (c.in[p]->data) present |= 1u << p;
        }
        for (std::size_t o = 0; o < c.out.size(); ++o) if (static_cast<int>(o) != group.total) out[o].open(*c.out[o], layouts.out[o]);
        for (int p = 0; p < leaves; ++p)
            if (target[p] >= 0 && out[static_cast<std::size_t>(target[p])]) sink.wanted |= 1u << p;
        Root tree;
        layouts.in.cuts.each([&](std::int64_t i, std::int64_t n) {
            sink.touched = 0, sink.i = i, sink.n = n;
            tree.load(in.data(), i, n);
            tree.template prepare<!anew>(present);
            if constexpr (anew) {
                if (total) sum += tree.value().value.sum();
                if (sink.wanted) back_anew(tree, in[leaves].at(i, n), sink);
            } else {
                back(tree, in[leaves].at(i, n), static_cast<const T*>(y.data) + (y.data ? i : 0), sink);
            }
        });
        if (total) *total = group.mean ? sum / static_cast<T>(layouts.in.cuts.size()) : sum;
    }
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
        if constexpr (reduced) g.position_reads = S::reads_anew::positions;
        else g.position_reads = S::reads::positions;
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
