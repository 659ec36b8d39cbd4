// Where values come from: Placeholder, PlaceholderWithDefault, constants; and NoOp, which gathers operations to run.
#pragma once
#include "../expr/node.hpp"

namespace tenon {

/// A tensor that every run is fed.
///
/// Shapes    its attribute; an axis may be dyn
/// Errors    "[Placeholder] 'x' is not fed: float32 [dyn,64]"
struct PlaceholderOp {
    Dims shape = Dims::unranked();
    static constexpr const char* name = "Placeholder";
    static constexpr int arity = 0;
    static constexpr bool stateful = true, differentiable = false;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "dtype"}};
    template <class Self = PlaceholderOp> static constexpr auto params = members(shape_attr("shape", &Self::shape));
    constexpr Inferred infer() const { return shape; }
};

/// Its input, unless a run feeds something else.
struct PlaceholderWithDefault {
    Dims shape = Dims::unranked();
    static constexpr const char* name = "PlaceholderWithDefault";
    static constexpr int arity = 1, view = 0;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "dtype"}};
    template <class Self = PlaceholderWithDefault> static constexpr auto params = members(shape_attr("shape", &Self::shape));
    constexpr Inferred infer(const Dims& x) const {
        if (!compatible(x, shape)) return reject("[", name, "] default ", x, " for a placeholder ", shape);
        return x;
    }
    template <class T> void compute(const Call& c) const { std::copy_n(c.input<T>(0).data, c.input<T>(0).size(), c.output<T>(0).data); }
    static constexpr bool moves = true;
    static auto gradient(auto, auto g, auto, auto) { return std::tuple(g); }
};

/// Computes nothing; what it waits for is run.
struct NoOp {
    static constexpr const char* name = "NoOp";
    static constexpr int arity = 0, outputs = 0;
    static constexpr bool stateful = true, differentiable = false;
    static constexpr std::array<TypeAttr, 0> types{};
    static constexpr Inferred infer() { return Dims{}; }
};

namespace detail {
template <class = void> [[gnu::noinline]] Output make_placeholder(const OpTable& table, const Dims& dims, std::string_view name) { return make_operation(table, std::make_shared<PlaceholderOp>(PlaceholderOp{dims}), {}, name); }
}  // namespace detail

/// A tensor that every run is fed, of a type and shape that the compiler knows.
///
///     Placeholder<float, Shape<dyn, 64>> images{"images"};
template <class T, class S = Shape<>> struct Placeholder : Node<T, S> {
    explicit Placeholder(std::string_view name = {}) : Node<T, S>(detail::make_placeholder(table_of<PlaceholderOp, T>(), S::dims, name)) {}
};

/// A scalar that is part of the graph.
template <class T> Node<T, Shape<>> constant_scalar(T value) { return Node<T, Shape<>>(make_const<T>(Tensor::scalar(value))); }
/// A tensor that is part of the graph: from now on nobody writes to its elements, since plans keep what follows from them.
template <class T, class S = Unranked> Node<T, S> constant_tensor(Tensor value, std::string_view name = {}) { return Node<T, S>(make_const<T>(std::move(value), name)); }

/// One operation to run instead of many.
template <class = void> Output group(const std::vector<Output>& run, std::string_view name = {}) {
    Output o = make_operation(table_of<NoOp, float>(), std::make_shared<NoOp>(), {}, name);
    for (const Output& r : run) if (r) o.operation->controls.push_back(r.operation);
    return o;
}

/// A number beside a tensor is a constant of its type.
template <class N> concept Number = std::is_arithmetic_v<N>;

}  // namespace tenon
