// Resized images against plain loops.
#include "../support/draw.hpp"

#include <doctest/doctest.h>
#include <tenon/tensor/resize.hpp>

using namespace tenon;
using test::Draw;

namespace {

resize::Shape drawn_shape(Draw& draw) {
    const std::int64_t kind = draw.below(3);
    const auto scale = [&](std::int64_t most) { return resize::Scale{draw.between(1, most), draw.between(1, most), kind == 1, kind == 2}; };
    return {draw.below(4), scale(12), scale(17), draw.below(7)};
}
/// Where pixel i of the result lies on the source.
double place(const resize::Scale& s, std::int64_t i) {
    const auto from = static_cast<double>(s.from), to = static_cast<double>(s.to), at = static_cast<double>(i);
    if (s.align_corners && s.to > 1) return at * (from - 1) / (to - 1);
    return s.half_pixel_centers ? (at + 0.5) * from / to - 0.5 : at * from / to;
}
/// How much of source pixel k is in a pixel of the result that lies at `at`; beyond the edge lies the edge.
double share(const resize::Scale& s, double at, std::int64_t k) {
    const double inside = std::clamp(at, 0.0, static_cast<double>(s.from - 1));
    return std::max(0.0, 1 - std::abs(inside - static_cast<double>(k)));
}
/// visit(offset of a pixel in the result, of one in the source, how much of that is in it)
void for_each_share(const resize::Shape& s, auto visit) {
    for (std::int64_t n = 0; n < s.batch; ++n)
        for (std::int64_t y = 0; y < s.h.to; ++y)
            for (std::int64_t x = 0; x < s.w.to; ++x)
                for (std::int64_t i = 0; i < s.h.from; ++i)
                    for (std::int64_t j = 0; j < s.w.from; ++j)
                        visit(static_cast<std::size_t>(((n * s.h.to + y) * s.w.to + x) * s.channels), static_cast<std::size_t>(((n * s.h.from + i) * s.w.from + j) * s.channels), share(s.h, place(s.h, y), i) * share(s.w, place(s.w, x), j));
}
std::int64_t result_size(const resize::Shape& s) { return s.batch * s.h.to * s.w.to * s.channels; }

}  // namespace

TEST_CASE_TEMPLATE("bilinear resizing and its gradient are plain loops over random shapes, corners aligned, centres halved, or neither", T, float, double) {
    Draw draw(31);
    for (int k = 0; k < 400; ++k) {
        const auto s = drawn_shape(draw);
        const auto source = draw.numbers<T>(s.source_size());
        const auto g = draw.numbers<float>(result_size(s));
        std::vector<float> result(g.size());
        std::vector<T> gradient(source.size(), T(9));
        resize::bilinear(s, source.data(), result.data());
        resize::bilinear_grad(s, g.data(), gradient.data());
        std::vector<double> want(result.size()), want_gradient(source.size());
        for_each_share(s, [&](std::size_t to, std::size_t from, double of_it) {
            for (std::size_t c = 0; c < static_cast<std::size_t>(s.channels); ++c) {
                want[to + c] += of_it * static_cast<double>(source[from + c]);
                want_gradient[from + c] += of_it * static_cast<double>(g[to + c]);
            }
        });
        INFO("images ", s.batch, " of ", s.h.from, " x ", s.w.from, " to ", s.h.to, " x ", s.w.to, ", ", s.channels, " channels, ", s.h.align_corners, s.h.half_pixel_centers);
        REQUIRE(test::distance(result, want) < 1e-5);
        REQUIRE(test::distance(gradient, want_gradient) < 3e-4);  // up to 200 sums of places that are floats
    }
}

TEST_CASE("the nearest pixel is the one below, or with aligned corners the nearer, for every pixel of random shapes") {
    Draw draw(32);
    for (int k = 0; k < 400; ++k) {
        const auto s = drawn_shape(draw);
        const auto fits = [](const resize::Scale& a, std::int64_t i, std::int64_t got) {
            const double at = a.half_pixel_centers ? place(a, i) + 0.5 : place(a, i), from = a.align_corners ? 0.5 : 0;
            const auto low = static_cast<std::int64_t>(std::floor(at + from - 1e-5)), high = static_cast<std::int64_t>(std::floor(at + from + 1e-5));  // where it is between two, a rounding decides
            return got == std::clamp<std::int64_t>(low, 0, a.from - 1) || got == std::clamp<std::int64_t>(high, 0, a.from - 1);
        };
        std::int64_t seen = 0, wrong = 0;
        resize::for_each_nearest(s, [&](std::int64_t to, std::int64_t from) {
            const std::int64_t pixel = seen++, x = pixel % s.w.to, y = pixel / s.w.to % s.h.to, n = pixel / (s.w.to * s.h.to);
            wrong += to != pixel * s.channels;
            if (s.channels == 0) return;
            from /= s.channels;
            wrong += from / (s.w.from * s.h.from) != n || !fits(s.h, y, from / s.w.from % s.h.from) || !fits(s.w, x, from % s.w.from);
        });
        INFO("images ", s.batch, " of ", s.h.from, " x ", s.w.from, " to ", s.h.to, " x ", s.w.to, ", ", s.channels, " channels, ", s.h.align_corners, s.h.half_pixel_centers);
        REQUIRE(seen == s.batch * s.h.to * s.w.to);
        REQUIRE(wrong == 0);
    }
}
