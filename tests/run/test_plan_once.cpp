// Operations that a plan shares or folds, against every operation run alone, for which there is nothing to share or to fold.
#include "../support/draw.hpp"
#include <tenon/grad/check_gradient.hpp>
#include <tenon/ops/ops.hpp>
#include <tenon/run/variable.hpp>

#include <doctest/doctest.h>

using namespace tenon;

namespace {

Tensor numbers(const Dims& d, unsigned seed) { return tenon::detail::random_upstream<float>(d, seed); }
Output constant_of(Tensor t) { return make_const<float>(std::move(t)); }
Output axes(std::initializer_list<std::int32_t> list) { return make_const<std::int32_t>(Tensor::of<std::int32_t>({static_cast<std::int64_t>(list.size())}, list)); }
Output tanh_of(const Output& x) { return make<float>(Tanh{}, {x}); }
Output times(const Output& x, const Output& y) { return make<float>(Mul{}, {x, y}); }
Output leaky(float alpha, const Output& x) {
    LeakyRelu op;
    op.alpha = alpha;
    return make<float>(op, {x});
}
Output sum_over(const Output& x, std::initializer_list<std::int32_t> list) { return make<float>(Sum{}, {x, axes(list)}); }
bool same_bits(const Tensor& a, const Tensor& b) { return a.dims() == b.dims() && a.dtype() == b.dtype() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0; }
/// Up to the rounding of products, which others take part in where another operation reads them alone.
bool near(const Tensor& a, const Tensor& b) {
    for (std::int64_t i = 0; i < b.size(); ++i)
        if (const float x = a.data<float>()[i], y = b.data<float>()[i]; !(std::abs(x - y) <= 1e-3f * (1 + std::abs(y))) && !(std::isnan(x) && std::isnan(y)) && x != y) return false;
    return a.dims() == b.dims();
}
std::size_t kernels(Session& s, const std::vector<Output>& fetches, const std::vector<Feed>& feeds = {}) { return s.make_callable(fetches, feeds).plan().kernels(); }

/// Forty by forty everywhere, so that any operation can follow any other; too large to be known with the graph.
constexpr Dims square_dims{40, 40};
Output any_operation(test::Draw& draw, const std::vector<Output>& from) {
    const auto one = [&] { return from[static_cast<std::size_t>(draw.below(static_cast<std::int64_t>(from.size())))]; };
    const auto two = [&] {
        const Output a = one();
        return std::vector<Output>{a, one()};
    };
    switch (draw.below(9)) {
        case 0: return make<float>(Add{}, two());
        case 1: return make<float>(MatMul{draw.coin(), draw.coin()}, two());
        case 2: return leaky(draw.coin() ? 0.25f : 0.5f, one());
        case 3: return make<float>(Transpose{}, {one(), axes({1, 0})});
        case 4: return make<float>(Identity{}, {one()});
        case 5: return make<float>(Reshape{}, {one(), axes({40, 40})});
        case 6: return make<float>(BroadcastTo{}, {sum_over(tanh_of(one()), {0}), axes({40, 40})});
        case 7: return make<float>(Tile{}, {make<float>(Reshape{}, {sum_over(tanh_of(one()), {1}), axes({1, 40})}), axes({40, 1})});
        default: return tanh_of(one());
    }
}

}  // namespace

TEST_CASE("graphs of random operations over feeds, constants and variables give the bits that every operation gives alone") {
    for (int seed = 1; seed <= 60; ++seed) {
        INFO(seed);
        test::Draw draw(seed);
        Placeholder<float, Shape<40, 40>> x{"x"};
        Variable<float, Shape<40, 40>> w{"w", random_normal({.seed = 1})};
        std::vector<Output> all{x, w, constant_of(numbers(square_dims, 2)), constant_of(numbers(square_dims, 2)), constant_of(numbers(square_dims, 3))};
        const std::size_t sources = all.size();
        for (int i = 0; i < 40; ++i) {
            all.push_back(any_operation(draw, {all.begin() + (i < 30 ? 0 : 10), all.end()}));
        }
        const Feed fed{x, numbers(square_dims, 1)};
        Session s;
        const auto together = s.run_all(all, {fed});
        for (int i = 0; i < 20; ++i) {  // what only folded operations read is not kept
            const auto a = static_cast<std::size_t>(draw.below(static_cast<std::int64_t>(all.size()))), b = static_cast<std::size_t>(draw.below(static_cast<std::int64_t>(all.size())));
            const auto two = s.run_all({all[a], all[b]}, {fed});
            CHECK(near(two[0], together[a]));
            CHECK(near(two[1], together[b]));
        }
        std::vector<Feed> given{fed};
        for (std::size_t i = 1; i < all.size(); ++i) {
            if (i >= sources) CHECK(same_bits(s.run_all({all[i]}, given)[0], together[i]));
            given.push_back({all[i], together[i]});
        }
        std::vector<Feed> some{fed};  // tensors in between that are fed cut the graph there, whatever they are equal to
        for (std::size_t i = sources; i < all.size(); i += 3) some.push_back({all[i], numbers(square_dims, static_cast<unsigned>(i))});
        const auto cut = s.run_all(all, some);
        given = {fed};
        for (std::size_t i = 1; i < all.size(); ++i) {
            const auto is = [&](const Feed& f) { return f.of == all[i]; };
            const auto f = std::find_if(some.begin(), some.end(), is);
            if (f != some.end()) CHECK(same_bits(cut[i], f->value));
            else if (i >= sources) CHECK(same_bits(s.run_all({all[i]}, given)[0], cut[i]));
            given.push_back({all[i], cut[i]});
        }
    }
}

