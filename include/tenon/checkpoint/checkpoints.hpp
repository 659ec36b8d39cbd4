// Checkpoints by their names: which there are, what they hold. Only said here; what does it is compiled where save.hpp is included,
// or was in the static library (TENON_PREBUILT).
#pragma once
#include "../base/sentence.hpp"
#include "../tensor/tensor.hpp"

#include <optional>

namespace tenon {

namespace detail {
template <class> inline constexpr bool has_files =
#ifdef TENON_PREBUILT
    true;
#else
    false;  // save.hpp says true
#endif
/// void, but not before P are known: clang answers at once what depends on nothing, and save.hpp comes later.
template <class... P> struct Late { using type = void; };
}  // namespace detail
/// Holds where `#include <tenon/save.hpp>` stands in the file, or the program links the static library. Reading and writing files costs the
/// compiler more than all else together, so that only files which do it include it.
template <class Lazy> concept save_hpp_is_included = detail::has_files<Lazy>;

/// What a directory's file `checkpoint` says.
struct CheckpointState {
    std::string model_checkpoint_path;                    ///< the newest
    std::vector<std::string> all_model_checkpoint_paths;  ///< oldest first, the newest too
    std::vector<double> all_model_checkpoint_timestamps;  ///< seconds since 1970; none, or one for each path
    double last_preserved_timestamp = 0;
};
/// A tensor in a checkpoint.
struct ListedVariable {
    std::string name;
    DType dtype = DType::invalid;
    Extents shape;
};

/// The state of a directory, its relative paths joined to the directory; nothing if there is no such file.
///
/// Errors    FormatError if it does not parse, or names no checkpoint
template <class Lazy = void> requires save_hpp_is_included<Lazy> std::optional<CheckpointState> get_checkpoint_state(const std::string& directory, const std::string& latest_filename = "checkpoint");

/// The newest checkpoint of a directory, by its state file. If what that names does not exist, but a checkpoint of the same name
/// in the same directory does (the directory was moved), then that. Else nothing.
///
/// Errors    FormatError if the state file does not parse
template <class Lazy = void> requires save_hpp_is_included<Lazy> std::optional<std::string> latest_checkpoint(const std::string& directory, const std::string& latest_filename = "checkpoint");

/// Whether there is a checkpoint of this prefix, of either version.
template <class Lazy = void> requires save_hpp_is_included<Lazy> bool checkpoint_exists(const std::string& prefix);

/// Name, dtype and shape of every tensor in a checkpoint, in the order of the names.
///
/// Errors    MissingFileError, CorruptError
template <class Lazy = void> requires save_hpp_is_included<Lazy> std::vector<ListedVariable> list_variables(const std::string& prefix);

/// One tensor of a checkpoint.
///
/// Errors    NameError with the nearest names; MissingFileError, CorruptError
template <class Lazy = void> requires save_hpp_is_included<Lazy> Tensor load_variable(const std::string& prefix, std::string_view name);

#ifdef TENON_PREBUILT
extern template std::optional<CheckpointState> get_checkpoint_state<void>(const std::string&, const std::string&);
extern template std::optional<std::string> latest_checkpoint<void>(const std::string&, const std::string&);
extern template bool checkpoint_exists<void>(const std::string&);
extern template std::vector<ListedVariable> list_variables<void>(const std::string&);
extern template Tensor load_variable<void>(const std::string&, std::string_view);
#endif

}  // namespace tenon
