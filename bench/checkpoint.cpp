// Save and restore of 1 GiB in tensors of 4 MiB, and of 3,000 tensors of 256 bytes, as programs do it, beside raw loops that write and read the same bytes with
// their checksums, on one thread; a file's room is asked for first, without which writing takes two to three times as long. Of the two that save durably, one gives the
// promise that tenon gives, the old file whole until the new one is; the other empties its old file first. A raw loop is listed twice, so that one sees what a ratio is worth.
// Usage: checkpoint [directory] [MiB]
#include "harness.hpp"

#include <tenon/io/crc32c.hpp>
#include <tenon/save.hpp>

#include <cstring>
#include <fcntl.h>
#include <unistd.h>

using namespace tenon;

namespace {
constexpr std::size_t piece = 256 << 10;
[[noreturn]] void fail(const char* what) { std::perror(what), std::exit(1); }
void use(std::uint32_t crc) { if (crc == 42) std::puts(""); }

void write_all(int fd, const std::byte* p, std::size_t n) { if (write(fd, p, n) != ssize_t(n)) fail("write"); }
void raw_save(const std::string& path, const std::vector<Tensor>& tensors, bool sync) {
    const int fd = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (fd < 0) fail("open");
    std::size_t all = 0;
    for (const Tensor& t : tensors) all += t.bytes();
    if (posix_fallocate(fd, 0, off_t(all))) fail("posix_fallocate");
    std::uint32_t crc = 0;
    for (const Tensor& t : tensors)
        for (std::size_t at = 0; at < t.bytes(); at += piece) {
            const auto n = std::min(piece, t.bytes() - at);
            crc ^= crc32c({reinterpret_cast<const char*>(t.raw()) + at, n});
            write_all(fd, t.raw() + at, n);
        }
    if (sync && fsync(fd)) fail("fsync");
    close(fd);
    use(crc);
}
/// The old file stays whole until the new one is.
void safe_save(const std::string& path, const std::vector<Tensor>& tensors, bool sync) {
    raw_save(path + ".new", tensors, sync);
    if (rename((path + ".new").c_str(), path.c_str())) fail("rename");
}
/// Small tensors go through a buffer; a write for each would cost 21 times as much.
void staged_save(const std::string& path, const std::vector<Tensor>& tensors, std::vector<std::byte>& staged) {
    const int fd = open((path + ".new").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (fd < 0) fail("open");
    std::uint32_t crc = 0;
    std::size_t n = 0;
    for (const Tensor& t : tensors) {
        if (n + t.bytes() > staged.size()) write_all(fd, staged.data(), std::exchange(n, 0));
        crc ^= extend_crc32c_and_copy(0, t.raw(), t.bytes(), staged.data() + n);
        n += t.bytes();
    }
    write_all(fd, staged.data(), n);
    close(fd);
    if (rename((path + ".new").c_str(), path.c_str())) fail("rename");
    use(crc);
}
void raw_restore(const std::string& path, const std::vector<Tensor>& tensors) {
    const int fd = open(path.c_str(), O_RDONLY);
    if (fd < 0) fail("open");
    std::uint32_t crc = 0;
    for (const Tensor& t : tensors)
        for (std::size_t at = 0; at < t.bytes(); at += piece / 4) {
            const auto n = std::min(piece / 4, t.bytes() - at);
            if (read(fd, t.raw() + at, n) != ssize_t(n)) fail("read");
            crc ^= crc32c({reinterpret_cast<const char*>(t.raw()) + at, n});
        }
    close(fd);
    use(crc);
}

/// Variables of n floats each.
template <int n> struct Model {
    std::vector<SavedAs> variables;
    std::vector<Tensor> tensors;
    Session session;
    explicit Model(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            const auto name = "layer_" + std::to_string(10000 + i) + "/weights";
            const Variable<float, Shape<n>> v{name};
            for (std::size_t k = 0; k < v.value().bytes(); k += 8) {
                const std::uint64_t x = (i * n + k) * 0x9E3779B97F4A7C15u;
                std::memcpy(v.value().raw() + k, &x, 8);
            }
            variables.push_back({name, v});
            tensors.push_back(v.value());
        }
    }
};
}  // namespace

int main(int argc, char** argv) {
    const std::string directory = argc > 1 ? argv[1] : ".", prefix = directory + "/bench_checkpoint", raw = directory + "/bench_raw";
    const SaveOptions durable{.write_meta_graph = false, .write_state = false};
    SaveOptions loose = durable;
    loose.durable = false;
    {
        const auto count = std::size_t(argc > 2 ? std::atol(argv[2]) : 1024) / 4;
        Model<1 << 20> m(count);
        Saver saver{m.variables};
        const double bytes = double(count) * (4 << 20);
        const bench::Candidate again{"raw, again", [&] { safe_save(raw, m.tensors, true); }, bytes};
        bench::compare("save over an old one, durable", {{"raw: write beside, crc, fsync, rename", again.run, bytes}, again, {"tenon", [&] { saver.save(m.session, prefix, durable); }, bytes},
                                                         {"raw, into the emptied old file", [&] { raw_save(raw, m.tensors, true); }, bytes}}, "GB/s", 1e-9, 7, 1);
        const bench::Candidate no_sync{"raw, again", [&] { safe_save(raw, m.tensors, false); }, bytes};
        bench::compare("save over an old one, left to the system", {{"raw: write beside, crc, rename", no_sync.run, bytes}, no_sync, {"tenon", [&] { saver.save(m.session, prefix, loose); }, bytes}}, "GB/s", 1e-9, 7, 1);
        const bench::Candidate reads{"raw, again", [&] { raw_restore(raw, m.tensors); }, bytes};
        bench::compare("restore into existing variables", {{"raw: read, crc", reads.run, bytes}, reads, {"tenon, read twice", [&] { saver.restore(m.session, prefix); }, bytes}}, "GB/s", 1e-9, 7, 1);
        const auto existing = m.tensors;
        bench::compare("restore as verified views", {{"raw: read, crc", [&] { raw_restore(raw, existing); }, bytes}, {"tenon", [&] { saver.restore(m.session, prefix, Restore::view); }, bytes}}, "GB/s", 1e-9, 7, 1);
    }
    {
        Model<64> m(3000);
        Saver saver{m.variables};
        std::vector<std::byte> staged(piece);
        const bench::Candidate loop{"raw, again", [&] { staged_save(raw, m.tensors, staged); }, 3000};
        saver.save(m.session, prefix, loose);
        bench::compare("3,000 small tensors: save, left to the system", {{"raw: crc and copy to 1 MiB, write, rename", loop.run, 3000}, loop, {"tenon", [&] { saver.save(m.session, prefix, loose); }, 3000}}, "M tensors/s", 1e-6);
        bench::compare("3,000 small tensors: restore", {{"raw: read, crc of each", [&] { raw_restore(raw, m.tensors); }, 3000}, {"tenon", [&] { saver.restore(m.session, prefix); }, 3000}}, "M tensors/s", 1e-6);
    }
    for (const char* suffix : {".index", ".data-00000-of-00001"}) unlink((prefix + suffix).c_str());
    unlink(raw.c_str());
}
