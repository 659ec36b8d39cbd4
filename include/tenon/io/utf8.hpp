// UTF-8: what protobuf's `string` fields hold, and JSON's escapes become.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tenon {

/// True if `s` is UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
///
/// Source    RFC 3629, section 4
inline bool valid_utf8(std::string_view s) {
    const auto* p = reinterpret_cast<const unsigned char*>(s.data());
    const auto* const end = p + s.size();
    while (p < end) {
        // eight ASCII characters at a time: names and keys are hardly ever anything else
        for (std::uint64_t word; end - p >= 8; p += 8) {
            std::memcpy(&word, p, 8);
            if (word & 0x8080808080808080u) break;
        }
        if (p == end) break;
        const unsigned char c = *p++;
        if (c < 0x80) continue;
        const int more = c >= 0xC2 && c <= 0xDF ? 1 : (c & 0xF0) == 0xE0 ? 2 : c >= 0xF0 && c <= 0xF4 ? 3 : 0;
        if (more == 0 || end - p < more) return false;
        const unsigned char low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80, high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
        if (*p < low || *p > high) return false;
        for (int i = 1; i < more; ++i) if ((p[i] & 0xC0) != 0x80) return false;
        p += more;
    }
    return true;
}

/// Appends the character `code` (at most U+10FFFF).
inline void put_utf8(std::string& out, std::uint32_t code) {
    const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (code < 0x80) return put(code);
    if (code < 0x800) put(0xC0 | code >> 6);
    else {
        if (code < 0x10000) put(0xE0 | code >> 12);
        else {
            put(0xF0 | code >> 18);
            put(0x80 | (code >> 12 & 0x3F));
        }
        put(0x80 | (code >> 6 & 0x3F));
    }
    put(0x80 | (code & 0x3F));
}

}  // namespace tenon
