// The limits of this machine: multiply-adds, memory at each level of the caches, pages that are touched for the first time, tanh and exp.
#include "limits.hpp"

#include <thread>

#include <sys/mman.h>

namespace {
double sink = 0;
}

int main() {
    using namespace bench;
    constexpr long rounds = 20000;
    const double flops = multiply_add(1), narrow = multiply_add<Half>(1);
    const auto widest = [] { sink += multiply_add(rounds); };
    compare("multiply-add, float", {{"one thread", widest, flops * rounds}, {"one thread, again", widest, flops * rounds},
                                    {"one thread, vectors of half the width", [] { sink += multiply_add<Half>(rounds); }, narrow * rounds},
                                    {"two threads", [] {
                                         std::thread other([] { multiply_add(50 * rounds); });
                                         sink += multiply_add(50 * rounds);
                                         other.join();
                                     }, 100 * flops * rounds}}, "GFLOP/s", 1e-9, 9, 10);
    for (const std::size_t kib : {16u, 512u, 8192u, 262144u}) {
        Arrays a(kib << 10);
        char title[64];
        std::snprintf(title, sizeof title, "memory, arrays of %zu KiB", kib);
        compare(title, {{"read", [&] { a.read(); }, a.bytes()}, {"read, again", [&] { a.read(); }, a.bytes()}, {"triad, counting three arrays", [&] { a.triad(); }, 3 * a.bytes()},
                        {"copy, counting two", [&] { a.copy(); }, 2 * a.bytes()}, {"fill", [&] { a.fill(); }, a.bytes()}}, "GB/s", 1e-9, 7, 10);
    }
    constexpr std::size_t fresh = 64 << 20;
    const auto touch = [](int advice) {
        void* p = mmap(nullptr, fresh, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) return;
        madvise(p, fresh, advice);
        std::memset(p, 1, fresh), clobber();
        munmap(p, fresh);
    };
    compare("pages touched for the first time", {{"small pages", [&] { touch(MADV_NOHUGEPAGE); }, double(fresh)}, {"huge pages", [&] { touch(MADV_HUGEPAGE); }, double(fresh)}}, "GB/s", 1e-9, 7, 10);
    Arrays small(16 << 10);
    compare("functions of 4096 floats, by Eigen", {{"tanh", [&] { small.tanh(); }, 4096}, {"exp", [&] { small.exp(); }, 4096}}, "G/s", 1e-9, 7, 5);
    return sink == 42;
}
