// Elementwise ops: types of typed calls, derivatives of both orders with broadcasting and open extents, compiled statements
// against the same ops one by one, special values, integers.
#include "../support/fed.hpp"
#include "../support/golden.hpp"
#include <tenon/checkpoint/builtin_ops.hpp>
#include <tenon/grad/value_and_gradient.hpp>
#include <tenon/graph/op_index.hpp>
#include <tenon/ops/ops.hpp>

#include <doctest/doctest.h>

using namespace tenon;
using namespace tenon::test;

namespace {

using Open = Shape<dyn, 3>;

/// An op over a handle without extents: no statement is compiled for it.
Node<double> plain(const Output& o) { return Node<double>(o); }
template <class T> Tensor numbers(std::initializer_list<T> v) { return Tensor::of<T>({static_cast<std::int64_t>(v.size())}, v); }
template <class T, class O> Node<result_t<O, T>> of_constants(O op, std::initializer_list<Tensor> in) {
    std::vector<Output> inputs;
    for (const Tensor& t : in) inputs.push_back(make_const<T>(t));
    return make<T>(op, inputs);
}

}  // namespace

TEST_CASE("typed calls know shapes and element types") {
    Placeholder<float, Shape<2, 3>> a;
    Placeholder<float, Shape<3>> b;
    Placeholder<float, Shape<dyn, 1>> c;
    static_assert(std::is_same_v<decltype(node(tanh(a * b) + 1)), Node<float, Shape<2, 3>>>);
    static_assert(std::is_same_v<decltype(node(b - c)), Node<float, Shape<dyn, 3>>>);
    static_assert(std::is_same_v<decltype(less(a, b)), Node<bool, Shape<2, 3>>>);
    static_assert(std::is_same_v<decltype(a > 0.5f), Node<bool, Shape<2, 3>>>);
    static_assert(std::is_same_v<decltype(logical_and(a > 0, b <= a)), Node<bool, Shape<2, 3>>>);
    static_assert(std::is_same_v<decltype(is_finite(b)), Node<bool, Shape<3>>>);
    static_assert(std::is_same_v<decltype(select(b > 0, a, 0)), Node<float, Shape<2, 3>>>);
    static_assert(std::is_same_v<decltype(node(maximum(a, 0))), Node<float, Shape<2, 3>>>);
    static_assert(std::is_same_v<decltype(node(2 / a)), Node<float, Shape<2, 3>>>);
    static_assert(std::is_same_v<decltype(node(clip_by_value(b, -1, 1))), Node<float, Shape<3>>>);
    static_assert(std::is_same_v<decltype(add_n(b, tanh(b), b)), Node<float, Shape<3>>>);
    CHECK(node(leaky_relu(a)).operation->table->name == "LeakyRelu");
}

