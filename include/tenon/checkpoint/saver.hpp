// Saves variables and the graph they belong to, and restores them, as tf.train.Saver does.
//
//     my_model-1000.data-00000-of-00001, my_model-1000.index     the variables
//     my_model-1000.meta                                         the graph
//     checkpoint                                                 which checkpoint of the directory is the newest
//
// What a program sees. What it does is saving.hpp, which save.hpp includes.
#pragma once
#include "../graph/meta_format.hpp"
#include "../run/session.hpp"
#include "checkpoints.hpp"

namespace tenon {

class CheckpointHistory;
class FileTransaction;
namespace proto {
struct MetaGraphDef;
}

struct SaverOptions {
    int max_to_keep = 5;  ///< older ones are removed; 0: all are kept, and `checkpoint` names the newest only
    double keep_checkpoint_every_n_hours = 10000;
    bool sharded = false;             ///< the graph saves and restores in shards; one data file per shard
    bool pad_step_number = false;     ///< "model-00001000"
    bool save_relative_paths = false; ///< in `checkpoint`, so that the directory may be moved
    bool save_random_state = true;    ///< a graph gets variables that say where its random ops stand, so that a run can be resumed to the bit
};

struct SaveOptions {
    std::optional<std::int64_t> global_step{};  ///< appended to the prefix: "model-1000"
    bool write_meta_graph = true;
    MetaFormat meta = MetaFormat::json;
    std::string latest_filename = "checkpoint";
    bool write_state = true;  ///< false: neither `checkpoint` nor the list of what to keep is touched
    std::uint64_t alignment = 1;  ///< of each tensor in its file; 64 lets every large one be viewed. TensorFlow reads such files, but writes none
    bool durable = true;      ///< false: the files are left to the system to write, as TensorFlow does. A crash of the program leaves a whole checkpoint all the same, a power failure perhaps none
};

/// How variables get their values from a checkpoint.
enum class Restore {
    copy,  ///< into the memory that they have; after a `view`, into memory of their own
    view,  ///< they look straight into the file, where it can be done (BundleReader::view): for inference with large models. What is then trained or assigned is copied, page by page;
           ///< the file never changes. Pointers to the elements that were taken before, and results of a Callable until it runs again, are no more
};

/// A variable under a name of its own in the checkpoint.
struct SavedAs {
    std::string key;
    Output variable;
};

/// A variable, or a part of one, and where it stands in a checkpoint.
struct SavedVariable {
    std::string key;
    Output variable;           ///< the operation that holds the value
    std::string slice{};       ///< "10 3 0,4:0,3" if the variable is this part of the tensor `key`
    std::uint32_t shard = 0;   ///< the data file it goes to
    bool operator==(const SavedVariable&) const = default;
};

/// How a checkpoint fits the variables that are to be restored from it. Each entry is a sentence about one of them, but for the names in `unused`.
struct RestoreReport {
    std::string prefix{};
    std::vector<std::string> restored{};  ///< names of variables; those that fit, if some do not
    std::vector<std::string> missing{};   ///< tensors that are not in the checkpoint, with the nearest names that are
    std::vector<std::string> mistyped{}, misshaped{};
    std::vector<std::string> unused{};    ///< tensors of the checkpoint that nobody asked for: no error

