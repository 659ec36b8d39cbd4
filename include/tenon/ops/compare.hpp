// Comparisons and logic, element by element: results are bool, and nothing is differentiated.
//
// Values    a NaN is unequal to everything, itself included, and neither less nor greater
#pragma once
#include "elementwise.hpp"

namespace tenon {

/// `packet` gives bits, all set where the comparison holds.
template <class O> struct Comparison : Binary<O> {
    static constexpr bool differentiable = false;
    template <class T> using result = bool;
    static auto forward(const auto& a, const auto& b) { return detail::mask<O>(a, b); }
};
struct Less : Comparison<Less> {
    static constexpr const char* name = "Less";
    static bool element(const auto& a, const auto& b) { return a < b; }
    static auto packet(const auto& a, const auto& b) { return Eigen::internal::pcmp_lt(a, b); }
};
struct LessEqual : Comparison<LessEqual> {
    static constexpr const char* name = "LessEqual";
    static bool element(const auto& a, const auto& b) { return a <= b; }
    static auto packet(const auto& a, const auto& b) { return Eigen::internal::pcmp_le(a, b); }
};
struct Greater : Comparison<Greater> {
    static constexpr const char* name = "Greater";
    static bool element(const auto& a, const auto& b) { return a > b; }
    static auto packet(const auto& a, const auto& b) { return Eigen::internal::pcmp_lt(b, a); }
};
struct GreaterEqual : Comparison<GreaterEqual> {
    static constexpr const char* name = "GreaterEqual";
    static bool element(const auto& a, const auto& b) { return a >= b; }
    static auto packet(const auto& a, const auto& b) { return Eigen::internal::pcmp_le(b, a); }
};

/// Shapes that do not broadcast are an error here, whatever the attribute says.
template <class O> struct Equality : Comparison<O> {
    bool incompatible_shape_error = true;
    template <class Self = Equality> static constexpr auto params = members(attr("incompatible_shape_error", &Self::incompatible_shape_error));
};
struct Equal : Equality<Equal> {
    static constexpr const char* name = "Equal";
    static bool element(const auto& a, const auto& b) { return a == b; }
    static auto packet(const auto& a, const auto& b) { return Eigen::internal::pcmp_eq(a, b); }
};
struct NotEqual : Equality<NotEqual> {
    static constexpr const char* name = "NotEqual";
    static bool element(const auto& a, const auto& b) { return a != b; }
    static auto packet(const auto& a, const auto& b) { return Eigen::internal::pandnot(Eigen::internal::ptrue(a), Eigen::internal::pcmp_eq(a, b)); }
};

// ---- logic

/// Shapes    a [..], b [..] bool -> [..] bool
template <class O> struct Logic {
    static constexpr bool differentiable = false;
    static constexpr std::array<TypeAttr, 0> types{};
};
struct LogicalAnd : Binary<LogicalAnd>, Logic<LogicalAnd> {
    static constexpr const char* name = "LogicalAnd";
    static bool element(bool a, bool b) { return a && b; }
    static auto forward(const auto& a, const auto& b) { return a * b; }
};
struct LogicalOr : Binary<LogicalOr>, Logic<LogicalOr> {
    static constexpr const char* name = "LogicalOr";
    static bool element(bool a, bool b) { return a || b; }
    static auto forward(const auto& a, const auto& b) { return a.max(b); }
};
struct LogicalNot : Unary<LogicalNot>, Logic<LogicalNot> {
    static constexpr const char* name = "LogicalNot";
    static bool element(bool a) { return !a; }
    static auto forward(const auto& a) { return 1 - a; }
};

// ---- kinds of number

template <class O> struct Kind : Unary<O> {
    static constexpr bool differentiable = false;
    template <class T> using result = bool;
};
struct IsNan : Kind<IsNan> {
    static constexpr const char* name = "IsNan";
    static bool element(auto x) { return std::isnan(x); }
};
struct IsInf : Kind<IsInf> {
    static constexpr const char* name = "IsInf";
    static bool element(auto x) { return std::isinf(x); }
};
struct IsFinite : Kind<IsFinite> {
    static constexpr const char* name = "IsFinite";
    static bool element(auto x) { return std::isfinite(x); }
};

template <class A, class B> requires Operands<A, B> auto less(A&& a, B&& b) { return detail::call_with_number<Less{}>(std::forward<A>(a), std::forward<B>(b)); }
template <class A, class B> requires Operands<A, B> auto less_equal(A&& a, B&& b) { return detail::call_with_number<LessEqual{}>(std::forward<A>(a), std::forward<B>(b)); }
template <class A, class B> requires Operands<A, B> auto greater(A&& a, B&& b) { return detail::call_with_number<Greater{}>(std::forward<A>(a), std::forward<B>(b)); }
template <class A, class B> requires Operands<A, B> auto greater_equal(A&& a, B&& b) { return detail::call_with_number<GreaterEqual{}>(std::forward<A>(a), std::forward<B>(b)); }
/// Not operators, as those of handles ask whether two are the same tensor.
template <class A, class B> requires Operands<A, B> auto equal(A&& a, B&& b) { return detail::call_with_number<Equal{}>(std::forward<A>(a), std::forward<B>(b)); }
template <class A, class B> requires Operands<A, B> auto not_equal(A&& a, B&& b) { return detail::call_with_number<NotEqual{}>(std::forward<A>(a), std::forward<B>(b)); }
template <class A, class B> requires Operands<A, B> auto operator<(A&& a, B&& b) { return less(std::forward<A>(a), std::forward<B>(b)); }
template <class A, class B> requires Operands<A, B> auto operator<=(A&& a, B&& b) { return less_equal(std::forward<A>(a), std::forward<B>(b)); }
template <class A, class B> requires Operands<A, B> auto operator>(A&& a, B&& b) { return greater(std::forward<A>(a), std::forward<B>(b)); }
template <class A, class B> requires Operands<A, B> auto operator>=(A&& a, B&& b) { return greater_equal(std::forward<A>(a), std::forward<B>(b)); }
template <Operand A, Operand B> auto logical_and(A&& a, B&& b) { return call(Constant<LogicalAnd{}>{}, std::forward<A>(a), std::forward<B>(b)); }
template <Operand A, Operand B> auto logical_or(A&& a, B&& b) { return call(Constant<LogicalOr{}>{}, std::forward<A>(a), std::forward<B>(b)); }
template <Operand A> auto logical_not(A&& a) { return call(Constant<LogicalNot{}>{}, std::forward<A>(a)); }
template <Operand X> auto is_nan(X&& x) { return call(Constant<IsNan{}>{}, std::forward<X>(x)); }
template <Operand X> auto is_inf(X&& x) { return call(Constant<IsInf{}>{}, std::forward<X>(x)); }
template <Operand X> auto is_finite(X&& x) { return call(Constant<IsFinite{}>{}, std::forward<X>(x)); }

}  // namespace tenon
