// Reads many tensors of a checkpoint, large ones by two threads.
#pragma once
#include "bundle_reader.hpp"
#include "pieces.hpp"

namespace tenon {

/// Many tensors, in any order, into memory of theirs, and as often as one likes. Where they have 64 MiB or more, those that have 1 MiB, lie in one piece and are not of
/// version 1 are passed by two threads.
///
/// Errors    of files, and ShapeError "model-7: w: 8 bytes do not go into 0", before anything is read
class BundleReader::Reading {
    static constexpr std::size_t least_cut = 1u << 20;

    const BundleReader& from_;
    std::vector<Passage> large_, others_;
    detail::Pieces pieces_;
    Cursor& cursor_;
    Cursor second_;

    void pass(bool into) {
        for (const auto& [t, memory] : others_) into ? from_.read_into(*t, memory, cursor_) : from_.verify(*t, cursor_);
        if (pieces_.empty()) return;
        pieces_.pass(
            [&](int thread, std::size_t i, std::uint64_t at, std::size_t n) {
                const auto& [t, memory] = large_[i];
                auto& its = thread ? second_ : cursor_;
                its.open(*from_.files_, t->parts[0].file);
                return its.pass(t->parts[0].offset + at, n, into ? memory.data() + at : nullptr);
            },
            [&](std::size_t i, std::uint32_t crc) {
                const auto& [t, memory] = large_[i];
                const auto& part = t->parts[0];
                from_.compare(*t, part, crc, cursor_.open(*from_.files_, part.file));
                if (into) from_.settle(*t, part, memory.data());
            });
    }

public:
    Reading(const BundleReader& from, std::span<const Passage> all, Cursor& cursor) : from_(from), cursor_(cursor) {
        std::uint64_t bytes = 0;
        for (const auto& p : all) bytes += p.into.size();
        for (const auto& p : all) {
            const auto& t = *p.tensor;
            from.fits(t, static_cast<std::uint64_t>(t.size()) * file_bytes_of(t.dtype), p.into);
            if (from.plain(t)) from.bound(t, t.parts[0], cursor);
            const bool cut = bytes >= detail::least_for_two_threads && from.plain(t) && p.into.size() >= least_cut;
            (cut ? large_ : others_).push_back(p);
            if (cut) pieces_.add(p.into.size());
        }
    }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

    /// Errors    those of BundleReader::read, of one of them, whichever is found first; what is in the memory then is of no use
    void read() { pass(true); }
    /// Only compares checksums. What `read` does then takes no more of the system's memory, but for tensors in slices or of version 1.
    void verify() {
        cursor_.take_memory();
        if (!pieces_.empty()) second_.take_memory();
        pass(false);
    }
};

}  // namespace tenon
