#include "../support/memory_map.hpp"
#include "../support/scratch.hpp"

#include <doctest/doctest.h>
#include <tenon/io/mapping.hpp>

using namespace tenon;
using namespace tenon::test;

TEST_CASE("a mapping shows the bytes at any offset, and lasts when the file is closed, replaced or removed") {
    Scratch dir;
    std::string all(50000, '\0');
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<char>(i * 31 % 251);
    write_bytes(dir / "f", all);
    for (const std::size_t offset : {0u, 1u, 4095u, 4096u, 4097u, 20000u, 49999u})
        for (const std::size_t n : {std::size_t{1}, std::size_t{4096}, std::size_t{9000}}) {
            if (offset + n > all.size()) continue;
            const Mapping mapping(File::open(dir / "f"), offset, n);
            CHECK(mapping.bytes() == n);
            CHECK((std::string_view(reinterpret_cast<const char*>(mapping.data()), n) == std::string_view(all).substr(offset, n)));
            CHECK(file_at(mapping.data()) == dir / "f");
        }
    const Mapping mapping(File::open(dir / "f"), 10, 40000);
    write_file_atomically(dir / "f", "other");
    CHECK((std::string_view(reinterpret_cast<const char*>(mapping.data()), 40000) == std::string_view(all).substr(10, 40000)));
    remove_file(dir / "f");
    CHECK((std::string_view(reinterpret_cast<const char*>(mapping.data()), 40000) == std::string_view(all).substr(10, 40000)));
}

TEST_CASE("writing to a mapping changes neither the file nor another mapping of it") {
    Scratch dir;
    write_bytes(dir / "f", std::string(10000, 'a'));
    const auto file = File::open(dir / "f");
    const Mapping one(file, 0, 10000), two(file, 0, 10000);
    for (const std::size_t i : {0u, 5000u, 9999u}) one.data()[i] = std::byte{'b'};
    CHECK(one.data()[5000] == std::byte{'b'});
    CHECK(two.data()[5000] == std::byte{'a'});
    CHECK(read_file(dir / "f") == std::string(10000, 'a'));
}

TEST_CASE("pages that the file does not have are told, not touched") {
    Scratch dir;
    write_bytes(dir / "f", std::string(30000, 'a'));
    const Mapping mapping(File::open(dir / "f"), 100, 29900);
    const bool told = mapping.ready(0, 29900);  // Linux before 5.14 cannot tell
    if (!told) MESSAGE("this system does not tell which pages a file has: nothing is mapped here");
    CHECK(mapping.ready(5000, 1) == told);
    std::filesystem::resize_file(dir / "f", 9000);
    CHECK(mapping.ready(0, 8000) == told);
    CHECK_FALSE(mapping.ready(0, 29900));
    CHECK_FALSE(mapping.ready(20000, 10));
}
