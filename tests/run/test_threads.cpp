// Sessions of several threads: the numbers of one, errors, and several such sessions at once.
#include <tenon/ops/ops.hpp>
#include <tenon/run/variable.hpp>
#include <tenon/train/optimizers.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <iterator>
#include <thread>

using namespace tenon;

namespace {

/// Everything that can be shared is, however little it is.
SessionOptions eager(int threads) { return {.threads = threads, .least_share = 0}; }

Tensor numbers(const Dims& dims, int seed = 1) {
    Tensor t(DType::float32, dims);
    for (std::int64_t i = 0; i < t.size(); ++i) t.data<float>()[i] = std::sin(static_cast<float>(i * 37 % 1009 + seed));
    return t;
}
std::string bytes(const Tensor& t) { return {reinterpret_cast<const char*>(t.raw()), t.bytes()}; }
std::ptrdiff_t threads_of_process() { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); }

/// What five steps give and leave: losses and variables. Builds everything afresh.
std::string five_steps(const std::function<std::pair<std::vector<Output>, std::vector<Feed>>()>& build, SessionOptions options) {
    const auto [fetches, feeds] = build();
    Session session{Graph(fetches), options};
    const auto step = session.make_callable(fetches, feeds);
    std::string all;
    for (int i = 0; i < 5; ++i) {
        step();
        for (std::size_t f = 0; f < fetches.size(); ++f) if (!fetches[f].operation->results.empty()) all += bytes(step.plan().fetch(f));
    }
    for (const auto& o : topological(fetches)) if (o->state) all += bytes(o->state->value);
    return all;
}
void same_with_threads(const std::function<std::pair<std::vector<Output>, std::vector<Feed>>()>& build) {
    const auto one = five_steps(build, {});
    for (const int threads : {2, 3}) {
        const bool same = five_steps(build, eager(threads)) == one;
        CHECK_MESSAGE(same, threads, " threads");
    }
    CHECK(five_steps(build, {.threads = 2}) == one);
}

}  // namespace

TEST_CASE("a net of convolutions learns the same with any number of threads, to the last bit") {
    for (const std::int64_t batch : {1, 2, 5, 9})
        same_with_threads([=] {
            Placeholder<float, Shape<dyn, 17, 17, 3>> x{"x"};
            Placeholder<float, Shape<dyn, 10>> t{"t"};
            Variable<float, Shape<3, 3, 3, 32>> k1{"k1"};
            Variable<float, Shape<5, 5, 32, 16>> k2{"k2"};
            Variable<float, Shape<400, 70>> w{"w"};
            Variable<float, Shape<70, 10>> v{"v"};
            Variable<float, Shape<32>> b1{"b1", constant(0.1f)};
            Variable<float, Shape<16>> b2{"b2", constant(0.1f)};
            Variable<float, Shape<70>> b3{"b3", constant(0.1f)};
            k1.assign(numbers({3, 3, 3, 32})), k2.assign(numbers({5, 5, 32, 16}, 2)), w.assign(numbers({400, 70}, 3)), v.assign(numbers({70, 10}, 4));
            constexpr Conv2D same{.padding = Padding::same};
            constexpr MaxPool halve{.ksize = {1, 2, 2, 1}, .strides = {1, 2, 2, 1}, .padding = Padding::same};
            constexpr AvgPool mean_of{.ksize = {1, 2, 2, 1}, .strides = {1, 2, 2, 1}, .padding = Padding::same};
            auto h1 = max_pool<halve>(relu(conv2d<same>(x, k1) * 0.1f + b1));
            auto h2 = avg_pool<mean_of>(relu(conv2d<same>(h1, k2) * 0.1f + b2));
            auto h3 = relu(matmul(reshape<dyn, 400>(h2), w) * 0.1f + b3);
            auto loss = mean(softmax_cross_entropy_with_logits(t, matmul(h3, v) * 0.1f));
            auto train = Adam{{.learning_rate = 1e-2f}}.minimize(loss);
            return std::pair{std::vector<Output>{loss, train}, std::vector<Feed>{feed(x, numbers({batch, 17, 17, 3}, 5)), feed(t, numbers({batch, 10}, 6))}};
        });
}

