// Rows by number: picked (Gather, GatherNd), and added up where they came from (UnsortedSegmentSum, ScatterNd).
#pragma once
#include "compare.hpp"
#include "concat.hpp"
#include "select.hpp"
#include "strided_slice.hpp"
#include "transpose.hpp"

namespace tenon {

namespace detail {
/// An index that kernels may use: what a file or a feed says is not believed.
template <class = void> std::int64_t row_at(const char* op, const Ref& indices, std::int64_t i, std::int64_t rows) {
    const auto at = index_at(indices, i);
    if (at < 0 || at >= rows) throw ValueError("[" + std::string(op) + "] indices[" + std::to_string(i) + "] = " + std::to_string(at) + " is not in [0, " + std::to_string(rows) + ")");
    return at;
}
/// For integers in rules: the constant that an operation comes to, if that is known.
template <class = void> Node<std::int32_t> folded(const Output& o) {
    const Tensor& known = o.operation->results[static_cast<std::size_t>(o.index)].known;
    return Node<std::int32_t>(known ? make_const<std::int32_t>(known) : o);
}
template <class T> Node<std::int32_t> rank_of(const Node<T>& x) { return folded(make_operation(table_of<Rank, T>(), shared_op(Rank{}), {x})); }
/// As many ones as `n` says.
template <class = void> Node<std::int32_t> ones(const Node<std::int32_t>& n) { return folded(make<std::int32_t>(Fill{}, {folded(make<std::int32_t>(Pack{}, {n})), integers(1)})); }
struct SpreadTables { const OpTable &shape, &rank, &transpose, &reshape, &segment_sum; };
/// The adjoint of picking rows along an axis.
template <class T> Node<T> spread(const Node<T>& g, const Node<T>& x, const Output& indices, const Output& axis, std::int64_t batch_dims);
}  // namespace detail

/// The sum of the rows of each segment; rows of a negative segment are dropped.
///
/// Shapes    x [s.., r..], segment_ids [s..], num_segments [] -> [num_segments, r..]
/// Gradient  each row that of its segment, 0 if it was dropped
/// Errors    "[UnsortedSegmentSum] segment_ids[0] = 3 is out of range [0, 3)"
struct UnsortedSegmentSum {
    std::int64_t num_segments = 0;
    static constexpr const char* name = "UnsortedSegmentSum";
    static constexpr int arity = 2;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tindices", 1}, TypeAttr{TypeAttr::input, "Tnumsegments", 2}};
    template <class Self = UnsortedSegmentSum> static constexpr auto params = members(const_input("num_segments", &Self::num_segments, 2));
    static constexpr DType input_type(std::size_t i, DType self) { return i ? index_dtype : self; }
    constexpr Inferred infer(const Dims& x, const Dims& ids) const {
        bool fit = ids.rank <= x.rank && num_segments >= 0;
        for (int i = 0; fit && i < ids.rank; ++i) merge(x[i], ids[i], fit);
        if (!fit) return reject("[UnsortedSegmentSum] ", num_segments, " segments: ids ", ids, " for ", x);
        Dims y{num_segments};
        for (int i = ids.rank; i < x.rank; ++i) y.push(x[i]);
        return y;
    }
    template <class = void> Inferred infer_open(std::span<const Dims> in) const {
        if (in[1].rank > in[0].rank) return reject("[UnsortedSegmentSum] ids ", in[1], " for ", in[0]);
        Dims y{dyn};
        for (int i = in[1].rank; i < in[0].rank; ++i) y.push(in[0][i]);
        return y;
    }
    template <class T> void compute(const Call& c) const {
        const auto x = c.input<T>(0);
        const auto y = c.output<T>(0);
        const Ref& ids = *c.in[1];
        const auto row = product(y.dims, 1, y.dims.rank), n = ids.dims.size();
        std::fill_n(y.data, y.size(), T(0));
        for (std::int64_t i = 0; i < n; ++i) {
            const auto at = index_at(ids, i);
            if (at < 0) continue;
            if (at >= num_segments) throw ValueError("[UnsortedSegmentSum] segment_ids[" + std::to_string(i) + "] = " + std::to_string(at) + " is out of range [0, " + std::to_string(num_segments) + ")");
            const T* from = x.data + i * row;
            T* to = y.data + at * row;
            for (std::int64_t k = 0; k < row; ++k) to[k] = static_cast<T>(to[k] + from[k]);
        }
    }
    template <class T> static std::tuple<Node<T>, no_gradient> gradient(const RunTime<UnsortedSegmentSum>& self, const Node<T>& g, const Node<T>&, const Node<T>& x, const auto&);
};

namespace detail {
/// Picks rows along an axis: what Gather and GatherV2 share.
struct Gathering {
    std::int64_t axis = 0, batch_dims = 0;
    static constexpr int arity = 2;
    static constexpr bool moves = true;
    static constexpr DType input_type(std::size_t i, DType self) { return i ? index_dtype : self; }
    struct Axes { int axis, batch; };
    constexpr Axes axes(const Dims& indices, int rank) const { return {from_front(axis, rank), from_front(batch_dims, indices.rank)}; }
    constexpr Inferred gathered(std::string_view op, const Dims& x, const Dims& indices) const {
        if (!inside(axis, x.rank)) return reject("[", op, "] axis ", axis, " is outside ", x);
        const auto [a, b] = axes(indices, x.rank);
        bool fit = b >= 0 && b <= indices.rank && b <= a;
        for (int i = 0; fit && i < b; ++i) merge(x[i], indices[i], fit);
        if (!fit || x.rank - 1 + indices.rank - b > max_rank) return reject("[", op, "] indices ", indices, " with ", batch_dims, " batch axes for axis ", axis, " of ", x);
        Dims y;
        for (int i = 0; i < a; ++i) y.push(x[i]);
        for (int i = b; i < indices.rank; ++i) y.push(indices[i]);
        for (int i = a + 1; i < x.rank; ++i) y.push(x[i]);
        return y;
    }
    /// batches of (outer rows of (picked rows)).
    template <class T> void pick(const char* op, const Call& c) const {
        const auto x = c.input<T>(0);
        const Ref& indices = *c.in[1];
        const auto [a, b] = axes(indices.dims, x.dims.rank);
        const auto batches = product(x.dims, 0, b), outer = product(x.dims, b, a), rows = x.dims[a], row = product(x.dims, a + 1, x.dims.rank);
        const auto picks = product(indices.dims, b, indices.dims.rank);
        const T* from = x.data;
        T* to = c.output<T>(0).data;
        for (std::int64_t i = 0; i < batches; ++i)
            for (std::int64_t o = 0; o < outer; ++o, from += rows * row)
                for (std::int64_t k = 0; k < picks; ++k, to += row) std::copy_n(from + row_at(op, indices, i * picks + k, rows) * row, row, to);
    }
};
}  // namespace detail

/// Slices of x along an axis, by number.
///
/// Shapes    x [b.., o.., n, i..], indices [b.., k..], axis [] -> [b.., o.., k.., i..], with batch_dims axes b
/// Gradient  g added up where it was taken from, as a dense tensor
/// Errors    "[GatherV2] indices[0] = -1 is not in [0, 4)"
struct GatherV2 : detail::Gathering {
    static constexpr const char* name = "GatherV2";
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "Tparams"}, TypeAttr{TypeAttr::input, "Tindices", 1}, TypeAttr{TypeAttr::input, "Taxis", 2}};
    template <class Self = GatherV2> static constexpr auto params = members(const_input("axis", &Self::axis, 2), attr("batch_dims", &Self::batch_dims));
    constexpr Inferred infer(const Dims& x, const Dims& indices) const { return gathered(name, x, indices); }
    template <class T> void compute(const Call& c) const { pick<T>(name, c); }
    template <class T> static auto gradient(const RunTime<GatherV2>& self, const Node<T>& g, const Node<T>&, const Node<T>& x, const auto& indices) {
        return std::tuple(detail::spread(g, x, indices, self.at->inputs[2], self.op.batch_dims), no_gradient{});
    }
};
/// The same along the first axis.
struct Gather : detail::Gathering {
    bool validate_indices = true;
    static constexpr const char* name = "Gather";
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "Tparams"}, TypeAttr{TypeAttr::input, "Tindices", 1}};
    template <class Self = Gather> static constexpr auto params = members(attr("validate_indices", &Self::validate_indices));
    constexpr Inferred infer(const Dims& x, const Dims& indices) const { return gathered(name, x, indices); }
    template <class T> void compute(const Call& c) const { pick<T>(name, c); }
    template <class T> static auto gradient(const RunTime<Gather>&, const Node<T>& g, const Node<T>&, const Node<T>& x, const auto& indices) {
        return std::tuple(detail::spread(g, x, indices, detail::integers(0), 0), no_gradient{});
    }
};

