// Checkpoints of version 1, read only: tables in which the values lie beside the names.
//
//   P, or P-SSSSS-of-NNNNN        tables
//   ""           -> SavedTensorSlices{meta}: name, shape, dtype and slices of each tensor
//   slice key    -> SavedTensorSlices{data}: the values, in the typed fields of a TensorProto without dtype and shape
#pragma once
#include "stored_tensors.hpp"

#include <map>

namespace tenon::detail {

/// Copies n values of type t, which lie in the proto's field for t, to `to`; false if there are not n.
inline bool copy_values(const proto::TensorProto& p, DType t, std::size_t n, std::byte* to) {
    const auto narrow = [&]<class T>(T, const auto& from) {
        if (from.size() != n) return false;
        for (std::size_t i = 0; i < n; ++i) {
            const auto v = static_cast<T>(from[i]);
            std::memcpy(to + i * sizeof v, &v, sizeof v);
        }
        return true;
    };
    const auto plain = [&](const auto& from) {
        if (from.size() * sizeof from[0] != n * file_bytes_of(t)) return false;
        if (n) std::memcpy(to, from.data(), n * file_bytes_of(t));
        return true;
    };
    switch (t) {
        case DType::float32: return plain(p.float_val);
        case DType::float64: return plain(p.double_val);
        case DType::complex64: return plain(p.scomplex_val);
        case DType::complex128: return plain(p.dcomplex_val);
        case DType::int64: return plain(p.int64_val);
        case DType::uint32: return plain(p.uint32_val);
        case DType::uint64: return plain(p.uint64_val);
        case DType::int32: case DType::qint32: return plain(p.int_val);
        case DType::boolean: return plain(p.bool_val);
        case DType::uint8: case DType::int8: case DType::quint8: case DType::qint8: return narrow(std::uint8_t{}, p.int_val);
        case DType::uint16: case DType::int16: case DType::quint16: case DType::qint16: return narrow(std::uint16_t{}, p.int_val);
        case DType::half: case DType::bfloat16: return narrow(std::uint16_t{}, p.half_val);
        default: return false;
    }
}

class V1Tables {
    std::vector<TableReader> tables_;
    std::vector<std::uint64_t> sizes_;

    proto::SavedTensorSlices entry(std::uint32_t table, const std::string& key) const {
        const auto value = tables_[table].find(key);
        const auto where = tables_[table].path() + ": " + (key.empty() ? "header" : BundleIndex::readable(key));
        if (!value) throw CorruptError(where + ": it is not there");
        return proto::decode<proto::SavedTensorSlices>(*value, where);
    }
    proto::SavedSlice values(const StoredTensor& t, const StoredPart& part) const {
        auto saved = entry(part.file, part.key);
        if (!saved.data || saved.data->name != t.name) throw CorruptError(sentence(tables_[part.file].path(), ": ", t.name, ": its entry does not hold its values"));
        return std::move(*saved.data);
    }
    CorruptError wrong_number(const StoredTensor& t, const StoredPart& part) const {
        return CorruptError(sentence(tables_[part.file].path(), ": ", t.name, ": not the ", part.slice.size(), " values of type ", t.dtype, " that its shape asks for"));
    }

    void add(std::map<std::string, StoredTensor>& all, const proto::SavedSliceMeta& m, std::uint32_t table) const {
        const auto where = tables_[table].path() + ": " + m.name;
        const auto shape = stored_shape(m.shape, where);
        auto& t = all.try_emplace(m.name, StoredTensor{m.name, m.type, shape, false, {}}).first->second;
        if (t.dtype != m.type || t.shape != shape)
            throw CorruptError(sentence(where, ": parts of ", t.dtype, " ", t.shape, " and of ", m.type, " ", shape));
        for (const auto& s : m.slice) {
            const auto slice = TensorSlice::from(s);
            try {
                const auto part = slice.within(shape);
                t.parts.push_back({part, table, 0, static_cast<std::uint64_t>(part.size()) * (is_dtype(m.type) ? file_bytes_of(m.type) : 0), 0, slice.key(m.name)});
            } catch (const ShapeError& error) { throw CorruptError(where + ": " + error.what()); }
        }
    }

public:
    /// `P` itself, or what P, with ? for digits, matches, or P-SSSSS-of-NNNNN.
    static std::vector<std::string> files(const std::string& prefix) {
        if (file_exists(prefix)) return {prefix};
        const auto directory = directory_of(prefix);
        if (!directory_exists(directory)) return {};
        auto pattern = basename_of(prefix);
        const std::string five(5, '?');
        if (pattern.find('?') == std::string::npos) pattern += "-" + five + "-of-" + five;
        std::vector<std::string> found;
        for (const auto& name : list_directory(directory, pattern.substr(0, pattern.find('?')))) {
            bool match = name.size() == pattern.size();
            for (std::size_t i = 0; match && i < name.size(); ++i) match = name[i] == pattern[i] || (pattern[i] == '?' && name[i] >= '0' && name[i] <= '9');
            if (match) found.push_back(join_path(directory, name));
        }
        return found;
    }
    /// Null if there is no such file.
    static std::shared_ptr<const V1Tables> open(const std::string& prefix) {
        const auto names = files(prefix);
        if (names.empty()) return nullptr;
        auto v1 = std::make_shared<V1Tables>();
        for (const auto& name : names) {
            v1->tables_.emplace_back(name);
            v1->sizes_.push_back(File::open(name).size());
        }
        return v1;
    }
    const std::vector<TableReader>& tables() const { return tables_; }

    std::vector<StoredTensor> tensors(Defects* defects) const {
        std::map<std::string, StoredTensor> all;
        for (std::uint32_t table = 0; table < tables_.size(); ++table)
            attempt(defects, [&] {
                const auto& file = tables_[table].path();
                const auto header = entry(table, "");
                if (!header.meta) throw CorruptError(file + ": the first entry is no header");
                check_version(header.meta->versions, file);
                for (const auto& m : header.meta->tensor) attempt(defects, [&] { add(all, m, table); });
            });
        if (defects)
            for (const auto& table : tables_) {
                for (std::size_t i = 0; i < table.blocks(); ++i)
                    attempt(defects, [&] { table.each(i, [](const std::string&, std::string_view) {}); });
                attempt(defects, [&] { table.verify_metaindex(); });
            }
        std::vector<StoredTensor> list;
        for (auto& [name, t] : all) {
            t.sliced = t.parts.size() != 1 || t.parts[0].slice.extents() != t.shape;
            list.push_back(std::move(t));
        }
        return list;
    }
    /// Refuses a part that its file cannot hold: an element takes a byte at least, and Snappy makes at most 22 of one.
    void bound(const StoredTensor& t, const StoredPart& part) const {
        if (static_cast<std::uint64_t>(part.slice.size()) / 22 > sizes_[part.file]) throw wrong_number(t, part);
    }
    void numbers(const StoredTensor& t, const StoredPart& part, std::byte* to) const {
        if (!copy_values(values(t, part).data, t.dtype, static_cast<std::size_t>(part.slice.size()), to)) throw wrong_number(t, part);
    }
    void strings(const StoredTensor& t, const StoredPart& part, std::string* to) const {
        auto saved = values(t, part);
        if (saved.data.string_val.size() != static_cast<std::size_t>(part.slice.size())) throw wrong_number(t, part);
        std::move(saved.data.string_val.begin(), saved.data.string_val.end(), to);
    }
};

}  // namespace tenon::detail
