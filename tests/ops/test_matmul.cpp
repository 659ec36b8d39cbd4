// Matrix products, by the batch too, and biases: typed calls, derivatives where extents are open, sentences.
#include "../support/fed.hpp"
#include <tenon/ops/ops.hpp>

#include <doctest/doctest.h>

using namespace tenon;
using namespace tenon::test;

TEST_CASE("matmul takes matrices, and batches of them where an operand has more axes") {
    Placeholder<float, Shape<dyn, 3>> a;
    Placeholder<float, Shape<5, 1, 3, 4>> b;
    static_assert(std::is_same_v<decltype(matmul(a, Placeholder<float, Shape<3, 2>>{})), Node<float, Shape<dyn, 2>>>);
    static_assert(std::is_same_v<decltype(matmul<MatMul{false, true}>(a, Placeholder<float, Shape<2, 3>>{})), Node<float, Shape<dyn, 2>>>);
    static_assert(std::is_same_v<decltype(matmul(b, Placeholder<float, Shape<7, 4, 2>>{})), Node<float, Shape<5, 7, 3, 2>>>);
    CHECK(matmul(b, Placeholder<float, Shape<4, 2>>{}).operation->table->name == "BatchMatMulV2");
    CHECK(matmul(a, Placeholder<float, Shape<3, 2>>{}).operation->table->name == "MatMul");
}

TEST_CASE("a batched product is the product of each pair of matrices") {
    Fed<double, Shape<4, 1, 2, 3>> x(1);
    Fed<double, Shape<5, 3, 2>> y(2);
    Session s;
    const Tensor all = s.run_all({batch_matmul(x, y)}, {x, y})[0];
    REQUIRE(all.dims() == Dims{4, 5, 2, 2});
    for (std::int64_t i = 0; i < 4; ++i)
        for (std::int64_t j = 0; j < 5; ++j) {
            const auto a = make_const<double>(Tensor::of<double>({2, 3}, x.value.template span<double>().subspan(static_cast<std::size_t>(i) * 6, 6)));
            const auto b = make_const<double>(Tensor::of<double>({3, 2}, y.value.template span<double>().subspan(static_cast<std::size_t>(j) * 6, 6)));
            const Tensor one = s.run_all({matmul(Node<double>(a), Node<double>(b))}, {})[0];
            for (std::int64_t k = 0; k < 4; ++k) CHECK(all.data<double>()[(i * 5 + j) * 4 + k] == doctest::Approx(one.data<double>()[k]));
        }
}

TEST_CASE("derivatives of batched products, for every adjoint, broadcast, extents open or not") {
    const auto with = [](auto op, auto xs, auto ys, Dims x_dims, Dims y_dims) {
        Fed<double, decltype(xs)> x(1, x_dims);
        Fed<double, decltype(ys)> y(2, y_dims);
        const auto z = batch_matmul<decltype(op)::type::value>(x, y);
        CHECK(first_order(z, x, y) == "");
        CHECK(second_order(z, x, y) == "");
    };
    const auto adjoint = [](auto op) { return std::type_identity<decltype(op)>{}; };
    with(adjoint(std::integral_constant<MatMul, MatMul{}>{}), Shape<2, 2, 3>{}, Shape<2, 3, 2>{}, {2, 2, 3}, {2, 3, 2});
    with(adjoint(std::integral_constant<MatMul, MatMul{true, false}>{}), Shape<dyn, 3, 2>{}, Shape<3, 2>{}, {2, 3, 2}, {3, 2});
    with(adjoint(std::integral_constant<MatMul, MatMul{false, true}>{}), Shape<2, 1, 2, 3>{}, Shape<dyn, dyn, 3>{}, {2, 1, 2, 3}, {3, 2, 3});
    with(adjoint(std::integral_constant<MatMul, MatMul{true, true}>{}), Shape<dyn, 1, 3, 2>{}, Shape<1, 3, 2, 3>{}, {2, 1, 3, 2}, {1, 3, 2, 3});
}

