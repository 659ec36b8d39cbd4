// Text in columns, for people.
#pragma once
#include <algorithm>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::tool {

/// Characters, not bytes, so that names in UTF-8 stand in line.
inline std::size_t columns_of(std::string_view s) {
    return static_cast<std::size_t>(std::count_if(s.begin(), s.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}
/// Control characters, with which a name could write over other lines, as \x1b.
inline std::string printable(std::string_view s) {
    std::string out;
    for (const char c : s) {
        const auto code = static_cast<unsigned char>(c);
        if (code >= 0x20 && code != 0x7f) out += c;
        else ((out += "\\x") += "0123456789abcdef"[code >> 4]) += "0123456789abcdef"[code & 15];
    }
    return out;
}
/// "1 plan", "2 plans".
inline std::string counted(std::uint64_t n, const std::string& what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); }
/// "1618 bytes", "1.6 kB"
inline std::string bytes_text(std::uint64_t n) {
    if (n < 10000) return counted(n, "byte");
    auto v = static_cast<double>(n);
    std::size_t unit = 0;
    for (; v >= 999.95; ++unit) v /= 1000;
    const auto tenths = static_cast<std::uint64_t>(v * 10 + 0.5);
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " " + std::vector<std::string>{"B", "kB", "MB", "GB", "TB", "PB", "EB"}[unit];
}

/// Rows of cells, each column as wide as its widest cell; two spaces between them.
class Columns {
    std::vector<std::vector<std::string>> rows_;
    std::vector<bool> right_;

public:
    /// One character a column: 'l' or 'r', for the side to which it is set.
    explicit Columns(std::string_view sides) {
        for (const char c : sides) right_.push_back(c == 'r');
    }
    void add(std::vector<std::string> row) {
        for (auto& cell : row) cell = printable(cell);
        rows_.push_back(std::move(row));
    }
    bool empty() const { return rows_.empty(); }
    void print(std::ostream& out, std::string_view indent = "  ") const {
        std::vector<std::size_t> width(right_.size());
        for (const auto& row : rows_)
            for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], columns_of(row[i]));
        for (const auto& row : rows_) {
            std::string line(indent);
            for (std::size_t i = 0; i < row.size(); ++i) {
                const std::string fill(width[i] - columns_of(row[i]), ' ');
                line += (i ? "  " : "") + (right_[i] ? fill + row[i] : row[i] + fill);
            }
            line.resize(line.find_last_not_of(' ') + 1);
            out << line << '\n';
        }
    }
};

/// "name number" pairs, as many beside each other as fit a line, read downwards.
inline void print_counts(std::ostream& out, const std::vector<std::pair<std::string, std::uint64_t>>& counts, std::size_t line = 100) {
    std::size_t names = 0, numbers = 0;
    for (const auto& [name, n] : counts) names = std::max(names, name.size()), numbers = std::max(numbers, std::to_string(n).size());
    const auto across = std::max<std::size_t>(1, line / (names + numbers + 4)), down = (counts.size() + across - 1) / across;
    for (std::size_t r = 0; r < down; ++r) {
        std::string text;
        for (auto i = r; i < counts.size(); i += down) {
            const auto number = std::to_string(counts[i].second);
            text += "  " + printable(counts[i].first) + std::string(names - counts[i].first.size() + 2 + numbers - number.size(), ' ') + number;
        }
        out << text << '\n';
    }
}

}  // namespace tenon::tool
