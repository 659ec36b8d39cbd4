#include "../support/draw.hpp"
#include "../support/op_case.hpp"

#include <doctest/doctest.h>
#include <tenon/tensor/pool.hpp>

using namespace tenon;
using test::Draw;

namespace {

/// visit(output index, input indices of its window) per output element.
template <class Visit> void for_each_window(const pool::Shape& s, Visit visit) {
    std::size_t o = 0;
    for (std::int64_t n = 0; n < s.batch; ++n)
        for (std::int64_t oy = 0; oy < s.h.output; ++oy)
            for (std::int64_t ox = 0; ox < s.w.output; ++ox)
                for (std::int64_t c = 0; c < s.channels; ++c, ++o) {
                    std::vector<std::size_t> window;
                    for (std::int64_t ky = 0; ky < s.h.window.size; ++ky)
                        for (std::int64_t kx = 0; kx < s.w.window.size; ++kx) {
                            const auto y = s.h.at(oy, ky), x = s.w.at(ox, kx);
                            if (y >= 0 && y < s.h.input && x >= 0 && x < s.w.input) window.push_back(static_cast<std::size_t>(((n * s.h.input + y) * s.w.input + x) * s.channels + c));
                        }
                    visit(o, window);
                }
}

pool::Shape shape_of(const test::Json& node, const Dims& input) {
    const auto p = test::text_attr(node, "padding") == "SAME" ? Padding::same : Padding::valid;
    const auto size = test::int_list(node, "ksize"), strides = test::int_list(node, "strides");
    return {input[0], place(p, input[1], {.size = size[1], .stride = strides[1]}), place(p, input[2], {.size = size[2], .stride = strides[2]}), input[3]};
}
Tensor like_output(const pool::Shape& s) { return Tensor(DType::float32, {s.batch, s.h.output, s.w.output, s.channels}); }

}  // namespace

TEST_CASE_TEMPLATE("pools of any shape, and their gradients, are those of their windows one by one", T, float, double) {
    Draw draw(10);
    for (int k = 0; k < 400; ++k) {
        const auto padding = static_cast<Padding>(draw.below(3));
        const auto axis = [&] { return place(padding, draw.below(9), {draw.between(1, 4), draw.between(1, 4), draw.between(1, 2), draw.below(3), draw.below(3)}); };
        const pool::Shape s{draw.below(3), axis(), axis(), k % 7 == 0 ? draw.below(40) : draw.below(4)};
        auto x = draw.numbers<T>(s.input_size());
        if (k % 2) for (auto& e : x) e = std::round(e * 4);  // ties
        const auto g = draw.numbers<T>(s.output_size()), gg = draw.numbers<T>(s.input_size());
        std::vector<T> max(g.size(), T(7)), mean(g.size(), T(7)), grad_grad(g.size(), T(7)), max_grad(x.size(), T(7)), mean_grad(x.size(), T(7));
        pool::max(s, x.data(), max.data());
        pool::average(s, x.data(), mean.data());
        pool::max_grad(s, x.data(), g.data(), max_grad.data());
        pool::average_grad(s, g.data(), mean_grad.data());
        pool::max_grad_grad(s, x.data(), gg.data(), grad_grad.data());
        for_each_window(s, [&](std::size_t o, const std::vector<std::size_t>& window) {
            if (window.empty()) {
                CHECK((max[o] == std::numeric_limits<T>::lowest() && mean[o] == 0 && grad_grad[o] == 0));
                return;
            }
            T sum = 0;
            auto best = window[0];
            for (const auto i : window) {
                sum += x[i];
                mean_grad[i] -= g[o] / static_cast<T>(window.size());
                if (x[i] > x[best]) best = i;
            }
            max_grad[best] -= g[o];
            CHECK((max[o] == x[best] && grad_grad[o] == gg[best]));
            CHECK(std::abs(mean[o] - sum / static_cast<T>(window.size())) <= 4 * std::numeric_limits<T>::epsilon());
        });
        for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(std::max(std::abs(max_grad[i]), std::abs(mean_grad[i])) <= 32 * std::numeric_limits<T>::epsilon());
    }
}

