#include "../support/draw.hpp"
#include "../support/epilogue.hpp"
#include "../support/machines.hpp"

#include <doctest/doctest.h>
#include <tenon/tensor/gemm.hpp>
#include <tenon/tensor/tensor.hpp>

#include <cmath>
#include <cstring>
#include <limits>

using namespace tenon;
using test::Draw;

namespace {

template <class T> void compare_with_loops(Draw& draw, std::int64_t m, std::int64_t n, std::int64_t k) {
    const bool ta = draw.coin(), tb = draw.coin();
    const std::int64_t as = (ta ? m : k) + draw.below(3), bs = (tb ? k : n) + draw.below(3), cs = n + draw.below(3);
    const auto a = draw.numbers<T>((ta ? k : m) * as), b = draw.numbers<T>((tb ? n : k) * bs);
    const auto before = draw.numbers<T>(m * cs);
    const T alpha = T(draw.below(5)) - T(2);
    std::vector<double> terms(static_cast<std::size_t>(m * n));
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < n; ++j)
            for (std::int64_t p = 0; p < k; ++p)
                terms[static_cast<std::size_t>(i * n + j)] += double(a[std::size_t(ta ? p * as + i : i * as + p)]) * double(b[std::size_t(tb ? j * bs + p : p * bs + j)]);
    const test::DrawnEpilogue<T> end(draw, m * cs, n);
    for (const Machine on : test::machines()) {
        Buffer workspace(gemm::workspace_bytes<T>(m, n, k, on));
        auto sum = before, product = before;
        gemm::add(sum.data(), cs, gemm::Factor<T>{a.data(), as, ta}, gemm::Factor<T>{b.data(), bs, tb}, m, n, k, alpha, workspace.data(), on);
        gemm::multiply(product.data(), cs, gemm::Factor<T>{a.data(), as, ta}, gemm::Factor<T>{b.data(), bs, tb}, m, n, k, workspace.data(), on);
        const double tolerance = std::numeric_limits<T>::epsilon() * static_cast<double>(16 + k);
        double worst = 0;
        for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = 0; j < cs; ++j) {
                const double s = j < n ? terms[static_cast<std::size_t>(i * n + j)] : 0;
                const auto at = static_cast<std::size_t>(i * cs + j);
                worst = std::max(worst, std::abs(double(sum[at]) - (double(before[at]) + (j < n ? double(alpha) * s : 0))));
                worst = std::max(worst, std::abs(double(product[at]) - (j < n ? s : double(before[at]))));
            }
        for (const bool in_place : {false, true}) {
            auto finished = before;
            const auto epilogue = end.of(finished, in_place);
            gemm::multiply(finished.data(), cs, gemm::Factor<T>{a.data(), as, ta}, gemm::Factor<T>{b.data(), bs, tb}, m, n, k, workspace.data(), on, epilogue);
            for (std::int64_t i = 0; i < m; ++i)
                for (std::int64_t j = 0; j < n; ++j) {
                    const auto at = static_cast<std::size_t>(i * cs + j);
                    worst = std::max(worst, std::abs(double(finished[at]) - end(terms[static_cast<std::size_t>(i * n + j)], at, static_cast<std::size_t>(j))));
                }
        }
        INFO("m ", m, ", n ", n, ", k ", k, ", transposed ", ta, " ", tb, ", machine ", static_cast<int>(on));
        CHECK(worst <= tolerance);
    }
}

}  // namespace

TEST_CASE_TEMPLATE("a product of any extents, transposes and strides is the sum of its terms", T, float, double) {
    Draw draw(1);
    for (int i = 0; i < 300; ++i) {
        const std::int64_t most = i % 3 == 0 ? 5 : i % 3 == 1 ? 20 : 90;
        compare_with_loops<T>(draw, draw.below(most), draw.below(most), draw.below(most));
    }
    for (int i = 0; i < 60; ++i) {
        compare_with_loops<T>(draw, 1, draw.below(200), draw.below(200));
        compare_with_loops<T>(draw, draw.below(200), 1, draw.below(200));
    }
    compare_with_loops<T>(draw, 130, 300, 700);
    compare_with_loops<T>(draw, 3, 1000, 600);
    for (int i = 0; i < 4; ++i) compare_with_loops<T>(draw, 33 + draw.below(20), 390, 360);  // b is large enough to be asked for ahead
}

