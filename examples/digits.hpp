// 1797 handwritten digits of 8x8 pixels (examples/data), dealt out by row before anything is trained: of five, one is to test on, one is
// for validation, by which alone learning rates, widths and the like were chosen, and three are to learn from.
#pragma once
#include <algorithm>
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
    /// Nine times as many: each as it is, and moved by a pixel to every side and corner.
    Digits moved() const {
        Digits m;
        for (std::size_t round = 0; round < 9; ++round)
            for (std::size_t i = 0; i < size(); ++i) {
                const int move = int((i + round) % 9), down = move / 3 - 1, right = move % 3 - 1;
                for (int to = 0; to < 64; ++to) {
                    const int y = to / 8 - down, x = to % 8 - right;
                    m.images.push_back(y < 0 || y > 7 || x < 0 || x > 7 ? 0 : images[64 * i + std::size_t(8 * y + x)]);
                }
                m.labels.push_back(labels[i]);
            }
        return m;
    }
};

enum class Part { test, validation, train };

/// The digits of the classes from `first` to `last`.
inline Digits load_digits(Part part, int first, int last, const std::string& path = DIGITS_CSV) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot read " + path);
    Digits d;
    std::string line;
    for (int row = 0; std::getline(file, line); ++row) {
        const auto label = std::stoi(line.substr(line.rfind(',') + 1));
        const auto of = row % 5 == 0 ? Part::test : row % 5 == 1 ? Part::validation : Part::train;
        if (of != part || label < first || label > last) continue;
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
        right += std::max_element(row, row + classes) - row == labels[i];
    }
    return double(right) / double(labels.size());
}
