// Reductions, running sums and products, positions of extremes: types, derivatives where axes or extents are open, special values.
#include "../support/fed.hpp"
#include <tenon/ops/ops.hpp>

#include <doctest/doctest.h>

#include <cmath>

using namespace tenon;
using namespace tenon::test;

namespace {
Node<double> plain(const Output& o) { return Node<double>(o); }
}  // namespace

TEST_CASE("typed reductions know shapes and element types") {
    Placeholder<float, Shape<2, dyn, 4>> x;
    static_assert(std::is_same_v<decltype(max<1>(x)), Node<float, Shape<2, 4>>>);
    static_assert(std::is_same_v<decltype(min<0, -1>(x)), Node<float, Shape<dyn>>>);
    static_assert(std::is_same_v<decltype(prod(x)), Node<float, Shape<>>>);
    static_assert(std::is_same_v<decltype(argmax<-1>(x)), Node<std::int64_t, Shape<2, dyn>>>);
    static_assert(std::is_same_v<decltype(reduce_any<0>(x > 0)), Node<bool, Shape<dyn, 4>>>);
    static_assert(std::is_same_v<decltype(cumsum<1>(x)), Node<float, Shape<2, dyn, 4>>>);
    static_assert(std::is_same_v<decltype(l2_loss(x)), Node<float, Shape<>>>);
}

TEST_CASE("reductions that do not fit are refused with their sentences, typed or not") {
    using X = Node<float, Shape<3, 4>>;
    constexpr auto outside = [] {
        Max m;
        m.axes = {2};
        return m;
    }();
    static_assert(std::is_same_v<verdict<outside, X>, rejected<Text<30>{"[Max] axis 2 is outside [3,4]"}>>);
    const auto apply = []<class O>(O op, const Dims& d, const Dims& axes) {
        const auto x = make_operation(table_of<PlaceholderOp, float>(), std::make_shared<PlaceholderOp>(PlaceholderOp{d}), {});
        return shape_error([&] { make<float>(op, {x, tenon::detail::integers(axes)}); });
    };
    CHECK(apply(Max{}, {3, 4}, {2}) == "[Max] axis 2 is outside [3,4]");
    CHECK(apply(Prod{}, {3, 4}, {1, -1}) == "[Prod] axis -1 is listed twice");
    CHECK(apply(ArgMax{}, {2, 0}, {1}) == "[ArgMax] axis 1 of [2,0] is empty");
    CHECK(apply(ArgMin{}, {2, 3}, {2}) == "[ArgMin] axis 2 is outside [2,3]");
    CHECK(apply(Cumsum{}, {2, 3}, {-3}) == "[Cumsum] axis -3 is outside [2,3]");
}

TEST_CASE("derivatives of reductions over every choice of axes, extents open or not") {
    Fed<double, Shape<2, 3, 2>> known(1);
    Fed<double, Shape<dyn, 3, dyn>> open(1, {2, 3, 2});
    const auto every = [](const auto& x) {
        const auto both = [&](const char* name, const Node<double>& y) {
            CAPTURE(name);
            CHECK(first_order(y, x) == "");
            CHECK(second_order(y, x) == "");
        };
        both("Sum", square(plain(sum<0, 2>(x))));
        both("Mean", square(plain(mean<1>(x))));
        both("Max", square(plain(max<1>(x))));
        both("Min", square(plain(min<-1, 0>(x))));
        both("Prod of all", plain(prod(x)));
        both("Prod", plain(prod<1>(x)));
        both("Prod of two", plain(prod<2, 0>(x)));
        both("L2Loss", l2_loss(Node<double>(x)) * l2_loss(Node<double>(x)));
        both("Cumsum", square(plain(cumsum<1>(x))));
        both("Cumprod", plain(cumprod<-2>(x)));
    };
    every(known);
    every(open);
}

