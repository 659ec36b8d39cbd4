// One block of memory for all intermediate results of a plan, shared by those that do not live at the same time.
#pragma once
#include <cstddef>
#include <vector>

namespace tenon {

/// Gives out places in a block of memory that grows as needed; nothing is allocated yet.
///
/// Cost      linear in the number of free places, which stays small
class Placer {
    struct Gap { std::size_t at, bytes; };
    std::vector<Gap> gaps_;  // ascending
    std::size_t top_ = 0;

public:
    static constexpr std::size_t padded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

    /// The smallest gap that fits, or the end.
    template <class = void> std::size_t take(std::size_t bytes) {
        bytes = padded(bytes);
        if (bytes == 0) return 0;
        std::size_t best = gaps_.size();
        for (std::size_t i = 0; i < gaps_.size(); ++i)
            if (gaps_[i].bytes >= bytes && (best == gaps_.size() || gaps_[i].bytes < gaps_[best].bytes)) best = i;
        if (best < gaps_.size()) {
            const std::size_t at = gaps_[best].at;
            gaps_[best].at += bytes;
            gaps_[best].bytes -= bytes;
            if (gaps_[best].bytes == 0) gaps_.erase(gaps_.begin() + static_cast<std::ptrdiff_t>(best));
            return at;
        }
        std::size_t at = top_;
        if (!gaps_.empty() && gaps_.back().at + gaps_.back().bytes == top_) {
            at = gaps_.back().at;
            gaps_.pop_back();
        }
        top_ = at + bytes;
        return at;
    }
    template <class = void> void give_back(std::size_t at, std::size_t bytes) {
        bytes = padded(bytes);
        if (bytes == 0) return;
        std::size_t i = 0;
        while (i < gaps_.size() && gaps_[i].at < at) ++i;
        gaps_.insert(gaps_.begin() + static_cast<std::ptrdiff_t>(i), {at, bytes});
        if (i + 1 < gaps_.size() && at + bytes == gaps_[i + 1].at) {
            gaps_[i].bytes += gaps_[i + 1].bytes;
            gaps_.erase(gaps_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
        if (i > 0 && gaps_[i - 1].at + gaps_[i - 1].bytes == at) {
            gaps_[i - 1].bytes += gaps_[i].bytes;
            gaps_.erase(gaps_.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    std::size_t bytes() const { return top_; }
};

}  // namespace tenon
