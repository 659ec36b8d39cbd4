#include "../support/draw.hpp"
#include "../support/machines.hpp"

#include <doctest/doctest.h>
#include <tenon/tensor/exp_lanes.hpp>

#include <cmath>
#include <limits>

using namespace tenon;

TEST_CASE_TEMPLATE("exponentials of any number of elements are the standard library's to four units, on every machine, in place or not", T, float, double) {
    test::Draw draw(3);
    for (const Machine on : test::machines())
        for (std::int64_t n = 0; n < 200; ++n) {
            auto x = draw.numbers<T>(n);
            for (auto& e : x) e *= T(n % 3 == 0 ? 1 : n % 3 == 1 ? 40 : 170);
            std::vector<T> y(x.size() + 1, T(7)), in_place = x;
            lanes::exp(x.data(), y.data(), n, on);
            lanes::exp(in_place.data(), in_place.data(), n, on);
            REQUIRE(y.back() == 7);
            for (std::size_t i = 0; i < x.size(); ++i) {
                const double want = std::exp(static_cast<double>(x[i])), unit = std::numeric_limits<T>::epsilon() * want + static_cast<double>(std::numeric_limits<T>::denorm_min());
                INFO("machine ", static_cast<int>(on), " exp ", x[i], " of ", n);
                REQUIRE(std::abs(static_cast<double>(y[i]) - want) <= 4 * unit);
                REQUIRE(in_place[i] == y[i]);
            }
        }
}

TEST_CASE("exponentials of infinities and NaN are what they should be, and of what is out of range 0 and infinity") {
    constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    for (const Machine on : test::machines())
        for (const std::int64_t n : {1, 3, 16, 21}) {
            const auto of = [&](float x) {
                const std::vector<float> all(static_cast<std::size_t>(n), x);
                std::vector<float> y(all.size());
                lanes::exp(all.data(), y.data(), n, on);
                for (const float e : y) CHECK((e == y[0] || (std::isnan(e) && std::isnan(y[0]))));
                return y[0];
            };
            CHECK((of(0) == 1 && of(-inf) < 1e-37f && of(-200) < 1e-37f && of(-3e38f) < 1e-37f));
            CHECK((of(inf) == inf && of(89) == inf && of(3e38f) == inf && std::isnan(of(nan))));
        }
}
