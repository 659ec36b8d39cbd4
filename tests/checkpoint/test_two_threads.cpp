// Work that two threads take from one list.
#include <tenon/checkpoint/two_threads.hpp>

#include <algorithm>
#include <chrono>
#include <doctest/doctest.h>
#include <stdexcept>
#include <string>
#include <thread>

using namespace tenon;
using detail::by_two_threads;

namespace {

/// Waits until both threads are there; false if the second has not come for a while, or cannot.
struct Meeting {
    std::atomic<int> there{0};
    bool join() {
        if (++there == 2) return true;
        for (int i = 0; i < 5000 && there < 2 && detail::processors() > 1; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return there == 2;
    }
};
std::atomic<int> ended{0};
struct CountsItsEnd {
    ~CountsItsEnd() { ++ended; }
};

}  // namespace

TEST_CASE("everything is done once, by two threads at the same time where there are processors for them") {
    for (const std::size_t n : {0u, 1u, 2u, 3u, 1000u}) {
        std::vector<int> done(n);
        Meeting meeting;
        std::atomic<bool> met{false};
        by_two_threads(n, [&](int thread, std::size_t i) {
            CHECK((thread == 0 || thread == 1));
            if (i < 2 && n > 1 && meeting.join()) met = true;
            ++done[i];
        });
        CHECK(std::count(done.begin(), done.end(), 1) == static_cast<std::ptrdiff_t>(n));
        CHECK(met == (n > 1 && detail::processors() > 1));
    }
}

TEST_CASE("the error of either thread arrives, and what was not begun is not begun") {
    for (const int failing : {0, 1}) {
        Meeting meeting;
        std::atomic<int> begun{0};
        std::string message;
        try {
            by_two_threads(1000000, [&](int thread, std::size_t i) {
                ++begun;
                const bool both = i < 2 ? meeting.join() : true;
                if (thread == failing || !both) throw std::runtime_error("thread " + std::to_string(both ? thread : failing));
            });
        } catch (const std::runtime_error& e) { message = e.what(); }
        CHECK(message == "thread " + std::to_string(failing));
        CHECK(begun < 1000000);
    }
}

TEST_CASE("the second thread has ended when the work is done") {
    ended = 0;
    std::atomic<bool> met{false};
    Meeting meeting;
    const auto caller = std::this_thread::get_id();
    by_two_threads(2, [&](int, std::size_t) {
        if (std::this_thread::get_id() != caller) static_cast<void>([] { thread_local CountsItsEnd its; return &its; }());
        if (meeting.join()) met = true;
    });
    CHECK(ended == met);
}

TEST_CASE("a thread that may use one processor does everything by itself") {
#if defined(__linux__)
    ::cpu_set_t before, one;
    REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i) if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
    REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
    const auto caller = std::this_thread::get_id();
    std::size_t next = 0;
    by_two_threads(1000, [&](int thread, std::size_t i) {
        CHECK(std::this_thread::get_id() == caller);
        CHECK(thread == 0);
        CHECK(i == next++);
    });
    CHECK(next == 1000);
    REQUIRE(::sched_setaffinity(0, sizeof before, &before) == 0);
#endif
}

TEST_CASE("a thread that is cancelled while two work ends when they have done, and not the program") {
    struct Work {
        std::atomic<bool> begun{false}, go{false};
        std::atomic<int> done{0};
    } work;
    pthread_t thread;
    const auto main = [](void* its) -> void* {
        auto& w = *static_cast<Work*>(its);
        by_two_threads(100, [&](int, std::size_t) {
            w.begun = true;
            while (!w.go) ::usleep(100);  // where a thread may be cancelled
            ++w.done;
        });
        ::pthread_testcancel();
        return nullptr;
    };
    REQUIRE(::pthread_create(&thread, nullptr, main, &work) == 0);
    while (!work.begun) ::usleep(100);
    REQUIRE(::pthread_cancel(thread) == 0);
    work.go = true;
    void* result = nullptr;
    REQUIRE(::pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK((work.done == 100 || detail::processors() < 2));
}
