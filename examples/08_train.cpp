// Train from scratch: an MLP on all ten digits, with batches of any size.
#include "digits.hpp"

#include <tenon/save.hpp>

#include <cstdio>

using namespace tenon;

int main() {
    Placeholder<float, Shape<dyn, 64>> images{"images"};
    Placeholder<std::int32_t, Shape<dyn>> labels{"labels"};
    Variable<float, Shape<64, 256>> w1{"hidden/weights", glorot_uniform({.seed = 1})};
    Variable<float, Shape<256>> b1{"hidden/biases"};
    Variable<float, Shape<256, 10>> w2{"output/weights", glorot_uniform({.seed = 2})};
    Variable<float, Shape<10>> b2{"output/biases"};

    auto logits = matmul(relu(matmul(images, w1) + b1), w2) + b2;
    const auto scores = named("scores", softmax(logits));
    auto loss = named("loss", mean(sparse_softmax_cross_entropy_with_logits(labels, logits)));
    auto train = Adam{{.learning_rate = 1e-2f}}.minimize(loss);

    Session session;
    const Digits digits = load_digits(Part::train, 0, 9), validation = load_digits(Part::validation, 0, 9), test = load_digits(Part::test, 0, 9);
    const auto right = [&](const Digits& d) { return accuracy(session.run(scores, feed(images, d.images)), d.labels); };
    for (int epoch = 1; epoch <= 30; ++epoch) {
        for (std::size_t at = 0; at < digits.size(); at += 50) {
            const Digits batch = digits.batch(at, std::min<std::size_t>(50, digits.size() - at));
            session.run(train, feed(images, batch.images), feed(labels, batch.labels));
        }
        const float left = session.run(loss, feed(images, validation.images), feed(labels, validation.labels));
        if (epoch % 5 == 0) std::printf("epoch %2d: validation loss %.3f, accuracy %.3f\n", epoch, double(left), right(validation));
    }
    std::printf("accuracy on %zu others %.3f, at least 0.96: %s\n", test.size(), right(test), right(test) >= 0.96 ? "yes" : "no");
    std::printf("saved as %s\n", Saver{Graph{scores, loss, train}}.save(session, "ten_digits", {.global_step = 660}).c_str());
}

// Output:
// epoch  5: validation loss ..., accuracy ...
// epoch 10: validation loss ..., accuracy ...
// epoch 15: validation loss ..., accuracy ...
// epoch 20: validation loss ..., accuracy ...
// epoch 25: validation loss ..., accuracy ...
// epoch 30: validation loss ..., accuracy ...
// accuracy on 360 others 0.9..., at least 0.96: yes
// saved as ten_digits-660
