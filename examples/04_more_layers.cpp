// More layers on an imported graph; what comes of it is saved with old and new nodes.
#include <tenon/import.hpp>

#include <iostream>

using namespace tenon;

int main() {
    auto [graph, saver] = import_meta_graph("my_test_model-1000.meta");
    Session session{graph};
    saver.restore(session, "my_test_model-1000");

    auto w1 = graph.get_tensor_by_name<float, Shape<>>("w1:0");
    auto w2 = graph.get_tensor_by_name<float, Shape<>>("w2:0");
    auto op_to_restore = graph.get_tensor_by_name<float, Shape<>>("op_to_restore:0");

    auto add_on = op_to_restore * 2.0f;
    std::cout << session.run(add_on, feed(w1, 13.0f), feed(w2, 17.0f)) << '\n';

    // A learned layer beside it: the graph grows by what the new root reaches, and a new saver takes its variables too.
    Variable<float, Shape<>> scale{"scale", constant(0.5f)};
    auto scaled = named("scaled", add_on * scale);
    std::cout << Saver{graph, scaled}.save(session, "my_longer_model", {.meta = MetaFormat::binary}) << '\n';
    for (const auto& v : list_variables("my_longer_model")) std::cout << v.name << '\n';
}

// Output:
// 120.0
// my_longer_model
// bias
// scale
