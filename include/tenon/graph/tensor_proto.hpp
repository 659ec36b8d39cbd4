// Tensor and TensorProto.
//
//     tensor_content    the elements as they stand, little endian, C order; nothing else is used then
//     one field for     float_val: float32    double_val: float64    int_val: all integers of up to 32 bits but uint32, quantised ones too
//     each type         int64_val  uint32_val  uint64_val  bool_val  string_val    half_val: half and bfloat16, 16 bits as an integer
//                       scomplex_val, dcomplex_val: real and imaginary parts in turn    float8_val: a byte each
//     too few values    the last one repeats to the end; none: zeros, empty strings
//
// Source    tensorflow/core/framework/tensor.cc (FromProto); tensorflow/python/framework/tensor_util.py (make_tensor_proto)
#pragma once
#include "../tensor/tensor.hpp"
#include "attr_value.hpp"

namespace tenon::proto {

namespace detail {
/// Values of a typed field: `stride` bytes each, of which the lowest are the element.
struct Values {
    const void* first = nullptr;
    std::size_t count = 0, stride = 1;
};
template <class V> Values values(const std::vector<V>& v, std::size_t numbers_per_element = 1) { return {v.data(), v.size() / numbers_per_element, sizeof(V) * numbers_per_element}; }

inline Values values_of(const TensorProto& p, DType t) {
    switch (t) {
        case DType::float32: return values(p.float_val);
        case DType::float64: return values(p.double_val);
        case DType::int64: return values(p.int64_val);
        case DType::uint32: return values(p.uint32_val);
        case DType::uint64: return values(p.uint64_val);
        case DType::boolean: return values(p.bool_val);
        case DType::half:
        case DType::bfloat16: return values(p.half_val);
        case DType::complex64: return values(p.scomplex_val, 2);
        case DType::complex128: return values(p.dcomplex_val, 2);
        case DType::float8_e5m2:
        case DType::float8_e4m3fn:
        case DType::float8_e4m3fnuz:
        case DType::float8_e4m3b11fnuz:
        case DType::float8_e5m2fnuz:
        case DType::float4_e2m1fn: return {p.float8_val.data(), p.float8_val.size(), 1};
        default: return values(p.int_val);
    }
}
inline bool is_unsigned_integer(DType t) {
    return t == DType::uint8 || t == DType::uint16 || t == DType::quint8 || t == DType::quint16 || t == DType::uint4 || t == DType::uint2 || t == DType::half || t == DType::bfloat16;
}
/// Elements of up to 4 bytes as numbers.
inline std::vector<std::int32_t> widen(const Tensor& x) {
    const auto width = bytes_of(x.dtype());
    const auto unused = 32 - 8 * static_cast<int>(width);
    std::vector<std::int32_t> all(static_cast<std::size_t>(x.size()));
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::uint32_t bits = 0;
        std::memcpy(&bits, x.raw() + i * width, width);
        all[i] = is_unsigned_integer(x.dtype()) ? static_cast<std::int32_t>(bits) : static_cast<std::int32_t>(bits << unused) >> unused;
    }
    return all;
}
template <class V> std::vector<V> copied(const Tensor& x) {
    std::vector<V> all(x.bytes() / sizeof(V));
    if (x.bytes()) std::memcpy(all.data(), x.raw(), x.bytes());
    return all;
}
}  // namespace detail

/// A tensor in memory may be larger than its message, where one value fills it, but no larger than a file can hold.
inline constexpr std::size_t max_tensor_bytes = std::size_t{1} << 31;

