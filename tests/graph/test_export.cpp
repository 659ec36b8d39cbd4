// What is in the graphs that programs make, beyond their operations.
#include <tenon/graph/export.hpp>
#include <tenon/ops/cross_entropy.hpp>
#include <tenon/ops/matmul.hpp>
#include <tenon/ops/reduce.hpp>
#include <tenon/train/optimizers.hpp>

#include <doctest/doctest.h>

using namespace tenon;

namespace {

/// What a node waits for besides its inputs, sorted.
std::vector<std::string> controls(const proto::GraphDef& graph, std::string_view name) {
    std::vector<std::string> found;
    for (const auto& n : graph.node)
        if (n.name == name)
            for (const auto& i : n.input) if (i.starts_with('^')) found.push_back(i.substr(1));
    std::sort(found.begin(), found.end());
    return found;
}
const proto::NodeDef& node(const proto::GraphDef& graph, std::string_view name) {
    for (const auto& n : graph.node) if (n.name == name) return n;
    FAIL("no node " << name);
    return graph.node.front();
}

}  // namespace

TEST_CASE("an exported update waits for what reads the old value in the same run, and for nothing else") {
    Placeholder<float, Shape<dyn, 3>> x{"x"};
    Placeholder<float, Shape<dyn, 2>> wanted{"wanted"};
    Variable<float, Shape<3, 4>> w1{"w1"};
    Variable<float, Shape<4, 2>> w2{"w2"};
    auto hidden = named("hidden", matmul(x, w1));
    auto y = named("y", matmul(hidden, w2));
    auto error = named("error", mean(abs(y - wanted)));
    auto report = named("report", sum(matmul(hidden, w2)));  // reads w2 too, but belongs to another run
    const Output train = GradientDescent{}.minimize(mean(square(y - wanted)));
    Graph graph{report, error, train};
    const auto def = export_graph(graph);

    // The product that takes the adjoint of y back to hidden reads w2, and the update of w2 does not need it.
    std::vector<std::string> back;
    for (const auto& n : def.node)
        if (n.op == "MatMul" && n.name.starts_with("gradients/") && n.attr.find("transpose_b")->b.value_or(false)) back.push_back(n.name);
    REQUIRE(back.size() == 1);
    CHECK(controls(def, "GradientDescent/update_w2/ApplyGradientDescent") == back);
    CHECK(controls(def, "GradientDescent/update_w1/ApplyGradientDescent").empty());  // what reads w1 is needed for its gradient
    CHECK(controls(def, "w2/Assign").empty());
    CHECK(node(def, "GradientDescent").input.size() == 2);
}

TEST_CASE("a counter that rates are computed from goes up after they were read") {
    Variable<float, Shape<>> w{"w", constant(1.0f)}, ticks{"ticks", constant(1.0f)};
    auto rate = named("rate", 0.1f / ticks);
    const Output descend = GradientDescent{{.learning_rate = rate}}.minimize(square(w), {.variables = {w}});
    const Output count = make<float>(AssignAdd{}, {variable_of(ticks), make_const<float>(Tensor::scalar(1.0f), "one")}, "count");
    const auto def = export_graph(Graph{group({descend, count}, "both")});
    CHECK(controls(def, "count") == std::vector<std::string>{"rate"});
}
