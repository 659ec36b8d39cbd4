#include "../support/draw.hpp"
#include "../support/op_case.hpp"

#include <doctest/doctest.h>
#include <tenon/tensor/softmax.hpp>

using namespace tenon;
using test::Draw;

namespace {

std::vector<test::Json> all_cases(const std::string& op) {
    auto cases = test::op_cases(op);
    for (auto& c : test::kernel_cases(op)) cases.push_back(c);
    return cases;
}
std::int64_t classes_of(const Tensor& x) { return x.dims()[x.dims().rank - 1]; }
std::int64_t rows_of(const Tensor& x) { return classes_of(x) ? x.size() / classes_of(x) : 0; }

template <class T> void compare_cross_entropy(const test::Json& c) {
    const auto x = test::tensor_from(c.at("inputs")[0]), labels = test::tensor_from(c.at("inputs")[1]);
    const Tensor loss(x.dtype(), {rows_of(x)}), backprop(x.dtype(), x.dims());
    if (labels.dtype() == DType::int32) CHECK(by_row::sparse_cross_entropy(x.data<T>(), labels.data<std::int32_t>(), loss.data<T>(), backprop.data<T>(), rows_of(x), classes_of(x)) == -1);
    else if (labels.dtype() == DType::int64) CHECK(by_row::sparse_cross_entropy(x.data<T>(), labels.data<std::int64_t>(), loss.data<T>(), backprop.data<T>(), rows_of(x), classes_of(x)) == -1);
    else by_row::cross_entropy(x.data<T>(), labels.data<T>(), loss.data<T>(), backprop.data<T>(), rows_of(x), classes_of(x));
    CHECK(test::difference_in(c, loss, c.at("outputs")[0]) == "");
    CHECK(test::difference_in(c, backprop, c.at("outputs")[1]) == "");
}

}  // namespace

TEST_CASE_TEMPLATE("softmax and its logarithm are those of the definition, for rows short and long, in place or not", T, float, double) {
    Draw draw(11);
    for (int k = 0; k < 200; ++k) {
        const auto classes = k % 20 == 0 ? draw.between(1000, 2600) : draw.below(k % 2 ? 7 : 120), rows = draw.below(9);
        auto x = draw.numbers<T>(rows * classes);
        for (auto& e : x) e *= T(40);
        std::vector<T> y(x.size()), log_y(x.size()), in_place = x, log_in_place = x;
        by_row::softmax(x.data(), y.data(), rows, classes);
        by_row::log_softmax(x.data(), log_y.data(), rows, classes);
        by_row::softmax(in_place.data(), in_place.data(), rows, classes);
        by_row::log_softmax(log_in_place.data(), log_in_place.data(), rows, classes);
        CHECK(in_place == y);
        CHECK(log_in_place == log_y);
        for (std::int64_t r = 0; r < rows; ++r) {
            double sum = 0;
            for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(x[static_cast<std::size_t>(r * classes + c)]));
            for (std::int64_t c = 0; c < classes; ++c) {
                const auto i = static_cast<std::size_t>(r * classes + c);
                const double want = std::exp(static_cast<double>(x[i])) / sum, unit = std::numeric_limits<T>::epsilon();
                REQUIRE(std::abs(static_cast<double>(y[i]) - want) <= 64 * unit * want + static_cast<double>(std::numeric_limits<T>::min()));
                REQUIRE(std::abs(static_cast<double>(log_y[i]) - std::log(want)) <= 64 * unit * (1 + std::abs(std::log(want))));
            }
        }
    }
}

TEST_CASE_TEMPLATE("a class index is a row of labels that is 1 there", T, float, double) {
    Draw draw(12);
    for (int k = 0; k < 100; ++k) {
        const auto classes = draw.between(1, 40), rows = draw.below(60);
        const auto x = draw.numbers<T>(rows * classes);
        std::vector<std::int64_t> index(static_cast<std::size_t>(rows));
        std::vector<T> labels(x.size()), loss(index.size()), sparse_loss(index.size()), backprop(x.size()), sparse_backprop(x.size());
        for (std::size_t r = 0; r < index.size(); ++r) labels[r * static_cast<std::size_t>(classes) + static_cast<std::size_t>(index[r] = draw.below(classes))] = T(1);
        by_row::cross_entropy(x.data(), labels.data(), loss.data(), backprop.data(), rows, classes);
        REQUIRE(by_row::sparse_cross_entropy(x.data(), index.data(), sparse_loss.data(), sparse_backprop.data(), rows, classes) == -1);
        for (std::size_t r = 0; r < index.size(); ++r) REQUIRE(std::abs(loss[r] - sparse_loss[r]) <= 8 * std::numeric_limits<T>::epsilon());
        for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(std::abs(backprop[i] - sparse_backprop[i]) <= 8 * std::numeric_limits<T>::epsilon());
    }
}