TEST_CASE_TEMPLATE("a product goes into several matrices, to the last bit, as into one", T, float, double) {
    Draw draw(8);
    constexpr std::int64_t tile = 128 / sizeof(T);
    for (int i = 0; i < 40; ++i) {
        const std::int64_t m = 2 + draw.below(60), k = 40 + draw.below(300), width = tile * (1 + draw.below(3)), count = 2 + draw.below(3), n = width * count;
        const auto a = draw.numbers<T>(m * k), b = draw.numbers<T>(k * n), offset = draw.numbers<T>(n), before = draw.numbers<T>(m * n);
        for (const Machine on : test::machines()) {
            Buffer workspace(gemm::workspace_bytes<T>(m, n, k, on));
            std::vector<T> one(before), several(before);
            std::vector<T*> matrices;
            for (std::int64_t p = 0; p < count; ++p) matrices.push_back(several.data() + p * m * width);
            gemm::Epilogue<T> end;
            if (draw.coin()) end.offset = offset.data();
            gemm::multiply(one.data(), n, gemm::Factor<T>{a.data(), k}, gemm::Factor<T>{b.data(), n}, m, n, k, workspace.data(), on, end);
            end.into = {matrices.data(), width};
            for (const std::int64_t from : {std::int64_t{0}, tile})  // a share of the columns, and what is before it
                gemm::multiply<T>(nullptr, width, {a.data(), k}, {b.data() + from, n}, m, from ? n - from : tile, k, workspace.data(), on, end.from(from, from));
            bool same = true;
            for (std::int64_t r = 0; r < m; ++r)
                for (std::int64_t j = 0; j < n; j += width) same &= std::memcmp(&one[std::size_t(r * n + j)], matrices[std::size_t(j / width)] + r * width, std::size_t(width) * sizeof(T)) == 0;
            INFO("m ", m, ", n ", n, ", k ", k, ", machine ", static_cast<int>(on));
            CHECK(same);
        }
    }
}

TEST_CASE_TEMPLATE("an offset is added to the whole sum, however many parts that is made in, so it is the same to the last bit as one added later", T, float, double) {
    Draw draw(9);
    for (const std::int64_t k : {3, 256, 300, 600})
        for (const auto& [m, n] : {std::pair{1, 70}, {70, 1}, {37, 71}, {14, 64}}) {
            const auto a = draw.numbers<T>(m * k), b = draw.numbers<T>(k * n), offset = draw.numbers<T>(n);
            for (const Machine on : test::machines()) {
                Buffer workspace(gemm::workspace_bytes<T>(m, n, k, on));
                std::vector<T> at_once(static_cast<std::size_t>(m * n)), later(at_once);
                const gemm::Factor<T> left{a.data(), k}, right{b.data(), n};
                gemm::multiply(at_once.data(), n, left, right, m, n, k, workspace.data(), on, {nullptr, offset.data(), nullptr, true});
                gemm::multiply(later.data(), n, left, right, m, n, k, workspace.data(), on);
                for (std::size_t i = 0; i < later.size(); ++i) later[i] = std::max(later[i] + offset[i % offset.size()], T(0));
                INFO("m ", m, ", n ", n, ", k ", k, ", machine ", static_cast<int>(on));
                CHECK(at_once == later);
            }
        }
}

TEST_CASE_TEMPLATE("portable tiles of two heights, which x86 does without, make the same sums as those of one", T, float, double) {
    Draw draw(10);
    for (int i = 0; i < 60; ++i) {
        const std::int64_t m = 1 + draw.below(40), n = 1 + draw.below(40), k = 1 + draw.below(i % 4 ? 40 : 600);
        const bool ta = draw.coin(), tb = draw.coin();
        const auto a = draw.numbers<T>(m * k), b = draw.numbers<T>(k * n), before = draw.numbers<T>(m * n);
        const test::DrawnEpilogue<T> end(draw, m * n, n);
        Buffer workspace(gemm::workspace_bytes<T>(std::max<std::int64_t>(m, 2), std::max<std::int64_t>(n, 2), k, Machine::portable));
        auto one = before, two = before;
        for (const auto& [tiles, c] : {std::pair{&gemm::portable::tiles<T, 6, 6>, &one}, {&gemm::portable::tiles<T, 6, 4>, &two}})
            gemm::detail::product(*tiles, c->data(), n, gemm::Factor<T>{a.data(), ta ? m : k, ta}, gemm::Factor<T>{b.data(), tb ? k : n, tb}, m, n, k, T(1), false, workspace.data(), end.of(*c, false));
        INFO("m ", m, ", n ", n, ", k ", k, ", transposed ", ta, " ", tb);
        CHECK(std::memcmp(one.data(), two.data(), one.size() * sizeof(T)) == 0);
    }
}

