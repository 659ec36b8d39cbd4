// The messages of a checkpoint's index, of both versions.
// Source    tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/framework/tensor_slice.proto, tensorflow/core/util/saved_tensor_slice.proto
#pragma once
#include "../graph/graph_def.hpp"
#include "../io/proto.hpp"

namespace tenon::proto {

enum class Endianness : std::int32_t { little = 0, big = 1 };
inline std::span<const EnumRow> enumerators(Endianness) {
    static constexpr EnumRow rows[]{{0, "LITTLE"}, {1, "BIG"}};
    return rows;
}

/// The value of the empty key.
struct BundleHeaderProto {
    std::int32_t num_shards = 0;
    Endianness endianness = Endianness::little;  ///< of the data files
    VersionDef version{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = BundleHeaderProto;
        return message("tensorflow.BundleHeaderProto", field<&M::num_shards>(1, "num_shards"), field<&M::endianness>(2, "endianness"), field<&M::version>(3, "version"));
    }
};

/// An extent per axis; one without length is the whole axis.
struct TensorSliceProto {
    struct Extent {
        std::int64_t start = 0;
        std::optional<std::int64_t> length{};
        Unknown unknown{};
        static constexpr auto table() {
            return message("tensorflow.TensorSliceProto.Extent", field<&Extent::start>(1, "start"), field<&Extent::length>(2, "length").oneof());
        }
    };
    std::vector<Extent> extent{};
    Unknown unknown{};
    static constexpr auto table() { return message("tensorflow.TensorSliceProto", field<&TensorSliceProto::extent>(1, "extent")); }
};

/// The value of a name or of a slice key. With `slices` it describes a tensor in parts, and only dtype and shape are its own.
struct BundleEntryProto {
    DType dtype = DType::invalid;
    TensorShapeProto shape{};
    std::int32_t shard_id = 0;
    std::int64_t offset = 0, size = 0;
    std::uint32_t crc32c = 0;  ///< masked
    std::vector<TensorSliceProto> slices{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = BundleEntryProto;
        return message("tensorflow.BundleEntryProto", field<&M::dtype>(1, "dtype"), field<&M::shape>(2, "shape"), field<&M::shard_id>(3, "shard_id"), field<&M::offset>(4, "offset"),
                       field<&M::size>(5, "size"), fixed<&M::crc32c>(6, "crc32c"), field<&M::slices>(7, "slices"));
    }
};

// Version 1: every value of the table is a SavedTensorSlices, the empty key's with `meta`, the others with `data`.

struct SavedSliceMeta {
    std::string name{};
    TensorShapeProto shape{};
    DType type = DType::invalid;
    std::vector<TensorSliceProto> slice{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = SavedSliceMeta;
        return message("tensorflow.SavedSliceMeta", bytes<&M::name>(1, "name"), field<&M::shape>(2, "shape"), field<&M::type>(3, "type"), field<&M::slice>(4, "slice"));
    }
};
struct SavedTensorSliceMeta {
    std::vector<SavedSliceMeta> tensor{};
    VersionDef versions{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = SavedTensorSliceMeta;
        return message("tensorflow.SavedTensorSliceMeta", field<&M::tensor>(1, "tensor"), field<&M::versions>(2, "versions"));
    }
};
struct SavedSlice {
    std::string name{};
    TensorSliceProto slice{};
    TensorProto data{};  ///< without dtype and shape
    Unknown unknown{};
    static constexpr auto table() {
        using M = SavedSlice;
        return message("tensorflow.SavedSlice", bytes<&M::name>(1, "name"), field<&M::slice>(2, "slice"), field<&M::data>(3, "data"));
    }
};
struct SavedTensorSlices {
    Box<SavedTensorSliceMeta> meta{};
    Box<SavedSlice> data{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = SavedTensorSlices;
        return message("tensorflow.SavedTensorSlices", field<&M::meta>(1, "meta"), field<&M::data>(2, "data"));
    }
};

}  // namespace tenon::proto
