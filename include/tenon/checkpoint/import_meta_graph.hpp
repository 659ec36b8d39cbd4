// Graphs from files, with the savers that belong to them.
//
//     auto [graph, saver] = import_meta_graph("my_model-1000.meta");
//     Session session{graph};
//     saver.restore(session, "my_model-1000");
//
// With TENON_PREBUILT the functions, and the kernels that graphs may need, are in the static library; else they are compiled here.
#pragma once
#include "imported_model.hpp"

#ifdef TENON_PREBUILT
namespace tenon {
ImportedModel import_meta_graph(const std::string& path);
Graph import_graph_def(const std::string& path);
ImportedModel import_saved_model(const std::string& directory, const std::vector<std::string>& tags = {"serve"});
void initialize(Session& session, const Graph& graph, const std::vector<std::string>& variables);
void assign(const Graph& graph, const std::string& variable, const Tensor& value);
}
#else
#include "importing.hpp"
namespace tenon {

/// The graph of a `.meta` file, JSON, binary or text, and the saver that its saver_def names, or, if there is no such node, one of all its variables.
///
/// Errors    MissingFileError; FormatError, also if the graph contradicts itself. Nodes that tenon cannot run are no error
inline ImportedModel import_meta_graph(const std::string& path) { return detail::import_meta_graph(path, builtin_ops()); }
/// The graph of a `.pb` or `.pbtxt` file, frozen or not.
inline Graph import_graph_def(const std::string& path) { return detail::import_graph_def(path, builtin_ops()); }
/// The graph of a SavedModel directory that has just these tags. Its variables have their values.
///
/// Errors    NameError if no graph has these tags; RestoreError
inline ImportedModel import_saved_model(const std::string& directory, const std::vector<std::string>& tags = {"serve"}) { return detail::import_saved_model(directory, tags, builtin_ops()); }
/// Runs the initialisers of some variables of an imported graph: those that `saver.not_restored()` names, say.
///
/// Errors    NameError for what has no initialiser
inline void initialize(Session& session, const Graph& graph, const std::vector<std::string>& variables) { detail::initialize(session, graph, variables); }
/// Gives a variable of an imported graph this value, if no checkpoint has it.
///
/// Errors    NameError; TypeError or ShapeError for a value that does not fit
inline void assign(const Graph& graph, const std::string& variable, const Tensor& value) { detail::assign(graph, variable, value); }

}  // namespace tenon
#endif
