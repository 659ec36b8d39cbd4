// Dropout: a composition of TensorFlow 1's ops, not an op.
#pragma once
#include "initializers.hpp"
#include "round.hpp"
#include "windows.hpp"

namespace tenon {

struct DropoutOptions {
    float rate = 0.5f;                     ///< of the elements that become 0
    std::optional<std::int64_t> seed{};    ///< without one nobody can repeat it
};

/// x with a random part of its elements 0 and the others divided by the share that is kept, so that sums stay as they are: in training.
///
/// Shapes    x [..], keep_prob [] -> [..]
/// Values    element by element x / keep_prob * floor(keep_prob + u), u uniform in [0, 1); the next run draws other numbers
/// Gradient  g / keep_prob where x was kept
/// Errors    ValueError "[dropout] rate 1.5 is outside [0,1)"
/// Source    TensorFlow 1.13, tf.nn.dropout
///
///     auto h = dropout(relu(x), keep_prob, {.seed = 7});    // a placeholder, fed 1 when not training
template <GraphOperand X, GraphOperand K> auto dropout(const X& x, const K& keep_prob, DropoutOptions options = {}) {
    using T = value_type_of<X>;
    using S = shape_of<X>;
    const auto from = node(x);
    const auto seeds = detail::op_seeds(options.seed);
    RandomUniform draw;
    draw.seed = seeds.seed, draw.seed2 = seeds.seed2;
    const Node<T, S> uniform(make<T>(draw, {detail::extents_of(Node<T>(from))}, "dropout/"));
    return from / keep_prob * floor(uniform + keep_prob);
}
/// The same with a rate that does not change.
template <GraphOperand X> auto dropout(const X& x, DropoutOptions options) {
    if (!(options.rate >= 0 && options.rate < 1)) throw ValueError("[dropout] rate " + std::to_string(options.rate) + " is outside [0,1)");
    return dropout(x, constant_scalar(static_cast<value_type_of<X>>(1 - options.rate)), options);
}

}  // namespace tenon
