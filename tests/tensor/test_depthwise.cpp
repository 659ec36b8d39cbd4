#include "../support/draw.hpp"
#include "../support/machines.hpp"

#include <doctest/doctest.h>
#include <tenon/tensor/depthwise.hpp>

using namespace tenon;
using test::distance, test::Draw;

namespace {

template <class T> void compare_with_loops(Draw& draw, const conv::Shape& s) {
    const auto input = draw.numbers<T>(s.input_size()), filter = draw.numbers<T>(s.filter_size()), upstream = draw.numbers<T>(s.output_size());
    std::vector<double> want(upstream.size()), want_i(input.size()), want_f(filter.size());
    const std::int64_t multiplier = s.channels ? s.filters / s.channels : 0;
    for (std::int64_t n = 0; n < s.batch; ++n)
        for (std::int64_t oy = 0; oy < s.h.output; ++oy)
            for (std::int64_t ox = 0; ox < s.w.output; ++ox)
                for (std::int64_t ky = 0; ky < s.h.window.size; ++ky)
                    for (std::int64_t kx = 0; kx < s.w.window.size; ++kx)
                        for (std::int64_t c = 0; c < s.filters; ++c) {
                            const auto y = s.h.at(oy, ky), x = s.w.at(ox, kx);
                            if (y < 0 || y >= s.h.input || x < 0 || x >= s.w.input) continue;
                            const auto i = static_cast<std::size_t>(((n * s.h.input + y) * s.w.input + x) * s.channels + c / multiplier);
                            const auto f = static_cast<std::size_t>((ky * s.w.window.size + kx) * s.filters + c), o = static_cast<std::size_t>(((n * s.h.output + oy) * s.w.output + ox) * s.filters + c);
                            want[o] += double(input[i]) * double(filter[f]);
                            want_i[i] += double(upstream[o]) * double(filter[f]);
                            want_f[f] += double(upstream[o]) * double(input[i]);
                        }
    INFO("batch ", s.batch, " input ", s.h.input, "x", s.w.input, "x", s.channels, " filter ", s.h.window.size, "x", s.w.window.size, "x", multiplier, " strides ", s.h.window.stride, "x", s.w.window.stride,
         " dilations ", s.h.window.dilation, "x", s.w.window.dilation);
    const double tolerance = std::numeric_limits<T>::epsilon() * static_cast<double>(32 + s.h.window.size * s.w.window.size * multiplier + s.positions() / 8);
    for (const Machine on : test::machines()) {
        INFO("machine ", static_cast<int>(on));
        std::vector<T> output(upstream.size(), T(7)), d_input(input.size(), T(7)), d_filter(filter.size(), T(7));
        depthwise::forward(s, input.data(), filter.data(), output.data(), on);
        depthwise::backprop_input(s, filter.data(), upstream.data(), d_input.data(), on);
        depthwise::backprop_filter(s, input.data(), upstream.data(), d_filter.data(), on);
        CHECK(distance(output, want) <= tolerance);
        CHECK(distance(d_input, want_i) <= tolerance);
        CHECK(distance(d_filter, want_f) <= tolerance);
    }
}

conv::Shape shape(std::int64_t batch, Axis h, Axis w, std::int64_t channels, std::int64_t multiplier = 1) { return {batch, h, w, channels, channels * multiplier, std::max<std::int64_t>(channels, 1)}; }

}  // namespace

TEST_CASE_TEMPLATE("a depthwise convolution of any shape, and its gradients, are the sums of their terms", T, float, double) {
    Draw draw(13);
    for (int i = 0; i < 400; ++i) {
        const auto padding = static_cast<Padding>(draw.below(3));
        const auto axis = [&](std::int64_t most) { return place(padding, draw.below(most), {draw.between(1, 5), draw.between(1, 4), draw.between(1, 4), draw.below(5), draw.below(5)}); };
        const auto h = axis(9), w = axis(30);
        compare_with_loops<T>(draw, shape(draw.below(3), h, w, draw.below(i % 2 ? 6 : 40), i % 5 ? 1 : draw.between(0, 3)));
    }
}

TEST_CASE("positions on padding alone are 0, and so are gradients of what no window sees") {
    Draw draw(14);
    compare_with_loops<float>(draw, shape(1, place(Padding::explicit_, 3, {.size = 2, .before = 5, .after = 4}), place(Padding::same, 20, {.size = 3}), 16));
    compare_with_loops<float>(draw, shape(2, place(Padding::explicit_, 0, {.size = 2, .before = 5, .after = 4}), place(Padding::same, 20, {.size = 3}), 16));
    compare_with_loops<float>(draw, shape(1, place(Padding::valid, 11, {.size = 2, .stride = 4}), place(Padding::valid, 23, {.size = 1, .stride = 3}), 33));
    compare_with_loops<double>(draw, shape(1, place(Padding::valid, 17, {.size = 3, .stride = 2, .dilation = 6}), place(Padding::same, 23, {.size = 4, .stride = 6, .dilation = 4}), 9));
}
