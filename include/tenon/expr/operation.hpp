// The graph: one kind of node, TensorFlow's, whoever makes it. Programs, importers and gradient rules
// all call `make_operation`; export is a walk over what they made.
//
//   Operation ── table ──► OpTable of (op, dtype): shape rule, kernel, gradient, attributes, as function pointers
//       │  ├── inputs ──► Output{operation, index} ...       as in the NodeDef; owning; no cycles
//       │  └── results    extents, dtype and, where it follows from extents and constants, the value of each output
//       └── group ──► Group: a compiled kernel from farther inputs straight to this result, if a typed
//                     statement made it; the operations between exist all the same
#pragma once
#include "../tensor/tensor.hpp"
#include "../tensor/view.hpp"
#include "op.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tenon {

namespace random {
struct Philox;
}
struct Operation;

/// One output of an operation. Owns the operation, and so all that it is computed from.
struct Output {
    std::shared_ptr<Operation> operation;
    int index = 0;

    // Copied and destroyed in one place: the counting, inlined, would be most of the code of rules and typed calls.
    Output() = default;
    template <class = void> Output(std::shared_ptr<Operation> o, int i) : operation(std::move(o)), index(i) {}
    Output(Output&&) = default;
    Output& operator=(Output&&) = default;
    [[gnu::noinline]] Output(const Output& o) : operation(o.operation), index(o.index) {}
    [[gnu::noinline]] Output& operator=(const Output& o) {
        operation = o.operation;
        index = o.index;
        return *this;
    }
    [[gnu::noinline]] ~Output() {}

    const Dims& dims() const;
    DType dtype() const;
    explicit operator bool() const { return operation != nullptr; }
    bool operator==(const Output&) const = default;
};

/// What a kernel is handed: everything was resolved when the plan was made.
struct Call {
    const void* op;              ///< complete: members that are inputs in the NodeDef have their values
    std::span<const Ref* const> in;   ///< every input of the NodeDef
    std::span<const Ref* const> out;
    std::byte* workspace;        ///< as many bytes as the op asked for, 64-byte aligned
    const void* prepared;        ///< what the op's `prepare` returned
    random::Philox* random;              ///< the operation's own stream, for ops that draw

    template <class T> View<const T> input(std::size_t i) const { return view<const T>(*in[i]); }
    template <class T> View<T> output(std::size_t i) const { return view<T>(*out[i]); }
};
using Kernel = void (*)(const Call&);

/// Reads or writes an op's attributes, one after the other; `list` are the names of an enumeration's values.
struct AttrVisitor {
    virtual ~AttrVisitor() = default;
    virtual void at(const char* name, bool& v) = 0;
    virtual void at(const char* name, std::int64_t& v) = 0;
    virtual void at(const char* name, float& v) = 0;
    virtual void at(const char* name, std::string& v) = 0;
    virtual void at(const char* name, DType& v) = 0;
    virtual void at(const char* name, Dims& v, bool is_shape) = 0;  ///< shape(...), else list(int)
    virtual void at(const char* name, Ints& v) = 0;
    virtual void at(const char* name, Tensor& v) = 0;
    virtual void at(const char* name, std::vector<DType>& v) = 0;
    virtual void at(const char* name, std::vector<std::string>& v) = 0;
    virtual void choice(const char* name, int& v, std::span<const std::string_view> list) = 0;
};

/// One op for one dtype. A constant: nothing registers itself, and what nobody names is not compiled.
struct OpTable {
    std::string_view name;
    DType dtype = DType::invalid;
    int arity = 0;                ///< data inputs; -1: any number
    std::span<const int> const_positions{};  ///< of inputs that are members, from the end if negative
    DType (*input_type)(std::size_t data_input, DType self) = nullptr;  ///< null: all are `dtype`
    bool elementwise = false;     ///< readers of broadcast operands
    int broadcasts = -1;          ///< the input that elementwise readers may read instead
    bool stateful = false;        ///< never folded, never shared: variables, placeholders, random numbers
    bool is_state = false;        ///< a variable
    bool stops_gradient = false;
    bool initialises = false;     ///< gives the variable it writes all of its value
    bool supported = true;        ///< false: carried through, not run
    std::string_view reason{};    ///< why not; "": no such op is known
    int writes = 0;               ///< so many leading inputs are variables, written in place; output 0 is the first of them
    int view = -1;                ///< the input that is passed on
    bool (*needs)(std::size_t i, std::size_t n) = nullptr;  ///< whether the plan has to know the elements of input i of n
    std::span<const TypeAttr> types{};
    const OpTable& (*of_type)(DType) = nullptr;  ///< of a table that stands for several: the one to use

