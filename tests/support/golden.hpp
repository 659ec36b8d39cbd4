// What TensorFlow wrote: the expect.json of a golden case, its tensors, and the comparison with ours.
// A tensor there is {"dtype": "DT_FLOAT", "shape": [2,3], "values": [...]}: C order, non-finite numbers as strings, bytes as
// base64, complex numbers as re, im, re, im; or "b64", its little-endian bytes.
#pragma once
#include "scratch.hpp"
#include <tenon/tensor/tensor.hpp>

#include <Eigen/Core>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace tenon::test {

using Json = nlohmann::ordered_json;  // members stay in file order, which is the order of the data file

/// tests/data/golden/<name>/<file>
inline std::string golden(const std::string& name, const std::string& file) { return std::string(TENON_TEST_DATA) + "/golden/" + name + "/" + file; }
inline Json load_json(const std::string& path) { return Json::parse(read_bytes(path)); }
inline Json expectation(const std::string& name) { return load_json(golden(name, "expect.json")); }

inline std::string from_base64(std::string_view text) {
    std::string bytes;
    std::uint32_t bits = 0;
    int held = 0;
    for (const char c : text) {
        if (c == '=') break;
        const auto at = std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").find(c);
        if (at == std::string_view::npos) throw std::runtime_error("not base64");
        bits = bits << 6 | static_cast<std::uint32_t>(at);
        held += 6;
        if (held >= 8) bytes += static_cast<char>(bits >> (held -= 8) & 0xff);
    }
    return bytes;
}
inline DType dtype_from_proto(std::string_view name) {
    for (const auto& row : dtype_rows) if (name.starts_with("DT_") && row.proto == name.substr(3)) return row.dtype;
    throw std::runtime_error("no dtype " + std::string(name));
}

namespace detail {
inline double number(const Json& v) {
    if (!v.is_string()) return v.get<double>();
    const auto s = v.get<std::string>();
    return s == "NaN" ? std::numeric_limits<double>::quiet_NaN() : s == "Infinity" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
}
/// Value of an 8-bit float with `mantissa` bits; `fn`: no infinities, NaN only if all bits are set.
inline float float8_value(int code, int mantissa, bool fn) {
    const int exponents = 7 - mantissa, bias = (1 << (exponents - 1)) - 1;
    const int e = code >> mantissa & ((1 << exponents) - 1), m = code & ((1 << mantissa) - 1);
    const float sign = code & 0x80 ? -1.0f : 1.0f;
    if (e == (1 << exponents) - 1 && (!fn || m == (1 << mantissa) - 1)) return m ? std::numeric_limits<float>::quiet_NaN() : sign * std::numeric_limits<float>::infinity();
    return sign * std::ldexp(static_cast<float>(e ? m + (1 << mantissa) : m), (e ? e : 1) - bias - mantissa);
}
inline std::uint8_t float8_code(double value, int mantissa, bool fn) {
    for (int c = 0; c < 256; ++c) {
        const double v = float8_value(c, mantissa, fn);
        if ((v == value && std::signbit(v) == std::signbit(value)) || (std::isnan(v) && std::isnan(value))) return static_cast<std::uint8_t>(c);
    }
    throw std::runtime_error("no 8-bit float has this value");
}
/// One element (of a complex number one half) behind `at`.
inline void put_element(DType t, const Json& v, std::byte*& at) {
    const auto put = [&](const auto x) {
        std::memcpy(at, &x, sizeof x);
        at += sizeof x;
    };
    switch (t) {
        case DType::float32: case DType::complex64: return put(static_cast<float>(number(v)));
        case DType::float64: case DType::complex128: return put(number(v));
        case DType::half: return put(Eigen::numext::bit_cast<std::uint16_t>(Eigen::half(static_cast<float>(number(v)))));
        case DType::bfloat16: return put(Eigen::numext::bit_cast<std::uint16_t>(Eigen::bfloat16(static_cast<float>(number(v)))));
        case DType::float8_e5m2: return put(float8_code(number(v), 2, false));
        case DType::float8_e4m3fn: return put(float8_code(number(v), 3, true));
        case DType::boolean: return put(static_cast<std::uint8_t>(v.get<bool>()));
        case DType::uint64: return put(v.get<std::uint64_t>());
        case DType::int64: return put(v.get<std::int64_t>());
        default: break;
    }
    const auto i = v.get<std::int64_t>();  // the integers, whose low bytes are the element
    std::memcpy(at, &i, file_bytes_of(t));
    at += file_bytes_of(t);
}
inline bool nan_at(DType t, const std::byte* p) {
    const auto load = [&]<class T>(T v) {
        std::memcpy(&v, p, sizeof v);
        return v;
    };
    switch (t) {
        case DType::float32: case DType::complex64: return std::isnan(load(0.0f));
        case DType::float64: case DType::complex128: return std::isnan(load(0.0));
        case DType::half: return (load(std::uint16_t{}) & 0x7fff) > 0x7c00;
        case DType::bfloat16: return (load(std::uint16_t{}) & 0x7fff) > 0x7f80;
        default: return false;
    }
}
inline double value_at(DType t, const std::byte* p) {
    const auto load = [&]<class T>(T v) {
        std::memcpy(&v, p, sizeof v);
        return v;
    };
    switch (t) {
        case DType::float32: case DType::complex64: return load(0.0f);
        case DType::float64: case DType::complex128: return load(0.0);
        case DType::half: return static_cast<double>(static_cast<float>(Eigen::numext::bit_cast<Eigen::half>(load(std::uint16_t{}))));
        case DType::bfloat16: return static_cast<double>(static_cast<float>(Eigen::numext::bit_cast<Eigen::bfloat16>(load(std::uint16_t{}))));
        case DType::int8: return load(std::int8_t{});
        case DType::int16: return load(std::int16_t{});
        case DType::int32: return load(std::int32_t{});
        case DType::int64: return static_cast<double>(load(std::int64_t{}));
        case DType::uint16: return load(std::uint16_t{});
        case DType::uint32: return load(std::uint32_t{});
        case DType::uint64: return static_cast<double>(load(std::uint64_t{}));
        default: return load(std::uint8_t{});
    }
}
}  // namespace detail

