// One step of an optimiser for one variable. Each comes for variables in the graph (Apply*) and for handles (ResourceApply*).
//
// Shapes    variable, slots, gradient [..], all the same; rates [] -> the variable
// Values    float, double, half, bfloat16
// Gradient  none
// Cost      one pass
// Errors    "[ApplyAdam] gradient [3] for variable [2]"
// Source    tensorflow/core/kernels/training_ops.cc
#pragma once
#include "../expr/node.hpp"
#include "../tensor/packet.hpp"

namespace tenon {

namespace detail {
[[gnu::noinline]] constexpr Inferred applied(std::string_view op, std::span<const Dims> in, std::size_t slots, std::size_t gradient_at) {
    const Dims& variable = in[0];
    for (std::size_t i = 1; i <= slots; ++i) if (!compatible(variable, in[i])) return reject("[", op, "] slot ", in[i], " for variable ", variable);
    if (!compatible(variable, in[gradient_at])) return reject("[", op, "] gradient ", in[gradient_at], " for variable ", variable);
    for (std::size_t i = slots + 1; i < in.size(); ++i)
        if (i != gradient_at && in[i].ranked() && in[i].rank != 0) return reject("[", op, "] input ", static_cast<int>(i), " is not a scalar: ", in[i]);
    return variable;
}
}  // namespace detail

/// `slots`: so many tensors after the variable are written too. `gradient`: its place among the inputs; all others are scalars.
template <int slots, int inputs, int gradient_at> struct Stepping {
    bool use_locking = false;
    static constexpr int arity = inputs, writes = slots + 1;
    static constexpr bool stateful = true, differentiable = false;
    template <class T> Sharing sharing(std::span<const Ref* const> in, std::span<const Ref* const>, const Threads& threads) const {
        return {threads.shares(static_cast<double>(in[0]->dims.size()) * (2 * slots + 3) * sizeof(T) / 32, in[0]->dims.size() / 64)};
    }

protected:
    static constexpr Inferred applied(std::string_view op, std::span<const Dims> in) { return detail::applied(op, in, slots, gradient_at); }
    /// f(variable, slots.., gradient) in packets; what f makes of the variable and the slots is theirs.
    template <class T, class F> static void update(const Call& c, F f) {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            Share::Range some{0, c.in[0]->dims.size()};
            if (c.share.count > 1) some = c.share.of(some.to, 64);
            tenon::update<slots + 1>(std::array{static_cast<T*>(c.in[I]->data) + some.from..., static_cast<T*>(c.in[gradient_at]->data) + some.from}, some.size(), f);
        }(std::make_index_sequence<slots + 1>{});
    }
    template <class T> static T rate(const Call& c, std::size_t i) { return c.input<T>(i)[0]; }
};
/// The op O, which makes the step that Step computes.
template <class O, class Step> struct Applying : Step {
    static constexpr Inferred infer(std::span<const Dims> in) { return Step::applied(O::name, in); }
    template <class... D> static constexpr Inferred infer(const D&... d) {
        const std::array<Dims, sizeof...(D)> in{d...};
        return infer(std::span<const Dims>(in));
    }
};

/// variable -= rate gradient
struct GradientDescentStep : Stepping<0, 3, 2> {
    static constexpr bool descends = true;
    template <class T> void compute(const Call& c) const {
        const T lr = rate<T>(c, 1);
        update<T>(c, [=](auto& x, const auto& g) { x = x - lr * g; });
    }
};
struct ApplyGradientDescent : Applying<ApplyGradientDescent, GradientDescentStep> {
    static constexpr const char* name = "ApplyGradientDescent";
    template <class Self = ApplyGradientDescent> static constexpr auto params = members(attr("use_locking", &Self::use_locking));
};
struct ResourceApplyGradientDescent : Applying<ResourceApplyGradientDescent, GradientDescentStep> {
    static constexpr const char* name = "ResourceApplyGradientDescent";
    static constexpr int outputs = 0;
    template <class Self = ResourceApplyGradientDescent> static constexpr auto params = members(attr("use_locking", &Self::use_locking));
};

/// accumulator = momentum accumulator + gradient; variable -= rate accumulator. Nesterov looks one step ahead.
struct MomentumStep : Stepping<1, 5, 3> {
    bool use_nesterov = false;
    template <class T> void compute(const Call& c) const {
        const T lr = rate<T>(c, 2), m = rate<T>(c, 4);
        update<T>(c, [=, nesterov = use_nesterov](auto& x, auto& a, const auto& g) {
            a = a * m + g;
            x = nesterov ? x - (g * lr + a * m * lr) : x - a * lr;
        });
    }
};
struct ApplyMomentum : Applying<ApplyMomentum, MomentumStep> {
    static constexpr const char* name = "ApplyMomentum";
    template <class Self = ApplyMomentum> static constexpr auto params = members(attr("use_locking", &Self::use_locking), attr("use_nesterov", &Self::use_nesterov));
};
struct ResourceApplyMomentum : Applying<ResourceApplyMomentum, MomentumStep> {
    static constexpr const char* name = "ResourceApplyMomentum";
    static constexpr int outputs = 0;
    template <class Self = ResourceApplyMomentum> static constexpr auto params = members(attr("use_locking", &Self::use_locking), attr("use_nesterov", &Self::use_nesterov));
};

