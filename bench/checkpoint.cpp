// Save and restore of 1 GiB in 128 tensors, beside raw loops that write and read the same bytes with their checksums. Of the two that save, one gives
// the promise that tenon gives, the old file whole until the new one is; the other empties its old file first.
// Usage: checkpoint [directory] [MiB]
#include "harness.hpp"

#include <tenon/checkpoint/bundle.hpp>
#include <tenon/io/crc32c.hpp>

#include <cstring>
#include <fcntl.h>
#include <unistd.h>

using namespace tenon;

namespace {
constexpr std::size_t piece = 1 << 20;
[[noreturn]] void fail(const char* what) { std::perror(what), std::exit(1); }

void raw_save(const std::string& path, const std::vector<Tensor>& tensors, bool sync) {
    const int fd = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (fd < 0) fail("open");
    std::uint32_t crc = 0;
    for (const Tensor& t : tensors)
        for (std::size_t at = 0; at < t.bytes(); at += piece) {
            const auto n = std::min(piece, t.bytes() - at);
            crc ^= crc32c({reinterpret_cast<const char*>(t.raw()) + at, n});
            if (write(fd, t.raw() + at, n) != ssize_t(n)) fail("write");
        }
    if (sync && fsync(fd)) fail("fsync");
    close(fd);
    if (crc == 42) std::puts("");
}
/// The old file stays whole until the new one is.
void safe_save(const std::string& path, const std::vector<Tensor>& tensors) {
    raw_save(path + ".new", tensors, true);
    if (rename((path + ".new").c_str(), path.c_str())) fail("rename");
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
    if (crc == 42) std::puts("");
}
}  // namespace

int main(int argc, char** argv) {
    const std::string directory = argc > 1 ? argv[1] : ".", prefix = directory + "/bench_checkpoint", raw = directory + "/bench_raw";
    const std::size_t total = std::size_t(argc > 2 ? std::atol(argv[2]) : 1024) << 20, count = 128;
    std::vector<Tensor> tensors, read;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; ++i) {
        tensors.emplace_back(DType::float32, Dims{std::int64_t(total / count / 4)});
        read.emplace_back(DType::float32, tensors.back().dims());
        for (std::size_t k = 0; k < tensors.back().bytes(); k += 8) {
            const std::uint64_t v = (i * total + k) * 0x9E3779B97F4A7C15u;
            std::memcpy(tensors.back().raw() + k, &v, 8);
        }
        std::memset(static_cast<void*>(read.back().raw()), 1, read.back().bytes());
        names.push_back("tensor_" + std::to_string(1000 + i));
    }
    const auto save = [&] {
        BundleWriter writer(prefix);
        for (std::size_t i = 0; i < count; ++i) writer.add(names[i], tensors[i]);
        writer.finish();
    };
    const auto restore = [&] {
        const BundleReader reader(prefix);
        for (std::size_t i = 0; i < count; ++i) reader.read_into(reader.at(names[i]), {read[i].raw(), read[i].bytes()});
    };
    const double bytes = double(total);
    bench::compare("save over an old one, durable", {{"raw: write beside, crc, fsync, rename", [&] { safe_save(raw, tensors); }, bytes}, {"raw, again", [&] { safe_save(raw, tensors); }, bytes},
                                                     {"tenon", save, bytes}, {"raw, into the emptied old file", [&] { raw_save(raw, tensors, true); }, bytes}}, "GB/s", 1e-9, 7, 1);
    bench::compare("restore into existing tensors", {{"raw: read, crc", [&] { raw_restore(raw, read); }, bytes}, {"raw, again", [&] { raw_restore(raw, read); }, bytes}, {"tenon", restore, bytes}}, "GB/s", 1e-9, 7, 1);
    for (const char* suffix : {".index", ".data-00000-of-00001"}) unlink((prefix + suffix).c_str());
    unlink(raw.c_str());
}
