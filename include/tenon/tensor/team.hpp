// Threads that wait for work which they share with the thread that has it.
//
// A job is a number of parts. Whoever is free takes the next part, the caller too, so that it is done whether or not the others come: with a busy
// neighbour on their processors a job takes as long as alone, not longer. What is taken is one number,
//
//   ticket    job's number : 32    parts : 16    parts taken : 16
//
// so a thread that comes late takes nothing of a job that it does not know. Who waits spins for about a microsecond and then sleeps.
#pragma once
#include "share.hpp"

#include <atomic>
#include <cstdint>
#include <exception>
#include <utility>
#include <vector>

#include <pthread.h>  // <thread> costs each program that includes tenon 30 ms of compiling
#include <signal.h>
#include <unistd.h>

namespace tenon {

namespace detail {
/// While it lives, this thread is not cancelled (pthread_cancel), but after it: its work is shared with others, who have to be waited for.
class NotCancelled {
    int before_ = 0;

public:
    NotCancelled() { ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
    ~NotCancelled() { ::pthread_setcancelstate(before_, nullptr); }
    NotCancelled(const NotCancelled&) = delete;
    NotCancelled& operator=(const NotCancelled&) = delete;
};
}  // namespace detail

/// A thread and its helpers, which start with the first job and end with the team.
///
/// Values    at least one thread, the caller counted; a team of one has no helpers
/// Cost      a job of the whole team costs a few microseconds where helpers are awake; it allocates nothing
/// Errors    that of the first part that throws, once all have ended; where the team is busy, the parts after it are not begun. Where no thread can be started, fewer help
class Team {
public:
    using Part = void (*)(const void* context, int part);

    template <class = void> explicit Team(Threads threads) : threads_(threads), errors_(static_cast<std::size_t>(threads.count)) { helpers_.reserve(static_cast<std::size_t>(threads.count - 1)); }
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;
    ~Team() {
        if (!helpers_.empty() && process_ == ::getpid()) dismiss();  // a fork has none of the helpers
    }
    const Threads& threads() const { return threads_; }

    /// f(context, part) for every part in [0, parts), as many as threads at most: at the same time, or one after the other if another thread uses the team now.
    template <class = void> void run(int parts, Part f, const void* context) {
        if (threads_.count == 1 || busy_.exchange(true, std::memory_order_acquire)) {
            for (int i = 0; i < parts; ++i) f(context, i);
            return;
        }
        if (helpers_.empty()) engage();
        run_ = f, context_ = context;
        left_.store(static_cast<std::uint32_t>(parts), std::memory_order_relaxed);
        const std::uint32_t job = job_.load(std::memory_order_relaxed) + 1;
        ticket_.store(std::uint64_t{job} << 32 | static_cast<std::uint64_t>(parts) << 16, std::memory_order_release);
        job_.store(job, std::memory_order_release);
        job_.notify_all();
        take_parts();
        await(left_, [](std::uint32_t left) { return left == 0; });
        std::exception_ptr first;
        if (failed_.exchange(false, std::memory_order_relaxed))
            for (auto& e : errors_) if (auto its = std::exchange(e, nullptr); its && !first) first = std::move(its);
        busy_.store(false, std::memory_order_release);
        if (first) std::rethrow_exception(std::move(first));
    }

private:
    /// Until is(value) holds: a microsecond or so awake, then asleep.
    template <class Is> static void await(const std::atomic<std::uint32_t>& value, Is is) {
        for (int i = 0; i < 100; ++i) {
            if (is(value.load(std::memory_order_acquire))) return;
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
        }
        for (std::uint32_t seen; !is(seen = value.load(std::memory_order_acquire));) value.wait(seen, std::memory_order_acquire);
    }
    template <class = void> void take_parts() {
        for (std::uint64_t ticket = ticket_.load(std::memory_order_acquire); (ticket & 0xffff) < (ticket >> 16 & 0xffff);) {
            if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
            const int part = static_cast<int>(ticket & 0xffff);  // it is ours, so the job stays until we have done it
            try {
                run_(context_, part);
            } catch (...) {
                errors_[static_cast<std::size_t>(part)] = std::current_exception();
                failed_.store(true, std::memory_order_relaxed);
            }
            if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_one();
            ticket = ticket_.load(std::memory_order_acquire);
        }
    }
    template <class = void> void help() {
        for (std::uint32_t seen = 0; !over_.load(std::memory_order_acquire);) {
            await(job_, [&](std::uint32_t job) { return job != seen; });
            seen = job_.load(std::memory_order_acquire);
            take_parts();
        }
    }
    template <class = void> void engage() {
        const auto wanted = static_cast<std::size_t>(threads_.count - 1);
        sigset_t all, before;
        sigfillset(&all);
        for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigdelset(&all, own);  // who is at fault gets these
        process_ = ::getpid();
        pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the program's own threads
        while (helpers_.size() < wanted) {
            pthread_t thread;
            const auto main = [](void* team) -> void* {
                static_cast<Team*>(team)->help();
                return nullptr;
            };
            if (pthread_create(&thread, nullptr, main, this) != 0) break;
            helpers_.push_back(thread);
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    template <class = void> void dismiss() {
        const detail::NotCancelled here;
        over_.store(true, std::memory_order_release);
        job_.fetch_add(1, std::memory_order_release);
        job_.notify_all();
        for (const pthread_t t : helpers_) pthread_join(t, nullptr);
    }

    const Threads threads_;
    pid_t process_ = 0;  ///< that has the helpers
    Part run_ = nullptr;
    const void* context_ = nullptr;
    std::vector<std::exception_ptr> errors_;  // by part
    std::vector<pthread_t> helpers_;
    std::atomic<bool> busy_{false}, failed_{false}, over_{false};
    alignas(64) std::atomic<std::uint64_t> ticket_{0};
    alignas(64) std::atomic<std::uint32_t> job_{0};
    alignas(64) std::atomic<std::uint32_t> left_{0};
};

}  // namespace tenon
