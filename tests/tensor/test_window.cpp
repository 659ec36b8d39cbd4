#include "../support/draw.hpp"

#include <doctest/doctest.h>
#include <tenon/tensor/window.hpp>

using namespace tenon;

static_assert(place(Padding::valid, 5, {.size = 3}).output == 3);
static_assert(place(Padding::same, 5, {.size = 3}) == Axis{5, {.size = 3, .before = 1, .after = 1}, 5});
static_assert(place(Padding::same, 6, {.size = 3, .stride = 2}) == Axis{6, {.size = 3, .stride = 2, .before = 0, .after = 1}, 3}, "the odd element is behind");
static_assert(place(Padding::same, 224, {.size = 7, .stride = 2}) == Axis{224, {.size = 7, .stride = 2, .before = 2, .after = 3}, 112});
static_assert(place(Padding::same, 5, {.size = 1, .stride = 3}) == Axis{5, {.size = 1, .stride = 3}, 2});
static_assert(place(Padding::explicit_, 5, {.size = 3, .stride = 2, .before = 1, .after = 2}).output == 3);
static_assert(place(Padding::valid, 7, {.size = 3, .dilation = 2}).output == 3);
static_assert(place(Padding::valid, 2, {.size = 3}).output == 0 && !fits(Padding::valid, 2, {.size = 3}));
static_assert(place(Padding::same, 0, {.size = 3}).output == 0 && fits(Padding::same, 0, {.size = 3}));
static_assert(fits(Padding::explicit_, 2, {.size = 3, .after = 1}));

TEST_CASE("the taps of a position are those that lie on the input, and the positions of a tap likewise") {
    test::Draw draw(4);
    for (int i = 0; i < 2000; ++i) {
        const auto padding = static_cast<Padding>(draw.below(3));
        const auto axis = place(padding, draw.below(12), {draw.between(1, 5), draw.between(1, 4), draw.between(1, 3), draw.below(6), draw.below(6)});
        for (std::int64_t o = 0; o < axis.output; ++o)
            for (std::int64_t t = 0; t < axis.window.size; ++t) {
                const bool inside = axis.at(o, t) >= 0 && axis.at(o, t) < axis.input;
                REQUIRE(inside == (t >= axis.first(o) && t < axis.last(o)));
                REQUIRE(inside == (o >= axis.positions(t).first && o < axis.positions(t).last));
            }
        for (std::int64_t t = 0; t < axis.window.size; ++t) {
            const auto [first, last] = axis.positions(t);
            REQUIRE((0 <= first && first <= last && last <= axis.output));
        }
    }
}

TEST_CASE("every position lies within the padded input, and one more would not") {
    test::Draw draw(5);
    for (int i = 0; i < 2000; ++i) {
        const auto padding = static_cast<Padding>(draw.below(3));
        const Window w{draw.between(1, 5), draw.between(1, 4), draw.between(1, 3), draw.below(4), draw.below(4)};
        const auto axis = place(padding, draw.between(1, 12), w);
        REQUIRE((axis.output > 0) == fits(padding, axis.input, w));
        if (!axis.output) continue;
        const auto end = [&](std::int64_t o) { return o * axis.window.stride + axis.window.extent(); };
        const std::int64_t padded = axis.input + axis.window.before + axis.window.after;
        REQUIRE(end(axis.output - 1) <= padded);
        if (padding != Padding::same) REQUIRE(end(axis.output) > padded);
        else REQUIRE(axis.output == (axis.input + w.stride - 1) / w.stride);
    }
}
