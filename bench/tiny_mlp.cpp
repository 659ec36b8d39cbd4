// One training step of 2-8-1, batch 4 (tanh, sigmoid, mean squared error, gradient descent): hand-written with constant extents,
// tenon's value_and_gradient, tenon's session.
#include "hand/mlp.hpp"
#include "nets/mlp.hpp"

int main() {
    hand::Tiny<4, 2, 8, 1> reference(4, 2, 8, 1);
    auto again = reference;
    hand::Tiny<-1, -1, -1, -1> dynamic(4, 2, 8, 1);
    const bench::Model step(bench::tiny_mlp());
    const bench::Step function = bench::tiny_mlp_function();

    float session_loss = 0, function_loss = 0;
    for (int i = 0; i < 50; ++i) reference.step(), session_loss = step(), function_loss = function();
    std::printf("%zu kernels; loss after 50 steps: by hand %.7f, session %.7f, function %.7f\n", step.plan().kernels(), double(reference.loss), double(session_loss), double(function_loss));
    bench::compare("2-8-1, batch 4, training step", {{"by hand, constant extents", [&] { reference.step(), bench::clobber(); }}, {"by hand, again", [&] { again.step(), bench::clobber(); }},
                                                     {"by hand, dynamic Eigen", [&] { dynamic.step(), bench::clobber(); }}, {"tenon, value_and_gradient", [&] { function(), bench::clobber(); }},
                                                     {"tenon, session", [&] { step(), bench::clobber(); }}}, "", 1, 15, 2);
}