/// The tensor that `j` describes.
inline Tensor tensor_from(const Json& j) {
    const auto t = dtype_from_proto(j.at("dtype").get<std::string>());
    Dims dims;
    for (const auto& e : j.at("shape")) dims.push(e.get<std::int64_t>());
    Tensor tensor(t, dims);
    if (t == DType::string) {
        const auto into = tensor.span<std::string>();
        for (std::size_t i = 0; i < into.size(); ++i) into[i] = from_base64(j.at("values").at(i).get<std::string>());
    } else if (j.contains("b64")) {
        const auto bytes = from_base64(j.at("b64").get<std::string>());
        if (bytes.size() != tensor.bytes()) throw std::runtime_error("b64 of the wrong length");
        std::memcpy(tensor.raw(), bytes.data(), bytes.size());
    } else {
        const std::size_t parts = t == DType::complex64 || t == DType::complex128 ? 2 : 1;
        if (j.at("values").size() != static_cast<std::size_t>(tensor.size()) * parts) throw std::runtime_error("values of the wrong number");
        auto* at = tensor.raw();
        for (const auto& v : j.at("values")) detail::put_element(t, v, at);
    }
    return tensor;
}
/// Named tensors in file order: those of `expectation(name).at("tensors")`.
inline std::vector<std::pair<std::string, Tensor>> tensors_from(const Json& j) {
    std::vector<std::pair<std::string, Tensor>> all;
    for (const auto& [name, value] : j.items()) all.emplace_back(name, tensor_from(value));
    return all;
}

/// How `got` differs from `want`: "" if it does not. Bit for bit, but any NaN equals any; with a tolerance, numbers within
/// atol + rtol |want| are equal, and so are zeros of both signs.
inline std::string difference(const Tensor& got, const Tensor& want, double rtol = 0, double atol = 0) {
    if (got.dtype() != want.dtype()) return "dtype " + std::string(name_of(got.dtype())) + ", expected " + std::string(name_of(want.dtype()));
    if (got.dims() != want.dims()) return "shape " + to_string(got.dims()) + ", expected " + to_string(want.dims());
    const auto t = got.dtype();
    const auto at = [](std::size_t i) { return "element " + std::to_string(i); };
    if (t == DType::string) {
        for (std::size_t i = 0; i < static_cast<std::size_t>(got.size()); ++i)
            if (got.span<std::string>()[i] != want.span<std::string>()[i]) return at(i) + " is \"" + got.span<std::string>()[i] + "\", expected \"" + want.span<std::string>()[i] + "\"";
        return "";
    }
    const std::size_t width = t == DType::complex64 ? 4 : t == DType::complex128 ? 8 : bytes_of(t);
    for (std::size_t i = 0; i * width < got.bytes(); ++i) {
        const auto *g = got.raw() + i * width, *w = want.raw() + i * width;
        if (std::memcmp(g, w, width) == 0 || (detail::nan_at(t, g) && detail::nan_at(t, w))) continue;
        const double a = detail::value_at(t, g), b = detail::value_at(t, w);
        if ((rtol > 0 || atol > 0) && (a == b || std::abs(a - b) <= atol + rtol * std::abs(b))) continue;
        char text[96];
        std::snprintf(text, sizeof text, " is %.17g, expected %.17g", a, b);
        return at(i) + text;
    }
    return "";
}

}  // namespace tenon::test
