// Snappy, decoding only: some writers compress the blocks of their tables.
//
// varint32 length of the result, then elements by the low two bits of their tag byte:
//   00  literal: upper six bits are its length - 1, or 60..63: that is in the next 1..4 bytes
//   01  copy: length ((tag >> 2) & 7) + 4, distance (tag >> 5) << 8 | next byte
//   10  copy: length (tag >> 2) + 1, distance in two bytes      11  the same, distance in four
// A copy may reach into what it writes. Numbers have their lowest byte first.
#pragma once
#include "coding.hpp"

namespace tenon {

/// The bytes, or nothing if `from` is not whole and right. Never more than 22 times its size: no element says more than 64 bytes in 3.
inline std::optional<std::string> snappy_decode(std::string_view from) {
    const auto number = [&](std::size_t bytes) -> std::optional<std::size_t> {
        if (from.size() < bytes) return {};
        std::size_t v = 0;
        for (std::size_t i = 0; i < bytes; ++i) v |= std::size_t{static_cast<std::uint8_t>(from[i])} << (8 * i);
        from.remove_prefix(bytes);
        return v;
    };
    const auto declared = get_varint32(from);
    if (!declared || *declared / 22 > from.size()) return {};
    std::string to;
    to.reserve(*declared);
    while (!from.empty()) {
        const std::size_t tag = *number(1), kind = tag & 3;
        if (kind == 0) {
            auto length = tag >> 2;
            if (length >= 60) {
                const auto more = number(length - 59);
                if (!more) return {};
                length = *more;
            }
            if (++length > from.size() || length > *declared - to.size()) return {};
            to += from.substr(0, length);
            from.remove_prefix(length);
        } else {
            const auto low = number(kind == 1 ? 1 : kind == 2 ? 2 : 4);
            if (!low) return {};
            const auto distance = kind == 1 ? tag >> 5 << 8 | *low : *low;
            const auto length = kind == 1 ? (tag >> 2 & 7) + 4 : (tag >> 2) + 1;
            if (distance == 0 || distance > to.size() || length > *declared - to.size()) return {};
            for (std::size_t i = 0; i < length; ++i) to += to[to.size() - distance];
        }
    }
    if (to.size() != *declared) return {};
    return to;
}

}  // namespace tenon
