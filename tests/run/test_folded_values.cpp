// What plans fold is held once by all plans of a graph, and no longer than one of them uses it.
#include <tenon/ops/ops.hpp>
#include <tenon/run/variable.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace tenon;

namespace {

std::atomic<int> computed{0}, computing{0};
std::atomic<bool> fails{false};

Tensor numbers(const Dims& dims, int seed) {
    Tensor t(DType::float32, dims);
    for (std::int64_t i = 0; i < t.size(); ++i) t.data<float>()[i] = std::sin(static_cast<float>(i * 37 % 1009 + seed));
    return t;
}
Output constant_of(Tensor t) { return make_const<float>(std::move(t)); }
Output axes(std::initializer_list<std::int32_t> list) { return make_const<std::int32_t>(Tensor::of<std::int32_t>({static_cast<std::int64_t>(list.size())}, list)); }
Output times(const Output& x, const Output& y) { return make<float>(Mul{}, {x, y}); }
bool same_bits(const Tensor& a, const Tensor& b) { return a.dims() == b.dims() && a.dtype() == b.dtype() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0; }

/// tanh, counted, by one thread at a time of those that plan; it fails where it is told to.
const OpTable& counted_tanh() {
    static const OpTable table = [] {
        OpTable t = table_of<Tanh, float>();
        t.forward = [](const Call& c) {
            if (fails) throw ValueError("[Tanh] is told to fail");
            const int others = computing++;
            ++computed;
            std::this_thread::yield();
            table_of<Tanh, float>().forward(c);
            --computing;
            if (others) throw std::logic_error("computed twice at once");
        };
        return t;
    }();
    return table;
}
Output tanh_of(const Output& x) { return make_operation(counted_tanh(), detail::shared_op(Tanh{}), {x}); }

/// x + tanh(w), and tanh(w) itself.
struct Net {
    Placeholder<float, Shape<dyn, 4096>> x{"x"};
    Output w = constant_of(numbers({4096}, 1)), folded = tanh_of(w), y = make<float>(Add{}, {x, folded});
    Feed fed(std::int64_t batch) const { return {x, numbers({batch, 4096}, 2)}; }
};
const void* address(const Callable& c, std::size_t fetch) { return c.result<float>(fetch).data(); }

}  // namespace

TEST_CASE("plans for other batch sizes, of one session and of others of its graph, use one folded tensor, computed once") {
    const Net net;
    const Graph graph{net.y};
    Session first{graph}, second{graph};
    computed = 0;
    std::vector<Callable> all;
    for (const std::int64_t batch : {1, 2, 4, 8}) {
        all.push_back(first.make_callable({net.y, net.folded}, net.fed(batch)));
        all.push_back(second.make_callable({net.folded, net.y}, net.fed(batch)));
    }
    CHECK(computed == 1);
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i]();
        CHECK(all[i].plan().kernels() == 1);
        CHECK(address(all[i], 1 - i % 2) == address(all[0], 1));
    }
    Session other{Graph{net.y}};
    CHECK(address(other.make_callable({net.folded}), 0) != address(all[0], 1));
    CHECK(computed == 2);
    computed = 0;
}

TEST_CASE("what only folded operations read is computed once too, though no plan holds it") {
    Placeholder<float, Shape<dyn, 2000>> x{"x"};
    Output deep = constant_of(numbers({1000, 2}, 1));
    for (int i = 0; i < 5; ++i) deep = make<float>(Reshape{}, {tanh_of(times(deep, deep)), axes({2, 1000})});
    const Output y = times(x, make<float>(Reshape{}, {deep, axes({2000})}));
    Session s;
    computed = 0;
    for (const std::int64_t batch : {1, 2, 3}) CHECK(s.make_callable({y}, Feed{x, numbers({batch, 2000}, 2)}).plan().kernels() == 1);
    CHECK(computed == 5);
    const Output further = times(x, make<float>(Reshape{}, {tanh_of(deep), axes({2000})}));
    CHECK(s.make_callable({further}, Feed{x, numbers({1, 2000}, 2)}).plan().kernels() == 1);
    CHECK(computed == 6);  // it begins with what other plans hold
}

