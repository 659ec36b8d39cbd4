// Resume: a third program goes on where the second saved, with slots, step and random numbers as they were, to the same bits.
#include "digits.hpp"

#include <tenon/import.hpp>

#include <cstdio>

using namespace tenon;

int main() {
    auto [graph, saver] = import_meta_graph("digits-2000.meta");
    Session session{graph};
    saver.restore(session, latest_checkpoint("./").value());
    std::printf("restored at step %lld\n", static_cast<long long>(session.run("step:0").item<std::int64_t>()));

    auto images = graph.get_tensor_by_name<float, Shape<dyn, 64>>("images:0");
    auto labels = graph.get_tensor_by_name<std::int32_t, Shape<dyn>>("labels:0");
    auto keep = graph.get_tensor_by_name<float, Shape<>>("keep:0");
    auto step = graph.get_tensor_by_name<std::int64_t, Shape<>>("step:0");
    auto loss = graph.get_tensor_by_name<float, Shape<>>("head_loss:0");
    auto train = graph.get_tensor_by_name<std::int64_t, Shape<>>("Head:0");

    const Digits digits = load_digits(Part::train, 8, 9);
    float last = 0;
    for (std::int64_t at; (at = session.run(step)) < 2003;) {
        const Digits batch = digits.batch(32 * std::size_t(at), 32);
        const auto [l, done] = session.run(fetch(loss, train), feed(images, batch.images), feed(labels, batch.labels), feed(keep, 0.9f));
        last = l;
    }
    std::string text;
    std::getline(std::ifstream("after_2003.txt"), text);
    std::printf("three steps on, the loss is the second program's to the last bit: %s\n", std::strtof(text.c_str(), nullptr) == last ? "yes" : "no");
}

// Output:
// restored at step 2000
// three steps on, the loss is the second program's to the last bit: yes
