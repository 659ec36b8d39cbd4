// Train a network that tells the digits 0 to 7 apart; its last hidden layer is named fc7. Save it.
#include "digits.hpp"

#include <tenon/save.hpp>

#include <cstdio>

using namespace tenon;

int main() {
    Placeholder<float, Shape<dyn, 64>> images{"images"};
    Placeholder<std::int32_t, Shape<dyn>> labels{"labels"};

    Variable<float, Shape<64, 96>> fc6_weights{"fc6/weights", glorot_uniform({.seed = 6})};
    Variable<float, Shape<96>> fc6_biases{"fc6/biases"};
    Variable<float, Shape<96, 48>> fc7_weights{"fc7/weights", glorot_uniform({.seed = 7})};
    Variable<float, Shape<48>> fc7_biases{"fc7/biases"};
    Variable<float, Shape<48, 8>> fc8_weights{"fc8/weights", glorot_uniform({.seed = 8})};
    Variable<float, Shape<8>> fc8_biases{"fc8/biases"};

    auto fc6 = relu(matmul(images, fc6_weights) + fc6_biases);
    auto fc7 = named("fc7", relu(matmul(fc6, fc7_weights) + fc7_biases));
    auto logits = named("fc8", matmul(fc7, fc8_weights) + fc8_biases);
    auto loss = named("loss", mean(sparse_softmax_cross_entropy_with_logits(labels, logits)));
    auto train = Adam{{.learning_rate = 3e-3f}}.minimize(loss);

    Graph graph{logits, loss, train};
    Session session{graph};
    const Digits digits = load_digits(Part::train, 0, 7), unseen = load_digits(Part::test, 0, 7);
    for (std::size_t step = 0; step < 1000; ++step) {
        const Digits batch = digits.batch(32 * step, 32);
        session.run(train, feed(images, batch.images), feed(labels, batch.labels));
    }
    const auto scores = session.run(logits, feed(images, unseen.images));
    std::printf("%zu digits learned, accuracy on %zu others at least 0.95: %s\n", digits.size(), unseen.size(), accuracy(scores, unseen.labels) >= 0.95 ? "yes" : "no");
    std::printf("saved as %s\n", Saver{graph}.save(session, "digits", {.global_step = 1000}).c_str());
}

// Output:
// 1166 digits learned, accuracy on 277 others at least 0.95: yes
// saved as digits-1000
