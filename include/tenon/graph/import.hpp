// From a GraphDef to operations: the same ones that programs make, through the same function.
//
// An op that tenon does not know, or a node whose attributes or inputs make no sense, is carried through: it keeps its name, its
// edges and its NodeDef, and is an error, with its reason, only for a run that needs it. Loops are carried likewise: the edge
// that closes a circle stays in the NodeDef.
#pragma once
#include "../expr/graph.hpp"
#include "../expr/table.hpp"
#include "attr_reading.hpp"
#include "meta_graph_def.hpp"
#include "op_index.hpp"

namespace tenon {

/// What an import keeps: the file's message, of which every operation refers to its node.
struct Imported {
    proto::MetaGraphDef meta;
};
/// The NodeDef that an imported operation came from; null for operations made by a program.
inline const proto::NodeDef* node_def_of(const Operation& o) { return static_cast<const proto::NodeDef*>(o.origin.get()); }

namespace detail {

/// What stands for nodes of one op that cannot be run for one reason; the table belongs to it.
struct Carried {
    OpTable table;
    std::string op, reason;
    Carried(const std::string& of, std::string why) : op(of), reason(std::move(why)) {
        table.name = op;
        table.arity = -1;
        table.stateful = true;
        table.supported = false;
        table.reason = reason;
    }
    Carried(const Carried&) = delete;
    Carried& operator=(const Carried&) = delete;
};

class Importer {
    struct Edge { int node, output; };  // output -1: a control edge
    std::shared_ptr<const Imported> file_;
    const proto::GraphDef& graph_;
    OpIndex ops_;
    std::vector<std::size_t> hash_;  // of each node's name
    HashIndex by_name_;
    std::vector<Edge> edges_;               // of all nodes, one after the other
    std::vector<std::size_t> first_edge_;   // of each node; one more at the end
    std::vector<std::span<const OpTable* const>> kinds_;  // the tables of each op that occurs
    std::vector<std::string_view> kind_names_;
    HashIndex by_kind_;
    std::vector<std::shared_ptr<Operation>> made_, order_;
    std::vector<std::size_t> hash_in_order_;
    std::vector<std::shared_ptr<const Carried>> carried_;
    HashIndex by_reason_;  // those, by op and reason
    std::size_t room_ = least_room;  // for results of ops that are not known
    std::shared_ptr<Buffer> block_;  // where small variables lie
    std::size_t taken_ = 0, given_ = 0;  // of it; of all
    static constexpr std::size_t most_in_block = 4u << 20, largest_block = 16u << 20;

    /// Ops that are not known have as many outputs as are read: in all of a graph so many, and one more for each input in it.
    static constexpr std::size_t least_room = 4096;

    static std::size_t z(int i) { return static_cast<std::size_t>(i); }

public:
    Importer(std::shared_ptr<const Imported> file, OpIndex ops) : file_(std::move(file)), graph_(*file_->meta.graph_def), ops_(ops) {}

