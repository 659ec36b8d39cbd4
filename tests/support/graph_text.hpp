// Small graphs for tests, told node by node in protobuf's text format.
#pragma once
#include "scratch.hpp"
#include <tenon/checkpoint/import_meta_graph.hpp>

#include <initializer_list>
#include <string>
#include <utility>

namespace tenon::test {

/// `attr("T", "type: DT_FLOAT")`
inline std::string attr(const std::string& key, const std::string& value) { return " attr { key: \"" + key + "\" value { " + value + " } }"; }
inline std::string type(const std::string& key, const std::string& t = "FLOAT") { return attr(key, "type: DT_" + t); }
inline std::string shape(const std::string& key, std::initializer_list<int> extents) {
    std::string s = "shape {";
    for (const int e : extents) s += " dim { size: " + std::to_string(e) + " }";
    return attr(key, s + " }");
}
inline std::string node(const std::string& name, const std::string& op, std::initializer_list<const char*> inputs, const std::string& attrs = "") {
    std::string s = "node { name: \"" + name + "\" op: \"" + op + "\"";
    for (const auto* i : inputs) s += std::string(" input: \"") + i + "\"";
    return s + attrs + " }\n";
}
inline std::string placeholder(const std::string& name, std::initializer_list<int> extents, const std::string& t = "FLOAT") { return node(name, "Placeholder", {}, type("dtype", t) + shape("shape", extents)); }
/// `constant("c", "FLOAT", {2}, "float_val: 1 float_val: 2")`
inline std::string constant_node(const std::string& name, const std::string& t, std::initializer_list<int> extents, const std::string& values) {
    std::string s = "tensor { dtype: DT_" + t + " tensor_shape {";
    for (const int e : extents) s += " dim { size: " + std::to_string(e) + " }";
    return node(name, "Const", {}, type("dtype", t) + attr("value", s + " } " + values + " }"));
}
inline Graph graph_of(const std::string& nodes, int producer = 134) {
    const Scratch dir;
    write_bytes(dir / "g.pbtxt", nodes + "versions { producer: " + std::to_string(producer) + " }\n");
    return import_graph_def(dir / "g.pbtxt");
}
/// The graph of a `.meta` file with these nodes, and `rest` beside them.
inline ImportedModel model_of(const std::string& nodes, const std::string& rest) {
    const Scratch dir;
    write_bytes(dir / "g.meta", "graph_def {\n" + nodes + "versions { producer: 134 }\n}\n" + rest);
    return import_meta_graph(dir / "g.meta");
}

/// Type and message of what is thrown; "" if nothing of tenon's is.
template <class F> std::pair<std::string, std::string> thrown(F f) {
    try {
        f();
    } catch (const MissingFileError& e) { return {"MissingFileError", e.what()};
    } catch (const CorruptError& e) { return {"CorruptError", e.what()};
    } catch (const FormatError& e) { return {"FormatError", e.what()};
    } catch (const FileError& e) { return {"FileError", e.what()};
    } catch (const RestoreError& e) { return {"RestoreError", e.what()};
    } catch (const ShapeError& e) { return {"ShapeError", e.what()};
    } catch (const TypeError& e) { return {"TypeError", e.what()};
    } catch (const ValueError& e) { return {"ValueError", e.what()};
    } catch (const NameError& e) { return {"NameError", e.what()};
    } catch (const FeedError& e) { return {"FeedError", e.what()};
    } catch (const UnsupportedError& e) { return {"UnsupportedError", e.what()};
    } catch (const Error& e) { return {"Error", e.what()}; }
    return {};
}

}  // namespace tenon::test
