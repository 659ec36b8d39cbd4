// Reads a checkpoint: its list of tensors, and tensors, or parts of them, however they are stored.
#pragma once
#include "../io/memory.hpp"
#include "box.hpp"
#include "bundle_v1.hpp"

#include <mutex>

namespace tenon {

/// A checkpoint of version 2, or 1 if there is no index of version 2. The whole index is checked when it is opened.
///
/// Values    every dtype is listed; all but resource and variant are read; bytes of bool other than 0 read as true
/// Cost      one pass over a tensor's bytes: checksums are compared while they are in cache
/// Errors    MissingFileError, CorruptError, FormatError of files; NameError "model-7: Key v not found in checkpoint"; ShapeError for more
///           than 8 axes (read_into has no such limit); UnsupportedError for a dtype
///
///     BundleReader checkpoint("model-1000");
///     for (const auto& t : checkpoint.tensors()) std::cout << t.name << ' ' << name_of(t.dtype) << ' ' << to_string(t.shape) << '\n';
///     const Tensor w = checkpoint.read("w");
///
/// Any number of threads may read from one.
class BundleReader {
    static constexpr std::size_t piece_bytes = 256u << 10;

    std::string prefix_;
    std::vector<StoredTensor> tensors_;
    bool swapped_ = false;
    std::uint32_t shards_ = 1;
    std::shared_ptr<const detail::V1Tables> v1_;  // set for version 1

    struct Files {
        std::mutex mutex;
        std::map<std::uint32_t, std::shared_ptr<const File>> open;
    };
    std::unique_ptr<Files> files_ = std::make_unique<Files>();  // opened when first read from

public:
    /// `defects` gets what would be thrown of an index that can be opened at all, and what can be read is.
    explicit BundleReader(std::string prefix, std::vector<std::string>* defects = nullptr) : prefix_(std::move(prefix)) {
        if (!file_exists(index_name(prefix_)) && (v1_ = detail::V1Tables::open(prefix_))) {
            tensors_ = v1_->tensors(defects);
            return;
        }
        const auto index = BundleIndex::load(prefix_, defects);
        tensors_ = detail::stored_tensors(index, defects);
        swapped_ = index.header.endianness != (std::endian::native == std::endian::little ? proto::Endianness::little : proto::Endianness::big);
        shards_ = static_cast<std::uint32_t>(index.header.num_shards);
    }

    const std::string& prefix() const { return prefix_; }
    int version() const { return v1_ ? 1 : 2; }
    std::uint32_t shards() const { return shards_; }
    /// In the order of their names.
    std::span<const StoredTensor> tensors() const& { return tensors_; }
    std::span<const StoredTensor> tensors() const&& = delete;  // `for (auto& t : BundleReader("m").tensors())` outlives its reader
    const StoredTensor* find(std::string_view name) const& {
        const auto at = std::lower_bound(tensors_.begin(), tensors_.end(), name, [](const StoredTensor& t, std::string_view n) { return t.name < n; });
        return at != tensors_.end() && at->name == name ? &*at : nullptr;
    }
    const StoredTensor& at(std::string_view name) const& {
        if (const auto* const t = find(name)) return *t;
        throw NameError(sentence(prefix_, ": Key ", name, " not found in checkpoint"));
    }

    Tensor read(std::string_view name) const { return read(at(name)); }
    Tensor read(const StoredTensor& t) const { return read(t, TensorSlice::whole(t.shape.size())); }
    /// A part of a tensor, whether or not it is stored in such parts.
    Tensor read(const StoredTensor& t, const TensorSlice& slice) const {
        const auto wanted = slice.within(t.shape);
        const auto dims = dims_of(wanted.extents());
        check(t, wanted);
        Tensor result(t.dtype, dims);
        if (t.dtype == DType::string) gather(t, wanted, result.data<std::string>());
        else {
            advise_large_pages(result.raw(), result.bytes());
            gather(t, wanted, result.raw());
        }
        return result;
    }
    /// All elements of a number type into memory of just their size, whatever the number of axes.
    void read_into(const StoredTensor& t, std::span<std::byte> memory) const {
        const auto whole = TensorSlice::whole(t.shape.size()).within(t.shape);
        check(t, whole);
        if (t.dtype == DType::string) throw UnsupportedError(where(t) + ": strings are not read into bytes");
        if (const auto bytes = static_cast<std::size_t>(t.size()) * file_bytes_of(t.dtype); bytes != memory.size())
            throw ShapeError(sentence(where(t), ": ", bytes, " bytes do not go into ", memory.size()));
        gather(t, whole, memory.data());
    }
    /// Reads all parts of a tensor only to compare their checksums, and adds what is wrong to `defects`. Variants are only looked for.
    void verify(const StoredTensor& t, std::vector<std::string>& defects) const {
        const auto before = defects.size();
        for (const auto& part : t.parts)
            detail::attempt(&defects, [&] {
                bound(t, part);
                if (!readable(t.dtype)) return;
                if (t.dtype == DType::string) load(t, part, std::vector<std::string>(elements(part)).data());
                else if (v1_) load(t, part, Buffer(elements(part) * file_bytes_of(t.dtype)).data());
                else pass(t, part, nullptr);
            });
        if (t.dtype != DType::variant && defects.size() == before) detail::attempt(&defects, [&] { check(t, TensorSlice::whole(t.shape.size()).within(t.shape)); });
    }

private:
    std::string where(const StoredTensor& t) const { return prefix_ + ": " + t.name; }
    static bool readable(DType t) { return t == DType::string || (detail::is_dtype(t) && file_bytes_of(t) > 0); }
    static std::size_t elements(const StoredPart& p) { return static_cast<std::size_t>(p.slice.size()); }
    std::shared_ptr<const File> file(std::uint32_t shard) const {
        const std::lock_guard lock(files_->mutex);
        auto& f = files_->open[shard];
        if (!f) f = std::make_shared<const File>(File::open(data_name(prefix_, shard, shards_)));
        return f;
    }

