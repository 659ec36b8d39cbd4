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

/// What a worker keeps between two questions.
struct Built {
    Step step;
    double first = 0;  ///< seconds until the first call was done
    long each = 0;     ///< calls of a sample, which takes at least a millisecond
};

inline Built build(const std::function<Step()>& make) {
    const double start = now();
    Built b{make()};
    b.step();
    b.first = now() - start;
    for (const double again = now(); now() - again < 1e-3; ++b.each) b.step();
    return b;
}
/// "CALLS MEDIAN_US MIN_US FIRST_CALL_S" of calling for so many seconds, one sample at least. A save of 1 GiB is called once, so that it does not wait for the pages of one before.
inline std::string timed(const Built& b, double seconds) {
    long calls = 0;
    std::vector<double> samples;
    for (const double end = now() + seconds; samples.empty() || now() < end;) {
        const double start = now();
        for (long i = 0; i < b.each; ++i) b.step();
        samples.push_back((now() - start) / double(b.each) * 1e6);
        calls += b.each;
    }
    std::sort(samples.begin(), samples.end());
    char text[96];
    std::snprintf(text, sizeof text, "%ld %.4f %.4f %.3f", calls, samples[samples.size() / 2], samples[0], b.first);
    return text;
}

inline void serve(const Cases& cases) {
    std::cout << "ready";
    for (const auto& c : cases) std::cout << ' ' << c.first;
    std::cout << std::endl;
    std::map<std::string, Built> built;
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
                if (!built.contains(name)) built[name] = build(cases.at(name));
                std::printf("%s\n", timed(built[name], seconds).c_str());
            }
        } catch (const std::exception& e) {
            std::printf("fail %s\n", e.what());
        }
        std::fflush(stdout);
    }
}

}  // namespace bench