    Graph run() {
        const auto n = graph_.node.size();
        number_names();
        first_edge_.reserve(n + 1);
        for (const auto& def : graph_.node) {
            first_edge_.push_back(edges_.size());
            for (const auto& text : def.input) edges_.push_back(edge(text, def.name));
        }
        first_edge_.push_back(edges_.size());
        room_ += edges_.size();
        made_.resize(n);
        order_.reserve(n);
        hash_in_order_.reserve(n);
        make_all();
        return Graph::of_named(std::move(order_), hash_in_order_, file_);
    }

private:
    /// Every name is hashed once, and looked up once for each edge from it.
    void number_names() {
        const auto n = graph_.node.size();
        hash_.reserve(n);
        by_name_.reserve(n);
        std::size_t edges = 0;
        for (const auto& def : graph_.node) {
            if (def.name.empty()) throw FormatError("[import] a node (" + def.op + ") has no name");
            const int i = static_cast<int>(hash_.size());
            hash_.push_back(hash_of(def.name));
            if (by_name_.keep(hash_.back(), i, [&](int k) { return graph_.node[z(k)].name == def.name; }) != i) throw FormatError("[import] two nodes are named '" + def.name + "'");
            edges += def.input.size();
        }
        edges_.reserve(edges);
    }
    Edge edge(std::string_view text, const std::string& of) const {
        Edge e{HashIndex::none, 0};
        auto name = text;
        if (text.starts_with('^')) {
            e.output = -1;
            name.remove_prefix(1);
        } else if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
            for (const char c : text.substr(colon + 1)) {
                if (c < '0' || c > '9' || e.output > 100000) throw FormatError("[import] node '" + of + "' has an input '" + std::string(text) + "'");
                e.output = 10 * e.output + (c - '0');
            }
            name = text.substr(0, colon);
        }
        e.node = by_name_.find(hash_of(name), [&](int k) { return graph_.node[z(k)].name == name; });
        if (e.node == HashIndex::none) throw NameError("[import] node '" + of + "' has an input '" + std::string(name) + "' that is not in the graph");
        return e;
    }
    /// Inputs first. Iterative; an edge back to a node that is being made closes a loop and is left to the NodeDef.
    void make_all() {
        struct Visit { int node; std::size_t edge; };
        std::vector<bool> begun(graph_.node.size());
        std::vector<Visit> stack;
        const auto begin = [&](int node) {
            if (begun[z(node)]) return;
            begun[z(node)] = true;
            stack.push_back({node, first_edge_[z(node)]});
        };
        for (int start = 0; start < static_cast<int>(graph_.node.size()); ++start) {
            for (begin(start); !stack.empty();) {
                auto& [node, next] = stack.back();
                if (next < first_edge_[z(node) + 1]) {
                    begin(edges_[next++].node);
                } else {
                    make(node);
                    stack.pop_back();
                }
            }
        }
    }

