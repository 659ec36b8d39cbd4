// What importing a graph costs, for 1,000 to 100,000 nodes, from binary and from JSON files.
// `import FILE [N]` prints the seconds that importing this .meta takes in a process that has just begun, and the least of N more imports in it.
// `import json FROM TO` writes the graph of a .meta as JSON.
#include "harness.hpp"

#include <tenon/graph/meta_file.hpp>
#include <tenon/import.hpp>
#include <tenon/io/file.hpp>

#include <filesystem>
#include <fstream>

#include <unistd.h>

using namespace tenon;

namespace {
/// A chain of ops over one variable, saved in both formats.
void write(const std::string& binary, const std::string& json, int nodes) {
    Variable<float, Shape<8>> w{"w"};
    Node<float, Shape<8>> h{w};
    for (int i = 0; i < nodes; i += 3) h = Node<float, Shape<8>>(tanh(h * w + w));
    const Graph graph{h};
    Session session{graph};
    Saver saver{graph};
    saver.save(session, binary, {.meta = MetaFormat::binary});
    saver.save(session, json, {.meta = MetaFormat::json});
}
}  // namespace

int main(int argc, char** argv) {
    if (argc == 4 && std::string(argv[1]) == "json") {
        std::ofstream(argv[3], std::ios::binary) << proto::write_meta(proto::read_meta(read_file(argv[2]), argv[2]), MetaFormat::json);
        return 0;
    }
    if (argc > 1) {
        const auto once = [&] {
            const double start = bench::now();
            const auto model = import_meta_graph(argv[1]);
            return bench::now() - start;
        };
        std::printf("%.6f\n", once());
        double least = 1e300;
        for (int more = argc > 2 ? std::atoi(argv[2]) : 0; more > 0; --more) least = std::min(least, once());
        if (argc > 2) std::printf("%.6f\n", least);
        return 0;
    }
    const auto folder = std::filesystem::temp_directory_path() / ("tenon_import_" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    for (const int nodes : {1000, 10000, 100000}) {
        const std::string binary = folder / "binary", json = folder / "json";
        write(binary, json, nodes);
        const auto load = [](const std::string& prefix) { return [prefix] { const auto model = import_meta_graph(prefix + ".meta"); }; };
        const auto name = [&](const char* format) { return std::string(format) + ", " + std::to_string(nodes); };
        bench::compare("growth with imported nodes", {{name("binary"), load(binary), double(nodes)}, {name("binary again"), load(binary), double(nodes)}, {name("JSON"), load(json), double(nodes)}}, "nodes/us", 1e-6, 7, 5);
        std::printf("  %.1f MB as binary, %.1f MB as JSON\n", double(std::filesystem::file_size(binary + ".meta")) * 1e-6, double(std::filesystem::file_size(json + ".meta")) * 1e-6);
    }
    std::filesystem::remove_all(folder);
}
