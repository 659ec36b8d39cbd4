// The static library: every kernel, and all that reads graphs, compiled once, for programs that import and want to compile fast.
// Compiled with TENON_PREBUILT, as the programs that use it are.
#include <tenon/checkpoint/bundle.hpp>
#include <tenon/checkpoint/checkpoint_state.hpp>
#include <tenon/checkpoint/every_op.hpp>
#include <tenon/checkpoint/import_meta_graph.hpp>
#include <tenon/checkpoint/importing.hpp>
#include <tenon/grad/gradients.hpp>
#include <tenon/tensor/print.hpp>

namespace tenon {

OpIndex builtin_ops() { return index_of<EveryOp>(); }

const OpTable& prebuilt_table(std::string_view name, DType dtype) {
    for (const OpTable* t : tables_named(builtin_ops(), name)) if (t->dtype == dtype) return *t;
    throw UnsupportedError("[" + std::string(name) + "] the library has no kernel for " + std::string(name_of(dtype)));
}

ImportedModel import_meta_graph(const std::string& path) { return detail::import_meta_graph(path, builtin_ops()); }
Graph import_graph_def(const std::string& path) { return detail::import_graph_def(path, builtin_ops()); }
ImportedModel import_saved_model(const std::string& directory, const std::vector<std::string>& tags) { return detail::import_saved_model(directory, tags, builtin_ops()); }
void initialize(Session& session, const Graph& graph, const std::vector<std::string>& variables) { detail::initialize(session, graph, variables); }
void assign(const Graph& graph, const std::string& variable, const Tensor& value) { detail::assign(graph, variable, value); }

template std::vector<Result> infer_results<void>(const OpTable&, const std::shared_ptr<const void>&, std::span<const Ref>, const std::string&, bool);
template Output make_operation<void>(const OpTable&, std::shared_ptr<const void>, std::vector<Output>, std::string_view);
template std::vector<std::shared_ptr<Operation>> topological<void>(std::span<const Output>);
template void Graph::add<void>(std::vector<Output>);
template std::shared_ptr<Operation> Graph::get_operation_by_name<void>(std::string_view) const;
template Output Graph::get_tensor_by_name<0>(std::string_view) const;
template std::vector<Tensor> Session::run_all<void>(const std::vector<Output>&, std::vector<Feed>);
template Callable Session::make_callable<0>(const std::vector<Output>&, std::vector<Feed>);
template std::vector<Output> gradients<void>(std::span<const Output>, std::span<const Output>, std::span<const Output>);
template Output detail::make_variable<void>(const OpTable&, const OpTable&, const OpTable&, const OpTable&, const std::string&, const Dims&, Output, bool);
template Output variable_of<void>(const Output&);
template std::string to_string<void>(const Tensor&);

template std::optional<CheckpointState> get_checkpoint_state<void>(const std::string&, const std::string&);
template std::optional<std::string> latest_checkpoint<void>(const std::string&, const std::string&);
template bool checkpoint_exists<void>(const std::string&);
template std::vector<ListedVariable> list_variables<void>(const std::string&);
template Tensor load_variable<void>(const std::string&, std::string_view);

template std::string RestoreReport::text<void>() const;
template void Saver::gather<void>(Parts&&);
template Saver::Saver(const std::vector<SavedAs>&, const SaverOptions&);
template Saver::Saver(Graph, const std::vector<SavedAs>&, const SaverOptions&);
template Saver Saver::of<void>(Graph, std::vector<SavedVariable>, const SaverOptions&);
template std::string Saver::save<void>(Session&, const std::string&, const SaveOptions&);
template RestoreReport Saver::restore<void>(Session&, const std::string&, Restore) const;
template RestoreReport Saver::compare<void>(const std::string&) const;
template proto::MetaGraphDef Saver::meta_graph<void>() const;
template std::vector<std::string> Saver::not_restored<void>() const;
template std::vector<std::string> Saver::last_checkpoints<void>() const;
template CheckpointHistory& Saver::history<void>();

}  // namespace tenon