namespace detail {
/// The row of its segment for each id, zeros where the id is negative.
template <class = void> [[gnu::noinline]] Output rows_of_segments(const Output& g, const Output& x, const Output& ids, const Output& zeros, const OpTable& gather, const OpTable& select, const OpTable& rank) {
    return with_index_type(ids.dtype(), [&]<class I>(std::type_identity<I>) {
        const Output zero = make_const<I>(Tensor::scalar(I(0)));
        const Output picked = refined(applied(gather, GatherV2{}, {g, make<I>(Maximum{}, {ids, zero}), integers(0)}), x.dims());
        const Node<bool> kept = make<I>(GreaterEqual{}, {ids, zero});
        const auto more = folded(make<std::int32_t>(Sub{}, {applied(rank, Rank{}, {x}), rank_of(kept)}));
        const Output column = make<bool>(Reshape{}, {kept, folded(make<std::int32_t>(ConcatV2{}, {shape_tensor(kept), ones(more), integers(0)}))});
        return applied(select, SelectV2{}, {column, picked, zeros});
    });
}
}  // namespace detail
template <class T> std::tuple<Node<T>, no_gradient> UnsortedSegmentSum::gradient(const RunTime<UnsortedSegmentSum>& self, const Node<T>& g, const Node<T>&, const Node<T>& x, const auto&) {
    return {Node<T>(detail::rows_of_segments(g, x, self.at->inputs[1], scalar_like<T>(g, 0), table_of<GatherV2, T>(), table_of<SelectV2, T>(), table_of<Rank, T>())), no_gradient{}};
}