TEST_CASE("of the rows of tiles no more than two are for nothing where rows are even and many, and tiles that fit alone are not mixed") {
    for (const auto& [tall, low] : {std::pair{14, 8}, {6, 4}}) {
        for (std::int64_t m = 4 * low; m < 400; m += 2) {
            const auto lows = gemm::detail::low_tiles(m, tall, low);
            CHECK(gemm::detail::round_up(m - lows * low, tall) + lows * low - m <= 2);
        }
        for (std::int64_t i = 1; i < 20; ++i) CHECK(gemm::detail::low_tiles(i * tall, tall, low) == 0);
        for (std::int64_t m = 1; m <= low; ++m) CHECK(gemm::detail::low_tiles(m, tall, low) == 1);
    }
}

TEST_CASE_TEMPLATE("a product of a vector reads no more of a matrix than is its own, however narrow that is", T, float, double) {
    Draw draw(4);
    for (const Machine on : test::machines())
        for (int i = 0; i < 600; ++i) {
            const std::int64_t few = 1 + draw.below(70), many = 1 + draw.below(40), stride = few + draw.below(20), x_stride = 1 + draw.below(3);
            std::vector<T> b(static_cast<std::size_t>((many - 1) * stride + few), std::numeric_limits<T>::quiet_NaN());
            const auto numbers = draw.numbers<T>(many * few), left = draw.numbers<T>(many * x_stride), right = draw.numbers<T>(few);
            for (std::int64_t r = 0; r < many; ++r) std::copy_n(numbers.data() + r * few, few, b.data() + r * stride);
            std::vector<T> rows(static_cast<std::size_t>(few)), dots(static_cast<std::size_t>(many));
            Buffer workspace(std::max(gemm::workspace_bytes<T>(1, few, many, on), gemm::workspace_bytes<T>(many, 1, few, on)));
            gemm::multiply(rows.data(), few, gemm::Factor<T>{left.data(), x_stride, true}, gemm::Factor<T>{b.data(), stride}, 1, few, many, workspace.data(), on);
            gemm::multiply(dots.data(), 1, gemm::Factor<T>{b.data(), stride}, gemm::Factor<T>{right.data(), 1}, many, 1, few, workspace.data(), on);
            double worst = 0;
            for (std::int64_t j = 0; j < few; ++j) {
                double sum = 0;
                for (std::int64_t r = 0; r < many; ++r) sum += double(left[std::size_t(r * x_stride)]) * double(numbers[std::size_t(r * few + j)]);
                worst = std::max(worst, std::isnan(rows[std::size_t(j)]) ? 1e9 : std::abs(double(rows[std::size_t(j)]) - sum));
            }
            for (std::int64_t r = 0; r < many; ++r) {
                double sum = 0;
                for (std::int64_t j = 0; j < few; ++j) sum += double(right[std::size_t(j)]) * double(numbers[std::size_t(r * few + j)]);
                worst = std::max(worst, std::isnan(dots[std::size_t(r)]) ? 1e9 : std::abs(double(dots[std::size_t(r)]) - sum));
            }
            INFO(many, " rows of ", few, ", ", stride, " apart, machine ", static_cast<int>(on));
            REQUIRE(worst <= std::numeric_limits<T>::epsilon() * 90);
        }
}

