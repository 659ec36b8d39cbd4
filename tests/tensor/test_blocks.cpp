// Elementwise work in blocks: whatever is broadcast is read, and summed on the way back, as one element after the other would be.
#include <tenon/tensor/reduce.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <random>

using namespace tenon;

namespace {

/// A shape of some axes, mostly short, sometimes without elements, and one that broadcasts to it.
struct Drawn {
    Dims whole, operand;
    explicit Drawn(std::mt19937& random) {
        static constexpr std::int64_t extents[]{0, 1, 2, 3, 5, 8, 10, 16, 33, 257, 601, 1031};
        const auto rank = 1 + random() % 4;
        for (unsigned i = 0; i < rank; ++i) {
            std::int64_t e;
            do e = extents[random() % std::size(extents)];
            while (whole.size() * e > 60000);
            whole.push(e);
        }
        for (auto i = static_cast<int>(random() % 3 ? 0 : random() % (rank + 1)); i < static_cast<int>(rank); ++i) operand.push(random() % 2 ? 1 : whole[i]);
    }
};
/// Which element of the operand is read for element i, by the definition.
std::int64_t element_of(const Dims& operand, const Dims& whole, std::int64_t i) {
    std::int64_t at = 0, stride = 1;
    for (int axis = 1; axis <= operand.rank; ++axis) {
        if (operand[-axis] != 1) at += i % whole[-axis] * stride;
        i /= whole[-axis];
        stride *= operand[-axis];
    }
    return at;
}
template <class T> std::vector<T> small_numbers(std::int64_t n, std::mt19937& random) {
    std::vector<T> x(static_cast<std::size_t>(n));
    for (T& e : x) e = static_cast<T>(static_cast<int>(random() % 17) - 8);  // sums of them are exact
    return x;
}
std::string shapes(const Drawn& d) { return to_string(d.operand) + " in " + to_string(d.whole); }

/// Blocks of a whole walk, or of its shares one after the other.
template <class F> void each_block(const Cuts& cuts, int shares, F f) {
    for (int s = 0; s < shares; ++s) cuts.each(cuts.of({s, shares}), f);
}

}  // namespace

TEST_CASE("a reader gives each element what broadcasting says, beside any other operand and from any share on") {
    std::mt19937 random(1);
    for (int n = 0; n < 400; ++n) {
        const Drawn d(random);
        Drawn other(random);
        other.operand = {};
        for (const auto e : d.whole) other.operand.push(random() % 2 ? 1 : e);
        auto values = small_numbers<double>(d.operand.size(), random);
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
        const Ref x{values.data(), d.operand, DType::float64}, y{nullptr, other.operand, DType::float64};
        const Ref* operands[]{&x, &y};
        const Layouts layouts(operands, 2, d.whole, block);
        for (const int shares : {1, 3}) {
            Reader<double> reader;
            reader.open(x, layouts.each[0], layouts.cuts);
            std::int64_t wrong = 0, seen = 0;
            each_block(layouts.cuts, shares, [&](std::int64_t i, std::int64_t count) {
                const double* const at = reader.at(i, count);
                for (std::int64_t k = 0; k < count; ++k) wrong += at[k] != static_cast<double>(element_of(d.operand, d.whole, i + k));
                seen += count;
            });
            CHECK_MESSAGE(wrong == 0, shapes(d));
            CHECK(seen == d.whole.size());
        }
    }
}

