#include <tenon/checkpoint/index_entries.hpp>

#include <doctest/doctest.h>
#include <map>
#include <random>

using namespace tenon;

TEST_CASE("entries come back in the order of their keys, whatever the order in which they came") {
    std::mt19937 random(3);
    for (int round = 0; round < 60; ++round) {
        CAPTURE(round);
        detail::IndexEntries entries;
        std::map<std::string, std::string> want;
        std::vector<std::string> added;
        const auto n = random() % 200, span = 1 + random() % 400;
        for (unsigned i = 0; i < n; ++i) {
            const bool behind = round % 3 == 0 || (round % 3 == 1 && i < n - 1);  // all, all but the last, any
            const auto key = behind ? std::string(1, 'k') + std::to_string(1000 + i) : std::to_string(random() % span);
            CHECK(entries.contains(key) == want.contains(key));
            if (entries.ascends(key)) CHECK_FALSE(want.contains(key));
            if (want.contains(key)) continue;
            want[key] = std::string(random() % 30, static_cast<char>(i));
            entries.add(key, want[key]);
            added.push_back(key);
            CHECK(entries.size() == added.size());
            if (random() % 4) continue;
            const auto changed = random() % added.size();
            entries.change(changed, want[added[changed]] = std::to_string(i) + ' ' + std::to_string(round));
        }
        CHECK_FALSE(entries.contains("none"));
        CHECK_FALSE(entries.contains(""));
        auto at = want.begin();
        entries.each([&](std::string_view key, std::string_view value) {
            REQUIRE(at != want.end());
            CHECK(key == at->first);
            CHECK(value == at->second);
            ++at;
        });
        CHECK(at == want.end());
    }
}