    int (*outputs)(const void* op) = nullptr;
    Inferred (*infer)(const void* op, std::span<const Ref> in) = nullptr;
    std::vector<Dims> (*output_dims)(const void* op, std::span<const Ref> in) = nullptr;  ///< in place of infer's answer, of an op whose outputs are more than it holds
    bool dims_in_file = false;    ///< output_dims looks into a file: only a plan that runs the op asks it
    DType result = DType::invalid;  ///< of every output, unless there is:
    DType (*output_type)(const void* op, std::span<const Ref> in, int output) = nullptr;
    Tensor (*known)(const void* op, std::span<const Ref> in, int output) = nullptr;  ///< the output as far as extents tell it; else null
    Kernel forward = nullptr;
    Kernel descend = nullptr;  ///< out -= in[arity] * forward(in), if the op can do it without storing the result
    std::size_t (*workspace)(const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out) = nullptr;
    std::shared_ptr<const void> (*prepare)(const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out) = nullptr;
    void (*seed)(const void* op, random::Philox&) = nullptr;  ///< the stream's start, for ops that draw
    std::vector<Output> (*gradient)(const std::shared_ptr<Operation>& y, std::span<const Output> g) = nullptr;  ///< per input
    const OpTable* add_n = nullptr;  ///< how contributions to an adjoint of this dtype are summed
    std::shared_ptr<const void> (*complete)(const std::shared_ptr<const void>& op, std::span<const Ref> in) = nullptr;
    std::shared_ptr<void> (*clone)(const void* op) = nullptr;  ///< of null: the op with every member at its default
    void (*attributes)(void* op, AttrVisitor&) = nullptr;
    std::vector<Output> (*expand)(const void* op, std::vector<Output> data) = nullptr;  ///< adds members as Const inputs
};

/// One compiled pass that can stand for the operations between `inputs` and its outputs.
struct Group {
    Kernel run = nullptr;
    std::shared_ptr<const void> (*prepare)(const void* group, std::span<const Ref* const> in, std::span<const Ref* const> out) = nullptr;
    bool reduces = false;      ///< a total and no more: the extents it walks over are those of its operands, broadcast
    bool elementwise = false;  ///< the result may lie where an input of its extents lay
    std::vector<Output> inputs{};
    std::vector<const Operation*> inner{};  ///< stood for, roots excepted; the roots own them
    std::vector<std::uint32_t> reads{};     ///< per output: bit i if it needs inputs[i]
    std::vector<int> target{};              ///< backward only: which output the leaf at each position adds to
    int total = -1;                         ///< the output that is the sum of the statement's elements, or their mean
    bool mean = false;
    // What a forward group knows about its own derivative.
    Kernel backward = nullptr;
    std::span<const std::uint32_t> position_reads{};  ///< of the contribution to the leaf at each position
};

/// A variable's value, shared by every session over its graph.
struct State {
    Tensor value{};
    bool initialized = false, trainable = false;
    Output initial{};                                          ///< what a program's variable starts from; null if imported
    const OpTable *assign = nullptr, *no_op = nullptr;         ///< with which a graph makes its initialiser
};

struct Result {
    Dims dims = Dims::unranked();
    DType dtype = DType::invalid;
    Tensor known{};
};

struct Operation {
    const OpTable* table;
    std::shared_ptr<const void> op;  ///< the op; members that are inputs are not filled in
    std::vector<Output> inputs;
    std::vector<std::shared_ptr<Operation>> controls{};  ///< run before this
    std::string name{};                                  ///< "scope/" if only the scope is given; the exporter finds a name
    std::vector<Result> results{};                       ///< as far as known without feeds
    std::shared_ptr<const Group> group{};
    int group_output = 0;
    std::shared_ptr<State> state{};                      ///< of a variable
    std::shared_ptr<const void> origin{};                ///< what an importer keeps for the exporter

