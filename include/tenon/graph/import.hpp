// From a GraphDef to operations: the same ones that programs make, through the same function.
//
// An op that tenon does not know, or a node whose attributes or inputs make no sense, is carried through: it keeps its name, its
// edges and its NodeDef, and is an error, with its reason, only for a run that needs it. Loops are carried likewise: the edge
// that closes a circle stays in the NodeDef.
#pragma once
#include "../expr/graph.hpp"
#include "../expr/table.hpp"
#include "attr_reading.hpp"
#include "op_index.hpp"

namespace tenon {

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
    OpIndex ops_;
    struct Node {
        std::string_view name, op;
        std::size_t first_edge;
    };
    std::vector<Node> nodes_;  // and one more at the end, for its first edge
    HashIndex by_name_;
    std::vector<std::string_view> inputs_;  // of all nodes, one after the other
    std::vector<Edge> edges_;
    Attributes attributes_;  // of the node that is being made
    std::vector<std::span<const OpTable* const>> kinds_;  // the tables of each op that occurs
    std::vector<std::string_view> kind_names_;
    HashIndex by_kind_;
    std::vector<std::shared_ptr<Operation>> made_;
    std::vector<int> order_;  // nodes, inputs first
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
    Importer(std::shared_ptr<const Imported> file, OpIndex ops) : file_(std::move(file)), ops_(ops) {}