TEST_CASE("a product that does not fit is refused with its sentence, typed or not") {
    using A = Node<float, Shape<2, 2, 3>>;
    using B = Node<float, Shape<2, 4, 5>>;
    static_assert(!accepts<BatchMatMul{}, A, B> && !accepts<BatchMatMul{}, Node<float, Shape<1, 2, 3>>, Node<float, Shape<2, 3, 4>>>);
    static_assert(accepts<BatchMatMulV2{}, Node<float, Shape<1, 2, 3>>, Node<float, Shape<2, 3, 4>>>);
    const auto apply = []<class O>(O op, Dims a, Dims b) {
        const auto fed = [](const Dims& d) { return make_operation(table_of<PlaceholderOp, float>(), std::make_shared<PlaceholderOp>(PlaceholderOp{d}), {}); };
        return shape_error([&] { make<float>(op, {fed(a), fed(b)}); });
    };
    CHECK(apply(BatchMatMul{}, {2, 2, 3}, {2, 4, 5}) == "[BatchMatMul] inner extents differ: [2,2,3] x [2,4,5]");
    CHECK(apply(BatchMatMul{}, {1, 2, 3}, {2, 3, 4}) == "[BatchMatMul] batches differ: [1,2,3] x [2,3,4]");
    CHECK(apply(BatchMatMulV2{}, {3, 2, 3}, {2, 3, 4}) == "[BatchMatMulV2] batches differ: [3,2,3] x [2,3,4]");
    CHECK(apply(BatchMatMulV3{}, {3}, {3, 4}) == "[BatchMatMulV3] needs matrices: [3] x [3,4]");
    CHECK(apply(BiasAdd{}, {2, 3}, {2}) == "[BiasAdd] bias [2] for [2,3]");
    CHECK(apply(BiasAdd{}, {3}, {3}) == "[BiasAdd] needs an axis for the batch and one for channels: [3]");
    CHECK(apply(BiasAdd{DataFormat::nchw}, {2, 4, 3}, {3}) == "[BiasAdd] bias [3] for [2,4,3]");
}

TEST_CASE("a bias fuses with what is around it where channels come last") {
    Fed<double, Shape<dyn, 3>> x(1, {4, 3});
    Fed<double, Shape<3>> b(2);
    const auto y = exp(bias_add(x * x, b));
    CHECK(first_order(y, x, b) == "");
    CHECK(second_order(y, x, b) == "");
    Session s;
    CHECK(s.make_callable({Output(y)}, Feed(x), Feed(b)).plan().kernels() == 1);
    CHECK(first_order(node(bias_add(x, b)), x, b) == "");
}

TEST_CASE("a bias of channels that come first broadcasts over what is behind them") {
    Fed<double, Shape<2, 3, 2, 2>> x(1);
    Fed<double, Shape<dyn, 3, dyn>> open(1, {2, 3, 4});
    Fed<double, Shape<3>> b(2);
    const auto y = exp(bias_add<BiasAdd{DataFormat::nchw}>(x * x, b));
    Session s;
    const Tensor got = s.run_all({Output(y)}, {x, b})[0];
    for (std::int64_t i = 0; i < got.size(); ++i) {
        const double v = x.value.data<double>()[i], bias = b.value.data<double>()[i / 4 % 3];
        CHECK(got.data<double>()[i] == doctest::Approx(std::exp(v * v + bias)));
    }
    CHECK(first_order(y, x, b) == "");
    CHECK(second_order(y, x, b) == "");
    CHECK(second_order(exp(bias_add<BiasAdd{DataFormat::nchw}>(open * open, b)), open, b) == "");
}

TEST_CASE("integers are multiplied, and wrap") {
    const auto a = make_const<std::int32_t>(Tensor::of<std::int32_t>({2, 2}, {65536, 1, 2, 3})), b = make_const<std::int32_t>(Tensor::of<std::int32_t>({2, 1}, {65536, 5}));
    const Tensor y = Session().run_all({make<std::int32_t>(MatMul{}, {a, b})}, {})[0];
    CHECK(y.data<std::int32_t>()[0] == 5);
    CHECK(y.data<std::int32_t>()[1] == 131087);
}
