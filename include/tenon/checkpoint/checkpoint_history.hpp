// Which checkpoints a Saver has written, which of them it keeps, and what it says of that in the state file.
#pragma once
#include "checkpoint_state.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <limits>

namespace tenon {

struct HistoryOptions {
    int max_to_keep = 5;  ///< 0: all are kept, and the state file names only the newest
    double keep_checkpoint_every_n_hours = 10000;
    bool save_relative_paths = false;
    std::string latest_filename = "checkpoint";
    std::string meta_suffix = "meta";
    /// Seconds since 1970.
    std::function<double()> clock = [] { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); };
};

/// The bookkeeping of tf.compat.v1.train.Saver.
///
///     CheckpointHistory history({.max_to_keep = 3});
///     ...  // the files of "train/model-100" are written
///     history.saved("train/model-100");
class CheckpointHistory {
    struct Saved {
        std::string path;
        double time;
    };
    HistoryOptions options_;
    std::vector<Saved> last_;    // oldest first
    std::deque<Saved> leaving_;  // no longer in the list, to be removed
    double next_kept_;           // what was written after this, and leaves the list, is kept for ever

    static void forget(auto& list, const std::string& path) {
        std::erase_if(list, [&](const Saved& s) { return s.path == path; });
    }
    static std::vector<std::string> paths_of(const std::vector<Saved>& list) {
        std::vector<std::string> paths;
        for (const auto& s : list) paths.push_back(s.path);
        return paths;
    }

public:
    explicit CheckpointHistory(HistoryOptions options = {})
        : options_(std::move(options)), next_kept_(options_.clock() + options_.keep_checkpoint_every_n_hours * 3600) {
        if (options_.max_to_keep < 0) throw ValueError("max_to_keep is " + std::to_string(options_.max_to_keep) + ", it cannot be negative");
    }
    const HistoryOptions& options() const { return options_; }

    /// Records the checkpoint `path`, which is on the disk: as the newest in the list, then in the state file of its directory. Then removes at most one
    /// that has left the list. One that cannot be removed stays, and is no error.
    void saved(const std::string& path) { saved(path, options_.latest_filename); }
    void saved(const std::string& path, const std::string& latest_filename) {
        FileTransaction files;
        record(path, latest_filename, files);
        files.commit();
        remove_one();
    }
    /// The first half of it, with the state file as a step of `files`.
    void record(const std::string& path, const std::string& latest_filename, FileTransaction& files) {
        auto last = last_;
        auto leaving = leaving_;
        if (options_.max_to_keep > 0) {
            forget(last, path);
            forget(leaving, path);
            last.push_back({path, options_.clock()});
            if (last.size() > static_cast<std::size_t>(options_.max_to_keep)) {
                leaving.push_back(std::move(last.front()));
                last.erase(last.begin());
            }
        }
        StateOptions state{.latest_filename = latest_filename, .save_relative_paths = options_.save_relative_paths};
        if (options_.max_to_keep > 0) state.all_paths = paths_of(last);
        update_checkpoint_state(directory_of(path), path, state, files);
        last_.swap(last);
        leaving_.swap(leaving);
    }
    /// The other half.
    void remove_one() {
        if (leaving_.empty()) return;
        const auto oldest = std::move(leaving_.front());
        leaving_.pop_front();
        if (oldest.time > next_kept_) {
            next_kept_ += options_.keep_checkpoint_every_n_hours * 3600;
            return;
        }
        try {
            remove_checkpoint(oldest.path, options_.meta_suffix);
        } catch (const FileError&) {}  // the new checkpoint is whole, which is what was asked for
    }

    /// Oldest first.
    std::vector<std::string> last_checkpoints() const { return paths_of(last_); }
    /// Checkpoints of an earlier run, oldest first, that shall never be removed.
    void set_last_checkpoints(const std::vector<std::string>& paths) {
        last_.clear();
        for (const auto& p : paths) last_.push_back({p, std::numeric_limits<double>::infinity()});
    }
    /// The same with the time at which each was written: they are removed like ours.
    void set_last_checkpoints_with_time(const std::vector<std::pair<std::string, double>>& paths) {
        last_.clear();
        for (const auto& [path, time] : paths) last_.push_back({path, time});
    }
    /// The same for those of `paths` that exist, with the time of their files.
    void recover_last_checkpoints(const std::vector<std::string>& paths) {
        last_.clear();
        for (const auto& p : paths) if (checkpoint_exists(p)) last_.push_back({p, checkpoint_time(p)});
    }
};

}  // namespace tenon
