// Sessions and plans: feeds, order around variables, allocations, errors.
#include "../support/memory_map.hpp"
#include <tenon/grad/check_gradient.hpp>
#include <tenon/ops/ops.hpp>
#include <tenon/run/variable.hpp>
#include <tenon/train/optimizers.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

using namespace tenon;

namespace {
std::atomic<long> allocations{0};
}
[[gnu::noinline]] void* operator new(std::size_t n) {
    ++allocations;
    if (void* p = std::malloc(n ? n : 1)) return p;
    throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(n ? n : 1);
}
[[gnu::noinline]] void* operator new(std::size_t n, std::align_val_t a) {
    ++allocations;
    if (void* p = std::aligned_alloc(static_cast<std::size_t>(a), (n + static_cast<std::size_t>(a) - 1) / static_cast<std::size_t>(a) * static_cast<std::size_t>(a))) return p;
    throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::aligned_alloc(static_cast<std::size_t>(a), (n + static_cast<std::size_t>(a) - 1) / static_cast<std::size_t>(a) * static_cast<std::size_t>(a));
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

TEST_CASE("any tensor can be fed, and nothing behind it is looked at") {
    Placeholder<float, Shape<3>> never_fed{"never_fed"};
    auto middle = named("middle", node(exp(never_fed) * 2.0f));
    auto end = node(middle + 1.0f);
    Session s;
    const std::vector<float> v{1, 2, 3};
    const auto y = s.run(end, feed(middle, v));
    CHECK(y[0] == 2);
    CHECK(y[2] == 4);
}

TEST_CASE("a placeholder that is not fed is named, with its type and shape") {
    Placeholder<float, Shape<dyn, 3>> x{"x"};
    Placeholder<std::int32_t, Shape<>> n{"n"};
    Session s;
    CHECK_THROWS_WITH_AS(s.run(node(exp(x))), "[run] not fed: 'x' (Placeholder) float32 [dyn,3]", FeedError);
}

TEST_CASE("a feed of another shape or type is refused with both") {
    Placeholder<float, Shape<dyn, 3>> x{"x"};
    Session s;
    CHECK_THROWS_WITH_AS(s.run(node(exp(x)), Feed{x, Tensor::of<float>({4}, {1, 2, 3, 4})}), "[feed] 'x' (Placeholder) is [dyn,3], fed [4]", FeedError);
    CHECK_THROWS_WITH_AS(s.run(node(exp(x)), Feed{x, Tensor::of<double>({1, 3}, {1, 2, 3})}), "[feed] 'x' (Placeholder) is float32, fed float64", FeedError);
    const Tensor ok = Tensor::of<float>({1, 3}, {1, 2, 3});
    CHECK_THROWS_WITH_AS(s.run(node(exp(x)), Feed{x, ok}, Feed{x, ok}), "[feed] 'x' (Placeholder) is fed twice", FeedError);
}

TEST_CASE("names that do not exist are answered with the nearest") {
    Placeholder<float, Shape<>> a{"learning_rate"};
    auto y = named("loss", node(exp(a)));
    Session s{Graph{y}};
    CHECK_THROWS_WITH_AS(s.run("los:0"), "[Graph] no operation named 'los'; the nearest are 'loss'", NameError);
    CHECK_THROWS_WITH_AS(s.run("loss:1"), "[Graph] no tensor 'loss:1': 'loss' (Exp) has 1 outputs", NameError);
    CHECK_THROWS_AS(s.run("loss:x"), NameError);
    CHECK(s.run("loss:0", feed("learning_rate:0", 0.0f)).item<float>() == 1);
}

TEST_CASE("new extents make a new plan, and each is remembered") {
    Placeholder<float, Shape<dyn, 2>> x{"x"};
    auto y = sum<1>(x);
    Session s;
    for (int round = 0; round < 2; ++round)
        for (std::int64_t n : {1, 5, 0, 3}) {
            const std::vector<float> v(static_cast<std::size_t>(2 * n), 1.5f);
            const auto r = s.run(y, feed(x, v, {n, 2}));
            CHECK(r.dims() == Dims{n});
            for (const float f : r) CHECK(f == 3);
        }
}

TEST_CASE("every update sees the variables as they were") {
    Variable<double, Shape<2, 2>> v{"v", random_normal({.seed = 1})}, w{"w", random_normal({.seed = 2})};
    const Output train = GradientDescent{{.learning_rate = 0.5}}.minimize(sum(matmul(v, w)));
    const Tensor old_v = v.value().clone(), old_w = w.value().clone();
    Session s;
    s.run(train);
    const auto at = [](const Tensor& t, int i, int j) { return t.data<double>()[2 * i + j]; };
    for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 2; ++j) {
            CHECK(at(v.value(), i, j) == doctest::Approx(at(old_v, i, j) - 0.5 * (at(old_w, j, 0) + at(old_w, j, 1))));
            CHECK(at(w.value(), i, j) == doctest::Approx(at(old_w, i, j) - 0.5 * (at(old_v, 0, i) + at(old_v, 1, i))));
        }
}

