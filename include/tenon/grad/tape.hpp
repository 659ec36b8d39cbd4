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
template <std::int64_t n, class T> auto fixed(T* data) { return fixed_map<n>(data); }

/// x as an Eigen array of the result's size; a copy only if it broadcasts.
template <class S, class X> struct Spread {
    static constexpr auto n = S::dims.size();
    using T = typename X::value_type;
    Fixed<T, S> copy;
    explicit Spread(const X& x) { spread<typename X::shape, S>(copy.elements.data(), x.data()); }
    auto array() const { return fixed<n>(copy.data()); }
};
template <class S, class X> requires std::is_same_v<S, typename X::shape> struct Spread<S, X> {
    const X& x;
    explicit Spread(const X& v) : x(v) {}
    auto array() const { return fixed<S::dims.size()>(x.data()); }
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
        [&](const auto&... in) { fixed<S::dims.size()>(y) = op.forward(in.array()...); }(Spread<S, X>(x)...);
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
        constexpr auto n = S::dims.size();
        const auto rules = O::gradient(Constant<op>{}, lazy<0>(fixed<n>(static_cast<const T*>(y.adjoint))), lazy<0>(fixed<n>(static_cast<const T*>(y.value))), lazy<0>(x.array())...);
        each([&](auto& a, const auto& d) {
            using A = typename std::remove_cvref_t<decltype(a)>::shape;
            if constexpr (std::is_same_v<A, S>) {
                fixed<n>(a.adjoint) += d.value;
            } else {
                Fixed<T, S> whole;
                fixed<n>(whole.elements.data()) = d.value;
                gather<A, S>(a.adjoint, whole.data());
            }
        }, rules);
    }
    template <class F, class Rules> void each(F&& f, const Rules& rules) {
        const auto one = [&](auto& x, const auto& d) {
            if constexpr (std::remove_cvref_t<decltype(x)>::traced && !std::is_same_v<std::remove_cvref_t<decltype(d)>, no_gradient>) f(x, d);
        };
        [&]<std::size_t... I>(std::index_sequence<I...>) { (one(std::get<I>(in), std::get<I>(rules)), ...); }(std::index_sequence_for<X...>{});
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
