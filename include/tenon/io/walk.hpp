// What the codecs share: where they are in nested messages, and numbers in memory and as text.
#pragma once
#include "../base/error.hpp"
#include "message.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace tenon::proto {

inline constexpr int max_depth = 100;  ///< of messages in messages, as protobuf has it

namespace detail {
static_assert(std::endian::native == std::endian::little, "numbers are copied to and from files as they stand");

/// Where a codec is in nested messages, for errors; lives on the stack.
struct Path {
    const Path* up;
    const Message* message;
    const Field* field = nullptr;
    std::size_t index = 0;
    std::string_view key{};  ///< in a map, where it is known

    std::string text() const {
        std::string s = up ? up->text() : std::string(message->name.substr(message->name.rfind('.') + 1));
        if (field) {
            s.append(".").append(field->name);
            if (!key.empty()) s.append("['").append(key).append("']");
            else if (field->presence >= Presence::repeated) s += "[" + std::to_string(index) + "]";
        }
        return s;
    }
};

template <class T> T load(const void* p) {
    T v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
template <class T> void store(void* p, T v) { std::memcpy(p, &v, sizeof v); }
inline const std::string& text_at(const void* p) { return *static_cast<const std::string*>(p); }

inline bool is_number(Kind k) { return k < Kind::string; }
inline bool is_varint(Kind k) { return k <= Kind::uint64 || k == Kind::boolean || k == Kind::enumeration; }
inline bool is_unsigned(Kind k) { return k == Kind::uint32 || k == Kind::uint64 || k == Kind::fixed32 || k == Kind::fixed64; }
inline bool is_wide(Kind k) { return k == Kind::int64 || k == Kind::uint64 || k == Kind::fixed64 || k == Kind::float64; }

/// An integer in memory, sign-extended; bool and enumerations too.
inline std::uint64_t load_integer(Kind kind, const void* p) {
    if (is_wide(kind)) return load<std::uint64_t>(p);
    if (kind == Kind::boolean) return load<std::uint8_t>(p) != 0;
    if (is_unsigned(kind)) return load<std::uint32_t>(p);
    return static_cast<std::uint64_t>(std::int64_t{load<std::int32_t>(p)});
}
inline void store_integer(Kind kind, void* p, std::uint64_t v) {
    if (is_wide(kind)) store(p, v);
    else if (kind == Kind::boolean) store(p, static_cast<std::uint8_t>(v != 0));
    else store(p, static_cast<std::uint32_t>(v));
}
inline bool is_default(Kind kind, const void* p) {
    if (kind == Kind::message) return false;
    if (!is_number(kind)) return text_at(p).empty();
    if (kind == Kind::float32) return load<std::uint32_t>(p) == 0;  // by bits: -0.0 is written
    return load_integer(kind, p) == 0;
}
/// Whether the writer of a text passes the field over.
inline bool is_left_out(const Field& f, const Elements& e) { return e.count == 0 || (f.presence == Presence::implicit && is_default(f.kind, e.first)); }

/// Puts the maps of a message in order that readers have appended to, also of messages in it that are not repeated: these may occur in
/// several pieces, and sorting after each would cost the square of their number.
inline void settle(const void* message, const Message& table) {
    for (const auto& f : table.fields) {
        if (f.presence == Presence::map) f.access->settle(f.member(message));
        else if (f.kind == Kind::message && f.presence != Presence::repeated)
            if (const auto inner = f.elements(message); inner.count) settle(inner.first, f.message());
    }
}

inline void put_integer(std::string& out, Kind kind, const void* p) {
    char digits[24];
    const auto v = load_integer(kind, p);
    const auto end = is_unsigned(kind) ? std::to_chars(digits, digits + sizeof digits, v) : std::to_chars(digits, digits + sizeof digits, static_cast<std::int64_t>(v));
    out.append(digits, end.ptr);
}
/// The shortest digits that are read back as the same finite number, in Python's form: "10000.0", "-0.0", "1e-05", "1e+16".
template <class T> void put_finite(std::string& out, T v) {
    char digits[40];
    const bool plain = v == 0 || (std::abs(v) >= T(1e-4) && std::abs(v) < T(1e16));
    const std::string_view text(digits, std::to_chars(digits, digits + sizeof digits, v, plain ? std::chars_format::fixed : std::chars_format::scientific).ptr);
    out += text;
    if (plain && text.find('.') == text.npos) out += ".0";
}
/// The infinities and NaN are spelled by each format.
inline void put_float(std::string& out, Kind kind, const void* p, std::string_view infinity, std::string_view nan) {
    const double v = kind == Kind::float32 ? double{load<float>(p)} : load<double>(p);
    if (std::isnan(v)) out += nan;
    else if (std::isinf(v)) (v < 0 ? out += '-' : out) += infinity;
    // the shortest digits of the largest float round up, as a double, to more than it: readers that go through double refuse them
    else if (kind == Kind::float32 && std::abs(v) != double{std::numeric_limits<float>::max()}) put_finite(out, load<float>(p));
    else put_finite(out, v);
}
/// "DT_FLOAT", or nothing if the number has no name.
inline std::string_view enumerator_name(const Field& f, std::int32_t number) {
    for (const auto& row : f.enumerators()) if (row.number == number) return row.name;
    return {};
}

/// Reads a decimal float to the last character; what is too small becomes 0.
///
/// Errors    false: not a number, or too large for T
template <class T> bool parse_float(std::string_view s, T& v) {
    if (s.starts_with("+")) s.remove_prefix(1);
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v);
    if (end != s.data() + s.size() || error == std::errc::invalid_argument) return false;
    if (error == std::errc::result_out_of_range) {
        if (s.find("e-") == s.npos && s.find("E-") == s.npos && s.find('.') > s.find_first_of("123456789")) return false;
        v = s.starts_with("-") ? -T{0} : T{0};
    }
    return true;
}
inline bool parse_float(Kind kind, std::string_view s, void* to) {
    if (kind == Kind::float64) {
        double v;
        return parse_float(s, v) && (store(to, v), true);
    }
    float v;
    return parse_float(s, v) && (store(to, v), true);
}
/// Reads a decimal integer that fits the kind, to the last character.
inline bool parse_integer(Kind kind, std::string_view s, void* to, int base = 10) {
    const auto* const end = s.data() + s.size();
    if (is_unsigned(kind)) {
        std::uint64_t v;
        const auto [at, error] = std::from_chars(s.data(), end, v, base);
        if (at != end || error != std::errc{} || (!is_wide(kind) && v > std::numeric_limits<std::uint32_t>::max())) return false;
        store_integer(kind, to, v);
    } else {
        std::int64_t v;
        const auto [at, error] = std::from_chars(s.data(), end, v, base);
        if (at != end || error != std::errc{} || (!is_wide(kind) && v != static_cast<std::int32_t>(v))) return false;
        store_integer(kind, to, static_cast<std::uint64_t>(v));
    }
    return true;
}
/// An enumerator by name or number.
inline bool parse_enumerator(const Field& f, std::string_view s, void* to) {
    for (const auto& row : f.enumerators()) if (row.name == s) return store(to, row.number), true;
    return parse_integer(Kind::int32, s, to);
}
}  // namespace detail
}  // namespace tenon::proto