TEST_CASE("MaxPool and AvgPool and their gradients give TensorFlow's numbers") {
    int seen = 0;
    for (const bool maximum : {true, false}) {
        auto cases = test::op_cases(maximum ? "MaxPool" : "AvgPool");
        if (maximum) for (auto& c : test::kernel_cases("MaxPool")) cases.push_back(c);
        for (const auto& c : cases) {
            if (!c.contains("outputs")) continue;
            INFO("case ", c.at("name").get<std::string>());
            const auto x = test::tensor_from(c.at("inputs")[0]);
            const auto s = shape_of(c.at("node"), x.dims());
            const auto y = like_output(s);
            if (maximum) pool::max(s, x.data<float>(), y.data<float>());
            else pool::average(s, x.data<float>(), y.data<float>());
            CHECK(test::difference_in(c, y, c.at("outputs")[0]) == "");
            ++seen;
            if (!c.contains("grads")) continue;
            const auto g = test::tensor_from(c.at("upstream")[0]);
            const Tensor d(DType::float32, x.dims());
            if (maximum) pool::max_grad(s, x.data<float>(), g.data<float>(), d.data<float>());
            else pool::average_grad(s, g.data<float>(), d.data<float>());
            CHECK(test::difference_in(c, d, c.at("grads")[0]) == "");
        }
    }
    CHECK(seen > 20);
}

TEST_CASE("the gradient of a maximum goes where TensorFlow sends it, in ties and among NaN and infinities too") {
    auto cases = test::op_cases("MaxPoolGrad");
    for (auto& c : test::kernel_cases("MaxPoolGrad")) cases.push_back(c);
    for (const auto& c : cases) {
        INFO("case ", c.at("name").get<std::string>());
        const auto x = test::tensor_from(c.at("inputs")[0]), g = test::tensor_from(c.at("inputs")[2]);
        const Tensor d(DType::float32, x.dims());
        pool::max_grad(shape_of(c.at("node"), x.dims()), x.data<float>(), g.data<float>(), d.data<float>());
        CHECK(test::difference_in(c, d, c.at("outputs")[0]) == "");
    }
    for (const auto& c : test::kernel_cases("MaxPoolGradGrad")) {
        INFO("case ", c.at("name").get<std::string>());
        const auto x = test::tensor_from(c.at("inputs")[0]), gg = test::tensor_from(c.at("inputs")[2]);
        const auto s = shape_of(c.at("node"), x.dims());
        const auto y = like_output(s);
        pool::max_grad_grad(s, x.data<float>(), gg.data<float>(), y.data<float>());
        CHECK(test::difference_in(c, y, c.at("outputs")[0]) == "");
    }
}

TEST_CASE("the place of a maximum is MaxPoolWithArgmax's") {
    for (const auto* source : {"golden/ops", "kernels"})
        for (const auto& c : test::cases_in(std::string(TENON_TEST_DATA) + "/" + source + "/MaxPoolWithArgmax.json")) {
            const auto x = test::tensor_from(c.at("inputs")[0]), want = test::tensor_from(c.at("outputs")[1]);
            const auto s = shape_of(c.at("node"), x.dims());
            const auto image = s.h.input * s.w.input * s.channels;
            pool::for_each_maximum(s, x.data<float>(), [&](std::int64_t o, std::int64_t i) { CHECK(i % image == want.data<std::int64_t>()[o]); });
        }
}

TEST_CASE("AvgPoolGrad by itself gives TensorFlow's numbers") {
    for (const auto& c : test::op_cases("AvgPoolGrad")) {
        const auto sizes = test::tensor_from(c.at("inputs")[0]), g = test::tensor_from(c.at("inputs")[1]);
        Dims dims;
        for (const auto e : sizes.span<std::int32_t>()) dims.push(e);
        const Tensor d(DType::float32, dims);
        pool::average_grad(shape_of(c.at("node"), dims), g.data<float>(), d.data<float>());
        CHECK(test::difference_in(c, d, c.at("outputs")[0]) == "");
    }
}
