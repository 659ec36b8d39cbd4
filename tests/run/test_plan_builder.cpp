// Where variables lie, and what takes over the memory of what dies.
#include <tenon/ops/ops.hpp>
#include <tenon/run/variable.hpp>
#include <tenon/train/optimizers.hpp>

#include <doctest/doctest.h>

using namespace tenon;

TEST_CASE("variables and an optimiser's slots of 2 MiB or more begin where a large page does") {
    Variable<float, Shape<1000, 600>> w{"w", constant(0.5f)};
    const auto train = Adam{{.learning_rate = 0.1f}}.minimize(sum(square(w)));
    Session s;
    s.run(train);
    int large = 0;
    for (const Output& v : Graph(std::vector{Output(train)}).variables()) {
        const Tensor& value = v.operation->state->value;
        if (value.bytes() < large_page) continue;
        ++large;
        CHECK(reinterpret_cast<std::uintptr_t>(value.raw()) % large_page == 0);
    }
    CHECK(large == 3);
    CHECK(w.value().data<float>()[599999] == doctest::Approx(0.4));
}

TEST_CASE("what arrives at a statement, and its result, give way to gradients of their extents where nobody else reads them, whatever the number of elements") {
    Placeholder<float, Shape<dyn, dyn>> x{"x"}, v{"v"};
    Placeholder<float, Shape<dyn>> b{"b"};
    const Node<float, Shape<dyn, dyn>> h = tanh(v * x + b) * v;
    const Node<float, Shape<dyn, dyn>> g = sigmoid(h * 0.5f) * x;
    const auto d = gradients(sum(square(g)), {Output(x), Output(v), Output(b), Output(h)});
    const auto numbers = [](const Dims& dims, int seed) {
        Tensor t(DType::float32, dims);
        for (std::int64_t i = 0; i < t.size(); ++i) t.data<float>()[i] = static_cast<float>((i * 37 + seed) % 101 - 50) / 40;
        return t;
    };
    for (const Dims& dims : {Dims{1, 1}, Dims{1, 5}, Dims{3, 7}, Dims{2, 16}, Dims{5, 37}, Dims{3, 515}, Dims{700, 129}, Dims{400, 500}}) {
        CAPTURE(to_string(dims));
        const std::vector<Feed> feeds{feed(x, numbers(dims, 1)), feed(v, numbers(dims, 2)), feed(b, numbers({dims[1]}, 3))};
        for (const int threads : {1, 2}) {
            Session s{Graph(d), {.threads = threads}};
            const auto alone = s.make_callable({d[1], d[2]}, feeds), beside = s.make_callable({d[1], d[2], d[3], h, g}, feeds);
            const auto taken_over = [&](const Callable& c) {
                int n = 0;
                c.plan().run_each(feeds, [&](const Operation&, Kernel kernel, const Call& call) {
                    for (const Ref* to : call.out) for (const Ref* from : call.in) n += to->data && to->data == from->data;
                    kernel(call);
                });
                return n;
            };
            CHECK(taken_over(alone) > taken_over(beside));
            for (std::size_t k = 0; k < 2; ++k) {
                const auto one = alone.result<float>(k), other = beside.result<float>(k);
                CHECK(std::equal(one.begin(), one.end(), other.begin(), other.end()));
            }
        }
    }
}