    void make(int node) {
        const auto& def = graph_.node[z(node)];
        std::string reason;
        std::size_t controls = 0;
        for (auto i = first_edge_[z(node)]; i < first_edge_[z(node) + 1]; ++i) {
            const Edge e = edges_[i];
            const auto* const from = made_[z(e.node)].get();
            if (!from) reason = "closes a loop";
            else if (e.output < 0) ++controls;
            else if (z(e.output) >= from->results.size()) {
                if (from->table->supported) throw NameError("[import] node '" + def.name + "' reads output " + std::to_string(e.output) + " of " + describe(*from) + ", which has " + std::to_string(from->results.size()));
                add_outputs(*made_[z(e.node)], z(e.output) + 1, def);
            }
        }
        std::shared_ptr<Operation> o;
        if (reason.empty()) {
            try {
                o = operation(def, inputs_of(node));
            } catch (const Error& e) {
                reason = e.what();
                if (reason.starts_with(def.name + ": ")) reason.erase(0, def.name.size() + 2);
            }
        }
        if (!o) o = carry(def, inputs_of(node), reason);
        if (controls) {
            o->controls.reserve(controls);
            for (auto i = first_edge_[z(node)]; i < first_edge_[z(node) + 1]; ++i)
                if (const Edge e = edges_[i]; e.output < 0 && made_[z(e.node)]) o->controls.push_back(made_[z(e.node)]);
        }
        o->origin = std::shared_ptr<const void>(file_, &def);
        order_.push_back(o);
        hash_in_order_.push_back(hash_[z(node)]);
        made_[z(node)] = std::move(o);
    }
    void add_outputs(Operation& o, std::size_t n, const proto::NodeDef& reader) {
        const auto more = n - o.results.size();
        if (more > room_)
            throw FormatError("[import] node '" + reader.name + "' reads output " + std::to_string(n - 1) + " of " + describe(o) + ", an unknown op: a graph of " + std::to_string(edges_.size()) + " inputs has at most " +
                              std::to_string(least_room + edges_.size()) + " outputs of such");
        room_ -= more;
        o.results.resize(n);
    }
    std::shared_ptr<Operation> carry(const proto::NodeDef& def, std::vector<Output> inputs, const std::string& reason) {
        const int fresh = static_cast<int>(carried_.size());
        const int at = by_reason_.keep(hash_of(def.op) ^ hash_of(reason) * 3, fresh, [&](int k) { return carried_[z(k)]->op == def.op && carried_[z(k)]->reason == reason; });
        if (at == fresh) carried_.push_back(std::make_shared<const Carried>(def.op, reason));
        const auto& carried = carried_[z(at)];
        auto o = std::make_shared<Operation>(&carried->table, carried, std::move(inputs));
        o->results.resize(1);
        o->name = def.name;
        return o;
    }
    std::vector<Output> inputs_of(int node) const {
        std::vector<Output> inputs;
        inputs.reserve(first_edge_[z(node) + 1] - first_edge_[z(node)]);
        for (auto i = first_edge_[z(node)]; i < first_edge_[z(node) + 1]; ++i)
            if (const Edge e = edges_[i]; e.output >= 0 && made_[z(e.node)]) inputs.emplace_back(made_[z(e.node)], e.output);
        return inputs;
    }
    /// The tables of an op, looked for where it occurs first.
    std::span<const OpTable* const> kind(std::string_view op) {
        const int fresh = static_cast<int>(kinds_.size());
        const int at = by_kind_.keep(hash_of(op), fresh, [&](int k) { return kind_names_[z(k)] == op; });
        if (at == fresh) {
            kinds_.push_back(tables_named(ops_, op));
            kind_names_.push_back(op);
        }
        return kinds_[z(at)];
    }
    /// Null if no table fits.
    std::shared_ptr<Operation> operation(const proto::NodeDef& def, std::vector<Output> inputs) {
        const auto tables = kind(def.op);
        if (tables.empty()) return nullptr;
        const OpTable* t = table_for(tables, def, inputs);
        if (!t) throw UnsupportedError("no kernel of " + def.op + " for its element type");
        auto op = t->clone(nullptr);
        AttrReading reading(def);
        t->attributes(op.get(), reading);
        if (t->name == "Placeholder") old_placeholder(op.get(), *t, def);
        Output o = make_operation(*t, std::move(op), std::move(inputs), def.name);
        if (t->is_state) {
            o.operation->state = std::make_shared<State>();
            if (o.dims().known()) o.operation->state->value = memory_for(t->dtype, o.dims());
        }
        return std::move(o.operation);
    }
    /// A variable's memory. Small ones lie side by side in blocks that nobody has touched yet, so that no page is begun for each. A block is as large as
    /// all before it, within a bound: one variable that outlives the others keeps no more than that. Where there is no memory for a block there may be for the variable.
    Tensor memory_for(DType t, const Dims& d) {
        try {
            if (t == DType::string || d.size() == 0 || static_cast<std::size_t>(d.size()) > most_in_block / bytes_of(t)) return Tensor(t, d);
            const auto bytes = (static_cast<std::size_t>(d.size()) * bytes_of(t) + 63) / 64 * 64;
            if (!has_block_for(bytes)) return Tensor(t, d);
            Tensor memory(t, d, block_->data() + taken_, block_);
            taken_ += bytes;
            given_ += bytes;
            return memory;
        } catch (const std::bad_alloc&) { throw UnsupportedError("there is no memory for " + std::string(name_of(t)) + " " + to_string(d)); }
    }
    bool has_block_for(std::size_t bytes) {
        if (block_ && block_->bytes() - taken_ >= bytes) return true;
        try {
            block_ = std::make_shared<Buffer>(std::max(bytes, std::min(given_, largest_block)));
        } catch (const std::bad_alloc&) { return false; }
        taken_ = 0;
        return true;
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
