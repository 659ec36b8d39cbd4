// A new model from an old one: everything up to fc7 is kept as it is, and a new head learns to tell 8 from 9.
#include "digits.hpp"

#include <tenon/import.hpp>

#include <cstdio>
#include <cstring>
#include <fstream>

using namespace tenon;

int main() {
    auto [graph, saver] = import_meta_graph("digits-1000.meta");
    Session session{graph};
    saver.restore(session, latest_checkpoint("./").value());

    auto images = graph.get_tensor_by_name<float, Shape<dyn, 64>>("images:0");
    auto labels = graph.get_tensor_by_name<std::int32_t, Shape<dyn>>("labels:0");
    auto keep = graph.get_tensor_by_name<float, Shape<>>("keep:0");
    auto fc7 = stop_gradient(graph.get_tensor_by_name<float, Shape<dyn, 256>>("fc7:0"));
    constexpr auto width = decltype(fc7)::shape::as_list()[1];

    Variable<float, Shape<width, 2>> weights{"weights", truncated_normal({.stddev = 0.05f, .seed = 1})};
    Variable<float, Shape<2>> biases{"biases", constant(0.05f)};
    Variable<std::int64_t> step{"step", constant(1000)};
    auto output = named("output", matmul(dropout(fc7, keep, {.seed = 2}), weights) + biases);
    auto pred = named("pred", softmax(output));
    auto loss = named("head_loss", mean(sparse_softmax_cross_entropy_with_logits(labels, output)));
    auto train = Adam{{.learning_rate = 3e-3f, .name = "Head"}}.minimize(loss, {.global_step = step});

    const Digits digits = load_digits(Part::train, 8, 9), validation = load_digits(Part::validation, 8, 9), test = load_digits(Part::test, 8, 9);
    const auto learn = [&](std::int64_t until) {
        float last = 0;
        for (std::int64_t at; (at = session.run(step)) < until;) {
            const Digits batch = digits.batch(32 * std::size_t(at), 32);
            const auto [l, done] = session.run(fetch(loss, Node<std::int64_t, Shape<>>(train)), feed(images, batch.images), feed(labels, batch.labels), feed(keep, 0.9f));
            last = l;
        }
        return last;
    };
    learn(2000);
    bool same = true;  // below fc7, fc7 and fc8, their slots, powers: every variable of the old model
    for (const auto& v : list_variables("digits-1000")) {
        const Tensor was = load_variable("digits-1000", v.name), is = session.run(v.name + ":0");
        same &= was.bytes() == is.bytes() && std::memcmp(was.raw(), is.raw(), is.bytes()) == 0;
    }
    std::printf("what was imported did not change by one bit: %s\n", same ? "yes" : "no");
    const auto right = [&](const Digits& d) { return accuracy(session.run(pred, feed(images, d.images), feed(keep, 1.0f)), d.labels); };
    std::printf("accuracy on %zu digits for validation %.3f\n", validation.size(), right(validation));
    std::printf("accuracy on %zu others %.3f, at least 0.97: %s\n", test.size(), right(test), right(test) >= 0.97 ? "yes" : "no");
    std::printf("saved as %s\n", Saver{graph, train, pred}.save(session, "digits", {.global_step = 2000}).c_str());
    std::ofstream("after_2003.txt") << std::hexfloat << learn(2003) << '\n';  // for 07_resume to meet
}

// Output:
// what was imported did not change by one bit: yes
// accuracy on 62 digits for validation ...
// accuracy on 83 others ..., at least 0.97: yes
// saved as digits-2000
