// A number per channel, added to all of its elements.
//
// Shapes    value [..,channels], bias [channels] -> as value;  value is [batch,channels,..] if data_format is NCHW
// Errors    "[BiasAdd] bias [2] for [2,3]"
#pragma once
#include "windows.hpp"

namespace tenon {

namespace detail {
constexpr int channel_axis(DataFormat f) { return f == DataFormat::nchw ? 1 : -1; }
/// The extents of a bias so that it broadcasts: ones behind the channels if these come first.
constexpr Dims spread(const Dims& bias, DataFormat f, int rank) {
    Dims d = bias;
    for (int i = 2; f == DataFormat::nchw && d.rank > 0 && i < rank; ++i) d.push(1);
    return d;
}
constexpr Inferred infer_bias(const char* name, const Dims& value, const Dims& bias, DataFormat f) {
    if (value.rank < 2) return reject("[", name, "] needs an axis for the batch and one for channels: ", value);
    bool fit = bias.rank == 1;
    Dims y = value;
    if (fit) y[channel_axis(f)] = merge(value[channel_axis(f)], bias[0], fit);
    if (!fit) return reject("[", name, "] bias ", bias, " for ", value);
    return y;
}
}  // namespace detail

/// What arrives at a bias: the sum over all axes but that of the channels.
///
/// Shapes    out_backprop [..,channels], or [batch,channels,..] -> [channels]
/// Gradient  g, repeated
struct BiasAddGrad {
    DataFormat data_format = DataFormat::nhwc;
    static constexpr const char* name = "BiasAddGrad";
    static constexpr int arity = 1;
    template <class Self = BiasAddGrad> static constexpr auto params = members(attr("data_format", &Self::data_format));
    constexpr Inferred infer(const Dims& g) const {
        if (g.rank < 2) return reject("[", name, "] needs an axis for the batch and one for channels: ", g);
        return Dims{g[detail::channel_axis(data_format)]};
    }
    template <class = void> std::shared_ptr<const void> prepare(std::span<const Ref* const> in, std::span<const Ref* const> out) const {
        const Ref channels{nullptr, detail::spread(out[0]->dims, data_format, in[0]->dims.rank), in[0]->dtype};
        const Ref* operand[] = {&channels};
        return std::make_shared<Layouts>(operand, 1, in[0]->dims, block);
    }
    template <class T> void compute(const Call& c) const { reduce<Plus<T>>(c.output<T>(0), c.input<T>(0), *static_cast<const Layouts*>(c.prepared)); }
    template <class T> static auto gradient(const RunTime<BiasAddGrad>& self, const Node<T>& g, const Node<T>&, const Node<T>& x) {
        if (self.op.data_format == DataFormat::nhwc) return std::tuple(broadcast_like(g, x));
        // [1, channels, 1, ..]: as many ones as x has axes, with what is left for the second
        const Output rank = make_operation(table_of<Rank, T>(), std::make_shared<Rank>(), {x});
        const Output one_each = make<std::int32_t>(Reshape{}, {rank, detail::integers(Dims{1})});
        const Output ones = make<std::int32_t>(Fill{}, {one_each, detail::integers(1)});
        const Output extents = make<std::int32_t>(DynamicStitch{}, {range_of_rank(x), detail::integers(Dims{1}), ones, detail::integers(Dims{dyn})});
        return std::tuple(broadcast_like(Node<T>(make<T>(Reshape{}, {g, extents})), x));
    }
};

namespace detail {
/// In the graph an op of its own; compiled kernels sum as they write.
template <class Self, class T> Node<T> bias_gradient(const Self& self, const Node<T>& g) { return make<T>(BiasAddGrad{self().data_format}, {g}); }
template <class Self, class V> Held<V> bias_gradient(const Self&, const Held<V>& g) { return g; }
template <class Self> Reads bias_gradient(const Self&, const Reads& g) { return g; }
}  // namespace detail

/// Gradient  g; BiasAddGrad
struct BiasAdd {
    DataFormat data_format = DataFormat::nhwc;
    static constexpr const char* name = "BiasAdd";
    static constexpr int arity = 2;
    static constexpr bool elementwise = true;
    template <class Self = BiasAdd> static constexpr auto params = members(attr("data_format", &Self::data_format));
    constexpr Inferred infer(const Dims& value, const Dims& bias) const { return detail::infer_bias(name, value, bias, data_format); }
    /// Channels that do not come last broadcast otherwise than operands of statements do.
    constexpr bool fuses() const { return data_format == DataFormat::nhwc; }
    constexpr Joins joins() const { return fuses() ? Joins::adds_offset : Joins::no; }
    template <class = void> std::shared_ptr<const void> prepare(std::span<const Ref* const> in, std::span<const Ref* const> out) const {
        const Ref bias{nullptr, detail::spread(in[1]->dims, data_format, out[0]->dims.rank), in[1]->dtype};
        const Ref* operands[] = {in[0], &bias};
        return detail::prepare_elementwise(nullptr, operands, out);
    }
    static auto forward(const auto& value, const auto& bias) { return value + bias; }
    static auto gradient(auto self, auto g, auto, auto, auto) { return std::tuple(g, detail::bias_gradient(self, g)); }
};

/// BiasAdd before it knew data formats.
///
/// Gradient  g; g summed over all axes but the last
struct BiasAddV1 {
    static constexpr const char* name = "BiasAddV1";
    static constexpr Joins joins() { return Joins::adds_offset; }
    static constexpr int arity = 2;
    static constexpr bool elementwise = true;
    static constexpr Inferred infer(const Dims& value, const Dims& bias) { return detail::infer_bias(name, value, bias, DataFormat::nhwc); }
    static auto forward(const auto& value, const auto& bias) { return value + bias; }
    static auto gradient(auto, auto g, auto, auto, auto bias) { return std::tuple(g, sum_to(g, bias)); }
};

template <BiasAdd op = BiasAdd{}, Operand X, Operand B> auto bias_add(X&& value, B&& bias) { return call(Constant<op>{}, std::forward<X>(value), std::forward<B>(bias)); }

}  // namespace tenon
