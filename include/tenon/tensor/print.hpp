// Tensors as text, as NumPy prints them: columns aligned, at most 8 digits behind the point, lines of at most 75 characters, and of more
// than 1000 elements the first and last three of each axis.
//
//     [[ 1.   2.5]
//      [-3.   4. ]]
#pragma once
#include "tensor.hpp"
#include "view.hpp"

#include <charconv>
#include <cmath>
#include <iosfwd>

namespace tenon {

namespace detail {

/// Prints elements of one tensor, all in one form.
class TensorPrinter {
    const Tensor& t_;
    bool scientific_ = false, summary_ = false;
    std::size_t left_ = 0, right_ = 0, exponent_ = 0, width_ = 0;  // before the point, behind it, from the e on, in all
    static constexpr std::int64_t edge = 3, most = 1000;
    static constexpr std::size_t line = 75;

    template <class F> static std::string digits(F v, std::chars_format format, int precision = -1) {
        char text[512];
        const auto end = precision < 0 ? std::to_chars(text, text + sizeof text, v, format).ptr : std::to_chars(text, text + sizeof text, v, format, precision).ptr;
        return {text, end};
    }
    /// "1.5", "2.", "1.5e-07": the fewest digits that come back as the same number, but at most 8 behind the point.
    template <class F> static std::string shortest(F v, bool scientific) {
        if (std::isnan(v)) return "nan";
        if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
        const auto format = scientific ? std::chars_format::scientific : std::chars_format::fixed;
        const auto fraction = [](const std::string& s) {
            const auto point = s.find('.'), end = std::min(s.find('e'), s.size());
            return point < end ? end - point - 1 : 0;
        };
        auto s = digits(v, format);
        if (fraction(s) > 8) s = digits(v, format, 8);
        auto end = std::min(s.find('e'), s.size());
        const auto exponent = s.substr(end);
        s.resize(end);
        if (s.find('.') == s.npos) s += '.';
        while (s.back() == '0') s.pop_back();
        return s + exponent;
    }
    template <class F> F number(std::int64_t i) const {
        switch (t_.dtype()) {
            case DType::float64: return static_cast<F>(t_.data<double>()[i]);
            case DType::half: return static_cast<F>(static_cast<float>(t_.data<half>()[i]));
            case DType::bfloat16: return static_cast<F>(static_cast<float>(t_.data<bfloat16>()[i]));
            default: return static_cast<F>(t_.data<float>()[i]);
        }
    }
    template <class = void> std::string real(std::int64_t i) const { return t_.dtype() == DType::float64 ? shortest(number<double>(i), scientific_) : shortest(number<float>(i), scientific_); }
    template <class = void> std::string plain(std::int64_t i) const {
        switch (t_.dtype()) {
            case DType::boolean: return t_.data<bool>()[i] ? "True" : "False";
            case DType::int8: return std::to_string(t_.data<std::int8_t>()[i]);
            case DType::uint8: return std::to_string(t_.data<std::uint8_t>()[i]);
            case DType::int16: return std::to_string(t_.data<std::int16_t>()[i]);
            case DType::uint16: return std::to_string(t_.data<std::uint16_t>()[i]);
            case DType::int32: return std::to_string(t_.data<std::int32_t>()[i]);
            case DType::uint32: return std::to_string(t_.data<std::uint32_t>()[i]);
            case DType::int64: return std::to_string(t_.data<std::int64_t>()[i]);
            case DType::uint64: return std::to_string(t_.data<std::uint64_t>()[i]);
            case DType::string: return "'" + t_.data<std::string>()[i] + "'";
            case DType::complex64: return complex(t_.data<std::complex<float>>()[i]);
            case DType::complex128: return complex(t_.data<std::complex<double>>()[i]);
            default: return "?";
        }
    }
    template <class C> static std::string complex(const C& c) { return shortest(c.real(), false) + (std::signbit(c.imag()) ? "" : "+") + shortest(c.imag(), false) + "j"; }