/// The tensor that `p` describes; `name` says in errors where it is.
///
/// Values    every type that a Tensor holds
/// Errors    FormatError: the content does not have the bytes of the shape, the shape is not known or too large; TypeError: resources, variants
inline Tensor tensor_of(const TensorProto& p, std::string_view name = "tensor") {
    const auto fail = [&](const std::string& what) { throw FormatError(std::string(name) + ": " + what); };
    const auto t = row_of(p.dtype).dtype;
    if (t == DType::invalid || t == DType::resource || t == DType::variant)
        throw TypeError(std::string(name) + ": a tensor of type " + std::to_string(static_cast<std::int32_t>(p.dtype)) + " (" + std::string(name_of(t)) + ") cannot be held");
    Dims dims;
    try {
        if (p.tensor_shape) dims = dims_of(*p.tensor_shape);
    } catch (const ShapeError& e) { fail(e.what()); }
    if (!dims.known()) fail("the extents " + to_string(dims) + " of a tensor are not all known");
    const auto n = static_cast<std::uint64_t>(dims.size());
    if (n > max_tensor_bytes / bytes_of(t)) fail("a tensor " + std::string(name_of(t)) + " " + to_string(dims) + " is too large for a message");

    if (t == DType::string) {
        if (!p.tensor_content.empty()) fail("strings cannot be held as tensor_content");
        Tensor x(t, dims);
        const auto& given = p.string_val;
        const auto out = x.span<std::string>();
        for (std::size_t i = 0; i < out.size() && !given.empty(); ++i) out[i] = given[std::min(i, given.size() - 1)];
        return x;
    }
    const auto width = bytes_of(t);
    if (!p.tensor_content.empty() && p.tensor_content.size() != n * width)
        fail("tensor_content has " + std::to_string(p.tensor_content.size()) + " bytes, " + std::string(name_of(t)) + " " + to_string(dims) + " needs " + std::to_string(n * width));
    if (p.scomplex_val.size() % 2 || p.dcomplex_val.size() % 2) fail("a complex number has no imaginary part");
    Tensor x(t, dims);
    auto* to = x.raw();
    if (n == 0) return x;
    if (!p.tensor_content.empty()) {
        std::memcpy(to, p.tensor_content.data(), n * width);
        return x;
    }
    const auto given = detail::values_of(p, t);
    const auto* from = static_cast<const std::byte*>(given.first);
    const auto known = std::min<std::size_t>(n, given.count);
    if (known == 0) std::memset(to, 0, n * width);
    else if (given.stride == width) std::memcpy(to, from, known * width);
    else for (std::size_t i = 0; i < known; ++i) std::memcpy(to + i * width, from + i * given.stride, width);
    // what is there is doubled until all is filled with the last value
    if (known) for (std::size_t have = 1, rest = n - known + 1; have < rest; have = std::min(2 * have, rest)) {
        auto* const last = to + (known - 1) * width;
        std::memcpy(last + have * width, last, std::min(have, rest - have) * width);
    }
    return x;
}

/// The message that TensorFlow's make_tensor_proto makes of the tensor.
inline TensorProto tensor_proto(const Tensor& x) {
    TensorProto p{.dtype = x.dtype(), .tensor_shape = shape_proto(x.dims())};
    const auto n = x.size();
    if (n == 0) return p;
    const auto t = x.dtype();
    const auto as_text = [&] { return std::string(reinterpret_cast<const char*>(x.raw()), x.bytes()); };
    const bool always_typed = t == DType::string || t == DType::boolean || t == DType::complex64 || t == DType::complex128 || t == DType::uint16 || t == DType::int4 || t == DType::uint4 || t == DType::int2 || t == DType::uint2;
    if (n > 1 && !always_typed) {
        p.tensor_content = as_text();
        return p;
    }
    switch (t) {
        case DType::string: p.string_val.assign(x.span<std::string>().begin(), x.span<std::string>().end()); break;
        case DType::float32: p.float_val = detail::copied<float>(x); break;
        case DType::float64: p.double_val = detail::copied<double>(x); break;
        case DType::complex64: p.scomplex_val = detail::copied<float>(x); break;
        case DType::complex128: p.dcomplex_val = detail::copied<double>(x); break;
        case DType::int64: p.int64_val = detail::copied<std::int64_t>(x); break;
        case DType::uint32: p.uint32_val = detail::copied<std::uint32_t>(x); break;
        case DType::uint64: p.uint64_val = detail::copied<std::uint64_t>(x); break;
        case DType::boolean: p.bool_val = detail::copied<std::uint8_t>(x); break;
        case DType::half:
        case DType::bfloat16: p.half_val = detail::widen(x); break;
        case DType::float8_e5m2:
        case DType::float8_e4m3fn:
        case DType::float8_e4m3fnuz:
        case DType::float8_e4m3b11fnuz:
        case DType::float8_e5m2fnuz:
        case DType::float4_e2m1fn: p.float8_val = as_text(); break;
        default: p.int_val = detail::widen(x);
    }
    return p;
}

}  // namespace tenon::proto
