// Integers and strings as table files and slice keys have them. FORMAT.md shows the bytes.
// `put_` appends to a string. `get_` takes from the front of a view; what does not parse is left there, and the answer is empty.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tenon {

inline constexpr std::size_t most_varint_bytes = 10;
/// Base 128, lowest group first, high bit: more follows. Where it ends.
inline char* put_varint(char* to, std::uint64_t v) {
    for (; v >= 0x80; v >>= 7) *to++ = static_cast<char>(v | 0x80);
    *to++ = static_cast<char>(v);
    return to;
}
inline void put_varint(std::string& to, std::uint64_t v) {
    char bytes[most_varint_bytes];
    to.append(bytes, put_varint(bytes, v));
}
/// At most 10 bytes; bits beyond 64 are refused.
inline std::optional<std::uint64_t> get_varint(std::string_view& from) {
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < from.size() && i < 10; ++i) {
        const auto byte = static_cast<std::uint8_t>(from[i]);
        if (i == 9 && byte > 1) break;
        v |= std::uint64_t{byte & 0x7fu} << (7 * i);
        if (byte < 0x80) {
            from.remove_prefix(i + 1);
            return v;
        }
    }
    return {};
}
/// At most 5 bytes and 32 bits.
inline std::optional<std::uint32_t> get_varint32(std::string_view& from) {
    auto rest = from.substr(0, 5);
    const auto v = get_varint(rest);
    if (!v || *v > 0xffffffffu) return {};
    from.remove_prefix(std::min<std::size_t>(from.size(), 5) - rest.size());
    return static_cast<std::uint32_t>(*v);
}

namespace detail {
template <class U> void put_little_endian(std::string& to, U v) {
    char bytes[sizeof v];
    for (std::size_t i = 0; i < sizeof v; ++i) bytes[i] = static_cast<char>(v >> (8 * i));
    to.append(bytes, sizeof v);
}
template <class U> std::optional<U> get_little_endian(std::string_view& from) {
    if (from.size() < sizeof(U)) return {};
    U v = 0;
    for (std::size_t i = 0; i < sizeof v; ++i) v |= static_cast<U>(U{static_cast<std::uint8_t>(from[i])} << (8 * i));
    from.remove_prefix(sizeof v);
    return v;
}
}  // namespace detail

inline void put_fixed32(std::string& to, std::uint32_t v) { detail::put_little_endian(to, v); }
inline void put_fixed64(std::string& to, std::uint64_t v) { detail::put_little_endian(to, v); }
inline std::optional<std::uint32_t> get_fixed32(std::string_view& from) { return detail::get_little_endian<std::uint32_t>(from); }
inline std::optional<std::uint64_t> get_fixed64(std::string_view& from) { return detail::get_little_endian<std::uint64_t>(from); }

// OrderedCode: encodings that sort, as unsigned bytes, like what they encode.

/// A count of significant bytes, then these, highest first; 0 is the count alone.
inline void put_ordered(std::string& to, std::uint64_t v) {
    const auto bytes = static_cast<int>(std::bit_width(v) + 7) / 8;
    to += static_cast<char>(bytes);
    for (int i = bytes - 1; i >= 0; --i) to += static_cast<char>(v >> (8 * i));
}
inline std::optional<std::uint64_t> get_ordered(std::string_view& from) {
    if (from.empty()) return {};
    const auto bytes = static_cast<std::uint8_t>(from[0]);
    if (bytes > 8 || from.size() <= bytes || (bytes && from[1] == 0)) return {};
    std::uint64_t v = 0;
    for (std::size_t i = 1; i <= bytes; ++i) v = v << 8 | static_cast<std::uint8_t>(from[i]);
    from.remove_prefix(bytes + std::size_t{1});
    return v;
}

/// 00 as 00 ff, ff as ff 00, then 00 01.
inline void put_ordered(std::string& to, std::string_view s) {
    for (const char c : s) {
        to += c;
        if (c == '\x00') to += '\xff';
        if (c == '\xff') to += '\x00';
    }
    to += {'\x00', '\x01'};
}
inline std::optional<std::string> get_ordered_string(std::string_view& from) {
    std::string s;
    for (std::size_t i = 0; i < from.size(); ++i) {
        if (from[i] != '\x00' && from[i] != '\xff') {
            s += from[i];
            continue;
        }
        if (++i == from.size()) break;
        if (from[i - 1] == '\x00' && from[i] == '\x01') {
            from.remove_prefix(i + 1);
            return s;
        }
        if ((from[i - 1] ^ from[i]) != '\xff') break;
        s += from[i - 1];
    }
    return {};
}

/// A signed number in 1 to 10 bytes. n ones and a zero say n bytes, as in UTF-8; then the number's low bits in two's
/// complement. All bits of the header are inverted if the number is negative.
inline void put_ordered_signed(std::string& to, std::int64_t v) {
    const auto magnitude = static_cast<std::uint64_t>(v < 0 ? ~v : v);
    const int bytes = static_cast<int>(std::bit_width(magnitude)) / 7 + 1;
    unsigned char code[10];
    for (int i = 0; i < 10; ++i) code[i] = i < 2 ? static_cast<unsigned char>(v < 0 ? 0xff : 0) : static_cast<unsigned char>(v >> (8 * (9 - i)));
    const auto header = static_cast<std::uint16_t>(0xffff << (16 - bytes));
    auto* first = code + 10 - bytes;
    first[0] = static_cast<unsigned char>(first[0] ^ header >> 8);
    if (bytes > 1) first[1] = static_cast<unsigned char>(first[1] ^ (header & 0xff));
    to.append(reinterpret_cast<const char*>(first), static_cast<std::size_t>(bytes));
}
inline std::optional<std::int64_t> get_ordered_signed(std::string_view& from) {
    if (from.empty()) return {};
    const bool negative = static_cast<std::uint8_t>(from[0]) < 0x80;
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(i < from.size() ? static_cast<std::uint8_t>(from[i]) ^ (negative ? 0xff : 0) : 0); };
    const auto bytes = static_cast<std::size_t>(std::countl_one(static_cast<std::uint16_t>(at(0) << 8 | at(1))));
    if (bytes > 10 || bytes > from.size()) return {};
    const auto header = static_cast<std::uint16_t>(0xffff << (16 - bytes));
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < bytes; ++i) v = v << 8 | (at(i) ^ (i == 0 ? header >> 8 : i == 1 ? header & 0xff : 0u));
    const auto value = static_cast<std::int64_t>(negative ? ~v : v);
    std::string canonical;
    put_ordered_signed(canonical, value);
    if (!from.starts_with(canonical)) return {};
    from.remove_prefix(bytes);
    return value;
}

}  // namespace tenon
