// Long because every way in which a convolution is made, in all three directions and on every machine, is held to the same loops.
#include "../support/draw.hpp"
#include "../support/epilogue.hpp"
#include "../support/machines.hpp"
#include "../support/op_case.hpp"

#include <doctest/doctest.h>
#include <tenon/tensor/conv.hpp>

using namespace tenon;
using test::distance, test::Draw;

namespace {

/// visit(index into the input, the filter, the output) for every product that the convolution sums.
template <class Visit> void for_each_term(const conv::Shape& s, Visit visit) {
    for (std::int64_t n = 0; n < s.batch; ++n)
        for (std::int64_t oy = 0; oy < s.h.output; ++oy)
            for (std::int64_t ox = 0; ox < s.w.output; ++ox)
                for (std::int64_t f = 0; f < s.filters; ++f)
                    for (std::int64_t ky = 0; ky < s.h.window.size; ++ky)
                        for (std::int64_t kx = 0; kx < s.w.window.size; ++kx)
                            for (std::int64_t c = 0; c < s.group_channels(); ++c) {
                                const auto y = s.h.at(oy, ky), x = s.w.at(ox, kx);
                                if (y < 0 || y >= s.h.input || x < 0 || x >= s.w.input) continue;
                                const auto channel = f / s.group_filters() * s.group_channels() + c;
                                visit(static_cast<std::size_t>(((n * s.h.input + y) * s.w.input + x) * s.channels + channel),
                                      static_cast<std::size_t>(((ky * s.w.window.size + kx) * s.group_channels() + c) * s.filters + f),
                                      static_cast<std::size_t>(((n * s.h.output + oy) * s.w.output + ox) * s.filters + f));
                            }
}

/// Image by image, and the filter's gradient by shares: the same to the last bit.
template <class T> using Numbers = std::vector<T>;
template <class T>
void compare_with_shares(const conv::Shape& s, Machine on, const Numbers<T>& input, const Numbers<T>& filter, const Numbers<T>& upstream, const Numbers<T>& output, const Numbers<T>& d_input, const Numbers<T>& d_filter) {
    if (conv::images_are_apart(s)) {
        conv::Shape one = s;
        one.batch = 1;
        Numbers<T> y(output.size()), dx(d_input.size());
        Buffer workspace(std::max(conv::forward_workspace_bytes<T>(one, on), conv::backprop_input_workspace_bytes<T>(one, on)));
        for (std::int64_t b = 0; b < s.batch; ++b) {
            conv::forward(one, input.data() + b * one.input_size(), filter.data(), y.data() + b * one.output_size(), workspace.data(), on);
            conv::backprop_input(one, filter.data(), upstream.data() + b * one.output_size(), dx.data() + b * one.input_size(), workspace.data(), on);
        }
        CHECK(y == output);
        CHECK(dx == d_input);
    }
    for (const int most : {2, 3, 5}) {
        const int shares = conv::backprop_filter_shares<T>(s, most, on);
        Numbers<T> df(d_filter.size(), T(7));
        Buffer workspace(conv::backprop_filter_workspace_bytes<T>(s, on));
        for (int i = 0; i < shares; ++i) conv::backprop_filter(s, input.data(), upstream.data(), df.data(), workspace.data(), on, {i, shares});
        CHECK(conv::backprop_filter_shares<T>(s, shares, on) == shares);
        CHECK(df == d_filter);
    }
}

template <class T> void compare_with_loops(Draw& draw, const conv::Shape& s) {
    const auto input = draw.numbers<T>(s.input_size()), filter = draw.numbers<T>(s.filter_size()), upstream = draw.numbers<T>(s.output_size());
    std::vector<T> output(upstream.size(), T(7)), d_input(input.size(), T(7)), d_filter(filter.size(), T(7));
    std::vector<double> want(output.size()), want_i(input.size()), want_f(filter.size());
    for_each_term(s, [&](std::size_t i, std::size_t f, std::size_t o) {
        want[o] += double(input[i]) * double(filter[f]);
        want_i[i] += double(upstream[o]) * double(filter[f]);
        want_f[f] += double(upstream[o]) * double(input[i]);
    });
    INFO("batch ", s.batch, " input ", s.h.input, "x", s.w.input, "x", s.channels, " filter ", s.h.window.size, "x", s.w.window.size, "x", s.filters, " groups ", s.groups, " stride ",
         s.h.window.stride, " dilation ", s.h.window.dilation);
    const double tolerance = std::numeric_limits<T>::epsilon() * static_cast<double>(32 + s.patch() / 8 + s.positions() / 8);
    const test::DrawnEpilogue<T> end(draw, s.output_size(), s.filters);
    std::vector<double> want_end(output.size());
    for (std::size_t o = 0; o < want.size(); ++o) want_end[o] = end(want[o], o, o % static_cast<std::size_t>(s.filters));
    const bool in_place = draw.coin();
    for (const Machine on : test::machines()) {
        Buffer workspace(conv::forward_workspace_bytes<T>(s, on)), workspace_i(conv::backprop_input_workspace_bytes<T>(s, on)), workspace_f(conv::backprop_filter_workspace_bytes<T>(s, on));
        conv::forward(s, input.data(), filter.data(), output.data(), workspace.data(), on);
        conv::backprop_input(s, filter.data(), upstream.data(), d_input.data(), workspace_i.data(), on);
        conv::backprop_filter(s, input.data(), upstream.data(), d_filter.data(), workspace_f.data(), on);
        INFO("machine ", static_cast<int>(on));
        CHECK(distance(output, want) <= tolerance);
        compare_with_shares(s, on, input, filter, upstream, output, d_input, d_filter);
        std::vector<T> with_bias(output.size());
        conv::forward(s, input.data(), filter.data(), with_bias.data(), workspace.data(), on, {nullptr, end.offset.data(), nullptr, true});
        for (std::size_t o = 0; o < output.size(); ++o) output[o] = std::max(output[o] + end.offset[o % end.offset.size()], T(0));
        CHECK(with_bias == output);  // to the last bit: a bias is added to the whole sum
        const auto epilogue = end.of(output, in_place);
        conv::forward(s, input.data(), filter.data(), output.data(), workspace.data(), on, epilogue);
        CHECK(distance(output, want_end) <= tolerance);
        CHECK(distance(d_input, want_i) <= tolerance);
        CHECK(distance(d_filter, want_f) <= tolerance);
    }
}

conv::Shape shape_of(const test::Json& node, const Dims& input, const Dims& filter) {
    const auto padding = test::text_attr(node, "padding");
    const auto strides = test::int_list(node, "strides"), dilations = test::int_list(node, "dilations");
    auto pads = test::int_list(node, "explicit_paddings");
    pads.resize(8);
    const auto p = padding == "SAME" ? Padding::same : padding == "VALID" ? Padding::valid : Padding::explicit_;
    return {input[0], place(p, input[1], {filter[0], strides[1], dilations[1], pads[2], pads[3]}), place(p, input[2], {filter[1], strides[2], dilations[2], pads[4], pads[5]}),
            input[3], filter[3], input[3] / filter[2]};
}
Dims dims_of(const Tensor& sizes) {
    Dims d;
    for (const auto e : sizes.span<std::int32_t>()) d.push(e);
    return d;
}
template <class T> Tensor forward(const conv::Shape& s, const Tensor& input, const Tensor& filter) {
    Tensor output(input.dtype(), {s.batch, s.h.output, s.w.output, s.filters});
    Buffer workspace(conv::forward_workspace_bytes<T>(s));
    conv::forward(s, input.data<T>(), filter.data<T>(), output.data<T>(), workspace.data());
    return output;
}
template <class T> Tensor backprop_input(const conv::Shape& s, const Tensor& filter, const Tensor& upstream) {
    Tensor input(filter.dtype(), {s.batch, s.h.input, s.w.input, s.channels});
    Buffer workspace(conv::backprop_input_workspace_bytes<T>(s));
    conv::backprop_input(s, filter.data<T>(), upstream.data<T>(), input.data<T>(), workspace.data());
    return input;
}
template <class T> Tensor backprop_filter(const conv::Shape& s, const Tensor& input, const Tensor& upstream) {
    Tensor filter(input.dtype(), {s.h.window.size, s.w.window.size, s.group_channels(), s.filters});
    Buffer workspace(conv::backprop_filter_workspace_bytes<T>(s));
    conv::backprop_filter(s, input.data<T>(), upstream.data<T>(), filter.data<T>(), workspace.data());
    return filter;
}
template <class T> void compare_with_tensorflow(const test::Json& c) {
    const auto input = test::tensor_from(c.at("inputs")[0]), filter = test::tensor_from(c.at("inputs")[1]);
    const auto s = shape_of(c.at("node"), input.dims(), filter.dims());
    CHECK(test::difference_in(c, forward<T>(s, input, filter), c.at("outputs")[0]) == "");
    if (!c.contains("grads")) return;
    const auto upstream = test::tensor_from(c.at("upstream")[0]);
    CHECK(test::difference_in(c, backprop_input<T>(s, filter, upstream), c.at("grads")[0]) == "");
    CHECK(test::difference_in(c, backprop_filter<T>(s, input, upstream), c.at("grads")[1]) == "");
}

}  // namespace

