// From a GraphDef to operations: the same ones that programs make, through the same function.
//
// An op that tenon does not know, or a node whose attributes or inputs make no sense, is carried through: it keeps its name, its
// edges and its NodeDef, and is an error, with its reason, only for a run that needs it. Loops are carried likewise: the edge
// that closes a circle stays in the NodeDef.
#pragma once
#include "../expr/graph.hpp"
#include "../expr/table.hpp"
#include "meta_graph_def.hpp"
#include "op_index.hpp"
#include "tensor_proto.hpp"

#include <unordered_map>

namespace tenon {

/// What an import keeps: the file's message, of which every operation refers to its node.
struct Imported {
    proto::MetaGraphDef meta;
};
/// The NodeDef that an imported operation came from; null for operations made by a program.
inline const proto::NodeDef* node_def_of(const Operation& o) { return static_cast<const proto::NodeDef*>(o.origin.get()); }

namespace detail {

/// What stands for a node that cannot be run; the table belongs to it.
struct Carried {
    OpTable table;
    std::string op, reason;
};
inline std::shared_ptr<Operation> carry(const proto::NodeDef& def, std::vector<Output> inputs, std::size_t outputs, std::string reason) {
    auto carried = std::make_shared<Carried>();
    carried->op = def.op;
    carried->reason = std::move(reason);
    OpTable& t = carried->table;
    t.name = carried->op;
    t.arity = -1;
    t.stateful = true;
    t.supported = false;
    t.reason = carried->reason;
    auto o = std::make_shared<Operation>(&carried->table, carried, std::move(inputs));
    o->results.resize(outputs);
    return o;
}

class AttrReading : public AttrVisitor {
    const proto::NodeDef& def_;
    const proto::AttrValue* find(const char* name) const { return def_.attr.find(name); }
    template <class T, class M> void read(const char* name, M& v) const {
        if (const auto* a = find(name)) v = static_cast<M>(proto::get<T>(*a));
    }

public:
    explicit AttrReading(const proto::NodeDef& def) : def_(def) {}
    void at(const char* name, bool& v) override { read<bool>(name, v); }
    void at(const char* name, std::int64_t& v) override { read<std::int64_t>(name, v); }
    void at(const char* name, float& v) override { read<float>(name, v); }
    void at(const char* name, std::string& v) override { read<std::string>(name, v); }
    void at(const char* name, DType& v) override { read<DType>(name, v); }
    void at(const char* name, std::vector<DType>& v) override { read<std::vector<DType>>(name, v); }
    void at(const char* name, std::vector<std::string>& v) override { read<std::vector<std::string>>(name, v); }
    void at(const char* name, Dims& v, bool is_shape) override {
        const auto* a = find(name);
        if (!a) return;
        if (is_shape) { v = proto::get<Dims>(*a); return; }
        v = Dims();
        for (const auto e : proto::get<std::vector<std::int64_t>>(*a)) v.push(e);
    }
    void at(const char* name, Ints& v) override {
        const auto* a = find(name);
        if (!a) return;
        v = Ints();
        for (const auto e : proto::get<std::vector<std::int64_t>>(*a)) v.push(e);
    }
    void at(const char* name, Tensor& v) override {
        if (const auto* a = find(name)) v = proto::tensor_of(proto::get<proto::TensorProto>(*a));
    }
    void choice(const char* name, int& v, std::span<const std::string_view> list) override {
        const auto* a = find(name);
        if (!a) return;
        const auto text = proto::get<std::string>(*a);
        for (std::size_t i = 0; i < list.size(); ++i) if (list[i] == text) { v = static_cast<int>(i); return; }
        throw ValueError("attribute " + std::string(name) + " is '" + text + "'");
    }
};

class Importer {
    std::shared_ptr<const Imported> file_;
    const proto::GraphDef& graph_;
    OpIndex ops_;
    std::unordered_map<std::string_view, int> number_;
    std::vector<std::shared_ptr<Operation>> made_, order_;

    static std::size_t z(int i) { return static_cast<std::size_t>(i); }
    struct Edge { int node = -1, output = 0; bool control = false; };

public:
    Importer(std::shared_ptr<const Imported> file, OpIndex ops) : file_(std::move(file)), graph_(*file_->meta.graph_def), ops_(ops) {}

    Graph run() {
        const auto n = graph_.node.size();
        number_.reserve(n);
        made_.resize(n);
        for (std::size_t i = 0; i < n; ++i) {
            const auto& def = graph_.node[i];
            if (def.name.empty()) throw FormatError("[import] a node (" + def.op + ") has no name");
            if (!number_.emplace(def.name, static_cast<int>(i)).second) throw FormatError("[import] two nodes are named '" + def.name + "'");
        }
        for (int i = 0; i < static_cast<int>(n); ++i) make_from(i);
        return Graph::of_named(std::move(order_), file_);
    }

private:
    Edge edge(std::string_view text, const std::string& of) const {
        Edge e;
        if (!text.empty() && text[0] == '^') e.control = true, text.remove_prefix(1);
        const auto colon = e.control ? std::string_view::npos : text.rfind(':');
        if (colon != std::string_view::npos) {
            for (const char c : text.substr(colon + 1)) {
                if (c < '0' || c > '9' || e.output > 100000) throw FormatError("[import] node '" + of + "' has an input '" + std::string(text) + "'");
                e.output = 10 * e.output + (c - '0');
            }
            text = text.substr(0, colon);
        }
        const auto at = number_.find(text);
        if (at == number_.end()) throw NameError("[import] node '" + of + "' has an input '" + std::string(text) + "' that is not in the graph");
        e.node = at->second;
        return e;
    }
    /// Inputs first. Iterative; an edge back to a node that is being made closes a loop and is left to the NodeDef.
    void make_from(int start) {
        struct Visit { int node; std::size_t edge; };
        if (made_[z(start)] || state_[start]) return;
        std::vector<Visit> stack{{start, 0}};
        state_[start] = 1;
        while (!stack.empty()) {
            auto& [node, next] = stack.back();
            const auto& def = graph_.node[z(node)];
            if (next == def.input.size()) {
                make(node);
                state_[node] = 2;
                stack.pop_back();
                continue;
            }
            const Edge e = edge(def.input[next++], def.name);
            if (!state_[e.node]) {
                state_[e.node] = 1;
                stack.push_back({e.node, 0});
            }
        }
    }
    std::unordered_map<int, int> state_;

