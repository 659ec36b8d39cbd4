// The text file `checkpoint` in a directory of checkpoints, which names the newest and those that are kept.
//
//     model_checkpoint_path: "model-300"
//     all_model_checkpoint_paths: "model-200"
//     all_model_checkpoint_paths: "model-300"
//
// Relative paths in it are relative to the directory.
#pragma once
#include "../io/file_transaction.hpp"
#include "../io/text.hpp"
#include "../io/utf8.hpp"
#include "checkpoint_files.hpp"

namespace tenon {

namespace proto {
/// Source    tensorflow/python/training/checkpoint_state.proto
struct CheckpointState {
    std::string model_checkpoint_path{};                    ///< the newest
    std::vector<std::string> all_model_checkpoint_paths{};  ///< oldest first, the newest too
    std::vector<double> all_model_checkpoint_timestamps{};  ///< seconds since 1970; none, or one for each path
    double last_preserved_timestamp = 0;
    Unknown unknown{};
    static constexpr auto table() {
        using M = CheckpointState;
        return message("tensorflow.CheckpointState", field<&M::model_checkpoint_path>(1, "model_checkpoint_path"), field<&M::all_model_checkpoint_paths>(2, "all_model_checkpoint_paths"),
                       field<&M::all_model_checkpoint_timestamps>(3, "all_model_checkpoint_timestamps"), field<&M::last_preserved_timestamp>(4, "last_preserved_timestamp"));
    }
};
}  // namespace proto

template <class Lazy> requires save_hpp_is_included<Lazy> std::optional<CheckpointState> get_checkpoint_state(const std::string& directory, const std::string& latest_filename) {
    const auto file = join_path(directory, latest_filename);
    if (!file_exists(file)) return {};
    auto stored = proto::from_text<proto::CheckpointState>(read_file(file), file);
    if (stored.model_checkpoint_path.empty()) throw FormatError(file + ": it does not say what the newest checkpoint is");
    CheckpointState state{std::move(stored.model_checkpoint_path), std::move(stored.all_model_checkpoint_paths), std::move(stored.all_model_checkpoint_timestamps), stored.last_preserved_timestamp};
    state.model_checkpoint_path = join_path(directory, state.model_checkpoint_path);
    for (auto& p : state.all_model_checkpoint_paths) p = join_path(directory, p);
    return state;
}

template <class Lazy> requires save_hpp_is_included<Lazy> std::optional<std::string> latest_checkpoint(const std::string& directory, const std::string& latest_filename) {
    const auto state = get_checkpoint_state(directory, latest_filename);
    if (!state) return {};
    for (const auto& path : {state->model_checkpoint_path, join_path(directory, basename_of(state->model_checkpoint_path))})
        if (checkpoint_exists(path)) return path;
    return {};
}

namespace detail {
/// The path's names from the root, without . and .. ones; relative to the working directory if it does not begin there.
inline std::vector<std::string> absolute_names(const std::string& path) {
    std::string from_root = path;
    if (!path.starts_with('/')) {
        std::string here(4096, '\0');
        if (!::getcwd(here.data(), here.size())) throw_file_error(path, "find the working directory of");
        from_root = here.substr(0, here.find('\0')) + "/" + path;
    }
    std::vector<std::string> names;
    for (std::size_t at = 0; at < from_root.size();) {
        const auto end = std::min(from_root.find('/', at), from_root.size());
        auto name = from_root.substr(at, end - at);
        at = end + 1;
        if (name == "..") {
            if (!names.empty()) names.pop_back();
        } else if (!name.empty() && name != ".") names.push_back(std::move(name));
    }
    return names;
}
/// How to say `path` from `directory`, by names alone.
inline std::string relative_path(const std::string& path, const std::string& directory) {
    const auto to = absolute_names(path), from = absolute_names(directory);
    std::size_t common = 0;
    while (common < to.size() && common < from.size() && to[common] == from[common]) ++common;
    std::string relative;
    for (auto i = common; i < from.size(); ++i) relative = join_path(relative, "..");
    for (auto i = common; i < to.size(); ++i) relative = join_path(relative, to[i]);
    return relative.empty() ? "." : relative;
}
inline bool file_holds(const std::string& path, const std::string& bytes) {
    try {
        const auto file = File::open(path);
        std::string found(file.size() == bytes.size() ? bytes.size() : 0, '\0');
        file.read_at(0, found.data(), found.size());
        return found == bytes;
    } catch (const FileError&) { return false; }
}
}  // namespace detail

struct StateOptions {
    std::vector<std::string> all_paths{};  ///< oldest first; the newest is appended if it is not the last
    std::vector<double> timestamps{};
    double last_preserved_timestamp = 0;
    std::string latest_filename = "checkpoint";
    bool save_relative_paths = false;  ///< absolute paths too are written relative to the directory
};

/// Says that `newest` is the newest checkpoint of `directory`. The file is replaced at once, or as a step of `files`;
/// one that says so already stays where nothing need be durable.
///
/// Values    a relative path is relative to the working directory, and is stored relative to `directory`, unless that is absolute
/// Errors    ValueError if times and paths differ in number, a path is not UTF-8, `latest_filename` has a directory or is the checkpoint itself; FileError
inline void update_checkpoint_state(const std::string& directory, const std::string& newest, const StateOptions& options, FileTransaction& files) {
    if (options.latest_filename.find('/') != std::string::npos) throw ValueError("'latest_filename' must not contain path components: " + options.latest_filename);
    const auto stored = [&](const std::string& path) {
        if (!valid_utf8(path)) throw ValueError("a path in the state file must be UTF-8: " + path);
        const bool absolute = path.starts_with('/');
        return (absolute ? options.save_relative_paths : !directory.starts_with('/')) ? detail::relative_path(path, directory) : path;
    };
    proto::CheckpointState state{.model_checkpoint_path = stored(newest), .all_model_checkpoint_timestamps = options.timestamps};
    state.last_preserved_timestamp = options.last_preserved_timestamp;
    for (const auto& p : options.all_paths) state.all_model_checkpoint_paths.push_back(stored(p));
    if (options.all_paths.empty() || options.all_paths.back() != newest) state.all_model_checkpoint_paths.push_back(state.model_checkpoint_path);
    if (!options.timestamps.empty() && options.timestamps.size() != state.all_model_checkpoint_paths.size())
        throw ValueError(std::to_string(options.timestamps.size()) + " times for " + std::to_string(state.all_model_checkpoint_paths.size()) + " checkpoints");
    const auto file = join_path(directory, options.latest_filename);
    if (file == newest || options.latest_filename == state.model_checkpoint_path)
        throw ValueError("Save path '" + newest + "' conflicts with path used for checkpoint state: " + file);
    const auto text = proto::to_text(state);
    if (!files.durable() && detail::file_holds(file, text)) return;  // one that is durable is written again: it may not have been before
    Draft draft(file, files.durable());
    draft.append(text);
    files.publish(draft);
    files.settle(directory);
}
inline void update_checkpoint_state(const std::string& directory, const std::string& newest, const StateOptions& options = {}) {
    FileTransaction files;
    update_checkpoint_state(directory, newest, options, files);
    files.commit();
}

}  // namespace tenon
