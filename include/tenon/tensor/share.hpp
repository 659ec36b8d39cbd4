// How a piece of work is divided among threads, so that every element of its result is computed as by one alone.
#pragma once
#include <algorithm>
#include <cstdint>

namespace tenon {

/// One of `count` parts of a piece of work, which may be done at the same time.
struct Share {
    struct Range {
        std::int64_t from, to;
        constexpr std::int64_t size() const { return to - from; }
    };
    int index = 0, count = 1;

    /// What of [0, n) belongs to this share, in whole units; what fills none goes with the last.
    constexpr Range of(std::int64_t n, std::int64_t unit = 1) const {
        if (count == 1) return {0, n};  // without a division
        const std::int64_t units = n / unit;
        return {units * index / count * unit, index + 1 == count ? n : units * (index + 1) / count * unit};
    }
};

/// The threads that may share a piece of work.
struct Threads {
    int count = 1;
    double least = 7e4;  ///< nanoseconds of work that are worth another thread: it begins at once if it is awake, 15 us after it is called if it sleeps

    /// Into how many shares to divide work of so many nanoseconds and so many parts.
    constexpr int shares(double nanoseconds, std::int64_t parts) const {
        const std::int64_t most = std::max<std::int64_t>(std::min<std::int64_t>(count, parts), 1);
        return nanoseconds >= least * static_cast<double>(most) ? static_cast<int>(most) : std::max(static_cast<int>(nanoseconds / least), 1);
    }
};

}  // namespace tenon
