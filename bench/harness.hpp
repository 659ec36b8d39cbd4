// Times candidates side by side on a noisy machine.
//
// Each candidate is calibrated to samples of at least `slice_ms`; then all are sampled in turn for a number of rounds, so that slow
// drift hits them alike. Reported: median, minimum, and the median over the rounds of the ratio to the first candidate. A candidate
// listed twice (an A/A pair) shows what a ratio is worth. Samples during which a thread of ours waited for a CPU
// (/proc/self/task/*/schedstat) are taken again, up to six times; their share is printed.
//
// BENCH_ROUNDS sets the number of rounds. A file that BENCH_JSON names gets a line of JSON for every candidate, for programs to read.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <dirent.h>

namespace bench {

inline double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
/// The compiler must assume that all memory was read and written here.
inline void clobber() { asm volatile("" ::: "memory"); }

/// Seconds that threads of this process could have run but did not.
inline double waited() {
    double sum = 0;
    DIR* tasks = opendir("/proc/self/task");
    if (!tasks) return 0;
    while (const dirent* e = readdir(tasks)) {
        if (e->d_name[0] == '.') continue;
        const std::string path = std::string("/proc/self/task/") + e->d_name + "/schedstat";
        if (std::FILE* f = std::fopen(path.c_str(), "r")) {
            unsigned long long ran = 0, wait = 0;
            if (std::fscanf(f, "%llu %llu", &ran, &wait) == 2) sum += double(wait) * 1e-9;
            std::fclose(f);
        }
    }
    closedir(tasks);
    return sum;
}

struct Candidate {
    std::string name;
    std::function<void()> run;
    double work = 0;   ///< units per call
    double limit = 0;  ///< units per second that the machine can do, if known
};

inline double median(std::vector<double> v) {
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
}

/// A candidate's line in the file that BENCH_JSON names.
inline void record(const char* title, const Candidate& c, double median, double lowest, double ratio, const char* unit, double scale) {
    const char* path = std::getenv("BENCH_JSON");
    std::FILE* f = path ? std::fopen(path, "a") : nullptr;
    if (!f) return;
    std::fprintf(f, "{\"title\": \"%s\", \"name\": \"%s\", \"median_us\": %.6g, \"min_us\": %.6g, \"ratio\": %.5g", title, c.name.c_str(), median * 1e6, lowest * 1e6, ratio);
    if (c.work > 0) std::fprintf(f, ", \"rate\": %.6g, \"unit\": \"%s\"", c.work / lowest * scale, unit);
    if (c.limit > 0) std::fprintf(f, ", \"share\": %.5g", c.work / lowest / c.limit);
    std::fprintf(f, "}\n");
    std::fclose(f);
}

inline void compare(const char* title, const std::vector<Candidate>& candidates, const char* unit = "", double scale = 1, int rounds = 15, double slice_ms = 20) {
    if (const char* e = std::getenv("BENCH_ROUNDS")) rounds = std::max(1, std::atoi(e));
    const auto n = candidates.size();
    std::vector<long> calls(n);
    for (std::size_t i = 0; i < n; ++i) {
        candidates[i].run();
        long k = 1;
        for (double seconds = 0;; k *= 2) {
            const double start = now();
            for (long j = 0; j < k; ++j) candidates[i].run();
            seconds = now() - start;
            if (seconds > slice_ms * 5e-4) {
                calls[i] = std::max(1L, long(double(k) * slice_ms * 1e-3 / seconds));
                break;
            }
        }
    }
    std::vector<std::vector<double>> time(n), ratio(n);
    long dirty = 0, total = 0;
    for (int r = 0; r < rounds; ++r)
        for (std::size_t i = 0; i < n; ++i) {
            double best = 1e300;
            for (int attempt = 0; attempt < 6; ++attempt) {
                const double wait = waited(), start = now();
                for (long j = 0; j < calls[i]; ++j) candidates[i].run();
                const double seconds = now() - start;
                ++total;
                best = std::min(best, seconds);
                if (waited() - wait < 0.01 * seconds) {
                    best = seconds;
                    break;
                }
                ++dirty;
            }
            time[i].push_back(best / double(calls[i]));
            ratio[i].push_back(time[i].back() / time[0].back());
        }
    std::printf("%s   [%.0f%% of the samples taken again]\n", title, 100.0 * double(dirty) / double(std::max(1L, total)));
    for (std::size_t i = 0; i < n; ++i) {
        const double m = median(time[i]), lowest = *std::min_element(time[i].begin(), time[i].end());
        std::printf("  %-36s median %11.3f us   min %11.3f us   ratio %6.3f", candidates[i].name.c_str(), m * 1e6, lowest * 1e6, median(ratio[i]));
        if (candidates[i].work > 0) std::printf("   %8.2f %s", candidates[i].work / m * scale, unit);
        if (candidates[i].limit > 0) std::printf("   %3.0f%% of the limit", 100 * candidates[i].work / m / candidates[i].limit);
        record(title, candidates[i], m, lowest, median(ratio[i]), unit, scale);
        std::printf("\n");
    }
    std::fflush(stdout);
}

}  // namespace bench