TEST_CASE("of equal operations one runs, of equal chains each operation once") {
    Placeholder<float, Shape<dyn, 4>> x{"x"};
    const auto chain = [&] { return sum_over(times(tanh_of(x), tanh_of(make<float>(Identity{}, {x}))), {0}); };
    const Output a = chain(), b = chain();
    Session s;
    const Feed feed{x, numbers({5, 4}, 1)};
    CHECK(kernels(s, {a, b}, {feed}) == kernels(s, {a}, {feed}));
    CHECK(kernels(s, {tanh_of(x), tanh_of(x), tanh_of(x)}, {feed}) == 1);
    const auto values = s.run_all({a, b}, {feed});
    CHECK(same_bits(values[0], values[1]));
}

TEST_CASE("operations that differ in an attribute, an input, an output or the elements of a constant are not equal") {
    Placeholder<float, Shape<4, 4>> x{"x"}, y{"y"};
    Session s;
    const std::vector<Feed> feeds{{x, numbers({4, 4}, 1)}, {y, numbers({4, 4}, 2)}};
    CHECK(kernels(s, {leaky(0.1f, x), leaky(0.2f, x), leaky(0.1f, x)}, feeds) == 2);
    CHECK(kernels(s, {make<float>(MatMul{}, {Output(x), Output(y)}), make<float>(MatMul{}, {Output(y), Output(x)}), make<float>(MatMul{false, true}, {Output(x), Output(y)})}, feeds) == 3);
    CHECK(kernels(s, {sum_over(x, {0}), sum_over(x, {1}), sum_over(x, {0})}, feeds) == 2);
    const Output parts = make<float>(Unpack{4, 0}, {Output(x)});
    CHECK(kernels(s, {tanh_of({parts.operation, 0}), tanh_of({parts.operation, 1}), tanh_of({parts.operation, 0})}, feeds) == 3);
    CHECK(kernels(s, {times(x, constant_of(Tensor::scalar(2.0f))), times(x, constant_of(Tensor::scalar(3.0f))), times(x, constant_of(Tensor::scalar(2.0f)))}, feeds) == 2);
    CHECK(kernels(s, {times(x, constant_of(Tensor::scalar(0.0f))), times(x, constant_of(Tensor::scalar(-0.0f)))}, feeds) == 2);
}

TEST_CASE("random numbers are drawn for each operation that draws them") {
    const auto draw = [] {
        RandomUniform op;
        op.seed = 1;
        return make<float>(op, {axes({2000})});
    };
    const Output a = draw(), b = draw();
    Session s;
    CHECK(kernels(s, {a, b}) == 2);
    CHECK(kernels(s, {tanh_of(a), tanh_of(b), tanh_of(a)}) == 4);
}

TEST_CASE("what waits for another operation runs for itself, and what waits for one that is shared waits") {
    const Variable<float, Shape<3>> variable{"v", constant(2.0f)};
    const Output v = variable_of(variable);
    const auto by = [](float factor) { return constant_of(Tensor::scalar(factor)); };
    const Output before = times(v, by(10)), again = times(v, by(10)), after = times(v, by(10));
    const Output assign = make<float>(Assign{}, {v, constant_of(Tensor::of<float>({3}, {5, 5, 5}))});
    assign.operation->controls = {again.operation};
    after.operation->controls = {assign.operation};
    Session s;
    const auto values = s.run_all({before, again, after});
    CHECK(values[0].item<float>() == 20);
    CHECK(values[1].item<float>() == 20);
    CHECK(values[2].item<float>() == 50);
    CHECK(kernels(s, {before, again, after}) == 3);
}

