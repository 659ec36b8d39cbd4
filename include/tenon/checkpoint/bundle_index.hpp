// The index of a checkpoint P: the table P.index with a header under the empty key, and an entry per tensor or part of one.
//
//   ""                          BundleHeaderProto: number of shards, byte order, version
//   00 name 00 01 rank ...      a part of a tensor, its bytes in P.data-SSSSS-of-NNNNN
//   name                        a tensor with its bytes, or dtype, shape and parts
#pragma once
#include "../io/table.hpp"
#include "slice.hpp"

namespace tenon {

inline std::string index_name(const std::string& prefix) { return prefix + ".index"; }
/// "-00000-of-00001": shard and number of shards, both with at least five digits.
inline std::string shard_suffix(std::uint32_t shard, std::uint32_t shards) {
    std::string suffix;
    const auto put = [&](std::string_view word, std::uint32_t n) {
        const auto digits = std::to_string(n);
        suffix.append(word).append(digits.size() < 5 ? 5 - digits.size() : 0, '0').append(digits);
    };
    put("-", shard);
    put("-of-", shards);
    return suffix;
}
inline std::string data_name(const std::string& prefix, std::uint32_t shard, std::uint32_t shards) { return prefix + ".data" + shard_suffix(shard, shards); }
/// The data files that P has, of any number of shards.
inline std::vector<std::string> data_files(const std::string& prefix) {
    const auto directory = directory_of(prefix), stem = basename_of(prefix) + ".data-";
    std::vector<std::string> files;
    if (!directory_exists(directory)) return files;
    for (const auto& name : list_directory(directory, stem)) {  // SSSSS-of-NNNNN
        auto rest = std::string_view(name).substr(stem.size());
        const auto digits = [&] {
            const auto n = std::min(rest.find_first_not_of("0123456789"), rest.size());
            rest.remove_prefix(n);
            return n >= 5;
        };
        if (!digits() || !rest.starts_with("-of-")) continue;
        rest.remove_prefix(4);
        if (digits() && rest.empty()) files.push_back(join_path(directory, name));
    }
    return files;
}

namespace detail {

/// Reading stops at the first defect, unless there is a list to collect them.
using Defects = std::vector<std::string>;
template <class F> void attempt(Defects* defects, F f) {
    if (!defects) return f();
    try {
        f();
    } catch (const Error& e) { defects->emplace_back(e.what()); }
}

inline constexpr std::int32_t bundle_version = 1;
inline void check_version(const proto::VersionDef& v, const std::string& file) {
    if (v.producer < 0) throw FormatError(sentence(file, ": its version ", v.producer, " is below the least that there is, 0"));
    if (v.min_consumer > bundle_version)
        throw FormatError(sentence(file, ": it asks for a reader of version ", v.min_consumer, ", this one is of version ", bundle_version));
    if (std::find(v.bad_consumers.begin(), v.bad_consumers.end(), bundle_version) != v.bad_consumers.end())
        throw FormatError(file + ": it disallows readers of version " + std::to_string(bundle_version));
}

/// What begins the message of an error: a text, or what makes it, for those that are seldom wanted.
inline const std::string& text_of(const std::string& where) { return where; }
template <class F> requires std::is_invocable_v<const F&> std::string text_of(const F& where) { return where(); }

/// The extents of a stored tensor, each at least 0, their product within 64 bits, at most 254 of them.
template <class Where> Extents stored_shape(const proto::TensorShapeProto& p, const Where& where) {
    Extents shape;
    shape.reserve(p.dim.size());
    for (const auto& d : p.dim) shape.push_back(d.size);
    std::int64_t n = 1;
    bool valid = shape.size() <= 254;
    for (const auto e : shape) valid &= e >= 0;
    if (std::find(shape.begin(), shape.end(), 0) == shape.end())
        for (const auto e : shape) valid = valid && !__builtin_mul_overflow(n, e, &n);
    if (!valid) throw CorruptError(text_of(where) + ": invalid tensor shape " + to_string(shape));
    return shape;
}
inline std::int64_t elements_of(const Extents& shape) {
    std::int64_t n = std::find(shape.begin(), shape.end(), 0) == shape.end() ? 1 : 0;
    for (const auto e : shape) n *= n ? e : 1;
    return n;
}
/// A number for which there is a dtype, and no reference.
inline bool is_dtype(DType t) { return static_cast<std::int32_t>(t) > 0 && static_cast<std::size_t>(t) < dtype_rows.size(); }

}  // namespace detail

/// All of an index, as it stands.
struct BundleIndex {
    struct Entry {
        std::string key;
        proto::BundleEntryProto value;
    };
    std::string prefix;
    proto::BundleHeaderProto header;
    std::vector<Entry> entries;  ///< in order of their keys, without the header

    /// Errors    MissingFileError, CorruptError, FormatError; or `defects` gets them, and the rest is read
    static BundleIndex load(const std::string& prefix, detail::Defects* defects = nullptr) {
        BundleIndex index{prefix, {}, {}};
        const auto file = index_name(prefix);
        const TableReader table(file);
        bool header = false;
        for (std::size_t i = 0; i < table.blocks(); ++i)
            detail::attempt(defects, [&] {
                table.each(i, [&](const std::string& key, std::string_view value) {
                    detail::attempt(defects, [&] {
                        if (key.empty()) {
                            header = true;
                            index.header = proto::decode<proto::BundleHeaderProto>(value, file + ": header");
                        } else if (!header && !defects) throw CorruptError(file + ": the first entry is no header");
                        else index.entries.push_back({key, entry(value, file, key)});
                    });
                });
            });
        detail::attempt(defects, [&] {
            if (!header) throw CorruptError(file + ": there is no header");
            if (index.header.num_shards < 1) throw CorruptError(sentence(file, ": the header says ", index.header.num_shards, " shards"));
            if (index.header.endianness != proto::Endianness::little && index.header.endianness != proto::Endianness::big)
                throw CorruptError(file + ": the header says byte order " + std::to_string(static_cast<int>(index.header.endianness)));
            detail::check_version(index.header.version, file);
        });
        if (defects) detail::attempt(defects, [&] { table.verify_metaindex(); });
        return index;
    }
    static proto::BundleEntryProto entry(std::string_view value, const std::string& file, const std::string& key) {
        try {
            return proto::decode<proto::BundleEntryProto>(value);
        } catch (const FormatError&) { return proto::decode<proto::BundleEntryProto>(value, file + ": entry " + readable(key)); }  // the same, with a name for what is seldom wrong
    }
    const proto::BundleEntryProto* find(std::string_view key) const {
        const auto at = std::lower_bound(entries.begin(), entries.end(), key, [](const Entry& e, std::string_view k) { return e.key < k; });
        return at != entries.end() && at->key == key ? &at->value : nullptr;
    }
    /// The name, or name and slice, that a key stands for.
    static std::string readable(const std::string& key) {
        if (!key.starts_with('\0')) return key;
        const auto part = TensorSlice::from_key(key);
        return part ? part->first + " (" + part->second.text() + ")" : "that starts with a zero byte";
    }
};

}  // namespace tenon