TEST_CASE("every optimiser and a wide net learn the same with any number of threads") {
    const auto with = [](auto optimizer) {
        same_with_threads([=] {
            Placeholder<float, Shape<dyn, 130>> x{"x"};
            Placeholder<std::int32_t, Shape<dyn>> labels{"labels"};
            Variable<float, Shape<130, 257>> w1{"w1"};
            Variable<float, Shape<257, 37>> w2{"w2"};
            Variable<float, Shape<257>> b{"b", constant(0.1f)};
            w1.assign(numbers({130, 257})), w2.assign(numbers({257, 37}, 2));
            auto h = tanh(matmul(x, w1) * 0.1f + b);
            auto loss = mean(sparse_softmax_cross_entropy_with_logits(labels, matmul(h, w2)));
            Tensor t(DType::int32, {61});
            for (int i = 0; i < 61; ++i) t.data<std::int32_t>()[i] = i % 37;
            return std::pair{std::vector<Output>{loss, optimizer.minimize(loss)}, std::vector<Feed>{feed(x, numbers({61, 130}, 5)), feed(labels, t)}};
        });
    };
    with(GradientDescent{{.learning_rate = 0.05f}});
    with(Momentum{{.learning_rate = 0.05f, .use_nesterov = true}});
    with(Adam{});
    with(RMSProp{{.momentum = 0.5f}});
    with(Adagrad{});
}

TEST_CASE("a cell whose gates are the columns of one product learns the same with any number of threads") {
    same_with_threads([] {
        Placeholder<float, Shape<61, 40>> x{"x"};
        Variable<float, Shape<40, 256>> w{"w"};
        Variable<float, Shape<256>> b{"b", constant(0.1f)};
        w.assign(numbers({40, 256}));
        auto [i, j, f, o] = split<4, 1>(matmul(x, w) + b);
        auto loss = mean(square(sigmoid(o) * tanh(sigmoid(f + 1.f) * j + sigmoid(i) * tanh(j))));
        return std::pair{std::vector<Output>{loss, GradientDescent{{.learning_rate = 0.05f}}.minimize(loss)}, std::vector<Feed>{feed(x, numbers({61, 40}, 5))}};
    });
}

TEST_CASE("statements and their gradients are the same however their operands broadcast") {
    const auto with = [](auto shape, auto other) {
        same_with_threads([=] {
            using A = decltype(shape);
            using B = decltype(other);
            Variable<float, A> a{"a"};
            Variable<float, B> b{"b"};
            Variable<double, A> c{"c", constant(0.25f)};
            a.assign(numbers(A::dims)), b.assign(numbers(B::dims, 2));
            auto y = node(tanh(a * b + a) * sigmoid(b));
            auto z = node(softmax(y) + exp(a));
            auto [da, db] = gradients(sum(square(z)), a, b);
            return std::pair{std::vector<Output>{y, z, da, db, node(c * c + c), node(a < b)}, std::vector<Feed>{}};
        });
    };
    with(Shape<50, 33>{}, Shape<50, 33>{});
    with(Shape<50, 33>{}, Shape<33>{});
    with(Shape<50, 33>{}, Shape<50, 1>{});
    with(Shape<50, 33>{}, Shape<>{});
    with(Shape<1, 7, 600>{}, Shape<600>{});
    with(Shape<1, 7, 600>{}, Shape<7, 1>{});
    with(Shape<3, 4, 5, 6>{}, Shape<3, 1, 5, 1>{});
    with(Shape<2, 1>{}, Shape<1, 1>{});
    with(Shape<1031>{}, Shape<1>{});
}

TEST_CASE("long sums of gradients are made in chunks, the same with any number of threads, and are the sums") {
    const auto with = [](auto shape, auto other) {
        using A = decltype(shape);
        using B = decltype(other);
        same_with_threads([] {
            Variable<float, A> a{"a"};
            Variable<float, B> b{"b"};
            a.assign(numbers(A::dims)), b.assign(numbers(B::dims, 2));
            auto y = node(tanh(a + b));
            auto loss = mean(square(a * b) + b);
            auto [da, db] = gradients(y, a, b);
            auto [dc, dd] = gradients(loss, a, b);
            return std::pair{std::vector<Output>{y, loss, da, db, dc, dd}, std::vector<Feed>{}};
        });
        Variable<float, A> a{"a"};
        Variable<float, B> b{"b"};
        a.assign(numbers(A::dims)), b.assign(numbers(B::dims, 2));
        auto loss = sum(square(a + b));
        auto [da, db] = gradients(loss, a, b);
        Session s;
        const auto got = s.run_all({loss, da, db});
        const Layout layout(B::dims, A::dims);
        std::vector<double> want(static_cast<std::size_t>(B::dims.size()));
        double total = 0;
        for (std::int64_t i = 0; i < A::dims.size(); ++i) {
            const auto at = layout.index(i);
            const double x = double(a.value().template data<float>()[i]) + double(b.value().template data<float>()[at]);
            total += x * x, want[static_cast<std::size_t>(at)] += 2 * x;
        }
        CHECK(double(got[0].template item<float>()) == doctest::Approx(total).epsilon(1e-4));
        double worst = 0;
        for (std::size_t k = 0; k < want.size(); ++k) worst = std::max(worst, std::abs(want[k] - double(got[2].template data<float>()[k])) / (100 + std::abs(want[k])));
        CHECK(worst < 1e-4);
    };
    with(Shape<400, 700>{}, Shape<700>{});
    with(Shape<17, 25, 31, 24>{}, Shape<24>{});
    with(Shape<300, 451>{}, Shape<300, 1>{});
    with(Shape<300, 451>{}, Shape<>{});
    with(Shape<7, 200, 151>{}, Shape<7, 1, 151>{});
    with(Shape<7, 2, 1000, 11>{}, Shape<7, 1, 1, 11>{});
    with(Shape<30, 9, 601>{}, Shape<30, 1, 601>{});
    with(Shape<60, 4001>{}, Shape<60, 1>{});
    with(Shape<9000, 4, 5>{}, Shape<9000, 1, 5>{});
    with(Shape<300, 451>{}, Shape<300, 451>{});
}