    Graph run() {
        read_names();
        edges_.reserve(inputs_.size());
        for (std::size_t node = 0; node < size(); ++node)
            for (auto i = nodes_[node].first_edge; i < nodes_[node + 1].first_edge; ++i) edges_.push_back(edge(inputs_[i], nodes_[node].name));
        inputs_ = {};
        room_ += edges_.size();
        made_.resize(size());
        order_.reserve(size());
        make_all();
        std::vector<std::shared_ptr<Operation>> operations;
        std::vector<int> place(size());
        operations.reserve(size());
        for (const int node : order_) {
            place[z(node)] = static_cast<int>(operations.size());
            operations.push_back(std::move(made_[z(node)]));
        }
        by_name_.renumber([&](int node) { return place[z(node)]; });
        return Graph::of_named(std::move(operations), std::move(by_name_), file_);
    }

private:
    std::size_t size() const { return file_->nodes.size(); }
    /// Every name is hashed once, and looked up once for each edge from it.
    void read_names() {
        nodes_.reserve(size() + 1);
        by_name_.reserve(size());
        inputs_.reserve(2 * size());
        for (const auto bytes : file_->nodes) {
            Node n{{}, {}, inputs_.size()};
            for (proto::Fields<proto::NodeDef> field(bytes); field.next();) {
                if (field.is<&proto::NodeDef::name>()) n.name = field.content();
                else if (field.is<&proto::NodeDef::op>()) n.op = field.content();
                else if (field.is<&proto::NodeDef::input>()) inputs_.push_back(field.content());
            }
            if (n.name.empty()) throw FormatError("[import] a node (" + std::string(n.op) + ") has no name");
            const int i = static_cast<int>(nodes_.size());
            nodes_.push_back(n);
            if (by_name_.keep(hash_of(n.name), i, [&](int k) { return nodes_[z(k)].name == n.name; }) != i) throw FormatError("[import] two nodes are named '" + std::string(n.name) + "'");
        }
        nodes_.push_back({{}, {}, inputs_.size()});
    }
    Edge edge(std::string_view text, std::string_view of) const {
        Edge e{HashIndex::none, 0};
        auto name = text;
        if (text.starts_with('^')) {
            e.output = -1;
            name.remove_prefix(1);
        } else if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
            for (const char c : text.substr(colon + 1)) {
                if (c < '0' || c > '9' || e.output > 100000) throw FormatError("[import] node '" + std::string(of) + "' has an input '" + std::string(text) + "'");
                e.output = 10 * e.output + (c - '0');
            }
            name = text.substr(0, colon);
        }
        e.node = by_name_.find(hash_of(name), [&](int k) { return nodes_[z(k)].name == name; });
        if (e.node == HashIndex::none) throw NameError("[import] node '" + std::string(of) + "' has an input '" + std::string(name) + "' that is not in the graph");
        return e;
    }
    /// Inputs first. Iterative; an edge back to a node that is being made closes a loop and is left to the NodeDef.
    void make_all() {
        struct Visit { int node; std::size_t edge; };
        std::vector<bool> begun(size());
        std::vector<Visit> stack;
        const auto begin = [&](int node) {
            if (begun[z(node)]) return;
            begun[z(node)] = true;
            stack.push_back({node, nodes_[z(node)].first_edge});
        };
        for (int start = 0; start < static_cast<int>(size()); ++start) {
            for (begin(start); !stack.empty();) {
                auto& [node, next] = stack.back();
                if (next < nodes_[z(node) + 1].first_edge) {
                    begin(edges_[next++].node);
                } else {
                    make(node);
                    stack.pop_back();
                }
            }
        }
    }

    void make(int node) {
        const Node& def = nodes_[z(node)];
        std::string reason;
        std::size_t controls = 0;
        for (auto i = nodes_[z(node)].first_edge; i < nodes_[z(node) + 1].first_edge; ++i) {
            const Edge e = edges_[i];
            const auto* const from = made_[z(e.node)].get();
            if (!from) reason = "closes a loop";
            else if (e.output < 0) ++controls;
            else if (z(e.output) >= from->results.size()) {
                if (from->table->supported) throw NameError("[import] node '" + std::string(def.name) + "' reads output " + std::to_string(e.output) + " of " + describe(*from) + ", which has " + std::to_string(from->results.size()));
                add_outputs(*made_[z(e.node)], z(e.output) + 1, def);
            }
        }
        std::shared_ptr<Operation> o;
        if (reason.empty()) {
            try {
                o = operation(node, inputs_of(node));
            } catch (const Error& e) {
                reason = e.what();
                if (reason.starts_with(std::string(def.name) + ": ")) reason.erase(0, def.name.size() + 2);
            }
        }
        if (!o) o = carry(def, inputs_of(node), reason);
        if (controls) {
            o->controls.reserve(controls);
            for (auto i = nodes_[z(node)].first_edge; i < nodes_[z(node) + 1].first_edge; ++i)
                if (const Edge e = edges_[i]; e.output < 0 && made_[z(e.node)]) o->controls.push_back(made_[z(e.node)]);
        }
        o->origin = std::shared_ptr<const void>(file_, &file_->nodes[z(node)]);
        order_.push_back(node);
        made_[z(node)] = std::move(o);
    }
    void add_outputs(Operation& o, std::size_t n, const Node& reader) {
        const auto more = n - o.results.size();
        if (more > room_)
            throw FormatError("[import] node '" + std::string(reader.name) + "' reads output " + std::to_string(n - 1) + " of " + describe(o) + ", an unknown op: a graph of " + std::to_string(edges_.size()) + " inputs has at most " +
                              std::to_string(least_room + edges_.size()) + " outputs of such");
        room_ -= more;
        o.results.resize(n);
    }
    std::shared_ptr<Operation> carry(const Node& def, std::vector<Output> inputs, const std::string& reason) {
        const int fresh = static_cast<int>(carried_.size());
        const int at = by_reason_.keep(hash_of(def.op) ^ hash_of(reason) * 3, fresh, [&](int k) { return carried_[z(k)]->op == def.op && carried_[z(k)]->reason == reason; });
        if (at == fresh) carried_.push_back(std::make_shared<const Carried>(std::string(def.op), reason));
        const auto& carried = carried_[z(at)];
        auto o = std::make_shared<Operation>(&carried->table, carried, std::move(inputs));
        o->results.resize(1);
        o->name = def.name;
        return o;
    }
    std::vector<Output> inputs_of(int node) const {
        std::vector<Output> inputs;
        inputs.reserve(nodes_[z(node) + 1].first_edge - nodes_[z(node)].first_edge);
        for (auto i = nodes_[z(node)].first_edge; i < nodes_[z(node) + 1].first_edge; ++i)
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
    std::shared_ptr<Operation> operation(int node, std::vector<Output> inputs) {
        const Node& def = nodes_[z(node)];
        const auto tables = kind(def.op);
        if (tables.empty()) return nullptr;
        attributes_.read(file_->nodes[z(node)]);
        const OpTable* t = table_for(tables, inputs);
        if (!t) throw UnsupportedError("no kernel of " + std::string(def.op) + " for its element type");
        auto op = t->clone(nullptr);
        AttrReading reading(attributes_);
        t->attributes(op.get(), reading);
        if (t->name == "Placeholder") old_placeholder(op.get(), *t);
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
    const OpTable* table_for(std::span<const OpTable* const> tables, const std::vector<Output>& inputs) {
        for (const TypeAttr& a : tables[0]->types) {
            if (a.of != TypeAttr::self) continue;
            DType want = DType::invalid;
            if (const auto* v = attributes_.find(a.name)) want = proto::get<DType>(*v);
            else if (!inputs.empty()) want = inputs[0].dtype();
            for (const OpTable* t : tables) if (t->dtype == want) return t;
            return want == DType::invalid ? tables[0] : nullptr;
        }
        return tables[0];
    }
    /// Before producer 24, a placeholder without dims is of unknown shape, not a scalar.
    void old_placeholder(void* op, const OpTable& t) {
        const auto* shape = attributes_.find("shape");
        const auto& versions = file_->meta.graph_def->versions;
        const auto producer = versions ? versions->producer : 0;
        struct Unknown : AttrReading {
            using AttrReading::AttrReading;
            using AttrReading::at;
            void at(const char*, Dims& v, bool) override { v = Dims::unranked(); }
        } unknown(attributes_);
        if (shape && shape->shape && shape->shape->dim.empty() && producer < 24) t.attributes(op, unknown);
    }
};

}  // namespace detail

/// The operations of a GraphDef, by name.
///
/// Errors    FormatError or NameError if the graph contradicts itself: two nodes of one name, an edge from nowhere
inline Graph import_graph(std::shared_ptr<const Imported> file, OpIndex ops) { return detail::Importer(std::move(file), ops).run(); }
inline Graph import_graph(proto::MetaGraphDef meta, OpIndex ops) { return import_graph(std::make_shared<const Imported>(std::move(meta)), ops); }

}  // namespace tenon