    template <class = void> bool fits() const { return missing.empty() && mistyped.empty() && misshaped.empty(); }
    /// All of it, a line each.
    template <class Lazy = void> std::string text() const;
};

/// What a Saver is made from: a graph, variables or roots of the graph, options.
template <class X> concept SaverPart = std::is_convertible_v<const X&, Output> || std::is_same_v<X, Graph> || std::is_same_v<X, SaverOptions>;

/// Saves and restores variables. Copies go on with one list of what was saved.
///
/// Errors    NameError for a variable under two names or a name for two variables; ValueError for what is no variable
///
///     Saver saver{w1, w2};                                  // these
///     Saver saver{graph};                                   // all of the graph
///     Saver saver{graph, train};                            // and of what `train` reaches, which joins the graph
///     Saver saver{graph, SaverOptions{.max_to_keep = 3}};
///     Saver saver{{{"kernel", w1}, {"bias", w2}}};          // under other names
class Saver {
    struct Parts {
        SaverOptions options{};
        bool has_graph = false;
        Graph graph{};
        std::vector<Output> outputs{};
        void take(const Graph& g) { graph = g, has_graph = true; }
        template <class = void> void take(const Output& o) { outputs.push_back(o); }
        void take(const SaverOptions& o) { options = o; }
    };
    SaverOptions options_{};
    Graph graph_{};
    std::vector<SavedVariable> variables_{};  // in the order of their keys
    std::shared_ptr<CheckpointHistory> history_{};

public:
    /// Saves nothing.
    Saver() = default;
    template <SaverPart... P> requires(sizeof...(P) > 0) explicit Saver(const P&... parts) {
        static_assert(save_hpp_is_included<typename detail::Late<P...>::type>, "tenon: a program that saves or restores includes <tenon/save.hpp>");
        Parts all;
        (all.take(parts), ...);
        gather(std::move(all));
    }
    template <class Lazy = void> requires save_hpp_is_included<Lazy> explicit Saver(const std::vector<SavedAs>& variables, const SaverOptions& options = {});
    /// Some variables of a graph, which is saved with all that belongs to it.
    template <class Lazy = void> requires save_hpp_is_included<Lazy> Saver(Graph graph, const std::vector<SavedAs>& variables, const SaverOptions& options = {});
    /// Variables of a graph, and parts of them, as they are to be stored.
    template <class Lazy = void> static Saver of(Graph graph, std::vector<SavedVariable> variables, const SaverOptions& options = {});

    /// Writes a checkpoint and says its prefix. Files come to their names when they are complete, `checkpoint` the last of them.
    ///
    /// Errors    ValueError if a variable has no value, or there is none; FileError; nothing is left behind, and what was there before is as it was
    template <class Lazy = void> std::string save(Session& session, const std::string& path, const SaveOptions& options = {});
    /// Gives every variable its value in the checkpoint, or, if one of them does not fit, none. The random ops of the graph go on where they stood.
    ///
    /// Cost      up to 8 MiB are kept aside until all is compared; more is read twice, and less than 16 MiB taken, or as much as a tensor that is stored in slices or in a file of version 1. Should the file change between, the variables have no value
    /// Errors    RestoreError, which lists everything that is missing or of another type or shape; MissingFileError, CorruptError, FormatError
    template <class Lazy = void> RestoreReport restore(Session& session, const std::string& prefix, Restore how = Restore::copy) const;
    /// What `restore` would say; nothing is changed and no tensor is read.
    template <class Lazy = void> RestoreReport compare(const std::string& prefix) const;
    /// What is written to the `.meta` file.
    template <class Lazy = void> proto::MetaGraphDef meta_graph() const;

    /// In the order of their keys.
    const std::vector<SavedVariable>& variables() const { return variables_; }
    /// Names of variables of the graph that this saver does not restore.
    template <class Lazy = void> std::vector<std::string> not_restored() const;
    const Graph& graph() const { return graph_; }
    const SaverOptions& options() const { return options_; }
    /// Oldest first.
    template <class Lazy = void> std::vector<std::string> last_checkpoints() const;
    /// For checkpoints of an earlier run: which there are, and whether they may be removed.
    template <class Lazy = void> CheckpointHistory& history();

private:
    template <class Lazy = void> void gather(Parts&& parts);
    template <class Lazy = void> void make(const SaverOptions& options, Graph graph, std::vector<SavedVariable> variables);
    template <class Lazy = void> void check() const;
    template <class Lazy = void> void check_values() const;
    template <class Lazy = void> void write(const std::string& prefix, const std::string* meta, std::uint64_t alignment, FileTransaction& files) const;
};

#ifdef TENON_PREBUILT
extern template std::string RestoreReport::text<void>() const;
extern template void Saver::gather<void>(Parts&&);
extern template Saver::Saver(const std::vector<SavedAs>&, const SaverOptions&);
extern template Saver::Saver(Graph, const std::vector<SavedAs>&, const SaverOptions&);
extern template Saver Saver::of<void>(Graph, std::vector<SavedVariable>, const SaverOptions&);
extern template std::string Saver::save<void>(Session&, const std::string&, const SaveOptions&);
extern template RestoreReport Saver::restore<void>(Session&, const std::string&, Restore) const;
extern template RestoreReport Saver::compare<void>(const std::string&) const;
extern template proto::MetaGraphDef Saver::meta_graph<void>() const;
extern template std::vector<std::string> Saver::not_restored<void>() const;
extern template std::vector<std::string> Saver::last_checkpoints<void>() const;
extern template CheckpointHistory& Saver::history<void>();
#endif

}  // namespace tenon
