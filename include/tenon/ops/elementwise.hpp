// What ops share that compute each element by itself: they fuse, and operands broadcast as in NumPy.
//
// Shapes    a [..], b [..] -> [..] broadcast
// Gradient  beside each op; summed over the axes that were broadcast (`sum_to`, in broadcasting.hpp)
// Errors    "[Add] shapes do not broadcast: [2,3] and [4]"
//
// An op has one of these, or both:
//
//   forward(packets) -> packet     as of Eigen's arrays (tensor/packet.hpp); what statements are made of
//   element(numbers) -> number     for types that are not float or double, and, if `by_element`, for those as well
//
// In a packet a condition is a number, 1 or 0.
#pragma once
#include "../expr/statement.hpp"
#include "source.hpp"

#include <cmath>

namespace tenon {

template <class O> struct Unary {
    static constexpr int arity = 1;
    static constexpr bool elementwise = true;
    static constexpr Inferred infer(const Dims& x) { return x; }
};
template <class O> struct Binary {
    static constexpr int arity = 2;
    static constexpr bool elementwise = true;
    static constexpr Inferred infer(const Dims& a, const Dims& b) { return broadcast(O::name, a, b); }
};

namespace detail {
template <class O> struct Element {
    template <class... T> auto operator()(const T&... x) const { return O::element(x...); }
};
}  // namespace detail
/// For functions that Eigen has no packets for.
template <class O> struct ByElement {
    static constexpr bool by_element = true;
    static auto forward(const auto& x) { return x.unaryExpr(detail::Element<O>()); }
    static auto forward(const auto& a, const auto& b) { return a.binaryExpr(b, detail::Element<O>()); }
};

namespace detail {

/// 1 where O::element holds, else 0.
template <class O, class S> struct Mask {
    S operator()(const S& a, const S& b) const { return O::element(a, b) ? S(1) : S(0); }
    template <class P> P packetOp(const P& a, const P& b) const { return Eigen::internal::pand(O::packet(a, b), Eigen::internal::pset1<P>(S(1))); }
};
template <class S> struct Pick {
    S operator()(const S& c, const S& a, const S& b) const { return c != S(0) ? a : b; }
    template <class P> P packetOp(const P& c, const P& a, const P& b) const { return Eigen::internal::pselect(Eigen::internal::pcmp_eq(c, Eigen::internal::pzero(c)), b, a); }
};
/// a[i] < b[i] and the like, as 1 or 0; `O` is the comparison.
template <class O, class A, class B> auto mask(const A& a, const B& b) {
    return a.binaryExpr(b, Mask<O, typename A::Scalar>());
}
/// a[i] where c[i] is not 0, else b[i].
template <class C, class A, class B> auto pick(const C& c, const A& a, const B& b) {
    return c.ternaryExpr(a, b, Pick<typename A::Scalar>());
}
/// As many of `value` as x has elements.
template <class X> X repeated(const X&, typename X::Scalar value) { return X(value); }

}  // namespace detail

/// A number in the domain of x, and of its element type.
template <GraphOperand X, Number N> auto number_like(const X& x, N value) {
    using T = value_type_of<X>;
    if constexpr (std::is_same_v<T, any_float>) return Node<T, Shape<>>(scalar_like<T>(x, static_cast<double>(value)));
    else return constant_scalar(static_cast<T>(value));
}
template <class V, Number N> Held<V> number_like(const Held<V>& x, N value) { return {detail::repeated(x.value, static_cast<typename V::Scalar>(value))}; }
template <Number N> Reads number_like(const Reads&, N) { return {}; }

namespace detail {
/// An op of two operands, one of which may be a number.
template <auto op, class A, class B> auto call_with_number(A&& a, B&& b) {
    if constexpr (Number<std::remove_cvref_t<A>>) {
        auto c = number_like(b, a);
        return call(Constant<op>{}, std::move(c), std::forward<B>(b));
    } else if constexpr (Number<std::remove_cvref_t<B>>) {
        auto c = number_like(a, b);
        return call(Constant<op>{}, std::forward<A>(a), std::move(c));
    } else {
        return call(Constant<op>{}, std::forward<A>(a), std::forward<B>(b));
    }
}
template <class A> concept OperandOrNumber = Operand<A> || Number<std::remove_cvref_t<A>>;
}  // namespace detail
/// What a function of two operands takes.
template <class A, class B> concept Operands = detail::OperandOrNumber<A> && detail::OperandOrNumber<B> && (Operand<A> || Operand<B>);

}  // namespace tenon

template <class O, class S> struct Eigen::internal::functor_traits<tenon::detail::Mask<O, S>> {
    enum { Cost = 2, PacketAccess = packet_traits<S>::Vectorizable };
};
template <class S> struct Eigen::internal::functor_traits<tenon::detail::Pick<S>> {
    enum { Cost = 2, PacketAccess = packet_traits<S>::Vectorizable };
};