TEST_CASE("where nothing is broadcast but single elements, an operand is read where it lies or from a tile, which follows its element from run to run") {
    std::mt19937 random(5);
    int plain = 0, others = 0;
    for (int n = 0; n < 400; ++n) {
        const Drawn d(random);
        if (d.whole.size() == 0) continue;
        std::vector<float> whole(static_cast<std::size_t>(d.whole.size())), values(static_cast<std::size_t>(d.operand.size()));
        for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<float>(i);
        const Ref x{values.data(), d.operand, DType::float32}, y{whole.data(), d.whole, DType::float32}, nobody{nullptr, d.operand, DType::float32};
        const Ref* operands[]{&x, &y, &nobody};
        Layouts layouts(operands, 3, d.whole, block);
        layouts.settle(operands, 4);
        const auto one_element = d.operand.size() == 1, as_it_is = d.operand.size() == d.whole.size();
        INFO(shapes(d));
        CHECK(layouts.is_plain() == (one_element || as_it_is));
        if (!layouts.is_plain()) { ++others; continue; }
        ++plain;
        CHECK(layouts.stays(0) == !as_it_is);
        CHECK(!layouts.stays(1));
        CHECK(layouts.stays(2));
        for (const float first : {0.f, 3.f, -0.f, std::numeric_limits<float>::quiet_NaN(), 5.f}) {  // as a plan runs again and again
            std::fill(values.begin(), values.end(), first);
            layouts.cuts.each([&](std::int64_t, std::int64_t count) {
                const float *const at = layouts.plain<float>(0, x), *const zero = layouts.plain<float>(2, nobody);
                CHECK(layouts.plain<float>(1, y) == whole.data());
                std::int64_t wrong = 0;
                for (std::int64_t k = 0; k < count; ++k) wrong += std::memcmp(&at[k], &first, sizeof first) != 0 || zero[k] != 0;
                CHECK(wrong == 0);
            });
        }
    }
    CHECK(plain > 20);
    CHECK(others > 20);
}

TEST_CASE_TEMPLATE("of less than a packet nothing is read or written beyond it", T, float, double) {
    for (std::int64_t n = 0; n < packet_width<T>; ++n) {
        std::vector<T> from(static_cast<std::size_t>(n), T(7)), to(static_cast<std::size_t>(packet_width<T>), T(1)), padded(to);
        from.shrink_to_fit();
        copy_less(to.data(), from.data(), n);
        copy_padded(padded.data(), from.data(), n);
        for (std::int64_t i = 0; i < packet_width<T>; ++i) {
            CHECK(to[static_cast<std::size_t>(i)] == (i < n ? T(7) : T(1)));
            CHECK(padded[static_cast<std::size_t>(i)] == (i < n ? T(7) : T(0)));
        }
    }
}

TEST_CASE("a writer sums what arrives at each element from everywhere it was read") {
    std::mt19937 random(2);
    for (int n = 0; n < 400; ++n) {
        const Drawn d(random);
        const auto g = small_numbers<float>(d.whole.size(), random);
        std::vector<float> sums(static_cast<std::size_t>(d.operand.size()), -1.f), want(sums.size());
        for (std::int64_t i = 0; i < d.whole.size(); ++i) want[static_cast<std::size_t>(element_of(d.operand, d.whole, i))] += g[static_cast<std::size_t>(i)];
        const Ref y{sums.data(), d.operand, DType::float32};
        const Ref* operands[]{&y};
        const Layouts layouts(operands, 1, d.whole, block);
        Writer<float> writer;
        writer.open(y, layouts.each[0]);
        layouts.cuts.each([&](std::int64_t i, std::int64_t count) {
            std::copy_n(g.data() + i, count, writer.at(i));
            writer.written(i, count);
        });
        CHECK_MESSAGE(sums == want, shapes(d));
    }
}

TEST_CASE("reductions over any axes are those of the definition") {
    std::mt19937 random(3);
    const auto with = [&]<class F>(F) {
        using T = typename F::type;
        for (int n = 0; n < 200; ++n) {
            const Drawn d(random);
            const auto x = small_numbers<T>(d.whole.size(), random);
            std::vector<T> y(static_cast<std::size_t>(d.operand.size())), want(y.size(), F::start);
            for (std::int64_t i = 0; i < d.whole.size(); ++i) {
                T& to = want[static_cast<std::size_t>(element_of(d.operand, d.whole, i))];
                to = F::apply(to, x[static_cast<std::size_t>(i)]);
            }
            const Ref kept{nullptr, d.operand, DType::float32};
            const Ref* operands[]{&kept};
            reduce<F>({y.data(), d.operand}, {x.data(), d.whole}, Layouts(operands, 1, d.whole, block));
            CHECK_MESSAGE(y == want, shapes(d));
        }
    };
    with(Plus<float>()), with(Plus<double>()), with(Plus<std::int32_t>());
    with(Largest<double>()), with(Smallest<float>()), with(Times<std::int64_t>());
}
