// Teams of threads and how work is divided among them.
#include <tenon/tensor/team.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>

using namespace tenon;

namespace {

/// run(part) for every part.
template <class F> void share(Team& team, int parts, const F& run) {
    team.run(parts, [](const void* f, int part) { (*static_cast<const F*>(f))(part); }, &run);
}
std::ptrdiff_t threads_of_process() { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); }

}  // namespace

TEST_CASE("shares cover everything once, in order, and begin at whole units") {
    for (const std::int64_t n : {0, 1, 7, 64, 65, 1000})
        for (const std::int64_t unit : {1, 14, 32})
            for (const int count : {1, 2, 3, 7}) {
                std::int64_t next = 0;
                for (int i = 0; i < count; ++i) {
                    const auto r = Share{i, count}.of(n, unit);
                    CHECK(r.from == next);
                    CHECK(r.from % unit == 0);
                    CHECK(r.size() >= 0);
                    CHECK(r.size() < n / count + 2 * unit);
                    next = r.to;
                }
                CHECK(next == n);
            }
}

TEST_CASE("work is shared where it is worth so many threads, among its parts at most") {
    constexpr Threads two{2, 1000};
    static_assert(two.shares(1999, 100) == 1 && two.shares(2000, 100) == 2 && two.shares(1e30, 100) == 2);
    static_assert(two.shares(1e30, 1) == 1 && two.shares(1e30, 0) == 1 && Threads{4, 1000}.shares(3000, 100) == 3);
    static_assert(Threads{1, 0}.shares(1e30, 100) == 1 && Threads{3, 0}.shares(0, 2) == 2);
}

TEST_CASE("every part is run once, job after job, whatever the size of the team") {
    for (const int size : {1, 2, 3, 5}) {
        Team team({size});
        std::vector<long> runs(static_cast<std::size_t>(size));  // of a part: never two threads at once
        long jobs = 0;
        for (int i = 0; i < 3000; ++i) {
            const int parts = 1 + i % size;
            share(team, parts, [&](int part) { ++runs[static_cast<std::size_t>(part)]; });
            jobs += parts;
        }
        long sum = 0;
        for (const long r : runs) sum += r;
        CHECK(sum == jobs);
        CHECK(runs[0] == 3000);
    }
}

TEST_CASE("parts run at the same time") {
    Team team({3});
    std::atomic<int> here{0};
    share(team, 3, [&](int) {
        for (++here; here < 3;) std::this_thread::yield();
    });
    CHECK(here == 3);
}

TEST_CASE("the error of the first part that throws reaches the caller, when all have ended, and the team goes on") {
    Team team({3});
    for (int i = 0; i < 200; ++i) {
        std::atomic<int> ended{0};
        CHECK_THROWS_WITH_AS(share(team, 3, [&](int part) {
            ++ended;
            if (part > 0) throw std::runtime_error("part " + std::to_string(part));
        }), "part 1", std::runtime_error);
        CHECK(ended == 3);
        share(team, 3, [&](int) { ++ended; });
        CHECK(ended == 6);
    }
}

TEST_CASE("who finds a team at work does without it") {
    Team team({2});
    std::atomic<int> inner{0};
    share(team, 2, [&](int) { share(team, 2, [&](int) { ++inner; }); });
    CHECK(inner == 4);
    std::atomic<long> sum{0};
    const auto work = [&] { for (int i = 0; i < 2000; ++i) share(team, 2, [&](int part) { sum += part + 1; }); };
    std::thread other(work);
    work();
    other.join();
    CHECK(sum == 2 * 2000 * 3);
}

TEST_CASE("helpers start with the first job and end with the team") {
    const auto before = threads_of_process();
    {
        Team team({4});
        CHECK(threads_of_process() == before);
        share(team, 4, [](int) {});
        CHECK(threads_of_process() == before + 3);
        Team alone({1});
        share(alone, 1, [](int) {});
        CHECK(threads_of_process() == before + 3);
    }
    CHECK(threads_of_process() == before);
}
