// Tensors put together along an axis they have, and taken apart.
#pragma once
#include "cast.hpp"
#include "slice.hpp"

namespace tenon {

/// Where each of several tensors begins if they are put together.
///
/// Shapes    concat_dim [], shapes [r] each -> [r] each
/// Values    int32 or int64, as the shapes are
struct ConcatOffset {
    std::int64_t concat_dim = 0, n = 1;
    static constexpr const char* name = "ConcatOffset";
    static constexpr bool variadic = true, differentiable = false;
    static constexpr std::array<TypeAttr, 0> types{};
    template <class Self = ConcatOffset> static constexpr auto params = members(const_input("concat_dim", &Self::concat_dim, 0), attr("N", &Self::n));
    static constexpr DType input_type(std::size_t, DType) { return index_dtype; }
    template <class = void> int output_count() const { return static_cast<int>(n); }
    template <class = void> DType output_type(int, std::span<const Ref> in) const { return in[1].dtype; }
    template <class = void> Inferred infer(std::span<const Dims> x) const {
        if (static_cast<std::int64_t>(x.size()) != n || n < 1) return reject("[ConcatOffset] ", static_cast<std::int64_t>(x.size()), " shapes, N is ", n);
        Dims shape = x[0];
        for (const Dims& d : x) {
            bool fit = d.rank == 1;
            shape = merge(shape, d, fit);
            if (!fit) return reject("[ConcatOffset] shapes are vectors of one length: ", x[0], " and ", d);
        }
        if (shape[0] != dyn && !detail::inside(concat_dim, static_cast<int>(shape[0]))) return reject("[ConcatOffset] axis ", concat_dim, " of ", shape[0]);
        return shape;
    }
    template <class T> void compute(const Call& c) const {
        if (c.out[0]->dtype == DType::int64) offsets<std::int64_t>(c);
        else offsets<std::int32_t>(c);
    }

private:
    template <class T> void offsets(const Call& c) const {
        T at = 0;
        for (std::size_t k = 0; k < c.out.size(); ++k) {
            const auto y = c.output<T>(k);
            const int axis = detail::from_front(concat_dim, static_cast<int>(y.size()));
            for (int i = 0; i < static_cast<int>(y.size()); ++i) {
                if (i != axis && index_at(*c.in[k + 1], i) != index_at(*c.in[1], i)) throw ValueError("[ConcatOffset] shape " + std::to_string(k) + " differs from the first along axis " + std::to_string(i));
                y[i] = i == axis ? at : T(0);
            }
            at = static_cast<T>(at + static_cast<T>(index_at(*c.in[k + 1], axis)));
        }
    }
};

namespace detail {
/// Every output its part of x, one after the other along an axis.
template <class T> void cut_parts(const Call& c, const View<const T>& x, std::int64_t axis) {
    const int a = from_front(axis, x.dims.rank);
    const auto outer = product(x.dims, 0, a), inner = product(x.dims, a + 1, x.dims.rank);
    const T* from = x.data;
    for (std::size_t k = 0; k < c.out.size(); ++k) {
        const auto run = c.out[k]->dims[a] * inner;
        cut_part(from, x.dims[a] * inner, c.output<T>(k).data, run, outer);
        from += run;
    }
}
/// Of g, what belongs to each of the tensors that were put together.
template <class = void> [[gnu::noinline]] std::vector<Output> parts_of(const Output& g, const std::vector<Output>& x, const std::int64_t* known, Output axis, const OpTable& slice, const OpTable& shape_n, const OpTable& rank) {
    bool fixed = known;
    for (const Output& part : x) fixed = fixed && part.dims().ranked() && part.dims()[from_front(*known, part.dims().rank)] != dyn;
    std::vector<Output> all;
    std::int64_t at = 0;
    for (std::size_t k = 0; fixed && k < x.size(); ++k) {
        const Dims& d = x[k].dims();
        const int a = from_front(*known, d.rank);
        Slice s{Dims::filled(d.rank, 0), Dims::filled(d.rank, -1)};
        s.begin[a] = at, s.size[a] = d[a];
        at += d[a];
        all.push_back(apply(slice, shared_op(s), {g}));
    }
    if (fixed) return all;
    const auto n = static_cast<std::int64_t>(x.size());
    if (axis.dtype() != DType::int32) axis = make<std::int32_t>(Cast{}, {axis});
    const auto shapes = outputs_of(applied(shape_n, ShapeN{DType::int32, n}, x), x.size());
    std::vector<Output> with_axis{make<std::int32_t>(FloorMod{}, {axis, applied(rank, Rank{}, {x[0]})})};
    with_axis.insert(with_axis.end(), shapes.begin(), shapes.end());
    const auto begins = outputs_of(make<std::int32_t>(ConcatOffset{0, n}, with_axis), x.size());
    for (std::size_t k = 0; k < x.size(); ++k) all.push_back(refined(applied(slice, Slice{}, {g, begins[k], shapes[k]}), x[k].dims()));
    return all;
}
/// What Concat and ConcatV2 share; the axis is the input `O::at`.
template <class O> struct Concatenation {
    std::int64_t axis = 0;
    static constexpr bool variadic = true, moves = true;

    constexpr Inferred infer(std::span<const Dims> x) const {
        if (x.empty()) return reject("[", O::name, "] has nothing to put together");
        if (!inside(axis, x[0].rank)) return reject("[", O::name, "] axis ", axis, " is outside ", x[0]);
        const int a = from_front(axis, x[0].rank);
        Dims y = x[0];
        for (std::size_t k = 1; k < x.size(); ++k) {
            bool fit = x[k].rank == y.rank;
            for (int i = 0; fit && i < y.rank; ++i) {
                if (i != a) y[i] = merge(y[i], x[k][i], fit);
                else y[i] = y[i] == dyn || x[k][i] == dyn ? dyn : y[i] + x[k][i];
            }
            if (!fit) return reject("[", O::name, "] shapes differ beside axis ", axis, ": ", x[0], " and ", x[k]);
        }
        return y;
    }
    Inferred infer_open(std::span<const Dims> x) const { return x.empty() ? Inferred(Dims::unranked()) : Dims::filled(x[0].rank, dyn); }
    template <class T> void compute(const Call& c) const {
        const auto y = c.output<T>(0);
        const int a = from_front(axis, y.dims.rank);
        const auto outer = product(y.dims, 0, a), inner = product(y.dims, a + 1, y.dims.rank);
        T* to = y.data;
        for (std::size_t k = 0; k < c.in.size(); ++k) {
            if (k == (O::at < 0 ? c.in.size() - 1 : 0)) continue;
            const auto run = c.in[k]->dims[a] * inner;
            join_part(c.input<T>(k).data, run, to, y.dims[a] * inner, outer);
            to += run;
        }
    }
    template <class T> static std::vector<Output> gradient(const RunTime<O>& self, const Node<T>& g, const Node<T>&, const Inputs<T>& x) {
        return parts_of(g, x.x, self.complete ? &self.op.axis : nullptr, self.at->inputs[O::at < 0 ? x.size() : 0], table_of<Slice, T>(), table_of<ShapeN, T>(), table_of<Rank, T>());
    }
};
}  // namespace detail

/// Tensors one after the other along an axis.
///
/// Shapes    x [.., n_k, ..] each, axis [] -> [.., sum of n_k, ..]
/// Gradient  each its part of g
/// Errors    "[ConcatV2] shapes differ beside axis 1: [2,1] and [3,1]"
struct ConcatV2 : detail::Concatenation<ConcatV2> {
    static constexpr const char* name = "ConcatV2";
    static constexpr int at = -1;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::count, "N"}, TypeAttr{TypeAttr::input, "Tidx", -1}};
    template <class Self = ConcatV2> static constexpr auto params = members(const_input("axis", &Self::axis, -1));
};
/// The same, with the axis as the first input.
struct Concat : detail::Concatenation<Concat> {
    static constexpr const char* name = "Concat";
    static constexpr int at = 0;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::count, "N"}};
    template <class Self = Concat> static constexpr auto params = members(const_input("concat_dim", &Self::axis, 0));
};

