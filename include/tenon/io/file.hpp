// POSIX files: ranges, whole files, and drafts that come to their name complete or not at all.
// Every error is a FileError whose message starts with the path and ends with the system's words; MissingFileError if it is not there.
// Long because files, what is asked about them and drafts tell errors in one way.
#pragma once
#include "../base/error.hpp"
#include "../base/memory.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

namespace tenon {

/// Throws what errno says of `path`.
[[noreturn]] inline void throw_file_error(const std::string& path, const char* what, int error = errno) {
    const auto message = path + ": cannot " + what + ": " + std::generic_category().message(error);
    if (error == ENOENT || error == ENOTDIR) throw MissingFileError(message);
    throw FileError(message);
}

namespace detail {
template <class F> int uninterrupted(F call) {
    int result;
    do result = call();
    while (result < 0 && errno == EINTR);
    return result;
}
}  // namespace detail

/// An open file, closed with its owner. Nothing is moved by reading and writing, so threads may share it.
class File {
    std::string path_;
    int descriptor_ = -1;

    File(std::string path, int flags, const char* what) : path_(std::move(path)), descriptor_(detail::uninterrupted([&] { return ::open(path_.c_str(), flags | O_CLOEXEC, 0666); })) {
        if (descriptor_ < 0) throw_file_error(path_, what);
    }
    struct stat status() const {
        struct stat s;
        if (::fstat(descriptor_, &s) != 0) throw_file_error(path_, "read the size of");
        return s;
    }

public:
    static File open(std::string path) {
        File f(std::move(path), O_RDONLY, "open");
        if (S_ISDIR(f.status().st_mode)) throw_file_error(f.path_, "read", EISDIR);
        return f;
    }
    /// A new file; there must be none of that name.
    static File create(std::string path) { return {std::move(path), O_WRONLY | O_CREAT | O_EXCL, "create"}; }

    File(File&& f) noexcept : path_(std::move(f.path_)), descriptor_(std::exchange(f.descriptor_, -1)) {}
    File& operator=(File&& f) noexcept {
        std::swap(path_, f.path_);
        std::swap(descriptor_, f.descriptor_);
        return *this;
    }
    ~File() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }

    const std::string& path() const { return path_; }
    int descriptor() const { return descriptor_; }
    std::uint64_t size() const { return static_cast<std::uint64_t>(status().st_size); }

    /// The n bytes at `offset`, all of them. CorruptError if the file ends before.
    void read_at(std::uint64_t offset, void* to, std::size_t n) const {
        auto* p = static_cast<char*>(to);
        while (n) {
            const auto got = ::pread(descriptor_, p, std::min<std::size_t>(n, 1u << 30), static_cast<off_t>(offset));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) throw_file_error(path_, "read");
            if (got == 0) throw CorruptError(path_ + ": the file ends at byte " + std::to_string(offset) + ", " + std::to_string(n) + " more are expected");
            p += got;
            offset += static_cast<std::uint64_t>(got);
            n -= static_cast<std::size_t>(got);
        }
    }
    void write_at(std::uint64_t offset, const void* bytes, std::size_t n) { write_at(offset, {}, {static_cast<const char*>(bytes), n}); }
    /// Both, the second behind the first, as one write if the system is willing.
    void write_at(std::uint64_t offset, std::string_view first, std::string_view second) {
        while (!first.empty() || !second.empty()) {
            ::iovec parts[]{{const_cast<char*>(first.data()), first.size()}, {const_cast<char*>(second.data()), std::min<std::size_t>(second.size(), 1u << 30)}};
            const auto at = static_cast<off_t>(offset);
            const auto put = first.empty() ? ::pwrite(descriptor_, parts[1].iov_base, parts[1].iov_len, at) : ::pwritev(descriptor_, parts, 2, at);
            if (put < 0 && errno == EINTR) continue;
            if (put <= 0) throw_file_error(path_, "write", put < 0 ? errno : EIO);
            const auto of_first = std::min(first.size(), static_cast<std::size_t>(put));
            first.remove_prefix(of_first);
            second.remove_prefix(static_cast<std::size_t>(put) - of_first);
            offset += static_cast<std::uint64_t>(put);
        }
    }
    /// Blocks for [offset, offset + n), so that writing there needs not look for them (1.5 times as fast on ext4). A hint,
    /// except that a full disk is told at once, if its count of free blocks says so too: what a file takes is an estimate where files are compressed.
    void reserve([[maybe_unused]] std::uint64_t offset, [[maybe_unused]] std::uint64_t n) {
#if defined(__linux__)
        const int failed = ::fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(n));
        struct ::statvfs disk{};
        if (failed && errno == ENOSPC && ::fstatvfs(descriptor_, &disk) == 0 && static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize < n) throw_file_error(path_, "write", ENOSPC);
