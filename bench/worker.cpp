// tenon's side of a comparison of whole processes: nets that other frameworks train and run as well, from the same numbers.
//
//     worker -> driver   ready CASE/VARIANT ...
//     driver -> worker   run CASE/VARIANT SECONDS
//     worker -> driver   CALLS MEDIAN_US MIN_US FIRST_CALL_S       (one line; "fail REASON" if it cannot)
//     driver -> worker   check CASE/VARIANT                         (fresh state, five calls)
//     worker -> driver   the number that the fifth call returned
//
// Variants: `typed`, the program as a user writes it; `imported`, the same net saved by it and imported from its .meta; `function`, value_and_gradient.
#include "harness.hpp"

#include <tenon/grad/value_and_gradient.hpp>
#include <tenon/import.hpp>

#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>

#include <unistd.h>

using namespace tenon;
using bench::now;

namespace {

using Step = std::function<float()>;

/// Uniform numbers in [-scale, scale) that every language makes alike: frac(sin(12.9898 i + 78.233 seed) 43758.5453).
Tensor numbers(const Dims& dims, float scale, int seed, float plus = 0) {
    Tensor t(DType::float32, dims);
    for (std::int64_t i = 0; i < t.size(); ++i) {
        volatile double a = double(i) * 12.9898, b = seed * 78.233;  // volatile: no fused multiply-add
        const double x = std::sin(a + b) * 43758.5453;
        t.data<float>()[i] = float((x - std::floor(x)) * 2 - 1) * scale + plus;
    }
    return t;
}
Tensor filled(const Dims& dims, float value) {
    Tensor t(DType::float32, dims);
    std::fill_n(t.data<float>(), t.size(), value);
    return t;
}
Tensor one_hot(std::int64_t batch, std::int64_t classes) {
    Tensor t = filled({batch, classes}, 0);
    for (std::int64_t i = 0; i < batch; ++i) t.data<float>()[i * classes + i % classes] = 1;
    return t;
}

/// Owns a session and what it is fed; calling it runs `train`, if there is one, and gives the first element of `value`.
struct Model {
    std::shared_ptr<Session> session;
    std::shared_ptr<Callable> step;
    Model(const Graph& graph, const std::vector<Output>& fetches, std::vector<Feed> feeds) : session(std::make_shared<Session>(graph)), step(std::make_shared<Callable>(session->make_callable(fetches, std::move(feeds)))) {}
    float operator()() const {
        (*step)();
        return step->result<float>(0)[0];
    }
};
/// The net as it stands, or what an importer makes of it.
Step model(bool imported, const Output& value, const Output& train, const std::vector<Feed>& feeds) {
    std::vector<Output> fetches{value};
    if (train) fetches.push_back(train);
    Graph graph(fetches);
    if (!imported) return Model(graph, fetches, feeds);
    const auto folder = std::filesystem::temp_directory_path() / ("tenon_worker_" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    Session session{graph};
    const std::string prefix = Saver{graph}.save(session, folder / "net");
    auto [other, saver] = import_meta_graph(prefix + ".meta");
    Session restored{other};
    saver.restore(restored, prefix);
    std::filesystem::remove_all(folder);
    const auto named = [&](const Output& o) { return other.get_tensor_by_name(o.operation->name); };
    std::vector<Feed> others;
    for (const Feed& f : feeds) others.push_back({named(f.of), f.value});
    for (Output& f : fetches) f = named(f);
    return Model(other, fetches, others);
}

Step tiny(bool imported) {
    Placeholder<float, Shape<4, 2>> x{"x"};
    Placeholder<float, Shape<4, 1>> t{"t"};
    Variable<float, Shape<2, 8>> w1{"w1"};
    Variable<float, Shape<8>> b1{"b1"};
    Variable<float, Shape<8, 1>> w2{"w2"};
    Variable<float, Shape<1>> b2{"b2"};
    auto loss = mean(square(sigmoid(matmul(tanh(matmul(x, w1) + b1), w2) + b2) - t));
    auto train = GradientDescent{{.learning_rate = 1e-3f}}.minimize(loss);
    w1.assign(numbers({2, 8}, std::pow(2.f, -.5f), 10));
    w2.assign(numbers({8, 1}, std::pow(8.f, -.5f), 11));
    return model(imported, loss, train, {feed(x, numbers({4, 2}, 1, 1)), feed(t, numbers({4, 1}, .5f, 2, .5f))});
}
Step tiny_function(bool) {
    struct State {
        Fixed<float, Shape<4, 2>> x;
        Fixed<float, Shape<4, 1>> t;
        Fixed<float, Shape<2, 8>> w1;
        Fixed<float, Shape<8>> b1;
        Fixed<float, Shape<8, 1>> w2;
        Fixed<float, Shape<1>> b2;
    };
    const auto s = std::make_shared<State>();
    const auto fill = [](auto& to, const Tensor& from) { std::copy_n(from.data<float>(), from.size(), to.elements.data()); };
    fill(s->x, numbers({4, 2}, 1, 1)), fill(s->t, numbers({4, 1}, .5f, 2, .5f)), fill(s->w1, numbers({2, 8}, std::pow(2.f, -.5f), 10)), fill(s->w2, numbers({8, 1}, std::pow(8.f, -.5f), 11));
    const auto step = value_and_gradient([p = s.get()](auto w1, auto b1, auto w2, auto b2) { return mean(square(sigmoid(matmul(tanh(matmul(p->x, w1) + b1), w2) + b2) - p->t)); });
    return [s, step] {
        const auto [loss, d] = step(s->w1, s->b1, s->w2, s->b2);
        const auto descend = [](auto& p, const auto& g) { for (std::size_t i = 0; i < p.size; ++i) p[i] -= 1e-3f * g[i]; };
        descend(s->w1, std::get<0>(d)), descend(s->b1, std::get<1>(d)), descend(s->w2, std::get<2>(d)), descend(s->b2, std::get<3>(d));
        return loss;
    };
}
Step mnist(bool imported) {
    Placeholder<float, Shape<dyn, 784>> x{"x"};
    Placeholder<float, Shape<dyn, 10>> t{"t"};
    Variable<float, Shape<784, 128>> w1{"w1"};
    Variable<float, Shape<128>> b1{"b1"};
    Variable<float, Shape<128, 10>> w2{"w2"};
    Variable<float, Shape<10>> b2{"b2"};
    auto loss = mean(softmax_cross_entropy_with_logits(t, matmul(relu(matmul(x, w1) + b1), w2) + b2));
    auto train = GradientDescent{{.learning_rate = 1e-3f}}.minimize(loss);
    w1.assign(numbers({784, 128}, std::pow(784.f, -.5f), 10));
    w2.assign(numbers({128, 10}, std::pow(128.f, -.5f), 11));
    return model(imported, loss, train, {feed(x, numbers({64, 784}, 1, 1)), feed(t, one_hot(64, 10))});
}
Step wide(bool imported) {
    Placeholder<float, Shape<dyn, 1024>> x{"x"}, t{"t"};
    Variable<float, Shape<1024, 1024>> w1{"w1"}, w2{"w2"}, w3{"w3"};
    Variable<float, Shape<1024>> b1{"b1"}, b2{"b2"}, b3{"b3"};
    auto h1 = relu(matmul(x, w1) + b1);
    auto h2 = relu(matmul(h1, w2) + b2);
    auto loss = mean(softmax_cross_entropy_with_logits(t, matmul(h2, w3) + b3));
    auto train = GradientDescent{{.learning_rate = 1e-3f}}.minimize(loss);
    w1.assign(numbers({1024, 1024}, 1 / 32.f, 10)), w2.assign(numbers({1024, 1024}, 1 / 32.f, 11)), w3.assign(numbers({1024, 1024}, 1 / 32.f, 12));
    return model(imported, loss, train, {feed(x, numbers({256, 1024}, 1, 1)), feed(t, one_hot(256, 1024))});
}
Step convolutional(bool imported, std::int64_t batch, bool trains) {
    Placeholder<float, Shape<dyn, 28, 28, 1>> x{"x"};
    Placeholder<float, Shape<dyn, 10>> t{"t"};
    Variable<float, Shape<5, 5, 1, 32>> k1{"k1"};
    Variable<float, Shape<5, 5, 32, 64>> k2{"k2"};
    Variable<float, Shape<3136, 1024>> w3{"w3"};
    Variable<float, Shape<1024, 10>> w4{"w4"};
    Variable<float, Shape<32>> b1{"b1", constant(0.1f)};
    Variable<float, Shape<64>> b2{"b2", constant(0.1f)};
    Variable<float, Shape<1024>> b3{"b3", constant(0.1f)};
    Variable<float, Shape<10>> b4{"b4", constant(0.1f)};
    constexpr Conv2D same{.padding = Padding::same};
    constexpr MaxPool halve{.ksize = {1, 2, 2, 1}, .strides = {1, 2, 2, 1}, .padding = Padding::same};
    auto h1 = max_pool<halve>(relu(conv2d<same>(x, k1) + b1));
    auto h2 = max_pool<halve>(relu(conv2d<same>(h1, k2) + b2));
    auto h3 = relu(matmul(reshape<dyn, 3136>(h2), w3) + b3);
    auto logits = named("logits", matmul(h3, w4) + b4);
    k1.assign(numbers({5, 5, 1, 32}, .1f, 10)), k2.assign(numbers({5, 5, 32, 64}, .1f, 11)), w3.assign(numbers({3136, 1024}, .1f, 12)), w4.assign(numbers({1024, 10}, .1f, 13));
    const Feed images = feed(x, numbers({batch, 28, 28, 1}, .5f, 1, .5f));
    if (!trains) return model(imported, logits, {}, {images});
    auto loss = mean(softmax_cross_entropy_with_logits(t, logits));
    auto train = Adam{{.learning_rate = 1e-4f}}.minimize(loss);
    return model(imported, loss, train, {images, feed(t, one_hot(batch, 10))});
}

/// "CALLS MEDIAN_US MIN_US FIRST_CALL_S" of calling for so many seconds, in samples of at least a millisecond.
std::string timed(const Step& step, double seconds, double first) {
    long calls = 0, each = 0;
    for (double start = now(); now() - start < 1e-3; ++each) step();
    std::vector<double> samples;
    for (const double end = now() + seconds; samples.size() < 5 || now() < end;) {
        const double start = now();
        for (long i = 0; i < each; ++i) step();
        samples.push_back((now() - start) / double(each) * 1e6);
        calls += each;
    }
    std::sort(samples.begin(), samples.end());
    char text[96];
    std::snprintf(text, sizeof text, "%ld %.4f %.4f %.3f", calls, samples[samples.size() / 2], samples[0], first);
    return text;
}

}  // namespace

int main() {
    std::map<std::string, std::function<Step()>> cases{{"mlp_tiny/function", [] { return tiny_function(false); }}};
    for (const bool imported : {false, true}) {
        const std::string variant = imported ? "/imported" : "/typed";
        cases["mlp_tiny" + variant] = [=] { return tiny(imported); };
        cases["mlp_mnist" + variant] = [=] { return mnist(imported); };
        cases["mlp_wide" + variant] = [=] { return wide(imported); };
        cases["cnn_train50" + variant] = [=] { return convolutional(imported, 50, true); };
        cases["cnn_infer1" + variant] = [=] { return convolutional(imported, 1, false); };
        cases["cnn_infer50" + variant] = [=] { return convolutional(imported, 50, false); };
    }
    std::cout << "ready";
    for (const auto& c : cases) std::cout << ' ' << c.first;
    std::cout << std::endl;
    std::map<std::string, std::pair<Step, double>> built;
    for (std::string line, word, name; std::getline(std::cin, line);) {
        std::istringstream in(line);
        double seconds = 0;
        in >> word >> name >> seconds;
        try {
            if (!cases.contains(name)) throw std::runtime_error("no such case");
            if (word == "check") {
                const Step step = cases[name]();
                for (int i = 0; i < 4; ++i) step();
                std::printf("%.7g\n", double(step()));
            } else {
                if (!built.contains(name)) {
                    const double start = now();
                    Step step = cases[name]();
                    step();
                    built[name] = {step, now() - start};
                }
                std::printf("%s\n", timed(built[name].first, seconds, built[name].second).c_str());
            }
        } catch (const std::exception& e) {
            std::printf("fail %s\n", e.what());
        }
        std::fflush(stdout);
    }
}
