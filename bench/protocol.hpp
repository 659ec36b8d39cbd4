// How a worker is asked. One process per library, asked in turn over a pipe; each builds what it is asked for when it is first asked for it.
//
//     worker -> driver   ready CASE/VARIANT ...
//     driver -> worker   run CASE/VARIANT SECONDS
//     worker -> driver   CALLS MEDIAN_US MIN_US FIRST_CALL_S       (one line; "fail REASON" if it cannot)
//     driver -> worker   check CASE/VARIANT                         (fresh state, five calls)
//     worker -> driver   the number that the fifth call returned
//     driver -> worker   forget CASE/VARIANT                        (its memory and files are given back)
//     worker -> driver   ok
#pragma once
#include "harness.hpp"

#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>

namespace bench {

/// One step of a net; gives the loss, or the first element of what is computed.
using Step = std::function<float()>;
/// By "case/variant": what builds the net afresh.
using Cases = std::map<std::string, std::function<Step()>>;

/// "CALLS MEDIAN_US MIN_US FIRST_CALL_S" of calling for so many seconds, and at least once, in samples of at least a millisecond.
inline std::string timed(const Step& step, double seconds, double first) {
    long calls = 0, each = 0;
    for (double start = now(); now() - start < 1e-3; ++each) step();
    std::vector<double> samples;
    for (const double end = now() + seconds; samples.empty() || now() < end;) {
        const double start = now();
        for (long i = 0; i < each; ++i) step();
        samples.push_back((now() - start) / double(each) * 1e6);
        calls += each;
    }
    std::sort(samples.begin(), samples.end());
    char text[96];
    std::snprintf(text, sizeof text, "%ld %.4f %.4f %.3f", calls, samples[samples.size() / 2], samples[0], first);
    return text;
}

inline void serve(const Cases& cases) {
    std::cout << "ready";
    for (const auto& c : cases) std::cout << ' ' << c.first;
    std::cout << std::endl;
    std::map<std::string, std::pair<Step, double>> built;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream in(line);
        std::string word, name;
        double seconds = 0;
        in >> word >> name >> seconds;
        try {
            if (!cases.contains(name)) throw std::runtime_error("no such case");
            if (word == "forget") {
                built.erase(name);
                std::printf("ok\n");
            } else if (word == "check") {
                const Step step = cases.at(name)();
                for (int i = 0; i < 4; ++i) step();
                std::printf("%.7g\n", double(step()));
            } else {
                if (!built.contains(name)) {
                    const double start = now();
                    Step step = cases.at(name)();
                    step();
                    built[name] = {step, now() - start};
                }
                std::printf("%s\n", timed(built[name].first, seconds, built[name].second).c_str());
            }
        } catch (const std::exception& e) {
            std::printf("fail %s\n", e.what());
        }
        std::fflush(stdout);
    }
}

}  // namespace bench
