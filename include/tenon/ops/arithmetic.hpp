// Sums, products, quotients and powers of two, element by element, and the operators + - * /.
//
// Values    integers wrap; strings are added by joining them
#pragma once
#include "elementwise.hpp"

namespace tenon {

struct Add : Binary<Add> {
    static constexpr const char* name = "Add";
    static constexpr Joins joins() { return Joins::adds; }
    static auto forward(const auto& a, const auto& b) { return a + b; }
    static auto gradient(auto, auto g, auto, auto a, auto b) { return std::tuple(sum_to(g, a), sum_to(g, b)); }
};
struct AddV2 : Binary<AddV2> {
    static constexpr const char* name = "AddV2";
    static constexpr Joins joins() { return Joins::adds; }
    static auto forward(const auto& a, const auto& b) { return a + b; }
    static auto gradient(auto, auto g, auto, auto a, auto b) { return std::tuple(sum_to(g, a), sum_to(g, b)); }
};
struct Sub : Binary<Sub> {
    static constexpr const char* name = "Sub";
    static auto forward(const auto& a, const auto& b) { return a - b; }
    static auto gradient(auto, auto g, auto, auto a, auto b) { return std::tuple(sum_to(g, a), sum_to(-g, b)); }
};
struct Mul : Binary<Mul> {
    static constexpr const char* name = "Mul";
    static auto forward(const auto& a, const auto& b) { return a * b; }
    static auto gradient(auto, auto g, auto, auto a, auto b) { return std::tuple(sum_to(g * b, a), sum_to(g * a, b)); }
};
/// a b, 0 where b is 0 whatever a is.
struct MulNoNan : Binary<MulNoNan> {
    static constexpr const char* name = "MulNoNan";
    template <class B> static auto forward(const auto& a, const B& b) { return detail::pick(b, a * b, detail::repeated(b, 0)); }
    static auto gradient(auto, auto g, auto, auto a, auto b) { return std::tuple(sum_to(call(Constant<MulNoNan{}>{}, g, b), a), sum_to(call(Constant<MulNoNan{}>{}, a, g), b)); }
};
struct Neg : Unary<Neg> {
    static constexpr const char* name = "Neg";
    static auto forward(const auto& x) { return -x; }
    static auto gradient(auto, auto g, auto, auto) { return std::tuple(-g); }
};
struct Square : Unary<Square> {
    static constexpr const char* name = "Square";
    static auto forward(const auto& x) { return x * x; }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(g * (x + x)); }
};
/// (a - b)²
struct SquaredDifference : Binary<SquaredDifference> {
    static constexpr const char* name = "SquaredDifference";
    static auto forward(const auto& a, const auto& b) { return (a - b) * (a - b); }
    static auto gradient(auto, auto g, auto, auto a, auto b) {
        const auto d = (g + g) * (a - b);
        return std::tuple(sum_to(d, a), sum_to(-d, b));
    }
};

template <class A, class B> requires Operands<A, B> auto operator+(A&& a, B&& b) {
    if constexpr (Operand<A> && Operand<B>) return call(Constant<Add{}>{}, std::forward<A>(a), std::forward<B>(b));  // one step less in a message
    else return detail::call_with_number<Add{}>(std::forward<A>(a), std::forward<B>(b));
}
template <class A, class B> requires Operands<A, B> auto operator-(A&& a, B&& b) {
    if constexpr (Operand<A> && Operand<B>) return call(Constant<Sub{}>{}, std::forward<A>(a), std::forward<B>(b));  // one step less in a message
    else return detail::call_with_number<Sub{}>(std::forward<A>(a), std::forward<B>(b));
}
template <class A, class B> requires Operands<A, B> auto operator*(A&& a, B&& b) {
    if constexpr (Operand<A> && Operand<B>) return call(Constant<Mul{}>{}, std::forward<A>(a), std::forward<B>(b));  // one step less in a message
    else return detail::call_with_number<Mul{}>(std::forward<A>(a), std::forward<B>(b));
}
template <Operand X> auto operator-(X&& x) { return call(Constant<Neg{}>{}, std::forward<X>(x)); }
template <Operand X> auto square(X&& x) { return call(Constant<Square{}>{}, std::forward<X>(x)); }
template <class A, class B> requires Operands<A, B> auto squared_difference(A&& a, B&& b) { return detail::call_with_number<SquaredDifference{}>(std::forward<A>(a), std::forward<B>(b)); }

// ---- quotients

struct RealDiv : Binary<RealDiv> {
    static constexpr const char* name = "RealDiv";
    static auto forward(const auto& a, const auto& b) { return a / b; }
    static auto gradient(auto, auto g, auto, auto a, auto b) { return std::tuple(sum_to(g / b, a), sum_to(g * (-a / b / b), b)); }
};
/// What arrives at x through y = 1 / x: -g y².
struct ReciprocalGrad : Binary<ReciprocalGrad> {
    static constexpr const char* name = "ReciprocalGrad";
    static auto forward(const auto& y, const auto& g) { return -y * g * y; }
    static auto gradient(auto, auto u, auto, auto y, auto g) { return std::tuple(u * -2 * g * y, call(Constant<ReciprocalGrad{}>{}, y, u)); }
};
struct InvGrad : Binary<InvGrad> {
    static constexpr const char* name = "InvGrad";
    static auto forward(const auto& y, const auto& g) { return -y * g * y; }
    static auto gradient(auto, auto u, auto, auto y, auto g) { return std::tuple(u * -2 * g * y, call(Constant<ReciprocalGrad{}>{}, y, u)); }
};
struct Reciprocal : Unary<Reciprocal> {
    static constexpr const char* name = "Reciprocal";
    static auto forward(const auto& x) { return x.inverse(); }
    static auto gradient(auto, auto g, auto y, auto) { return std::tuple(call(Constant<ReciprocalGrad{}>{}, y, g)); }
};
/// Reciprocal's former name.
struct Inv : Unary<Inv> {
    static constexpr const char* name = "Inv";
    static auto forward(const auto& x) { return x.inverse(); }
    static auto gradient(auto, auto g, auto y, auto) { return std::tuple(call(Constant<ReciprocalGrad{}>{}, y, g)); }
};
/// a / b, 0 where b is 0.
struct DivNoNan : Binary<DivNoNan> {
    static constexpr const char* name = "DivNoNan";
    template <class B> static auto forward(const auto& a, const B& b) { return detail::pick(b, a / b, detail::repeated(b, 0)); }
    static auto gradient(auto, auto g, auto, auto a, auto b) {
        constexpr Constant<DivNoNan{}> divide;
        return std::tuple(sum_to(call(divide, g, b), a), sum_to(g * call(divide, call(divide, -a, b), b), b));
    }
};

