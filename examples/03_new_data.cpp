// The same model, other data: by name, and by typed handles whose types and shapes are checked when they are asked for.
#include <tenon/import.hpp>

#include <iostream>

using namespace tenon;

int main() {
    auto [graph, saver] = import_meta_graph("my_test_model-1000.meta");
    Session session{graph};
    saver.restore(session, latest_checkpoint("./").value());

    std::cout << session.run("op_to_restore:0", feed("w1:0", 13.0f), feed("w2:0", 17.0f)) << '\n';

    auto w1 = graph.get_tensor_by_name<float, Shape<>>("w1:0");
    auto w2 = graph.get_tensor_by_name<float, Shape<>>("w2:0");
    auto op_to_restore = graph.get_tensor_by_name<float, Shape<>>("op_to_restore:0");
    const float result = session.run(op_to_restore, feed(w1, 13.0f), feed(w2, 17.0f));
    std::cout << result << '\n';

    try {
        graph.get_tensor_by_name<float, Shape<3>>("op_to_restore:0");
    } catch (const ShapeError& e) {
        std::cout << e.what() << '\n';
    }
}

// Output:
// 60.0
// 60
// [Graph] 'op_to_restore:0' is [], asked for [3]