/// A tensor in equal parts along an axis.
///
/// Shapes    split_dim [], x [.., n, ..] -> [.., n / num_split, ..] each, num_split of them
/// Gradient  ConcatV2
/// Errors    "[Split] axis 0 of [3,2] does not divide into 2"
struct Split {
    std::int64_t split_dim = 0, num_split = 1;
    static constexpr const char* name = "Split";
    static constexpr int arity = 1;
    static constexpr bool moves = true, all_outputs = true;
    template <class Self = Split> static constexpr auto params = members(const_input("split_dim", &Self::split_dim, 0), attr("num_split", &Self::num_split));
    template <class = void> int output_count() const { return static_cast<int>(num_split); }
    constexpr Inferred infer(const Dims& x) const {
        if (!detail::inside(split_dim, x.rank)) return reject("[Split] axis ", split_dim, " is outside ", x);
        Dims y = x;
        const int a = detail::from_front(split_dim, x.rank);
        if (num_split < 1 || num_split > detail::most_outputs || (x[a] != dyn && x[a] % num_split)) return reject("[Split] axis ", split_dim, " of ", x, " does not divide into ", num_split);
        if (x[a] != dyn) y[a] = x[a] / num_split;
        return y;
    }
    template <class = void> Inferred infer_open(std::span<const Dims> x) const { return Dims::filled(x[0].rank, dyn); }
    constexpr bool splits_columns(const Dims& x) const { return x.rank == 2 && detail::from_front(split_dim, 2) == 1; }
    template <class T> void compute(const Call& c) const { detail::cut_parts(c, c.input<T>(1), split_dim); }
    template <class T> static auto gradient(const RunTime<Split>& self, const detail::Adjoints<T>& g, const Node<T>& y, const Node<T>&) {
        auto parts = detail::every_adjoint(g, y, self.op.output_count());
        parts.push_back(self.at->inputs[0]);
        return std::tuple(make<T>(ConcatV2{}, std::move(parts)));
    }
};