TEST_CASE_TEMPLATE("a convolution of any shape, and its gradients, are the sums of their terms", T, float, double) {
    Draw draw(6);
    for (int i = 0; i < 300; ++i) {
        const auto padding = static_cast<Padding>(draw.below(3));
        const auto axis = [&] { return place(padding, draw.below(9), {draw.between(1, 4), draw.between(1, 3), draw.between(1, 2), draw.below(3), draw.below(3)}); };
        conv::Shape s{draw.below(3), axis(), axis(), 0, 0, draw.between(1, 3)};
        s.channels = s.groups * draw.between(1, 4);
        s.filters = s.groups * draw.between(1, 4);
        compare_with_loops<T>(draw, s);
    }
}

TEST_CASE("wide images are read where they lie, band by band") {
    Draw draw(10);
    for (int i = 0; i < 60; ++i) {
        const auto padding = static_cast<Padding>(draw.below(3));
        const auto axis = [&](std::int64_t input, std::int64_t dilation) { return place(padding, input, {draw.between(1, 5), draw.between(1, 3), dilation, draw.below(6), draw.below(6)}); };
        const bool full = draw.coin();  // filters that fill registers
        compare_with_loops<float>(draw, {draw.between(1, 3), axis(draw.between(5, 12), draw.between(1, 2)), axis(draw.between(10, 60), 1), draw.between(1, full ? 20 : 5), full ? 16 * draw.between(1, 4) : draw.between(1, 70)});
    }
    compare_with_loops<float>(draw, {1, place(Padding::same, 40, {.size = 3}), place(Padding::same, 300, {.size = 3}), 10, 3});
    for (const Padding padding : {Padding::same, Padding::valid, Padding::explicit_}) {  // in all three directions, on every machine
        const conv::Shape s{2, place(padding, 9, {.size = 3, .dilation = 2, .before = 3, .after = 1}), place(padding, 28, {.size = 5, .before = 4, .after = 0}), 14, 32};
        for (const Machine on : test::machines()) {
            const auto& t = gemm::tiles_for<float>(on);
            CHECK(conv::detail::is_direct(s, t));
            CHECK(conv::detail::is_direct_to_input(s, t));
            CHECK(conv::detail::is_direct_to_filter(s, t));
        }
        compare_with_loops<float>(draw, s);
        compare_with_loops<double>(draw, s);
    }
}