TEST_CASE_TEMPLATE("a dot product is the same to the last bit, whether it is made alone, with a few others or with many", T, float, double) {
    Draw draw(11);
    for (const Machine on : test::machines())
        for (const std::int64_t k : {33, 48, 64, 150}) {
            const auto x = draw.numbers<T>(k), b = draw.numbers<T>(20 * k);
            const auto dots = [&](std::int64_t first, std::int64_t count) {
                std::vector<T> y(static_cast<std::size_t>(count));
                gemm::multiply(y.data(), count, gemm::Factor<T>{x.data(), k}, gemm::Factor<T>{b.data() + first * k, k, true}, 1, count, k, nullptr, on);
                return y;
            };
            const auto all = dots(0, 20);
            for (const std::int64_t count : {1, 2, 3, 7, 8, 13})
                for (std::int64_t first = 0; first + count <= 20; ++first) {
                    INFO(count, " rows of ", k, " from ", first, " on, machine ", static_cast<int>(on));
                    const auto some = dots(first, count);
                    CHECK(std::memcmp(some.data(), all.data() + first, some.size() * sizeof(T)) == 0);
                }
        }
}

TEST_CASE_TEMPLATE("a transposed matrix has the rows as columns", T, float, double) {
    Draw draw(2);
    for (int i = 0; i < 200; ++i) {
        const std::int64_t m = draw.below(70), n = draw.below(70);
        const auto a = draw.numbers<T>(m * n);
        for (const Machine on : test::machines()) {
            std::vector<T> to(static_cast<std::size_t>(m * n));
            gemm::transpose(to.data(), a.data(), m, n, on);
            bool same = true;
            for (std::int64_t r = 0; r < m; ++r) for (std::int64_t c = 0; c < n; ++c) same &= to[std::size_t(c * m + r)] == a[std::size_t(r * n + c)];
            INFO("[", m, ",", n, "], machine ", static_cast<int>(on));
            CHECK(same);
        }
    }
}

TEST_CASE("a product over no terms is zero, and adding it changes nothing") {
    std::vector<float> c(6, 7.0f);
    gemm::add<float>(c.data(), nullptr, false, nullptr, false, 2, 3, 0, 1.0f, nullptr);
    CHECK(c == std::vector<float>(6, 7.0f));
    gemm::multiply<float>(c.data(), nullptr, false, nullptr, true, 2, 3, 0, nullptr);
    CHECK(c == std::vector<float>(6, 0.0f));
}

TEST_CASE("zero times NaN is NaN in every path") {
    for (const std::int64_t extent : {1, 2, 9, 40}) {
        const auto n = static_cast<std::size_t>(extent);
        std::vector<float> a(n * n, 0.0f), b(n * n, 0.0f), c(n * n);
        b[0] = std::numeric_limits<float>::quiet_NaN();
        Buffer workspace(gemm::workspace_bytes<float>(extent, extent, extent));
        gemm::multiply(c.data(), a.data(), false, b.data(), false, extent, extent, extent, workspace.data());
        for (std::size_t i = 0; i < n; ++i) CHECK(std::isnan(c[i * n]));
        if (n > 1) CHECK(c[1] == 0.0f);
    }
}

TEST_CASE("a batch is its products one by one, and a factor may serve them all") {
    Draw draw(2);
    const auto a = draw.numbers<float>(4 * 3 * 5), b = draw.numbers<float>(5 * 2);
    std::vector<float> all(4 * 3 * 2), one(3 * 2);
    Buffer workspace(gemm::workspace_bytes<float>(3, 2, 5));
    gemm::multiply_batch(4, all.data(), a.data(), 15, false, b.data(), 0, false, 3, 2, 5, workspace.data());
    for (int i = 0; i < 4; ++i) {
        gemm::multiply(one.data(), a.data() + i * 15, false, b.data(), false, 3, 2, 5, workspace.data());
        CHECK(std::equal(one.begin(), one.end(), all.begin() + i * 6));
    }
}

TEST_CASE("loops over constant extents agree with the general product") {
    Draw draw(3);
    for (const bool ta : {false, true})
        for (const bool tb : {false, true}) {
            const auto a = draw.numbers<double>(12), b = draw.numbers<double>(20);
            Buffer workspace(gemm::workspace_bytes<double>(3, 5, 4));
            std::vector<double> c(15, 1.0), d(15, 1.0);
            gemm::add_small(c.data(), a.data(), ta, b.data(), tb, 3, 5, 4, 0.5);
            gemm::add(d.data(), a.data(), ta, b.data(), tb, 3, 5, 4, 0.5, workspace.data());
            for (std::size_t i = 0; i < 15; ++i) CHECK(c[i] == doctest::Approx(d[i]).epsilon(1e-14));
        }
}