    template <class = void> Operation(const OpTable* t, std::shared_ptr<const void> o, std::vector<Output> in) : table(t), op(std::move(o)), inputs(std::move(in)) {}
    ~Operation() {  // a long chain must not recurse
        std::vector<std::shared_ptr<Operation>> dying;
        const auto take = [&](Operation& o) {
            for (auto& i : o.inputs) dying.push_back(std::move(i.operation));
            for (auto& c : o.controls) dying.push_back(std::move(c));
            if (o.group && o.group.use_count() == 1)
                for (const auto& i : o.group->inputs) dying.push_back(i.operation);
            o.group.reset();
            o.inputs.clear();
            o.controls.clear();
        };
        for (take(*this); !dying.empty();) {
            const auto last = std::move(dying.back());
            dying.pop_back();
            if (last && last.use_count() == 1) take(*last);
        }
    }
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
};
inline const Dims& Output::dims() const { return operation->results[static_cast<std::size_t>(index)].dims; }
inline DType Output::dtype() const { return operation->results[static_cast<std::size_t>(index)].dtype; }

template <class O> const O& as(const void* op) { return *static_cast<const O*>(op); }
/// "'name' (MatMul)", for messages.
template <class = void> std::string describe(const Operation& o) {
    const bool named = !o.name.empty() && o.name.back() != '/';
    return named ? "'" + o.name + "' (" + std::string(o.table->name) + ")" : std::string(o.table->name);
}

/// For `input_type`: any element type, or an index (int32 or int64).
inline constexpr DType any_dtype{-1}, index_dtype{-2};
/// Of tables that stand for those of all floating element types.
inline constexpr DType any_float_dtype{-3};

/// Whether input `i` of `n` is a member of the op.
template <class = void> bool is_const_input(const OpTable& t, std::size_t i, std::size_t n) {
    for (const int p : t.const_positions) if (i == (p < 0 ? n + static_cast<std::size_t>(p) : static_cast<std::size_t>(p))) return true;
    return false;
}
/// Refuses a wrong number of inputs and wrong element types: kernels trust both. While a graph is made, a type may be unknown:
/// that of an op which tenon does not know, and which may be fed.
template <class = void> void check_inputs(const OpTable& t, std::span<const Ref> in, const std::string& where, bool may_be_unknown) {
    const auto fixed = t.const_positions.size() + static_cast<std::size_t>(t.arity < 0 ? 0 : t.arity);
    const auto fail = [&](const auto&... part) {
        std::string text = where.empty() ? "" : where + ": ";
        text += "[" + std::string(t.name) + "] ";
        ((text += part), ...);
        throw TypeError(text);
    };
    if (t.arity < 0 ? in.size() < fixed : in.size() != fixed) fail("has ", std::to_string(in.size()), " inputs, takes ", std::to_string(fixed), t.arity < 0 ? " or more" : "");
    std::size_t data = 0;
    for (std::size_t i = 0; i < in.size(); ++i) {
        const bool member = is_const_input(t, i, in.size());
        const DType want = member ? index_dtype : t.input_type ? t.input_type(data, t.dtype) : t.dtype;
        data += !member;
        const DType is = in[i].dtype;
        if (is == DType::invalid && may_be_unknown) continue;
        if (want == any_dtype || want == is || (want == index_dtype && (is == DType::int32 || is == DType::int64))) continue;
        fail("input ", std::to_string(i), " is ", std::string(name_of(is)), ", takes ", want == index_dtype ? std::string("int32 or int64") : std::string(name_of(want)));
    }
}

/// The table for the element type that the inputs have, in place of one that stands for several.
template <class = void> [[gnu::noinline]] const OpTable& of_inputs(const OpTable& any, std::span<const Output> inputs) {
    for (std::size_t i = 0, data = 0; i < inputs.size(); ++i) {
        if (is_const_input(any, i, inputs.size())) continue;
        const DType want = any.input_type ? any.input_type(data, any.dtype) : any.dtype;
        ++data;
        const DType is = inputs[i].dtype();
        if ((want == any.dtype && is != DType::invalid) || (want == any_dtype && is_floating(is))) return any.of_type(is);
    }
    throw TypeError("[" + std::string(any.name) + "] no input says the element type");
}

