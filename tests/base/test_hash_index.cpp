#include <doctest/doctest.h>
#include <tenon/base/hash_index.hpp>

#include <memory>
#include <string>

using tenon::HashIndex;

TEST_CASE("numbers are found by address, whatever else is there") {
    HashIndex index;
    std::vector<std::unique_ptr<int>> keys;
    for (int i = 0; i < 10000; ++i) {
        keys.push_back(std::make_unique<int>(i));
        CHECK(index.find(keys.back().get()) == HashIndex::none);
        CHECK(index.keep(keys.back().get(), i) == i);
    }
    for (int i = 0; i < 10000; ++i) {
        REQUIRE(index.find(keys[static_cast<std::size_t>(i)].get()) == i);
        REQUIRE(index.keep(keys[static_cast<std::size_t>(i)].get(), -7) == i);
    }
    CHECK_FALSE(index.insert(keys[0].get()));
    CHECK(index.insert(&keys));
}

TEST_CASE("equal hashes are told apart by what they stand for") {
    const std::vector<std::string> names{"a", "b", "c"};
    HashIndex index;
    for (int i = 0; i < 3; ++i) index.add(42, i);
    for (int i = 0; i < 3; ++i) CHECK(index.find(42, [&](int k) { return names[static_cast<std::size_t>(k)] == names[static_cast<std::size_t>(i)]; }) == i);
    CHECK(index.find(42, [](int) { return false; }) == HashIndex::none);
    CHECK(index.find(43, [](int) { return true; }) == HashIndex::none);
}

TEST_CASE("a name keeps the number it had first") {
    const std::vector<std::string> names{"a", "b", "a", "b", "c"};
    HashIndex index;
    std::vector<int> kept;
    for (int i = 0; i < 5; ++i) kept.push_back(index.keep(std::hash<std::string>()(names[static_cast<std::size_t>(i)]), i, [&](int k) { return names[static_cast<std::size_t>(k)] == names[static_cast<std::size_t>(i)]; }));
    CHECK(kept == std::vector<int>{0, 1, 0, 1, 4});
}

TEST_CASE("numbers that are given others are found under the same names") {
    const std::string names[]{"b", "a", "c"};
    HashIndex index;
    for (int i = 0; i < 3; ++i) index.add(tenon::hash_of(names[i]), i);
    const int place[]{1, 0, 2};
    index.renumber([&](int i) { return place[i]; });
    const std::string sorted[]{"a", "b", "c"};
    for (int i = 0; i < 3; ++i) CHECK(index.find(tenon::hash_of(sorted[i]), [&](int k) { return sorted[k] == sorted[i]; }) == i);
    CHECK(index.find(tenon::hash_of("d"), [](int) { return true; }) == HashIndex::none);
}
