// Reads a checkpoint: its list of tensors, and tensors, or parts of them, however they are stored.
#pragma once
#include "box.hpp"
#include "bundle_v1.hpp"
#include "data_files.hpp"

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
/// Any number of threads may read from one. Who reads many tensors in their order passes a Cursor of his own, which reads ahead.
class BundleReader {
public:
    using Cursor = detail::Cursor;
    /// A tensor of numbers, and memory of just its size.
    struct Passage {
        const StoredTensor* tensor;
        std::span<std::byte> into;
    };
    class Reading;  // bundle_reading.hpp

private:
    static constexpr std::size_t least_view = 64u << 10;  // below, a mapping costs more than a copy

    std::string prefix_;
    std::vector<StoredTensor> tensors_;
    bool swapped_ = false;
    std::uint32_t shards_ = 1;
    std::shared_ptr<const detail::V1Tables> v1_;  // set for version 1
    std::unique_ptr<detail::DataFiles> files_;

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
        files_ = std::make_unique<detail::DataFiles>(prefix_, shards_);
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
    Tensor read(const StoredTensor& t) const {
        Cursor cursor;
        return read(t, cursor);
    }
    Tensor read(const StoredTensor& t, Cursor& cursor) const { return read(t, TensorSlice::whole(t.shape.size()), cursor); }
    /// A part of a tensor, whether or not it is stored in such parts.
    Tensor read(const StoredTensor& t, const TensorSlice& slice) const {
        Cursor cursor;
        return read(t, slice, cursor);
    }
    Tensor read(const StoredTensor& t, const TensorSlice& slice, Cursor& cursor) const {
        Tensor result = room_for(t, slice, cursor);
        const auto wanted = slice.within(t.shape);
        if (t.dtype == DType::string) gather(t, wanted, result.data<std::string>(), cursor);
        else gather(t, wanted, result.raw(), cursor);
        return result;
    }
    /// What read would give, before its elements are read.
    Tensor room_for(const StoredTensor& t, const TensorSlice& slice, Cursor& cursor) const {
        const auto wanted = slice.within(t.shape);
        const auto dims = dims_of(wanted.extents());
        check(t, wanted, cursor);
        return Tensor(t.dtype, dims);
    }
    /// All elements of a number type into memory of just their size, whatever the number of axes.
    void read_into(const StoredTensor& t, std::span<std::byte> memory) const {
        Cursor cursor;
        read_into(t, memory, cursor);
    }
    void read_into(const StoredTensor& t, std::span<std::byte> memory, Cursor& cursor) const {
        if (!plain(t)) return read_into(t, TensorSlice::whole(t.shape.size()), memory, cursor);
        bound(t, t.parts[0], cursor);
        fits(t, t.parts[0].bytes, memory);
        load(t, t.parts[0], memory.data(), cursor);
    }
    /// The same of a part. What an error leaves in `memory` is of no use.
    void read_into(const StoredTensor& t, const TensorSlice& slice, std::span<std::byte> memory, Cursor& cursor) const {
        const auto wanted = slice.within(t.shape);
        check(t, wanted, cursor);
        if (t.dtype == DType::string) throw UnsupportedError(where(t) + ": strings are not read into bytes");
        fits(t, static_cast<std::size_t>(wanted.size()) * file_bytes_of(t.dtype), memory);
        gather(t, wanted, memory.data(), cursor);
    }
    /// Looks straight into the file where that can be done: from 64 KiB on, if the tensor is stored whole, in this machine's byte order and at a multiple of its
    /// elements' width (BundleOptions::alignment). Other tensors, strings and bools are read. Either way the checksum has been compared.
    ///
    /// Values    of the caller's own: who writes to them writes to a copy of the page, and no other view sees it. The file may be replaced or removed, as saves
    ///           do; but if somebody shortens it or writes into it while there are views, their elements change, or are SIGBUS: nothing can be promised then
    /// Cost      one pass over the bytes; memory of the system's file cache only, until they are written to
    Tensor view(const StoredTensor& t) const {
        Cursor cursor;
        return view(t, cursor);
    }
    Tensor view(const StoredTensor& t, Cursor& cursor) const {
        const auto whole = TensorSlice::whole(t.shape.size());
        if (v1_ || t.sliced || !readable(t.dtype) || t.dtype == DType::string || t.dtype == DType::boolean) return read(t, whole, cursor);
        const auto& part = t.parts[0];
        const auto width = file_bytes_of(t.dtype);
        if (part.bytes < least_view || part.offset % width || (swapped_ && width > 1)) return read(t, whole, cursor);
        const auto dims = dims_of(t.shape);
        check(t, whole.within(t.shape), cursor);
        pass(t, part, nullptr, cursor);
        const auto mapping = std::make_shared<Mapping>(cursor.open(*files_, part.file).file, part.offset, static_cast<std::size_t>(part.bytes));
        auto* const first = mapping->data();
        return {t.dtype, dims, first, mapping};
    }
    /// Reads all of a tensor, or what `slice` needs, only to compare its checksums.
    ///
    /// Errors    those of read
    void verify(const StoredTensor& t, Cursor& cursor) const {
        if (!plain(t)) return verify(t, TensorSlice::whole(t.shape.size()), cursor);
        bound(t, t.parts[0], cursor);
        skim(t, t.parts[0], cursor);
    }
    void verify(const StoredTensor& t, const TensorSlice& slice, Cursor& cursor) const {
        const auto wanted = slice.within(t.shape);
        check(t, wanted, cursor);
        for (const auto& part : t.parts)
            if (!t.sliced || intersection(part.slice, wanted).size() > 0) skim(t, part, cursor);
    }
    /// Reads all parts of a tensor only to compare their checksums, and adds what is wrong to `defects`. Variants are only looked for.
    void verify(const StoredTensor& t, std::vector<std::string>& defects) const {
        const auto before = defects.size();
        Cursor cursor;
        for (const auto& part : t.parts)
            detail::attempt(&defects, [&] {
                bound(t, part, cursor);
                if (readable(t.dtype)) skim(t, part, cursor);
            });
        if (t.dtype != DType::variant && defects.size() == before) detail::attempt(&defects, [&] { check(t, TensorSlice::whole(t.shape.size()).within(t.shape), cursor); });
    }

private:
    std::string where(const StoredTensor& t) const { return prefix_ + ": " + t.name; }
    static bool readable(DType t) { return t == DType::string || (detail::is_dtype(t) && file_bytes_of(t) > 0); }
    /// Numbers that lie in one piece, as most tensors do: there is nothing to put together.
    bool plain(const StoredTensor& t) const { return !v1_ && !t.sliced && t.dtype != DType::string && readable(t.dtype); }
    void fits(const StoredTensor& t, std::uint64_t bytes, std::span<std::byte> memory) const {
        if (bytes != memory.size()) throw ShapeError(sentence(where(t), ": ", bytes, " bytes do not go into ", memory.size()));
    }
    static std::size_t elements(const StoredPart& p) { return static_cast<std::size_t>(p.slice.size()); }

