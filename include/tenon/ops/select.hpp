// One of two, element by element: by a condition, by size, between bounds.
#pragma once
#include "round.hpp"

namespace tenon {

namespace detail {
/// y = t where c, else e: elements are moved, so once per width.
template <class T> void select_elements(const Call& c, const Layouts& layouts) {
    Reader<bool> condition;
    std::array<Reader<T>, 2> value;
    condition.open(*c.in[0], layouts.each[0], layouts.cuts);
    for (std::size_t k = 0; k < 2; ++k) value[k].open(*c.in[k + 1], layouts.each[k + 1], layouts.cuts);
    T* const y = static_cast<T*>(c.out[0]->data);
    layouts.cuts.each([&](std::int64_t i, std::int64_t n) {
        const bool* p = condition.at(i, n);
        const T *t = value[0].at(i, n), *e = value[1].at(i, n);
        for (std::int64_t k = 0; k < n; ++k) y[i + k] = p[k] ? t[k] : e[k];
    });
}
}  // namespace detail

/// t where the condition holds, else e; all three broadcast.
///
/// Shapes    condition [..] bool, t [..], e [..] -> [..] broadcast
/// Values    what is not chosen does not matter, be it NaN
/// Gradient  g to what was chosen, 0 to the other
struct SelectV2 {
    static constexpr const char* name = "SelectV2";
    static constexpr int arity = 3, type_input = 1;
    static constexpr bool moves = true;
    static constexpr DType input_type(std::size_t i, DType self) { return i ? self : DType::boolean; }
    static constexpr Inferred infer(const Dims& c, const Dims& t, const Dims& e) {
        const Inferred values = broadcast(name, t, e);
        return values.ok() ? broadcast(name, c, values.dims[0]) : values;
    }
    template <class = void> std::shared_ptr<const void> prepare(std::span<const Ref* const> in, std::span<const Ref* const> out) const { return detail::prepare_elementwise(nullptr, in, out); }
    template <class T> void compute(const Call& c) const { detail::select_elements<T>(c, *static_cast<const Layouts*>(c.prepared)); }
    static auto forward(const auto& c, const auto& t, const auto& e) { return detail::pick(c, t, e); }
    static auto gradient(auto, auto g, auto, auto c, auto t, auto e) {
        const auto zero = number_like(g, 0);
        return std::tuple(no_gradient{}, sum_to(call(Constant<SelectV2{}>{}, c, g, zero), t), sum_to(call(Constant<SelectV2{}>{}, c, zero, g), e));
    }
};
/// The old choice: t and e are of one shape, the condition of the same, a scalar, or a vector that chooses rows.
///
/// Shapes    condition [..] or [] or [n] bool, t [n, ..], e [n, ..] -> [n, ..]
struct Select {
    static constexpr const char* name = "Select";
    static constexpr int arity = 3, type_input = 1;
    static constexpr bool moves = true;
    static constexpr DType input_type(std::size_t i, DType self) { return i ? self : DType::boolean; }
    static constexpr Inferred infer(const Dims& c, const Dims& t, const Dims& e) {
        bool fit = true;
        const Dims y = merge(t, e, fit);
        if (!fit) return reject("[Select] values differ in shape: ", t, " and ", e);
        if (c.rank != 0 && !compatible(c, y) && !(c.rank == 1 && y.rank > 0 && compatible(c, Dims{y[0]}))) return reject("[Select] condition ", c, " for values ", y);
        return y;
    }
    /// A vector of conditions is read as a column.
    template <class = void> std::shared_ptr<const void> prepare(std::span<const Ref* const> in, std::span<const Ref* const> out) const {
        const Dims& y = out[0]->dims;
        Ref condition = *in[0];
        if (condition.dims.rank == 1 && y.rank > 1) while (condition.dims.rank < y.rank) condition.dims.push(1);
        const Ref* read[] = {&condition, in[1], in[2]};
        return std::make_shared<Layouts>(read, 3, y, y.size());
    }
    template <class T> void compute(const Call& c) const { detail::select_elements<T>(c, *static_cast<const Layouts*>(c.prepared)); }
    static auto forward(const auto& c, const auto& t, const auto& e) { return detail::pick(c, t, e); }
    static auto gradient(auto, auto g, auto, auto c, auto, auto) {
        const auto zeros = zeros_like(g);
        return std::tuple(no_gradient{}, call(Constant<Select{}>{}, c, g, zeros), call(Constant<Select{}>{}, c, zeros, g));
    }
};

/// `select(a < b, a, 0.0f)`: t where the condition holds, else e.
template <Operand C, class A, class B> requires Operands<A, B> auto select(C&& c, A&& t, B&& e) {
    if constexpr (Number<std::remove_cvref_t<A>>) {
        const auto number = number_like(e, t);
        return call(Constant<SelectV2{}>{}, std::forward<C>(c), number, std::forward<B>(e));
    } else if constexpr (Number<std::remove_cvref_t<B>>) {
        const auto number = number_like(t, e);
        return call(Constant<SelectV2{}>{}, std::forward<C>(c), std::forward<A>(t), number);
    } else {
        return call(Constant<SelectV2{}>{}, std::forward<C>(c), std::forward<A>(t), std::forward<B>(e));
    }
}

/// The larger of two.
///
/// Values    NaN where either is
/// Gradient  to the larger; to the first where they are equal
struct Maximum : Binary<Maximum> {
    static constexpr const char* name = "Maximum";
    static auto forward(const auto& a, const auto& b) { return a.max(b); }
    static auto element(auto a, auto b) { return a < b ? b : a; }
    static auto gradient(auto, auto g, auto, auto a, auto b) {
        const auto first = greater_equal(a, b);
        return std::tuple(sum_to(select(first, g, 0), a), sum_to(select(first, 0, g), b));
    }
};
/// The smaller of two; otherwise as Maximum.
struct Minimum : Binary<Minimum> {
    static constexpr const char* name = "Minimum";
    static auto forward(const auto& a, const auto& b) { return a.min(b); }
    static auto element(auto a, auto b) { return b < a ? b : a; }
    static auto gradient(auto, auto g, auto, auto a, auto b) {
        const auto first = less_equal(a, b);
        return std::tuple(sum_to(select(first, g, 0), a), sum_to(select(first, 0, g), b));
    }
};
template <class A, class B> requires Operands<A, B> auto maximum(A&& a, B&& b) { return detail::call_with_number<Maximum{}>(std::forward<A>(a), std::forward<B>(b)); }
template <class A, class B> requires Operands<A, B> auto minimum(A&& a, B&& b) { return detail::call_with_number<Minimum{}>(std::forward<A>(a), std::forward<B>(b)); }

/// x, but no less than `low` and no more than `high`.
///
/// Shapes    x [..], low and high [] or as x -> as x
/// Gradient  to x inside the bounds, to a bound where x is beyond it
struct ClipByValue {
    static constexpr const char* name = "ClipByValue";
    static constexpr int arity = 3;
    static constexpr bool elementwise = true;
    static constexpr Inferred infer(const Dims& x, const Dims& low, const Dims& high) {
        for (const Dims& bound : {low, high}) if (bound.rank != 0 && !compatible(x, bound)) return reject("[ClipByValue] bound ", bound, " for ", x);
        return x;
    }
    static auto forward(const auto& x, const auto& low, const auto& high) { return x.min(high).max(low); }
    static auto element(auto x, auto low, auto high) { return std::max(std::min(x, high), low); }
    static auto gradient(auto, auto g, auto, auto x, auto low, auto high) {
        const auto below = less(x, low);
        const auto above = greater(x, high);
        return std::tuple(select(logical_or(below, above), 0, g), sum_to(select(below, g, 0), low), sum_to(select(above, g, 0), high));
    }
};
template <Operand X, class L, class H> auto clip_by_value(X&& x, L&& low, H&& high) {
    const auto bound = [&](auto&& b) {
        if constexpr (Number<std::remove_cvref_t<decltype(b)>>) return number_like(x, b);
        else return std::forward<decltype(b)>(b);
    };
    auto l = bound(std::forward<L>(low));
    auto h = bound(std::forward<H>(high));
    return call(Constant<ClipByValue{}>{}, std::forward<X>(x), std::move(l), std::move(h));
}

}  // namespace tenon
