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
}  // namespace detail

/// Elements as another type.
///
/// Values    float to integer truncates towards zero; integers wrap; bool is 0 and 1, and anything but 0 is true
/// Gradient  g, cast back; none through integers
struct Cast {
    bool truncate = false;
    DType from = DType::invalid;  ///< as the NodeDef says; what counts is the input's own type
    static constexpr const char* name = "Cast";
    static constexpr int arity = 1;
    static constexpr std::array types{TypeAttr{TypeAttr::self, "DstT"}, TypeAttr{TypeAttr::input, "SrcT", 0}};
    static constexpr auto params = members(attr("Truncate", &Cast::truncate));
    static constexpr bool casts = true;
    static constexpr DType input_type(std::size_t, DType) { return any_dtype; }
    static constexpr Inferred infer(const Dims& x) { return x; }
    template <class From, class T> static void convert(const Call& c) {
        const From* x = c.input<From>(0).data;
        T* y = c.output<T>(0).data;
        for (std::int64_t i = 0, n = c.out[0]->dims.size(); i < n; ++i) y[i] = detail::cast_one<T>(x[i]);
    }
    template <class T> void compute(const Call& c) const {
        switch (c.in[0]->dtype) {
            case DType::float32: return convert<float, T>(c);
            case DType::float64: return convert<double, T>(c);
            case DType::int8: return convert<std::int8_t, T>(c);
            case DType::int16: return convert<std::int16_t, T>(c);
            case DType::int32: return convert<std::int32_t, T>(c);
            case DType::int64: return convert<std::int64_t, T>(c);
            case DType::uint8: return convert<std::uint8_t, T>(c);
            case DType::uint16: return convert<std::uint16_t, T>(c);
            case DType::uint32: return convert<std::uint32_t, T>(c);
            case DType::uint64: return convert<std::uint64_t, T>(c);
            case DType::boolean: return convert<bool, T>(c);
            case DType::half: return convert<half, T>(c);
            case DType::bfloat16: return convert<bfloat16, T>(c);
            default: throw UnsupportedError("[Cast] from " + std::string(name_of(c.in[0]->dtype)));
        }
    }
    template <class T> static std::tuple<Output> gradient(const RunTime<Cast>& self, const Node<T>& g, const Node<T>&, const Node<any>&) {
        const Output& x = self.at->inputs[0];
        switch (x.dtype()) {
            case DType::float32: return make<float>(Cast{}, {g});
            case DType::float64: return make<double>(Cast{}, {g});
            case DType::half: return make<half>(Cast{}, {g});
            case DType::bfloat16: return make<bfloat16>(Cast{}, {g});
            default: return Output{};
        }
    }
};

/// x's elements as Ts.
template <class T, class From, class S> Node<T, S> cast(const Node<From, S>& x) { return Node<T, S>(make<T>(Cast{}, {x})); }
template <class T, class From, class P, class S> Node<T, S> cast(const Apply<From, P, S>& x) { return cast<T>(node(x)); }

}  // namespace tenon