TEST_CASE("what follows from extents is shared by plans for which they are the same") {
    Placeholder<float, Shape<dyn, 2000>> x{"x"};
    Placeholder<float, Shape<2000>> z{"z"};
    const Output count = make<float>(Cast{}, {make_operation(table_of<Size, float>(), tenon::detail::shared_op(Size{}), {x})});
    const Output many = tanh_of(times(constant_of(numbers({2000}, 1)), times(count, constant_of(Tensor::scalar(1 / 2000.0f)))));
    const Output y = times(times(x, many), z);
    const Tensor w = numbers({2000}, 3);
    Session s;
    const auto plan = [&](std::int64_t batch, const Tensor& fed) { return s.make_callable({y, many}, Feed{x, numbers({batch, 2000}, 2)}, Feed{z, fed}); };
    const auto two = plan(2, w), three = plan(3, w), again = Session{s.graph()}.make_callable({y, many}, Feed{x, numbers({2, 2000}, 2)}, Feed{z, w});
    CHECK(address(two, 1) != address(three, 1));
    CHECK(address(two, 1) == address(again, 1));
    CHECK(two.result<float>(1)[7] == doctest::Approx(std::tanh(2 * numbers({2000}, 1).data<float>()[7])));
    CHECK(three.result<float>(1)[7] == doctest::Approx(std::tanh(3 * numbers({2000}, 1).data<float>()[7])));
}

TEST_CASE("what is fed, or follows from it, is not what plans share") {
    const Net net;
    const Output z = tanh_of(net.folded);
    Session s;
    const Tensor folded = s.run_all({z})[0];
    const Tensor other = numbers({4096}, 9);
    CHECK(!same_bits(s.run_all({z}, {{net.w, other}})[0], folded));
    CHECK(!same_bits(s.run_all({z}, {{net.folded, other}})[0], folded));
    CHECK(same_bits(s.run_all({z})[0], folded));
    CHECK(same_bits(s.run_all({z, net.y}, {net.fed(1)})[0], folded));
}

TEST_CASE("assigned variables are never folded, whatever they are added to") {
    const Variable<float, Shape<4096>> v{"v", constant(1.0f)};
    const Output c = constant_of(numbers({4096}, 1)), y = times(v, tanh_of(c));
    Session s;
    const Tensor one = s.run_all({y})[0];
    v.assign(numbers({4096}, 5));
    const Tensor two = s.run_all({y})[0];
    const auto more = s.run_all({y, c});
    CHECK(same_bits(two, more[0]));
    CHECK(!same_bits(one, two));
}

TEST_CASE("a folded tensor goes with the last plan that uses it, and outlives the session and the graph for a plan that does") {
    const Net net;
    std::weak_ptr<void> constant = net.w.operation->results[0].known.owner();
    auto graph = std::make_unique<Graph>(net.y);
    computed = 0;
    auto session = std::make_unique<Session>(*graph);
    auto step = std::make_unique<Callable>(session->make_callable({net.folded, net.y}, net.fed(2)));
    session.reset();
    const Tensor was = Tensor(DType::float32, {4096}, const_cast<void*>(address(*step, 0)), nullptr).clone();
    CHECK(address(Session{*graph}.make_callable({net.folded}), 0) == address(*step, 0));
    CHECK(computed == 1);
    const auto held = constant.use_count();
    graph.reset();
    (*step)();
    CHECK(std::memcmp(step->result<float>(0).data(), was.raw(), was.bytes()) == 0);
    step.reset();
    CHECK(constant.use_count() < held);
    Session{Graph{net.y}}.run_all({net.folded});
    CHECK(computed == 2);
}

TEST_CASE("what plans leave behind does not grow with their number") {
    Placeholder<float, Shape<2000>> x{"x"};
    FoldedValues folded;
    Streams streams;
    std::weak_ptr<void> last;
    for (int i = 0; i < 1000; ++i) {
        const Output c = constant_of(numbers({2000}, i)), y = tanh_of(c);
        const std::vector<Output> fetches{y};
        Plan plan;
        PlanBuilder<>(plan, fetches, {}, streams, folded).build();
        CHECK(last.expired());
        last = c.operation->results[0].known.owner();
    }
    CHECK(folded.known() <= 200);
}

TEST_CASE("a fold that fails is left to the run, leaves nothing behind and is tried by the next plan") {
    const Net net;
    const Output more = times(times(constant_of(numbers({4096}, 3)), net.folded), net.folded);
    Session s{Graph{net.y}};
    const auto plan = [&](std::int64_t batch) { return s.make_callable({net.y, more, net.folded}, net.fed(batch)); };
    fails = true;
    const Callable failed = plan(1), again = plan(2);
    CHECK(failed.plan().kernels() == 4);
    CHECK_THROWS_AS(failed(), ValueError);
    fails = false;
    const auto good = plan(3), better = plan(4);
    CHECK(good.plan().kernels() == 1);
    failed(), again(), good(), better();
    CHECK(address(good, 1) == address(better, 1));
    for (const auto* c : {&failed, &again})
        for (const std::size_t fetch : {1u, 2u}) {
            CHECK(address(*c, fetch) != address(good, fetch));
            CHECK(std::memcmp(address(*c, fetch), address(good, fetch), 4096 * 4) == 0);
        }
}