TEST_CASE("operands that do not broadcast are refused with one sentence, typed or not") {
    using A = Node<float, Shape<2, 3>>;
    using B = Node<float, Shape<4>>;
    static_assert(!accepts<Add{}, A, B> && !accepts<Less{}, A, B> && !accepts<SelectV2{}, Node<bool, Shape<2>>, A, A> && accepts<Mul{}, A, Node<float, Shape<dyn, 1>>>);
    static_assert(std::is_same_v<verdict<Sub{}, A, B>, rejected<Text<45>{"[Sub] shapes do not broadcast: [2,3] and [4]"}>>);
    const auto fed = [](const Dims& d) { return make_operation(table_of<PlaceholderOp, float>(), std::make_shared<PlaceholderOp>(PlaceholderOp{d}), {}); };
    const auto flag = [](const Dims& d) { return make_operation(table_of<PlaceholderOp, bool>(), std::make_shared<PlaceholderOp>(PlaceholderOp{d}), {}); };
    CHECK(shape_error([&] { make<float>(Sub{}, {fed({2, 3}), fed({4})}); }) == "[Sub] shapes do not broadcast: [2,3] and [4]");
    CHECK(shape_error([&] { make<float>(Equal{}, {fed({2, 3}), fed({2})}); }) == "[Equal] shapes do not broadcast: [2,3] and [2]");
    CHECK(shape_error([&] { make<float>(SelectV2{}, {flag({2}), fed({2, 3}), fed({3})}); }) == "[SelectV2] shapes do not broadcast: [2] and [2,3]");
    CHECK(shape_error([&] { make<float>(Select{}, {flag({3}), fed({2, 3}), fed({2, 3})}); }) == "[Select] condition [3] for values [2,3]");
    CHECK(shape_error([&] { make<float>(Select{}, {flag({}), fed({2, 3}), fed({3})}); }) == "[Select] values differ in shape: [2,3] and [3]");
    CHECK(shape_error([&] { make<float>(ClipByValue{}, {fed({3}), fed({2}), fed({})}); }) == "[ClipByValue] bound [2] for [3]");
    CHECK_THROWS_WITH_AS(make<bool>(LogicalAnd{}, {fed({2}), fed({2})}), "[LogicalAnd] input 0 is float32, takes bool", TypeError);
}

TEST_CASE("derivatives of functions of one operand, and theirs, are central differences'") {
    Fed<double, Open> fed(1, {2, 3});
    const Node<double> x = plain(fed), positive = x * x;
    const auto both = [&](const char* name, const Node<double>& y) {
        CAPTURE(name);
        CHECK(first_order(y, fed) == "");
        CHECK(second_order(y, fed) == "");
    };
    both("Neg", -x * x);
    both("Square", square(x));
    both("Reciprocal", reciprocal(x));
    both("Inv", make<double>(Inv{}, {x}));
    both("Exp", exp(x));
    both("Expm1", expm1(x));
    both("Log", log(positive));
    both("Log1p", log1p(positive));
    both("Sqrt", sqrt(positive) * x);
    both("Rsqrt", rsqrt(positive + 1));
    both("Sin", sin(x));
    both("Cos", cos(x));
    both("Tan", tan(x));
    both("Sinh", sinh(x));
    both("Cosh", cosh(x));
    both("Asin", asin(x * 0.5));
    both("Acos", acos(x * 0.5));
    both("Atan", atan(x));
    both("Erf", erf(x));
    both("Erfc", erfc(x));
    both("Abs", abs(x) * x);
    both("Tanh", tanh(x));
    both("Sigmoid", sigmoid(x));
    both("Relu", square(relu(x)));
    both("Relu6", square(relu6(x * 7)));
    both("LeakyRelu", square(make<double>(LeakyRelu{}, {x})));
    both("Elu", elu(x));
    both("Selu", selu(x));
    both("Softplus", softplus(x));
    CHECK(first_order(softsign(x), fed) == "");
}

TEST_CASE("derivatives of functions of two operands, broadcast, extents open or not, and theirs") {
    Fed<double, Open> x(1, {2, 3});
    Fed<double, Shape<dyn, dyn, 1>> y(2, {4, 1, 1});
    Fed<double, Shape<3>> z(3);
    const auto both = [](const char* name, const Node<double>& r, const auto&... in) {
        CAPTURE(name);
        CHECK(first_order(r, in...) == "");
        CHECK(second_order(r, in...) == "");
    };
    const auto every = [&](const Node<double>& a, const Node<double>& b, const auto&... in) {
        both("AddV2", square(make<double>(AddV2{}, {a, b})), in...);
        both("Sub", exp(a - b), in...);
        both("Mul", a * b, in...);
        both("RealDiv", a / b, in...);
        both("DivNoNan", divide_no_nan(a, b), in...);
        both("MulNoNan", multiply_no_nan(a, b), in...);
        both("SquaredDifference", squared_difference(a, b), in...);
        both("Pow", pow(a * a + 0.5, b), in...);
        both("Maximum", square(maximum(a, b * 0.9)), in...);
        both("Minimum", square(minimum(a, b * 0.9)), in...);
        both("FloorMod", square(floor_mod(a, b * 0.9)), in...);
        both("SelectV2", square(select(a > 0, a, b)), in...);
    };
    every(plain(x), plain(y), x, y);
    every(plain(z), plain(y), z, y);
    both("ClipByValue", square(clip_by_value(plain(x), constant_scalar(-0.6), constant_scalar(0.4))), x);
}

