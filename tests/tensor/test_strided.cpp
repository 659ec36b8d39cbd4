// Strided copies against the definition, element by element.
#include "../support/draw.hpp"
#include <tenon/tensor/strided.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace tenon;
using namespace tenon::test;

namespace {

/// y[i..] = x[first + sum of i * from], for axes of any order, direction and gap; the rest of y is left alone.
template <class T, class Make> void check(Draw& draw, Make make, std::int64_t largest) {
    const int rank = static_cast<int>(draw.between(1, 5));
    Dims x, perm, y;
    for (int i = 0; i < rank; ++i) x.push(draw.between(1, largest)), perm.push(i);
    for (int i = rank - 1; i > 0; --i) std::swap(perm[i], perm[static_cast<int>(draw.below(i + 1))]);
    for (const auto p : perm) y.push(x[static_cast<int>(p)]);
    const Dims from = strides_of(x), to = strides_of(y);
    StridedCopy copy;
    Dims step;
    std::int64_t first = 0;
    for (int i = 0; i < rank; ++i) {
        const bool backwards = draw.below(4) == 0;
        step.push(backwards ? -from[static_cast<int>(perm[i])] : from[static_cast<int>(perm[i])]);
        if (backwards) first += (y[i] - 1) * from[static_cast<int>(perm[i])];
        copy.push({y[i], step[i], to[i] * 2});  // every other element of the result
    }
    copy.start(first, 1);
    if (draw.coin()) copy.arrange();
    const auto n = x.size();
    std::vector<T> in(static_cast<std::size_t>(n)), out(static_cast<std::size_t>(2 * n), make(-1));
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = make(static_cast<int>(i));
    copy.run(in.data(), out.data());
    std::int64_t wrong = 0;
    for (std::int64_t k = 0; k < n; ++k) {
        std::int64_t at = first;
        for (int i = 0; i < rank; ++i) at += k / to[i] % y[i] * step[i];
        wrong += out[static_cast<std::size_t>(2 * k + 1)] != in[static_cast<std::size_t>(at)] || out[static_cast<std::size_t>(2 * k)] != make(-1);
    }
    CHECK_MESSAGE(wrong == 0, "axes " << std::string((Reason{} << x).view()) << " in the order " << std::string((Reason{} << perm).view()));
}

/// y = x with its axes in another order.
void check_order(const Dims& x, const Dims& perm) {
    Dims y;
    for (const auto p : perm) y.push(x[static_cast<int>(p)]);
    const Dims from = strides_of(x), to = strides_of(y);
    StridedCopy copy;
    for (int i = 0; i < y.rank; ++i) copy.push({y[i], from[static_cast<int>(perm[i])], to[i]});
    copy.arrange();
    std::vector<std::int32_t> in(static_cast<std::size_t>(x.size())), out(in.size(), -1);
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::int32_t>(i);
    copy.run(in.data(), out.data());
    std::int64_t wrong = 0;
    for (std::int64_t k = 0; k < x.size(); ++k) {
        std::int64_t at = 0;
        for (int i = 0; i < y.rank; ++i) at += k / to[i] % y[i] * from[static_cast<int>(perm[i])];
        wrong += out[static_cast<std::size_t>(k)] != at;
    }
    CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("axes in any order and direction, with gaps, for every width and strings") {
    Draw draw(1);
    for (int i = 0; i < 100; ++i) {
        check<std::uint8_t>(draw, [](int v) { return static_cast<std::uint8_t>(v); }, 4);
        check<double>(draw, [](int v) { return static_cast<double>(v); }, 5);
        check<std::string>(draw, [](int v) { return std::to_string(v); }, 3);
    }
}

TEST_CASE("squares of a transpose meet at every edge") {
    for (const std::int64_t n : {1, 7, 8, 9, 63, 64, 65, 130}) check_order({n, 71}, {1, 0}), check_order({71, n}, {1, 0});
    check_order({3, 17, 9, 5}, {0, 3, 1, 2});
    check_order({3, 17, 9, 5}, {3, 0, 2, 1});
    check_order({2, 2, 2, 2, 2, 2, 2, 2}, {7, 6, 5, 4, 3, 2, 1, 0});
}

TEST_CASE("nothing is moved of an empty tensor, and one element of a scalar") {
    StridedCopy none, one;
    none.push({0, 1, 1});
    none.push({3, 1, 1});
    none.run(static_cast<const float*>(nullptr), static_cast<float*>(nullptr));
    float x = 2, y = 0;
    one.run(&x, &y);
    CHECK(y == 2);
}