TEST_CASE("two reads of a variable are one, also where one has to outlive an update of it") {
    const Variable<float, Shape<3>> variable{"v", constant(2.0f)};
    const Output v = variable_of(variable);
    const auto read = [&] { return make<float>(Identity{}, {v}); };
    const Output early = tanh_of(read()), late = times(read(), read());
    const Output assign = make<float>(AssignAdd{}, {v, constant_of(Tensor::of<float>({3}, {1, 1, 1}))});
    late.operation->controls = {assign.operation};
    Session s;
    const auto values = s.run_all({early, late, assign});
    CHECK(values[0].item<float>() == std::tanh(2.0f));
    CHECK(values[1].item<float>() == 4);
    CHECK(variable.value().item<float>() == 3);
}

TEST_CASE("what follows from constants alone is no kernel, however large, and is the kernel's own result") {
    const Tensor a = numbers({64, 48}, 1), b = numbers({48, 32}, 2);
    const Output product = make<float>(MatMul{}, {constant_of(a), constant_of(b)}), turned = make<float>(Transpose{}, {product, axes({1, 0})});
    const Output flat = make<float>(Reshape{}, {make<float>(Identity{}, {turned}), axes({1024 * 2})});
    Placeholder<float, Shape<dyn>> x{"x"};
    const Output y = times(x, flat);
    Session s;
    CHECK(kernels(s, {flat}) == 0);
    CHECK(kernels(s, {y}, {Feed{x, numbers({2048}, 3)}}) == 1);
    Placeholder<float, Shape<64, 48>> fed_a{"a"};
    Placeholder<float, Shape<48, 32>> fed_b{"b"};
    const Output by_run = make<float>(Transpose{}, {make<float>(MatMul{}, {Output(fed_a), Output(fed_b)}), axes({1, 0})});
    CHECK(same_bits(s.run_all({turned})[0], s.run_all({by_run}, {{fed_a, a}, {fed_b, b}})[0]));
}

TEST_CASE("a constant that is fed is not folded, nor is what follows from it") {
    const Output c = constant_of(numbers({2000}, 1)), y = tanh_of(c), twin = tanh_of(constant_of(numbers({2000}, 1)));
    Session s;
    const auto was = s.run_all({y, twin});
    CHECK(same_bits(was[0], was[1]));
    const Tensor other = numbers({2000}, 2);
    const auto is = s.run_all({y, twin}, {{c, other}});
    CHECK(same_bits(is[1], was[1]));
    CHECK(is[0].data<float>()[7] == doctest::Approx(std::tanh(other.data<float>()[7])));
    CHECK(same_bits(s.run_all({tanh_of(y), y}, {{y, other}})[1], other));
}

TEST_CASE("what a plan keeps of folding takes 4 MiB more than its constants, and the rest is computed by each run") {
    const auto outer = [](std::int64_t n) { return tanh_of(times(constant_of(numbers({1024, 1}, 1)), constant_of(numbers({n}, 2)))); };
    for (int plan = 0; plan < 3; ++plan) {  // each for itself
        Session s;
        CHECK(kernels(s, {outer(1020)}) == 0);
        CHECK(kernels(s, {outer(1030)}) > 0);
        std::vector<Output> many;
        for (std::int64_t i = 0; i < 20; ++i) many.push_back(outer(100 + i));  // 400 KiB each
        const auto left = kernels(s, many);
        CHECK(left > 10);
        CHECK(left < 30);
    }
}

TEST_CASE("what only folded operations read takes none of a plan's room, for plans of any batch") {
    const Tensor w = numbers({1024, 2048}, 1);  // 8 MiB
    Placeholder<float, Shape<dyn, 1024>> x{"x"};
    const Output c = constant_of(w);
    Output deep = c;
    for (int i = 0; i < 8; ++i) deep = make<float>(Reshape{}, {make<float>(Add{}, {tanh_of(deep), deep}), axes({1024, 2048})});
    const Output y = make<float>(MatMul{}, {Output(x), deep});
    Placeholder<float, Shape<1024, 2048>> fed{"w"};
    Output unfolded = fed;
    for (int i = 0; i < 8; ++i) unfolded = make<float>(Add{}, {tanh_of(unfolded), unfolded});
    Session s;
    const Tensor by_run = s.run_all({unfolded}, {{fed, w}})[0];
    for (const std::int64_t batch : {1, 2, 3}) {
        const Feed feed{x, numbers({batch, 1024}, 2)};
        CHECK(kernels(s, {y}, {feed}) < 17);  // there is room for one of the eight: the next reads it twice
        CHECK(same_bits(s.run_all({y}, {feed})[0], s.run_all({make<float>(MatMul{}, {Output(x), constant_of(by_run)})}, {feed})[0]));
    }
    Output chain = c;
    for (int i = 0; i < 8; ++i) chain = make<float>(Reshape{}, {tanh_of(chain), axes({1024, 2048})});
    for (const std::int64_t batch : {1, 2, 3}) CHECK(kernels(s, {make<float>(MatMul{}, {Output(x), chain})}, {Feed{x, numbers({batch, 1024}, 2)}}) == 1);
}

