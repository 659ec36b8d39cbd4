// Typed handles and statements: what types say, what is lazy, what is made.
#include <tenon/ops/ops.hpp>
#include <tenon/run/session.hpp>

#include <doctest/doctest.h>

using namespace tenon;

namespace {
using A = Placeholder<float, Shape<dyn, 3>>;
using B = Placeholder<float, Shape<3>>;
template <class X> using shape_in = typename std::remove_cvref_t<X>::shape;
}  // namespace

TEST_CASE("shapes follow from the operands, extents that are not known included") {
    A a{"a"};
    B b{"b"};
    Placeholder<float, Shape<3, 5>> w{"w"};
    static_assert(std::is_same_v<shape_in<decltype(a + b)>, Shape<dyn, 3>>);
    static_assert(std::is_same_v<shape_in<decltype(matmul(a, w))>, Shape<dyn, 5>>);
    static_assert(std::is_same_v<shape_in<decltype(sum<0>(a))>, Shape<3>>);
    static_assert(std::is_same_v<shape_in<decltype(mean(a))>, Shape<>>);
    static_assert(std::is_same_v<shape_in<decltype(reshape<3, dyn>(a))>, Shape<3, dyn>>);
    CHECK(node(a + b).dims() == Dims{dyn, 3});
}

TEST_CASE("a program can ask whether shapes fit instead of failing") {
    static_assert(accepts<Add{}, A, B>);
    static_assert(!accepts<Add{}, A, Placeholder<float, Shape<4>>>);
    static_assert(!accepts<MatMul{}, A, Placeholder<float, Shape<4, 5>>>);
    static_assert(accepts<MatMul{}, A, Placeholder<float, Shape<dyn, 7>>>);
    CHECK(std::string(verdict<Add{}, A, B>::shapes_fit ? "fits" : "") == "fits");
}

TEST_CASE("what the compiler refuses is refused at run time in the same words") {
    const auto wrong = [](const Dims& a, const Dims& b) {
        const Output x = make_operation(table_of<PlaceholderOp, float>(), std::make_shared<PlaceholderOp>(PlaceholderOp{a}), {});
        const Output y = make_operation(table_of<PlaceholderOp, float>(), std::make_shared<PlaceholderOp>(PlaceholderOp{b}), {});
        make<float>(MatMul{}, {x, y});
    };
    CHECK_THROWS_WITH_AS(wrong({2, 3}, {4, 5}), "[MatMul] inner extents differ: [2,3] x [4,5]", ShapeError);
    static_assert(std::is_same_v<verdict<MatMul{}, Placeholder<float, Shape<2, 3>>, Placeholder<float, Shape<4, 5>>>, rejected<"[MatMul] inner extents differ: [2,3] x [4,5]">>);
}

TEST_CASE("an elementwise chain is one lazy statement; a name makes it once") {
    A a{"a"};
    B b{"b"};
    auto chain = exp(a * b + b) * a;
    static_assert(!std::is_base_of_v<Output, decltype(chain)>);
    CHECK(!chain.made->operation);
    const Output first = chain, second = chain;
    CHECK(first == second);
    CHECK(first.operation->group != nullptr);
    CHECK(first.operation->inputs[0].operation->group == nullptr);
    CHECK(first.operation->group->inner.size() == 3);
}

TEST_CASE("an extent of a statement that is not known is checked when it runs, in release builds too") {
    Placeholder<float, Shape<dyn>> x{"x"}, y{"y"};
    auto s = node(x * y + x);
    Session session;
    const std::vector<float> three{1, 2, 3}, two{1, 2};
    CHECK(session.run(s, feed(x, three), feed(y, three))[2] == 12);
    CHECK_THROWS_WITH_AS(session.run(s, feed(x, three), feed(y, two)), "Mul: [Mul] shapes do not broadcast: [3] and [2]", ShapeError);
}

TEST_CASE("inputs of a wrong type or number are refused before a kernel could trust them") {
    A a{"a"};
    Placeholder<double, Shape<3>> d{"d"};
    CHECK_THROWS_WITH_AS(make_operation(table_of<Mul, float>(), std::make_shared<Mul>(), {a, d}), "[Mul] input 1 is float64, takes float32", TypeError);
    CHECK_THROWS_WITH_AS(make_operation(table_of<Mul, float>(), std::make_shared<Mul>(), {a}), "[Mul] has 1 inputs, takes 2", TypeError);
}
