// The graph: one kind of node, TensorFlow's, whoever makes it. Programs, importers and gradient rules
// all call `make_operation` (make_operation.hpp); export is a walk over what they made.
//
//   Operation ── table ──► OpTable of (op, dtype): shape rule, kernel, gradient, attributes, as function pointers
//       │  ├── inputs ──► Output{operation, index} ...       as in the NodeDef; owning; no cycles
//       │  └── results    extents, dtype and, where it follows from extents and constants, the value of each output
//       └── group ──► Group: a compiled kernel from farther inputs straight to this result, if a typed
//                     statement made it; the operations between exist all the same
#pragma once
#include "../tensor/share.hpp"
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
    Share share{};               ///< of the work, for kernels that asked for shares

    template <class T> View<const T> input(std::size_t i) const { return view<const T>(*in[i]); }
    template <class T> View<T> output(std::size_t i) const { return view<T>(*out[i]); }
};
using Kernel = void (*)(const Call&);
/// How threads share a kernel's work: by so many calls that may run at the same time. If `rows`, a bit per input, says which have their first axis in
/// common with all outputs, each call is given some rows of them, and a kernel need not know; else it is told its `share`.
struct Sharing {
    int count = 1;
    std::uint32_t rows = 0;
    std::size_t workspace = 0;  ///< bytes of each call that is told its share
};

/// What a plan makes of a product, of matrices a b or of images with filters, whose result goes somewhere else than to all its readers: its kernel's
/// `prepared`, or null. A product of matrices with several outputs goes into them side by side.
struct ProductUse {
    static constexpr std::size_t most_outputs = 16;
    static constexpr std::int64_t tile_bytes = 128;  ///< what the columns of each of several outputs are a multiple of: tiles of any machine
    enum Into { assign, add, descend } into = assign;  ///< out = a b; out += a b; out -= in[2] a b
    std::int64_t first = 0;                            ///< the column of a b that comes first in out, which has some of them
    bool turned = false;                               ///< in[1] is b as the product wants it, transposed before
    // What is done with it before it is written: columns are scaled and shifted, a tensor of its extents is added, what is negative becomes 0.
    int column = -1, beside = -1;  ///< inputs, -1 if there is none
    bool scales = false;           ///< in[column] is [2,n], a scale and an offset per column, not just an offset
    bool rectifies = false;
    bool finishes() const { return column >= 0 || beside >= 0 || rectifies; }
};
/// What a product may do with its result on the way, in place of the op that reads it.
enum class Joins : std::uint8_t { no, adds, adds_offset, rectifies, normalises };

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
    bool (*is_turned)(const void* op) = nullptr;  ///< of a product whose kernel takes a ProductUse: whether it transposes in[1]
    Kernel turn = nullptr;                        ///< of such a product: out is in[0], a matrix, transposed
    bool finishes = false;                        ///< a product whose kernel takes a ProductUse's finish
    Joins (*joins)(const void* op) = nullptr;
    Kernel fold = nullptr;                        ///< of what normalises: out is [2,channels], the scale and the offset that in, all inputs but the first, come to
    bool descends = false;                        ///< in[0] -= in[1] in[2]
    bool sums = false;                            ///< all its inputs are added
    bool expands = false;                         ///< it costs no more to compute than its result to read: elements repeated, or a constant
    std::int64_t (*first_column)(const void* op, const Dims& in, const Dims& out) = nullptr;  ///< of what gives some columns of a matrix: the first; -1 if it does not
    bool (*splits_columns)(const void* op, const Dims& in) = nullptr;  ///< of what gives all columns of its last input, a matrix, equally many in each output; whether it does
    std::size_t (*workspace)(const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out) = nullptr;
    std::shared_ptr<const void> (*prepare)(const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out) = nullptr;
    Sharing (*sharing)(const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out, const Threads& threads) = nullptr;  ///< elementwise ops need none
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
    std::vector<std::uint32_t> position_reads{};  ///< of the contribution to the leaf at each position
};

/// A variable's value, shared by every session over its graph.
struct State {
    Tensor value{};
    bool initialized = false, trainable = false;
    Output initial{};                                          ///< what a program's variable starts from; null if imported
    const OpTable *assign = nullptr, *no_op = nullptr;         ///< with which a graph makes its initialiser
    bool viewed = false;                                       ///< the value looks into a file
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

/// Of a kernel that computes rows from rows, if it takes so many nanoseconds; about as long as its operands take to read, if it is not known.
template <class = void> Sharing shared_rows(std::uint32_t rows, std::span<const Ref* const> in, std::span<const Ref* const> out, const Threads& threads, double nanoseconds = 0) {
    if (nanoseconds == 0) for (const auto* list : {&in, &out}) for (const Ref* r : *list) nanoseconds += static_cast<double>(r->dims.size()) * static_cast<double>(bytes_of(r->dtype)) / 32;
    return {threads.shares(nanoseconds, out[0]->dims[0]), rows};
}

template <class O> const O& as(const void* op) { return *static_cast<const O*>(op); }
/// "'name' (MatMul)", for messages.
template <class = void> std::string describe(const Operation& o) {
    const bool named = !o.name.empty() && o.name.back() != '/';
    return named ? "'" + o.name + "' (" + std::string(o.table->name) + ")" : std::string(o.table->name);
}

}  // namespace tenon
