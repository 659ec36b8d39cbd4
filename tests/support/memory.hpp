// Memory of a program that fails when a test wants it: operator new is replaced for the whole program, so one source of it includes this.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace tenon::test {

struct Memory {
    std::atomic<long> taken{0};    ///< how often memory was asked for
    std::atomic<long> held{0};     ///< what was given and has not come back
    std::atomic<long> refused{0};  ///< the request, counted by `taken` from 1, that fails; 0: none
    bool refuses() { return ++taken == refused; }
};
inline Memory memory;

inline void* take_memory(std::size_t n, std::size_t alignment = alignof(std::max_align_t)) noexcept {
    void* const p = memory.refuses() ? nullptr : std::aligned_alloc(alignment, (n + alignment - (n > 0)) / alignment * alignment);
    memory.held += p != nullptr;
    return p;
}
inline void give_memory(void* p) noexcept {
    memory.held -= p != nullptr;
    std::free(p);
}

/// While it lives, one request for memory is refused.
struct Refusal {
    explicit Refusal(long request) { memory.taken = 0, memory.refused = request; }
    ~Refusal() { memory.refused = 0; }
    Refusal(const Refusal&) = delete;
    Refusal& operator=(const Refusal&) = delete;
};

/// Calls again(refused), where refused(f) calls f, with each request for memory refused that `once` makes, which is called first. How many that are.
template <class Once, class Again> long each_request(Once once, Again again) {
    memory.refused = 0, memory.taken = 0;
    once();
    const long all = memory.taken;
    for (long i = 1; i <= all; ++i) again([&](auto f) {
        const Refusal here(i);
        f();
    });
    return all;
}

}  // namespace tenon::test

[[gnu::noinline]] void* operator new(std::size_t n) {
    if (void* p = tenon::test::take_memory(n)) return p;
    throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t n, std::align_val_t a) {
    if (void* p = tenon::test::take_memory(n, static_cast<std::size_t>(a))) return p;
    throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return tenon::test::take_memory(n); }
[[gnu::noinline]] void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept { return tenon::test::take_memory(n, static_cast<std::size_t>(a)); }
[[gnu::noinline]] void operator delete(void* p) noexcept { tenon::test::give_memory(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { tenon::test::give_memory(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { tenon::test::give_memory(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept { tenon::test::give_memory(p); }