TEST_CASE("rows of a tile pass over the taps where they see padding alone") {
    Draw draw(11);
    for (int i = 0; i < 1000; ++i) {
        const auto padding = static_cast<Padding>(draw.below(3));
        const auto axis = place(padding, draw.below(30), {draw.between(1, 6), draw.between(1, 3), 1, draw.below(6), draw.below(6)});
        const std::int64_t x = draw.below(20), height = draw.between(3, 14), channels = draw.between(8, 20);
        std::int64_t k[5] = {}, tap = 0;
        conv::detail::count_by_padding(axis, x, height, channels, 0, axis.window.size * channels, k);
        for (std::int64_t part = 0; part < 5; ++part) {
            REQUIRE(k[part] % channels == 0);
            for (const auto end = tap + k[part] / channels; tap < end; ++tap) {
                const auto sees = [&](std::int64_t row) { return x + row < axis.output && axis.at(x + row, tap) >= 0 && axis.at(x + row, tap) < axis.input; };
                for (std::int64_t row = 0; row < 2 - part; ++row) REQUIRE(!sees(row));
                for (std::int64_t row = height - part + 2; row < height; ++row) REQUIRE(!sees(row));
            }
        }
        REQUIRE(tap == axis.window.size);
    }
    const auto same = place(Padding::same, 14, {.size = 5});
    std::int64_t k[5] = {};
    conv::detail::count_by_padding(same, 0, 14, 32, 0, 160, k);
    CHECK((k[0] == 32 && k[1] == 32 && k[2] == 32 && k[3] == 32 && k[4] == 32));
    std::int64_t part[5] = {};
    conv::detail::count_by_padding(same, 0, 14, 32, 40, 70, part);
    CHECK((part[0] == 0 && part[1] == 24 && part[2] == 6 && part[3] == 0 && part[4] == 0));
}

