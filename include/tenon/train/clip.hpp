// Clipping of gradients, between compute_gradients and apply_gradients.
#pragma once
#include "../ops/ops.hpp"
#include "optimizer.hpp"

namespace tenon {

/// Each element of x, but no smaller than `low` and no larger than `high`.
///
/// Gradient  g where x lies between them, else 0
template <GraphOperand X> auto clip_by_value(X&& x, value_type_of<X> low, value_type_of<X> high) {
    return maximum(minimum(std::forward<X>(x), constant_scalar(high)), constant_scalar(low));
}
/// Clips every element of every gradient.
template <class T = float> GradientList<T> clip_by_value(GradientList<T> list, std::type_identity_t<T> low, std::type_identity_t<T> high) {
    for (auto& [g, v] : list) g = make<T>(Maximum{}, {make<T>(Minimum{}, {g, constant_scalar(high)}), constant_scalar(low)});
    return list;
}

/// The square root of the sum of the squares of all elements of all gradients.
template <class T = float> Node<T, Shape<>> global_norm(const GradientList<T>& list) {
    std::vector<Output> halves;
    for (const auto& [g, v] : list) halves.push_back(make<T>(L2Loss{}, {g}));
    const Node<T> halved = make<T>(AddN{}, std::move(halves));
    return Node<T, Shape<>>(make<T>(Sqrt{}, {make<T>(Mul{}, {halved, constant_scalar(T(2))})}));
}
/// Scales all gradients by one factor, so that their global norm is at most `most`.
///
/// Values    a norm that is not finite makes every gradient NaN, as in TensorFlow
/// Source    tensorflow/python/ops/clip_ops.py, clip_by_global_norm
template <class T = float> GradientList<T> clip_by_global_norm(GradientList<T> list, std::type_identity_t<T> most) {
    const auto norm = global_norm<T>(list);
    const auto limit = constant_scalar(most);
    const Node<T> inverse = make<T>(RealDiv{}, {constant_scalar(T(1)), norm});
    const Node<T> scale = make<T>(Mul{}, {limit, make<T>(Minimum{}, {inverse, make<T>(RealDiv{}, {constant_scalar(T(1)), limit})})});
    const Node<T> finite = make<T>(Add{}, {scale, make<T>(Sub{}, {norm, norm})});  // inf - inf and NaN - NaN are NaN, all else is 0
    for (auto& [g, v] : list) g = make<T>(Mul{}, {g, finite});
    return list;
}

}  // namespace tenon
