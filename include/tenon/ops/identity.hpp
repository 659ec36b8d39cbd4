// Ops that pass their input on. A plan computes nothing for them.
#pragma once
#include "../expr/node.hpp"

namespace tenon {

/// Shapes    x [..] -> [..], the same elements
template <class O> struct PassesOn {
    static constexpr int arity = 1, view = 0;
    static constexpr bool moves = true;
    static constexpr Inferred infer(const Dims& x) { return x; }
    template <class T> void compute(const Call& c) const { std::copy_n(c.input<T>(0).data, c.input<T>(0).size(), c.output<T>(0).data); }
};
struct Identity : PassesOn<Identity> {
    static constexpr const char* name = "Identity";
    static auto gradient(auto, auto g, auto, auto) { return std::tuple(g); }
};
/// The only way to cut: below it nothing is differentiated or kept for the way back.
struct StopGradient : PassesOn<StopGradient> {
    static constexpr const char* name = "StopGradient";
    static constexpr bool stops_gradient = true;
    static auto gradient(auto, auto, auto, auto) { return std::tuple(no_gradient{}); }
};
/// Refuses to be differentiated, with its message.
struct PreventGradient : PassesOn<PreventGradient> {
    std::string message;
    static constexpr const char* name = "PreventGradient";
    static constexpr bool differentiable = false;
    static constexpr auto params = std::tuple(attr("message", &PreventGradient::message));
};

template <Operand X> auto identity(X&& x) { return call(Constant<Identity{}>{}, std::forward<X>(x)); }
template <Operand X> auto stop_gradient(X&& x) { return call(Constant<StopGradient{}>{}, std::forward<X>(x)); }

}  // namespace tenon
