// Ops that draw random numbers, TensorFlow's own (tensor/random.hpp).
#pragma once
#include "../expr/node.hpp"
#include "../tensor/random.hpp"

namespace tenon {

/// Shapes    shape [r] -> shape
/// Values    the same stream as TensorFlow's for seeds other than (0, 0); those give numbers that nobody can repeat
/// Gradient  none
template <class O> struct Drawing {
    Dims shape;
    std::int64_t seed = 0, seed2 = 0;
    static constexpr int arity = 0;
    static constexpr bool stateful = true, casts = true;
    static constexpr bool differentiable = false;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "dtype"}, TypeAttr{TypeAttr::input, "T", 0}};
    template <class Self = Drawing> static constexpr auto params = members(const_input("shape", &Self::shape, 0), attr("seed", &Self::seed), attr("seed2", &Self::seed2));
    constexpr Inferred infer() const { return shape; }
    void seed_stream(random::Philox& stream) const {
        if (seed || seed2) stream = random::from_seeds(seed, seed2);
        else {
            const auto seeds = random::unrepeatable_seeds();
            stream = random::from_seeds(seeds[0], seeds[1]);
        }
    }
    template <class T> void compute(const Call& c) const {
        const auto y = c.output<T>(0);
        O::draw(*c.random, y.data, y.size());
        *c.random = random::after_run(*c.random, y.size());
    }
};
struct RandomUniform : Drawing<RandomUniform> {
    static constexpr const char* name = "RandomUniform";
    template <class T> static void draw(const random::Philox& p, T* y, std::int64_t n) { random::uniform(p, y, n); }
};
struct RandomStandardNormal : Drawing<RandomStandardNormal> {
    static constexpr const char* name = "RandomStandardNormal";
    template <class T> static void draw(const random::Philox& p, T* y, std::int64_t n) { random::normal(p, y, n); }
};
struct TruncatedNormal : Drawing<TruncatedNormal> {
    static constexpr const char* name = "TruncatedNormal";
    template <class T> static void draw(const random::Philox& p, T* y, std::int64_t n) { random::truncated_normal(p, y, n); }
};

}  // namespace tenon