TEST_CASE("of a graph in which some folds fail and others do not, the others are folded and shared") {
    const Output n = make_const<std::int32_t>(Tensor(DType::int32, {2000})), zero = make_const<std::int32_t>(Tensor::scalar(std::int32_t{0}));
    std::fill_n(n.operation->results[0].known.data<std::int32_t>(), 2000, 1);
    std::vector<Output> fetches;
    for (int i = 0; i < 4; ++i) {
        const Output good = tanh_of(constant_of(numbers({2000}, i))), bad = make<std::int32_t>(FloorDiv{}, {make<std::int32_t>(Add{}, {n, make_const<std::int32_t>(Tensor::scalar(std::int32_t{i}))}), zero});
        fetches.push_back(good), fetches.push_back(bad), fetches.push_back(times(make<float>(Cast{}, {bad}), good));
    }
    Session s;
    computed = 0;
    const auto all = s.make_callable(fetches);
    CHECK(all.plan().kernels() == 12);  // four divisions, what is made of them
    CHECK(computed == 4);
    CHECK_THROWS_AS(all(), ValueError);
    CHECK(address(s.make_callable({fetches[0]}), 0) == address(all, 0));
}

TEST_CASE("threads that plan at the same time, each with its session, get one tensor, computed once") {
    for (int round = 0; round < 20; ++round) {
        const Net net;
        const Output z = times(tanh_of(tanh_of(net.folded)), net.folded);
        const Graph graph{net.y, z};
        computed = 0;
        constexpr std::size_t count = 4;
        std::vector<std::pair<const void*, const void*>> addresses(count);
        std::vector<Tensor> results(count);
        std::vector<std::thread> threads;
        std::vector<std::unique_ptr<Callable>> steps(count);
        for (std::size_t i = 0; i < count; ++i)
            threads.emplace_back([&, i] {
                Session s{graph};
                for (const std::int64_t batch : {1, 2, 3}) {
                    steps[i] = std::make_unique<Callable>(s.make_callable({net.y, net.folded, z}, net.fed(static_cast<std::int64_t>(i) + batch)));
                    (*steps[i])();
                }
                addresses[i] = {address(*steps[i], 1), address(*steps[i], 2)};
                results[i] = s.run_all({z})[0];
            });
        for (auto& t : threads) t.join();
        CHECK(computed == 3);
        for (std::size_t i = 0; i < count; ++i) {
            CHECK(addresses[i] == addresses[0]);
            CHECK(same_bits(results[i], results[0]));
        }
    }
}

TEST_CASE("what the graph knows of its constants lies there for all plans") {
    Placeholder<float, Shape<dyn, 500>> x{"x"};
    const Output scale = make<float>(Rsqrt{}, {make<float>(Add{}, {constant_of(numbers({500}, 1)), constant_of(Tensor::scalar(2.0f))})}), y = times(x, scale);
    Session s;
    for (const std::int64_t batch : {1, 2}) CHECK(address(s.make_callable({y, scale}, Feed{x, numbers({batch, 500}, 2)}), 1) == scale.operation->results[0].known.raw());
    const Tensor other = numbers({500}, 3);
    const Feed fed{scale.operation->inputs[0], other};
    const Tensor r = s.run_all({scale}, {fed})[0];
    CHECK(r.data<float>()[3] == doctest::Approx(1 / std::sqrt(other.data<float>()[3])).epsilon(1e-3));
}

TEST_CASE("a kernel that is run while planning may run a session of the same graph") {
    static Output inner;
    static const Graph* whole = nullptr;
    static const OpTable table = [] {
        OpTable t = table_of<Tanh, float>();
        t.forward = [](const Call& c) {
            Session{*whole}.run_all({inner});
            table_of<Tanh, float>().forward(c);
        };
        return t;
    }();
    const Output c = constant_of(numbers({5000}, 1)), y = make_operation(table, detail::shared_op(Tanh{}), {c});
    inner = make<float>(Neg{}, {c});
    const Graph graph{y, inner};
    whole = &graph;
    CHECK(same_bits(Session{graph}.run_all({y})[0], Session{}.run_all({make<float>(Tanh{}, {c})})[0]));
    inner = {};
}