TEST_CASE("a gradient that nobody but its update reads is never stored: the product goes into the variable") {
    Placeholder<float, Shape<dyn, 30>> x{"x"};
    Variable<float, Shape<30, 20>> w{"w", random_normal({.seed = 1})};
    auto loss = mean(square(matmul(x, w)));
    const GradientDescent descent{{.learning_rate = 0.5f}};
    const auto list = descent.compute_gradients(loss);
    const Output train = descent.apply_gradients(list);
    const Tensor data = tenon::detail::random_upstream<float>({64, 30}, 1);
    Session s;
    const auto alone = s.make_callable({train}, Feed{x, data}), seen = s.make_callable({train, list[0].gradient}, Feed{x, data});
    CHECK(alone.plan().kernels() + 1 == seen.plan().kernels());
    const Tensor before = w.value().clone();
    seen();
    const Tensor stored = w.value().clone();
    for (std::int64_t i = 0; i < 600; ++i) CHECK(stored.data<float>()[i] == doctest::Approx(before.data<float>()[i] - 0.5f * seen.result<float>(1)[static_cast<std::size_t>(i)]));
    w.assign(before);
    alone();
    for (std::int64_t i = 0; i < 600; ++i) CHECK(w.value().data<float>()[i] == doctest::Approx(stored.data<float>()[i]));
}

TEST_CASE("a gradient read by two updates is stored") {
    Placeholder<float, Shape<4, 3>> x{"x"};
    Variable<float, Shape<3, 2>> v{"v", constant(1.0f)}, w{"w", constant(2.0f)};
    const auto g = matmul<MatMul{.transpose_a = true}>(x, matmul(x, constant_tensor<float, Shape<3, 2>>(Tensor::of<float>({3, 2}, {1, 2, 3, 4, 5, 6}))));
    const auto rate = make_const<float>(Tensor::scalar(0.5f));
    const auto step = [&](const Output& variable) { return Output(make<float>(ApplyGradientDescent{}, {variable_of(variable), rate, g})); };
    const Tensor data = tenon::detail::random_upstream<float>({4, 3}, 2);
    Session s;
    const Tensor expected = s.run(Output(g), Feed{x, data});
    s.run(group({step(v), step(w)}), Feed{x, data});
    for (std::int64_t i = 0; i < 6; ++i) {
        CHECK(v.value().data<float>()[i] == doctest::Approx(1 - 0.5f * expected.data<float>()[i]));
        CHECK(w.value().data<float>()[i] == doctest::Approx(2 - 0.5f * expected.data<float>()[i]));
    }
}