namespace detail {
/// Refuses what has no result, and does what C++ leaves undefined: the smallest integer by -1 is itself.
template <class O, class T> bool divides(T a, T b, T& result) {
    if (b == 0) throw ValueError(std::string("[") + O::name + "] Integer division by zero");
    if constexpr (std::is_signed_v<T>) if (b == -1) {
        result = static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(a));
        return false;
    }
    return true;
}
}  // namespace detail
/// The old quotient: of integers it truncates.
struct Div : Binary<Div> {
    static constexpr const char* name = "Div";
    static auto forward(const auto& a, const auto& b) { return a / b; }
    template <class T> static T element(T a, T b) {
        T y;
        return detail::divides<Div>(a, b, y) ? static_cast<T>(a / b) : y;
    }
    static auto gradient(auto, auto g, auto, auto a, auto b) { return std::tuple(sum_to(g / b, a), sum_to(g * (-a / b / b), b)); }
};
/// Rounded towards zero.
struct TruncateDiv : Binary<TruncateDiv>, ByElement<TruncateDiv> {
    static constexpr const char* name = "TruncateDiv";
    template <class T> static T element(T a, T b) {
        if constexpr (std::is_floating_point_v<T>) {
            return std::trunc(a / b);
        } else {
            T y;
            return detail::divides<TruncateDiv>(a, b, y) ? static_cast<T>(a / b) : y;
        }
    }
    static auto gradient(auto, auto, auto, auto, auto) { return std::tuple(no_gradient{}, no_gradient{}); }
};
/// Rounded towards minus infinity.
struct FloorDiv : Binary<FloorDiv> {
    static constexpr const char* name = "FloorDiv";
    static auto forward(const auto& a, const auto& b) { return (a / b).floor(); }
    template <class T> static T element(T a, T b) {
        T y;
        return detail::divides<FloorDiv>(a, b, y) ? static_cast<T>(a / b - (a % b != 0 && ((a < 0) != (b < 0)))) : y;
    }
    static auto gradient(auto, auto, auto, auto, auto) { return std::tuple(no_gradient{}, no_gradient{}); }
};
/// a - floor(a / b) b: its sign is the divisor's.
struct FloorMod : Binary<FloorMod>, ByElement<FloorMod> {
    static constexpr const char* name = "FloorMod";
    template <class T> static T element(T a, T b) {
        if constexpr (std::is_floating_point_v<T>) {
            const T r = std::fmod(a, b);
            return r != 0 && (r < 0) != (b < 0) ? r + b : r;
        } else {
            T y;
            if (!detail::divides<FloorMod>(a, b, y)) return 0;
            const T r = static_cast<T>(a % b);
            return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
        }
    }
    static auto gradient(auto, auto g, auto, auto a, auto b) { return std::tuple(sum_to(g, a), sum_to(g * -call(Constant<FloorDiv{}>{}, a, b), b)); }
};
/// C's remainder: its sign is the dividend's.
template <class O> struct Truncating : Binary<O>, ByElement<O> {
    static constexpr bool differentiable = false;
    template <class T> static T element(T a, T b) {
        if constexpr (std::is_floating_point_v<T>) return std::fmod(a, b);
        else {
            T y;
            return detail::divides<O>(a, b, y) ? static_cast<T>(a % b) : T(0);
        }
    }
};
struct Mod : Truncating<Mod> { static constexpr const char* name = "Mod"; };
struct TruncateMod : Truncating<TruncateMod> { static constexpr const char* name = "TruncateMod"; };

template <class A, class B> requires Operands<A, B> auto operator/(A&& a, B&& b) { return detail::call_with_number<RealDiv{}>(std::forward<A>(a), std::forward<B>(b)); }
template <Operand X> auto reciprocal(X&& x) { return call(Constant<Reciprocal{}>{}, std::forward<X>(x)); }
template <class A, class B> requires Operands<A, B> auto divide_no_nan(A&& a, B&& b) { return detail::call_with_number<DivNoNan{}>(std::forward<A>(a), std::forward<B>(b)); }
template <class A, class B> requires Operands<A, B> auto multiply_no_nan(A&& a, B&& b) { return detail::call_with_number<MulNoNan{}>(std::forward<A>(a), std::forward<B>(b)); }
template <class A, class B> requires Operands<A, B> auto floor_div(A&& a, B&& b) { return detail::call_with_number<FloorDiv{}>(std::forward<A>(a), std::forward<B>(b)); }
template <class A, class B> requires Operands<A, B> auto floor_mod(A&& a, B&& b) { return detail::call_with_number<FloorMod{}>(std::forward<A>(a), std::forward<B>(b)); }

}  // namespace tenon
