// Size, sign and whole parts, element by element, and tensors of zeros and ones.
#pragma once
#include "compare.hpp"

namespace tenon {

/// Values    0 of x's type, whatever x is
/// Gradient  none
struct ZerosLike {
    static constexpr const char* name = "ZerosLike";
    static constexpr int arity = 1;
    static constexpr bool moves = true, expands = true;
    static constexpr Inferred infer(const Dims& x) { return x; }
    template <class T> void compute(const Call& c) const { std::fill_n(c.output<T>(0).data, c.output<T>(0).size(), T()); }
    static auto forward(const auto& x) { return detail::repeated(x, 0); }
    static auto gradient(auto, auto, auto, auto) { return std::tuple(no_gradient{}); }
};
struct OnesLike {
    static constexpr const char* name = "OnesLike";
    static constexpr int arity = 1;
    static constexpr bool casts = true, expands = true;
    static constexpr Inferred infer(const Dims& x) { return x; }
    template <class T> void compute(const Call& c) const { std::fill_n(c.output<T>(0).data, c.output<T>(0).size(), T(1)); }
    static auto forward(const auto& x) { return detail::repeated(x, 1); }
    static auto gradient(auto, auto, auto, auto) { return std::tuple(no_gradient{}); }
};
template <Operand X> auto zeros_like(X&& x) { return call(Constant<ZerosLike{}>{}, std::forward<X>(x)); }
template <Operand X> auto ones_like(X&& x) { return call(Constant<OnesLike{}>{}, std::forward<X>(x)); }

/// -1, 0 or 1; NaN stays NaN.
struct Sign : Unary<Sign> {
    static constexpr const char* name = "Sign";
    static auto forward(const auto& x) {
        const auto zero = detail::repeated(x, 0);
        return detail::pick(detail::mask<Less>(zero, x), detail::repeated(x, 1), detail::pick(detail::mask<Less>(x, zero), detail::repeated(x, -1), x));
    }
    template <class T> static T element(T x) { return static_cast<T>((x > 0) - (x < 0)); }
    static auto gradient(auto, auto, auto, auto x) { return std::tuple(zeros_like(x)); }
};
template <Operand X> auto sign(X&& x) { return call(Constant<Sign{}>{}, std::forward<X>(x)); }

struct Abs : Unary<Abs> {
    static constexpr const char* name = "Abs";
    static auto forward(const auto& x) { return x.abs(); }
    template <class T> static T element(T x) { return x < 0 ? static_cast<T>(0 - detail::wrapping(x)) : x; }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(g * sign(x)); }
};
template <Operand X> auto abs(X&& x) { return call(Constant<Abs{}>{}, std::forward<X>(x)); }

/// Gradient  none: constant between steps
template <class O> struct Rounding : Unary<O> {
    template <class T> static T element(T x) { return x; }  // integers are whole
    static auto gradient(auto, auto, auto, auto) { return std::tuple(no_gradient{}); }
};
struct Floor : Rounding<Floor> {
    static constexpr const char* name = "Floor";
    static auto forward(const auto& x) { return x.floor(); }
};
struct Ceil : Rounding<Ceil> {
    static constexpr const char* name = "Ceil";
    static auto forward(const auto& x) { return x.ceil(); }
};
/// To the nearest integer, halves to the even one.
struct Round : Rounding<Round> {
    static constexpr const char* name = "Round";
    static auto forward(const auto& x) { return x.rint(); }
};
struct Rint : Rounding<Rint> {
    static constexpr const char* name = "Rint";
    static auto forward(const auto& x) { return x.rint(); }
};
template <Operand X> auto floor(X&& x) { return call(Constant<Floor{}>{}, std::forward<X>(x)); }
template <Operand X> auto ceil(X&& x) { return call(Constant<Ceil{}>{}, std::forward<X>(x)); }
template <Operand X> auto round(X&& x) { return call(Constant<Round{}>{}, std::forward<X>(x)); }
template <Operand X> auto rint(X&& x) { return call(Constant<Rint{}>{}, std::forward<X>(x)); }

}  // namespace tenon
