// Cast: elements of one type as another.
#pragma once
#include "../expr/node.hpp"

#include <cmath>

namespace tenon {

namespace detail {
/// C++ leaves floats outside the integer's range undefined; x86, and so TensorFlow, gives the smallest integer.
template <class To, class From> To cast_one(From v) {
    if constexpr (std::is_same_v<To, bool>) {
        return v != From(0);
    } else if constexpr (std::is_integral_v<To> && is_small_float<From>) {
        return cast_one<To>(static_cast<float>(v));
    } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
        using Wide = std::conditional_t<(sizeof(To) < 4), std::int32_t, To>;
        constexpr auto low = static_cast<From>(std::numeric_limits<Wide>::min()), high = -static_cast<From>(std::numeric_limits<std::make_signed_t<Wide>>::min());
        if (!(v >= low && v < high)) return static_cast<To>(std::numeric_limits<Wide>::min());
        return static_cast<To>(static_cast<Wide>(v));
    } else if constexpr (is_small_float<To> && !is_small_float<From>) {
        return static_cast<To>(static_cast<float>(v));
    } else if constexpr (is_small_float<To>) {
        return static_cast<To>(static_cast<float>(v));
    } else {
        return static_cast<To>(v);
    }
}

/// Casts n elements from one type to another.
using CastRun = void (*)(const void* from, void* to, std::int64_t n);
template <class From, class To> void cast_run(const void* from, void* to, std::int64_t n) {
    const From* x = static_cast<const From*>(from);
    To* y = static_cast<To*>(to);
    for (std::int64_t i = 0; i < n; ++i) y[i] = cast_one<To>(x[i]);
}
/// What casts elements of type t, one of From; null if it is none of them.
template <class To, class... From> CastRun cast_from(DType t) {
    CastRun found = nullptr;
    ((t == dtype_of<From> ? void(found = &cast_run<From, To>) : void()), ...);
    return found;
}
/// Elements of x as a type of eight bytes that has all their values, and those as what y, elements of `size` bytes, is of. A loop per pair of types would be 169.
template <class = void> void cast_through(CastRun widen, CastRun narrow, const Ref& x, void* y, std::size_t size) {
    if (!widen) throw UnsupportedError("[Cast] from " + std::string(name_of(x.dtype)));
    alignas(64) std::byte tile[8 * block];
    for (std::int64_t i = 0, n; i < x.dims.size(); i += n) {
        n = std::min(block, x.dims.size() - i);
        widen(static_cast<const std::byte*>(x.data) + static_cast<std::size_t>(i) * bytes_of(x.dtype), tile, n);
        narrow(tile, static_cast<std::byte*>(y) + static_cast<std::size_t>(i) * size, n);
    }
}
template <class T> void cast_all(const Ref& x, T* y) {
    if (const auto cast = cast_from<T, float, double, std::int64_t, std::uint64_t>(x.dtype)) cast(x.data, y, x.dims.size());
    else if (is_floating(x.dtype)) cast_through(cast_from<double, half, bfloat16>(x.dtype), &cast_run<double, T>, x, y, sizeof(T));
    else cast_through(cast_from<std::int64_t, bool, std::int8_t, std::int16_t, std::int32_t, std::uint8_t, std::uint16_t, std::uint32_t>(x.dtype), &cast_run<std::int64_t, T>, x, y, sizeof(T));
}
}  // namespace detail

/// x's elements in the element type of `like`; x itself if that is what they are.
template <class T> Node<T> cast_like(const Output& x, const Node<T>& like);

/// Elements as another type.
///
/// Values    float to integer truncates towards zero; integers wrap; bool is 0 and 1, and anything but 0 is true
/// Gradient  g, cast back; none through integers
struct Cast {
    bool truncate = false;
    DType from = DType::invalid;  ///< as the NodeDef says; what counts is the input's own type
    static constexpr const char* name = "Cast";
    static constexpr int arity = 1;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "DstT"}, TypeAttr{TypeAttr::input, "SrcT", 0}};
    template <class Self = Cast> static constexpr auto params = members(attr("Truncate", &Self::truncate));
    static constexpr bool casts = true;
    static constexpr DType input_type(std::size_t, DType) { return any_dtype; }
    static constexpr Inferred infer(const Dims& x) { return x; }
    template <class T> void compute(const Call& c) const { detail::cast_all<T>(*c.in[0], c.output<T>(0).data); }
    template <class T> static std::tuple<Output> gradient(const RunTime<Cast>& self, const Node<T>& g, const Node<T>&, const Node<any>&) {
        const Output& x = self.at->inputs[0];
        if (!is_floating(x.dtype())) return Output{};
        return cast_like(g, Node<any_float>(x));
    }
};
template <class T> Node<T> cast_like(const Output& x, const Node<T>& like) {
    if constexpr (!std::is_same_v<T, any_float>) return x.dtype() == dtype_of<T> ? Node<T>(x) : make<T>(Cast{}, {x});
    else return x.dtype() == like.dtype() ? Node<T>(x) : Node<T>(make_operation(table_of<Cast, T>().of_type(like.dtype()), detail::shared_op(Cast{}), {x}));
}

/// x's elements as Ts.
template <class T, class From, class S> Node<T, S> cast(const Node<From, S>& x) { return Node<T, S>(make<T>(Cast{}, {x})); }
template <class T, class From, class P, class S> Node<T, S> cast(const Apply<From, P, S>& x) { return cast<T>(node(x)); }

}  // namespace tenon
