// The nets of worker.cpp written by hand with Eigen, as a worker: protocol.hpp says how it is asked.
#include "hand/cnn.hpp"
#include "hand/lstm.hpp"
#include "hand/mlp.hpp"
#include "protocol.hpp"

#include <memory>

#include <malloc.h>

namespace {
template <class T, class... A> std::function<bench::Step()> steps_of(float (T::*step)(), A... args) {
    return [=] {
        const auto net = std::make_shared<T>(args...);
        return [net, step] {
            const float value = ((*net).*step)();
            bench::clobber();
            return value;
        };
    };
}
}  // namespace

int main() {
    using namespace hand;
    mallopt(M_MMAP_THRESHOLD, 1 << 30), mallopt(M_TRIM_THRESHOLD, 1 << 30);  // Eigen packs in malloc's memory: mapping it afresh for every product may double the time
    using Fixed = Tiny<4, 2, 8, 1>;
    using Dynamic = Tiny<-1, -1, -1, -1>;
    bench::serve({
        {"mlp_tiny/hand", steps_of(&Fixed::step, 4, 2, 8, 1)},
        {"mlp_tiny/hand_dynamic", steps_of(&Dynamic::step, 4, 2, 8, 1)},
        {"mlp_mnist/hand", steps_of(&Classifier::step, 64, std::vector<Index>{784, 128, 10})},
        {"mlp_wide/hand", steps_of(&Classifier::step, 256, std::vector<Index>{1024, 1024, 1024, 1024})},
        {"cnn_train50/hand", steps_of(&Cnn::train, 50, true)},
        {"cnn_infer1/hand", steps_of(&Cnn::infer, 1, false)},
        {"cnn_infer50/hand", steps_of(&Cnn::infer, 50, false)},
        {"lstm_forward/hand", steps_of(&Lstm::forward)},
        {"lstm_train/hand", steps_of(&Lstm::train)},
    });
}
