// Writes a checkpoint P: the bytes that TensorFlow would write for the same tensors in the same order.
//
//   P.data-00000-of-00001   tensors in the order in which they are added, without gaps
//   P.index                 bundle_index.hpp
//
// Both are written under other names and made durable (BundleOptions), then renamed: bundle_commit.hpp.
#pragma once
#include "bundle_commit.hpp"
#include "index_entries.hpp"
#include "pieces.hpp"
#include "tensor_bytes.hpp"

#include <map>

namespace tenon {

struct BundleOptions {
    std::uint32_t shards = 1;     ///< data files; those without tensors are not made
    std::uint64_t alignment = 1;  ///< of each tensor's offset in its file
    bool durable = true;          ///< false: nothing is synced. Who reads finds a whole checkpoint all the same, but after a power failure perhaps none
    bool write_at_finish = false; ///< true: `add` only keeps tensors of 1 MiB and more, and `finish` writes, by two threads, what their elements are then; they have to be there until then
};

/// Adds tensors one by one; nothing is seen before `finish`, and nothing is left without it.
///
/// Values    every dtype but resource and variant; names of any bytes that begin with other than 0
/// Errors    NameError for a name that is empty, or there already; UnsupportedError for a dtype; FileError. A tensor refused is not added
///
///     BundleWriter writer("model-1000");
///     writer.add("w", w);
///     writer.finish();
class BundleWriter {
    static constexpr std::size_t piece_bytes = 256u << 10;  // fits L2. Larger ones the system keeps, and maps, in larger pieces of memory; where it has none, it spent 2 s of a GiB looking for them
    static constexpr std::size_t large_bytes = 1u << 20;

    /// A tensor whose place is there, and its entry, which has number `at`, but for the checksum.
    struct Later {
        std::size_t at;
        proto::BundleEntryProto entry;
        Tensor value;
    };
    std::string prefix_;
    BundleOptions options_;
    std::vector<Draft> data_;
    std::vector<bool> used_;
    std::vector<Later> later_;
    detail::IndexEntries entries_;
    std::map<std::string, proto::BundleEntryProto, std::less<>> sliced_;  // tensors whose parts are entries
    proto::BundleEntryProto kind_, place_;                                // of the entry that is made: type and shape, and the rest
    std::string kind_bytes_;                                              // kind_ encoded; "" if there is none
    std::size_t no_kind_bytes_ = 0;                                       // with which place_ begins all the same
    proto::detail::Encoder encoder_;
    bool finished_ = false;

