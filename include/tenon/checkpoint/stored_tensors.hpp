// What a checkpoint holds, whichever version wrote it: tensors by name, each with the parts in which it lies there.
#pragma once
#include "bundle_index.hpp"
#include "tensor_bytes.hpp"

namespace tenon {

/// Bytes that hold a tensor, or a part of it.
struct StoredPart {
    TensorSlice slice;  ///< with all lengths
    std::uint32_t file = 0;  ///< shard
    std::uint64_t offset = 0, bytes = 0;
    std::uint32_t crc = 0;  ///< unmasked
    std::string key;        ///< version 1: of the table entry that has the values
};

struct StoredTensor {
    std::string name;
    DType dtype = DType::invalid;
    Extents shape;
    bool sliced = false;            ///< stored in parts
    std::vector<StoredPart> parts;  ///< one, if it is not
    std::int64_t size() const { return detail::elements_of(shape); }
    /// In the files; of strings, with their lengths.
    std::uint64_t bytes() const {
        std::uint64_t n = 0;
        for (const auto& p : parts) n += p.bytes;
        return n;
    }
};

namespace detail {

/// The part that entry `e` describes, checked against the header.
template <class Where> StoredPart stored_part(const proto::BundleEntryProto& e, const proto::BundleHeaderProto& header, const Where& where) {
    const auto shape = stored_shape(e.shape, where);
    const auto n = static_cast<std::uint64_t>(elements_of(shape));
    if (e.shard_id < 0 || e.shard_id >= header.num_shards) throw CorruptError(sentence(text_of(where), ": shard ", e.shard_id, " of ", header.num_shards));
    if (e.offset < 0 || e.size < 0) throw CorruptError(sentence(text_of(where), ": ", e.size, " bytes at ", e.offset));
    const auto bytes = static_cast<std::uint64_t>(e.size), width = is_dtype(e.dtype) ? std::uint64_t{file_bytes_of(e.dtype)} : 0;
    if (width && (bytes % width || bytes / width != n))
        throw CorruptError(sentence(text_of(where), ": Invalid size in bundle entry: stored size ", bytes, "; ", shape, " elements of type ", e.dtype, " have ", width, " bytes each"));
    if (e.dtype == DType::string && bytes < n) throw CorruptError(sentence(text_of(where), ": Invalid size in bundle entry: stored size ", bytes, " for ", n, " strings"));
    return {TensorSlice::whole(shape.size()).within(shape), static_cast<std::uint32_t>(e.shard_id), static_cast<std::uint64_t>(e.offset), bytes, unmask_crc(e.crc32c), {}};
}

/// The tensors of an index, by name. Every entry is checked: shape, size, shard, and that the parts of a tensor are there and fit it.
inline std::vector<StoredTensor> stored_tensors(const BundleIndex& index, Defects* defects = nullptr) {
    std::vector<StoredTensor> all;
    std::size_t parts = 0, part_keys = 0;
    all.reserve(index.entries.size());
    for (const auto& [key, e] : index.entries) {
        if (key.starts_with('\0')) {
            ++part_keys;
            continue;
        }
        attempt(defects, [&] {
            const auto where = [&, &key = key] { return index_name(index.prefix) + ": " + key; };
            StoredTensor t{key, e.dtype, stored_shape(e.shape, where), !e.slices.empty(), {}};
            if (!t.sliced) t.parts.push_back(stored_part(e, index.header, where));
            for (const auto& s : e.slices) {
                const auto slice = TensorSlice::from(s);
                const auto* const part = index.find(slice.key(key));
                const auto named = where() + " (" + slice.text() + ")";
                if (!part) throw CorruptError(named + ": a part of the tensor is not there");
                ++parts;
                if (part->dtype != e.dtype) throw CorruptError(sentence(named, ": elements of type ", part->dtype, " in a tensor of ", e.dtype));
                auto stored = stored_part(*part, index.header, named);
                try {
                    const auto extents = stored.slice.extents();
                    stored.slice = slice.within(t.shape);
                    if (stored.slice.extents() != extents) throw ShapeError("the part's shape is " + to_string(extents));
                } catch (const ShapeError& error) { throw CorruptError(named + ": " + error.what()); }
                t.parts.push_back(std::move(stored));
            }
            all.push_back(std::move(t));
        });
    }
    if (defects && parts != part_keys) defects->push_back(sentence(index_name(index.prefix), ": ", part_keys, " parts of tensors are stored, ", parts, " belong to one"));
    return all;
}

}  // namespace detail
}  // namespace tenon