    /// Refuses a part that its file cannot hold, before memory is taken for it.
    void bound(const StoredTensor& t, const StoredPart& part, Cursor& cursor) const {
        if (v1_) return v1_->bound(t, part);
        const auto& [data, size] = cursor.open(*files_, part.file);
        if (part.offset > size || part.bytes > size - part.offset)
            throw CorruptError(sentence(data.path(), ": ", t.name, " has ", part.bytes, " bytes at ", part.offset, ", the file ends at ", size));
    }
    /// Refuses what cannot be read: the dtype, parts that overlap or leave gaps in `wanted`, parts beyond their files.
    void check(const StoredTensor& t, const TensorSlice& wanted, Cursor& cursor) const {
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
            bound(t, part, cursor);
            if (t.sliced && !v1_ && (bytes[part.file] += part.bytes) > cursor.open(*files_, part.file).size) throw CorruptError(where(t) + ": its parts have more bytes than their file");
            found += common;
        }
        if (found != wanted.size())
            throw CorruptError(sentence(where(t), ": Does not have sufficient slices for partitioned tensor: ", found, " of the ", wanted.size(), " elements in ", wanted,
                                        " are stored"));
    }

    void compare(const StoredTensor& t, const StoredPart& part, std::uint32_t crc, const detail::DataFile& data) const {
        if (crc != part.crc) throw detail::checksum_mismatch(data.file.path() + ": " + t.name + " (" + std::to_string(part.bytes) + " bytes)", part.crc, crc);
    }
    /// Reads the part, to memory of its size if there is any, and compares its checksum.
    void pass(const StoredTensor& t, const StoredPart& part, std::byte* into, Cursor& cursor) const {
        const auto& data = cursor.open(*files_, part.file);
        compare(t, part, cursor.pass(part.offset, part.bytes, into), data);
    }
    /// The same for a part whose elements nobody wants.
    void skim(const StoredTensor& t, const StoredPart& part, Cursor& cursor) const {
        if (t.dtype == DType::string) load(t, part, std::vector<std::string>(elements(part)).data(), cursor);
        else if (v1_) load(t, part, Buffer(elements(part) * file_bytes_of(t.dtype)).data(), cursor);
        else pass(t, part, nullptr, cursor);
    }
    void load(const StoredTensor& t, const StoredPart& part, std::byte* to, Cursor& cursor) const {
        if (v1_) v1_->numbers(t, part, to);
        else pass(t, part, to, cursor);
        settle(t, part, to);
    }
    /// From elements as they are in the file to those that we have.
    void settle(const StoredTensor& t, const StoredPart& part, std::byte* to) const {
        if (!swapped_ && t.dtype != DType::boolean) return;
        const std::span<std::byte> bytes(to, elements(part) * file_bytes_of(t.dtype));
        if (swapped_) detail::swap_elements(t.dtype, bytes);
        if (t.dtype == DType::boolean)
            for (auto& b : bytes) b = static_cast<std::byte>(b != std::byte{0});
    }
    void load(const StoredTensor& t, const StoredPart& part, std::string* to, Cursor& cursor) const {
        if (v1_) return v1_->strings(t, part, to);
        const auto& data = cursor.open(*files_, part.file);
        const auto bytes = cursor.bytes(part.offset, static_cast<std::size_t>(part.bytes));
        detail::decode_strings(bytes, elements(part), part.crc, swapped_, data.file.path() + ": " + t.name, [&](std::size_t i, std::string_view s) { to[i] = s; });
    }
    /// Loads the parts that `wanted` needs: in place if they stand in one run, else through memory of their own.
    template <class Element> void gather(const StoredTensor& t, const TensorSlice& wanted, Element* to, Cursor& cursor) const {
        constexpr bool strings = std::is_same_v<Element, std::string>;
        const std::size_t width = strings ? 1 : file_bytes_of(t.dtype);
        for (const auto& part : t.parts) {
            const auto common = intersection(part.slice, wanted);
            if (common.size() == 0) {
                if (!t.sliced) load(t, part, to, cursor);  // empty, but it has a checksum
                continue;
            }
            if (common == part.slice && detail::run_axis(wanted, common) == 0) {
                load(t, part, to + detail::offset_in(wanted, common) * width, cursor);
                continue;
            }
            std::conditional_t<strings, std::vector<std::string>, Buffer> whole(elements(part) * width);
            load(t, part, whole.data(), cursor);
            detail::each_run(common, part.slice, wanted,
                             [&](std::size_t from, std::size_t at, std::size_t n) { std::copy_n(whole.data() + from * width, n * width, to + at * width); });
        }
    }
};

}  // namespace tenon
