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
            for (auto& e : x) e = n % 3 == 0 ? e : n % 3 == 1 ? e * 40 : sizeof(T) == 4 ? e * 170 : e * 1400 - 45;  // denormals come of the last
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
    const auto check = []<class T>(T low, T high, T nothing) {
        constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN(), most = std::numeric_limits<T>::max();
        for (const Machine on : test::machines())
            for (const std::int64_t n : {1, 3, 16, 21}) {
                const auto of = [&](T x) {
                    const std::vector<T> all(static_cast<std::size_t>(n), x);
                    std::vector<T> y(all.size());
                    lanes::exp(all.data(), y.data(), n, on);
                    for (const T e : y) CHECK((e == y[0] || (std::isnan(e) && std::isnan(y[0]))));
                    return y[0];
                };
                CHECK((of(0) == 1 && of(-inf) <= nothing && of(low) <= nothing && of(-most) <= nothing));
                CHECK((of(inf) == inf && of(high) == inf && of(most) == inf && std::isnan(of(nan))));
            }
    };
    check(-200.f, 89.f, 1e-37f), check(-746., 710., 0.);
}

TEST_CASE("logarithms of doubles are the standard library's to two units, of denormals, infinities and NaN too") {
    using Wide = Packet<double>;
    constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
    test::Draw draw(5);
    const auto check = [](double x) {
        double y[Wide::width];
        Wide(x).log().store(y);
        const double want = std::log(x);
        for (const double e : y) {
            INFO("log ", x, " is ", want, ", not ", e);
            REQUIRE((e == want || (std::isnan(e) && std::isnan(want)) || std::abs(e - want) <= 2 * std::numeric_limits<double>::epsilon() * std::abs(want)));
        }
    };
    for (int i = 0; i < 20000; ++i) {
        const double u = draw.numbers<double>(1)[0];
        check(std::ldexp(1 + u, draw.below(2) ? 0 : static_cast<int>(draw.below(2100)) - 1075)), check(1 + std::ldexp(u, -static_cast<int>(draw.below(53))));
    }
    for (const double x : {0., -0., 1., 2., 0.5, -1., -5e-324, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, inf, -inf, nan}) check(x);
}
