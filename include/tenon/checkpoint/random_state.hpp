// Where random ops stand, as variables of the graph: a run that is resumed draws the numbers that the first would have drawn.
//
// For each op that draws, other than in initial values, the graph gets a variable NODE/stream, int64 [3]: the Philox key, and the
// counter's low and high half. TensorFlow restores and saves it like any other variable, and otherwise leaves it alone.
#pragma once
#include "../run/variable.hpp"

namespace tenon {

namespace detail {
inline constexpr std::string_view stream_suffix = "/stream";

inline void put_stream(const random::Philox& p, std::int64_t* v) {
    const auto word = [](std::uint32_t low, std::uint32_t high) { return static_cast<std::int64_t>(low | std::uint64_t{high} << 32); };
    v[0] = word(p.key[0], p.key[1]), v[1] = word(p.counter[0], p.counter[1]), v[2] = word(p.counter[2], p.counter[3]);
}
inline random::Philox get_stream(const std::int64_t* v) {
    random::Philox p;
    const auto split = [](std::int64_t w, std::uint32_t& low, std::uint32_t& high) { low = static_cast<std::uint32_t>(w), high = static_cast<std::uint32_t>(static_cast<std::uint64_t>(w) >> 32); };
    split(v[0], p.key[0], p.key[1]), split(v[1], p.counter[0], p.counter[1]), split(v[2], p.counter[2], p.counter[3]);
    return p;
}
inline bool draws(const Operation& o) { return o.table->seed && o.name.find("/Initializer/") == std::string::npos; }
/// The variable of an op's stream; null if the graph has none of that name, type and shape.
inline State* stream_state(const Graph& graph, const Operation& o) {
    const std::string name = o.name + std::string(stream_suffix);
    if (!graph.contains(name)) return nullptr;
    const auto v = graph.get_operation_by_name(name);
    return v->state && v->state->value.dtype() == DType::int64 && v->state->value.size() == 3 ? v->state.get() : nullptr;
}
inline random::Philox& stream_of(Session& session, const Operation& o) {
    const auto [stream, fresh] = session.streams()[&o];
    if (fresh) o.table->seed(o.op.get(), stream);
    return stream;
}
}  // namespace detail

/// Gives every op of the graph that draws its variable. Imported ops have theirs already, or come from a program that keeps none.
template <class = void> void add_streams(Graph& graph) {
    std::vector<Output> made;
    for (const auto& o : graph.operations()) {
        if (!detail::draws(*o) || o->origin || detail::stream_state(graph, *o)) continue;
        Tensor start(DType::int64, {3});
        random::Philox p;
        o->table->seed(o->op.get(), p);
        detail::put_stream(p, start.data<std::int64_t>());
        made.push_back(variable_of(detail::make_variable<std::int64_t>(o->name + std::string(detail::stream_suffix), {3}, constant(start), false)));
    }
    if (!made.empty()) graph.add(std::move(made));
}
/// Before a save: the variables say where the session's streams stand.
inline void store_streams(const Graph& graph, Session& session) {
    for (const auto& o : graph.operations())
        if (detail::draws(*o))
            if (State* s = detail::stream_state(graph, *o)) detail::put_stream(detail::stream_of(session, *o), s->value.data<std::int64_t>());
}
/// After a restore: the session's streams go on where the variables say.
inline void load_streams(const Graph& graph, Session& session) {
    for (const auto& o : graph.operations())
        if (detail::draws(*o))
            if (State* s = detail::stream_state(graph, *o); s && s->initialized) detail::stream_of(session, *o) = detail::get_stream(s->value.data<std::int64_t>());
}

}  // namespace tenon
