// Runs of many bytes in pieces, which two threads pass; a run's checksum is joined of those of its pieces.
#pragma once
#include "../io/crc32c.hpp"
#include "two_threads.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tenon::detail {

class Pieces {
    static constexpr std::uint64_t most_bytes = 4u << 20;

    struct Piece {
        std::size_t run;
        std::uint64_t at, bytes;
        std::uint32_t crc;
    };
    std::vector<Piece> all_;
    std::size_t runs_ = 0;

public:
    bool empty() const { return all_.empty(); }
    /// The next run, of at least one byte. It is cut where its offset, counted from `first`, is a multiple of 4 MiB.
    void add(std::uint64_t bytes, std::uint64_t first = 0) {
        for (std::uint64_t at = 0, n; at < bytes; at += n) {
            n = std::min(bytes - at, most_bytes - (first + at) % most_bytes);
            all_.push_back({runs_, at, n, 0});
        }
        ++runs_;
    }
    /// pass(thread, run, at, n), which says a checksum, for every piece, by two threads; then done(run, checksum) for every run. It may be done again.
    ///
    /// Errors    those of by_two_threads, and of `done`
    template <class Pass, class Done> void pass(Pass pass, Done done) {
        by_two_threads(all_.size(), [&](int thread, std::size_t i) {
            auto& p = all_[i];
            p.crc = pass(thread, p.run, p.at, static_cast<std::size_t>(p.bytes));
        });
        std::uint32_t crc = 0;
        for (std::size_t i = 0; i < all_.size(); ++i) {
            const auto& p = all_[i];
            crc = p.at ? join_crc32c(crc, p.crc, p.bytes) : p.crc;
            if (i + 1 == all_.size() || all_[i + 1].run != p.run) done(p.run, crc);
        }
    }
};

}  // namespace tenon::detail