/// A tensor in parts of given sizes along an axis; one size may be -1: whatever is left.
///
/// Shapes    x [.., n, ..], size_splits [k], split_dim [] -> [.., size_k, ..] each
/// Gradient  ConcatV2
/// Errors    "[SplitV] sizes 2, 3 do not add up to 6 along axis 0 of [6]"
struct SplitV {
    std::int64_t num_split = 1;
    static constexpr const char* name = "SplitV";
    static constexpr int arity = 3;
    static constexpr bool moves = true, all_outputs = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tlen", 1}};
    template <class Self = SplitV> static constexpr auto params = members(attr("num_split", &Self::num_split));
    static constexpr bool needs(std::size_t i, std::size_t) { return i > 0; }
    static constexpr DType input_type(std::size_t i, DType self) { return i ? index_dtype : self; }
    template <class = void> int output_count() const { return static_cast<int>(num_split); }
    template <class = void> Inferred infer_refs(std::span<const Ref> in) const {
        const Dims& x = in[0].dims;
        if (in[1].dims.ranked() && in[1].dims != Dims{dyn} && in[1].dims != Dims{num_split}) return reject("[SplitV] sizes are ", in[1].dims, ", num_split is ", num_split);
        if (in[2].dims.ranked() && in[2].dims.size() != 1 && in[2].dims.size() != dyn) return reject("[SplitV] axis is ", in[2].dims, ", not a scalar");
        if (num_split < 1 || num_split > detail::most_outputs) return reject("[SplitV] num_split is ", num_split);
        if (!x.ranked() || !in[1].data || !in[2].data) return x.ranked() ? Dims::filled(x.rank, dyn) : x;
        if (!detail::inside(index_at(in[2], 0), x.rank)) return reject("[SplitV] axis ", index_at(in[2], 0), " is outside ", x);
        const int a = detail::from_front(index_at(in[2], 0), x.rank);
        std::int64_t sum = 0, open = 0;
        bool fit = true;
        for (std::int64_t k = 0; k < num_split; ++k) {
            const auto n = index_at(in[1], k);
            if (n == -1) ++open;
            else fit = fit && n >= 0 && !__builtin_add_overflow(sum, n, &sum);
        }
        if (fit && x[a] != dyn) fit = open ? sum <= x[a] : sum == x[a];
        if (!fit || open > 1) return reject("[SplitV] sizes that add up to ", sum, " do not fit axis ", a, " of ", x);
        return x;
    }
    template <class = void> std::vector<Dims> output_dims(std::span<const Ref> in) const {
        const Dims& x = in[0].dims;
        std::vector<Dims> all(static_cast<std::size_t>(num_split), x.ranked() ? Dims::filled(x.rank, dyn) : x);
        if (!x.ranked() || !in[1].data || !in[2].data) return all;
        const int a = detail::from_front(index_at(in[2], 0), x.rank);
        std::int64_t rest = x[a];
        for (std::int64_t k = 0; k < num_split; ++k) if (index_at(in[1], k) != -1 && x[a] != dyn) rest -= index_at(in[1], k);
        for (std::int64_t k = 0; k < num_split; ++k) {
            auto& y = all[static_cast<std::size_t>(k)] = x;
            y[a] = index_at(in[1], k) == -1 ? rest : index_at(in[1], k);
        }
        return all;
    }
    template <class T> void compute(const Call& c) const { detail::cut_parts(c, c.input<T>(0), index_at(*c.in[2], 0)); }
    template <class T> static auto gradient(const RunTime<SplitV>& self, const detail::Adjoints<T>& g, const Node<T>& y, const Node<T>&, const auto&, const auto& axis) {
        auto parts = detail::every_adjoint(g, y, self.op.output_count());
        parts.push_back(axis);
        return std::tuple(make<T>(ConcatV2{}, std::move(parts)), no_gradient{}, no_gradient{});
    }
};

/// `concat<1>(a, b)`: tensors one after the other along an axis.
template <std::int64_t axis, GraphOperand... X> requires(sizeof...(X) > 0) auto concat(const X&... x) { return call(Constant<ConcatV2{{axis}}>{}, x...); }
/// `split<2, 1>(x)`: a tuple of `num` equal parts along an axis.
template <std::int64_t num, std::int64_t axis = 0, GraphOperand X> auto split(const X& x) {
    const auto first = call(Constant<Split{axis, num}>{}, x);
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return std::tuple(std::remove_const_t<decltype(first)>(Output{first.operation, static_cast<int>(I)})...);
    }(std::make_index_sequence<static_cast<std::size_t>(num)>{});
}

}  // namespace tenon
