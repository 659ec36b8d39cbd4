// The disk under a program: what it does to the files of one folder is logged, and fails, is cut short or is the end of the program, at a chosen
// step. Linux. The functions of the C library are replaced for the whole program, so one source of it includes this.
#pragma once
#include <array>
#include <cerrno>
#include <cstdarg>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <string>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vector>

namespace tenon::test {

/// One step. Files are numbered as they are made; a folder is -1.
struct Change {
    enum Kind { read, make, write, reserve, sync, close, rename, link, remove, make_folder } kind;
    std::string path{}, to{}, bytes{};
    int file = -1;
    std::size_t offset = 0;  ///< of `bytes` in the file
};

struct Disk {
    std::string folder{};  ///< "" while nothing is watched
    std::size_t at = 0;    ///< the step to disturb, from 1; 0: none
    int error = 0;         ///< with which it fails
    bool crash = false, cut = false;  ///< or it is the program's last; or half of a write is done
    bool full = false, stuck = false;  ///< there is no room left; or a write writes nothing
    std::vector<Change> log{};
    std::map<int, int> open{};  ///< file by descriptor
    int files = 0;

    bool watches(const char* path) const { return !folder.empty() && std::string_view(path).starts_with(folder); }
    bool watches(int descriptor) const { return !folder.empty() && open.contains(descriptor); }
    /// Whether the step is to fail; errno is set then. Of a write `bytes` says how many are to be written. Any thread may ask.
    bool disturbed(Change c) {
        std::size_t bytes = 0;
        return disturbed(std::move(c), bytes);
    }
    bool disturbed(Change c, std::size_t& bytes) {
        static std::mutex one_at_a_time;
        const std::lock_guard lock(one_at_a_time);
        if (stuck) bytes = 0;
        if (cut && log.size() + 1 == at) bytes = (bytes + 1) / 2;
        c.bytes.resize(std::min(c.bytes.size(), bytes));
        log.push_back(std::move(c));
        if (log.size() != at) return false;
        if (crash) ::_exit(99);
        if (error) errno = error;
        return error != 0;
    }
};
inline Disk disk;

/// Watches a folder while it lives; then the one that was watched before, if any.
class Watched {
    std::string outer_;

public:
    explicit Watched(const std::string& folder, std::size_t at = 0, int error = 0, bool crash = false, bool cut = false) : outer_(disk.folder) {
        disk = {.folder = folder, .at = at, .error = error, .crash = crash, .cut = cut};
    }
    ~Watched() { disk = {.folder = outer_}; }
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
};

}  // namespace tenon::test

extern "C" {

int open(const char* path, int flags, ...) {
    using namespace tenon::test;
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    const bool watched = disk.watches(path), makes = (flags & O_CREAT) != 0;
    if (watched && disk.disturbed({.kind = makes ? Change::make : Change::read, .path = path, .file = makes ? disk.files : -1})) return -1;
    const auto descriptor = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
    if (watched && descriptor >= 0 && (makes || (flags & O_DIRECTORY))) disk.open[descriptor] = makes ? disk.files++ : -1;
    return descriptor;
}
ssize_t pwrite(int descriptor, const void* bytes, size_t n, off_t offset) {
    using namespace tenon::test;
    if (disk.watches(descriptor) && disk.disturbed({.kind = Change::write, .bytes = std::string(static_cast<const char*>(bytes), n), .file = disk.open.at(descriptor), .offset = static_cast<std::size_t>(offset)}, n)) return -1;
    return ::syscall(SYS_pwrite64, descriptor, bytes, n, offset);
}
ssize_t pwritev(int descriptor, const iovec* parts, int count, off_t offset) {
    using namespace tenon::test;
    if (!disk.watches(descriptor)) return ::syscall(SYS_pwritev, descriptor, parts, count, static_cast<unsigned long>(offset), 0ul);
    std::string all;
    for (int i = 0; i < count; ++i) all.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    return ::pwrite(descriptor, all.data(), all.size(), offset);
}
int fallocate(int descriptor, int mode, off_t offset, off_t n) {
    using namespace tenon::test;
    if (disk.watches(descriptor) && disk.disturbed({.kind = Change::reserve, .file = disk.open[descriptor]})) return -1;
    return static_cast<int>(::syscall(SYS_fallocate, descriptor, mode, offset, n));
}
int fstatvfs(int descriptor, struct statvfs* s) noexcept {
    *s = {};
    s->f_frsize = 1;
    s->f_bavail = tenon::test::disk.watches(descriptor) && tenon::test::disk.full ? 0 : fsblkcnt_t{1} << 50;
    return 0;
}
int fsync(int descriptor) {
    using namespace tenon::test;
    if (!disk.watches(descriptor)) return static_cast<int>(::syscall(SYS_fsync, descriptor));
    return disk.disturbed({.kind = Change::sync, .file = disk.open[descriptor]}) ? -1 : 0;  // what is lost without it is for the log to tell
}
int close(int descriptor) {
    using namespace tenon::test;
    const bool watched = disk.watches(descriptor), disturbed = watched && disk.disturbed({.kind = Change::close, .file = disk.open[descriptor]});
    if (watched) disk.open.erase(descriptor);
    const int error = errno, result = static_cast<int>(::syscall(SYS_close, descriptor));
    if (disturbed) errno = error;
    return disturbed ? -1 : result;
}
int rename(const char* from, const char* to) noexcept {
    using namespace tenon::test;
    if (disk.watches(to) && disk.disturbed({.kind = Change::rename, .path = from, .to = to})) return -1;
    return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int link(const char* from, const char* to) noexcept {
    using namespace tenon::test;
    if (disk.watches(to) && disk.disturbed({.kind = Change::link, .path = from, .to = to})) return -1;
    return static_cast<int>(::syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int unlink(const char* path) noexcept {
    using namespace tenon::test;
    if (disk.watches(path) && disk.disturbed({.kind = Change::remove, .path = path})) return -1;
    return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}
int mkdir(const char* path, mode_t mode) noexcept {
    using namespace tenon::test;
    if (disk.watches(path) && disk.disturbed({.kind = Change::make_folder, .path = path})) return -1;
    return static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

}
