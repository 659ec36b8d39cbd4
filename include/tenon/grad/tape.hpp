// The tape: tensors of constant extents by value, and what was done to them.
//
// Every op is computed at once in constant-bound loops and leaves one record {function pointer, operands} in memory that is
// bump-allocated; going backward is a walk over the records. The ops' rules are the same as everywhere.
#pragma once
#include "../expr/statement.hpp"
#include "../ops/broadcasting.hpp"
#include "../ops/identity.hpp"
#include "../ops/matmul.hpp"

#include <array>
#include <new>

namespace tenon {

struct tape_domain;

/// A tensor of constant extents by value. 64-byte aligned whatever -march says.
template <class T, class S> struct Fixed {
    using domain = tape_domain;
    using value_type = T;
    using shape = S;
    static constexpr bool traced = false;
    static constexpr auto size = static_cast<std::size_t>(S::dims.size());
    alignas(64) std::array<T, size> elements{};
    const T* data() const { return elements.data(); }
    T& operator[](std::size_t i) { return elements[i]; }
    const T& operator[](std::size_t i) const { return elements[i]; }
};

class Tape {
    struct Record {
        void (*back)(void*);
        void* operands;
        Record* before;
    };
    alignas(64) std::byte first_[8192];
    std::byte* free_ = first_;
    std::size_t left_ = sizeof first_;
    std::vector<Buffer> more_;
    Record* last_ = nullptr;

public:
    Tape() {}
    Tape(const Tape&) = delete;
    Tape& operator=(const Tape&) = delete;
    void* get(std::size_t bytes) {
        bytes = (bytes + 63) / 64 * 64;
        if (bytes > left_) free_ = more_.emplace_back(left_ = std::max<std::size_t>(bytes, 1 << 16)).data();
        left_ -= bytes;
        return std::exchange(free_, free_ + bytes);
    }
    template <class Operands> void record(const Operands& o) {
        auto* at = new (get(sizeof(Operands) + sizeof(Record))) Operands(o);
        last_ = new (at + 1) Record{[](void* p) { static_cast<Operands*>(p)->back(); }, at, last_};
    }
    void backward() const {
        for (const Record* r = last_; r; r = r->before) r->back(r->operands);
    }
};

/// A tensor whose history is on a tape. Its type says nothing of that history, so loops and branches are ordinary C++.
template <class T, class S> struct Traced {
    using domain = tape_domain;
    using value_type = T;
    using shape = S;
    static constexpr bool traced = true;
    static constexpr auto size = static_cast<std::size_t>(S::dims.size());
    T *value, *adjoint;
    Tape* tape;

    explicit Traced(Tape& t) : value(static_cast<T*>(t.get(size * sizeof(T)))), adjoint(static_cast<T*>(t.get(size * sizeof(T)))), tape(&t) { std::fill_n(adjoint, size, T(0)); }
    const T* data() const { return value; }
};

namespace detail {

/// A value whose memory and history are somebody else's: what rules of ops that do not fuse are given.
template <class T, class S> struct Seen {
    using domain = tape_domain;
    using value_type = T;
    using shape = S;
    static constexpr bool traced = false;
    const T* elements;
    const T* data() const { return elements; }
};

/// Which element of `own` each element of `result` reads, as a constant.
template <class Own, class Result> consteval auto index_table() {
    std::array<int, static_cast<std::size_t>(Result::dims.size())> table{};
    for (std::size_t k = 0; k < table.size(); ++k) {
        std::int64_t i = static_cast<std::int64_t>(k), at = 0, stride = 1;
        for (int axis = 1; axis <= Own::dims.rank; ++axis) {
            if (Own::dims[-axis] != 1) at += i % Result::dims[-axis] * stride;
            i /= Result::dims[-axis];
            stride *= Own::dims[-axis];
        }
        table[k] = static_cast<int>(at);
    }
    return table;
}
template <class Own, class Result> inline constexpr auto indices = index_table<Own, Result>();
/// to[i] = from[the element that i reads]
template <class Own, class Result, class T> void spread(T* to, const T* from) {
    for (std::size_t i = 0; i < indices<Own, Result>.size(); ++i) to[i] = from[indices<Own, Result>[i]];
}
template <class Own, class Result, class T> void add_spread(T* to, const T* from, T scale) {
    for (std::size_t i = 0; i < indices<Own, Result>.size(); ++i) to[i] += scale * from[indices<Own, Result>[i]];
}
template <class Own, class Result, class T> void gather(T* to, const T* from) {
    for (std::size_t i = 0; i < indices<Own, Result>.size(); ++i) to[indices<Own, Result>[i]] += from[i];
}
/// The widest register that n elements fill, or else the narrowest.
template <class T, std::int64_t n> constexpr int width_for() {
    int width = packet_width<T>;
    while (width * static_cast<int>(sizeof(T)) > 16 && n % width) width /= 2;
    return width;
}
/// f(type_identity<Packet>, i) over n elements: packets, then what is left one by one.
template <std::int64_t n, class T, class F> void each_packet(F&& f) {
    using V = Packet<T, width_for<T, n>()>;
    constexpr std::int64_t whole = n / V::width * V::width;
    for (std::int64_t i = 0; i < whole; i += V::width) f(std::type_identity<V>(), i);
    if constexpr (whole < n) for (std::int64_t i = whole; i < n; ++i) f(std::type_identity<Packet<T, 1>>(), i);
}

/// x at the result's extents; a copy only if it broadcasts.
template <class S, class X> struct Spread {
    using T = typename X::value_type;
    Fixed<T, S> copy;
    explicit Spread(const X& x) { spread<typename X::shape, S>(copy.elements.data(), x.data()); }
    const T* data() const { return copy.data(); }
};
template <class S, class X> requires std::is_same_v<S, typename X::shape> struct Spread<S, X> {
    const X& x;
    explicit Spread(const X& v) : x(v) {}
    auto data() const { return x.data(); }
};

/// What arrives at an operand through an elementwise op: added at once, or gathered first if it was broadcast.
template <class S, class X> struct Arriving {
    Fixed<typename X::value_type, S> whole;
    template <class V> void add(X&, std::int64_t i, const V& d) { d.store(whole.elements.data() + i); }
    void finish(X& x) const { gather<typename X::shape, S>(x.adjoint, whole.data()); }
};
template <class S, class X> requires(!X::traced || std::is_same_v<S, typename X::shape>) struct Arriving<S, X> {
    template <class V> void add(X& x, std::int64_t i, const V& d) {
        if constexpr (X::traced) (V::load(x.adjoint + i) + d).store(x.adjoint + i);
    }
    void finish(X&) const {}
};

template <class O> inline constexpr bool is_reduction = std::is_same_v<O, Sum> || std::is_same_v<O, Mean>;
template <class O> inline constexpr bool passes_on = std::is_same_v<O, Reshape> || std::is_same_v<O, ExpandDims> || std::is_same_v<O, Identity> || std::is_same_v<O, StopGradient>;
/// What a reduced tensor looks like with its axes back, as a Shape.
template <auto op, class A> struct kept_shape {
    static constexpr Dims dims = op.kept(A::dims);
    using type = typename shape_from<dims>::type;
};
template <class O, class T, class S, class A> constexpr T reduction_scale() {
    if constexpr (std::is_same_v<O, Mean>) return T(S::dims.size()) / T(A::dims.size());
    else return T(1);
}

template <auto op, class S, class T, class... X> void compute(T* y, const X&... x) {
    using O = std::remove_const_t<decltype(op)>;
    using A = std::tuple_element_t<0, std::tuple<typename X::shape...>>;
    [[maybe_unused]] const T* first = std::get<0>(std::tuple(x.data()...));
    if constexpr (ElementwiseOp<O>) {
        [&](const auto&... in) {
            each_packet<S::dims.size(), T>([&]<class V>(std::type_identity<V>, std::int64_t i) { op.forward(V::load(in.data() + i)...).store(y + i); });
        }(Spread<S, X>(x)...);
    } else if constexpr (std::is_same_v<O, MatMul>) {
        std::fill_n(y, S::dims.size(), T(0));
        gemm::add_small(y, first, op.transpose_a, std::get<1>(std::tuple(x.data()...)), op.transpose_b, S::dims[0], S::dims[1], A::dims[!op.transpose_a], T(1));
    } else if constexpr (is_reduction<O>) {
        std::fill_n(y, S::dims.size(), T(0));
        gather<typename kept_shape<op, A>::type, A>(y, first);
        if constexpr (std::is_same_v<O, Mean>) for (std::int64_t i = 0; i < S::dims.size(); ++i) y[i] *= reduction_scale<O, T, S, A>();
    } else {
        std::copy_n(first, S::dims.size(), y);
    }
}

/// One op on the tape: its operands by handle, constants by value.
template <auto op, class Y, class... X> struct Applied {
    using O = std::remove_const_t<decltype(op)>;
    using T = typename Y::value_type;
    using S = typename Y::shape;
    Y y;
    std::tuple<X...> in;

    void back() {
        if constexpr (ElementwiseOp<O>) {
            unpack(in, [&](const auto&... x) { fused(Spread<S, X>(x)...); });
        } else if constexpr (is_reduction<O> || passes_on<O>) {
            auto& x = std::get<0>(in);
            using A = typename std::remove_cvref_t<decltype(x)>::shape;
            if constexpr (is_reduction<O>) add_spread<typename kept_shape<op, A>::type, A>(x.adjoint, static_cast<const T*>(y.adjoint), reduction_scale<O, T, S, A>());
            else for (std::size_t i = 0; i < x.size; ++i) x.adjoint[i] += y.adjoint[i];
        } else {
            const auto rules = unpack(in, [&](const auto&... x) {
                return O::gradient(Constant<op>{}, Seen<T, S>{y.adjoint}, Seen<T, S>{y.value}, Seen<T, typename X::shape>{x.data()}...);
            });
            each([&](auto& x, const auto& d) { for (std::size_t i = 0; i < x.size; ++i) x.adjoint[i] += d.data()[i]; }, rules);
        }
    }
    void fused(const auto&... x) {
        std::tuple<Arriving<S, X>...> arriving;
        each_packet<S::dims.size(), T>([&]<class V>(std::type_identity<V>, std::int64_t i) {
            const auto rules = O::gradient(Constant<op>{}, Held<V>{V::load(y.adjoint + i)}, Held<V>{V::load(y.value + i)}, Held<V>{V::load(x.data() + i)}...);
            each([&](auto& a, const auto& d, auto& to) { to.add(a, i, d.value); }, rules, arriving);
        });
        [&]<std::size_t... I>(std::index_sequence<I...>) { (std::get<I>(arriving).finish(std::get<I>(in)), ...); }(std::index_sequence_for<X...>{});
    }
    /// f(operand, what arrives at it, its part of `more`...) for each traced operand that anything arrives at.
    template <class F, class Rules, class... More> void each(F&& f, const Rules& rules, More&... more) {
        const auto one = [&](auto& x, const auto& d, auto&... m) {
            if constexpr (std::remove_cvref_t<decltype(x)>::traced && !std::is_same_v<std::remove_cvref_t<decltype(d)>, no_gradient>) f(x, d, m...);
        };
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            const auto at = [&]<std::size_t i>(std::integral_constant<std::size_t, i>) { one(std::get<i>(in), std::get<i>(rules), std::get<i>(more)...); };
            (at(std::integral_constant<std::size_t, I>()), ...);
        }(std::index_sequence_for<X...>{});
    }
};

}  // namespace detail

