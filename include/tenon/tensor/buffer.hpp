// Memory of tensors and of plans: bytes at 64, and what is large at 2 MiB, in pages of that size where the system has them.
#pragma once
#include "../base/memory.hpp"

#include <memory>
#include <new>

namespace tenon {

/// 64-byte aligned bytes; never a type whose layout depends on -march.
///
/// Aligned by hand: of what malloc itself has aligned the GNU C library before 2.38 cannot use again the hole that stays behind, and variables made
/// one after the other took three times their size.
///
/// Values    from `large_page` bytes on they begin where such a page does, and the system is asked for large pages, as far as they are whole: neither what lies before
///           them nor what follows the last whole one is touched for that. A hint: where there are none, pages are as small as ever
/// Cost      a convolutional net of 75 MB trains 8 % faster
class Buffer {
    struct Free {
        void operator()(std::byte* p) const { ::operator delete(p); }
    };
    std::unique_ptr<std::byte, Free> memory_;
    std::size_t bytes_ = 0;

public:
    static constexpr std::size_t alignment_of(std::size_t bytes) { return bytes < large_page ? 64 : large_page; }

    Buffer() = default;
    /// Not cleared: who asks for memory is about to fill it.
    template <class = void> explicit Buffer(std::size_t bytes) : memory_(static_cast<std::byte*>(::operator new((bytes + 63) / 64 * 64 + alignment_of(bytes), std::nothrow))), bytes_(bytes) {
        if (!memory_) throw std::bad_alloc();  // by hand: where sanitizers watch, operator new ends the program instead
        advise_large_pages(data(), bytes);
    }
    std::byte* data() const {
        std::byte* const p = memory_.get();
        return p + (-reinterpret_cast<std::uintptr_t>(p) % alignment_of(bytes_));
    }
    std::size_t bytes() const { return bytes_; }
};

}  // namespace tenon