namespace detail {
template <class = void> [[gnu::noinline]] Output permuted(const OpTable& transpose, const Output& x, const Node<std::int32_t>& perm) {
    const Tensor& known = perm.operation->results[0].known;
    bool same = static_cast<bool>(known);
    for (std::int64_t i = 0; same && i < known.size(); ++i) same = known.data<std::int32_t>()[i] == i;
    return same ? x : applied(transpose, Transpose{}, {x, perm});
}
/// Of x [b.., o.., n, i..] and g [b.., o.., k.., i..]: the picked axes k go to the front, behind the batches; their rows are added
/// up by number; the axis goes back to its place. Ranks and the axis are constants, or arithmetic that a plan folds.
template <class = void> [[gnu::noinline]] Output spread(const Output& g, const Output& x, const Output& indices, const Output& along, std::int64_t batch_dims, const SpreadTables& t) {
    using I = Node<std::int32_t>;
    const auto number = [](std::int64_t v) { return I(integers(v)); };
    const auto sum = [](const I& a, const I& b) { return folded(make<std::int32_t>(AddV2{}, {a, b})); };
    const auto range = [](const I& from, const I& to) { return folded(make<std::int32_t>(Range{}, {from, to, integers(1)})); };
    const auto joined = [](std::vector<Output> parts) {
        parts.push_back(integers(0));
        return folded(make<std::int32_t>(ConcatV2{}, std::move(parts)));
    };
    const I index = indices.dtype() == DType::int32 ? I(indices) : make<std::int32_t>(Cast{}, {indices});
    const I rank = folded(applied(t.rank, Rank{}, {x})), indices_rank = rank_of(index);
    const I b = batch_dims < 0 ? sum(indices_rank, number(batch_dims)) : number(batch_dims), picks = folded(make<std::int32_t>(Sub{}, {indices_rank, b}));
    const I a = folded(make<std::int32_t>(FloorMod{}, {along.dtype() == DType::int32 ? along : Output(make<std::int32_t>(Cast{}, {along})), rank}));
    const I batches = range(number(0), b), outer = range(b, a), behind = sum(a, number(1)), behind_b = sum(b, number(1)), picked = sum(a, picks);
    const I forth = joined({batches, range(a, picked), outer, range(picked, folded(applied(t.rank, Rank{}, {g})))});
    const I front = joined({batches, range(a, behind), outer, range(behind, rank)}), back = joined({batches, range(behind_b, behind), range(b, behind_b), range(behind, rank)});
    const I extents = folded(make<std::int32_t>(GatherV2{}, {folded(applied(t.shape, ShapeOp{}, {x})), front, integers(0)}));
    const auto extent = [&](const I& i) { return folded(make<std::int32_t>(GatherV2{}, {extents, i, integers(0)})); };
    const Output rows = permuted(t.transpose, g, forth);
    const I n = extent(b);
    if (batch_dims == 0) return refined(permuted(t.transpose, applied(t.segment_sum, UnsortedSegmentSum{}, {rows, index, n}), back), x.dims());
    // A batch has rows of its own: they are numbered on from the batch before. The product of extents is the size of a tensor that has them.
    const I batch_extents = extent(batches);
    const I whole = make<std::int32_t>(Fill{}, {batch_extents, integers(0)});
    const I all = folded(make<std::int32_t>(Mul{}, {applied(table_of<Size, std::int32_t>(), Size{}, {whole}), n}));
    const I first = make<std::int32_t>(Reshape{}, {make<std::int32_t>(Range{}, {integers(0), all, n}), joined({batch_extents, ones(picks)})});
    const Output sums = applied(t.segment_sum, UnsortedSegmentSum{}, {rows, make<std::int32_t>(AddV2{}, {index, first}), all});
    return refined(permuted(t.transpose, applied(t.reshape, Reshape{}, {sums, extents}), back), x.dims());
}
template <class T> Node<T> spread(const Node<T>& g, const Node<T>& x, const Output& indices, const Output& axis, std::int64_t batch_dims) {
    const SpreadTables t{table_of<ShapeOp, T>(), table_of<Rank, T>(), table_of<Transpose, T>(), table_of<Reshape, T>(), table_of<UnsortedSegmentSum, T>()};
    return Node<T>(spread(g, x, indices, axis, batch_dims, t));
}
}  // namespace detail

