// Activations of neurons, element by element. Each has TensorFlow's own op for its way back, from its result where that suffices.
#pragma once
#include "exp.hpp"

namespace tenon {

/// What arrives at x through y = tanh(x): g (1 - y²).
struct TanhGrad : Binary<TanhGrad> {
    static constexpr const char* name = "TanhGrad";
    template <class Y> static auto forward(const Y& y, const auto& g) { return g * (typename Y::Scalar(1) - y * y); }
    static auto gradient(auto, auto u, auto, auto y, auto g) { return std::tuple(u * -2 * g * y, call(Constant<TanhGrad{}>{}, y, u)); }
};
struct Tanh : Unary<Tanh> {
    static constexpr const char* name = "Tanh";
    static auto forward(const auto& x) { return x.tanh(); }
    static auto gradient(auto, auto g, auto y, auto) { return std::tuple(call(Constant<TanhGrad{}>{}, y, g)); }
};
/// What arrives at x through y = sigmoid(x): g y (1 - y).
struct SigmoidGrad : Binary<SigmoidGrad> {
    static constexpr const char* name = "SigmoidGrad";
    template <class Y> static auto forward(const Y& y, const auto& g) { return g * y * (typename Y::Scalar(1) - y); }
    static auto gradient(auto, auto u, auto, auto y, auto g) {
        const auto d = u * g;
        return std::tuple(d - 2 * d * y, call(Constant<SigmoidGrad{}>{}, y, u));
    }
};
/// 1 / (1 + exp(-x))
struct Sigmoid : Unary<Sigmoid> {
    static constexpr const char* name = "Sigmoid";
    static auto forward(const auto& x) { return x.logistic(); }
    static auto gradient(auto, auto g, auto y, auto) { return std::tuple(call(Constant<SigmoidGrad{}>{}, y, g)); }
};
template <Operand X> auto tanh(X&& x) { return call(Constant<Tanh{}>{}, std::forward<X>(x)); }
template <Operand X> auto sigmoid(X&& x) { return call(Constant<Sigmoid{}>{}, std::forward<X>(x)); }

// ---- straight pieces

/// g where the result was above 0, else 0.
struct ReluGrad : Binary<ReluGrad> {
    static constexpr const char* name = "ReluGrad";
    static auto forward(const auto& g, const auto& y) { return g * detail::mask<Greater>(y, detail::repeated(y, 0)); }
    static auto gradient(auto, auto u, auto, auto, auto y) { return std::tuple(call(Constant<ReluGrad{}>{}, u, y), zeros_like(y)); }
};
/// max(x, 0)
struct Relu : Unary<Relu> {
    static constexpr const char* name = "Relu";
    static constexpr Joins joins() { return Joins::rectifies; }
    static auto forward(const auto& x) { return x.max(detail::repeated(x, 0)); }
    static auto element(auto x) { return x < 0 ? decltype(x)(0) : x; }
    static auto gradient(auto, auto g, auto y, auto) { return std::tuple(call(Constant<ReluGrad{}>{}, g, y)); }
};
struct Relu6Grad : Binary<Relu6Grad> {
    static constexpr const char* name = "Relu6Grad";
    static auto forward(const auto& g, const auto& y) { return g * (detail::mask<Greater>(y, detail::repeated(y, 0)) * detail::mask<Less>(y, detail::repeated(y, 6))); }
    static auto gradient(auto, auto u, auto, auto, auto y) { return std::tuple(call(Constant<Relu6Grad{}>{}, u, y), zeros_like(y)); }
};
/// min(max(x, 0), 6)
struct Relu6 : Unary<Relu6> {
    static constexpr const char* name = "Relu6";
    static auto forward(const auto& x) { return x.max(detail::repeated(x, 0)).min(detail::repeated(x, 6)); }
    static auto element(auto x) { return std::clamp(x, decltype(x)(0), decltype(x)(6)); }
    static auto gradient(auto, auto g, auto y, auto) { return std::tuple(call(Constant<Relu6Grad{}>{}, g, y)); }
};
struct LeakyReluGrad : Binary<LeakyReluGrad> {
    float alpha = 0.2f;
    static constexpr const char* name = "LeakyReluGrad";
    template <class Self = LeakyReluGrad> static constexpr auto params = members(attr("alpha", &Self::alpha));
    template <class G> auto forward(const G& g, const auto& x) const { return detail::pick(detail::mask<Greater>(x, detail::repeated(x, 0)), g, g * static_cast<typename G::Scalar>(alpha)); }
    static auto gradient(auto self, auto u, auto, auto, auto x) { return std::tuple(call(self, u, x), zeros_like(x)); }
};
/// x above 0, alpha x below.
struct LeakyRelu : Unary<LeakyRelu> {
    float alpha = 0.2f;
    static constexpr const char* name = "LeakyRelu";
    template <class Self = LeakyRelu> static constexpr auto params = members(attr("alpha", &Self::alpha));
    template <class X> auto forward(const X& x) const { return detail::pick(detail::mask<Greater>(x, detail::repeated(x, 0)), x, x * static_cast<typename X::Scalar>(alpha)); }
    static auto gradient(auto self, auto g, auto, auto x) {
        return std::tuple(call(self.map([](LeakyRelu l) {
            LeakyReluGrad d;
            d.alpha = l.alpha;
            return d;
        }), g, x));
    }
};
template <Operand X> auto relu(X&& x) { return call(Constant<Relu{}>{}, std::forward<X>(x)); }
template <Operand X> auto relu6(X&& x) { return call(Constant<Relu6{}>{}, std::forward<X>(x)); }
template <LeakyRelu op = LeakyRelu{}, Operand X> auto leaky_relu(X&& x) { return call(Constant<op>{}, std::forward<X>(x)); }

// ---- exponential pieces

/// What arrives at x through y = elu(x): g above 0, g (y + 1) below.
struct EluGrad : Binary<EluGrad> {
    static constexpr const char* name = "EluGrad";
    template <class Y> static auto forward(const auto& g, const Y& y) { return detail::pick(detail::mask<Less>(y, detail::repeated(y, 0)), g * (y + typename Y::Scalar(1)), g); }
    static auto gradient(auto, auto u, auto, auto g, auto y) { return std::tuple(call(Constant<EluGrad{}>{}, u, y), select(less(y, 0), u * g, 0)); }
};
/// x above 0, exp(x) - 1 below.
struct Elu : Unary<Elu> {
    static constexpr const char* name = "Elu";
    static auto forward(const auto& x) { return detail::pick(detail::mask<Less>(x, detail::repeated(x, 0)), x.expm1(), x); }
    static auto gradient(auto, auto g, auto y, auto) { return std::tuple(call(Constant<EluGrad{}>{}, g, y)); }
};
namespace detail {
inline constexpr double selu_scale = 1.0507009873554804934193349852946, selu_scale_alpha = 1.7580993408473768599402175208123;
}
struct SeluGrad : Binary<SeluGrad> {
    static constexpr const char* name = "SeluGrad";
    template <class Y> static auto forward(const auto& g, const Y& y) {
        using S = typename Y::Scalar;
        return detail::pick(detail::mask<Less>(y, detail::repeated(y, 0)), g * (y + S(detail::selu_scale_alpha)), g * S(detail::selu_scale));
    }
    static auto gradient(auto, auto u, auto, auto g, auto y) { return std::tuple(call(Constant<SeluGrad{}>{}, u, y), select(less(y, 0), u * g, 0)); }
};
/// The elu that keeps mean and variance.
///
/// Source    Klambauer et al., Self-Normalizing Neural Networks, 2017
struct Selu : Unary<Selu> {
    static constexpr const char* name = "Selu";
    template <class X> static auto forward(const X& x) {
        using S = typename X::Scalar;
        return detail::pick(detail::mask<Less>(x, detail::repeated(x, 0)), S(detail::selu_scale_alpha) * x.expm1(), S(detail::selu_scale) * x);
    }
    static auto gradient(auto, auto g, auto y, auto) { return std::tuple(call(Constant<SeluGrad{}>{}, g, y)); }
};

/// What arrives at x through softplus(x): g / (exp(-x) + 1).
struct SoftplusGrad : Binary<SoftplusGrad> {
    static constexpr const char* name = "SoftplusGrad";
    template <class X> static auto forward(const auto& g, const X& x) { return g / ((-x).exp() + typename X::Scalar(1)); }
    static auto gradient(auto, auto u, auto, auto g, auto x) { return std::tuple(call(Constant<SoftplusGrad{}>{}, u, x), u * g / (exp(-x) + 2 + exp(x))); }
};
/// log(1 + exp(x)), without overflow: max(x, 0) + log(1 + exp(-|x|)).
struct Softplus : Unary<Softplus> {
    static constexpr const char* name = "Softplus";
    static auto forward(const auto& x) { return x.max(detail::repeated(x, 0)) + (-x.abs()).exp().log1p(); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(call(Constant<SoftplusGrad{}>{}, g, x)); }
};
/// g / (1 + |x|)²
struct SoftsignGrad : Binary<SoftsignGrad> {
    static constexpr const char* name = "SoftsignGrad";
    static constexpr bool differentiable = false;
    template <class X> static auto forward(const auto& g, const X& x) { return g / (x.abs() + typename X::Scalar(1)).square(); }
};
/// x / (1 + |x|)
struct Softsign : Unary<Softsign> {
    static constexpr const char* name = "Softsign";
    template <class X> static auto forward(const X& x) { return x / (x.abs() + typename X::Scalar(1)); }
    static auto gradient(auto, auto g, auto, auto x) { return std::tuple(call(Constant<SoftsignGrad{}>{}, g, x)); }
};
template <Operand X> auto elu(X&& x) { return call(Constant<Elu{}>{}, std::forward<X>(x)); }
template <Operand X> auto selu(X&& x) { return call(Constant<Selu{}>{}, std::forward<X>(x)); }
template <Operand X> auto softplus(X&& x) { return call(Constant<Softplus{}>{}, std::forward<X>(x)); }
template <Operand X> auto softsign(X&& x) { return call(Constant<Softsign{}>{}, std::forward<X>(x)); }

}  // namespace tenon