TEST_CASE("narrow images fill half a tile, and large filters are packed piece by piece") {
    Draw draw(12);
    const auto axis = [](std::int64_t input, std::int64_t stride) { return place(Padding::same, input, {.size = 3, .stride = stride}); };
    for (const Machine on : test::machines()) {
        const auto& t = gemm::tiles_for<float>(on);
        CHECK(conv::detail::is_direct({1, axis(7, 1), axis(t.rows / 2, 1), 8, 16}, t));
        CHECK(conv::detail::is_direct({1, axis(7, 1), axis(t.rows + t.rows / 2, 1), 8, 16}, t));
        CHECK_FALSE(conv::detail::is_direct({1, axis(7, 1), axis(t.rows / 4 + 1, 1), 8, 16}, t));
    }
    for (const std::int64_t width : {3, 6, 7, 9, 14, 21}) {
        compare_with_loops<float>(draw, {2, axis(5, 1), axis(width, 1), 9, 33});
        compare_with_loops<double>(draw, {1, axis(4, 1), axis(width, 1), 8, 20});
        compare_with_loops<float>(draw, {1, axis(9, 2), axis(2 * width, 2), 8, 17});
    }
    compare_with_loops<float>(draw, {1, axis(4, 1), axis(7, 1), 700, 35});  // less than a row of the filter at a time
    compare_with_loops<float>(draw, {1, axis(4, 1), axis(7, 1), 35, 700});  // and of the filter turned around
    compare_with_loops<double>(draw, {1, axis(3, 1), axis(14, 1), 470, 18});
    compare_with_loops<float>(draw, {1, place(Padding::explicit_, 3, {.size = 3, .before = 5, .after = 4}), axis(7, 1), 700, 3});  // positions on padding alone
}

TEST_CASE("no channels, no filters and no positions give empty or zero results") {
    Draw draw(7);
    const auto axis = place(Padding::same, 4, {.size = 3});
    for (const auto& s : {conv::Shape{2, axis, axis, 0, 3}, conv::Shape{2, axis, axis, 3, 0}, conv::Shape{0, axis, axis, 2, 2}, conv::Shape{2, place(Padding::valid, 2, {.size = 3}), axis, 2, 2}})
        compare_with_loops<float>(draw, s);
    const auto padding_alone = place(Padding::explicit_, 0, {.size = 2, .before = 3, .after = 1});
    compare_with_loops<float>(draw, {1, padding_alone, place(Padding::same, 14, {.size = 5}), 4, 32});  // an image of no rows, of a shape that is read where it lies
    compare_with_loops<float>(draw, {1, axis, padding_alone, 4, 32});
    const auto pointwise = place(Padding::same, 4, {.size = 1});
    for (const auto& s : {conv::Shape{2, pointwise, pointwise, 0, 3}, conv::Shape{2, pointwise, pointwise, 3, 0}, conv::Shape{0, pointwise, pointwise, 2, 2}}) compare_with_loops<float>(draw, s);
}

TEST_CASE("positions beyond one block of patches follow on") {
    Draw draw(8);
    const auto axis = place(Padding::same, 13, {.size = 3});
    compare_with_loops<float>(draw, {2, axis, axis, 130, 5});
    compare_with_loops<float>(draw, {2, axis, axis, 260, 2, 2});
}

TEST_CASE("windows of one element and windows of the whole input copy nothing") {
    Draw draw(9);
    const auto one = place(Padding::same, 5, {.size = 1}), whole = place(Padding::valid, 5, {.size = 5});
    CHECK(conv::Shape{2, one, one, 3, 4}.is_its_own_patches());
    CHECK(conv::Shape{2, whole, whole, 3, 4}.is_its_own_patches());
    CHECK_FALSE(conv::Shape{2, place(Padding::same, 5, {.size = 1, .stride = 2}), one, 3, 4}.is_its_own_patches());
    CHECK_FALSE(conv::Shape{2, place(Padding::same, 5, {.size = 5}), whole, 3, 4}.is_its_own_patches());
    compare_with_loops<double>(draw, {2, one, one, 6, 4});
    compare_with_loops<double>(draw, {2, one, one, 6, 4, 2});
    compare_with_loops<double>(draw, {2, whole, whole, 3, 4});
    compare_with_loops<double>(draw, {2, whole, whole, 4, 4, 2});
}

