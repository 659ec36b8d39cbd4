// Rows dealt out to several tensors by number, and put together again.
#pragma once
#include "gather.hpp"

namespace tenon {

/// Interleaves data by index: y[indices[k][i]] = data[k][i]; of equal indices the last wins.
///
/// Shapes    indices [..] each, data [.., s] each, all with the same s -> [largest index + 1, s]
/// Gradient  to each data what is at its indices, as in TensorFlow
template <class O> struct Stitching {
    static constexpr bool variadic = true, moves = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::count, "N", 2}};
    static constexpr bool needs(std::size_t i, std::size_t n) { return i < n / 2; }
    static constexpr DType input_type(std::size_t, DType) { return any_dtype; }
    template <class = void> Inferred infer_refs(std::span<const Ref> in) const {
        const std::size_t n = in.size() / 2;
        if (in.size() % 2 || n == 0) return reject("[", O::name, "] takes as many indices as data");
        std::int64_t largest = -1;
        Dims row = Dims::unranked();
        for (std::size_t k = 0; k < n; ++k) {
            if (in[k].dtype != DType::int32) return reject("[", O::name, "] indices are int32");
            const Dims &index = in[k].dims, &data = in[n + k].dims;
            if (!in[k].data || !data.ranked()) return Dims::unranked();
            if (data.rank < index.rank) return reject("[", O::name, "] data ", data, " for indices ", index);
            Dims rest;
            for (int i = 0; i < data.rank; ++i) {
                if (i >= index.rank) rest.push(data[i]);
                else if (data[i] != index[i] && data[i] != dyn) return reject("[", O::name, "] data ", data, " for indices ", index);
            }
            if (row.ranked() && !compatible(row, rest)) return reject("[", O::name, "] rows differ: ", row, " and ", rest);
            row = rest;
            for (std::int64_t i = 0; i < index.size(); ++i) {
                const auto at = index_at(in[k], i);
                if (at < 0) return reject("[", O::name, "] index ", at, " is negative");
                largest = std::max(largest, at);
            }
        }
        Dims y{largest + 1};
        for (const auto e : row) y.push(e);
        return y;
    }
    template <class T> void compute(const Call& c) const {
        const std::size_t n = c.in.size() / 2;
        const auto y = c.output<T>(0);
        if (y.size() == 0) return;
        const auto row = y.size() / y.dims[0];
        std::fill_n(y.data, y.size(), T());
        for (std::size_t k = 0; k < n; ++k)
            for (std::int64_t i = 0; i < c.in[k]->dims.size(); ++i) std::copy_n(c.input<T>(n + k).data + i * row, row, y.data + index_at(*c.in[k], i) * row);
    }
    template <class T> static std::vector<Output> gradient(const RunTime<O>&, const Node<T>& g, const Node<T>&, const detail::Inputs<T>& x) {
        const std::size_t n = x.size() / 2;
        std::vector<Output> all(n);
        for (std::size_t k = 0; k < n; ++k) all.push_back(with_extents(make<T>(GatherV2{}, {g, x.x[k], detail::integers(0)}), x.x[n + k].dims()));
        return all;
    }
};
struct DynamicStitch : Stitching<DynamicStitch> { static constexpr const char* name = "DynamicStitch"; };
/// The same; TensorFlow does not say which of equal indices wins.
struct ParallelDynamicStitch : Stitching<ParallelDynamicStitch> { static constexpr const char* name = "ParallelDynamicStitch"; };

/// Rows of x dealt out by number, in order.
///
/// Shapes    x [p.., s], partitions [p..] -> [n_k, s] each, num_partitions of them; n_k depends on the elements
/// Gradient  the rows put back by DynamicStitch
/// Errors    "[DynamicPartition] partitions[0] = 2 is not in [0, 2)"
struct DynamicPartition {
    std::int64_t num_partitions = 1;
    static constexpr const char* name = "DynamicPartition";
    static constexpr int arity = 2;
    static constexpr bool moves = true, all_outputs = true;
    template <class Self = DynamicPartition> static constexpr auto params = members(attr("num_partitions", &Self::num_partitions));
    static constexpr bool needs(std::size_t i, std::size_t) { return i == 1; }
    static constexpr DType input_type(std::size_t i, DType self) { return i ? DType::int32 : self; }
    template <class = void> int output_count() const { return static_cast<int>(num_partitions); }
    template <class = void> Inferred infer_refs(std::span<const Ref> in) const {
        const Dims &x = in[0].dims, &p = in[1].dims;
        if (num_partitions < 1 || num_partitions > detail::most_outputs) return reject("[DynamicPartition] num_partitions is ", num_partitions);
        if (!x.ranked() || !p.ranked()) return Dims::unranked();
        bool fit = p.rank <= x.rank;
        for (int i = 0; fit && i < p.rank; ++i) merge(x[i], p[i], fit);
        if (!fit) return reject("[DynamicPartition] partitions ", p, " for ", x);
        for (std::int64_t i = 0, n = in[1].data ? p.size() : 0; i < n; ++i)
            if (const auto to = index_at(in[1], i); to < 0 || to >= num_partitions) return reject("[DynamicPartition] partitions[", i, "] = ", to, " is not in [0, ", num_partitions, ")");
        return x;
    }
    template <class = void> std::vector<Dims> output_dims(std::span<const Ref> in) const {
        const Dims &x = in[0].dims, &p = in[1].dims;
        std::vector<Dims> all(static_cast<std::size_t>(num_partitions), Dims::unranked());
        if (!x.ranked() || !p.ranked()) return all;
        for (Dims& y : all) {
            y = Dims{in[1].data ? 0 : dyn};
            for (int i = p.rank; i < x.rank; ++i) y.push(x[i]);
        }
        for (std::int64_t i = 0, n = in[1].data ? p.size() : 0; i < n; ++i) ++all[static_cast<std::size_t>(index_at(in[1], i))][0];
        return all;
    }
    template <class T> void compute(const Call& c) const {
        const auto x = c.input<T>(0);
        const Ref& p = *c.in[1];
        const auto n = p.dims.size(), row = product(x.dims, p.dims.rank, x.dims.rank);
        for (std::size_t k = 0; k < c.out.size(); ++k) {
            T* to = c.output<T>(k).data;
            for (std::int64_t i = 0; i < n; ++i) if (index_at(p, i) == static_cast<std::int64_t>(k)) to = std::copy_n(x.data + i * row, row, to);
        }
    }
    template <class T> static std::tuple<Node<T>, no_gradient> gradient(const RunTime<DynamicPartition>& self, const detail::Adjoints<T>& g, const Node<T>& y, const Node<T>& x, const auto&) {
        const Output& p = self.at->inputs[1];
        const auto integer = [](auto op, std::vector<Output> in) { return Output(make<std::int32_t>(op, std::move(in))); };
        const Output extents = shape_tensor(Node<std::int32_t>(p));
        const Output total = make_operation(table_of<Size, std::int32_t>(), detail::shared_op(Size{}), {p});
        const Output numbers = integer(Reshape{}, {integer(Range{}, {detail::integers(0), total, detail::integers(1)}), extents});
        auto parts = detail::outputs_of(make<std::int32_t>(self.op, {numbers, p}), static_cast<std::size_t>(self.op.num_partitions));
        for (const Output& part : detail::every_adjoint(g, y, self.op.output_count())) parts.push_back(part);
        const Node<T> rows(make<T>(DynamicStitch{}, std::move(parts)));
        return {with_extents(make<T>(Reshape{}, {rows, shape_tensor(x)}), x.dims()), no_gradient{}};
    }
};

}  // namespace tenon
