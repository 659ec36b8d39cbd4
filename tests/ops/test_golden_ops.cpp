// Every op against TensorFlow's own results: forward, gradient, state after a run, and errors.
#include "../support/op_case.hpp"
#include <tenon/grad/gradients.hpp>
#include <tenon/checkpoint/builtin_ops.hpp>
#include <tenon/graph/import.hpp>
#include <tenon/io/json.hpp>
#include <tenon/run/session.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <set>

using namespace tenon;
using namespace tenon::test;

namespace {

/// The node of a case in a graph of its own: placeholders in, variables where the op writes.
struct OpUnderTest {
    Graph graph;
    std::vector<std::string> inputs;
    std::shared_ptr<Operation> op;

    explicit OpUnderTest(const Json& c) {
        proto::MetaGraphDef meta;
        auto& g = meta.graph_def.emplace();
        g.versions.emplace().producer = c.value("producer", 134);
        auto node = proto::from_json<proto::NodeDef>(c.at("node").dump());
        node.name = "op";
        if (c.contains("attrs"))  // of a node that TensorFlow refused to make
            for (const auto& [attr, value] : c.at("attrs").items()) {
                if (value.is_boolean()) node.attr[attr] = proto::attr_value(value.get<bool>());
                else if (value.is_number_integer()) node.attr[attr] = proto::attr_value(value.get<std::int64_t>());
                else if (value.is_string()) node.attr[attr] = proto::attr_value(value.get<std::string>());
                else node.attr[attr] = proto::attr_value(value.get<std::vector<std::int64_t>>());
            }
        const bool resource = node.op.starts_with("Resource") || node.op == "AssignVariableOp" || node.op == "AssignAddVariableOp" || node.op == "AssignSubVariableOp";
        for (std::size_t i = 0; i < c.at("inputs").size(); ++i) {
            const Tensor t = tensor_from(c.at("inputs")[i]);
            const bool variable = c.contains("variables") && c.at("variables")[i].get<bool>();
            proto::NodeDef in;
            in.name = "in" + std::to_string(i);
            in.op = variable ? (resource ? "VarHandleOp" : "VariableV2") : "Placeholder";
            in.attr["dtype"] = proto::attr_value(t.dtype());
            in.attr["shape"] = proto::attr_value(t.dims());
            g.node.push_back(in);
            inputs.push_back(in.name);
            node.input.push_back(in.name);
        }
        g.node.push_back(node);
        graph = import_graph(std::move(meta), builtin_ops());
        op = graph.get_operation_by_name("op");
        if (op->table->supported) return;
        const auto& reason = static_cast<const tenon::detail::Carried*>(op->op.get())->reason;
        if (reason.starts_with("no kernel")) throw UnsupportedError(reason);
        throw ValueError(reason);
    }
};

struct Tolerance { double rtol, atol; };
Tolerance tolerance(const Json& c, DType t) {
    if (c.contains("rtol") || c.contains("atol")) return {c.value("rtol", 0.0), c.value("atol", 1e-6)};
    switch (t) {
        case DType::float64: return {1e-12, 1e-12};
        case DType::half: return {2e-3, 2e-3};
        case DType::bfloat16: return {1e-2, 1e-2};
        default: return {1e-5, 1e-6};
    }
}
std::string compare(const Json& c, const Tensor& got, const Json& want) {
    const Tensor expected = tensor_from(want);
    const auto t = tolerance(c, expected.dtype());
    return is_floating(expected.dtype()) ? difference(got, expected, t.rtol, t.atol) : difference(got, expected);
}

/// Empty, or what differs.
std::string try_case(const Json& c) {
    try {
        OpUnderTest under(c);
        Session session(under.graph);
        std::vector<Feed> feeds;
        std::vector<Output> variables;
        for (std::size_t i = 0; i < under.inputs.size(); ++i) {
            const Output in = under.graph.get_tensor_by_name(under.inputs[i]);
            const Tensor value = tensor_from(c.at("inputs")[i]);
            if (in.operation->state) {
                in.operation->state->value.assign(value);
                in.operation->state->initialized = true;
                variables.push_back(in);
            } else {
                feeds.push_back({in, value});
            }
        }
        std::vector<Output> wanted;
        for (std::size_t i = 0; i < under.op->results.size(); ++i) wanted.push_back({under.op, static_cast<int>(i)});
        if (wanted.empty()) wanted.push_back({under.op, 0});
        const auto got = session.run_all(wanted, feeds);
        if (c.contains("error")) return "no error; TensorFlow says: " + c.at("error").get<std::string>();
        if (c.contains("outputs"))
            for (std::size_t i = 0; i < c.at("outputs").size(); ++i) {
                const auto& want = c.at("outputs")[i];
                if (want.is_null()) continue;
                if (i >= got.size() || !got[i]) return "output " + std::to_string(i) + " is missing";
                if (const auto d = compare(c, got[i], want); !d.empty()) return "output " + std::to_string(i) + ": " + d;
            }
        if (c.contains("after"))
            for (std::size_t i = 0, v = 0; i < under.inputs.size(); ++i)
                if (c.at("variables")[i].get<bool>()) {
                    if (const auto d = compare(c, variables[v].operation->state->value, c.at("after")[v]); !d.empty()) return "variable " + std::to_string(v) + ": " + d;
                    ++v;
                }
        if (!c.contains("grads")) return "";
        std::vector<Output> ys, seeds, xs;
        std::vector<std::size_t> which;
        for (std::size_t i = 0; i < c.at("upstream").size(); ++i) {
            const auto& up = c.at("upstream")[i];
            if (up.is_null()) continue;
            const Tensor t = tensor_from(up);
            Output seed;
            switch (t.dtype()) {
                case DType::float64: seed = make_const<double>(t); break;
                case DType::half: seed = make_const<half>(t); break;
                case DType::bfloat16: seed = make_const<bfloat16>(t); break;
                default: seed = make_const<float>(t);
            }
            ys.push_back(wanted[i]);
            seeds.push_back(seed);
        }
        for (std::size_t i = 0; i < c.at("grads").size(); ++i)
            if (!c.at("grads")[i].is_null()) xs.push_back(under.graph.get_tensor_by_name(under.inputs[i])), which.push_back(i);
        const auto g = gradients(ys, seeds, xs);
        for (std::size_t k = 0; k < xs.size(); ++k) {
            const auto& want = c.at("grads")[which[k]];
            if (!g[k].operation) return "gradient " + std::to_string(which[k]) + " is missing";
            if (const auto d = compare(c, session.run_all({g[k]}, feeds)[0], want); !d.empty()) return "gradient " + std::to_string(which[k]) + ": " + d;
        }
        return "";
    } catch (const UnsupportedError& e) {
        return std::string("unsupported: ") + e.what();
    } catch (const Error& e) {
        return c.contains("error") ? "" : std::string("error: ") + e.what();
    }
}

/// Op kinds whose every golden case must hold.
std::vector<std::string> required() {
    std::vector<std::string> names;
    std::set<std::string_view> seen;
    for (const OpTable* t : builtin_ops()) if (seen.insert(t->name).second) names.emplace_back(t->name);
    return names;
}

}  // namespace

TEST_CASE("every op gives TensorFlow's results, gradients and errors") {
    const char* only = std::getenv("TENON_OP");  // one op while working on it
    int cases = 0, files = 0;
    for (const auto& name : required()) {
        if (only && name != only) continue;
        const auto path = golden("ops", name + ".json");
        if (!std::ifstream(path)) continue;
        ++files;
        for (const auto& c : op_cases(name)) {
            const std::string title = name + ", " + c.at("name").get<std::string>();
            CAPTURE(title);
            const auto problem = try_case(c);
            CHECK_MESSAGE(problem == "", title << ": " << problem);
            ++cases;
        }
    }
    CHECK(files > 0);
    MESSAGE(cases << " cases of " << files << " ops");
}