TEST_CASE("workspace is bounded, however large the image") {
    const auto axis = place(Padding::same, 4000, {.size = 3});
    CHECK(conv::forward_workspace_bytes<float>({8, axis, axis, 64, 64}) < std::size_t{4} << 20);
}

TEST_CASE("Conv2D and its gradients give TensorFlow's numbers") {
    int seen = 0;
    for (const auto& c : test::op_cases("Conv2D")) {
        if (!c.contains("outputs")) continue;
        INFO("case ", c.at("name").get<std::string>());
        if (test::tensor_from(c.at("inputs")[0]).dtype() == DType::float64) compare_with_tensorflow<double>(c);
        else compare_with_tensorflow<float>(c);
        ++seen;
    }
    CHECK(seen > 10);
}

TEST_CASE("Conv2DBackpropInput and Conv2DBackpropFilter give TensorFlow's numbers") {
    for (const auto& c : test::op_cases("Conv2DBackpropInput")) {
        INFO("case ", c.at("name").get<std::string>());
        const auto filter = test::tensor_from(c.at("inputs")[1]), output = test::tensor_from(c.at("inputs")[2]);
        const auto s = shape_of(c.at("node"), dims_of(test::tensor_from(c.at("inputs")[0])), filter.dims());
        CHECK(test::difference_in(c, backprop_input<float>(s, filter, output), c.at("outputs")[0]) == "");
        const auto upstream = test::tensor_from(c.at("upstream")[0]);  // its gradients are the other two products
        CHECK(test::difference_in(c, backprop_filter<float>(s, upstream, output), c.at("grads")[1]) == "");
        CHECK(test::difference_in(c, forward<float>(s, upstream, filter), c.at("grads")[2]) == "");
    }
    for (const auto& c : test::op_cases("Conv2DBackpropFilter")) {
        INFO("case ", c.at("name").get<std::string>());
        const auto input = test::tensor_from(c.at("inputs")[0]), output = test::tensor_from(c.at("inputs")[2]);
        const auto s = shape_of(c.at("node"), input.dims(), dims_of(test::tensor_from(c.at("inputs")[1])));
        CHECK(test::difference_in(c, backprop_filter<float>(s, input, output), c.at("outputs")[0]) == "");
    }
}

TEST_CASE("an image among others becomes what it becomes alone, to the last bit, with large filters too") {
    Draw draw(13);
    const auto axis = [] { return place(Padding::same, 14, {.size = 3}); };
    for (const auto& [channels, filters] : {std::pair<std::int64_t, std::int64_t>{64, 256}, {256, 64}, {32, 32}}) {
        const conv::Shape both{2, axis(), axis(), channels, filters}, one{1, axis(), axis(), channels, filters};
        const auto input = draw.numbers<float>(both.input_size()), filter = draw.numbers<float>(both.filter_size()), upstream = draw.numbers<float>(both.output_size());
        REQUIRE(conv::images_are_apart(both));
        for (const Machine on : test::machines()) {
            std::vector<float> output(upstream.size()), single(upstream.size()), d_input(input.size()), d_single(input.size());
            Buffer w(conv::forward_workspace_bytes<float>(both, on)), w1(conv::forward_workspace_bytes<float>(one, on));
            Buffer v(conv::backprop_input_workspace_bytes<float>(both, on)), v1(conv::backprop_input_workspace_bytes<float>(one, on));
            conv::forward(both, input.data(), filter.data(), output.data(), w.data(), on);
            conv::backprop_input(both, filter.data(), upstream.data(), d_input.data(), v.data(), on);
            for (std::int64_t i = 0; i < 2; ++i) {
                conv::forward(one, input.data() + i * one.input_size(), filter.data(), single.data() + i * one.output_size(), w1.data(), on);
                conv::backprop_input(one, filter.data(), upstream.data() + i * one.output_size(), d_single.data() + i * one.input_size(), v1.data(), on);
            }
            INFO(channels, " channels, ", filters, " filters, machine ", static_cast<int>(on));
            CHECK((output == single));
            CHECK((d_input == d_single));
        }
    }
}
