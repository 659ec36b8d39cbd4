// What a `.meta` file holds: a graph, how its checkpoints are written and read, and its collections.
// Source    tensorflow/core/protobuf: meta_graph.proto, saver.proto, saved_model.proto; core/framework/variable.proto
#pragma once
#include "graph_def.hpp"

namespace tenon::proto {

struct Any {
    std::string type_url{}, value{};
    Unknown unknown{};
    static constexpr auto table() { return message("google.protobuf.Any", field<&Any::type_url>(1, "type_url"), bytes<&Any::value>(2, "value")); }
};

struct SaverDef {
    enum class Version : std::int32_t { legacy = 0, v1 = 1, v2 = 2 };
    std::string filename_tensor_name{}, save_tensor_name{}, restore_op_name{};
    std::int32_t max_to_keep = 0;
    bool sharded = false;
    float keep_checkpoint_every_n_hours = 0;
    Version version = Version::legacy;
    Unknown unknown{};
    static constexpr auto table() {
        using M = SaverDef;
        return message("tensorflow.SaverDef", field<&M::filename_tensor_name>(1, "filename_tensor_name"), field<&M::save_tensor_name>(2, "save_tensor_name"),
                       field<&M::restore_op_name>(3, "restore_op_name"), field<&M::max_to_keep>(4, "max_to_keep"), field<&M::sharded>(5, "sharded"),
                       field<&M::keep_checkpoint_every_n_hours>(6, "keep_checkpoint_every_n_hours"), field<&M::version>(7, "version"));
    }
};
inline std::span<const EnumRow> enumerators(SaverDef::Version) {
    static constexpr EnumRow rows[]{{0, "LEGACY"}, {1, "V1"}, {2, "V2"}};
    return rows;
}

struct SaveSliceInfoDef {
    std::string full_name{};
    std::vector<std::int64_t> full_shape{}, var_offset{}, var_shape{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = SaveSliceInfoDef;
        return message("tensorflow.SaveSliceInfoDef", field<&M::full_name>(1, "full_name"), field<&M::full_shape>(2, "full_shape"), field<&M::var_offset>(3, "var_offset"), field<&M::var_shape>(4, "var_shape"));
    }
};

/// A variable in a collection, encoded in its bytes_list.
struct VariableDef {
    enum class Synchronization : std::int32_t { automatic = 0, none = 1, on_write = 2, on_read = 3 };
    enum class Aggregation : std::int32_t { none = 0, sum = 1, mean = 2, only_first_replica = 3 };
    std::string variable_name{}, initializer_name{}, snapshot_name{};
    Box<SaveSliceInfoDef> save_slice_info_def{};
    bool is_resource = false;
    std::string initial_value_name{};
    bool trainable = false;
    Synchronization synchronization{};
    Aggregation aggregation{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = VariableDef;
        return message("tensorflow.VariableDef", field<&M::variable_name>(1, "variable_name"), field<&M::initializer_name>(2, "initializer_name"), field<&M::snapshot_name>(3, "snapshot_name"),
                       field<&M::save_slice_info_def>(4, "save_slice_info_def"), field<&M::is_resource>(5, "is_resource"), field<&M::initial_value_name>(6, "initial_value_name"),
                       field<&M::trainable>(7, "trainable"), field<&M::synchronization>(8, "synchronization"), field<&M::aggregation>(9, "aggregation"));
    }
};
inline std::span<const EnumRow> enumerators(VariableDef::Synchronization) {
    static constexpr EnumRow rows[]{{0, "VARIABLE_SYNCHRONIZATION_AUTO"}, {1, "VARIABLE_SYNCHRONIZATION_NONE"}, {2, "VARIABLE_SYNCHRONIZATION_ON_WRITE"}, {3, "VARIABLE_SYNCHRONIZATION_ON_READ"}};
    return rows;
}
inline std::span<const EnumRow> enumerators(VariableDef::Aggregation) {
    static constexpr EnumRow rows[]{{0, "VARIABLE_AGGREGATION_NONE"}, {1, "VARIABLE_AGGREGATION_SUM"}, {2, "VARIABLE_AGGREGATION_MEAN"}, {3, "VARIABLE_AGGREGATION_ONLY_FIRST_REPLICA"}};
    return rows;
}

/// One of its lists is set: `collection.node_list->value`.
struct CollectionDef {
    struct NodeList {
        std::vector<std::string> value{};
        Unknown unknown{};
        static constexpr auto table() { return message("tensorflow.CollectionDef.NodeList", field<&NodeList::value>(1, "value")); }
    };
    struct BytesList {
        std::vector<std::string> value{};
        Unknown unknown{};
        static constexpr auto table() { return message("tensorflow.CollectionDef.BytesList", bytes<&BytesList::value>(1, "value")); }
    };
    struct Int64List {
        std::vector<std::int64_t> value{};
        Unknown unknown{};
        static constexpr auto table() { return message("tensorflow.CollectionDef.Int64List", field<&Int64List::value>(1, "value")); }
    };
    struct FloatList {
        std::vector<float> value{};
        Unknown unknown{};
        static constexpr auto table() { return message("tensorflow.CollectionDef.FloatList", field<&FloatList::value>(1, "value")); }
    };
    struct AnyList {
        std::vector<Any> value{};
        Unknown unknown{};
        static constexpr auto table() { return message("tensorflow.CollectionDef.AnyList", field<&AnyList::value>(1, "value")); }
    };
    Box<NodeList> node_list{};
    Box<BytesList> bytes_list{};
    Box<Int64List> int64_list{};
    Box<FloatList> float_list{};
    Box<AnyList> any_list{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = CollectionDef;
        return message("tensorflow.CollectionDef", field<&M::node_list>(1, "node_list").oneof(), field<&M::bytes_list>(2, "bytes_list").oneof(), field<&M::int64_list>(3, "int64_list").oneof(),
                       field<&M::float_list>(4, "float_list").oneof(), field<&M::any_list>(5, "any_list").oneof());
    }
};

/// Composite tensors (field 5) are kept as unknown bytes.
struct TensorInfo {
    struct CooSparse {
        std::string values_tensor_name{}, indices_tensor_name{}, dense_shape_tensor_name{};
        Unknown unknown{};
        static constexpr auto table() {
            using M = CooSparse;
            return message("tensorflow.TensorInfo.CooSparse", field<&M::values_tensor_name>(1, "values_tensor_name"), field<&M::indices_tensor_name>(2, "indices_tensor_name"),
                           field<&M::dense_shape_tensor_name>(3, "dense_shape_tensor_name"));
        }
    };
    std::optional<std::string> name{};
    DType dtype = DType::invalid;
    Box<TensorShapeProto> tensor_shape{};
    Box<CooSparse> coo_sparse{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = TensorInfo;
        return message("tensorflow.TensorInfo", field<&M::name>(1, "name").oneof(), field<&M::dtype>(2, "dtype"), field<&M::tensor_shape>(3, "tensor_shape"),
                       field<&M::coo_sparse>(4, "coo_sparse").oneof());
    }
};
struct SignatureDef {
    Map<TensorInfo> inputs{}, outputs{};
    std::string method_name{};
    Map<TensorProto> defaults{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = SignatureDef;
        return message("tensorflow.SignatureDef", field<&M::inputs>(1, "inputs"), field<&M::outputs>(2, "outputs"), field<&M::method_name>(3, "method_name"), field<&M::defaults>(4, "defaults"));
    }
};
struct AssetFileDef {
    Box<TensorInfo> tensor_info{};
    std::string filename{};
    Unknown unknown{};
    static constexpr auto table() { return message("tensorflow.AssetFileDef", field<&AssetFileDef::tensor_info>(1, "tensor_info"), field<&AssetFileDef::filename>(2, "filename")); }
};

/// The objects of a TF2 SavedModel (field 7) are kept as unknown bytes.
struct MetaGraphDef {
    struct MetaInfoDef {
        std::string meta_graph_version{};
        Box<OpList> stripped_op_list{};
        Box<Any> any_info{};
        std::vector<std::string> tags{};
        std::string tensorflow_version{}, tensorflow_git_version{};
        bool stripped_default_attrs = false;
        Map<std::string> function_aliases{};
        Unknown unknown{};
        static constexpr auto table() {
            using M = MetaInfoDef;
            return message("tensorflow.MetaGraphDef.MetaInfoDef", field<&M::meta_graph_version>(1, "meta_graph_version"), field<&M::stripped_op_list>(2, "stripped_op_list"),
                           field<&M::any_info>(3, "any_info"), field<&M::tags>(4, "tags"), field<&M::tensorflow_version>(5, "tensorflow_version"),
                           field<&M::tensorflow_git_version>(6, "tensorflow_git_version"), field<&M::stripped_default_attrs>(7, "stripped_default_attrs"),
                           field<&M::function_aliases>(8, "function_aliases"));
        }
    };
    Box<MetaInfoDef> meta_info_def{};
    Box<GraphDef> graph_def{};
    Box<SaverDef> saver_def{};
    Map<CollectionDef> collection_def{};
    Map<SignatureDef> signature_def{};
    std::vector<AssetFileDef> asset_file_def{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = MetaGraphDef;
        return message("tensorflow.MetaGraphDef", field<&M::meta_info_def>(1, "meta_info_def"), field<&M::graph_def>(2, "graph_def"), field<&M::saver_def>(3, "saver_def"),
                       field<&M::collection_def>(4, "collection_def"), field<&M::signature_def>(5, "signature_def"), field<&M::asset_file_def>(6, "asset_file_def"));
    }
};

struct SavedModel {
    std::int64_t saved_model_schema_version = 0;
    std::vector<MetaGraphDef> meta_graphs{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = SavedModel;
        return message("tensorflow.SavedModel", field<&M::saved_model_schema_version>(1, "saved_model_schema_version"), field<&M::meta_graphs>(2, "meta_graphs"));
    }
};

}  // namespace tenon::proto
