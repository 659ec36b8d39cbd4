// A variable of a program: memory with a name, a type and a shape, that the graph reads and updates.
#pragma once
#include "../ops/initializers.hpp"
#include "../ops/variable.hpp"
#include "session.hpp"

namespace tenon {

struct VariableOptions { bool trainable = true; };

namespace detail {
/// A variable as TensorFlow 1 lays it out: NAME, and NAME/read, which is what expressions use. It has its first value at once.
template <class = void> [[gnu::noinline]] Output make_variable(const OpTable& source, const OpTable& read, const OpTable& assign, const OpTable& no_op, const std::string& name, const Dims& dims, Output initial, bool trainable) {
    const auto op = source.clone(nullptr);
    static_cast<VariableSource*>(op.get())->shape = dims;
    if (source.name == "VarHandleOp") static_cast<VariableSource*>(op.get())->shared_name = name;
    const Output variable = make_operation(source, op, {}, name);
    auto state = std::make_shared<State>(State{{}, false, trainable, std::move(initial), &assign, &no_op});
    Streams streams;
    FoldedValues folded;
    Plan plan;
    PlanBuilder<>(plan, {&state->initial, 1}, {}, streams, folded).build();
    plan.run({});
    state->value = plan.take(0);
    state->initialized = true;
    variable.operation->state = std::move(state);
    return make_operation(read, read.clone(nullptr), {variable}, name.empty() ? "" : name + "/read");
}
template <class T> [[gnu::noinline]] Output make_variable(const std::string& name, const Dims& dims, const Output& initial, bool trainable, bool resource) {
    if (initial.dims() != dims) throw ShapeError("[Variable] '" + name + "' is " + to_string(dims) + ", its initial value " + to_string(initial.dims()));
    if (resource) return make_variable(table_of<VarHandleOp, T>(), table_of<ReadVariableOp, T>(), table_of<AssignVariableOp, T>(), table_of<NoOp, float>(), name, dims, initial, trainable);
    return make_variable(table_of<VariableV2, T>(), table_of<Identity, T>(), table_of<Assign, T>(), table_of<NoOp, float>(), name, dims, initial, trainable);
}
template <class T, Initializer I> Output make_variable(const std::string& name, const Dims& dims, const I& initializer, bool trainable, bool resource = false) {
    return make_variable<T>(name, dims, initializer.template build<T>(dims, (name.empty() ? "Variable" : name) + "/Initializer/"), trainable, resource);
}
}  // namespace detail

/// The variable that a tensor reads: the operation that holds its memory. Null if it reads none.
template <class = void> Output variable_of(const Output& o) {
    Output at = o;
    while (at && !at.operation->table->is_state) {
        if (at.operation->table->view != 0 || at.operation->inputs.empty()) return {};
        at = at.operation->inputs[0];
    }
    return at;
}

/// A tensor that lasts from run to run. It has its initial value from the start.
///
///     Variable<float, Shape<64, 10>> weights{"weights", truncated_normal({.stddev = 0.05f})};
template <class T, class S = Shape<>> struct Variable : Node<T, S> {
    static_assert(S::dims.known(), "tenon: every extent of a variable is a number");

    explicit Variable(const std::string& name) : Variable(name, zeros()) {}
    template <Initializer I> Variable(const std::string& name, const I& initializer, VariableOptions options = {})
        : Node<T, S>(detail::make_variable<T>(name, S::dims, initializer, options.trainable && std::is_floating_point_v<T>)) {}

    /// The elements where they are; writing to them changes the variable.
    const Tensor& value() const { return variable_of(*this).operation->state->value; }
    void assign(const Tensor& t) const { value().assign(t); }
};

#ifdef TENON_PREBUILT
extern template Output detail::make_variable<void>(const OpTable&, const OpTable&, const OpTable&, const OpTable&, const std::string&, const Dims&, Output, bool);
extern template Output variable_of<void>(const Output&);
#endif

}  // namespace tenon
