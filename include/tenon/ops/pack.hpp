// Tensors of one shape along a new axis, and a tensor cut into such.
#pragma once
#include "../tensor/strided.hpp"
#include "fill.hpp"

namespace tenon {

namespace detail {
/// Copies between a tensor and its parts along one axis: every part has its run of elements in each of `outer` rows.
template <class T> void join_part(const T* part, std::int64_t run, T* whole, std::int64_t row, std::int64_t outer) {
    for (std::int64_t i = 0; i < outer; ++i) std::copy_n(part + i * run, run, whole + i * row);
}
template <class T> void cut_part(const T* whole, std::int64_t row, T* part, std::int64_t run, std::int64_t outer) {
    for (std::int64_t i = 0; i < outer; ++i) std::copy_n(whole + i * row, run, part + i * run);
}
inline constexpr std::int64_t most_outputs = 1 << 16;  ///< a file may ask for any number
constexpr bool inside(std::int64_t axis, int rank) { return axis >= -rank && axis < rank; }
constexpr int from_front(std::int64_t axis, int rank) { return static_cast<int>(axis < 0 ? axis + rank : axis); }
/// Paddings and crops that can be added to extents.
constexpr bool are_widths(const Ints& list) {
    for (const auto n : list) if (n < 0 || n > most_elements) return false;
    return true;
}
/// What arrived at the outputs, zeros where nothing did.
template <class T> std::vector<Output> every_adjoint(const detail::Adjoints<T>& g, const Node<T>& y, int count) {
    std::vector<Output> all;
    for (int i = 0; i < count; ++i) all.push_back(g.has(i) ? Output(g[i]) : Output(zeros_of_shape(y.output(i))));
    return all;
}
template <class = void> std::vector<Output> outputs_of(const Output& o, std::size_t n) {
    std::vector<Output> all;
    for (std::size_t i = 0; i < n; ++i) all.push_back({o.operation, static_cast<int>(i)});
    return all;
}
}  // namespace detail

/// Tensors of one shape along a new axis.
///
/// Shapes    x [..] each, N of them -> [.., N, ..]; the new axis is `axis` of the result
/// Gradient  Unpack
/// Errors    "[Pack] shapes differ: [2] and [3]"
struct Pack {
    std::int64_t axis = 0;
    static constexpr const char* name = "Pack";
    static constexpr bool variadic = true, moves = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::count, "N"}};
    template <class Self = Pack> static constexpr auto params = members(attr("axis", &Self::axis));
    constexpr Inferred infer(std::span<const Dims> x) const {
        if (x.empty()) return reject("[Pack] has nothing to put together");
        Dims part = x[0];
        for (const Dims& d : x) {
            bool fit = true;
            part = merge(part, d, fit);
            if (!fit) return reject("[Pack] shapes differ: ", x[0], " and ", d);
        }
        if (!detail::inside(axis, part.rank + 1)) return reject("[Pack] axis ", axis, " is outside the result of ", part);
        const int a = detail::from_front(axis, part.rank + 1);
        Dims y;
        for (int i = 0; i <= part.rank; ++i) {
            if (i == a) y.push(static_cast<std::int64_t>(x.size()));
            if (i < part.rank) y.push(part[i]);
        }
        return y;
    }
    template <class T> void compute(const Call& c) const {
        const auto y = c.output<T>(0);
        const int a = detail::from_front(axis, y.dims.rank);
        const auto outer = product(y.dims, 0, a), run = product(y.dims, a + 1, y.dims.rank);
        for (std::size_t k = 0; k < c.in.size(); ++k) detail::join_part(c.input<T>(k).data, run, y.data + static_cast<std::int64_t>(k) * run, y.dims[a] * run, outer);
    }
    template <class T> static std::vector<Output> gradient(const RunTime<Pack>& self, const Node<T>& g, const Node<T>&, const detail::Inputs<T>& x);
};

/// A tensor cut into its parts along an axis, which goes.
///
/// Shapes    x [.., num, ..] -> [..] each, num of them
/// Gradient  Pack
/// Errors    "[Unpack] axis 0 of [2,3] has not 4 parts"
struct Unpack {
    std::int64_t num = 1, axis = 0;
    static constexpr const char* name = "Unpack";
    static constexpr int arity = 1;
    static constexpr bool moves = true, all_outputs = true;
    template <class Self = Unpack> static constexpr auto params = members(attr("num", &Self::num), attr("axis", &Self::axis));
    template <class = void> int output_count() const { return static_cast<int>(num); }
    constexpr Inferred infer(const Dims& x) const {
        if (!detail::inside(axis, x.rank)) return reject("[Unpack] axis ", axis, " is outside ", x);
        const int a = detail::from_front(axis, x.rank);
        if (num < 0 || num > detail::most_outputs || (x[a] != dyn && x[a] != num)) return reject("[Unpack] axis ", axis, " of ", x, " has not ", num, " parts");
        Dims y;
        for (int i = 0; i < x.rank; ++i) if (i != a) y.push(x[i]);
        return y;
    }
    template <class T> void compute(const Call& c) const {
        const auto x = c.input<T>(0);
        const int a = detail::from_front(axis, x.dims.rank);
        const auto outer = product(x.dims, 0, a), run = product(x.dims, a + 1, x.dims.rank);
        for (std::size_t k = 0; k < c.out.size(); ++k) detail::cut_part(x.data + static_cast<std::int64_t>(k) * run, x.dims[a] * run, c.output<T>(k).data, run, outer);
    }
    template <class T> static auto gradient(const RunTime<Unpack>& self, const detail::Adjoints<T>& g, const Node<T>& y, const Node<T>&) {
        return std::tuple(make<T>(Pack{self.op.axis}, detail::every_adjoint(g, y, self.op.output_count())));
    }
};

template <class T> std::vector<Output> Pack::gradient(const RunTime<Pack>& self, const Node<T>& g, const Node<T>&, const detail::Inputs<T>& x) {
    return detail::outputs_of(make<T>(Unpack{static_cast<std::int64_t>(x.size()), self.op.axis}, {g}), x.size());
}

/// `stack<axis>(a, b, c)`: tensors of one shape along a new axis.
template <std::int64_t axis = 0, GraphOperand... X> requires(sizeof...(X) > 0) auto stack(const X&... x) { return call(Constant<Pack{axis}>{}, x...); }
/// `unstack<axis>(x)`: a tuple of the parts along an axis, whose extent the type says.
template <std::int64_t axis = 0, GraphOperand X> auto unstack(const X& x) {
    constexpr std::int64_t n = shape_of<X>::dims[static_cast<int>(axis)];
    const auto first = call(Constant<Unpack{n, axis}>{}, x);
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return std::tuple(std::remove_const_t<decltype(first)>(Output{first.operation, static_cast<int>(I)})...);
    }(std::make_index_sequence<static_cast<std::size_t>(n)>{});
}

}  // namespace tenon
