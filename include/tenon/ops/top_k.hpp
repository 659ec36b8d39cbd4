// The largest of each row: TopKV2, and InTopK, which asks whether a class is among them.
#pragma once
#include "select.hpp"
#include "broadcasting.hpp"
#include "strided_slice.hpp"

#include <algorithm>
#include <cmath>

namespace tenon {

/// The k largest elements along the last axis, largest first, and where they are.
///
/// Shapes    x [..,n], k -> values [..,k], indices [..,k] int32
/// Values    of equal elements the first comes first; NaN counts as largest. Always sorted, whatever the attribute says
/// Gradient  g to where each came from: a sum over k of choices among n
/// Cost      n log k; the gradient k n
/// Errors    "[TopKV2] k 4 is outside [0,3]: [3]"
struct TopKV2 {
    std::int64_t k = 0;
    bool sorted = true;
    DType index_type = DType::int32;
    static constexpr const char* name = "TopKV2";
    static constexpr int arity = 1, outputs = 2;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tk", 1}};
    template <class Self = TopKV2> static constexpr auto params = members(const_input("k", &Self::k, 1), attr("sorted", &Self::sorted), attr("index_type", &Self::index_type));
    DType output_type(int i, std::span<const Ref> in) const { return i ? index_type : in[0].dtype; }
    constexpr Inferred infer(const Dims& x) const {
        if (x.rank < 1) return reject("[TopKV2] needs an axis: ", x);
        if (k < 0 || (x[-1] != dyn && k > x[-1])) return reject("[TopKV2] k ", k, " is outside [0,", x[-1], "]: ", x);
        Dims y = x;
        y[-1] = k;
        return Inferred{y, y};
    }
    template <class = void> Inferred infer_open(std::span<const Dims> x) const {
        Dims y = x[0];
        if (y.rank) y[-1] = dyn;
        return Inferred{y, y};
    }
    template <class T> std::size_t workspace(std::span<const Ref* const> in, std::span<const Ref* const>) const { return static_cast<std::size_t>(in[0]->dims[-1]) * sizeof(std::int64_t); }
    template <class T> void compute(const Call& c) const {
        const auto x = c.input<T>(0);
        const auto n = x.dims[-1];
        if (n == 0 || k == 0) return;
        auto* const order = reinterpret_cast<std::int64_t*>(c.workspace);
        for (std::int64_t row = 0, at = 0; at < x.size(); ++row, at += n) {
            for (std::int64_t i = 0; i < n; ++i) order[i] = i;
            const auto before = [from = x.data + at](std::int64_t a, std::int64_t b) {
                if constexpr (std::is_floating_point_v<T>) {
                    const bool nan_a = std::isnan(from[a]), nan_b = std::isnan(from[b]);
                    if (nan_a || nan_b) return nan_a != nan_b ? nan_a : a < b;
                }
                return from[a] != from[b] ? from[a] > from[b] : a < b;
            };
            std::partial_sort(order, order + k, order + n, before);
            for (std::int64_t i = 0; i < k; ++i) {
                c.output<T>(0)[row * k + i] = x[at + order[i]];
                if (index_type == DType::int64) c.output<std::int64_t>(1)[row * k + i] = order[i];
                else c.output<std::int32_t>(1)[row * k + i] = static_cast<std::int32_t>(order[i]);
            }
        }
    }
    template <class T> static auto gradient(const RunTime<TopKV2>&, const Node<T>& g, const Node<T>& y, const Node<T>& x) {
        using Index = std::int32_t;
        StridedSlice last_of;  // shape[-1]
        last_of.end_mask = last_of.shrink_axis_mask = 1;
        const auto as_index = [](const Output& o) { return o.dtype() == DType::int32 ? o : Output(make<Index>(Cast{}, {o})); };
        const bool known = x.dims().ranked() && x.dims()[-1] != dyn;
        const Output n = known ? detail::integers(x.dims()[-1]) : Output(make<Index>(last_of, {shape_tensor(x), detail::integers(Dims{-1}), detail::integers(Dims{0}), detail::integers(Dims{1})}));
        const auto last = [](const Output& of) { return std::vector<Output>{of, detail::integers(-1)}; };
        const Output all = make<Index>(Range{}, {detail::integers(0), n, detail::integers(1)});
        const Output here = make<Index>(Equal{}, {make<Index>(ExpandDims{}, last(as_index(y.output(1)))), all});
        const Output chosen = make<T>(SelectV2{}, {here, make<T>(ExpandDims{}, last(g)), scalar_like<T>(g, 0)});
        return std::tuple(reshape_like(Node<T>(make<T>(Sum{}, {chosen, detail::integers(Dims{-2})})), x));
    }
};

namespace detail {
constexpr Inferred infer_in_top_k(const char* name, const Dims& predictions, const Dims& targets) {
    bool fit = predictions.rank == 2 && targets.rank == 1;
    Dims y = targets;
    if (fit) y[0] = merge(predictions[0], targets[0], fit);
    if (!fit) return reject("[", name, "] predictions ", predictions, " with targets ", targets);
    return y;
}
/// A target that does not exist, or a row with a number that is not finite, is never among the best.
template <class T> void in_top_k(const Call& c, std::int64_t k) {
    const auto predictions = c.input<float>(0);
    const auto targets = c.input<T>(1);
    const auto classes = predictions.dims[1];
    for (std::int64_t r = 0; r < targets.size(); ++r) {
        const float* row = predictions.data + r * classes;
        const auto target = static_cast<std::int64_t>(targets[r]);
        bool finite = true;
        std::int64_t greater = 0;
        for (std::int64_t i = 0; i < classes; ++i) finite &= std::isfinite(row[i]);
        const bool exists = target >= 0 && target < classes;
        for (std::int64_t i = 0; exists && i < classes; ++i) greater += row[i] > row[target];
        c.output<bool>(0)[r] = exists && finite && greater < k;
    }
}
}  // namespace detail

/// Whether each target is among the k best predictions of its row; all that tie with the k-th are.
///
/// Shapes    predictions [batch,classes], targets [batch] -> [batch] bool
/// Values    predictions float, targets int32 or int64
/// Gradient  none
struct InTopK {
    std::int64_t k = 1;
    static constexpr const char* name = "InTopK";
    static constexpr int arity = 2, type_input = 1;
    static constexpr bool differentiable = false;
    template <class Self = InTopK> static constexpr auto params = members(attr("k", &Self::k));
    template <class T> using result = bool;
    static constexpr DType input_type(std::size_t i, DType self) { return i ? self : DType::float32; }
    static constexpr Inferred infer(const Dims& predictions, const Dims& targets) { return detail::infer_in_top_k(name, predictions, targets); }
    template <class T> void compute(const Call& c) const { detail::in_top_k<T>(c, k); }
};
/// Shapes    predictions, targets, k [] -> [batch] bool
struct InTopKV2 {
    static constexpr const char* name = "InTopKV2";
    static constexpr int arity = 3, type_input = 1;
    static constexpr bool differentiable = false;
    template <class T> using result = bool;
    static constexpr DType input_type(std::size_t i, DType self) { return i ? self : DType::float32; }
    static constexpr Inferred infer(const Dims& predictions, const Dims& targets, const Dims& k) {
        if (k.rank != 0) return reject("[InTopKV2] k is ", k, ", not a scalar");
        return detail::infer_in_top_k(name, predictions, targets);
    }
    template <class T> void compute(const Call& c) const { detail::in_top_k<T>(c, static_cast<std::int64_t>(c.input<T>(2)[0])); }
};

template <std::int64_t k, GraphOperand P, GraphOperand L> auto in_top_k(const P& predictions, const L& targets) { return call(Constant<InTopK{k}>{}, node(predictions), node(targets)); }

/// Shapes    x [..,n] -> values [..,k], indices [..,k] int32
///
///     auto [values, indices] = top_k<5>(probabilities);
template <std::int64_t k, GraphOperand X> auto top_k(const X& x) {
    const auto values = call(Constant<TopKV2{k}>{}, node(x));
    return std::tuple(values, Node<std::int32_t, shape_of<decltype(values)>>(values.output(1)));
}

}  // namespace tenon
