// Vectors as sets: Unique, and ListDiff. How many elements there are is known when a plan is made: its shape rule reads them.
#pragma once
#include "../expr/node.hpp"

namespace tenon {

namespace detail {
template <class T> std::span<const T> vector_of(const Ref& r) { return {static_cast<const T*>(r.data), static_cast<std::size_t>(r.dims.size())}; }
/// NaN equals nothing, itself included.
template <class T> bool is_itself(const T& v) { return v == v; }
/// For every element where its first equal is.
template <class T> std::vector<std::size_t> first_equal(std::span<const T> v) {
    std::vector<std::size_t> first(v.size()), order;
    for (std::size_t i = 0; i < v.size(); ++i) {
        first[i] = i;
        if (is_itself(v[i])) order.push_back(i);
    }
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return v[a] != v[b] ? v[a] < v[b] : a < b; });
    for (std::size_t k = 1; k < order.size(); ++k) if (v[order[k]] == v[order[k - 1]]) first[order[k]] = first[order[k - 1]];
    return first;
}
/// f(std::type_identity<T>()) for the C++ type of the elements.
template <class F> auto with_set_type(DType t, F f) {
    switch (t) {
        case DType::int32: return f(std::type_identity<std::int32_t>{});
        case DType::int64: return f(std::type_identity<std::int64_t>{});
        case DType::float64: return f(std::type_identity<double>{});
        case DType::string: return f(std::type_identity<std::string>{});
        default: return f(std::type_identity<float>{});
    }
}
template <class = void> void put_index(const Ref& to, std::size_t i, std::int64_t v) {
    if (to.dtype == DType::int64) static_cast<std::int64_t*>(to.data)[i] = v;
    else static_cast<std::int32_t*>(to.data)[i] = static_cast<std::int32_t>(v);
}
}  // namespace detail

/// The elements of x, each once, in the order in which they come first, and which of them each element of x is.
///
/// Shapes    x [n] -> [k], [n]; k depends on the elements
/// Values    idx int32 or int64
/// Gradient  none
/// Errors    "[Unique] [2,3] is not a vector"
struct Unique {
    DType out_idx = DType::int32;
    static constexpr const char* name = "Unique";
    static constexpr int arity = 1, outputs = 2;
    static constexpr bool differentiable = false;
    template <class Self = Unique> static constexpr auto params = members(attr("out_idx", &Self::out_idx));
    static constexpr bool needs(std::size_t, std::size_t) { return true; }
    template <class = void> DType output_type(int i, std::span<const Ref> in) const { return i ? out_idx : in[0].dtype; }
    template <class T> static std::int64_t count(const Ref& x) {
        const auto first = detail::first_equal(detail::vector_of<T>(x));
        std::int64_t n = 0;
        for (std::size_t i = 0; i < first.size(); ++i) n += first[i] == i;
        return n;
    }
    template <class = void> Inferred infer_refs(std::span<const Ref> in) const {
        const Ref& x = in[0];
        if (!compatible(x.dims, {dyn})) return reject("[Unique] ", x.dims, " is not a vector");
        if (!x.data) return Inferred{Dims{dyn}, x.dims.ranked() ? x.dims : Dims{dyn}};
        return Inferred{Dims{detail::with_set_type(x.dtype, [&]<class T>(std::type_identity<T>) { return count<T>(x); })}, x.dims};
    }
    template <class T> void compute(const Call& c) const {
        const auto x = detail::vector_of<T>(*c.in[0]);
        const auto first = detail::first_equal(x);
        std::vector<std::int64_t> number(x.size());
        std::int64_t n = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            if (first[i] == i) c.output<T>(0).data[number[i] = n++] = x[i];
            detail::put_index(*c.out[1], i, number[first[i]]);
        }
    }
};

/// The elements of x that y does not have, and where they are.
///
/// Shapes    x [n], y [m] -> [k], [k]; k depends on the elements
/// Values    idx int32 or int64
/// Gradient  none
/// Errors    "[ListDiff] [2,3] is not a vector"
struct ListDiff {
    DType out_idx = DType::int32;
    static constexpr const char* name = "ListDiff";
    static constexpr int arity = 2, outputs = 2;
    static constexpr bool differentiable = false;
    template <class Self = ListDiff> static constexpr auto params = members(attr("out_idx", &Self::out_idx));
    static constexpr bool needs(std::size_t, std::size_t) { return true; }
    template <class = void> DType output_type(int i, std::span<const Ref> in) const { return i ? out_idx : in[0].dtype; }
    /// f(place) for every element of x that y does not have.
    template <class T, class F> static void each(const Ref& x, const Ref& y, F f) {
        std::vector<T> gone;
        for (const T& v : detail::vector_of<T>(y)) if (detail::is_itself(v)) gone.push_back(v);
        std::sort(gone.begin(), gone.end());
        const auto all = detail::vector_of<T>(x);
        for (std::size_t i = 0; i < all.size(); ++i) if (!detail::is_itself(all[i]) || !std::binary_search(gone.begin(), gone.end(), all[i])) f(i);
    }
    template <class = void> Inferred infer_refs(std::span<const Ref> in) const {
        for (const Ref& r : in) if (!compatible(r.dims, {dyn})) return reject("[ListDiff] ", r.dims, " is not a vector");
        if (!in[0].data || !in[1].data) return Inferred{Dims{dyn}, Dims{dyn}};
        std::int64_t n = 0;
        detail::with_set_type(in[0].dtype, [&]<class T>(std::type_identity<T>) { each<T>(in[0], in[1], [&](std::size_t) { ++n; }); });
        return Inferred{Dims{n}, Dims{n}};
    }
    template <class T> void compute(const Call& c) const {
        std::size_t n = 0;
        each<T>(*c.in[0], *c.in[1], [&](std::size_t i) {
            c.output<T>(0).data[n] = c.input<T>(0)[static_cast<std::int64_t>(i)];
            detail::put_index(*c.out[1], n++, static_cast<std::int64_t>(i));
        });
    }
};

}  // namespace tenon
