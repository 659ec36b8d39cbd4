// 28x28 images: 5x5x32, pool, 5x5x64, pool, 1024, 10, with relu; Adam at 1e-4 where it learns.
#pragma once
#include "net.hpp"

namespace bench {

inline Net cnn(std::int64_t batch, bool trains) {
    using namespace tenon;
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
    if (!trains) return {logits, {}, {images}};
    auto loss = mean(softmax_cross_entropy_with_logits(t, logits));
    auto train = Adam{{.learning_rate = 1e-4f}}.minimize(loss);
    return {loss, train, {images, feed(t, one_hot(batch, 10))}};
}

}  // namespace bench
