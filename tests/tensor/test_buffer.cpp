// Where buffers begin, and which pages they are in.
#include <tenon/tensor/buffer.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

using namespace tenon;

namespace {
std::uintptr_t address(const Buffer& b) { return reinterpret_cast<std::uintptr_t>(b.data()); }
/// What the system says of the memory in which `at` lies: "rd wr mr mw me ac hg" and the like.
std::string flags_of(std::uintptr_t at) {
    std::ifstream maps("/proc/self/smaps");
    bool inside = false;
    for (std::string line; std::getline(maps, line);) {
        unsigned long long from = 0, to = 0;
        if (std::sscanf(line.c_str(), "%llx-%llx ", &from, &to) == 2) inside = from <= at && at < to;
        else if (inside && line.starts_with("VmFlags:")) return line;
    }
    return "";
}
}  // namespace

TEST_CASE("a buffer begins at a multiple of 64 bytes, one of 2 MiB or more where a large page does") {
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{65}, std::size_t{1} << 20, large_page - 1}) CHECK(address(Buffer(bytes)) % 64 == 0);
    for (const std::size_t bytes : {large_page, large_page + 1, 5 * large_page / 2}) {
        Buffer b(bytes);
        CHECK(address(b) % large_page == 0);
        CHECK(b.bytes() == bytes);
        std::memset(b.data(), 1, bytes);
        Buffer moved = std::move(b);
        CHECK(moved.data()[bytes - 1] == std::byte{1});
    }
}

TEST_CASE("a system that has large pages is asked for those that a buffer fills, and for no more") {
    const bool has_some = std::filesystem::exists("/sys/kernel/mm/transparent_hugepage/enabled");
    const Buffer large(20 * large_page + 4096);
    const auto asked = [](std::uintptr_t at) { return flags_of(at).find(" hg") != std::string::npos; };
    CHECK(asked(address(large)) == has_some);
    CHECK(asked(address(large) + 20 * large_page - 1) == has_some);
    CHECK_FALSE(asked(address(large) + 20 * large_page));
}
