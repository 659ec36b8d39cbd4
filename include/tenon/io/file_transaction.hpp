// Several files that come to their names one after the other: all of them, or none.
#pragma once
#include "file.hpp"

namespace tenon {

/// Another name for a file; a copy where the file system has no such thing.
inline void duplicate_file(const std::string& from, const std::string& to, bool durable = true) {
    if (::link(from.c_str(), to.c_str()) == 0) return;
    const auto source = File::open(from);
    Draft copy(to, durable);
    std::string piece(1u << 20, '\0');
    for (std::uint64_t at = 0, size = source.size(); at < size; at += piece.size()) {
        piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), size - at)));
        source.read_at(at, piece.data(), piece.size());
        copy.append(piece);
    }
    copy.publish();
}

/// Steps, each of which gives a file its name at once. What had the name before is kept beside it until `commit`. Without that everything
/// goes back, the last step first, so through the states by which it came. If it is `durable`, steps before a `settle` have come about
/// after a power failure if any later one has; otherwise the system may write them in any order.
///
///     FileTransaction files;
///     files.publish(data);  // Drafts
///     files.publish(index);
///     files.commit();
class FileTransaction {
    struct Step {
        std::string path, before;  ///< where the old file is; "" if there was none
    };
    std::vector<Step> steps_;
    std::vector<std::string> surplus_;
    bool durable_;

    void remember(const std::string& path) {
        Step step{path, file_exists(path) ? temporary_name(path) : std::string()};
        if (steps_.size() == steps_.capacity()) steps_.reserve(2 * steps_.size() + 1);  // what is made is remembered
        if (!step.before.empty()) duplicate_file(path, step.before, durable_);
        steps_.push_back(std::move(step));
    }

public:
    explicit FileTransaction(bool durable = true) : durable_(durable) {}
    FileTransaction(const FileTransaction&) = delete;
    FileTransaction& operator=(const FileTransaction&) = delete;
    ~FileTransaction() { undo(); }

    void publish(Draft& draft) {
        draft.finish();
        remember(draft.path());
        draft.publish();
    }
    /// Gives the file `from` the name `to` as well.
    void duplicate(const std::string& from, const std::string& to) {
        const auto name = temporary_name(to);
        duplicate_file(from, name, durable_);
        try {
            remember(to);
            rename_file(name, to);
        } catch (...) {
            ::unlink(name.c_str());
            throw;
        }
    }
    bool durable() const { return durable_; }
    /// The names in this directory last, if it is durable.
    void settle(const std::string& directory) const {
        if (durable_) sync_directory(directory);
    }
    /// To be removed once all has come about.
    void remove_later(std::string path) { surplus_.push_back(std::move(path)); }

    /// What cannot be removed stays: all that was asked for is there.
    void commit() {
        for (const auto& s : steps_) if (!s.before.empty()) ::unlink(s.before.c_str());
        for (const auto& path : surplus_) ::unlink(path.c_str());
        steps_.clear();
        surplus_.clear();
    }
    void undo() {
        for (; !steps_.empty(); steps_.pop_back()) {
            const auto& [path, before] = steps_.back();
            if (before.empty()) {
                ::unlink(path.c_str());
            } else {
                static_cast<void>(::rename(before.c_str(), path.c_str()));
                ::unlink(before.c_str());  // still there if both were one file
            }
        }
        surplus_.clear();
    }
};

}  // namespace tenon
