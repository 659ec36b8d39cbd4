// One training step of 784-128-10, batch 64 (relu, softmax cross entropy, gradient descent): tenon's session beside hand-written Eigen.
#include "hand/mlp.hpp"
#include "limits.hpp"
#include "nets/mlp.hpp"

#include <malloc.h>

int main() {
    mallopt(M_MMAP_THRESHOLD, 1 << 30), mallopt(M_TRIM_THRESHOLD, 1 << 30);  // Eigen packs in malloc's memory; without this the hand-written step may take twice as long
    constexpr int B = 64, I = 784, H = 128, O = 10;
    hand::Classifier reference(B, {I, H, O});
    auto again = reference;
    const bench::Model step(bench::classifier<I, H, O>(B));

    float loss = 0;
    for (int i = 0; i < 5; ++i) reference.step(), again.step(), loss = step();
    std::printf("%zu kernels, %zu KiB; fifth loss: by hand %.7f, tenon %.7f\n", step.plan().kernels(), step.plan().arena_bytes() / 1024, double(reference.loss), double(loss));
    const double flops = 2.0 * B * (I * H * 2 + H * O * 3), peak = bench::peak_flops();
    bench::compare("784-128-10, batch 64, training step", {{"by hand, Eigen", [&] { reference.step(), bench::clobber(); }, flops, peak}, {"by hand, again", [&] { again.step(), bench::clobber(); }, flops, peak},
                                                           {"tenon, session", [&] { step(), bench::clobber(); }, flops, peak}}, "GFLOP/s", 1e-9);
}