TEST_CASE("a compiled statement is what its ops are one by one, forward and backward") {
    Fed<double, Open> a(1, {2, 3});
    Fed<double, Shape<3>> b(2), c(3);
    Fed<double, Shape<2, 1>> d(4);
    Fed<double, Shape<2, 3>> e(5);
    Session s;
    const auto same = [&](const char* name, auto statement, auto one_by_one) {
        CAPTURE(name);
        const Node<double> fused(node(std::move(statement))), single(one_by_one);
        CHECK(s.make_callable({Output(fused)}, Feed(a), Feed(b), Feed(c), Feed(d), Feed(e)).plan().kernels() == 1);
        const std::vector<Output> wrt{a, b, c, d, e};
        const auto up = make_const<double>(tenon::detail::random_upstream<double>({2, 3}, 9));
        const auto g = gradients(fused, wrt, up), h = gradients(single, wrt, up);
        std::vector<Output> all{fused, single};
        for (std::size_t i = 0; i < wrt.size(); ++i) {
            REQUIRE(bool(g[i]) == bool(h[i]));
            if (g[i]) all.insert(all.end(), {g[i], h[i]});
        }
        const auto got = s.run_all(all, {a, b, c, d, e});
        for (std::size_t i = 0; i < got.size(); i += 2) CHECK(difference(got[i], got[i + 1], 1e-12, 1e-14) == "");
        CHECK(check_gradient(fused, {a, b, c, d, e}, wrt).problem == "");
    };
    const Node<double> A(a), B(b), C(c), D(d), E(e);
    same("tanh(a b + c) / sqrt(d²) + relu(e)", tanh(a * b + c) / sqrt(d * d) + relu(e), tanh(A * B + C) / sqrt(D * D) + relu(E));
    same("piecewise", maximum(a, b) * minimum(c, 0.3) + clip_by_value(d, -0.5, 0.6) * leaky_relu(e), maximum(A, B) * minimum(C, 0.3) + clip_by_value(D, -0.5, 0.6) * leaky_relu(E));
    same("exponential", elu(a) * selu(b) + softplus(c) * sigmoid(d) - exp(e), elu(A) * selu(B) + softplus(C) * sigmoid(D) - exp(E));
    same("powers", pow(a * a, b) + rsqrt(c * c) * log1p(d * d) + abs(e) * sign(e), pow(A * A, B) + rsqrt(C * C) * log1p(D * D) + abs(E) * sign(E));
    same("quotients", divide_no_nan(a, b) + relu6(c * 9) * softsign(d) + erf(e) * sin(e), divide_no_nan(A, B) + relu6(C * 9) * softsign(D) + erf(E) * sin(E));
}