/// Whether a tensor can have these extents: sizes come from files and feeds.
template <class = void> bool possible(const Dims& d) {
    std::int64_t n = 1;
    for (const auto e : d) {
        if (e < dyn || e > most_elements || (e > 1 && n > most_elements / e)) return false;
        if (e > 1) n *= e;
    }
    return true;
}

/// Elements up to which a value that follows from extents and constants is computed when a graph or plan is made.
inline constexpr std::int64_t most_known = 1024;

/// The op's outputs for inputs of which extents, dtypes and perhaps values are given: extents, dtypes, values.
/// Throws ShapeError or TypeError with the op's own sentence, after `where`.
template <class = void> [[gnu::noinline]] std::vector<Result> infer_results(const OpTable& table, const std::shared_ptr<const void>& op, std::span<const Ref> in, const std::string& where, bool may_be_unknown = false) {
    check_inputs(table, in, where, may_be_unknown);
    const Inferred r = table.infer(op.get(), in);
    if (!r.ok()) throw ShapeError((where.empty() ? "" : where + ": ") + std::string(r.why.view()));
    std::vector<Result> results(static_cast<std::size_t>(table.outputs(op.get())));
    std::vector<Dims> many;
    const bool ask = table.output_dims && !(may_be_unknown && table.dims_in_file);
    if (ask) many = table.output_dims(op.get(), in);
    bool foldable = !table.stateful && table.forward && table.writes == 0 && !results.empty();
    for (const Ref& i : in) foldable &= i.data != nullptr;
    for (std::size_t i = 0; i < results.size(); ++i) {
        results[i].dims = ask ? many[i] : r.dims[std::min(i, r.count - 1)];
        if (!possible(results[i].dims)) throw ShapeError((where.empty() ? "" : where + ": ") + "[" + std::string(table.name) + "] a result of " + to_string(results[i].dims));
        results[i].dtype = table.output_type ? table.output_type(op.get(), in, static_cast<int>(i)) : table.result;
        const auto n = results[i].dims.size();
        foldable &= n >= 0 && n <= most_known && results[i].dtype != DType::string;
    }
    if (table.known) {
        for (std::size_t i = 0; i < results.size(); ++i) results[i].known = table.known(op.get(), in, static_cast<int>(i));
    } else if (foldable) {
        std::vector<Ref> out;
        for (auto& y : results) {
            y.known = Tensor(y.dtype, y.dims);
            out.push_back({y.known.raw(), y.dims, y.dtype});
        }
        std::vector<const Ref*> ins, outs;
        for (const Ref& i : in) ins.push_back(&i);
        for (const Ref& o : out) outs.push_back(&o);
        const auto complete = table.complete ? table.complete(op, in) : op;
        const auto prepared = table.prepare ? table.prepare(complete.get(), ins, outs) : nullptr;
        const Buffer workspace(table.workspace ? table.workspace(complete.get(), ins, outs) : 0);
        try {
            table.forward({complete.get(), ins, outs, workspace.data(), prepared.get(), nullptr});
        } catch (const Error&) {  // a division by zero, say: it is reported where it is run
            for (auto& y : results) y.known = {};
        }
    }
    return results;
}

/// The only maker of operations. Never inlined: this is what every typed call comes down to, and it is paid per call site.
template <class = void> [[gnu::noinline]] Output make_operation(const OpTable& told, std::shared_ptr<const void> op, std::vector<Output> inputs, std::string name = {}) {
    const OpTable& table = told.of_type ? of_inputs(told, inputs) : told;
    auto o = std::make_shared<Operation>(&table, std::move(op), std::move(inputs));
    o->name = std::move(name);
    std::vector<Ref> in;
    in.reserve(o->inputs.size());
    for (const Output& i : o->inputs) {
        const Result& r = i.operation->results[static_cast<std::size_t>(i.index)];
        in.push_back({r.known ? r.known.raw() : nullptr, r.dims, r.dtype});
    }
    const bool named = !o->name.empty() && o->name.back() != '/';
    o->results = infer_results(table, o->op, in, named ? o->name : std::string(), true);
    return {std::move(o), 0};
}

#ifdef TENON_PREBUILT
extern template std::vector<Result> infer_results<void>(const OpTable&, const std::shared_ptr<const void>&, std::span<const Ref>, const std::string&, bool);
extern template Output make_operation<void>(const OpTable&, std::shared_ptr<const void>, std::vector<Output>, std::string);
#endif

}  // namespace tenon
