// Shares of a product: every element is what the whole product makes of it, to the last bit.
#include "../support/machines.hpp"
#include <tenon/tensor/gemm_part.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

using namespace tenon;

namespace {

template <class T> struct Product {
    std::int64_t m, n, k;
    bool ta, tb;
    std::vector<T> a, b, c;
    template <class Random> Product(std::int64_t rows, std::int64_t columns, std::int64_t inner, Random& random) : m(rows), n(columns), k(inner), ta(random() % 2), tb(random() % 2) {
        std::uniform_real_distribution<T> draw(-1, 1);
        for (auto [v, size] : {std::pair{&a, m * k}, {&b, k * n}, {&c, m * n}}) {
            v->resize(static_cast<std::size_t>(size));
            for (T& x : *v) x = draw(random);
        }
    }
    gemm::Factor<T> left() const { return {a.data(), ta ? m : k, ta}; }
    gemm::Factor<T> right() const { return {b.data(), tb ? k : n, tb}; }
    /// y = a b, or c + alpha a b if `adds`, of one part.
    void make(std::vector<T>& y, const gemm::Part& p, bool adds, Machine on) const {
        std::vector<std::byte> memory(gemm::workspace_bytes<T>(p.rows.size(), p.columns.size(), k, on) + 64);
        std::byte* const workspace = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
        T* const to = y.data() + p.rows.from * n + p.columns.from;
        const auto rows = gemm::rows_of(left(), p.rows), columns = gemm::columns_of(right(), p.columns);
        if (adds) gemm::add(to, n, rows, columns, p.rows.size(), p.columns.size(), k, T(-0.3), workspace, on);
        else gemm::multiply(to, n, rows, columns, p.rows.size(), p.columns.size(), k, workspace, on);
    }
};

template <class T> void parts_are_the_whole(Machine on) {
    std::mt19937 random(7);
    const auto one_of = [&](std::initializer_list<int> list) { return list.begin()[random() % list.size()]; };
    int shared = 0;
    for (int i = 0; i < 300; ++i) {
        const auto extent = [&] { return std::int64_t{one_of({1, 2, 5, 14, 15, 22, 28, 33, 64, 97, 130, 300})}; };
        const Product<T> p(extent(), extent(), one_of({1, 3, 17, 64, 256, 257, 300}), random);
        const bool adds = random() % 2;
        auto whole = p.c;
        p.make(whole, {{0, p.m}, {0, p.n}}, adds, on);
        for (const int most : {2, 3, 5}) {
            const gemm::Parts<T> parts(p.m, p.n, p.k, most, on);
            CHECK(gemm::Parts<T>(p.m, p.n, p.k, parts.count(), on).count() == parts.count());
            shared += parts.count() > 1;
            auto y = p.c;
            for (int part = 0; part < parts.count(); ++part) p.make(y, parts[part], adds, on);
            const bool same = std::memcmp(y.data(), whole.data(), y.size() * sizeof(T)) == 0;
            CHECK_MESSAGE(same, p.m, "x", p.k, "x", p.n, " by ", parts.count(), p.ta ? " a transposed" : "", p.tb ? " b transposed" : "", adds ? " added" : "");
        }
    }
    CHECK(shared > 200);
}

}  // namespace

TEST_CASE("parts of a product, put together, are the product to the last bit") {
    for (const Machine on : test::machines()) {
        parts_are_the_whole<float>(on);
        parts_are_the_whole<double>(on);
    }
}

TEST_CASE_TEMPLATE("zeros keep their sign, whichever tile makes them", T, float, double) {
    std::mt19937 random(5);
    constexpr T tiny = sizeof(T) == 4 ? T(1e-30) : T(1e-200);  // whose products round to zero
    for (const Machine on : test::machines())
        for (const std::int64_t m : {std::int64_t{7}, std::int64_t{32}}) {
            Product<T> p(m, 96, 3, random);
            std::fill(p.a.begin(), p.a.end(), -tiny), std::fill(p.b.begin(), p.b.end(), tiny);
            std::vector<T> whole(p.c), shared(p.c);
            p.make(whole, {{0, m}, {0, 96}}, false, on);
            for (const std::int64_t column : {0, 32, 64}) p.make(shared, {{0, m}, {column, column + 32}}, false, on);
            CHECK(std::memcmp(shared.data(), whole.data(), whole.size() * sizeof(T)) == 0);
            CHECK(std::all_of(whole.begin(), whole.end(), [&](T x) { return x == 0 && std::signbit(x) == std::signbit(whole[0]); }));
        }
}
