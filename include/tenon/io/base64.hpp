// Base64, as JSON holds bytes.
// Source    RFC 4648, sections 4 and 5
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace tenon {

inline constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends the text of `bytes`, with padding.
inline void put_base64(std::string& out, std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t three = 0;
        for (std::size_t k = 0; k < 3; ++k) three = three << 8 | (i + k < bytes.size() ? static_cast<std::uint8_t>(bytes[i + k]) : 0u);
        for (std::size_t k = 0; k < 4; ++k) out += k <= bytes.size() - i ? base64_alphabet[three >> (18 - 6 * k) & 63] : '=';
    }
}

/// The bytes of `text`, in the standard or the url-safe alphabet, padded or not; false if it is not base64.
inline bool decode_base64(std::string_view text, std::string& bytes) {
    static constexpr auto values = [] {
        std::array<std::uint8_t, 256> all{};
        all.fill(64);
        for (std::size_t i = 0; i < 64; ++i) all[static_cast<std::uint8_t>(base64_alphabet[i])] = static_cast<std::uint8_t>(i);
        all['-'] = 62;
        all['_'] = 63;
        return all;
    }();
    const bool whole = text.size() % 4 == 0;
    for (int i = 0; whole && i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
    if (text.size() % 4 == 1) return false;
    bytes.clear();
    bytes.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    int have = 0;
    for (const char c : text) {
        const auto v = values[static_cast<std::uint8_t>(c)];
        if (v == 64) return false;
        bits = bits << 6 | v;
        have += 6;
        if (have >= 8) bytes += static_cast<char>(bits >> (have -= 8));
    }
    return true;
}

}  // namespace tenon