    void check_name(std::string_view name) const {
        if (name.empty() || name.front() == '\0') throw NameError(prefix_ + ": a tensor's name cannot be empty or begin with a zero byte");
    }
    void check_new(std::string_view key, std::string_view name) const {
        if (finished_) throw ValueError(prefix_ + ": the checkpoint is finished");
        if (sliced_.contains(key) || (!entries_.ascends(key) && entries_.contains(key))) throw NameError(prefix_ + ": Adding duplicate key: " + std::string(name));
    }
    Draft& file_of(std::uint32_t shard) {
        if (shard >= options_.shards) throw ValueError(sentence(prefix_, ": there is no shard ", shard, " of ", options_.shards));
        return data_[shard];
    }
    Draft& data(std::uint32_t shard) {
        auto& file = file_of(shard);
        used_[shard] = true;
        return file;
    }
    static void describe(proto::BundleEntryProto& e, DType t, std::span<const std::int64_t> shape) {
        e.dtype = t;
        e.shape.dim.resize(shape.size());
        for (std::size_t i = 0; i < shape.size(); ++i) e.shape.dim[i].size = shape[i];
    }
    static void place(proto::BundleEntryProto& e, const Draft& file, std::uint32_t shard, std::uint64_t offset, std::uint32_t crc) {
        e.shard_id = static_cast<std::int32_t>(shard);
        e.offset = static_cast<std::int64_t>(offset);
        e.size = static_cast<std::int64_t>(file.size() - offset);
        e.crc32c = mask_crc(crc);
    }
    /// Fields stand in the order of their numbers: what an entry says of type and shape comes first, and often is what the one before said.
    void store(std::string_view key, DType t, std::span<const std::int64_t> shape, const Draft& file, std::uint32_t shard, std::uint64_t offset, std::uint32_t crc) {
        if (const auto& before = kind_.shape.dim; kind_bytes_.empty() || t != kind_.dtype || !std::equal(shape.begin(), shape.end(), before.begin(), before.end(), [](std::int64_t n, const auto& dim) { return n == dim.size; })) {
            kind_bytes_.clear();
            describe(kind_, t, shape);
            no_kind_bytes_ = encoder_.encode(proto::BundleEntryProto{}).size();
            kind_bytes_ = encoder_.encode(kind_);
        }
        place(place_, file, shard, offset, crc);
        entries_.add(key, kind_bytes_, encoder_.encode(place_).substr(no_kind_bytes_));
    }
    void align(Draft& file) const {
        if (const auto beyond = file.size() % options_.alignment) file.append(std::string(options_.alignment - beyond, '\0'));
    }
    /// Calls write(offset, piece) for pieces of what stands at `offset` of a file, which are in cache then. The checksum of all.
    template <class Write> static std::uint32_t by_pieces(std::uint64_t offset, std::span<const std::byte> bytes, Write write) {
        std::uint32_t crc = 0;
        while (!bytes.empty()) {
            const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), piece_bytes - offset % piece_bytes));
            crc = extend_crc32c(crc, piece.data(), piece.size());
            write(offset, piece);
            offset += piece.size();
            bytes = bytes.subspan(piece.size());
        }
        return crc;
    }
    void append_bytes(std::string_view key, DType t, std::span<const std::int64_t> shape, std::span<const std::byte> bytes, std::uint32_t shard) {
        auto& file = data(shard);
        const auto offset = file.size();
        if (bytes.size() >= large_bytes) file.reserve(bytes.size());
        const auto crc = by_pieces(offset, bytes, [&](std::uint64_t, std::span<const std::byte> piece) { file.append(piece.data(), piece.size()); });
        store(key, t, shape, file, shard, offset, crc);
        align(file);
    }
    void append_later(std::string_view key, const Tensor& t, std::span<const std::int64_t> shape, std::uint32_t shard) {
        auto& file = data(shard);
        const auto offset = file.skip(t.bytes());
        Later later{entries_.size(), {}, t};
        describe(later.entry, t.dtype(), shape);
        place(later.entry, file, shard, offset, 0);
        if (later_.size() == later_.capacity()) later_.reserve(2 * later_.size() + 1);  // from where there is an entry, it gets its bytes
        entries_.add(key, encoder_.encode(later.entry));
        later_.push_back(std::move(later));
        align(file);
    }
    void write_later() {
        detail::Pieces pieces;
        for (const auto& l : later_) pieces.add(l.value.bytes(), static_cast<std::uint64_t>(l.entry.offset));
        pieces.pass(
            [&](int, std::size_t run, std::uint64_t at, std::size_t n) {
                const auto& [number, entry, value] = later_[run];
                auto& file = data_[static_cast<std::size_t>(entry.shard_id)];
                return by_pieces(static_cast<std::uint64_t>(entry.offset) + at, {value.raw() + at, n}, [&](std::uint64_t offset, std::span<const std::byte> piece) { file.fill(offset, piece.data(), piece.size()); });
            },
            [&](std::size_t run, std::uint32_t crc) {
                auto& l = later_[run];
                l.entry.crc32c = mask_crc(crc);
                entries_.change(l.at, encoder_.encode(l.entry));
            });
        later_.clear();
    }
    void append_strings(std::string_view key, std::span<const std::int64_t> shape, std::span<const std::string> strings, std::uint32_t shard) {
        auto& file = data(shard);
        const auto offset = file.size();
        std::uint32_t crc = 0;
        file.append(detail::encode_lengths(strings, crc));
        for (const auto& s : strings) {
            crc = extend_crc32c(crc, s);
            file.append(s);
        }
        store(key, DType::string, shape, file, shard, offset, crc);
        align(file);
    }
    void append(std::string_view key, const Tensor& t, std::uint32_t shard) {
        const std::span<const std::int64_t> shape(t.dims().begin(), t.dims().end());
        if (t.dtype() == DType::string) append_strings(key, shape, t.span<std::string>(), shard);
        else if (options_.write_at_finish && t.bytes() >= large_bytes) append_later(key, t, shape, shard);
        else append_bytes(key, t.dtype(), shape, {t.raw(), t.bytes()}, shard);
    }
    void check_dtype(DType t, std::string_view name) const {
        if (t != DType::string && (!detail::is_dtype(t) || file_bytes_of(t) == 0))
            throw UnsupportedError(sentence(prefix_, ": ", name, ": elements of type ", t, " cannot be saved"));
    }
    /// Numbers for the data files that hold something, in their order.
    std::uint32_t renumber() {
        std::vector<std::int32_t> number(options_.shards);
        std::int32_t next = 0;
        for (std::uint32_t s = 0; s < options_.shards; ++s) number[s] = used_[s] || options_.shards == 1 ? next++ : -1;
        if (next == 0) number[0] = next++;
        auto sliced = std::exchange(sliced_, {});
        for (auto& [key, e] : sliced) {
            e.shard_id = number[static_cast<std::size_t>(e.shard_id)];
            entries_.add(key, encoder_.encode(e));
        }
        if (static_cast<std::uint32_t>(next) < options_.shards) {  // else all keep theirs
            detail::IndexEntries renumbered;
            entries_.each([&](std::string_view key, std::string_view value) {
                auto e = proto::decode<proto::BundleEntryProto>(value);
                if (!sliced.contains(key)) e.shard_id = number[static_cast<std::size_t>(e.shard_id)];
                renumbered.add(key, encoder_.encode(e));
            });
            entries_ = std::move(renumbered);
        }
        for (std::uint32_t s = options_.shards; s-- > 0;) {
            if (number[s] < 0) data_.erase(data_.begin() + s);
            else data_[s].rename(data_name(prefix_, static_cast<std::uint32_t>(number[s]), static_cast<std::uint32_t>(next)));
        }
        return static_cast<std::uint32_t>(next);
    }
    /// For data files named as `shards` are.
    Draft index_of(std::uint32_t shards) const {
        TableBuilder table;
        table.add("", proto::encode(proto::BundleHeaderProto{.num_shards = static_cast<std::int32_t>(shards), .version = {.producer = detail::bundle_version}}));
        entries_.each([&](std::string_view key, std::string_view value) { table.add(key, value); });
        return detail::index_draft(prefix_, table.finish(), options_.durable);
    }

