// From process start to a printed result: import of a small graph, restore, run. bench/run times it as a whole, beside cold_floor.
//
//     cold_start make FOLDER    writes the graph (w1 + w2) * bias and its checkpoint
//     cold_start FOLDER         prints 60
#include <tenon/import.hpp>

#include <filesystem>
#include <iostream>

using namespace tenon;

int main(int argc, char** argv) {
    if (argc == 3) {
        const std::filesystem::path folder = argv[2];
        std::filesystem::create_directories(folder);
        Placeholder<float, Shape<>> w1{"w1"}, w2{"w2"};
        Variable<float, Shape<>> bias{"bias", constant(2.0f)};
        const auto op_to_restore = named("op_to_restore", (w1 + w2) * bias);
        const Graph graph{op_to_restore};
        Session session{graph};
        Saver{graph}.save(session, folder / "my_test_model", {.global_step = 1000, .meta = MetaFormat::binary});
        return 0;
    }
    if (argc != 2) return std::cerr << "usage: cold_start [make] FOLDER\n", 1;
    const std::string folder = argv[1];
    auto [graph, saver] = import_meta_graph(folder + "/my_test_model-1000.meta");
    Session session{graph};
    saver.restore(session, latest_checkpoint(folder).value());
    std::cout << session.run("op_to_restore:0", feed("w1:0", 13.0f), feed("w2:0", 17.0f)) << '\n';
}