#endif
    }
    /// Gives blocks behind `size`, which is the file's, back. A hint.
    void give_back([[maybe_unused]] std::uint64_t size) {
#if defined(__linux__)
        static_cast<void>(::ftruncate(descriptor_, static_cast<off_t>(size)) == 0);
#endif
    }
    void sync() {
        if (detail::uninterrupted([&] { return ::fsync(descriptor_); }) != 0) throw_file_error(path_, "sync");
    }
    void close() {
        if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) throw_file_error(path_, "close");  // interrupted, it is closed all the same
    }
};

/// The part before the last slash, which goes unless it is the root; "" if there is none.
inline std::string directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, std::max<std::size_t>(slash, 1));
}
inline std::string basename_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }
/// `name` in `directory`; an absolute name stays as it is.
inline std::string join_path(const std::string& directory, const std::string& name) {
    if (directory.empty() || name.starts_with('/')) return name;
    return directory.ends_with('/') ? directory + name : directory + "/" + name;
}

inline bool file_exists(const std::string& path) {
    struct stat s;
    return ::stat(path.c_str(), &s) == 0 && !S_ISDIR(s.st_mode);
}
inline bool directory_exists(const std::string& path) {
    struct stat s;
    return ::stat(path.empty() ? "." : path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
}
/// Seconds since 1970 at which the file was last written.
inline double modification_time(const std::string& path) {
    struct stat s;
    if (::stat(path.c_str(), &s) != 0) throw_file_error(path, "read the time of");
    return static_cast<double>(s.st_mtim.tv_sec) + 1e-9 * static_cast<double>(s.st_mtim.tv_nsec);
}
inline std::string read_file(const std::string& path) {
    const auto file = File::open(path);
    std::string bytes;
    bytes.reserve(file.size());
    advise_large_pages(bytes.data(), file.size());
    bytes.resize(file.size());
    file.read_at(0, bytes.data(), bytes.size());
    return bytes;
}
/// False if there was none.
inline bool remove_file(const std::string& path) {
    if (::unlink(path.c_str()) == 0) return true;
    if (errno != ENOENT) throw_file_error(path, "remove");
    return false;
}
inline void rename_file(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) throw_file_error(from, ("rename to " + to).c_str());
}
/// Makes renames and removals in it durable.
inline void sync_directory(const std::string& path) {
    const std::string name = path.empty() ? "." : path;
    const int descriptor = detail::uninterrupted([&] { return ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (descriptor < 0) throw_file_error(name, "open");
    const int error = detail::uninterrupted([&] { return ::fsync(descriptor); }) == 0 ? 0 : errno;
    ::close(descriptor);
    if (error != 0 && error != EINVAL && error != ENOTSUP) throw_file_error(name, "sync", error);  // some file systems have no such thing
}
/// One level, which lasts if it is `durable`; one that exists is left as it is.
inline void make_directory(const std::string& path, bool durable = true) {
    if (directory_exists(path)) return;
    if (::mkdir(path.c_str(), 0777) == 0) durable ? sync_directory(directory_of(path)) : void();
    else if (errno != EEXIST) throw_file_error(path, "make the directory");
}
inline bool remove_empty_directory(const std::string& path) { return ::rmdir(path.c_str()) == 0; }
/// Names in a directory that start with `prefix`, sorted.
inline std::vector<std::string> list_directory(const std::string& path, std::string_view prefix = {}) {
    const std::string name = path.empty() ? "." : path;
    const struct Listing {
        ::DIR* of;
        ~Listing() {
            if (of) ::closedir(of);
        }
    } listing{::opendir(name.c_str())};
    if (!listing.of) throw_file_error(name, "list");
    std::vector<std::string> names;
    while (const auto* entry = ::readdir(listing.of)) {
        const std::string_view found = entry->d_name;
        if (found != "." && found != ".." && found.starts_with(prefix)) names.emplace_back(found);
    }
    std::sort(names.begin(), names.end());
    return names;
}

/// A name beside `path` that nothing has.
inline std::string temporary_name(const std::string& path) {
    std::uint64_t random = 0;
    if (::getentropy(&random, sizeof random) != 0) throw_file_error(path, "name a temporary file for");
    return path + ".tempstate" + std::to_string(random);
}

/// A file on its way to `path`: written under a name beside it, made durable, then renamed. Gone if that does not come about. One that is not
/// `durable` is left to the system to write: after a power failure it may be empty, or another.
///
///     Draft draft("checkpoint");
///     draft.append(text);
///     draft.finish();   // the bytes are on the disk
///     draft.publish();  // and are "checkpoint" now, instead of what was there
class Draft {
    static constexpr std::size_t staged_bytes = 256u << 10;  // fits L2, and is written over; one write per tensor of 256 bytes costs 21 times as much

    std::string path_;
    File file_;
    std::string staged_;
    std::uint64_t size_ = 0, reserved_ = 0;
    bool durable_, open_ = true, whole_ = false, published_ = false;

    /// What is staged, and then these bytes. Blocks that are there already keep ext4 from writing a file out when it takes the name of another, and who then removes it
    /// from waiting for that: a save of 1 MB over itself took 12 ms, and takes 2. With `sync` to come there is nothing to gain.
    void write(std::string_view direct = {}) {
        const auto n = staged_.size() + (direct.size() < 4 * staged_bytes ? direct.size() : 0), from = size_ - staged_.size();
        if (!durable_ && n > 0 && from + n > reserved_) file_.reserve(from, n);
        file_.write_at(from, staged_, direct);
        staged_.clear();
    }

public:
    explicit Draft(std::string path, bool durable = true) : path_(std::move(path)), file_(File::create(temporary_name(path_))), durable_(durable) {}
    Draft(Draft&& d) noexcept
        : path_(std::move(d.path_)), file_(std::move(d.file_)), staged_(std::move(d.staged_)), size_(d.size_), reserved_(d.reserved_), durable_(d.durable_), open_(d.open_), whole_(d.whole_), published_(std::exchange(d.published_, true)) {}
    Draft& operator=(Draft&& d) noexcept {
        std::swap(path_, d.path_);
        std::swap(file_, d.file_);
        std::swap(staged_, d.staged_);
        std::swap(size_, d.size_);
        std::swap(reserved_, d.reserved_);
        std::swap(durable_, d.durable_);
        std::swap(open_, d.open_);
        std::swap(whole_, d.whole_);
        std::swap(published_, d.published_);
        return *this;
    }
    ~Draft() {
        if (!published_) ::unlink(file_.path().c_str());
    }

    const std::string& path() const { return path_; }
    void rename(std::string path) { path_ = std::move(path); }  ///< what it shall be called
    std::uint64_t size() const { return size_; }

    void append(const void* bytes, std::size_t n) {
        const bool direct = n >= staged_bytes;
        if (direct) {
            write({static_cast<const char*>(bytes), n});
        } else {
            if (staged_.size() + n > staged_bytes) write();
            staged_.append(static_cast<const char*>(bytes), n);
        }
        size_ += n;
    }
    void append(std::string_view bytes) { append(bytes.data(), bytes.size()); }
    /// Says that n more bytes will come.
    void reserve(std::uint64_t n) {
        if (size_ + n > reserved_) file_.reserve(size_, n);
        reserved_ = std::max(reserved_, size_ + n);
    }
    /// Leaves n bytes for `fill`; where they begin.
    std::uint64_t skip(std::uint64_t n) {
        write();
        return std::exchange(size_, size_ + n);
    }
    /// Bytes within what was skipped. Threads may fill several places at once.
    void fill(std::uint64_t offset, const void* bytes, std::size_t n) { file_.write_at(offset, bytes, n); }
    /// Errors    FileError; then it is finished, and cannot be published
    void finish() {
        if (!open_) {
            if (!whole_) throw FileError(path_ + " could not be written");
            return;
        }
        open_ = false;
        write();
        if (reserved_ > size_) file_.give_back(size_);
        if (durable_) file_.sync();
        file_.close();
        whole_ = true;
    }
    void publish() {
        finish();
        rename_file(file_.path(), path_);
        published_ = true;
    }
};

/// Replaces the file at once: who reads it finds the old bytes or the new ones, after a power failure too.
inline void write_file_atomically(const std::string& path, std::string_view bytes) {
    Draft draft(path);
    draft.append(bytes);
    draft.publish();
    sync_directory(directory_of(path));
}

}  // namespace tenon
