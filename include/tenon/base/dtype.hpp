// Element types: one number for each, TensorFlow's own, and what is known of it.
#pragma once
#include <array>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tenon {

/// TensorFlow's DataType. `invalid` says "not known".
enum class DType : std::int32_t {
    invalid = 0, float32 = 1, float64 = 2, int32 = 3, uint8 = 4, int16 = 5, int8 = 6, string = 7, complex64 = 8, int64 = 9,
    boolean = 10, qint8 = 11, quint8 = 12, qint32 = 13, bfloat16 = 14, qint16 = 15, quint16 = 16, uint16 = 17, complex128 = 18,
    half = 19, resource = 20, variant = 21, uint32 = 22, uint64 = 23, float8_e5m2 = 24, float8_e4m3fn = 25,
    float8_e4m3fnuz = 26, float8_e4m3b11fnuz = 27, float8_e5m2fnuz = 28, int4 = 29, uint4 = 30, int2 = 31, uint2 = 32, float4_e2m1fn = 33,
};

/// A row per element type: TensorFlow's enumerator without "DT_", NumPy's or Python's name, bytes of one element in a file (0: varies).
struct DTypeRow {
    DType dtype;
    std::string_view proto, name;
    std::size_t bytes;
};
inline constexpr std::array dtype_rows{
    DTypeRow{DType::invalid, "INVALID", "invalid", 0},
    DTypeRow{DType::float32, "FLOAT", "float32", 4},
    DTypeRow{DType::float64, "DOUBLE", "float64", 8},
    DTypeRow{DType::int32, "INT32", "int32", 4},
    DTypeRow{DType::uint8, "UINT8", "uint8", 1},
    DTypeRow{DType::int16, "INT16", "int16", 2},
    DTypeRow{DType::int8, "INT8", "int8", 1},
    DTypeRow{DType::string, "STRING", "string", 0},
    DTypeRow{DType::complex64, "COMPLEX64", "complex64", 8},
    DTypeRow{DType::int64, "INT64", "int64", 8},
    DTypeRow{DType::boolean, "BOOL", "bool", 1},
    DTypeRow{DType::qint8, "QINT8", "qint8", 1},
    DTypeRow{DType::quint8, "QUINT8", "quint8", 1},
    DTypeRow{DType::qint32, "QINT32", "qint32", 4},
    DTypeRow{DType::bfloat16, "BFLOAT16", "bfloat16", 2},
    DTypeRow{DType::qint16, "QINT16", "qint16", 2},
    DTypeRow{DType::quint16, "QUINT16", "quint16", 2},
    DTypeRow{DType::uint16, "UINT16", "uint16", 2},
    DTypeRow{DType::complex128, "COMPLEX128", "complex128", 16},
    DTypeRow{DType::half, "HALF", "half", 2},
    DTypeRow{DType::resource, "RESOURCE", "resource", 0},
    DTypeRow{DType::variant, "VARIANT", "variant", 0},
    DTypeRow{DType::uint32, "UINT32", "uint32", 4},
    DTypeRow{DType::uint64, "UINT64", "uint64", 8},
    DTypeRow{DType::float8_e5m2, "FLOAT8_E5M2", "float8_e5m2", 1},
    DTypeRow{DType::float8_e4m3fn, "FLOAT8_E4M3FN", "float8_e4m3fn", 1},
    DTypeRow{DType::float8_e4m3fnuz, "FLOAT8_E4M3FNUZ", "float8_e4m3fnuz", 1},
    DTypeRow{DType::float8_e4m3b11fnuz, "FLOAT8_E4M3B11FNUZ", "float8_e4m3b11fnuz", 1},
    DTypeRow{DType::float8_e5m2fnuz, "FLOAT8_E5M2FNUZ", "float8_e5m2fnuz", 1},
    DTypeRow{DType::int4, "INT4", "int4", 1},
    DTypeRow{DType::uint4, "UINT4", "uint4", 1},
    DTypeRow{DType::int2, "INT2", "int2", 1},
    DTypeRow{DType::uint2, "UINT2", "uint2", 1},
    DTypeRow{DType::float4_e2m1fn, "FLOAT4_E2M1FN", "float4_e2m1fn", 1},
};
/// The row of `t`, that of `invalid` if there is none. Reference types (100 + t) are their base type.
constexpr const DTypeRow& row_of(DType t) {
    const auto i = static_cast<std::size_t>(t) % 100;
    return dtype_rows[i < dtype_rows.size() ? i : 0];
}
constexpr std::string_view name_of(DType t) { return row_of(t).name; }
/// Bytes of one element in a file; 0 for string, resource and variant.
constexpr std::size_t file_bytes_of(DType t) { return row_of(t).bytes; }
/// Bytes of one element in memory, where a string is a std::string.
constexpr std::size_t bytes_of(DType t) { return t == DType::string ? sizeof(std::string) : row_of(t).bytes; }
constexpr bool is_floating(DType t) { return t == DType::float32 || t == DType::float64 || t == DType::half || t == DType::bfloat16; }
constexpr bool is_integer(DType t) {
    return t == DType::int32 || t == DType::int64 || t == DType::uint8 || t == DType::int16 || t == DType::int8 || t == DType::uint16 || t == DType::uint32 || t == DType::uint64;
}

/// The number of a C++ type. Eigen's half and bfloat16 are added where Eigen is known (tensor/view.hpp).
template <class T> inline constexpr DType dtype_of = DType::invalid;
template <class T> inline constexpr DType dtype_of<const T> = dtype_of<T>;
template <> inline constexpr DType dtype_of<float> = DType::float32;
template <> inline constexpr DType dtype_of<double> = DType::float64;
template <> inline constexpr DType dtype_of<std::int8_t> = DType::int8;
template <> inline constexpr DType dtype_of<std::int16_t> = DType::int16;
template <> inline constexpr DType dtype_of<std::int32_t> = DType::int32;
template <> inline constexpr DType dtype_of<std::int64_t> = DType::int64;
template <> inline constexpr DType dtype_of<std::uint8_t> = DType::uint8;
template <> inline constexpr DType dtype_of<std::uint16_t> = DType::uint16;
template <> inline constexpr DType dtype_of<std::uint32_t> = DType::uint32;
template <> inline constexpr DType dtype_of<std::uint64_t> = DType::uint64;
template <> inline constexpr DType dtype_of<bool> = DType::boolean;
template <> inline constexpr DType dtype_of<std::string> = DType::string;
template <> inline constexpr DType dtype_of<std::complex<float>> = DType::complex64;
template <> inline constexpr DType dtype_of<std::complex<double>> = DType::complex128;

}  // namespace tenon
