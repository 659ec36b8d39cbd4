// Import a graph and restore its variables, knowing only the files.
#include <tenon/import.hpp>

#include <iostream>

using namespace tenon;

int main() {
    // Several models lie in this directory: any of them by its prefix,
    auto [graph, saver] = import_meta_graph("my_model-1000.meta");
    Session session{graph};
    saver.restore(session, "my_model-1000");
    std::cout << session.run("w1:0").dims().size() << " and " << session.run("w2:0").dims().size() << " numbers\n";

    // and the newest as `checkpoint` names it.
    const auto newest = latest_checkpoint("./").value();
    std::cout << newest << '\n';
    auto [test_graph, test_saver] = import_meta_graph(newest + ".meta");
    Session test_session{test_graph};
    test_saver.restore(test_session, newest);
    std::cout << test_session.run("bias:0") << '\n';
}

// Output:
// 2 and 5 numbers
// ./my_test_model-1000
// 2.0
