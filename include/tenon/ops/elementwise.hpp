// Arithmetic that computes each element by itself. It fuses; operands broadcast as in NumPy.
//
// Shapes    a [..], b [..] -> [..] broadcast
// Values    beside each family
// Gradient  beside each op; summed over the axes that were broadcast (`sum_to`, in broadcasting.hpp)
// Errors    "[Add] shapes do not broadcast: [2,3] and [4]"
#pragma once
#include "../expr/statement.hpp"

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

struct Add : Binary<Add> {
    static constexpr const char* name = "Add";
    static auto forward(const auto& a, const auto& b) { return a + b; }
    static auto gradient(auto, auto g, auto, auto a, auto b) { return std::tuple(sum_to(g, a), sum_to(g, b)); }
};
struct AddV2 : Binary<AddV2> {
    static constexpr const char* name = "AddV2";
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
struct RealDiv : Binary<RealDiv> {
    static constexpr const char* name = "RealDiv";
    static auto forward(const auto& a, const auto& b) { return a / b; }
    static auto gradient(auto, auto g, auto, auto a, auto b) { return std::tuple(sum_to(g / b, a), sum_to(g * (-a / b / b), b)); }
};
namespace detail {
/// Rounds towards minus infinity.
template <class T> struct floor_divide {
    T operator()(T a, T b) const {
        if constexpr (std::is_floating_point_v<T>) {
            return std::floor(a / b);
        } else {
            if (b == 0) throw ValueError("[FloorDiv] Integer division by zero");
            if constexpr (std::is_signed_v<T>) if (b == -1) return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(a));
            return static_cast<T>(a / b - (a % b != 0 && ((a < 0) != (b < 0))));
        }
    }
};
}  // namespace detail
struct FloorDiv : Binary<FloorDiv> {
    static constexpr const char* name = "FloorDiv";
    template <class A> static auto forward(const A& a, const auto& b) { return a.binaryExpr(b, detail::floor_divide<typename A::Scalar>()); }
    static auto gradient(auto, auto, auto, auto, auto) { return std::tuple(no_gradient{}, no_gradient{}); }
};
namespace detail {
/// The sign is the divisor's.
template <class T> struct floor_modulo {
    T operator()(T a, T b) const {
        if constexpr (std::is_floating_point_v<T>) {
            const T r = std::fmod(a, b);
            return r != 0 && (r < 0) != (b < 0) ? r + b : r;
        } else {
            if (b == 0) throw ValueError("[FloorMod] Integer division by zero");
            if constexpr (std::is_signed_v<T>) if (b == -1) return 0;
            const T r = static_cast<T>(a % b);
            return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
        }
    }
};
}  // namespace detail
struct FloorMod : Binary<FloorMod> {
    static constexpr const char* name = "FloorMod";
    static constexpr bool differentiable = false;
    template <class A> static auto forward(const A& a, const auto& b) { return a.binaryExpr(b, detail::floor_modulo<typename A::Scalar>()); }
};
struct Maximum : Binary<Maximum> {
    static constexpr const char* name = "Maximum";
    template <class A, class B> static auto forward(const A& a, const B& b) {
        using S = typename A::Scalar;
        return Eigen::CwiseBinaryOp<Eigen::internal::scalar_max_op<S, S, Eigen::PropagateNaN>, const A, const B>(a, b);
    }
    static auto gradient(auto, auto g, auto, auto a, auto b) {
        const auto first = greater_equal(a, b);
        const auto nothing = zeros_like(g);
        return std::tuple(sum_to(select(first, g, nothing), a), sum_to(select(first, nothing, g), b));
    }
};
struct Neg : Unary<Neg> {
    static constexpr const char* name = "Neg";
    static auto forward(const auto& x) { return -x; }
    static auto gradient(auto, auto g, auto, auto) { return std::tuple(-g); }
};
struct Square : Unary<Square> {
    static constexpr const char* name = "Square";
    static auto forward(const auto& x) { return x.square(); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(g * (x + x)); }
};
struct Exp : Unary<Exp> {
    static constexpr const char* name = "Exp";
    static constexpr bool keep = true;
    static auto forward(const auto& x) { return x.exp(); }
    static auto gradient(auto, auto g, auto y, auto) { return std::tuple(g * y); }
};

template <Operand A, Operand B> auto operator+(A&& a, B&& b) { return call(Constant<Add{}>{}, std::forward<A>(a), std::forward<B>(b)); }
template <Operand A, Operand B> auto operator-(A&& a, B&& b) { return call(Constant<Sub{}>{}, std::forward<A>(a), std::forward<B>(b)); }
template <Operand A, Operand B> auto operator*(A&& a, B&& b) { return call(Constant<Mul{}>{}, std::forward<A>(a), std::forward<B>(b)); }
template <Operand A, Operand B> auto operator/(A&& a, B&& b) { return call(Constant<RealDiv{}>{}, std::forward<A>(a), std::forward<B>(b)); }
template <Operand X> auto operator-(X&& x) { return call(Constant<Neg{}>{}, std::forward<X>(x)); }
template <Operand X> auto square(X&& x) { return call(Constant<Square{}>{}, std::forward<X>(x)); }
template <Operand X> auto exp(X&& x) { return call(Constant<Exp{}>{}, std::forward<X>(x)); }

}  // namespace tenon