TEST_CASE("in a statement, special values are what they are in ops one by one") {
    constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    const Tensor special = numbers<float>({0.0f, -0.0f, 1.0f, -1.0f, 3.5f, -2.5f, 7.0f, 1e30f, -1e30f, 1e-30f, inf, -inf, nan, 0.5f, -0.5f, 6.0f, 2.0f, -7.0f});
    Placeholder<float, Shape<18>> x;
    Placeholder<float, Shape<18>> zero;  // added, so that the op is part of a statement
    const Tensor zeros = Tensor::of<float>({18}, std::vector<float>(18));
    const Node<float> X(x), Z(zero);
    Session s;
    const auto same = [&](const char* name, auto statement, const Node<float>& single) {
        CAPTURE(name);
        const Node<float> fused(node(std::move(statement)));
        const auto up = make_const<float>(tenon::detail::random_upstream<float>({18}, 3));
        const auto got = s.run_all({fused, single, gradients(fused, {x}, up)[0], gradients(single, {x}, up)[0]}, {{x, special}, {zero, zeros}});
        CHECK(difference(got[0], got[1]) == "");
        CHECK(difference(got[2], got[3]) == "");
    };
    same("Relu", relu(x + zero), relu(X + Z));
    same("LeakyRelu", leaky_relu(x + zero), leaky_relu(X + Z));
    same("Elu", elu(x + zero), elu(X + Z));
    same("Maximum", maximum(x + zero, 0), maximum(X + Z, 0));
    same("ClipByValue", clip_by_value(x + zero, -1, 1), clip_by_value(X + Z, -1, 1));
    same("Sqrt", sqrt(x + zero), sqrt(X + Z));
}

TEST_CASE("the same rules serve value_and_gradient, numbers included") {
    const auto f = [](auto x) { return sum(relu(2 * x - 0.5f) / 3 + maximum(tanh(x), 0.25f) + softplus(x) - 1); };
    Fixed<float, Shape<4>> x{{-0.75f, 0.1f, 0.4f, 0.9f}};
    const auto [value, gradient] = value_and_gradient(f)(x);
    double expected = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        const double v = double(x[i]), t = std::tanh(v), slope = (2 * v > 0.5 ? 2.0 / 3 : 0) + (t >= 0.25 ? 1 - t * t : 0) + 1 / (1 + std::exp(-v));
        expected += std::max(2 * v - 0.5, 0.0) / 3 + std::max(t, 0.25) + std::log1p(std::exp(v)) - 1;
        CHECK(std::get<0>(gradient)[i] == doctest::Approx(slope));
    }
    CHECK(value == doctest::Approx(expected));
}

TEST_CASE("integers wrap, and what has no quotient is an error of the run") {
    constexpr auto low = std::numeric_limits<std::int32_t>::min();
    const Tensor a = numbers<std::int32_t>({2147483647, low, low, -7}), b = numbers<std::int32_t>({1, -1, 1, 2});
    Session s;
    const auto run = [&](auto op) {
        const Tensor y = s.run_all({of_constants<std::int32_t>(op, {a, b})}, {})[0];
        return std::vector<std::int32_t>(y.span<std::int32_t>().begin(), y.span<std::int32_t>().end());
    };
    using Numbers = std::vector<std::int32_t>;
    CHECK(run(Add{}) == Numbers{low, 2147483647, low + 1, -5});
    CHECK(run(Mul{}) == Numbers{2147483647, low, low, -14});
    CHECK(run(Div{}) == Numbers{2147483647, low, low, -3});
    CHECK(run(FloorDiv{}) == Numbers{2147483647, low, low, -4});
    CHECK(run(FloorMod{}) == Numbers{0, 0, 0, 1});
    CHECK(run(TruncateMod{}) == Numbers{0, 0, 0, -1});
    CHECK(run(Maximum{}) == Numbers{2147483647, -1, 1, 2});
    const auto by_zero = of_constants<std::int32_t>(FloorDiv{}, {a, Tensor::scalar<std::int32_t>(0)});
    CHECK_THROWS_WITH_AS(s.run_all({by_zero}, {}), "FloorDiv: [FloorDiv] Integer division by zero", ValueError);
    const auto negative = of_constants<std::int32_t>(Pow{}, {b, Tensor::scalar<std::int32_t>(-1)});
    CHECK_THROWS_WITH_AS(s.run_all({negative}, {}), "Pow: [Pow] Integers to negative integer powers are not allowed", ValueError);
    const Tensor magnitude = s.run_all({of_constants<std::int32_t>(Abs{}, {numbers<std::int32_t>({low, -3, 3})})}, {})[0];
    CHECK(magnitude.data<std::int32_t>()[0] == low);
    CHECK(magnitude.data<std::int32_t>()[1] == 3);
}

