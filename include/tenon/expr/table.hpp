// From the definition of an op to the table that graphs refer to. Included by node.hpp only.
#pragma once
#include "../tensor/blocks.hpp"
#include "operation.hpp"

namespace tenon {

template <class T, class S = Unranked> struct Node;
struct any {};  ///< the element type of a tensor whose dtype is only known at run time

/// A tensor that is part of the graph.
///
/// Values    every dtype that a Tensor holds
/// Gradient  none
struct Const {
    Tensor value;
    static constexpr const char* name = "Const";
    static constexpr int arity = 0;
    static constexpr bool differentiable = false;
    static constexpr std::array types{TypeAttr{TypeAttr::self, "dtype"}};
    static constexpr auto params = members(attr("value", &Const::value));
    Inferred infer() const { return value.dims(); }
    static Tensor known(const Const& c, std::span<const Ref>, int) { return c.value; }
};
struct AddN;

namespace detail {
template <class O, class T> consteval OpTable make_table();
}
template <class O, class T> inline constexpr OpTable table = detail::make_table<O, T>();

#ifdef TENON_PREBUILT
/// In the static library: the table of its index. Errors: UnsupportedError if the library's list does not have it.
const OpTable& prebuilt_table(std::string_view name, DType dtype);
#endif
/// The table of an op for an element type, wherever its kernels were compiled: in this program, or in the static library.
template <class O, class T> const OpTable& table_of() {
#ifdef TENON_PREBUILT
    static const OpTable& found = prebuilt_table(O::name, dtype_of<T>);
    return found;
#else
    return table<O, T>;
#endif
}

/// A constant as an operation.
template <class T> Output make_const(Tensor value, std::string name = {}) {
    return make_operation(table_of<Const, T>(), std::make_shared<Const>(Const{std::move(value)}), {}, std::move(name));
}

namespace detail {

template <class O> inline constexpr O stateless{};
[[gnu::noinline]] inline std::shared_ptr<void> owned(void* op, void (*destroy)(void*)) { return {op, destroy}; }
/// An op by pointer. One kind of owner for all of them: a kind each would be half of what a row of the list of ops costs to compile.
template <class O> std::shared_ptr<void> shared_op(O op) {
    if constexpr (std::is_empty_v<O>) return {std::shared_ptr<void>(), const_cast<O*>(&stateless<O>)};
    else return owned(new O(std::move(op)), [](void* p) { delete static_cast<O*>(p); });
}

template <class T> inline constexpr bool is_small_float = std::is_same_v<T, half> || std::is_same_v<T, bfloat16>;

// ---- element types of data inputs

template <class O, std::size_t i> constexpr DType wanted_type(DType self) {
    if constexpr (requires { O::input_type(i, self); }) return O::input_type(i, self);
    else return self;
}
template <DType t> struct type_of { using type = any; };
template <> struct type_of<DType::boolean> { using type = bool; };
template <> struct type_of<DType::int32> { using type = std::int32_t; };
template <> struct type_of<DType::int64> { using type = std::int64_t; };
template <> struct type_of<DType::float32> { using type = float; };
template <class O, class T, std::size_t i> consteval auto input_tag() {
    constexpr DType w = wanted_type<O, i>(dtype_of<T>);
    if constexpr (w == dtype_of<T>) return std::type_identity<T>{};
    else return std::type_identity<typename type_of<w>::type>{};
}
template <class O, class T, std::size_t i> using input_t = typename decltype(input_tag<O, T, i>())::type;

// ---- members that are inputs

inline bool fill(Dims& member, const Ref& r) {
    if (r.dims.size() > max_rank) throw ShapeError("a list of " + std::to_string(r.dims.size()) + " numbers where at most 8 fit");
    member = Dims();
    for (std::int64_t i = 0; i < r.dims.size(); ++i) member.push(index_at(r, i));
    return true;
}
inline bool fill(Ints& member, const Ref& r) {
    if (r.dims.size() > 16) throw ShapeError("a list of " + std::to_string(r.dims.size()) + " numbers where at most 16 fit");
    member = Ints();
    for (std::int64_t i = 0; i < r.dims.size(); ++i) member.push(index_at(r, i));
    return true;
}
inline bool fill(std::int64_t& member, const Ref& r) {
    if (r.dims.size() != 1) throw ShapeError("a tensor " + to_string(r.dims) + " where a scalar is wanted");
    member = index_at(r, 0);
    return true;
}
/// False if the value of some member is not known.
template <class O> bool complete_in_place(O& op, std::span<const Ref> in) {
    return unpack(params_of<O>(), [&](const auto&... p) {
        [[maybe_unused]] const auto one = [&](const auto& param) {
            if constexpr (std::remove_cvref_t<decltype(param)>::is_input) {
                const auto i = param.position < 0 ? in.size() + static_cast<std::size_t>(param.position) : static_cast<std::size_t>(param.position);
                return in[i].data && fill(op.*param.member, in[i]);
            } else {
                return true;
            }
        };
        return (1 & ... & int{one(p)}) != 0;
    });
}
template <class O> std::shared_ptr<const void> complete(const std::shared_ptr<const void>& op, std::span<const Ref> in) {
    O full = as<O>(op.get());
    complete_in_place(full, in);
    return shared_op(std::move(full));
}
template <class = void> Output integers(const Dims& d) {
    std::array<std::int32_t, max_rank> v{};
    for (int i = 0; i < d.rank; ++i) v[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(d[i]);
    return make_const<std::int32_t>(Tensor::of<std::int32_t>({d.rank}, std::span<const std::int32_t>(v.data(), static_cast<std::size_t>(d.rank))));
}
template <class = void> Output integers(const Ints& d) {  // pairs, one row per axis
    std::array<std::int32_t, 16> v{};
    for (int i = 0; i < d.count; ++i) v[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(d[i]);
    return make_const<std::int32_t>(Tensor::of<std::int32_t>({d.count / 2, 2}, std::span<const std::int32_t>(v.data(), static_cast<std::size_t>(d.count))));
}
template <class = void> Output integers(std::int64_t v) { return make_const<std::int32_t>(Tensor::scalar(static_cast<std::int32_t>(v))); }

template <class O> std::vector<Output> expand(const void* op, std::vector<Output> data) {
    unpack(params_of<O>(), [&](const auto&... p) {
        [[maybe_unused]] const auto one = [&](const auto& param) {
            if constexpr (std::remove_cvref_t<decltype(param)>::is_input) {
                const auto at = param.position < 0 ? static_cast<std::ptrdiff_t>(data.size()) + 1 + param.position : param.position;
                data.insert(data.begin() + at, integers(as<O>(op).*param.member));
            }
        };
        (one(p), ...);
    });
    return data;
}
template <class O> inline constexpr auto const_positions = unpack(params_of<O>(), [](const auto&... p) {
    std::array<int, static_cast<std::size_t>(const_inputs_of<O>)> all{};
    std::size_t n = 0;
    [[maybe_unused]] const auto one = [&](const auto& param) {
        if constexpr (std::remove_cvref_t<decltype(param)>::is_input) all[n++] = param.position;
    };
    (one(p), ...);
    return all;
});

// ---- shape rule

/// The extents of the data inputs; false if one has no rank yet.
inline bool data_dims(std::span<const int> const_positions, std::span<const Ref> in, std::vector<Dims>& data) {
    OpTable t;
    t.const_positions = const_positions;
    bool ranked = true;
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

// ---- kernels

/// out = f(block of each operand), over all blocks: the loop of every elementwise kernel.
template <class T, class R, std::size_t N, class F> void each_block(const Call& c, F&& f) {
    const auto& layouts = *static_cast<const Layouts*>(c.prepared);
    std::array<Reader<T>, N> readers;
    for (std::size_t k = 0; k < N; ++k) readers[k].open(*c.in[k], layouts.each[k], layouts.cuts);
    R* const out = static_cast<R*>(c.out[0]->data);
    layouts.cuts.each([&](std::int64_t i, std::int64_t n) { f(map(out + i, n), readers, i, n); });
}
using Step = void (*)(const void* op, void* y, const void* const* x, std::int64_t n);
/// The same with one function per op: the loop around it is compiled once per type.
template <class T, class R, std::size_t N> [[gnu::noinline]] void walk(const Call& c, Step step) {
    each_block<T, R, N>(c, [&](auto y, auto& readers, auto i, auto n) {
        const void* x[N];
        for (std::size_t k = 0; k < N; ++k) x[k] = readers[k].at(i, n);
        step(c.op, y.data(), x, n);
    });
}
/// Integers wrap, as they do in TensorFlow; signed ones would be undefined.
template <class T> auto wrapping(const T& v) {
    if constexpr (std::is_same_v<T, bool>) return v;
    else if constexpr (std::is_integral_v<T> && sizeof(T) < 4) return static_cast<std::uint32_t>(v);
    else if constexpr (std::is_integral_v<T>) return static_cast<std::make_unsigned_t<T>>(v);
    else return v;
}
/// One Eigen assignment where vectors pay, a plain loop over `element`, or over `forward` of single elements, where they do not.
template <class O, class T, class R, class... X> void step_over(const O& op, R* y, std::int64_t n, const X*... x) {
    if constexpr (std::is_floating_point_v<T> && std::is_same_v<R, T> && !requires { O::by_element; }) map(y, n) = op.forward(map(x, n)...);
    else if constexpr (requires { op.element(*x...); }) for (std::int64_t k = 0; k < n; ++k) y[k] = static_cast<R>(op.element(x[k]...));
    else for (std::int64_t k = 0; k < n; ++k) y[k] = static_cast<R>(op.forward(wrapping(x[k])...));
}
template <class O, class T> void step(const void* self, void* to, const void* const* from, std::int64_t n) {
    const auto x = [&](int i) { return static_cast<const T*>(from[i]); };
    auto* const y = static_cast<result_t<O, T>*>(to);
    if constexpr (O::arity == 1) step_over<O, T>(as<O>(self), y, n, x(0));
    else if constexpr (O::arity == 2) step_over<O, T>(as<O>(self), y, n, x(0), x(1));
    else step_over<O, T>(as<O>(self), y, n, x(0), x(1), x(2));
}
inline std::shared_ptr<const void> prepare_elementwise(const void*, std::span<const Ref* const> in, std::span<const Ref* const> out) {
    return std::make_shared<Layouts>(in.data(), in.size(), out[0]->dims, out[0]->dims.size());
}
/// Kernels that only move elements are compiled once per width.
template <class T> using storage_t = std::conditional_t<std::is_same_v<T, std::string>, std::string,
    std::conditional_t<sizeof(T) == 1, std::uint8_t, std::conditional_t<sizeof(T) == 2, std::uint16_t, std::conditional_t<sizeof(T) == 4, std::uint32_t, std::conditional_t<sizeof(T) == 8, std::uint64_t, T>>>>>;

template <class O> inline constexpr bool keeps_type = requires { O::moves; } || requires { O::casts; };

/// half and bfloat16 are computed in float, whole tensors at a time, and rounded once.
void run_through_float(const OpTable& in_float, const Call& c);
std::size_t workspace_through_float(const OpTable& in_float, const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out);

template <class O, class T> void forward(const Call& c) {
    if constexpr (is_small_float<T> && !keeps_type<O>) {
        run_through_float(table<O, float>, c);
    } else if constexpr (ElementwiseOp<O>) {
        walk<T, result_t<O, T>, static_cast<std::size_t>(O::arity)>(c, &step<O, T>);
    } else if constexpr (requires { O::moves; }) {
        as<O>(c.op).template compute<storage_t<T>>(c);
    } else {
        as<O>(c.op).template compute<T>(c);
    }
}
template <class O, class T> std::size_t workspace(const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out) {
    if constexpr (is_small_float<T> && !keeps_type<O>) return workspace_through_float(table<O, float>, op, in, out);
    else return as<O>(op).template workspace<T>(in, out);
}
template <class O, class T> concept HasWorkspace = requires(const O& o, std::span<const Ref* const> r) { o.template workspace<T>(r, r); };

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
[[gnu::noinline]] inline std::vector<Output> data_inputs(const Operation& o) {
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
[[gnu::noinline]] inline std::vector<Output> per_input(const Operation& o, std::vector<Output> data) {
    std::vector<Output> all(o.inputs.size());
    for (std::size_t i = 0, next = 0; i < all.size(); ++i)
        if (!is_const_input(*o.table, i, all.size()) && next < data.size()) all[i] = std::move(data[next++]);
    return all;
}
inline std::vector<Ref> refs_of(const Operation& o) {
    std::vector<Ref> in;
    for (const Output& i : o.inputs) {
        const Result& r = i.operation->results[static_cast<std::size_t>(i.index)];
        in.push_back({r.known ? r.known.raw() : nullptr, r.dims, r.dtype});
    }
    return in;
}
template <class O> inline constexpr bool several_outputs = requires { requires O::all_outputs; };

/// The op's one rule, told at run time: every result is one more operation.
template <class O, class T> [[gnu::cold]] std::vector<Output> gradient(const std::shared_ptr<Operation>& y, std::span<const Output> g) {
    const Operation& o = *y;
    RunTime<O> self{as<O>(o.op.get()), &o};
    if constexpr (const_inputs_of<O> > 0) self.complete = complete_in_place(self.op, refs_of(o));
    if constexpr (!several_outputs<O>)
        for (std::size_t i = 1; i < g.size(); ++i) if (g[i].operation) throw GradientError("[gradients] no gradient through output " + std::to_string(i) + " of " + describe(o));
    const Node<result_t<O, T>> result(Output{y, 0});
    const auto arrived = [&] {
        if constexpr (several_outputs<O>) return Adjoints<result_t<O, T>>{g};
        else return Node<result_t<O, T>>(g[0]);
    }();
    auto x = data_inputs(o);
    if constexpr (VariadicOp<O>) {
        return per_input(o, O::gradient(self, arrived, result, Inputs<T>{std::move(x)}));
    } else {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return per_input(o, gathered(O::gradient(self, arrived, result, Node<input_t<O, T, I>>(std::move(x[I]))...)));
        }(std::make_index_sequence<static_cast<std::size_t>(O::arity)>{});
    }
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

template <class O, class T> consteval OpTable make_table() {
    OpTable t;
    t.name = O::name;
    t.dtype = dtype_of<T>;
    t.arity = arity_of<O>();
    t.const_positions = const_positions<O>;
    t.elementwise = ElementwiseOp<O>;
    if constexpr (requires { O::broadcasts; }) t.broadcasts = O::broadcasts;
    t.stateful = requires { O::stateful; };
    t.is_state = requires { O::is_state; };
    t.stops_gradient = requires { O::stops_gradient; };
    t.initialises = requires { O::initialises; };
    t.types = types_of<O>();
    if constexpr (requires { O::writes; }) t.writes = O::writes;
    if constexpr (requires { O::view; }) t.view = O::view;
    if constexpr (requires { O::needs(0u, 0u); }) t.needs = [](std::size_t i, std::size_t n) { return O::needs(i, n); };
    if constexpr (requires { O::input_type(0u, DType{}); }) t.input_type = [](std::size_t i, DType self) { return O::input_type(i, self); };
    t.outputs = [](const void* op) -> int {
        if constexpr (requires { as<O>(op).output_count(); }) return as<O>(op).output_count();
        else if constexpr (requires { O::outputs; }) return O::outputs;
        else return 1;
    };
    t.infer = &infer<O>;
    if constexpr (requires(const O& o, std::span<const Ref> in) { o.output_dims(in); }) t.output_dims = [](const void* op, std::span<const Ref> in) { return as<O>(op).output_dims(in); };
    t.output_type = [](const void* op, std::span<const Ref> in, int i) -> DType {
        if constexpr (requires { as<O>(op).output_type(i, in); }) return as<O>(op).output_type(i, in);
        else if constexpr (requires { as<O>(op).output_type(i); }) return as<O>(op).output_type(i);
        else return dtype_of<result_t<O, T>>;
    };
    if constexpr (requires(const O& o, std::span<const Ref> in) { O::known(o, in, 0); }) t.known = [](const void* op, std::span<const Ref> in, int i) -> Tensor { return O::known(as<O>(op), in, i); };
    if constexpr (ElementwiseOp<O> || requires(const O& o, const Call& c) { o.template compute<T>(c); }) {
        t.forward = &forward<O, T>;
        if constexpr (HasWorkspace<O, T> || (is_small_float<T> && !keeps_type<O>)) t.workspace = &workspace<O, T>;
    }
    if constexpr (requires(const O& o, std::span<const Ref* const> r) { o.prepare(r, r); })
        t.prepare = [](const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out) { return as<O>(op).prepare(in, out); };
    else if constexpr (ElementwiseOp<O>) t.prepare = &prepare_elementwise;
    if constexpr (requires(const O& o, random::Philox& p) { o.seed_stream(p); }) t.seed = [](const void* op, random::Philox& p) { as<O>(op).seed_stream(p); };
    if constexpr (!requires { requires !O::differentiable; }) {
        if constexpr (std::is_floating_point_v<T> || is_small_float<T>) {
            t.gradient = &gradient<O, T>;
            t.add_n = &table<AddN, T>;
        }
    }
    if constexpr (const_inputs_of<O> > 0) {
        t.complete = &complete<O>;
        t.expand = &expand<O>;
    }
    t.clone = [](const void* op) -> std::shared_ptr<void> { return shared_op(op ? as<O>(op) : O()); };
    t.attributes = &attributes<O>;
    return t;
}

inline std::size_t padded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
inline std::size_t float_bytes(const Ref& r) { return is_floating(r.dtype) ? padded(static_cast<std::size_t>(r.dims.size()) * 4) : 0; }
inline bool is_half(const Ref& r) { return r.dtype == DType::half || r.dtype == DType::bfloat16; }
inline void widen(const Ref& from, float* to) {
    const auto n = from.dims.size();
    if (from.dtype == DType::half) for (std::int64_t i = 0; i < n; ++i) to[i] = float(static_cast<const half*>(from.data)[i]);
    else for (std::int64_t i = 0; i < n; ++i) to[i] = float(static_cast<const bfloat16*>(from.data)[i]);
}
inline void narrow(const float* from, const Ref& to) {
    const auto n = to.dims.size();
    if (to.dtype == DType::half) for (std::int64_t i = 0; i < n; ++i) static_cast<half*>(to.data)[i] = half(from[i]);
    else for (std::int64_t i = 0; i < n; ++i) static_cast<bfloat16*>(to.data)[i] = bfloat16(from[i]);
}
inline std::size_t workspace_through_float(const OpTable& f, const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out) {
    std::size_t bytes = (in.size() + out.size()) * (sizeof(Ref) + sizeof(Ref*)) + 128;
    for (const Ref* r : in) bytes += float_bytes(*r);
    for (const Ref* r : out) bytes += float_bytes(*r);
    return padded(bytes) + (f.workspace ? f.workspace(op, in, out) : 0);
}
inline void run_through_float(const OpTable& f, const Call& c) {
    std::byte* at = c.workspace;
    const auto take = [&](std::size_t bytes) { return std::exchange(at, at + padded(bytes)); };
    const auto all = c.in.size() + c.out.size();
    Ref* refs = reinterpret_cast<Ref*>(take(all * sizeof(Ref)));
    const Ref** pointers = reinterpret_cast<const Ref**>(take(all * sizeof(Ref*)));
    for (std::size_t i = 0; i < all; ++i) {
        const bool is_input = i < c.in.size();
        const Ref& r = is_input ? *c.in[i] : *c.out[i - c.in.size()];
        new (refs + i) Ref(r);
        pointers[i] = refs + i;
        if (!is_half(r) || !r.data) continue;
        refs[i].dtype = DType::float32;
        refs[i].data = !is_input && f.writes && i == c.in.size() ? refs[0].data : take(static_cast<std::size_t>(r.dims.size()) * 4);
        if (is_input) widen(r, static_cast<float*>(refs[i].data));
    }
    Call inner{c.op, {pointers, c.in.size()}, {pointers + c.in.size(), c.out.size()}, take(0), c.prepared, c.random};
    f.forward(inner);
    for (std::size_t i = 0; i < all; ++i) {
        const bool is_input = i < c.in.size();
        const Ref& r = is_input ? *c.in[i] : *c.out[i - c.in.size()];
        const bool written = is_input ? i < static_cast<std::size_t>(f.writes) : !f.writes;
        if (written && is_half(r) && r.data) narrow(static_cast<const float*>(refs[i].data), r);
    }
}

}  // namespace detail

}  // namespace tenon
