// From the definition of an op to the table that graphs refer to. Included by node.hpp only.
#pragma once
#include "kernel.hpp"
#include "members.hpp"

namespace tenon::detail {

// ---- shape rule

/// The extents of the data inputs; false if one has no rank yet.
template <class = void> bool data_dims(std::span<const int> const_positions, std::span<const Ref> in, std::vector<Dims>& data) {
    OpTable t;
    t.const_positions = const_positions;
    bool ranked = true;
    data.reserve(in.size());
    for (std::size_t i = 0; i < in.size(); ++i)
        if (!is_const_input(t, i, in.size())) {
            data.push_back(in[i].dims);
            ranked &= in[i].dims.ranked();
        }
    return ranked;
}
template <class O> [[gnu::cold]] Inferred infer(const void* op, std::span<const Ref> in) {
    if constexpr (requires { as<O>(op).infer_refs(in); }) {
        return as<O>(op).infer_refs(in);
    } else {
        if constexpr (ElementwiseOp<O>) {
            for (const Ref& r : in) if (!r.dims.ranked()) return Dims::unranked();
            if constexpr (O::arity == 1) return as<O>(op).infer(in[0].dims);
            else if constexpr (O::arity == 2) return as<O>(op).infer(in[0].dims, in[1].dims);
            else return as<O>(op).infer(in[0].dims, in[1].dims, in[2].dims);
        }
        std::vector<Dims> data;
        const bool ranked = data_dims(const_positions<O>, in, data);
        if constexpr (const_inputs_of<O> == 0) {
            if (!ranked && arity_of<O>() != 0 && !requires { O::takes_unranked; }) return Dims::unranked();
            return infer_all(as<O>(op), data);
        } else {
            O full = as<O>(op);
            if (!complete_in_place(full, in)) {
                if constexpr (requires { full.infer_open(std::span<const Dims>(data)); }) { if (ranked) return full.infer_open(std::span<const Dims>(data)); }
                return Dims::unranked();
            }
            if (!ranked && !requires { O::takes_unranked; }) return Dims::unranked();
            return infer_all(full, data);
        }
    }
}
// ---- gradient

inline const Output* contribution(const no_gradient&) { return nullptr; }
inline const Output* contribution(const Output& o) { return &o; }

/// What arrives at each output of an op that has several.
template <class T> struct Adjoints {
    std::span<const Output> g;
    bool has(int i) const { return static_cast<std::size_t>(i) < g.size() && g[static_cast<std::size_t>(i)].operation != nullptr; }
    Node<T> operator[](int i) const { return Node<T>(g[static_cast<std::size_t>(i)]); }
};
/// The data inputs of a variadic op.
template <class T> struct Inputs {
    std::vector<Output> x;
    std::size_t size() const { return x.size(); }
    Node<T> operator[](std::size_t i) const { return Node<T>(x[i]); }
};
template <class = void> [[gnu::noinline]] std::vector<Output> data_inputs(const Operation& o) {
    std::vector<Output> data;
    for (std::size_t i = 0; i < o.inputs.size(); ++i) if (!is_const_input(*o.table, i, o.inputs.size())) data.push_back(o.inputs[i]);
    return data;
}
template <class... D> [[gnu::noinline]] std::vector<Output> gathered(const std::tuple<D...>& rules) {
    std::vector<Output> all;
    all.reserve(sizeof...(D));
    unpack(rules, [&](const auto&... d) {
        for (const Output* p : {contribution(d)...}) all.push_back(p ? *p : Output{});
    });
    return all;
}
template <class = void> [[gnu::noinline]] std::vector<Output> per_input(const Operation& o, std::vector<Output> data) {
    std::vector<Output> all(o.inputs.size());
    for (std::size_t i = 0, next = 0; i < all.size(); ++i)
        if (!is_const_input(*o.table, i, all.size()) && next < data.size()) all[i] = std::move(data[next++]);
    return all;
}
template <class = void> std::vector<Ref> refs_of(const Operation& o) {
    std::vector<Ref> in;
    for (const Output& i : o.inputs) {
        const Result& r = i.operation->results[static_cast<std::size_t>(i.index)];
        in.push_back({r.known ? r.known.raw() : nullptr, r.dims, r.dtype});
    }
    return in;
}
template <class O> inline constexpr bool several_outputs = requires { requires O::all_outputs; };

template <class = void> [[gnu::noinline]] void refuse_other_outputs(const Operation& o, std::span<const Output> g) {
    for (std::size_t i = 1; i < g.size(); ++i) if (g[i].operation) throw GradientError("[gradients] no gradient through output " + std::to_string(i) + " of " + describe(o));
}
/// What an unknown op gives has the type that its reader takes; rules for any type ask their inputs.
template <class = void> [[gnu::noinline]] void settle_types(const Operation& o) {
    for (std::size_t i = 0, data = 0; i < o.inputs.size(); ++i) {
        const DType want = wanted_dtype(*o.table, i, o.inputs.size(), data);
        DType& is = o.inputs[i].operation->results[static_cast<std::size_t>(o.inputs[i].index)].dtype;
        if (is == DType::invalid && static_cast<int>(want) > 0) is = want;
    }
}
template <class O, class T> auto arriving(const Operation& o, std::span<const Output> g) {
    if constexpr (several_outputs<O>) {
        return Adjoints<result_t<O, T>>{g};
    } else {
        refuse_other_outputs(o, g);
        return Node<result_t<O, T>>(g[0]);
    }
}
template <class O, class T, std::size_t... I> auto told(const RunTime<O>& self, const std::shared_ptr<Operation>& y, std::span<const Output> g, std::vector<Output> x, std::index_sequence<I...>) {
    return O::gradient(self, arriving<O, T>(*y, g), Node<result_t<O, T>>(Output{y, 0}), Node<input_t<O, T, I>>(std::move(x[I]))...);
}
/// The op's one rule, told at run time: every result is one more operation.
template <class O, class T> [[gnu::cold]] std::vector<Output> gradient(const std::shared_ptr<Operation>& y, std::span<const Output> g) {
    const Operation& o = *y;
    if constexpr (std::is_same_v<T, any_float>) settle_types(o);
    RunTime<O> self{as<O>(o.op.get()), &o};
    if constexpr (const_inputs_of<O> > 0) self.complete = complete_in_place(self.op, refs_of(o));
    if constexpr (VariadicOp<O>) return per_input(o, O::gradient(self, arriving<O, T>(o, g), Node<result_t<O, T>>(Output{y, 0}), Inputs<T>{data_inputs(o)}));
    else return per_input(o, gathered(told<O, T>(self, y, g, data_inputs(o), std::make_index_sequence<static_cast<std::size_t>(O::arity)>{})));
}

// ---- attributes

template <class M> void visit(AttrVisitor& v, const char* name, M& member, bool is_shape) {
    if constexpr (std::is_same_v<M, Dims>) {
        v.at(name, member, is_shape);
    } else if constexpr (std::is_enum_v<M> && !std::is_same_v<M, DType>) {
        int i = static_cast<int>(member);
        v.choice(name, i, Spelling<M>::names);
        member = static_cast<M>(i);
    } else {
        v.at(name, member);
    }
}
template <class O> void attributes(void* op, AttrVisitor& v) {
    unpack(params_of<O>(), [&](const auto&... p) {
        [[maybe_unused]] const auto one = [&](const auto& param) {
            if constexpr (!std::remove_cvref_t<decltype(param)>::is_input) visit(v, param.name, static_cast<O*>(op)->*param.member, param.is_shape);
        };
        (one(p), ...);
    });
}
template <class O> consteval std::span<const TypeAttr> types_of() {
    if constexpr (requires { O::types; }) return O::types;
    else return default_types;
}

inline int one_output(const void*) { return 1; }
inline void no_attributes(void*, AttrVisitor&) {}
/// Of an op that has members, but none that a file would name.
inline void hidden_attributes(void*, AttrVisitor&) {}

/// What does not depend on the element type, compiled once per op.
template <class O> consteval OpTable make_untyped_table() {
    OpTable t;
    t.name = O::name;
    t.arity = arity_of<O>();
    t.const_positions = const_positions<O>;
    t.elementwise = ElementwiseOp<O>;
    if constexpr (requires { O::broadcasts; }) t.broadcasts = O::broadcasts;
    t.stateful = requires { O::stateful; };
    t.is_state = requires { O::is_state; };
    t.stops_gradient = requires { O::stops_gradient; };
    t.initialises = requires { O::initialises; };
    t.descends = requires { O::descends; };
    t.sums = requires { O::sums; };
    t.expands = requires { O::expands; };
    if constexpr (requires(const O& o) { o.joins(); }) t.joins = [](const void* op) { return as<O>(op).joins(); };
    if constexpr (requires(const O& o, const Dims& d) { o.first_column(d, d); }) t.first_column = [](const void* op, const Dims& in, const Dims& out) { return as<O>(op).first_column(in, out); };
    if constexpr (requires(const O& o, const Dims& d) { o.splits_columns(d); }) t.splits_columns = [](const void* op, const Dims& in) { return as<O>(op).splits_columns(in); };
    t.types = types_of<O>();
    t.writes = writes_of<O>();
    if constexpr (requires { O::view; }) t.view = O::view;
    if constexpr (requires { O::needs(0u, 0u); }) t.needs = [](std::size_t i, std::size_t n) { return O::needs(i, n); };
    if constexpr (requires { O::input_type(0u, DType{}); }) t.input_type = [](std::size_t i, DType self) { return O::input_type(i, self); };
    if constexpr (requires(const O& o) { o.output_count(); }) t.outputs = [](const void* op) { return static_cast<int>(as<O>(op).output_count()); };
    else if constexpr (requires { O::outputs; }) t.outputs = [](const void*) -> int { return O::outputs; };
    else t.outputs = &one_output;
    t.infer = &infer<O>;
    if constexpr (requires(const O& o, std::span<const Ref> in) { o.output_dims(in); }) t.output_dims = [](const void* op, std::span<const Ref> in) { return as<O>(op).output_dims(in); };
    t.dims_in_file = requires { O::dims_in_file; };
    if constexpr (requires(const O& o, std::span<const Ref> in) { o.output_type(0, in); }) t.output_type = [](const void* op, std::span<const Ref> in, int i) { return as<O>(op).output_type(i, in); };
    else if constexpr (requires(const O& o) { o.output_type(0); }) t.output_type = [](const void* op, std::span<const Ref>, int i) { return as<O>(op).output_type(i); };
    if constexpr (requires(const O& o, std::span<const Ref> in) { O::known(o, in, 0); }) t.known = [](const void* op, std::span<const Ref> in, int i) -> Tensor { return O::known(as<O>(op), in, i); };
    if constexpr (requires(const O& o, std::span<const Ref* const> r) { o.prepare(r, r); })
        t.prepare = [](const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out) { return as<O>(op).prepare(in, out); };
    else if constexpr (ElementwiseOp<O>) t.prepare = &prepare_elementwise;
    if constexpr (requires { requires O::by_rows != 0; })
        t.sharing = [](const void*, std::span<const Ref* const> in, std::span<const Ref* const> out, const Threads& threads) -> Sharing { return shared_rows(O::by_rows, in, out, threads); };
    if constexpr (requires(const O& o, random::Philox& p) { o.seed_stream(p); }) t.seed = [](const void* op, random::Philox& p) { as<O>(op).seed_stream(p); };
    if constexpr (const_inputs_of<O> > 0) {
        t.complete = &complete<O>;
        t.expand = &expand<O>;
    }
    t.clone = [](const void* op) -> std::shared_ptr<void> { return shared_op(op ? as<O>(op) : O()); };
    if constexpr (requires { O::template params<>; }) t.attributes = &attributes<O>;
    else t.attributes = std::is_empty_v<O> ? &no_attributes : &hidden_attributes;
    return t;
}
template <class O> inline constexpr OpTable untyped_table = make_untyped_table<O>();

/// What a table has but the rule.
template <class O, class T> consteval OpTable make_kernel_table() {
    OpTable t = untyped_table<O>;
    t.dtype = dtype_of<T>;
    t.result = dtype_of<result_t<O, T>>;
    if constexpr (ElementwiseOp<O> || requires(const O& o, const Call& c) { o.template compute<T>(c); }) {
        using K = kernel_type<O, T>;
        t.forward = &forward<O, K>;
        if constexpr (requires(const Call& c) { O::template turn<T>(c); }) {
            t.turn = &O::template turn<T>;
            t.is_turned = [](const void* op) { return as<O>(op).is_turned(); };
        }
        if constexpr (!is_small_float<K> && requires(const O& o, std::span<const Ref* const> r) { o.template sharing<K>(r, r, Threads{}); })
            t.sharing = [](const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out, const Threads& threads) -> Sharing { return as<O>(op).template sharing<K>(in, out, threads); };
        if constexpr (requires(const O& o, const Call& c) { o.template fold<T>(c); }) t.fold = [](const Call& c) { as<O>(c.op).template fold<T>(c); };
        t.finishes = requires { requires O::finishes; } && std::is_floating_point_v<T>;
        if constexpr (HasWorkspace<O, K> || (is_small_float<K> && !keeps_type<O>)) t.workspace = &workspace<O, K>;
    }
    return t;
}
template <class O, class T> inline constexpr bool has_rule = (std::is_floating_point_v<T> || is_small_float<T>) && !requires { requires !O::differentiable; };

template <class O> const OpTable& of_type(DType t) {
    switch (t) {
        case DType::float32: return listed_table<O, float>;
        case DType::half: return listed_table<O, half>;
        case DType::bfloat16: return listed_table<O, bfloat16>;
        case DType::float64: if constexpr (!requires { requires !O::of_doubles; }) return listed_table<O, double>; [[fallthrough]];
        default: throw TypeError("[" + std::string(O::name) + "] has no kernel for " + std::string(name_of(t)));
    }
}
template <class O, class T> consteval OpTable make_table() {
    if constexpr (std::is_same_v<T, any_float>) {
        OpTable t = untyped_table<O>;
        t.dtype = any_float_dtype;
        t.of_type = &of_type<O>;
        return t;
    } else {
        OpTable t = make_kernel_table<O, T>();
        if constexpr (has_rule<O, T>) {
            t.gradient = &gradient<O, T>;
            t.add_n = &table<AddN, T>;
        }
        return t;
    }
}
template <class O, class T> consteval OpTable make_listed_table() {
    OpTable t = make_kernel_table<O, T>();
    if constexpr (has_rule<O, T>) {
        t.gradient = &gradient<O, any_float>;
        t.add_n = &listed_table<AddN, T>;
    }
    return t;
}

}  // namespace tenon::detail
