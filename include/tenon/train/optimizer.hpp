// What all optimisers share: which variables are trained, their slots, and the operation that makes one step.
//
// Slots, powers and steps are variables of the graph under TensorFlow's names (w/Adam, w/Adam_1, beta1_power), so they are saved
// with it, and TensorFlow goes on training where we stopped.
#pragma once
#include "../grad/gradients.hpp"
#include "../ops/apply.hpp"
#include "../run/variable.hpp"

namespace tenon {

/// A rate of an optimiser: a number, or a scalar of the graph.
struct Rate {
    float value = 0;
    Output tensor{};
    Rate() = default;
    template <class N> requires std::is_arithmetic_v<N> Rate(N v) : value(static_cast<float>(v)) {}
    template <GraphOperand X> Rate(const X& x) : tensor(node(x)) {}
};

struct GradientAndVariable {
    Output gradient, variable;
};
/// What compute_gradients gives and apply_gradients takes: gradients of a loss of type T.
template <class T> using GradientList = std::vector<GradientAndVariable>;

struct MinimizeOptions {
    std::vector<Output> variables{};  ///< empty: all trainable ones that the loss depends on
    Output global_step{};             ///< an int32 or int64 variable that counts the steps
};

namespace detail {

template <class = void> std::vector<Output> trainable_variables(const Output& loss, DType t) {
    std::vector<Output> found;
    for (const auto& o : topological({&loss, 1}))
        if (o->table->is_state && o->state && o->state->trainable && o->results[0].dtype == t) found.push_back({o, 0});
    return found;
}
inline bool is_resource(const Output& variable) { return variable.operation->table->name == "VarHandleOp"; }
/// What kernels read of a variable: itself, or what its handle leads to.
template <class T> Output read_of(const Output& variable) {
    return is_resource(variable) ? Output(make<T>(ReadVariableOp{}, {variable})) : Output(make<T>(Identity{}, {variable}));
}

/// While one step is put together: names, rates, slots.
template <class T> struct StepBuilder {
    std::string name;
    bool resource = false;
    std::vector<Output> updates{};

    explicit StepBuilder(std::string n) : name(std::move(n)) {}

    Output rate(const Rate& r, const char* what) const {
        if (!r.tensor) return make_const<T>(Tensor::scalar(static_cast<T>(r.value)), name + "/" + what);
        if (r.tensor.dtype() != dtype_of<T>) throw TypeError("[" + name + "] " + what + " is " + std::string(name_of(r.tensor.dtype())) + ", the loss " + std::string(name_of(dtype_of<T>)));
        return r.tensor;
    }
    /// The k-th slot of this optimiser for a variable.
    template <class I> Output slot(const Output& variable, int k, const I& initializer) const {
        std::string of = variable.operation->name;
        if (of.empty()) of = "Variable";
        return variable_of(make_variable<T>(of + "/" + name + (k ? "_" + std::to_string(k) : ""), variable.dims(), initializer, false, is_resource(variable)));
    }
    Output scalar_variable(const std::string& its_name, const Rate& start) const { return variable_of(make_variable<T>(its_name, Dims{}, tenon::constant(start.value), false, resource)); }
    template <class Reference, class Handle, class Configure> void apply(const Output& variable, std::vector<Output> inputs, Configure configure) {
        std::string of = variable.operation->name.empty() ? "Variable" : variable.operation->name;
        const std::string scope = name + "/update_" + of + "/";
        const auto made = [&]<class O>(O op) {
            configure(op);
            return Output(make<T>(std::move(op), std::move(inputs), scope + O::name));
        };
        updates.push_back(is_resource(variable) ? made(Handle{}) : made(Reference{}));
    }
    /// variable = value, after all updates.
    void assign_after_updates(const Output& variable, const Output& value, const char* what) {
        const std::string its_name = name + "/" + what;
        const Output o = is_resource(variable) ? Output(make<T>(AssignVariableOp{}, {variable, value}, its_name)) : Output(make<T>(Assign{}, {variable, value}, its_name));
        for (const Output& u : updates) o.operation->controls.push_back(u.operation), value.operation->controls.push_back(u.operation);
        after_.push_back(o);
    }
    Output step(const Output& global_step) const {
        auto all = updates;
        all.insert(all.end(), after_.begin(), after_.end());
        if (!global_step) return group(all, name);
        const Output counter = variable_of(global_step);
        if (!counter) throw ValueError("[" + name + "] the global step is not a variable: " + describe(*global_step.operation));
        const Output update = group(all, name + "/update");
        const auto count = [&]<class I>(I one) -> Output {
            const Output by = make_const<I>(Tensor::scalar(one), name + "/value");
            return is_resource(counter) ? Output(make<I>(AssignAddVariableOp{}, {counter, by}, name)) : Output(make<I>(AssignAdd{}, {counter, by}, name));
        };
        const Output o = counter.dtype() == DType::int64 ? count(std::int64_t{1}) : count(std::int32_t{1});
        o.operation->controls.push_back(update.operation);
        return o;
    }

private:
    std::vector<Output> after_{};
};

}  // namespace detail

/// Derived: `template <class T> void build(detail::StepBuilder<T>&, const GradientList<T>&) const`, and `options.name`.
template <class Derived> struct Optimizer {
    /// The derivative of the loss after each trainable variable that it depends on.
    ///
    /// Errors    GradientError as `gradients`; ValueError if nothing is trained
    template <GraphOperand Loss> auto compute_gradients(const Loss& loss, std::vector<Output> variables = {}) const {
        using T = value_type_of<Loss>;
        const Output of = node(loss);
        for (Output& v : variables)
            if (Output variable = variable_of(v)) v = std::move(variable);
            else throw ValueError("[minimize] not a variable: " + describe(*v.operation));
        if (variables.empty()) variables = detail::trainable_variables(of, dtype_of<T>);
        const auto g = gradients(loss, variables);
        GradientList<T> list;
        for (std::size_t i = 0; i < g.size(); ++i) if (g[i]) list.push_back({g[i], variables[i]});
        if (list.empty()) throw ValueError("[minimize] the loss depends on no trainable variable");
        return list;
    }
    /// One step with given gradients, as an operation to run.
    template <class T = float> Output apply_gradients(const GradientList<T>& list, const Output& global_step = {}) const {
        detail::StepBuilder<T> builder(self().options.name);
        for (const auto& [g, v] : list) {
            if (g.dtype() != dtype_of<T> || v.dtype() != dtype_of<T>)
                throw TypeError("[" + builder.name + "] gradient " + std::string(name_of(g.dtype())) + " for variable " + std::string(name_of(v.dtype())) + ", wanted " + std::string(name_of(dtype_of<T>)));
            builder.resource |= detail::is_resource(v);
        }
        self().template build<T>(builder, list);
        return builder.step(global_step);
    }
    /// One step downhill, as an operation to run.
    ///
    ///     auto train = Adam{{.learning_rate = 1e-3f}}.minimize(loss);
    template <GraphOperand Loss> Output minimize(const Loss& loss, MinimizeOptions o = {}) const {
        return apply_gradients<value_type_of<Loss>>(compute_gradients(loss, std::move(o.variables)), o.global_step);
    }

private:
    const Derived& self() const { return static_cast<const Derived&>(*this); }
};

}  // namespace tenon