TEST_CASE("a read fetched beside an update gives the value before it; one that waits for it, the value after") {
    Variable<float, Shape<>> v{"v", constant(1.0f)};
    const Output variable = variable_of(v);
    const auto five = make_const<float>(Tensor::scalar(5.0f));
    const auto add = make<float>(AssignAdd{}, {variable, five});
    Session s;
    const auto both = s.run_all({v, add});
    CHECK(both[0].item<float>() == 1);
    CHECK(both[1].item<float>() == 6);
    const auto after = make<float>(Identity{}, {variable});
    after.operation->controls.push_back(add.operation);
    const auto again = s.run_all({v, after});
    CHECK(again[0].item<float>() == 6);
    CHECK(again[1].item<float>() == 11);
}

TEST_CASE("two variables can change places in one run") {
    Variable<float, Shape<2>> a{"a", constant(Tensor::of<float>({2}, {1, 2}))}, b{"b", constant(Tensor::of<float>({2}, {3, 4}))};
    const auto to_a = make<float>(Assign{}, {variable_of(a), b}), to_b = make<float>(Assign{}, {variable_of(b), a});
    Session s;
    s.run(group({to_a, to_b}));
    CHECK(a.value().data<float>()[0] == 3);
    CHECK(b.value().data<float>()[1] == 2);
}

TEST_CASE("a variable without a value is an error that names it, until it has one") {
    const auto op = std::make_shared<VariableV2>();
    op->shape = Dims{2};
    const Output v = make_operation(table_of<VariableV2, float>(), op, {}, "lonely");
    v.operation->state = std::make_shared<State>();
    v.operation->state->value = Tensor(DType::float32, {2});
    Session s;
    const auto y = make<float>(Exp{}, {v});
    CHECK_THROWS_WITH_AS(s.run(y), "'lonely' (VariableV2) has no value: restore it, or run its initialiser", ValueError);
    s.run(make<float>(Assign{}, {v, make_const<float>(Tensor::of<float>({2}, {0, 0}))}));
    CHECK(s.run(y)[1] == 1);
}

TEST_CASE("extents that depend on fed elements are planned for those elements") {
    Placeholder<float, Shape<dyn>> x{"x"};
    Placeholder<std::int32_t, Shape<2>> extents{"extents"};
    auto y = reshape(x, extents);
    Session s;
    const std::vector<float> v(12, 1.0f);
    const std::vector<std::int32_t> a{3, 4}, b{6, -1};
    CHECK(s.run(y, feed(x, v, {12}), feed(extents, a)).dims() == Dims{3, 4});
    CHECK(s.run(y, feed(x, v, {12}), feed(extents, b)).dims() == Dims{6, 2});
    CHECK(s.run(y, feed(x, v, {12}), feed(extents, a)).dims() == Dims{3, 4});
}

TEST_CASE("running again allocates nothing") {
    Placeholder<float, Shape<dyn, 30>> x{"x"};
    Variable<float, Shape<30, 20>> w{"w", random_normal({.seed = 1})};
    Variable<float, Shape<20>> b{"b"};
    auto loss = mean(square(matmul(x, w) + b));
    const Output train = Adam{{.learning_rate = 1e-2f}}.minimize(loss);
    const std::vector<float> data(64 * 30, 0.5f);
    for (const int threads : {1, 3}) {
        Session s{Graph{train, loss}, {.threads = threads, .least_share = 0}};
        auto step = s.make_callable({train, loss}, feed(x, data, {64, 30}));
        step();
        const float before = step.result<float>(1)[0];
        const long count = allocations;
        for (int i = 0; i < 50; ++i) step();
        CHECK(allocations == count);
        CHECK(step.result<float>(1)[0] < before);
    }
}