TEST_CASE("what costs no more to run than to read is left to the run, unless something dearer follows from it") {
    const Output tiled = make<float>(Tile{}, {constant_of(numbers({1024}, 1)), axes({100})});
    Session s;
    CHECK(kernels(s, {tiled}) == 1);
    CHECK(kernels(s, {tanh_of(tiled)}) == 0);
    CHECK(kernels(s, {tiled, tanh_of(tiled)}) == 1);
    const auto values = s.run_all({tiled, tanh_of(tiled)});
    CHECK(same_bits(values[0], s.run_all({tiled})[0]));
    CHECK(values[1].data<float>()[5000] == doctest::Approx(std::tanh(values[0].data<float>()[5000])));
}

TEST_CASE("an error of what could be folded is told by the run that computes it, in the same words") {
    const Output n = make_const<std::int32_t>(Tensor(DType::int32, {2000})), zero = make_const<std::int32_t>(Tensor::scalar(std::int32_t{0}));
    std::fill_n(n.operation->results[0].known.data<std::int32_t>(), 2000, 1);
    const Output quotient = make<std::int32_t>(FloorDiv{}, {n, zero});
    Placeholder<std::int32_t, Shape<2000>> fed{"fed"};
    const Output same = make<std::int32_t>(FloorDiv{}, {Output(fed), zero});
    Session s;
    const auto divide = s.make_callable({quotient});
    std::string told, expected;
    try {
        divide();
    } catch (const ValueError& e) { told = e.what(); }
    try {
        s.run_all({same}, {{fed, n.operation->results[0].known}});
    } catch (const ValueError& e) { expected = e.what(); }
    CHECK(told != "");
    CHECK(told == expected);
}

TEST_CASE("what fails before a kernel or for want of memory while it is folded is left to the run, which tells it") {
    static OpTable tables[4] = {*tanh_of(constant_of(numbers({1}, 1))).operation->table, {}, {}, {}};
    for (int i = 1; i < 4; ++i) tables[i] = tables[0];
    tables[0].workspace = [](const void*, std::span<const Ref* const>, std::span<const Ref* const>) -> std::size_t { throw std::bad_alloc(); };
    tables[1].workspace = [](const void*, std::span<const Ref* const>, std::span<const Ref* const>) -> std::size_t { throw ValueError("no workspace"); };
    tables[2].prepare = [](const void*, std::span<const Ref* const>, std::span<const Ref* const>) -> std::shared_ptr<const void> { throw ValueError("not prepared"); };
    tables[3].complete = [](const std::shared_ptr<const void>&, std::span<const Ref>) -> std::shared_ptr<const void> { throw std::bad_alloc(); };
    const OpTable& tanh = *tanh_of(constant_of(numbers({1}, 1))).operation->table;
    for (const OpTable& t : tables) {
        for (const std::int64_t n : {4, 2000}) {
            const Output c = constant_of(numbers({n}, 1)), y = make_operation(t, c.operation->op, {c});  // not computed with the graph, if small
            CHECK(!y.operation->results[0].known);
            Session s;
            CHECK_THROWS_AS(s.run_all({y}), std::exception);
            y.operation->table = &tanh;  // as it would be with memory
            CHECK(same_bits(s.run_all({y})[0], s.run_all({tanh_of(c)})[0]));
        }
    }
}

TEST_CASE("planning equal operations costs what planning different ones does, whatever they have in common") {
    Placeholder<float, Shape<4>> x{"x"};
    std::vector<Output> different;
    for (int i = 0; i < 20000; ++i) different.push_back(leaky(static_cast<float>(i) * 1e-5f, x));
    Session s;
    CHECK(kernels(s, different, {Feed{x, numbers({4}, 1)}}) == 20000);
    Output deep = x;
    for (int i = 0; i < 20000; ++i) deep = make<float>(Add{}, {tanh_of(deep), tanh_of(deep)});
    CHECK(kernels(s, {deep}, {Feed{x, numbers({4}, 1)}}) == 40000);
}
