// A range of a file as memory, whose pages come when they are touched.
#pragma once
#include "file.hpp"

#include <cstddef>

#include <sys/mman.h>

namespace tenon {

/// The n bytes at `offset` of a file, private: who writes to them writes to a copy of the page, and never to the file. The file may be closed,
/// renamed or removed meanwhile.
///
/// Values    n is at least 1. Any offset: `data` begins as far into a page as the bytes do in the file
/// Errors    FileError if the system has no room. Touching a page that the file no longer has, because somebody shortened it, is SIGBUS: ask `ready` before
class Mapping {
    std::byte* begin_;
    std::size_t before_, bytes_;  // before_: from the page's begin to the first byte

    static std::size_t page() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

public:
    Mapping(const File& file, std::uint64_t offset, std::size_t n) : before_(static_cast<std::size_t>(offset % page())), bytes_(n) {
        void* const p = ::mmap(nullptr, before_ + n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.descriptor(), static_cast<off_t>(offset - before_));
        if (p == MAP_FAILED) throw_file_error(file.path(), "map");
        begin_ = static_cast<std::byte*>(p);
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() { ::munmap(begin_, before_ + bytes_); }

    std::byte* data() const { return begin_ + before_; }
    std::size_t bytes() const { return bytes_; }
    /// Brings the pages of n bytes at `at`. False if the file does not have them any more, the disk cannot read them, or the system cannot tell.
    bool ready([[maybe_unused]] std::size_t at, [[maybe_unused]] std::size_t n) const {
#if defined(MADV_POPULATE_READ)
        const auto first = (before_ + at) / page() * page();
        return ::madvise(begin_ + first, before_ + at + n - first, MADV_POPULATE_READ) == 0;
#else
        return false;
#endif
    }
};

}  // namespace tenon