    void make(int node) {
        const auto& def = graph_.node[z(node)];
        std::vector<Output> inputs;
        std::vector<std::shared_ptr<Operation>> controls;
        std::string reason;
        for (const auto& text : def.input) {
            const Edge e = edge(text, def.name);
            const auto& from = made_[z(e.node)];
            if (!from) reason = "closes a loop";
            else if (e.control) controls.push_back(from);
            else {
                auto& outputs = from->results;
                if (z(e.output) >= outputs.size()) {
                    if (from->table->supported) throw NameError("[import] node '" + def.name + "' reads output " + std::to_string(e.output) + " of " + describe(*from) + ", which has " + std::to_string(outputs.size()));
                    outputs.resize(z(e.output) + 1);
                }
                inputs.push_back({from, e.output});
            }
        }
        std::shared_ptr<Operation> o;
        if (reason.empty()) {
            try {
                o = operation(def, inputs);
            } catch (const Error& e) {
                reason = e.what();
                if (reason.starts_with(def.name + ": ")) reason.erase(0, def.name.size() + 2);
            }
        }
        if (!o) o = carry(def, std::move(inputs), 1, reason);
        o->name = def.name;
        o->controls = std::move(controls);
        o->origin = std::shared_ptr<const void>(file_, &def);
        made_[z(node)] = o;
        order_.push_back(std::move(o));
    }
    /// Null if no table fits.
    std::shared_ptr<Operation> operation(const proto::NodeDef& def, const std::vector<Output>& inputs) const {
        const auto tables = tables_named(ops_, def.op);
        if (tables.empty()) return nullptr;
        const OpTable* t = table_for(tables, def, inputs);
        if (!t) throw UnsupportedError("no kernel of " + def.op + " for its element type");
        auto op = t->clone(nullptr);
        AttrReading reading(def);
        t->attributes(op.get(), reading);
        if (t->name == "Placeholder") old_placeholder(op.get(), *t, def);
        const Output o = make_operation(*t, std::move(op), inputs, def.name);
        if (t->is_state) {
            o.operation->state = std::make_shared<State>();
            if (o.dims().known()) o.operation->state->value = memory_for(t->dtype, o.dims());
        }
        return o.operation;
    }
    static Tensor memory_for(DType t, const Dims& d) {
        Tensor memory;
        try {
            memory = Tensor(t, d);
        } catch (const std::bad_alloc&) { throw UnsupportedError("there is no memory for " + std::string(name_of(t)) + " " + to_string(d)); }
        return memory;
    }
    static const OpTable* table_for(std::span<const OpTable* const> tables, const proto::NodeDef& def, const std::vector<Output>& inputs) {
        for (const TypeAttr& a : tables[0]->types) {
            if (a.of != TypeAttr::self) continue;
            DType want = DType::invalid;
            if (const auto* v = def.attr.find(a.name)) want = proto::get<DType>(*v);
            else if (!inputs.empty()) want = inputs[0].dtype();
            for (const OpTable* t : tables) if (t->dtype == want) return t;
            return want == DType::invalid ? tables[0] : nullptr;
        }
        return tables[0];
    }
    /// Before producer 24, a placeholder without dims is of unknown shape, not a scalar.
    void old_placeholder(void* op, const OpTable& t, const proto::NodeDef& def) const {
        const auto* shape = def.attr.find("shape");
        const auto producer = graph_.versions ? graph_.versions->producer : 0;
        struct Unknown : AttrReading {
            using AttrReading::AttrReading;
            using AttrReading::at;
            void at(const char*, Dims& v, bool) override { v = Dims::unranked(); }
        } unknown(def);
        if (shape && shape->shape && shape->shape->dim.empty() && producer < 24) t.attributes(op, unknown);
    }
};

}  // namespace detail

/// What the attribute `_output_shapes` of an imported node says of an output, which is often wrong, and so nothing is held to it. Unranked if it says nothing.
inline Dims hinted_dims(const Output& o) {
    const auto* const def = node_def_of(*o.operation);
    const auto* const a = def ? def->attr.find("_output_shapes") : nullptr;
    const auto i = static_cast<std::size_t>(o.index);
    if (!a || !a->list || i >= a->list->shape.size()) return Dims::unranked();
    try {
        return proto::dims_of(a->list->shape[i]);
    } catch (const ShapeError&) { return Dims::unranked(); }
}

/// The operations of a GraphDef, by name.
///
/// Errors    FormatError or NameError if the graph contradicts itself: two nodes of one name, an edge from nowhere
inline Graph import_graph(proto::MetaGraphDef meta, OpIndex ops) {
    auto file = std::make_shared<Imported>(Imported{std::move(meta)});
    if (!file->meta.graph_def) file->meta.graph_def.emplace();
    return detail::Importer(std::move(file), ops).run();
}

}  // namespace tenon
