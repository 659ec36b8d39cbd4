// From operations to a GraphDef: a walk. Imported operations are written as they came, attributes that tenon does not know
// included.
#pragma once
#include "import.hpp"
#include "update_order.hpp"

namespace tenon {

namespace detail {

class AttrWriting : public AttrVisitor {
    proto::NodeDef& def_;
    template <class T> void put(const char* name, const T& v) { def_.attr[name] = proto::attr_value(v); }

public:
    explicit AttrWriting(proto::NodeDef& def) : def_(def) {}
    void at(const char* name, bool& v) override { put(name, v); }
    void at(const char* name, std::int64_t& v) override { put(name, v); }
    void at(const char* name, float& v) override { put(name, v); }
    void at(const char* name, std::string& v) override { put(name, v); }
    void at(const char* name, DType& v) override { put(name, v); }
    void at(const char* name, std::vector<DType>& v) override { put(name, v); }
    void at(const char* name, std::vector<std::string>& v) override { put(name, v); }
    void at(const char* name, Dims& v, bool is_shape) override {
        if (is_shape) put(name, v);
        else put(name, std::vector<std::int64_t>(v.begin(), v.end()));
    }
    void at(const char* name, Ints& v) override { put(name, std::vector<std::int64_t>(v.begin(), v.end())); }
    void at(const char* name, Tensor& v) override { put(name, proto::tensor_proto(v)); }
    void choice(const char* name, int& v, std::span<const std::string_view> list) override { put(name, std::string(list[static_cast<std::size_t>(v)])); }
};

inline void write_types(const Operation& o, proto::NodeDef& def) {
    const OpTable& t = *o.table;
    for (const TypeAttr& a : t.types) {
        const auto n = o.inputs.size();
        std::vector<DType> list;
        switch (a.of) {
            case TypeAttr::self: def.attr[a.name] = proto::attr_value(t.dtype); break;
            case TypeAttr::input: def.attr[a.name] = proto::attr_value(o.inputs[a.index < 0 ? n + static_cast<std::size_t>(a.index) : static_cast<std::size_t>(a.index)].dtype()); break;
            case TypeAttr::output: def.attr[a.name] = proto::attr_value(o.results[static_cast<std::size_t>(a.index)].dtype); break;
            case TypeAttr::count: def.attr[a.name] = proto::attr_value(static_cast<std::int64_t>((n - t.const_positions.size()) / static_cast<std::size_t>(std::max(a.index, 1)))); break;
            case TypeAttr::input_list:
                for (std::size_t i = static_cast<std::size_t>(a.index); i < n; ++i) list.push_back(o.inputs[i].dtype());
                def.attr[a.name] = proto::attr_value(list);
                break;
            case TypeAttr::output_list:
                for (const Result& r : o.results) list.push_back(r.dtype);
                def.attr[a.name] = proto::attr_value(list);
                break;
        }
    }
}

}  // namespace detail

/// The NodeDef of an operation whose name and whose inputs' names are set.
inline proto::NodeDef node_def(const Operation& o) {
    if (auto imported = node_def_of(o)) return std::move(*imported);
    proto::NodeDef def;
    def.name = o.name;
    def.op = o.table->name;
    for (const Output& i : o.inputs) def.input.push_back(i.operation->name + (i.index ? ":" + std::to_string(i.index) : ""));
    for (const auto& c : o.controls) def.input.push_back("^" + c->name);
    detail::write_types(o, def);
    const auto copy = o.table->clone(o.op.get());
    detail::AttrWriting writing(def);
    o.table->attributes(copy.get(), writing);
    return def;
}

/// Every operation of the graph, inputs first.
inline proto::GraphDef export_graph(const Graph& graph) {
    proto::GraphDef def;
    const detail::UpdateOrder<> order(graph);
    for (std::size_t i = 0; i < graph.operations().size(); ++i) {
        auto& node = def.node.emplace_back(node_def(*graph.operations()[i]));
        order.each_reader(i, [&](const Operation& reader) { node.input.push_back("^" + reader.name); });
    }
    if (const auto* file = imported_of(graph)) {
        def.library = file->meta.graph_def->library;
        def.version = file->meta.graph_def->version;
        def.versions = file->meta.graph_def->versions;
        def.unknown = file->meta.graph_def->unknown;
    } else def.versions.emplace().producer = 134;  // TensorFlow 1.15: a scalar placeholder is a scalar
    return def;
}

}  // namespace tenon
