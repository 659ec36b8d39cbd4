// The optimisers. Formulas, slots, names and nodes are TensorFlow's (ops/apply.hpp has the formulas).
#pragma once
#include "optimizer.hpp"

namespace tenon {

struct GradientDescentOptions {
    Rate learning_rate = 0.01f;
    std::string name = "GradientDescent";
};
struct GradientDescent : Optimizer<GradientDescent> {
    GradientDescentOptions options;
    explicit GradientDescent(GradientDescentOptions o = {}) : options(std::move(o)) {}
    template <class T> void build(detail::StepBuilder<T>& b, const GradientList<T>& list) const {
        const Output rate = b.rate(options.learning_rate, "learning_rate");
        for (const auto& [g, v] : list) b.template apply<ApplyGradientDescent, ResourceApplyGradientDescent>(v, {v, rate, g}, [](auto&) {});
    }
};

struct MomentumOptions {
    Rate learning_rate = 0.01f, momentum = 0.9f;
    bool use_nesterov = false;
    std::string name = "Momentum";
};
struct Momentum : Optimizer<Momentum> {
    MomentumOptions options;
    explicit Momentum(MomentumOptions o = {}) : options(std::move(o)) {}
    template <class T> void build(detail::StepBuilder<T>& b, const GradientList<T>& list) const {
        const Output rate = b.rate(options.learning_rate, "learning_rate"), momentum = b.rate(options.momentum, "momentum");
        for (const auto& [g, v] : list)
            b.template apply<ApplyMomentum, ResourceApplyMomentum>(v, {v, b.slot(v, 0, zeros()), rate, g, momentum}, [&](auto& op) { op.use_nesterov = options.use_nesterov; });
    }
};

struct AdamOptions {
    Rate learning_rate = 0.001f, beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
    std::string name = "Adam";
};
struct Adam : Optimizer<Adam> {
    AdamOptions options;
    explicit Adam(AdamOptions o = {}) : options(std::move(o)) {}
    template <class T> void build(detail::StepBuilder<T>& b, const GradientList<T>& list) const {
        if (options.beta1.tensor || options.beta2.tensor) throw ValueError("[Adam] beta1 and beta2 are numbers: their powers are kept in variables");
        const Output power1 = b.scalar_variable("beta1_power", options.beta1), power2 = b.scalar_variable("beta2_power", options.beta2);
        const Output read1 = detail::read_of<T>(power1), read2 = detail::read_of<T>(power2);
        read1.operation->name = "beta1_power/read", read2.operation->name = "beta2_power/read";
        const Output rate = b.rate(options.learning_rate, "learning_rate"), beta1 = b.rate(options.beta1, "beta1"), beta2 = b.rate(options.beta2, "beta2"), epsilon = b.rate(options.epsilon, "epsilon");
        for (const auto& [g, v] : list)
            b.template apply<ApplyAdam, ResourceApplyAdam>(v, {v, b.slot(v, 0, zeros()), b.slot(v, 1, zeros()), read1, read2, rate, beta1, beta2, epsilon, g}, [](auto&) {});
        b.assign_after_updates(power1, make<T>(Mul{}, {read1, beta1}, b.name + "/mul"), "Assign");
        b.assign_after_updates(power2, make<T>(Mul{}, {read2, beta2}, b.name + "/mul_1"), "Assign_1");
    }
};

struct RMSPropOptions {
    Rate learning_rate = 0.001f, decay = 0.9f, momentum = 0.0f, epsilon = 1e-10f;
    std::string name = "RMSProp";
};
struct RMSProp : Optimizer<RMSProp> {
    RMSPropOptions options;
    explicit RMSProp(RMSPropOptions o = {}) : options(std::move(o)) {}
    template <class T> void build(detail::StepBuilder<T>& b, const GradientList<T>& list) const {
        const Output rate = b.rate(options.learning_rate, "learning_rate"), decay = b.rate(options.decay, "decay"), momentum = b.rate(options.momentum, "momentum"),
                     epsilon = b.rate(options.epsilon, "epsilon");
        for (const auto& [g, v] : list)
            b.template apply<ApplyRMSProp, ResourceApplyRMSProp>(v, {v, b.slot(v, 0, ones()), b.slot(v, 1, zeros()), rate, decay, momentum, epsilon, g}, [](auto&) {});
    }
};

struct AdagradOptions {
    Rate learning_rate = 0.01f;
    float initial_accumulator_value = 0.1f;
    std::string name = "Adagrad";
};
struct Adagrad : Optimizer<Adagrad> {
    AdagradOptions options;
    explicit Adagrad(AdagradOptions o = {}) : options(std::move(o)) {}
    template <class T> void build(detail::StepBuilder<T>& b, const GradientList<T>& list) const {
        const Output rate = b.rate(options.learning_rate, "learning_rate");
        for (const auto& [g, v] : list) b.template apply<ApplyAdagrad, ResourceApplyAdagrad>(v, {v, b.slot(v, 0, constant(options.initial_accumulator_value)), rate, g}, [](auto&) {});
    }
};

}  // namespace tenon