    /// Refuses a part that its file cannot hold, before memory is taken for it.
    void bound(const StoredTensor& t, const StoredPart& part) const {
        if (v1_) return v1_->bound(t, part);
        const auto data = file(part.file);
        const auto size = data->size();
        if (part.offset > size || part.bytes > size - part.offset)
            throw CorruptError(sentence(data->path(), ": ", t.name, " has ", part.bytes, " bytes at ", part.offset, ", the file ends at ", size));
    }
    /// Refuses what cannot be read: the dtype, parts that overlap or leave gaps in `wanted`, parts beyond their files.
    void check(const StoredTensor& t, const TensorSlice& wanted) const {
        if (!readable(t.dtype))
            throw UnsupportedError(sentence(where(t), ": elements of type ", detail::is_dtype(t.dtype) ? std::string(name_of(t.dtype)) : std::to_string(static_cast<int>(t.dtype)), " cannot be read"));
        std::int64_t found = 0;
        std::map<std::uint32_t, std::uint64_t> bytes;  // of each file that are asked for; entries may share bytes, the parts of a tensor not
        for (std::size_t i = 0; i < t.parts.size(); ++i) {
            const auto& part = t.parts[i];
            for (std::size_t j = 0; j < i; ++j)
                if (const auto& before = t.parts[j].slice; intersection(part.slice, before).size() > 0)
                    throw CorruptError(sentence(where(t), ": Overlapping slices: existing slice = ", before, ", new slice = ", part.slice));
            const auto common = intersection(part.slice, wanted).size();
            if (common == 0 && t.sliced) continue;
            bound(t, part);
            if (t.sliced && !v1_ && (bytes[part.file] += part.bytes) > file(part.file)->size()) throw CorruptError(where(t) + ": its parts have more bytes than their file");
            found += common;
        }
        if (found != wanted.size())
            throw CorruptError(sentence(where(t), ": Does not have sufficient slices for partitioned tensor: ", found, " of the ", wanted.size(), " elements in ", wanted,
                                        " are stored"));
    }

    /// Reads the part, to memory of its size if there is any, and compares its checksum piece by piece, while it is in cache.
    void pass(const StoredTensor& t, const StoredPart& part, std::byte* into) const {
        const auto data = file(part.file);
        const Buffer piece(into ? 0 : static_cast<std::size_t>(std::min<std::uint64_t>(part.bytes, piece_bytes)));
        std::uint32_t crc = 0;
        for (std::uint64_t at = 0; at < part.bytes; at += piece_bytes) {
            const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(part.bytes - at, piece_bytes));
            auto* const to = into ? into + at : piece.data();
            data->read_at(part.offset + at, to, n);
            crc = extend_crc32c(crc, to, n);
        }
        if (crc != part.crc) throw detail::checksum_mismatch(data->path() + ": " + t.name + " (" + std::to_string(part.bytes) + " bytes)", part.crc, crc);
    }
    void load(const StoredTensor& t, const StoredPart& part, std::byte* to) const {
        if (v1_) v1_->numbers(t, part, to);
        else pass(t, part, to);
        const std::span<std::byte> bytes(to, elements(part) * file_bytes_of(t.dtype));
        if (swapped_) detail::swap_elements(t.dtype, bytes);
        if (t.dtype == DType::boolean)
            for (auto& b : bytes) b = static_cast<std::byte>(b != std::byte{0});
    }
    void load(const StoredTensor& t, const StoredPart& part, std::string* to) const {
        if (v1_) return v1_->strings(t, part, to);
        const auto data = file(part.file);
        std::string bytes(part.bytes, '\0');
        data->read_at(part.offset, bytes.data(), bytes.size());
        detail::decode_strings(bytes, elements(part), part.crc, swapped_, data->path() + ": " + t.name, [&](std::size_t i, std::string_view s) { to[i] = s; });
    }
    /// Loads the parts that `wanted` needs: in place if they stand in one run, else through memory of their own.
    template <class Element> void gather(const StoredTensor& t, const TensorSlice& wanted, Element* to) const {
        constexpr bool strings = std::is_same_v<Element, std::string>;
        const std::size_t width = strings ? 1 : file_bytes_of(t.dtype);
        for (const auto& part : t.parts) {
            const auto common = intersection(part.slice, wanted);
            if (common.size() == 0) {
                if (!t.sliced) load(t, part, to);  // empty, but it has a checksum
                continue;
            }
            if (common == part.slice && detail::run_axis(wanted, common) == 0) {
                load(t, part, to + detail::offset_in(wanted, common) * width);
                continue;
            }
            std::conditional_t<strings, std::vector<std::string>, Buffer> whole(elements(part) * width);
            load(t, part, whole.data());
            detail::each_run(common, part.slice, wanted,
                             [&](std::size_t from, std::size_t at, std::size_t n) { std::copy_n(whole.data() + from * width, n * width, to + at * width); });
        }
    }
};

}  // namespace tenon
