// ResNet-50 v1 of 224x224 images, read from a checkpoint that a training program wrote: resnet50-1.meta, with gradients, Adam and summaries, 11,230 nodes.
#pragma once
#include "net.hpp"

#include <tenon/import.hpp>

namespace bench {

/// Inference of one grey image. `folder` is where `bench/peers/tf1_worker.py make_resnet FOLDER` wrote the checkpoint.
inline Net resnet50(const std::string& folder) {
    using namespace tenon;
    const std::string prefix = folder + "/resnet50-1";
    auto [graph, saver] = import_meta_graph(prefix + ".meta");
    Session session{graph};
    saver.restore(session, prefix);
    return {graph.get_tensor_by_name("prob:0"), {}, {{graph.get_tensor_by_name("images:0"), filled({1, 224, 224, 3}, .5f)}}};
}

}  // namespace bench
