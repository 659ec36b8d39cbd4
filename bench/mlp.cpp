// One training step of 784-128-10, batch 64 (relu, softmax cross entropy, gradient descent): tenon's session beside hand-written Eigen.
#include "hand_written.hpp"
#include "harness.hpp"

#include <tenon/tenon.hpp>

#include <malloc.h>

using namespace tenon;

int main() {
    mallopt(M_MMAP_THRESHOLD, 1 << 30), mallopt(M_TRIM_THRESHOLD, 1 << 30);  // Eigen packs in malloc's memory; without this the hand-written step may take twice as long
    constexpr int B = 64, I = 784, H = 128, O = 10;
    hand::Classifier reference;
    reference.init(B, I, H, O);
    auto again = reference;

    Placeholder<float, Shape<dyn, I>> x{"x"};
    Placeholder<std::int32_t, Shape<dyn>> labels{"labels"};
    Variable<float, Shape<I, H>> w1{"w1"};
    Variable<float, Shape<H>> b1{"b1"};
    Variable<float, Shape<H, O>> w2{"w2"};
    Variable<float, Shape<O>> b2{"b2"};
    auto hidden = relu(matmul(x, w1) + b1);
    auto loss = mean(sparse_softmax_cross_entropy_with_logits(labels, matmul(hidden, w2) + b2));
    auto train = GradientDescent{{.learning_rate = hand::rate}}.minimize(loss);

    w1.assign(Tensor::of<float>({I, H}, {reference.w1.data(), I * H}));
    w2.assign(Tensor::of<float>({H, O}, {reference.w2.data(), H * O}));
    std::vector<std::int32_t> y(B);
    for (int k = 0; k < B; ++k) y[std::size_t(k)] = k % O;
    Session session;
    auto step = session.make_callable({train, loss}, feed(x, {reference.x.data(), B * I}, {B, I}), feed(labels, y, {B}));

    for (int i = 0; i < 5; ++i) reference.step(), again.step(), step();
    std::printf("%zu kernels, %zu KiB; fifth loss: by hand %.7f, tenon %.7f\n", step.plan().kernels(), step.plan().arena_bytes() / 1024, double(reference.loss), double(step.result<float>(1)[0]));
    const double flops = 2.0 * B * (I * H * 2 + H * O * 3);
    bench::compare("784-128-10, batch 64, training step", {{"by hand, Eigen", [&] { reference.step(), bench::clobber(); }, flops}, {"by hand, again", [&] { again.step(), bench::clobber(); }, flops},
                                                           {"tenon, session", [&] { step(), bench::clobber(); }, flops}}, "GFLOP/s", 1e-9);
}