TEST_CASE("shares read what is fed to this run, wherever it lies") {
    Placeholder<float, Shape<dyn, 64>> x{"x"};
    Variable<float, Shape<64, 64>> w{"w"};
    w.assign(numbers({64, 64}));
    const auto y = node(tanh(x) + matmul(x, w));
    Session one{Graph{y}}, three{Graph{y}, eager(3)};
    const Tensor first = numbers({40, 64}), second = numbers({40, 64}, 9);
    auto step = three.make_callable({y}, feed(x, first));
    for (const Tensor* t : {&first, &second, &first}) {
        step.feed<float>(0, t->data<float>());
        step();
        CHECK(bytes(step.plan().fetch(0)) == bytes(one.run(y, feed(x, *t))));
    }
}

TEST_CASE("an error of a share is that of one thread, and the session goes on") {
    Placeholder<float, Shape<dyn, 5>> x{"x"};
    Placeholder<std::int32_t, Shape<dyn>> labels{"labels"};
    const auto loss = node(sparse_softmax_cross_entropy_with_logits(labels, x));
    Session one{Graph{loss}}, three{Graph{loss}, eager(3)};
    const Tensor logits = numbers({30, 5});
    Tensor good(DType::int32, {30}), bad(DType::int32, {30});
    for (int i = 0; i < 30; ++i) good.data<std::int32_t>()[i] = bad.data<std::int32_t>()[i] = i % 5;
    bad.data<std::int32_t>()[17] = 5, bad.data<std::int32_t>()[29] = -1;
    const auto message = [&](Session& s) {
        try {
            s.run(loss, feed(x, logits), feed(labels, bad));
        } catch (const ValueError& e) {
            return std::string(e.what());
        }
        return std::string();
    };
    CHECK(message(three) == message(one));
    CHECK(message(three).find("label 5 of row 17") != std::string::npos);
    CHECK(bytes(three.run(loss, feed(x, logits), feed(labels, good))) == bytes(one.run(loss, feed(x, logits), feed(labels, good))));
}

TEST_CASE("callables of one session may run at the same time") {
    Placeholder<float, Shape<dyn, 64>> x{"x"};
    Variable<float, Shape<64, 64>> w{"w"};
    w.assign(numbers({64, 64}));
    const auto y = node(matmul(tanh(matmul(x, w)), w)), z = node(exp(matmul(x, w)));
    Session one{Graph{y, z}};
    auto session = std::make_unique<Session>(Graph{y, z}, eager(2));
    const Tensor t = numbers({50, 64});
    const auto wanted_y = bytes(one.run(y, feed(x, t))), wanted_z = bytes(one.run(z, feed(x, t)));
    auto first = session->make_callable({y}, feed(x, t)), second = session->make_callable({z}, feed(x, t));
    session.reset();  // the callables keep the threads
    const auto run = [](const Callable& step, const std::string& wanted, bool& same) {
        for (int i = 0; i < 300; ++i) {
            step();
            same &= bytes(step.plan().fetch(0)) == wanted;
        }
    };
    bool y_same = true, z_same = true;
    std::thread other([&] { run(second, wanted_z, z_same); });
    run(first, wanted_y, y_same);
    other.join();
    CHECK(y_same);
    CHECK(z_same);
}

TEST_CASE("threads start with the first run that can use them") {
    Placeholder<float, Shape<dyn, 64>> x{"x"};
    const auto small = node(tanh(x));
    const auto before = threads_of_process();
    Session one{Graph{small}}, two{Graph{small}, {.threads = 2}}, all{Graph{small}, eager(4)};
    one.run(small, feed(x, numbers({32, 64}))), two.run(small, feed(x, numbers({32, 64})));
    CHECK(threads_of_process() == before);
    all.run(small, feed(x, numbers({32, 64})));
    CHECK(threads_of_process() == before + 3);
    two.run(small, feed(x, numbers({30000, 64})));
    CHECK(threads_of_process() == before + 4);
}

TEST_CASE("a session has at least one thread") {
    CHECK_THROWS_WITH_AS(Session(Graph(), {.threads = 0}), "[Session] needs 1 to 1024 threads: 0", ValueError);
}