TEST_CASE("a cast keeps numbers that the other type has, for every pair of types") {
    const DType all[] = {DType::float32, DType::float64, DType::half, DType::bfloat16, DType::int8, DType::int16, DType::int32, DType::int64,
                         DType::uint8, DType::uint16, DType::uint32, DType::uint64, DType::boolean};
    const auto cast_to = [](DType t, const Output& x) -> Output {
        for (const OpTable* table : tables_named(builtin_ops(), "Cast")) if (table->dtype == t) return make_operation(*table, std::make_shared<Cast>(), {x});
        return {};
    };
    Placeholder<std::int32_t, Shape<600>> x;  // more than a block
    Tensor value(DType::int32, {600});
    for (std::int32_t i = 0; i < 600; ++i) value.span<std::int32_t>()[static_cast<std::size_t>(i)] = i % 120;
    Session s;
    for (const DType from : all)
        for (const DType to : all) {
            const auto got = s.run_all({cast_to(to, cast_to(from, x)), cast_to(to, x)}, {{x, value}});
            CAPTURE(name_of(from));
            CAPTURE(name_of(to));
            REQUIRE(got[0].dtype() == to);
            const auto width = bytes_of(to);
            for (std::size_t i = 0; i < 600; ++i) {
                const double v = test::detail::value_at(to, got[0].raw() + i * width), n = static_cast<double>(i % 120);
                if (v != (from == DType::boolean || to == DType::boolean ? (n != 0 ? 1.0 : 0.0) : n)) {
                    FAIL_CHECK("element " << i << " is " << v);
                    break;
                }
            }
        }
}

TEST_CASE("casts of what does not fit are the machine's: out of range is the smallest integer, integers wrap") {
    const Tensor x = numbers<double>({-1.9, 300.7, 3e9, -3e9, 1e300, std::numeric_limits<double>::quiet_NaN()});
    Session s;
    const Output in = make_const<double>(x);
    const Tensor i = s.run_all({make<std::int32_t>(Cast{}, {in})}, {})[0];
    constexpr auto low = std::numeric_limits<std::int32_t>::min();
    const std::int32_t expected[] = {-1, 300, low, low, low, low};
    for (std::size_t k = 0; k < 6; ++k) CHECK(i.span<std::int32_t>()[k] == expected[k]);
    const Tensor u = s.run_all({make<std::uint8_t>(Cast{}, {make_const<std::int64_t>(numbers<std::int64_t>({-1, 256, 511}))})}, {})[0];
    CHECK(u.span<std::uint8_t>()[0] == 255);
    CHECK(u.span<std::uint8_t>()[1] == 0);
    CHECK(u.span<std::uint8_t>()[2] == 255);
    const Tensor f = s.run_all({make<float>(Cast{}, {make_const<std::int64_t>(numbers<std::int64_t>({9007199791611905}))})}, {})[0];
    CHECK(f.span<float>()[0] == 9007200328482816.0f);  // rounded once: by way of double it would be 9007199254740992
}

TEST_CASE("strings are joined and compared") {
    const auto texts = [](std::initializer_list<std::string> v) { return Tensor::of<std::string>({static_cast<std::int64_t>(v.size())}, v); };
    Placeholder<std::string, Shape<2>> a;
    Session s;
    const auto b = make_const<std::string>(texts({"-"}));
    const auto got = s.run_all({make<std::string>(AddV2{}, {make<std::string>(AddV2{}, {a, b}), a}), make<std::string>(NotEqual{}, {a, b})}, {{a, texts({"x", "-"})}});
    CHECK(got[0].span<std::string>()[0] == "x-x");
    CHECK(got[0].span<std::string>()[1] == "---");
    CHECK(got[1].span<bool>()[0]);
    CHECK_FALSE(got[1].span<bool>()[1]);
}
