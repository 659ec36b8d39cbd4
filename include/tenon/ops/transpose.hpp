// Axes in another order.
#pragma once
#include "../tensor/strided.hpp"
#include "arithmetic.hpp"
#include "shape.hpp"

namespace tenon {

/// y[x[i]] = i.
///
/// Shapes    x [n] -> [n]
/// Errors    "[InvertPermutation] 3 is not in [0,3), or there twice"
struct InvertPermutation {
    static constexpr const char* name = "InvertPermutation";
    static constexpr int arity = 1;
    static constexpr bool differentiable = false;
    static constexpr Inferred infer(const Dims& x) {
        if (x.rank != 1) return reject("[InvertPermutation] ", x, " is not a vector");
        return x;
    }
    template <class T> void compute(const Call& c) const {
        const auto x = c.input<T>(0);
        const auto y = c.output<T>(0);
        std::fill_n(y.data, y.size(), T(-1));
        for (std::int64_t i = 0; i < x.size(); ++i) {
            const std::int64_t at = x[i];
            if (at < 0 || at >= x.size() || y[at] != T(-1)) throw ValueError("[InvertPermutation] " + std::to_string(at) + " is not in [0," + std::to_string(x.size()) + "), or there twice");
            y[at] = static_cast<T>(i);
        }
    }
};

/// y's axis i is x's axis perm[i].
///
/// Shapes    x [d0, .., dn], perm [n] -> [d_perm0, .., d_permn]
/// Gradient  g with the axes put back
/// Errors    "[Transpose] [0,0,1] is not a permutation of the axes of [2,3,4]"
struct Transpose {
    Dims perm;
    static constexpr const char* name = "Transpose";
    static constexpr int arity = 1;
    static constexpr bool moves = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tperm", 1}};
    template <class Self = Transpose> static constexpr auto params = members(const_input("perm", &Self::perm, 1));
    static constexpr int axis(std::int64_t a, int rank) { return static_cast<int>(a < 0 ? a + rank : a); }
    constexpr Inferred infer(const Dims& x) const {
        std::array<bool, max_rank> used{};
        bool fit = perm.rank == x.rank;
        Dims y;
        for (int i = 0; fit && i < x.rank; ++i) {
            fit = perm[i] < x.rank && perm[i] >= -x.rank;
            if (!fit) break;
            const int from = axis(perm[i], x.rank);
            fit = !used[static_cast<std::size_t>(from)];
            used[static_cast<std::size_t>(from)] = true;
            y.push(x[from]);
        }
        if (!fit) return reject("[Transpose] ", perm, " is not a permutation of the axes of ", x);
        return y;
    }
    template <class = void> Inferred infer_open(std::span<const Dims> x) const { return Dims::filled(x[0].rank, dyn); }
    template <class = void> std::shared_ptr<const void> prepare(std::span<const Ref* const> in, std::span<const Ref* const> out) const {
        auto copy = std::make_shared<StridedCopy>();
        const Dims from = strides_of(in[0]->dims), to = strides_of(out[0]->dims);
        for (int i = 0; i < to.rank; ++i) copy->push({out[0]->dims[i], from[axis(perm[i], to.rank)], to[i]});
        copy->arrange();
        return copy;
    }
    template <class T> void compute(const Call& c) const { static_cast<const StridedCopy*>(c.prepared)->run(c.input<T>(0).data, c.output<T>(0).data); }
    template <class T> static auto gradient(const RunTime<Transpose>& self, const Node<T>& g, const Node<T>&, const Node<T>&) {
        const Output& perm = self.at->inputs[1];
        if (self.complete) {
            Dims back = self.op.perm;
            for (int i = 0; i < back.rank; ++i) back[axis(self.op.perm[i], back.rank)] = i;
            return std::tuple(call(RunTime<Transpose>{Transpose{back}}, g));
        }
        return std::tuple(make<T>(Transpose{}, {g, perm.dtype() == DType::int64 ? inverse<std::int64_t>(perm) : inverse<std::int32_t>(perm)}));
    }

private:
    /// InvertPermutation takes no axes from the end.
    template <class I> static Output inverse(const Output& perm) {
        const Output rank = make_operation(table_of<Size, I>(), detail::shared_op(Size{dtype_of<I>}), {perm});
        return make<I>(InvertPermutation{}, {make<I>(FloorMod{}, {perm, rank})});
    }
};

namespace detail {
template <int rank> constexpr Dims reversed_axes() {
    Dims d;
    for (int i = rank; i-- > 0;) d.push(i);
    return d;
}
}  // namespace detail
/// `transpose<1, 0, 2>(x)`; without arguments, the axes in reverse order.
template <std::int64_t... perm, GraphOperand X> requires(sizeof...(perm) > 0 || shape_of<X>::dims.ranked()) auto transpose(const X& x) {
    if constexpr (sizeof...(perm) > 0) return call(Constant<Transpose{Dims{perm...}}>{}, x);
    else return call(Constant<Transpose{detail::reversed_axes<shape_of<X>::dims.rank>()}>{}, x);
}

}  // namespace tenon