    /// Calls f(i) for each element that is shown.
    template <class F> void shown(int axis, std::int64_t at, F&& f) const {
        if (axis == t_.dims().rank) return f(at);
        const auto n = t_.dims()[axis];
        for (std::int64_t i = 0; i < n; ++i) {
            if (summary_ && n > 2 * edge && i == edge) i = n - edge;
            shown(axis + 1, at * n + i, f);
        }
    }
    template <class = void> void measure() {
        if (is_floating(t_.dtype())) {
            double largest = 0, smallest = INFINITY;
            shown(0, 0, [&](std::int64_t i) {
                const double v = std::fabs(number<double>(i));
                if (std::isfinite(v) && v > 0) largest = std::max(largest, v), smallest = std::min(smallest, v);
            });
            scientific_ = largest > 0 && (largest >= 1e8 || smallest < 1e-4 || largest / smallest > 1000);
        }
        shown(0, 0, [&](std::int64_t i) {
            const auto s = is_floating(t_.dtype()) ? real(i) : plain(i);
            const auto point = s.find('.');
            if (!is_floating(t_.dtype()) || point == s.npos) {
                width_ = std::max(width_, s.size());
                return;
            }
            left_ = std::max(left_, point);
            right_ = std::max(right_, std::min(s.find('e'), s.size()) - point - 1);
            if (scientific_) exponent_ = std::max(exponent_, s.size() - s.find('e'));
        });
        if (left_) width_ = std::max(width_, left_ + 1 + right_ + exponent_);
    }
    template <class = void> std::string aligned(std::int64_t i) const {
        if (t_.dtype() == DType::string) return plain(i);
        auto s = is_floating(t_.dtype()) ? real(i) : plain(i);
        if (const auto point = s.find('.'); is_floating(t_.dtype()) && point != s.npos) {
            const auto end = std::min(s.find('e'), s.size());
            s.insert(end, right_ - (end - point - 1), scientific_ ? '0' : ' ');
        }
        return std::string(width_ - std::min(width_, s.size()), ' ') + s;
    }
    template <class = void> void rows(std::string& out, int axis, std::int64_t at) const {
        const auto rank = t_.dims().rank;
        const auto n = t_.dims()[axis];
        const auto indent = static_cast<std::size_t>(axis) + 1;
        out += '[';
        auto column = indent;
        for (std::int64_t i = 0; i < n; ++i) {
            const bool skip = summary_ && n > 2 * edge && i == edge;
            if (axis + 1 < rank) {
                if (i) out.append(static_cast<std::size_t>(rank - axis - 1), '\n').append(indent, ' ');
                if (skip) {
                    out += "...";
                    out.append(static_cast<std::size_t>(rank - axis - 1), '\n').append(indent, ' ');
                    i = n - edge;
                }
                rows(out, axis + 1, at * n + i);
                continue;
            }
            const auto put = [&](const std::string& s) {
                if (i && column + 1 + s.size() + 1 > line) {
                    while (out.back() == ' ') out.pop_back();
                    out.append("\n").append(indent, ' ');
                    column = indent;
                } else if (i) {
                    out += ' ';
                    ++column;
                }
                out += s;
                column += s.size();
            };
            if (skip) {
                put("...");
                i = n - edge;
            }
            put(aligned(at * n + i));
        }
        out += ']';
    }

public:
    template <class = void> explicit TensorPrinter(const Tensor& t) : t_(t), summary_(t.size() > most) {}
    template <class = void> std::string text() {
        if (!t_) return "(no tensor)";
        if (t_.dims().rank > 0) {
            measure();
            std::string out;
            rows(out, 0, 0);
            return out;
        }
        if (!is_floating(t_.dtype())) return plain(0);
        const auto all_digits = [](auto v) {
            const double size = std::fabs(static_cast<double>(v));
            const bool exponent = size > 0 && (size >= 1e16 || size < 1e-4);
            auto s = digits(v, exponent ? std::chars_format::scientific : std::chars_format::fixed);
            if (std::isfinite(v) && !exponent && s.find('.') == s.npos) s += ".0";
            return s;
        };
        return t_.dtype() == DType::float64 ? all_digits(number<double>(0)) : all_digits(number<float>(0));
    }
};

}  // namespace detail

/// As NumPy's str().
template <class = void> std::string to_string(const Tensor& t) { return detail::TensorPrinter(t).text(); }

template <class Traits> std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const Tensor& t) {
    const auto s = to_string(t);
    return out.write(s.data(), static_cast<std::streamsize>(s.size()));
}

#ifdef TENON_PREBUILT
extern template std::string to_string<void>(const Tensor&);
#endif

}  // namespace tenon
