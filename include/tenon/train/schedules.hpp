// Learning rates that follow the step.
#pragma once
#include "../ops/ops.hpp"
#include "optimizer.hpp"

namespace tenon {

struct ExponentialDecayOptions {
    float learning_rate = 0.1f;
    float decay_steps = 1000, decay_rate = 0.96f;
    bool staircase = false;  ///< the exponent is rounded down
};
/// learning_rate decay_rate^(step / decay_steps), as a tensor to give to an optimiser.
///
/// Source    tensorflow/python/training/learning_rate_decay.py
template <class T = float, class I> Node<T, Shape<>> exponential_decay(const Node<I, Shape<>>& step, ExponentialDecayOptions o) {
    const auto number = [](float v) { return constant_scalar(static_cast<T>(v)); };
    Node<T> exponent = make<T>(RealDiv{}, {make<T>(Cast{}, {step}), number(o.decay_steps)});
    if (o.staircase) exponent = make<T>(Floor{}, {exponent});
    return Node<T, Shape<>>(make<T>(Mul{}, {number(o.learning_rate), make<T>(Pow{}, {number(o.decay_rate), exponent})}));
}

}  // namespace tenon
