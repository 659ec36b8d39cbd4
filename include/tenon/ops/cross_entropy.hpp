// Cross entropies of softmax, in nats, with their own gradient as a second output.
//
// Shapes    features [batch,classes], labels -> loss [batch], backprop [batch,classes]
// Gradient  to the features: expand(g0) backprop + (g1 - sum(g1 p)) p, with p = softmax(features), so gradients of gradients work
#pragma once
#include "softmax.hpp"

namespace tenon {

namespace detail {
/// What arrives at the features of a cross entropy.
template <class T> Node<T> cross_entropy_gradient(const detail::Adjoints<T>& g, const Node<T>& y, const Node<T>& features) {
    Node<T> total;
    if (g.has(0)) total = call(RunTime<ExpandDims>{ExpandDims{-1}}, g[0]) * y.output(1);
    if (!g.has(1)) return total;
    const Node<T> p = call(RunTime<Softmax>{}, features), second = (g[1] - sum_last<T>(g[1] * p)) * p;
    return total ? Node<T>(total + second) : second;
}
}  // namespace detail

/// Cross entropy of a distribution over classes per row.
///
/// Shapes    labels [batch,classes]; labels and features broadcast
/// Values    labels need not sum to 1, but backprop is the gradient only if they do
/// Gradient  to the labels: -expand(g0) log softmax(features) - g1
/// Errors    "[SoftmaxCrossEntropyWithLogits] needs matrices: [3] and [3]"
struct SoftmaxCrossEntropyWithLogits {
    static constexpr const char* name = "SoftmaxCrossEntropyWithLogits";
    static constexpr int arity = 2, outputs = 2;
    static constexpr bool all_outputs = true;
    static constexpr Inferred infer(const Dims& features, const Dims& labels) {
        const Inferred y = broadcast(name, features, labels);
        if (!y.ok()) return y;
        if (y.dims[0].rank != 2) return reject("[", name, "] needs matrices: ", features, " and ", labels);
        return Inferred{Dims{y.dims[0][0]}, y.dims[0]};
    }
    template <class T> std::size_t workspace(std::span<const Ref* const> in, std::span<const Ref* const> out) const {
        std::size_t repeated = 0;
        for (const Ref* r : in) repeated += r->dims != out[1]->dims;
        return repeated * static_cast<std::size_t>(out[1]->dims.size()) * sizeof(T);
    }
    template <class T> void compute(const Call& c) const {
        const auto backprop = c.output<T>(1);
        const auto rows = backprop.dims[0], classes = backprop.dims[1];
        T* memory = reinterpret_cast<T*>(c.workspace);
        const auto whole = [&](std::size_t i) -> const T* {
            const auto x = c.input<T>(i);
            if (x.dims == backprop.dims) return x.data;
            const bool one_column = x.dims.rank == 0 || x.dims[-1] == 1, one_row = x.dims.rank < 2 || x.dims[0] == 1;
            for (std::int64_t r = 0; r < rows; ++r)
                for (std::int64_t k = 0; k < classes; ++k) memory[r * classes + k] = x[(one_row ? 0 : r) * (one_column ? 1 : classes) + (one_column ? 0 : k)];
            return std::exchange(memory, memory + rows * classes);
        };
        const T *features = whole(0), *labels = whole(1);
        by_row::cross_entropy(features, labels, c.output<T>(0).data, backprop.data, rows, classes);
    }
    template <class T> Sharing sharing(std::span<const Ref* const> in, std::span<const Ref* const> out, const Threads& threads) const {
        if (in[0]->dims != out[1]->dims || in[1]->dims != out[1]->dims) return {};
        return shared_rows(0b11, in, out, threads);
    }
    template <class T> static auto gradient(const RunTime<SoftmaxCrossEntropyWithLogits>&, const detail::Adjoints<T>& g, const Node<T>& y, const Node<T>& features, const Node<T>& labels) {
        const auto to = [](const Node<T>& d, const Node<T>& x) { return d ? Node<T>(sum_to(d, x)) : d; };
        Node<T> d_labels;
        if (g.has(0)) d_labels = call(RunTime<ExpandDims>{ExpandDims{-1}}, g[0]) * -call(RunTime<LogSoftmax>{}, features);
        if (g.has(1)) d_labels = d_labels ? Node<T>(d_labels - g[1]) : Node<T>(-g[1]);
        return std::tuple(Output(to(detail::cross_entropy_gradient(g, y, features), features)), Output(to(d_labels, labels)));
    }
};

/// Cross entropy of one class per row.
///
/// Shapes    labels [batch]
/// Values    labels int32 or int64
/// Errors    "[SparseSoftmaxCrossEntropyWithLogits] label 3 of row 1 is outside [0,3)", when it runs
struct SparseSoftmaxCrossEntropyWithLogits {
    static constexpr const char* name = "SparseSoftmaxCrossEntropyWithLogits";
    static constexpr int arity = 2, outputs = 2;
    static constexpr bool all_outputs = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tlabels", 1}};
    static constexpr DType input_type(std::size_t i, DType self) { return i ? index_dtype : self; }
    static constexpr Inferred infer(const Dims& features, const Dims& labels) {
        if (features.rank != 2 || labels.rank != 1) return reject("[", name, "] needs a matrix and a vector of labels: ", features, " and ", labels);
        bool fit = true;
        const Dims y{merge(features[0], labels[0], fit), features[1]};
        if (!fit) return reject("[", name, "] labels ", labels, " for ", features);
        return Inferred{Dims{y[0]}, y};
    }
    template <class T, class Index> static void of_labels(const Call& c) {
        const auto backprop = c.output<T>(1);
        const auto labels = c.input<Index>(1);
        const auto rows = c.share.of(backprop.dims[0]);
        const auto first = rows.from * backprop.dims[1];
        auto wrong = by_row::sparse_cross_entropy(c.input<T>(0).data + first, labels.data + rows.from, c.output<T>(0).data + rows.from, backprop.data + first, rows.size(), backprop.dims[1]);
        if (wrong < 0) return;
        wrong += rows.from;
        throw ValueError("[SparseSoftmaxCrossEntropyWithLogits] label " + std::to_string(labels[wrong]) + " of row " + std::to_string(wrong) + " is outside [0," + std::to_string(backprop.dims[1]) + ")");
    }
    template <class T> Sharing sharing(std::span<const Ref* const> in, std::span<const Ref* const> out, const Threads& threads) const { return {shared_rows(0, in, out, threads).count}; }
    template <class T> void compute(const Call& c) const {
        if (c.in[1]->dtype == DType::int64) of_labels<T, std::int64_t>(c);
        else of_labels<T, std::int32_t>(c);
    }
    template <class T> static auto gradient(const RunTime<SparseSoftmaxCrossEntropyWithLogits>&, const detail::Adjoints<T>& g, const Node<T>& y, const Node<T>& features, const Node<any>&) {
        return std::tuple(Output(detail::cross_entropy_gradient(g, y, features)), no_gradient{});
    }
};

namespace detail {
/// The extents before the last.
constexpr Dims all_but_last(const Dims& d) {
    if (!d.ranked()) return d;
    Dims y;
    for (int i = 0; i + 1 < d.rank; ++i) y.push(d[i]);
    return y;
}
constexpr int open_extents(const Dims& d) {
    int n = 0;
    for (const auto e : d) n += e == dyn;
    return n;
}
/// op(logits, labels) where more axes than one are the batch: as a matrix, and back.
template <auto op, Dims rows_of_labels, class L, class X> auto over_rows(const L& labels, const X& logits) {
    using T = value_type_of<X>;
    constexpr Dims dims = shape_of<X>::dims, batch = all_but_last(dims);
    if constexpr (dims.rank == 2 || !dims.ranked()) {
        return call(Constant<op>{}, logits, labels);
    } else {
        static_assert(dims.rank > 0, "tenon: logits need an axis of classes");
        static_assert(open_extents(batch) < 2, "tenon: at most one extent of the batch may be dyn; reshape the logits to a matrix first");
        const auto loss = call(Constant<op>{}, call(Constant<Reshape{Dims{-1, dims[-1]}}>{}, logits), call(Constant<Reshape{rows_of_labels}>{}, labels));
        return Node<T, typename shape_from<batch>::type>(call(Constant<Reshape{batch}>{}, loss));
    }
}
}  // namespace detail

/// The loss of each row: -sum labels log softmax(logits).
///
/// Shapes    labels, logits [..,classes] -> [..]
template <GraphOperand L, GraphOperand X> auto softmax_cross_entropy_with_logits(const L& labels, const X& logits) {
    constexpr auto classes = shape_of<X>::dims.rank > 0 ? shape_of<X>::dims[-1] : dyn;
    return detail::over_rows<SoftmaxCrossEntropyWithLogits{}, Dims{-1, classes}>(node(labels), node(logits));
}
/// The loss of each row: -log softmax(logits)[label].
///
/// Shapes    labels [..], logits [..,classes] -> [..]
template <GraphOperand L, GraphOperand X> auto sparse_softmax_cross_entropy_with_logits(const L& labels, const X& logits) {
    return detail::over_rows<SparseSoftmaxCrossEntropyWithLogits{}, Dims{-1}>(node(labels), node(logits));
}

}  // namespace tenon
