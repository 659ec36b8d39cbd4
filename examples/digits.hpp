// 1797 handwritten digits of 8x8 pixels (examples/data): every fifth is kept back to be tested on.
#pragma once
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

struct Digits {
    std::vector<float> images;         // 64 numbers in [0, 1] each
    std::vector<std::int32_t> labels;  // counted from the first class

    std::size_t size() const { return labels.size(); }
    /// `count` digits from `first` on, around the end.
    Digits batch(std::size_t first, std::size_t count) const {
        Digits b;
        for (std::size_t i = 0; i < count; ++i) {
            const auto k = (first + i) % size();
            b.images.insert(b.images.end(), images.begin() + std::ptrdiff_t(64 * k), images.begin() + std::ptrdiff_t(64 * (k + 1)));
            b.labels.push_back(labels[k]);
        }
        return b;
    }
};

enum class Part { train, test };

/// The digits of the classes from `first` to `last`.
inline Digits load_digits(Part part, int first, int last, const std::string& path = DIGITS_CSV) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot read " + path);
    Digits d;
    std::string line;
    for (int row = 0; std::getline(file, line); ++row) {
        const auto label = std::stoi(line.substr(line.rfind(',') + 1));
        if ((row % 5 != 0) != (part == Part::train) || label < first || label > last) continue;
        std::size_t at = 0;
        for (int i = 0; i < 64; ++i, at = line.find(',', at) + 1) d.images.push_back(std::stof(line.substr(at)) / 16);
        d.labels.push_back(label - first);
    }
    return d;
}

/// The share of rows of `scores` whose largest element is at the label.
template <class Scores> double accuracy(const Scores& scores, const std::vector<std::int32_t>& labels) {
    const auto classes = scores.size() / std::int64_t(labels.size());
    int right = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const auto* row = scores.begin() + std::int64_t(i) * classes;
        std::int64_t best = 0;
        for (std::int64_t c = 1; c < classes; ++c) if (row[c] > row[best]) best = c;
        right += best == labels[i];
    }
    return double(right) / double(labels.size());
}
