// Constants as operations, and where the table of an op is found.
#pragma once
#include "make_operation.hpp"

namespace tenon {

template <class T, class S = Unranked> struct Node;
struct any {};  ///< the element type of a tensor whose dtype is only known at run time

/// Whichever of float, double, half and bfloat16: a list of ops has one rule for all of them, of which every operation takes the type of its inputs.
struct any_float {};
template <> inline constexpr DType dtype_of<any_float> = any_float_dtype;

/// A tensor that is part of the graph.
///
/// Values    every dtype that a Tensor holds
/// Gradient  none
struct Const {
    Tensor value;
    static constexpr const char* name = "Const";
    static constexpr int arity = 0;
    static constexpr bool differentiable = false;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "dtype"}};
    template <class Self = Const> static constexpr auto params = members(attr("value", &Self::value));
    template <class = void> Inferred infer() const { return value.dims(); }
    static Tensor known(const Const& c, std::span<const Ref>, int) { return c.value; }
};
struct AddN;

namespace detail {
template <class O, class T> consteval OpTable make_table();
template <class O, class T> consteval OpTable make_listed_table();
}
template <class O, class T> inline constexpr OpTable table = detail::make_table<O, T>();
/// The same in a list of ops, where one rule serves all floating types.
template <class O, class T> inline constexpr OpTable listed_table = detail::make_listed_table<O, T>();

#ifdef TENON_PREBUILT
/// In the static library: the table of its index. Errors: UnsupportedError if the library's list does not have it.
const OpTable& prebuilt_table(std::string_view name, DType dtype);
#endif
/// The table of an op for an element type, wherever its kernels were compiled: in this program, or in the static library.
template <class O, class T> const OpTable& table_of() {
#ifdef TENON_PREBUILT
    if constexpr (std::is_same_v<T, any_float>) {
        return table<O, T>;
    } else {
        static const OpTable& found = prebuilt_table(O::name, dtype_of<T>);
        return found;
    }
#else
    return table<O, T>;
#endif
}

/// A constant as an operation.
template <class = void> [[gnu::noinline]] Output make_const(const OpTable& table, Tensor value, std::string_view name) {
    return make_operation(table, std::make_shared<Const>(Const{std::move(value)}), {}, name);
}
template <class T> Output make_const(Tensor value, std::string_view name = {}) { return make_const(table_of<Const, T>(), std::move(value), name); }

/// `value` as a constant of the element type of `like`, which is a T.
template <class T> Output scalar_like(const Output& like, double value) {
    if constexpr (!std::is_same_v<T, any_float>) {
        return make_const<T>(Tensor::scalar(static_cast<T>(value)));
    } else {
        const auto as = [&]<class F>(std::type_identity<F>) { return make_const(listed_table<Const, F>, Tensor::scalar(static_cast<F>(value)), {}); };
        switch (like.dtype()) {
            case DType::float64: return as(std::type_identity<double>{});
            case DType::half: return as(std::type_identity<half>{});
            case DType::bfloat16: return as(std::type_identity<bfloat16>{});
            default: return as(std::type_identity<float>{});
        }
    }
}

namespace detail {

template <class O> inline constexpr O stateless{};
template <class = void> [[gnu::noinline]] std::shared_ptr<void> owned(void* op, void (*destroy)(void*)) { return {op, destroy}; }
/// An op by pointer. One kind of owner for all of them: a kind each would be half of what a row of the list of ops costs to compile.
template <class O> std::shared_ptr<void> shared_op(O op) {
    if constexpr (std::is_empty_v<O>) return {std::shared_ptr<void>(), const_cast<O*>(&stateless<O>)};
    else return owned(new O(std::move(op)), [](void* p) { delete static_cast<O*>(p); });
}

template <class T> inline constexpr bool is_small_float = std::is_same_v<T, half> || std::is_same_v<T, bfloat16>;

}  // namespace detail

}  // namespace tenon