struct tape_domain {
    template <auto op, class... X> static auto call(Constant<op>, const X&... x) {
        using O = std::remove_const_t<decltype(op)>;
        using S = typename verdict<op, X...>::shape;
        using T = typename std::tuple_element_t<0, std::tuple<X...>>::value_type;
        static_assert(ElementwiseOp<O> || std::is_same_v<O, MatMul> || detail::is_reduction<O> || detail::passes_on<O>, "tenon: this op is not for value_and_gradient; use the graph");
        static_assert(std::is_same_v<result_t<O, T>, T>, "tenon: value_and_gradient keeps one element type; write conditions in C++");
        if constexpr ((X::traced || ...) && !std::is_same_v<O, StopGradient>) {
            Tape* tape = nullptr;
            ([&](const auto& v) { if constexpr (std::remove_cvref_t<decltype(v)>::traced) tape = v.tape; }(x), ...);
            Traced<T, S> y(*tape);
            detail::compute<op, S>(y.value, x...);
            tape->record(detail::Applied<op, Traced<T, S>, X...>{y, {x...}});
            return y;
        } else {
            Fixed<T, S> y;
            detail::compute<op, S>(y.elements.data(), x...);
            return y;
        }
    }
};

template <class X> concept TapeOperand = Operand<X> && std::is_same_v<domain_of<X>, tape_domain>;
template <TapeOperand X, Number N> Fixed<value_type_of<X>, Shape<>> number_like(const X&, N value) { return {{static_cast<value_type_of<X>>(value)}}; }

}  // namespace tenon