TEST_CASE("derivatives of reductions over axes that a run is fed") {
    Fed<double, Shape<2, 3, 2>> x(1);
    Placeholder<std::int32_t, Shape<2>> axes;
    for (const auto& list : {std::array<std::int32_t, 2>{0, 1}, {-1, 0}, {2, -2}}) {
        const Feed fed{axes, Tensor::of<std::int32_t>({2}, list)};
        const auto first = [&](const Node<double>& y) { return check_gradient(y, {x, fed}, {x}).problem; };
        CHECK(first(make<double>(Sum{}, {x, axes})) == "");
        CHECK(first(make<double>(Mean{}, {x, axes})) == "");
        CHECK(first(make<double>(Max{}, {x, axes})) == "");
        CHECK(first(make<double>(Prod{}, {x, axes})) == "");
    }
    Fed<double, Unranked> unranked(1, {2, 3});
    Node<double> of_anything = make<double>(Prod{}, {unranked, tenon::detail::integers(Dims{1})});
    CHECK(first_order(of_anything, unranked) == "");
    of_anything = make<double>(Prod{}, {unranked, axes});
    CHECK(check_gradient(of_anything, {unranked, Feed{axes, Tensor::of<std::int32_t>({2}, {-1, 0})}}, {unranked}).problem == "");
}

TEST_CASE("the gradient of a product needs no quotient: zeros and products out of range do not matter") {
    Placeholder<float, Shape<dyn>> x;
    Session s;
    const auto g = gradients(prod(x), {Output(x)})[0];
    const auto run = [&](std::initializer_list<float> v) {
        const Tensor t = s.run_all({g}, {{x, Tensor::of<float>({static_cast<std::int64_t>(v.size())}, v)}})[0];
        return std::vector<float>(t.span<float>().begin(), t.span<float>().end());
    };
    CHECK(run({2, 0, 3}) == std::vector<float>{0, 6, 0});
    CHECK(run({0, 0, 3}) == std::vector<float>{0, 0, 0});
    CHECK(run({1e30f, 1e30f}) == std::vector<float>{1e30f, 1e30f});
    CHECK(run({1e-30f, 1e-30f}) == std::vector<float>{1e-30f, 1e-30f});
    CHECK(run({}) == std::vector<float>{});
}

TEST_CASE("NaN is an extreme wherever it stands, and never a position") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    Placeholder<float, Shape<dyn>> x;
    Session s;
    for (const std::int64_t n : {1, 7, 8, 9, 40, 1000})
        for (std::int64_t at = 0; at < n; at += std::max<std::int64_t>(n / 5, 1)) {
            Tensor v(DType::float32, {n});
            for (std::int64_t i = 0; i < n; ++i) v.data<float>()[i] = static_cast<float>(i % 13);
            v.data<float>()[at] = nan;
            const auto y = s.run_all({node(max(x)), node(min(x)), argmax<0>(x), argmin<0>(x)}, {{x, v}});
            CHECK(std::isnan(y[0].item<float>()));
            CHECK(std::isnan(y[1].item<float>()));
            CHECK((n == 1 || y[2].item<std::int64_t>() != at));
            CHECK((n == 1 || y[3].item<std::int64_t>() != at));
        }
}

TEST_CASE("running sums and products are sums and products of what stands before") {
    Fed<double, Shape<3, 5, 2>> x(1);
    Session s;
    for (const std::int64_t axis : {0, 1, -1})
        for (const bool exclusive : {false, true})
            for (const bool reverse : {false, true}) {
                const auto y = s.run_all({call(RunTime<Cumsum>{tenon::detail::scan<Cumsum>(axis, exclusive, reverse)}, Node<double>(x)), call(RunTime<Cumprod>{tenon::detail::scan<Cumprod>(axis, exclusive, reverse)}, Node<double>(x))}, {x});
                const Dims& d = x.value.dims();
                const std::int64_t at[] = {d[1] * d[2], d[2], 1}, k = axis < 0 ? axis + 3 : axis, stride = at[k], n = d[static_cast<int>(k)];
                for (std::int64_t i = 0; i < d.size(); ++i) {
                    const auto place = i / stride % n;
                    double sum = 0, product = 1;
                    for (std::int64_t p = 0; p < n; ++p) {
                        const bool counts = reverse ? p > place : p < place;
                        if (!counts && (exclusive || p != place)) continue;
                        sum += x.value.data<double>()[i + (p - place) * stride];
                        product *= x.value.data<double>()[i + (p - place) * stride];
                    }
                    CHECK(y[0].data<double>()[i] == doctest::Approx(sum));
                    CHECK(y[1].data<double>()[i] == doctest::Approx(product));
                }
            }
}