public:
    explicit BundleWriter(std::string prefix, const BundleOptions& options = {}) : prefix_(std::move(prefix)), options_(options), used_(options.shards) {
        if (options.shards < 1 || options.alignment < 1) throw ValueError(prefix_ + ": shards and alignment are at least 1");
        if (const auto directory = directory_of(prefix_); !directory.empty()) make_directory(directory, options_.durable);
        for (std::uint32_t s = 0; s < options.shards; ++s) data_.emplace_back(data_name(prefix_, s, options.shards), options.durable);
    }

    /// Says that a file will have so many bytes more, or about as many: a hint.
    void reserve(std::uint64_t bytes, std::uint32_t shard = 0) {
        if (auto& file = file_of(shard); bytes >= large_bytes || !options_.durable) file.reserve(bytes);
    }
    void add(std::string_view name, const Tensor& t, std::uint32_t shard = 0) {
        check_name(name);
        check_new(name, name);
        check_dtype(t.dtype(), name);
        append(name, t, shard);
    }
    /// Elements of a number type as the bytes they have in a file: for shapes that no Tensor has.
    void add(std::string_view name, DType t, const Extents& shape, std::span<const std::byte> bytes, std::uint32_t shard = 0) {
        check_name(name);
        check_new(name, name);
        check_dtype(t, name);
        const auto n = static_cast<std::size_t>(detail::elements_of(shape));
        if (t == DType::string || bytes.size() != n * file_bytes_of(t))
            throw ShapeError(sentence(prefix_, ": ", name, ": ", bytes.size(), " bytes are not ", shape, " elements of type ", t));
        append_bytes(name, t, shape, bytes, shard);
    }
    /// A part of the tensor `name`, whose shape as a whole is `shape`. A part that is everything is the tensor itself.
    ///
    /// Errors    ShapeError if the part does not fit, or `shape` is another than before; TypeError for another dtype than before
    void add_slice(std::string_view name, const Extents& shape, const TensorSlice& slice, const Tensor& t, std::uint32_t shard = 0) {
        check_name(name);
        check_dtype(t.dtype(), name);
        const auto part = slice.within(shape).extents();
        if (part != extents_of(t.dims()))
            throw ShapeError(sentence(prefix_, ": ", name, ": the slice ", slice, " of ", shape, " is ", part, ", the tensor is ", t.dims()));
        if (part == shape) return add(name, t, shard);
        auto key = slice.key(name);
        check_new(key, std::string(name) + " (" + slice.text() + ")");
        auto whole = sliced_.find(name);
        if (whole == sliced_.end() && entries_.contains(name)) throw NameError(prefix_ + ": Adding duplicate key: " + std::string(name));
        if (whole != sliced_.end()) {
            const auto before = detail::stored_shape(whole->second.shape, prefix_);
            if (before != shape) throw ShapeError(sentence(prefix_, ": ", name, ": parts of ", before, " and of ", shape));
            if (whole->second.dtype != t.dtype()) throw TypeError(sentence(prefix_, ": ", name, ": parts of ", whole->second.dtype, " and of ", t.dtype()));
        }
        append(key, t, shard);
        if (whole == sliced_.end()) {
            whole = sliced_.emplace(std::string(name), proto::BundleEntryProto{}).first;
            describe(whole->second, t.dtype(), shape);
            whole->second.shard_id = static_cast<std::int32_t>(shard);  // means nothing; TensorFlow's merger has it
        }
        whole->second.slices.push_back(slice.proto());
    }

    /// Makes the checkpoint: from here on it is on the disk and has its name.
    void finish() {
        FileTransaction files(options_.durable);
        finish(files);
        files.commit();
    }
    /// The same as steps of `files`, which is to commit. `graph`, if any, comes to its name before the index does.
    void finish(FileTransaction& files, Draft* graph = nullptr) {
        if (finished_) throw ValueError(prefix_ + ": the checkpoint is finished");
        write_later();
        const auto shards = renumber();
        for (auto& file : data_) file.finish();
        detail::commit_bundle(
            prefix_, shards,
            [&](std::uint32_t s, const std::string& name) {
                data_[s].rename(name);
                files.publish(data_[s]);
            },
            [&](std::uint32_t n) { return index_of(n); }, graph, files);
        finished_ = true;
    }
};

}  // namespace tenon