namespace detail {
/// Where the tuple of indices `i` points to, in elements of `rows`; the sentence is the op's.
template <class = void> std::int64_t offset_at(const char* op, const Ref& indices, std::int64_t i, int depth, const Dims& dims, const Dims& strides) {
    std::int64_t offset = 0;
    for (int k = 0; k < depth; ++k) {
        const auto at = index_at(indices, i * depth + k);
        if (at < 0 || at >= dims[k]) throw ValueError("[" + std::string(op) + "] indices[" + std::to_string(i) + "]: " + std::to_string(at) + " is not in [0, " + std::to_string(dims[k]) + ") along axis " + std::to_string(k) + " of " + to_string(dims));
        offset += at * strides[k];
    }
    return offset;
}
}  // namespace detail

/// Adds up updates in a tensor of zeros; the last axis of the indices is a place.
///
/// Shapes    indices [k.., d], updates [k.., s[d..]], shape [r] -> shape
/// Gradient  GatherNd
/// Errors    "[ScatterNd] indices[0]: 4 is not in [0, 4) along axis 0 of [4,2]"
struct ScatterNd {
    Dims shape;
    static constexpr const char* name = "ScatterNd";
    static constexpr int arity = 2, type_input = 1;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tindices", 0}};
    template <class Self = ScatterNd> static constexpr auto params = members(const_input("shape", &Self::shape, 2));
    static constexpr DType input_type(std::size_t i, DType self) { return i ? self : index_dtype; }
    constexpr Inferred infer(const Dims& indices, const Dims& updates) const {
        for (const auto e : shape) if (e < 0) return reject("[ScatterNd] extent ", e, " is negative: ", shape);
        if (indices.rank < 1 || indices[-1] == dyn) return indices.rank < 1 ? reject("[ScatterNd] indices are a scalar") : Inferred(shape);
        bool fit = indices[-1] <= shape.rank && updates.rank == indices.rank - 1 + shape.rank - indices[-1];
        for (int i = 0; fit && i < updates.rank; ++i) merge(updates[i], i < indices.rank - 1 ? indices[i] : shape[i - indices.rank + 1 + static_cast<int>(indices[-1])], fit);
        if (!fit) return reject("[ScatterNd] indices ", indices, " and updates ", updates, " for ", shape);
        return shape;
    }
    template <class T> void compute(const Call& c) const {
        const Ref& indices = *c.in[0];
        const auto x = c.input<T>(1);
        const auto y = c.output<T>(0);
        const int depth = static_cast<int>(indices.dims[-1]);
        const auto n = product(indices.dims, 0, indices.dims.rank - 1), row = product(y.dims, depth, y.dims.rank);
        const Dims strides = strides_of(y.dims);
        std::fill_n(y.data, y.size(), T(0));
        for (std::int64_t i = 0; i < n; ++i) {
            T* to = y.data + detail::offset_at(name, indices, i, depth, y.dims, strides);
            for (std::int64_t k = 0; k < row; ++k) to[k] = static_cast<T>(to[k] + x[i * row + k]);
        }
    }
    template <class T> static std::tuple<no_gradient, Node<T>> gradient(const RunTime<ScatterNd>& self, const Node<T>& g, const Node<T>&, const auto&, const Node<T>& updates);
};

