// A Snappy encoder for tests: copies of what was 1 to 64 bytes ago or anywhere before, literals between them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace tenon::test {

inline std::string snappy_encode(std::string_view from) {
    std::string to;
    for (auto n = from.size(); ; n >>= 7) {
        to += static_cast<char>(n >= 0x80 ? n | 0x80 : n);
        if (n < 0x80) break;
    }
    std::string literal;
    const auto flush = [&] {
        if (literal.empty()) return;
        const auto n = literal.size() - 1;
        if (n < 60) to += static_cast<char>(n << 2);
        else if (n < 256) (to += static_cast<char>(60 << 2)) += static_cast<char>(n);
        else ((to += static_cast<char>(61 << 2)) += static_cast<char>(n)) += static_cast<char>(n >> 8);
        to += literal;
        literal.clear();
    };
    for (std::size_t i = 0; i < from.size();) {
        std::size_t best = 0, distance = 0;
        for (std::size_t d = 1; d <= i && d <= 70000; ++d) {
            std::size_t n = 0;
            while (n < 64 && i + n < from.size() && from[i + n] == from[i + n - d]) ++n;
            if (n > best) best = n, distance = d;
            if (n == 64) break;
        }
        if (best < 4) {
            literal += from[i++];
            if (literal.size() == 60000) flush();
            continue;
        }
        flush();
        if (best <= 11 && distance < 2048) (to += static_cast<char>(1 | (best - 4) << 2 | distance >> 8 << 5)) += static_cast<char>(distance);
        else {
            to += static_cast<char>((distance < 65536 ? 2 : 3) | (best - 1) << 2);
            for (int k = 0; k < (distance < 65536 ? 2 : 4); ++k) to += static_cast<char>(distance >> (8 * k));
        }
        i += best;
    }
    flush();
    return to;
}

}  // namespace tenon::test