TEST_CASE("what a constant waits for runs first, also where the constant was folded into another value") {
    Variable<float, Shape<>> weight{"weight", zeros()}, step{"step", zeros()};
    const auto value = [](float v) {
        auto op = table_of<Const, float>().clone(nullptr);
        static_cast<Const*>(op.get())->value = Tensor::scalar(v);
        return make_operation(table_of<Const, float>(), std::move(op), {});
    };
    const auto add = [](const Output& to, const Output& by) { return make_operation(table_of<AssignAdd, float>(), table_of<AssignAdd, float>().clone(nullptr), {variable_of(to), by}); };
    const Output update = add(weight, value(3)), one = value(1);
    one.operation->controls = {update.operation};  // as TensorFlow counts the steps of an optimiser
    const Output two = make_operation(table_of<AddV2, float>(), table_of<AddV2, float>().clone(nullptr), {one, one});
    Session s;
    CHECK(s.run(add(step, two)).item<float>() == 2);
    CHECK(weight.value().item<float>() == 3);
    CHECK(s.run(one).item<float>() == 1);
    CHECK(weight.value().item<float>() == 6);
    const Output seen = make_operation(table_of<AddV2, float>(), table_of<AddV2, float>().clone(nullptr), {two, add(weight, value(0))});
    CHECK(s.run(seen).item<float>() >= 8);
    CHECK(s.run(Output(step), Feed{one, Tensor::scalar(5.0f)}).item<float>() == 2);
    CHECK(weight.value().item<float>() == 9);
}

TEST_CASE("a plan hands out its kernels one by one, in their order, to who times them") {
    Placeholder<float, Shape<2, 3>> x{"x"};
    Variable<float, Shape<3, 2>> w{"w", constant(2.0f)};
    const Node<float, Shape<2, 2>> y = tanh(matmul(x, w) + 1.0f);
    std::vector<float> data{1, 2, 3, 4, 5, 6};
    Session s;
    const Feed fed = feed(x, data);
    const auto step = s.make_callable({y}, fed);
    step();
    const std::vector<float> want(step.result<float>(0).begin(), step.result<float>(0).end());
    data.assign(6, 0.0f);
    step();
    CHECK(step.result<float>(0)[0] == doctest::Approx(std::tanh(1.0f)));
    data = {1, 2, 3, 4, 5, 6};
    std::vector<std::string_view> names;
    step.plan().run_each(std::vector{fed}, [&](const Operation& of, Kernel kernel, const Call& call) {
        names.push_back(of.table->name);
        kernel(call);
    });
    CHECK(names.size() == step.plan().kernels());
    CHECK(names.front() == "MatMul");
    CHECK(std::equal(want.begin(), want.end(), step.result<float>(0).begin()));
}

TEST_CASE("many threads run one graph, each in a session of its own") {
    Placeholder<float, Shape<dyn, 8>> x{"x"};
    Variable<float, Shape<8, 4>> w{"w", random_normal({.seed = 1})};
    auto y = exp(matmul(x, w) * 0.1f);
    const Node<float, Shape<dyn, 4>> out = y;
    std::vector<float> data(16 * 8);
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(i % 7);
    Session first;
    const auto want = first.run(out, feed(x, data, {16, 8}));
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            Session s;
            for (int i = 0; i < 100; ++i) {
                const auto got = s.run(out, feed(x, data, {16, 8}));
                if (std::memcmp(got.raw(), want.raw(), want.bytes()) != 0) ++wrong;
            }
        });
    for (auto& t : threads) t.join();
    CHECK(wrong == 0);
}

TEST_CASE("variables that are made one after the other take no more memory than they hold and what aligns them") {
    constexpr int n = 32, mib = 4;
    test::forget_peak();
    const long before = test::peak_memory();
    std::vector<Variable<float, Shape<mib << 18>>> all;
    for (int i = 0; i < n; ++i) all.emplace_back("v" + std::to_string(i), truncated_normal({.seed = i + 1}));
    CHECK(test::peak_memory() - before < (n * (mib + 2) + 16) * 1024);  // a page before each is touched only by a malloc that fills what it gives
    CHECK(all[0].value().span<float>()[0] != all[1].value().span<float>()[0]);
}