/// m += (1 - beta1) (g - m); v += (1 - beta2) (g² - v); variable -= rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon)
/// Inputs: variable, m, v, beta1^t, beta2^t, rate, beta1, beta2, epsilon, gradient.
struct AdamStep : Stepping<2, 10, 9> {
    bool use_nesterov = false;
    template <class T> void compute(const Call& c) const {
        const T beta1 = rate<T>(c, 6), beta2 = rate<T>(c, 7), epsilon = rate<T>(c, 8);
        const T alpha = rate<T>(c, 5) * std::sqrt(T(1) - rate<T>(c, 4)) / (T(1) - rate<T>(c, 3));
        update<T>(c, [=, nesterov = use_nesterov](auto& x, auto& m, auto& v, const auto& g) {
            m = m + (g - m) * (T(1) - beta1);
            v = v + (g.square() - v) * (T(1) - beta2);
            x = x - (nesterov ? g * (T(1) - beta1) + m * beta1 : m) * alpha / (v.sqrt() + epsilon);
        });
    }
};
struct ApplyAdam : Applying<ApplyAdam, AdamStep> {
    static constexpr const char* name = "ApplyAdam";
    template <class Self = ApplyAdam> static constexpr auto params = members(attr("use_locking", &Self::use_locking), attr("use_nesterov", &Self::use_nesterov));
};
struct ResourceApplyAdam : Applying<ResourceApplyAdam, AdamStep> {
    static constexpr const char* name = "ResourceApplyAdam";
    static constexpr int outputs = 0;
    template <class Self = ResourceApplyAdam> static constexpr auto params = members(attr("use_locking", &Self::use_locking), attr("use_nesterov", &Self::use_nesterov));
};

/// ms += (1 - rho) (g² - ms); mom = momentum mom + rate g / sqrt(ms + epsilon); variable -= mom
/// Inputs: variable, ms, mom, rate, rho, momentum, epsilon, gradient.
struct RMSPropStep : Stepping<2, 8, 7> {
    template <class T> void compute(const Call& c) const {
        const T lr = rate<T>(c, 3), rho = rate<T>(c, 4), momentum = rate<T>(c, 5), epsilon = rate<T>(c, 6);
        update<T>(c, [=](auto& x, auto& ms, auto& mom, const auto& g) {
            ms = ms + (g.square() - ms) * (T(1) - rho);
            mom = mom * momentum + g * lr / (ms + epsilon).sqrt();
            x = x - mom;
        });
    }
};
struct ApplyRMSProp : Applying<ApplyRMSProp, RMSPropStep> {
    static constexpr const char* name = "ApplyRMSProp";
    template <class Self = ApplyRMSProp> static constexpr auto params = members(attr("use_locking", &Self::use_locking));
};
struct ResourceApplyRMSProp : Applying<ResourceApplyRMSProp, RMSPropStep> {
    static constexpr const char* name = "ResourceApplyRMSProp";
    static constexpr int outputs = 0;
    template <class Self = ResourceApplyRMSProp> static constexpr auto params = members(attr("use_locking", &Self::use_locking));
};

/// accumulator += g²; variable -= rate g / sqrt(accumulator)
struct AdagradStep : Stepping<1, 4, 3> {
    bool update_slots = true;
    template <class T> void compute(const Call& c) const {
        const T lr = rate<T>(c, 2);
        update<T>(c, [=, slots = update_slots](auto& x, auto& a, const auto& g) {
            if (slots) a = a + g.square();
            x = x - g * lr / a.sqrt();
        });
    }
};
struct ApplyAdagrad : Applying<ApplyAdagrad, AdagradStep> {
    static constexpr const char* name = "ApplyAdagrad";
    template <class Self = ApplyAdagrad> static constexpr auto params = members(attr("use_locking", &Self::use_locking), attr("update_slots", &Self::update_slots));
};
struct ResourceApplyAdagrad : Applying<ResourceApplyAdagrad, AdagradStep> {
    static constexpr const char* name = "ResourceApplyAdagrad";
    static constexpr int outputs = 0;
    template <class Self = ResourceApplyAdagrad> static constexpr auto params = members(attr("use_locking", &Self::use_locking), attr("update_slots", &Self::update_slots));
};

}  // namespace tenon
