// tenon as a worker beside the same nets in other libraries: protocol.hpp says how it is asked.
//
// Variants: `typed`, the program as a user writes it (a save that leaves writing to the system, as the others' do); `durable`, one that waits for the disk;
// `view`, a restore into verified views of the file; `imported`, the same net saved by it and imported from its .meta; `function`, value_and_gradient.
// THREADS says how many threads a session has, one if it is not there. ResNet-50 is there if RESNET50 names the folder of its checkpoint (nets/resnet.hpp).
#include "nets/checkpoints.hpp"
#include "nets/cnn.hpp"
#include "nets/imported.hpp"
#include "nets/lstm.hpp"
#include "nets/mlp.hpp"
#include "nets/resnet.hpp"

int main() {
    using namespace bench;
    const std::pair<const char*, std::function<Net()>> nets[]{
        {"mlp_tiny", tiny_mlp},
        {"mlp_mnist", [] { return classifier(); }},
        {"mlp_wide", [] { return wide_mlp(); }},
        {"cnn_train50", [] { return cnn(50, true); }},
        {"cnn_infer1", [] { return cnn(1, false); }},
        {"cnn_infer50", [] { return cnn(50, false); }},
        {"lstm_forward", [] { return lstm(false); }},
        {"lstm_train", [] { return lstm(true); }},
    };
    const char* said = std::getenv("THREADS");
    const tenon::SessionOptions options{.threads = said ? std::atoi(said) : 1};
    Cases cases{{"mlp_tiny/function", tiny_mlp_function}};
    for (const auto& [name, net] : nets) {
        cases[std::string(name) + "/typed"] = [=] { return Model(net(), options); };
        cases[std::string(name) + "/imported"] = [=] { return Model(imported(net()), options); };
    }
    for (const auto& [name, what] : {std::pair("save_1gib/typed", Files::save), {"save_1gib/durable", Files::save_durable}, {"restore_1gib/typed", Files::restore}, {"restore_1gib/view", Files::view}}) cases[name] = [what] { return checkpoint<1 << 20>(256, what); };
    for (const auto& [name, what] : {std::pair("save_small/typed", Files::save), {"save_small/durable", Files::save_durable}, {"restore_small/typed", Files::restore}}) cases[name] = [what] { return checkpoint<64>(3000, what); };
    if (const char* folder = std::getenv("RESNET50")) cases["resnet50_infer1/imported"] = [=] { return Model(resnet50(folder), options); };
    serve(cases);
}