/// Picks elements or slices; the last axis of the indices is a place.
///
/// Shapes    x [..], indices [k.., d] -> [k.., x[d..]]
/// Gradient  ScatterNd
/// Errors    "[GatherNd] indices[0]: 9 is not in [0, 4) along axis 0 of [4,3]"
struct GatherNd {
    static constexpr const char* name = "GatherNd";
    static constexpr int arity = 2;
    static constexpr bool moves = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "Tparams"}, TypeAttr{TypeAttr::input, "Tindices", 1}};
    static constexpr DType input_type(std::size_t i, DType self) { return i ? index_dtype : self; }
    static constexpr Inferred infer(const Dims& x, const Dims& indices) {
        if (indices.rank < 1) return reject("[GatherNd] indices are a scalar");
        if (indices[-1] == dyn) return Dims::unranked();
        if (indices[-1] > x.rank || indices.rank - 1 + x.rank - indices[-1] > max_rank) return reject("[GatherNd] indices ", indices, " for ", x);
        Dims y;
        for (int i = 0; i + 1 < indices.rank; ++i) y.push(indices[i]);
        for (int i = static_cast<int>(indices[-1]); i < x.rank; ++i) y.push(x[i]);
        return y;
    }
    template <class T> void compute(const Call& c) const {
        const auto x = c.input<T>(0);
        const Ref& indices = *c.in[1];
        const int depth = static_cast<int>(indices.dims[-1]);
        const auto n = product(indices.dims, 0, indices.dims.rank - 1), row = product(x.dims, depth, x.dims.rank);
        const Dims strides = strides_of(x.dims);
        T* to = c.output<T>(0).data;
        for (std::int64_t i = 0; i < n; ++i, to += row) std::copy_n(x.data + detail::offset_at(name, indices, i, depth, x.dims, strides), row, to);
    }
    template <class T> static auto gradient(const RunTime<GatherNd>&, const Node<T>& g, const Node<T>&, const Node<T>& x, const auto& indices) {
        return std::tuple(with_extents(make<T>(ScatterNd{}, {indices, g, shape_tensor(x, indices.dtype())}), x.dims()), no_gradient{});
    }
};
template <class T> std::tuple<no_gradient, Node<T>> ScatterNd::gradient(const RunTime<ScatterNd>& self, const Node<T>& g, const Node<T>&, const auto&, const Node<T>& updates) {
    return {no_gradient{}, with_extents(make<T>(GatherNd{}, {g, self.at->inputs[0]}), updates.dims())};
}

/// `gather<1>(x, indices)`: slices of x along an axis, by number.
template <std::int64_t axis = 0, GraphOperand X, GraphOperand I> auto gather(const X& x, const I& indices) { return call(Constant<GatherV2{{axis}}>{}, x, indices); }
template <GraphOperand X, GraphOperand I> auto gather_nd(const X& x, const I& indices) { return call(Constant<GatherNd{}>{}, x, indices); }
/// The sum of the rows of each of `n` segments.
template <std::int64_t n, GraphOperand X, GraphOperand I> auto unsorted_segment_sum(const X& x, const I& ids) { return call(Constant<UnsortedSegmentSum{n}>{}, x, ids); }

}  // namespace tenon
