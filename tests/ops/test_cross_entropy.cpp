// Softmax, the cross entropies, and the largest of rows.
#include "../support/fed.hpp"
#include <tenon/ops/ops.hpp>

#include <doctest/doctest.h>

#include <cmath>

using namespace tenon;
using namespace tenon::test;

TEST_CASE("softmax and its logarithm have derivatives of both orders, over a batch of any size") {
    Fed<double, Shape<dyn, 4>> x(1, {3, 4});
    CHECK(first_order(softmax(x), x) == "");
    CHECK(second_order(softmax(x), x) == "");
    CHECK(first_order(log_softmax(x), x) == "");
    CHECK(second_order(log_softmax(x), x) == "");
    Fed<double, Shape<2, 1, 3>> rank3(2);
    CHECK(second_order(softmax(rank3), rank3) == "");
}

TEST_CASE("cross entropy is -sum labels log softmax, and so are its derivatives") {
    Fed<double, Shape<dyn, 4>> x(1, {3, 4});
    Placeholder<double, Shape<dyn, 4>> raw;
    const auto labels = softmax(Node<double, Shape<dyn, 4>>(raw));  // rows that sum to 1
    const auto loss = softmax_cross_entropy_with_logits(labels, x);
    static_assert(std::is_same_v<std::remove_const_t<decltype(loss)>, Node<double, Shape<dyn>>>);
    const Feed fed{raw, tenon::detail::random_upstream<double>({3, 4}, 5)};
    CHECK(check_gradient(loss, {Feed(x), fed}, {x, raw}).problem == "");
    const auto composed = -sum<-1>(labels * log_softmax(x));
    const auto both = Session().run_all({loss, Output(composed)}, {x, fed});
    for (std::int64_t i = 0; i < 3; ++i) CHECK(both[0].data<double>()[i] == doctest::Approx(both[1].data<double>()[i]));
    const auto dx = gradients(loss, {x}, make_const<double>(Tensor::of<double>({3}, {0.3, -1.0, 2.0})))[0];
    CHECK(check_gradient(Node<double>(dx), {Feed(x), fed}, {x}).problem == "");
}

TEST_CASE("labels that broadcast receive the sum of what arrives") {
    Fed<double, Shape<3, 4>> x(1);
    Fed<double, Shape<1, 4>> labels(2);
    const Node<double> loss(call(Constant<SoftmaxCrossEntropyWithLogits{}>{}, node(x), node(labels)));
    CHECK(check_gradient(loss, {Feed(x), Feed(labels)}, {labels}).problem == "");
}

TEST_CASE("sparse cross entropy takes labels of both integer types and any number of batch axes") {
    Fed<double, Shape<2, dyn, 4>> x(1, {2, 3, 4});
    const auto with = [&]<class I>(I) {
        Placeholder<I, Shape<2, dyn>> labels;
        const auto loss = sparse_softmax_cross_entropy_with_logits(labels, x);
        static_assert(std::is_same_v<std::remove_const_t<decltype(loss)>, Node<double, Shape<2, dyn>>>);
        const Feed fed{labels, Tensor::of<I>({2, 3}, {0, 3, 1, 2, 2, 0})};
        CHECK(check_gradient(loss, {Feed(x), fed}, {x}).problem == "");
        const auto dx = gradients(loss, {x}, make_const<double>(Tensor::of<double>({2, 3}, {0.3, -1.0, 2.0, 1.0, 0.5, -0.25})))[0];
        CHECK(check_gradient(Node<double>(dx), {Feed(x), fed}, {x}).problem == "");
    };
    with(std::int32_t{}), with(std::int64_t{});
}

TEST_CASE("a label that is no class is named") {
    Fed<float, Shape<2, 3>> x(1);
    Placeholder<std::int32_t, Shape<2>> labels;
    const auto loss = sparse_softmax_cross_entropy_with_logits(labels, x);
    for (const std::int32_t wrong : {3, -1})
        try {
            Session().run_all({loss}, {x, {labels, Tensor::of<std::int32_t>({2}, {0, wrong})}});
            FAIL("no error");
        } catch (const ValueError& e) {
            CHECK(std::string(e.what()) == "SparseSoftmaxCrossEntropyWithLogits: [SparseSoftmaxCrossEntropyWithLogits] label " + std::to_string(wrong) + " of row 1 is outside [0,3)");
        }
}

TEST_CASE("shapes that make no sense are refused with a sentence") {
    static_assert(!accepts<SparseSoftmaxCrossEntropyWithLogits{}, Node<float, Shape<2, 3>>, Node<std::int32_t, Shape<3>>>);
    static_assert(!accepts<Softmax{}, Node<float, Shape<>>>);
    CHECK(SparseSoftmaxCrossEntropyWithLogits::infer({2, 3}, {3}).why.view() == "[SparseSoftmaxCrossEntropyWithLogits] labels [3] for [2,3]");
    CHECK(SoftmaxCrossEntropyWithLogits::infer({3}, {3}).why.view() == "[SoftmaxCrossEntropyWithLogits] needs matrices: [3] and [3]");
    CHECK(Softmax::infer({}).why.view() == "[Softmax] needs an axis of classes: []");
}

TEST_CASE("the largest are sorted, the first of equals first, NaN before all") {
    const float nan = std::nanf("");
    Placeholder<float, Shape<2, 4>> x;
    const auto [values, indices] = top_k<3>(x);
    static_assert(std::is_same_v<std::remove_cvref_t<decltype(values)>, Node<float, Shape<2, 3>>> && std::is_same_v<std::remove_cvref_t<decltype(indices)>, Node<std::int32_t, Shape<2, 3>>>);
    const auto got = Session().run_all({values, indices}, {{x, Tensor::of<float>({2, 4}, {1, 3, 3, 2, 5, nan, nan, 7})}});
    const std::vector<std::int32_t> at(got[1].data<std::int32_t>(), got[1].data<std::int32_t>() + 6);
    CHECK(at == std::vector<std::int32_t>{1, 2, 3, 1, 2, 3});
    CHECK(got[0].data<float>()[2] == 2);
    CHECK(got[0].data<float>()[5] == 7);
}

TEST_CASE("what arrives at the largest goes where they came from, extents open or not") {
    const auto with = [](auto shape) {
        Fed<double, decltype(shape)> x(1, {2, 3, 5});
        const auto largest = std::get<0>(top_k<2>(x));
        CHECK(first_order(largest, x) == "");
        CHECK(second_order(largest * largest * largest, x) == "");
    };
    with(Shape<2, 3, 5>{}), with(Shape<dyn, dyn, 5>{}), with(Shape<dyn, 3, dyn>{});
}

TEST_CASE("a class is in the top k if fewer than k are greater, and never if a number is not finite or there is no such class") {
    const float inf = INFINITY;
    Placeholder<float, Shape<dyn, 3>> p;
    Placeholder<std::int64_t, Shape<dyn>> t;
    const auto y = in_top_k<2>(p, t);
    static_assert(std::is_same_v<std::remove_const_t<decltype(y)>, Node<bool, Shape<dyn>>>);
    const auto got = Session().run_all({y}, {{p, Tensor::of<float>({5, 3}, {1, 2, 3, 1, 2, 3, 2, 2, 2, 1, 2, inf, 1, 2, 3})}, {t, Tensor::of<std::int64_t>({5}, {0, 1, 0, 1, 7})}})[0];
    const std::vector<bool> in(got.data<bool>(), got.data<bool>() + 5);
    CHECK(in == std::vector<bool>{false, true, true, false, false});
}