TEST_CASE_TEMPLATE("a cross entropy is that of the definition, for rows short and long and labels of any sum", T, float, double) {
    Draw draw(13);
    for (int k = 0; k < 100; ++k) {
        const auto classes = k % 10 == 0 ? draw.between(1000, 2600) : draw.between(1, k % 2 ? 7 : 120), rows = draw.below(9);
        const auto x = draw.numbers<T>(rows * classes), labels = draw.numbers<T>(rows * classes);
        std::vector<T> loss(static_cast<std::size_t>(rows)), backprop(x.size()), in_place = x;
        by_row::cross_entropy(x.data(), labels.data(), loss.data(), backprop.data(), rows, classes);
        for (std::int64_t r = 0; r < rows; ++r) {
            double sum = 0, want = 0, weight = 0;
            const auto at = [&](const std::vector<T>& v, std::int64_t c) { return static_cast<double>(v[static_cast<std::size_t>(r * classes + c)]); };
            for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(at(x, c));
            for (std::int64_t c = 0; c < classes; ++c) want -= at(labels, c) * (at(x, c) - std::log(sum)), weight += std::abs(at(labels, c));
            const double unit = std::numeric_limits<T>::epsilon();
            REQUIRE(std::abs(static_cast<double>(loss[static_cast<std::size_t>(r)]) - want) <= 16 * unit * (1 + weight * std::log(sum)));
            for (std::int64_t c = 0; c < classes; ++c) REQUIRE(std::abs(at(backprop, c) - (std::exp(at(x, c)) / sum - at(labels, c))) <= 16 * unit);
        }
        by_row::cross_entropy(in_place.data(), labels.data(), loss.data(), in_place.data(), rows, classes);
        REQUIRE(in_place == backprop);
    }
}

TEST_CASE("a label outside the classes is reported and nothing is written") {
    const float x[] = {1, 2, 3, 4, 5, 6};
    float loss[] = {7, 7}, backprop[] = {7, 7, 7, 7, 7, 7};
    for (const std::int32_t bad : {3, -1}) {
        const std::int32_t labels[] = {0, bad};
        CHECK(by_row::sparse_cross_entropy(x, labels, loss, backprop, 2, 3) == 1);
        for (const float v : backprop) CHECK(v == 7);
        CHECK(loss[0] == 7);
    }
    const std::int64_t none[] = {0};
    CHECK(by_row::sparse_cross_entropy(x, none, loss, backprop, 1, 0) == 0);
}

TEST_CASE("no classes and no rows are no work") {
    float loss[] = {7, 7};
    by_row::softmax<float>(nullptr, nullptr, 3, 0);
    by_row::log_softmax<float>(nullptr, nullptr, 0, 3);
    by_row::cross_entropy<float>(nullptr, nullptr, loss, nullptr, 2, 0);
    CHECK((loss[0] == 0 && loss[1] == 0));
}

TEST_CASE("Softmax and LogSoftmax give TensorFlow's numbers, infinities and NaN included") {
    for (const bool log : {false, true})
        for (const auto& c : all_cases(log ? "LogSoftmax" : "Softmax")) {
            INFO("case ", c.at("name").get<std::string>());
            const auto x = test::tensor_from(c.at("inputs")[0]);
            const Tensor y(DType::float32, x.dims());
            if (log) by_row::log_softmax(x.data<float>(), y.data<float>(), rows_of(x), classes_of(x));
            else by_row::softmax(x.data<float>(), y.data<float>(), rows_of(x), classes_of(x));
            CHECK(test::difference_in(c, y, c.at("outputs")[0]) == "");
        }
}

TEST_CASE("the cross entropies give TensorFlow's numbers, infinities and NaN included") {
    for (const auto* op : {"SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits"})
        for (auto& c : all_cases(op)) {
            if (!c.contains("outputs")) continue;
            INFO(op, " ", c.at("name").get<std::string>());
            if (c.at("name") == "broadcast") {  // labels reach the kernel broadcast
                auto& labels = c.at("inputs")[1];
                labels.at("shape")[0] = 2;
                const auto row = labels.at("values");
                for (const auto& v : row) labels.at("values").push_back(v);
            }
            if (test::tensor_from(c.at("inputs")[0]).dtype() == DType::float64) compare_cross_entropy<double>(c);
            else compare_cross_entropy<float>(c);
        }
}
