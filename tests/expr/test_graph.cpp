// How a graph names its operations.
#include <tenon/ops/ops.hpp>
#include <tenon/run/variable.hpp>

#include <doctest/doctest.h>

#include <random>
#include <set>

using namespace tenon;

namespace {
Output scalar(std::string name) { return make_operation(table_of<PlaceholderOp, float>(), std::make_shared<PlaceholderOp>(PlaceholderOp{Dims{}}), {}, std::move(name)); }
}  // namespace

TEST_CASE("a name is the first of NAME, NAME_1, NAME_2, ... that is free, whichever were taken by hand") {
    std::mt19937 draw(7);
    for (int round = 0; round < 50; ++round) {
        std::set<std::string> taken;
        Graph graph;
        for (int i = 0; i < 60; ++i) {
            std::string asked = draw() % 2 ? "x" : "scope/x";
            for (auto parts = draw() % 3; parts > 0; --parts) asked += "_" + std::to_string(draw() % 5);
            std::string wanted = asked;
            for (int k = 1; taken.contains(wanted); ++k) wanted = asked + "_" + std::to_string(k);
            taken.insert(wanted);
            const Output o = scalar(asked);
            graph.add({o});
            REQUIRE(o.operation->name == wanted);
        }
    }
}

TEST_CASE("naming many operations alike costs as much as naming them apart") {
    const int n = 200'000;  // were each to try the names of those before it, this would take hours
    std::vector<Output> all;
    for (int i = 0; i < n; ++i) all.push_back(scalar("x"));
    const Graph graph(all);
    CHECK(all.front().operation->name == "x");
    CHECK(all.back().operation->name == "x_" + std::to_string(n - 1));
}

TEST_CASE("reads follow a variable that had to be renamed, each its own") {
    std::vector<Output> roots;
    for (int i = 0; i < 3; ++i) roots.push_back(Variable<float, Shape<2>>{"w", constant(0.1f)} * 2.0f);
    const Graph graph(roots);
    for (const auto* name : {"w", "w_1", "w_2"}) {
        CHECK(graph.get_operation_by_name(name)->table->is_state);
        CHECK(graph.get_operation_by_name(std::string(name) + "/Assign")->inputs[0].operation->name == name);
    }
    std::vector<std::string> reads;
    for (const auto& o : graph.operations())
        if (o->table->name == "Identity") reads.push_back(o->name + " of " + o->inputs[0].operation->name);
    CHECK(reads == std::vector<std::string>{"w/read of w", "w_1/read of w_1", "w_2/read of w_2"});
}
