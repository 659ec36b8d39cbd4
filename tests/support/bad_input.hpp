// A model to be damaged or misused, and what must not change by it.
#pragma once
#include "graph_text.hpp"
#include <tenon/checkpoint/saving.hpp>
#include <tenon/ops/ops.hpp>

namespace tenon::test {

inline const std::string data_suffix = ".data-00000-of-00001";

/// A saved model: variables of both kinds and several types, one of them in two parts, and y = w * 2.
inline void save_sample(const std::string& prefix) {
    Session session;
    Variable<float, Shape<5, 7>> w{"w", random_normal({.seed = 1})};
    Variable<double, Shape<9>> d{"d", random_normal({.seed = 2})};
    Variable<std::int64_t, Shape<>> step{"step", constant(77)};
    Variable<float, Shape<2, 3>> upper{"p/part_0", constant(0.5f)}, lower{"p/part_1", constant(-0.5f)};
    const Output handle = tenon::detail::make_variable<float>("h", Dims{11}, constant(4.0f), true, true);
    const auto y = named("y", w * 2.0f);
    Graph graph{y, d, step, upper, lower, handle};
    const auto var = [](const Output& o) { return variable_of(o); };
    Saver::of(graph, {{"w", var(w)}, {"d", var(d)}, {"step", var(step)}, {"p", var(upper), "4 3 0,2:0,3"}, {"p", var(lower), "4 3 2,2:0,3"}, {"h", var(handle)}}).save(session, prefix, {.meta = MetaFormat::binary, .write_state = false});
}

/// The variables of a graph, which a failed call must leave as they are.
struct Values {
    std::vector<std::pair<bool, std::string>> variables;
    explicit Values(const Graph& graph) {
        for (const auto& v : graph.variables()) {
            const auto& s = *v.operation->state;
            variables.push_back({s.initialized, s.value ? std::string(reinterpret_cast<const char*>(s.value.raw()), s.value.bytes()) : "none"});
        }
    }
    bool operator==(const Values&) const = default;
};
inline std::size_t open_files() { return list_directory("/proc/self/fd").size(); }

inline std::string flipped(std::string bytes, std::size_t bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    return bytes;
}

}  // namespace tenon::test
