// Every op's cases with three threads that share whatever can be shared: to the last bit the results of one.
#include "one_op.hpp"
#include <tenon/grad/gradients.hpp>

#include <doctest/doctest.h>

using namespace tenon;
using namespace tenon::test;

namespace {

std::string bytes(const Tensor& t) {
    if (t.dtype() != DType::string) return {reinterpret_cast<const char*>(t.raw()), t.bytes()};
    std::string all;
    for (const auto& s : t.span<std::string>()) all += s + '\0';
    return all;
}
/// All that a case gives and leaves, or its error.
std::string outcome(const Json& c, SessionOptions options) {
    const OneOp one(c);
    const OpGraph g(one);
    Session session(g.graph, options);
    std::string all;
    const auto add = [&](const std::vector<Output>& fetches) { for (const Tensor& t : session.run_all(fetches, g.feeds)) all += bytes(t) + '|'; };
    try {
        const auto ys = g.op->results.empty() ? std::vector<Output>{g.output(0)} : g.outputs();
        add(ys);
        for (const Output& i : g.inputs) if (const auto& state = i.operation->state) all += bytes(state->value) + '|';
        if (!c.contains("grads")) return all;
        std::vector<Output> of, seeds, xs;
        for (std::size_t i = 0; i < c.at("upstream").size(); ++i)
            if (const auto& up = c.at("upstream")[i]; !up.is_null()) of.push_back(ys[i]), seeds.push_back(constant_of(tensor_from(up)));
        for (std::size_t i = 0; i < c.at("grads").size(); ++i) if (!c.at("grads")[i].is_null()) xs.push_back(g.inputs[i]);
        for (const Output& dx : gradients(of, seeds, xs)) if (dx) add({dx});
    } catch (const Error& e) {
        all += e.what();
    }
    return all;
}

}  // namespace

TEST_CASE("with three threads every op gives what it gives with one") {
    const char* only = std::getenv("TENON_OP");
    int cases = 0;
    for (const std::string& op : op_names()) {
        if (!has_cases(op) || (only && op != only)) continue;
        for (const Json& c : op_cases(op)) {
            std::string one;
            try {
                one = outcome(c, {});
            } catch (const Error&) {
                continue;  // refused before anything runs
            }
            if (one != outcome(c, {})) continue;  // draws
            ++cases;
            const bool same = outcome(c, {.threads = 3, .least_share = 0}) == one;
            CHECK_MESSAGE(same, op, ": ", c.value("name", ""));
        }
    }
    CHECK((only || cases > 800));
}
