// Shapes and numbers for property tests, the same in every run.
#pragma once
#include <tenon/tensor/random.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace tenon::test {

struct Draw {
    random::Philox philox;
    explicit Draw(std::int64_t seed) : philox(random::from_seeds(seed, 1)) {}

    std::int64_t below(std::int64_t n) { return philox.next()[0] % n; }
    std::int64_t between(std::int64_t least, std::int64_t most) { return least + below(most - least + 1); }
    bool coin() { return below(2) == 1; }
    /// Uniform in [-0.5, 0.5).
    template <class T> std::vector<T> numbers(std::int64_t n) {
        std::vector<T> v(static_cast<std::size_t>(n));
        random::uniform(philox, v.data(), n);
        philox.skip(static_cast<std::uint64_t>(n));
        for (auto& x : v) x -= T(0.5);
        return v;
    }
};

/// The larger of two distances, and NaN once one of them is.
inline double farther(double worst, double d) { return std::isnan(worst) || d <= worst ? worst : d; }
/// How far the worst element is from what is wanted: NaN if one is that is not wanted.
template <class T> double distance(const std::vector<T>& got, const std::vector<double>& want) {
    double worst = 0;
    for (std::size_t i = 0; i < got.size(); ++i) worst = farther(worst, std::abs(static_cast<double>(got[i]) - want[i]));
    return worst;
}

}  // namespace tenon::test
