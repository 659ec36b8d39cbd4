// A net saved by the program that wrote it, and what an importer makes of the files.
#pragma once
#include "net.hpp"

#include <tenon/import.hpp>

#include <filesystem>

#include <unistd.h>

namespace bench {

inline Net imported(const Net& net) {
    using namespace tenon;
    const Graph graph(net.fetches());
    const auto folder = std::filesystem::temp_directory_path() / ("tenon_net_" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    Session session{graph};
    const std::string prefix = Saver{graph}.save(session, folder / "net");
    auto [other, saver] = import_meta_graph(prefix + ".meta");
    Session restored{other};
    saver.restore(restored, prefix);
    std::filesystem::remove_all(folder);
    const auto named = [&](const Output& o) { return o ? other.get_tensor_by_name(o.operation->name) : o; };
    Net twin{named(net.value), named(net.train), {}};
    for (const Feed& f : net.feeds) twin.feeds.push_back({named(f.of), f.value});
    return twin;
}

}  // namespace bench
