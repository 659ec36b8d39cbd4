// The data files of a checkpoint, opened when they are first read, and how their bytes are passed with a checksum.
//
//   a run of small parts    read ahead: one pread for what lies side by side
//   up to 1 MiB             pread, in pieces that are summed while they are in cache
//   larger                  windows of the file in memory, summed where they are, or copied on the way; or pread. A window is 8 MiB, 4 where two threads read, so that
//                           a restore needs no more beside what it restores
//
// Which is faster depends on how the system keeps the file. Pages in pieces of 2 MiB, as after writes of that size, are mapped at once: 33 GB/s to sum and 18 to copy,
// where pread comes to 21 and 14. Single pages are mapped one by one: 12 and 10. So of each file the first window is mapped, the second is read, and the others
// come the way that took less of the processor.
#pragma once
#include "../io/crc32c.hpp"
#include "../io/mapping.hpp"
#include "../tensor/tensor.hpp"
#include "bundle_index.hpp"

#include <map>
#include <memory>
#include <mutex>

#include <time.h>

namespace tenon::detail {

struct DataFile {
    File file;
    std::uint64_t size;
};

class DataFiles {
    std::string prefix_;
    std::uint32_t shards_ = 1;
    std::mutex mutex_;
    std::map<std::uint32_t, std::shared_ptr<const DataFile>> open_;

public:
    DataFiles(std::string prefix, std::uint32_t shards) : prefix_(std::move(prefix)), shards_(shards) {}
    /// Its size is that which it had when it was opened.
    std::shared_ptr<const DataFile> operator[](std::uint32_t shard) {
        const std::lock_guard lock(mutex_);
        auto& f = open_[shard];
        if (!f) {
            auto file = File::open(data_name(prefix_, shard, shards_));
            const auto size = file.size();
            f = std::make_shared<const DataFile>(std::move(file), size);
        }
        return f;
    }
};

/// Where somebody reads who reads one part after the other. In the order in which they lie in their file it costs a system call per MiB, or none.
class Cursor {
    static constexpr std::size_t least_ahead = 16u << 10, most_ahead = 1u << 20, piece_bytes = 256u << 10, window_bytes = 8u << 20;

    std::shared_ptr<const DataFile> data_{};
    const DataFiles* files_ = nullptr;
    std::uint32_t shard_ = 0;
    Buffer buffer_{};
    std::uint64_t begin_ = 0, end_ = 0;  // of what the buffer has
    std::size_t ahead_ = least_ahead;    // grows while parts follow each other
    struct Seconds { double mapped = 0, read = 0; } window_[2];  // which a byte takes: to sum, to copy

    static double processor_seconds() {
        ::timespec t{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
    }

    /// The bytes, which stay until the next call.
    const std::byte* near(std::uint64_t offset, std::size_t n) {
        if (offset < begin_ || offset + n > end_) {
            ahead_ = offset >= begin_ && offset <= end_ + least_ahead && end_ > 0 ? std::min(4 * ahead_, most_ahead) : least_ahead;
            const auto room = std::max(n, static_cast<std::size_t>(std::min<std::uint64_t>(ahead_, data_->size - offset)));
            if (buffer_.bytes() < room) buffer_ = Buffer(room);
            begin_ = end_ = 0;
            data_->file.read_at(offset, buffer_.data(), room);
            begin_ = offset;
            end_ = offset + room;
        }
        return buffer_.data() + (offset - begin_);
    }
    std::uint32_t by_pieces(std::uint32_t crc, std::uint64_t offset, std::uint64_t bytes, std::byte* into) {
        if (!into && buffer_.bytes() < piece_bytes) buffer_ = Buffer(piece_bytes);
        if (!into) begin_ = end_ = 0;
        for (std::uint64_t at = 0; at < bytes; at += piece_bytes) {
            const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(bytes - at, piece_bytes));
            auto* const to = into ? into + at : buffer_.data();
            data_->file.read_at(offset + at, to, n);
            crc = extend_crc32c(crc, to, n);
        }
        return crc;
    }
    std::uint32_t by_window(std::uint32_t crc, std::uint64_t offset, std::size_t n, std::byte* into) {
        try {
            const Mapping window(data_->file, offset, n);
            if (window.ready(0, n)) return into ? extend_crc32c_and_copy(crc, window.data(), n, into) : extend_crc32c(crc, window.data(), n);
        } catch (const FileError&) {  // no room for it, or a file that cannot be mapped: reading needs neither
        }
        return by_pieces(crc, offset, n, into);  // which can say why pages do not come
    }
    std::uint32_t by_windows(std::uint64_t offset, std::uint64_t bytes, std::byte* into) {
        std::uint32_t crc = 0;
        for (std::uint64_t at = 0; at < bytes; at += window_bytes) {
            const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(bytes - at, window_bytes));
            auto* const to = into ? into + at : nullptr;
            auto& [mapped, read] = window_[into ? 1 : 0];
            const auto start = processor_seconds();
            const bool maps = mapped == 0 || (read != 0 && mapped < read);
            crc = maps ? by_window(crc, offset + at, n, to) : by_pieces(crc, offset + at, n, to);
            if (auto& its = maps ? mapped : read; its == 0 && n >= most_ahead) its = (processor_seconds() - start) / static_cast<double>(n);
        }
        return crc;
    }

public:
    /// All that `pass` may need, so that it takes none later.
    void take_memory() {
        if (buffer_.bytes() >= most_ahead) return;
        begin_ = end_ = 0;
        buffer_ = Buffer(most_ahead);
    }
    const DataFile& open(DataFiles& files, std::uint32_t shard) {
        if (!data_ || files_ != &files || shard_ != shard) {
            data_ = files[shard];
            files_ = &files;
            shard_ = shard;
            begin_ = end_ = 0;
            window_[0] = window_[1] = {};
        }
        return *data_;
    }
    /// The checksum of bytes of the file that is open, which are copied to `into` if that is not null. They lie within the size that the file had.
    ///
    /// Errors    FileError, CorruptError if the file has become shorter; some bytes may be copied then
    std::uint32_t pass(std::uint64_t offset, std::uint64_t bytes, std::byte* into) {
        if (bytes <= most_ahead / 4) {
            const auto n = static_cast<std::size_t>(bytes);
            if (n == 0) return 0;
            const auto* const from = near(offset, n);
            return into ? extend_crc32c_and_copy(0, from, n, into) : extend_crc32c(0, from, n);
        }
        return bytes <= most_ahead ? by_pieces(0, offset, bytes, into) : by_windows(offset, bytes, into);
    }
    /// The bytes themselves, for as long as nothing else is read.
    std::string_view bytes(std::uint64_t offset, std::size_t n) { return n ? std::string_view(reinterpret_cast<const char*>(near(offset, n)), n) : std::string_view(); }
};

}  // namespace tenon::detail
