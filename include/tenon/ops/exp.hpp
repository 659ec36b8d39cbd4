// Exponentials, logarithms, powers, roots and trigonometry, element by element.
//
// Gradient  where TensorFlow has an op for it (SqrtGrad, ...), that op, so that exported graphs are TensorFlow's
#pragma once
#include "arithmetic.hpp"
#include "select.hpp"

namespace tenon {

struct Exp : Unary<Exp> {
    static constexpr const char* name = "Exp";
    static auto forward(const auto& x) { return x.exp(); }
    static auto gradient(auto, auto g, auto y, auto) { return std::tuple(g * y); }
};
template <Operand X> auto exp(X&& x) { return call(Constant<Exp{}>{}, std::forward<X>(x)); }
/// exp(x) - 1, exact near 0.
struct Expm1 : Unary<Expm1> {
    static constexpr const char* name = "Expm1";
    static auto forward(const auto& x) { return x.expm1(); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(g * exp(x)); }
};
struct Log : Unary<Log> {
    static constexpr const char* name = "Log";
    static auto forward(const auto& x) { return x.log(); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(g * reciprocal(x)); }
};
/// log(1 + x), exact near 0.
struct Log1p : Unary<Log1p> {
    static constexpr const char* name = "Log1p";
    static auto forward(const auto& x) { return x.log1p(); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(g * reciprocal(x + 1)); }
};
template <Operand X> auto expm1(X&& x) { return call(Constant<Expm1{}>{}, std::forward<X>(x)); }
template <Operand X> auto log(X&& x) { return call(Constant<Log{}>{}, std::forward<X>(x)); }
template <Operand X> auto log1p(X&& x) { return call(Constant<Log1p{}>{}, std::forward<X>(x)); }

/// x to the power of p.
///
/// Values    of integers, p >= 0
/// Gradient  g p x^(p-1) to x; g y log x to p, 0 where x <= 0
/// Errors    "[Pow] Integers to negative integer powers are not allowed"
struct Pow : Binary<Pow> {
    static constexpr const char* name = "Pow";
    static auto forward(const auto& x, const auto& p) { return x.pow(p); }
    template <class T> static T element(T x, T p) {
        if (p < 0) throw ValueError("[Pow] Integers to negative integer powers are not allowed");
        auto y = detail::wrapping(T(1)), square = detail::wrapping(x);
        for (; p > 0; p = static_cast<T>(p / 2), square *= square) if (p % 2) y *= square;
        return static_cast<T>(y);
    }
    static auto gradient(auto, auto g, auto y, auto x, auto p) {
        const auto positive = greater(x, 0);
        const auto log_x = select(positive, log(select(positive, x, 1)), 0);
        return std::tuple(sum_to(g * p * call(Constant<Pow{}>{}, x, p - 1), x), sum_to(g * y * log_x, p));
    }
};
template <class A, class B> requires Operands<A, B> auto pow(A&& x, B&& p) { return detail::call_with_number<Pow{}>(std::forward<A>(x), std::forward<B>(p)); }

// ---- roots

namespace detail {
/// Eigen's fast packets give NaN for infinity.
template <class X> auto square_root(const X& x) {
    return pick(mask<Equal>(x, repeated(x, std::numeric_limits<typename X::Scalar>::infinity())), x, x.sqrt());
}
}  // namespace detail

/// What arrives at x through y = sqrt(x): g / 2y.
struct SqrtGrad : Binary<SqrtGrad> {
    static constexpr const char* name = "SqrtGrad";
    template <class Y> static auto forward(const Y& y, const auto& g) { return typename Y::Scalar(0.5) * g / y; }
    static auto gradient(auto, auto u, auto z, auto y, auto) {
        const auto d = u / y;
        return std::tuple(-d * z, d * 0.5);
    }
};
struct Sqrt : Unary<Sqrt> {
    static constexpr const char* name = "Sqrt";
    static auto forward(const auto& x) { return detail::square_root(x); }
    static auto gradient(auto, auto g, auto y, auto) { return std::tuple(call(Constant<SqrtGrad{}>{}, y, g)); }
};
/// What arrives at x through y = 1 / sqrt(x): -g y³ / 2.
struct RsqrtGrad : Binary<RsqrtGrad> {
    static constexpr const char* name = "RsqrtGrad";
    template <class Y> static auto forward(const Y& y, const auto& g) { return typename Y::Scalar(-0.5) * (g * y) * (y * y); }
    static auto gradient(auto, auto u, auto, auto y, auto g) { return std::tuple(u * -1.5 * g * square(y), call(Constant<RsqrtGrad{}>{}, y, u)); }
};
struct Rsqrt : Unary<Rsqrt> {
    static constexpr const char* name = "Rsqrt";
    static auto forward(const auto& x) { return detail::square_root(x).inverse(); }
    static auto gradient(auto, auto g, auto y, auto) { return std::tuple(call(Constant<RsqrtGrad{}>{}, y, g)); }
};
template <Operand X> auto sqrt(X&& x) { return call(Constant<Sqrt{}>{}, std::forward<X>(x)); }
template <Operand X> auto rsqrt(X&& x) { return call(Constant<Rsqrt{}>{}, std::forward<X>(x)); }

// ---- trigonometry, and the error function

struct Cos : Unary<Cos> {
    static constexpr const char* name = "Cos";
    static auto forward(const auto& x) { return x.cos(); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(-g * sin(x)); }
};
struct Sin : Unary<Sin> {
    static constexpr const char* name = "Sin";
    static auto forward(const auto& x) { return x.sin(); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(g * cos(x)); }
};
struct Tan : Unary<Tan>, ByElement<Tan> {
    static constexpr const char* name = "Tan";
    static auto element(auto x) { return std::tan(x); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(square(reciprocal(cos(x))) * g); }
};
struct Cosh : Unary<Cosh>, ByElement<Cosh> {
    static constexpr const char* name = "Cosh";
    static auto element(auto x) { return std::cosh(x); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(g * sinh(x)); }
};
struct Sinh : Unary<Sinh>, ByElement<Sinh> {
    static constexpr const char* name = "Sinh";
    static auto element(auto x) { return std::sinh(x); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(g * cosh(x)); }
};
struct Asin : Unary<Asin>, ByElement<Asin> {
    static constexpr const char* name = "Asin";
    static auto element(auto x) { return std::asin(x); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(g * reciprocal(sqrt(1 - square(x)))); }
};
struct Acos : Unary<Acos>, ByElement<Acos> {
    static constexpr const char* name = "Acos";
    static auto element(auto x) { return std::acos(x); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(-g * reciprocal(sqrt(1 - square(x)))); }
};
struct Atan : Unary<Atan>, ByElement<Atan> {
    static constexpr const char* name = "Atan";
    static auto element(auto x) { return std::atan(x); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(g * reciprocal(1 + square(x))); }
};
/// 2/√π times the integral of exp(-t²) from 0 to x.
struct Erf : Unary<Erf>, ByElement<Erf> {
    static constexpr const char* name = "Erf";
    static auto element(auto x) { return std::erf(x); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(g * 1.1283791670955126 * exp(-square(x))); }
};
/// 1 - erf(x), exact where that is small.
struct Erfc : Unary<Erfc>, ByElement<Erfc> {
    static constexpr const char* name = "Erfc";
    static auto element(auto x) { return std::erfc(x); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(g * -1.1283791670955126 * exp(-square(x))); }
};
template <Operand X> auto cos(X&& x) { return call(Constant<Cos{}>{}, std::forward<X>(x)); }
template <Operand X> auto sin(X&& x) { return call(Constant<Sin{}>{}, std::forward<X>(x)); }
template <Operand X> auto tan(X&& x) { return call(Constant<Tan{}>{}, std::forward<X>(x)); }
template <Operand X> auto cosh(X&& x) { return call(Constant<Cosh{}>{}, std::forward<X>(x)); }
template <Operand X> auto sinh(X&& x) { return call(Constant<Sinh{}>{}, std::forward<X>(x)); }
template <Operand X> auto asin(X&& x) { return call(Constant<Asin{}>{}, std::forward<X>(x)); }
template <Operand X> auto acos(X&& x) { return call(Constant<Acos{}>{}, std::forward<X>(x)); }
template <Operand X> auto atan(X&& x) { return call(Constant<Atan{}>{}, std::forward<X>(x)); }
template <Operand X> auto erf(X&& x) { return call(Constant<Erf{}>{}, std::forward<X>(x)); }
template <Operand X> auto erfc(X&& x) { return call(Constant<Erfc{}>{}, std::forward<X>(x)); }

}  // namespace tenon
