// Every op's shape rule, told everything, a little less, and nothing, against the extents that TensorFlow got.
#include "one_op.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace tenon;
using namespace tenon::test;

namespace {

struct Exception { std::string_view op, why; };
/// Ops whose result's rank is not known although the ranks of all operands and all integers are.
constexpr Exception open_rank[]{
    {"Squeeze", "without a list, an open extent may be 1 or not"},
};
bool is_in(std::span<const Exception> table, std::string_view op) {
    return std::any_of(table.begin(), table.end(), [&](const auto& r) { return r.op == op; });
}

/// What a shape rule is told of an operand. Integers, booleans and text are what extents may depend on.
Ref told(const Tensor& t, const Dims& dims, bool elements) { return {elements && !is_floating(t.dtype()) ? t.raw() : nullptr, dims, t.dtype()}; }

struct Rule {
    OpGraph graph;
    std::vector<Ref> all;
    explicit Rule(const OneOp& one) : graph(one) {
        for (const Tensor& t : one.inputs) all.push_back(told(t, t.dims(), true));
    }
    std::vector<Dims> operator()(const std::vector<Ref>& in) const {
        std::vector<Dims> dims;
        for (const Result& r : infer_results(*graph.op->table, graph.op->op, in, {})) dims.push_back(r.dims);
        return dims;
    }
};
std::string shown(const std::vector<Dims>& all) {
    std::string text;
    for (const Dims& d : all) text += (text.empty() ? "" : " ") + to_string(d);
    return text;
}

/// What is wrong with the rule's answers for a case; empty if nothing is.
std::string wrong_answers(const Json& c, int& answers) {
    const OneOp one(c);
    const Rule rule(one);
    std::vector<Dims> want = rule(rule.all);
    ++answers;
    for (std::size_t i = 0; c.contains("outputs") && i < c.at("outputs").size(); ++i) {
        if (c.at("outputs")[i].is_null()) continue;
        const Dims got = tensor_from(c.at("outputs")[i]).dims();
        if (!want[i].known()) {
            if (!compatible(want[i], got)) return "told everything: " + shown(want) + ", TensorFlow has " + to_string(got);
            want[i] = got;
        }
        if (want[i] != got) return "told everything: " + shown(want) + ", TensorFlow has " + to_string(got);
    }
    const auto agree = [&](const std::vector<Ref>& in, const std::string& what, bool ranked) -> std::string {
        ++answers;
        try {
            const auto got = rule(in);
            for (std::size_t i = 0; i < want.size(); ++i) {
                if (!compatible(got[i], want[i])) return what + ": " + shown(got) + ", but it is " + shown(want);
                if (ranked && !got[i].ranked() && !is_in(open_rank, one.node.op)) return what + ": nothing is known of " + shown(want);
            }
            return "";
        } catch (const Error& e) {
            return what + ": " + e.what();
        }
    };
    for (std::size_t k = 0; k < one.inputs.size(); ++k) {
        for (int axis = 0; axis < one.inputs[k].dims().rank; ++axis) {
            auto in = rule.all;
            in[k].dims[axis] = dyn;
            in[k].data = nullptr;
            const bool elements = rule.all[k].data != nullptr;
            if (auto why = agree(in, "input " + std::to_string(k) + " " + to_string(in[k].dims), !elements); !why.empty()) return why;
        }
        auto in = rule.all;
        in[k].data = nullptr;
        if (auto why = agree(in, "input " + std::to_string(k) + " of unknown elements", false); !why.empty()) return why;
        in[k].dims = Dims::unranked();
        if (auto why = agree(in, "input " + std::to_string(k) + " of unknown rank", false); !why.empty()) return why;
    }
    std::vector<Ref> ranks, extents, nothing;
    for (const Tensor& t : one.inputs) {
        ranks.push_back(told(t, Dims::filled(t.dims().rank, dyn), false));
        extents.push_back(told(t, t.dims(), false));
        nothing.push_back(told(t, Dims::unranked(), false));
    }
    for (const auto& [in, what] : {std::pair{ranks, "only ranks"}, {extents, "only extents"}, {nothing, "nothing"}})
        if (auto why = agree(in, std::string("told ") + what, false); !why.empty()) return why;
    return "";
}

}  // namespace

TEST_CASE("every op's shape rule gives TensorFlow's extents, and nothing else where it is told less") {
    int answers = 0, cases = 0;
    std::set<std::string> ops;
    for (const auto& name : op_names()) {
        if (!has_cases(name)) continue;
        for (const auto& c : op_cases(name)) {
            if (c.contains("error")) continue;
            const std::string title = name + ", " + c.at("name").get<std::string>() + ": ";
            std::string problem;
            try {
                problem = wrong_answers(c, answers);
            } catch (const Error& e) {
                problem = e.what();
            }
            if (!problem.empty()) problem = title + problem;
            CHECK(problem == "");
            ++cases;
            ops.insert(name);
        }
    }
    MESSAGE(ops.size() << " ops, " << cases << " cases, " << answers << " answers");
}
