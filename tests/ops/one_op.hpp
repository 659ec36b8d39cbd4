// A golden case as a graph of its own: a node of any op, placeholders where it reads tensors, variables where it writes.
#pragma once
#include "../support/op_case.hpp"
#include <tenon/checkpoint/builtin_ops.hpp>
#include <tenon/expr/constant.hpp>
#include <tenon/graph/import.hpp>
#include <tenon/io/json.hpp>
#include <tenon/run/session.hpp>

#include <set>

namespace tenon::test {

/// What a case says of its node and inputs; a test may change it before it makes the graph.
struct OneOp {
    proto::NodeDef node;
    std::vector<Tensor> inputs;
    std::vector<bool> variables;  ///< which inputs are
    int producer = 134;

    explicit OneOp(const Json& c) : node(proto::from_json<proto::NodeDef>(c.at("node").dump())), producer(c.value("producer", 134)) {
        node.name = "op";
        if (c.contains("attrs"))  // of a node that TensorFlow refused to make
            for (const auto& [attr, value] : c.at("attrs").items()) {
                if (value.is_boolean()) node.attr[attr] = proto::attr_value(value.get<bool>());
                else if (value.is_number_integer()) node.attr[attr] = proto::attr_value(value.get<std::int64_t>());
                else if (value.is_string()) node.attr[attr] = proto::attr_value(value.get<std::string>());
                else node.attr[attr] = proto::attr_value(value.get<std::vector<std::int64_t>>());
            }
        for (const auto& i : c.at("inputs")) inputs.push_back(tensor_from(i));
        for (std::size_t i = 0; i < inputs.size(); ++i) variables.push_back(c.contains("variables") && c.at("variables")[i].get<bool>());
    }
    bool writes_resources() const { return node.op.starts_with("Resource") || node.op.ends_with("VariableOp"); }
};

/// The graph of a OneOp. `known[i]`: what a placeholder says of input i's extents; all of them unless it is given.
struct OpGraph {
    Graph graph;
    std::vector<Output> inputs;
    std::shared_ptr<Operation> op;
    std::vector<Feed> feeds;  ///< of the inputs that are no variables
    Session session;

    explicit OpGraph(const OneOp& one, const std::vector<Dims>& known = {}) : graph(imported(one, known)), op(graph.get_operation_by_name("op")), session(graph) {
        if (!op->table->supported) {
            const std::string reason(op->table->reason);
            if (reason.empty() || reason.starts_with("no kernel")) throw UnsupportedError(reason);
            throw ValueError(reason);
        }
        for (std::size_t i = 0; i < one.inputs.size(); ++i) {
            inputs.push_back(graph.get_tensor_by_name("in" + std::to_string(i)));
            if (const auto& state = inputs[i].operation->state) state->value.assign(one.inputs[i]), state->initialized = true;
            else feeds.push_back({inputs[i], one.inputs[i]});
        }
    }
    Output output(std::size_t i) const { return {op, static_cast<int>(i)}; }
    std::vector<Output> outputs() const {
        std::vector<Output> all;
        for (std::size_t i = 0; i < op->results.size(); ++i) all.push_back(output(i));
        return all;
    }
    Tensor run(const Output& y) { return session.run_all({y}, feeds)[0]; }

private:
    static Graph imported(const OneOp& one, const std::vector<Dims>& known) {
        proto::MetaGraphDef meta;
        auto& g = meta.graph_def.emplace();
        g.versions.emplace().producer = one.producer;
        auto node = one.node;
        for (std::size_t i = 0; i < one.inputs.size(); ++i) {
            proto::NodeDef in;
            in.name = "in" + std::to_string(i);
            in.op = !one.variables[i] ? "Placeholder" : one.writes_resources() ? "VarHandleOp" : "VariableV2";
            in.attr["dtype"] = proto::attr_value(one.inputs[i].dtype());
            in.attr["shape"] = proto::attr_value(known.empty() ? one.inputs[i].dims() : known[i]);
            node.input.push_back(in.name);
            g.node.push_back(std::move(in));
        }
        g.node.push_back(std::move(node));
        return import_graph(std::move(meta), builtin_ops());
    }
};

/// Every op of the index, each name once, in the order of names.
inline std::vector<std::string> op_names() {
    std::vector<std::string> names;
    for (const OpTable* t : builtin_ops()) if (names.empty() || names.back() != t->name) names.emplace_back(t->name);
    return names;
}
inline bool has_cases(const std::string& op) { return std::filesystem::exists(golden("ops", op + ".json")); }

/// A constant of the tensor's own type.
inline Output constant_of(const Tensor& t) {
    switch (t.dtype()) {
        case DType::float64: return make_const<double>(t);
        case DType::half: return make_const<half>(t);
        case DType::bfloat16: return make_const<bfloat16>(t);
        default: return make_const<float>(t);
    }
}

}  // namespace tenon::test
