// What a node's attributes hold: AttrValue, and the messages inside it.
// Source    tensorflow/core/framework: attr_value.proto, tensor.proto, resource_handle.proto, full_type.proto
#pragma once
#include "../io/tensor_shape.hpp"

namespace tenon::proto {

struct ResourceHandleProto {
    struct DtypeAndShape {
        DType dtype = DType::invalid;
        Box<TensorShapeProto> shape{};
        Unknown unknown{};
        static constexpr auto table() {
            return message("tensorflow.ResourceHandleProto.DtypeAndShape", field<&DtypeAndShape::dtype>(1, "dtype"), field<&DtypeAndShape::shape>(2, "shape"));
        }
    };
    std::string device{}, container{}, name{};
    std::uint64_t hash_code = 0;
    std::string maybe_type_name{};
    std::vector<DtypeAndShape> dtypes_and_shapes{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = ResourceHandleProto;
        return message("tensorflow.ResourceHandleProto", field<&M::device>(1, "device"), field<&M::container>(2, "container"), field<&M::name>(3, "name"), field<&M::hash_code>(4, "hash_code"),
                       field<&M::maybe_type_name>(5, "maybe_type_name"), field<&M::dtypes_and_shapes>(6, "dtypes_and_shapes"));
    }
};

/// A tensor as files hold it; tensor_proto.hpp makes it a Tensor.
struct TensorProto {
    struct VariantTensorDataProto {
        std::string type_name{}, metadata{};
        std::vector<TensorProto> tensors{};
        Unknown unknown{};
        static constexpr auto table() {
            using M = VariantTensorDataProto;
            return message("tensorflow.VariantTensorDataProto", field<&M::type_name>(1, "type_name"), bytes<&M::metadata>(2, "metadata"), field<&M::tensors>(3, "tensors"));
        }
    };
    DType dtype = DType::invalid;
    Box<TensorShapeProto> tensor_shape{};
    std::int32_t version_number = 0;
    std::string tensor_content{};
    std::vector<float> float_val{};
    std::vector<double> double_val{};
    std::vector<std::int32_t> int_val{};
    std::vector<std::string> string_val{};
    std::vector<float> scomplex_val{};
    std::vector<std::int64_t> int64_val{};
    std::vector<std::uint8_t> bool_val{};
    std::vector<double> dcomplex_val{};
    std::vector<std::int32_t> half_val{};
    std::vector<ResourceHandleProto> resource_handle_val{};
    std::vector<VariantTensorDataProto> variant_val{};
    std::vector<std::uint32_t> uint32_val{};
    std::vector<std::uint64_t> uint64_val{};
    std::string float8_val{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = TensorProto;
        return message("tensorflow.TensorProto", field<&M::dtype>(1, "dtype"), field<&M::tensor_shape>(2, "tensor_shape"), field<&M::version_number>(3, "version_number"),
                       bytes<&M::tensor_content>(4, "tensor_content"), field<&M::float_val>(5, "float_val"), field<&M::double_val>(6, "double_val"), field<&M::int_val>(7, "int_val"),
                       bytes<&M::string_val>(8, "string_val"), field<&M::scomplex_val>(9, "scomplex_val"), field<&M::int64_val>(10, "int64_val"), field<&M::bool_val>(11, "bool_val"),
                       field<&M::dcomplex_val>(12, "dcomplex_val"), field<&M::half_val>(13, "half_val"), field<&M::resource_handle_val>(14, "resource_handle_val"),
                       field<&M::variant_val>(15, "variant_val"), field<&M::uint32_val>(16, "uint32_val"), field<&M::uint64_val>(17, "uint64_val"), bytes<&M::float8_val>(18, "float8_val"));
    }
};

enum class FullTypeId : std::int32_t { unset = 0 };
inline std::span<const EnumRow> enumerators(FullTypeId) {
    static constexpr EnumRow rows[]{
        {0, "TFT_UNSET"}, {1, "TFT_VAR"}, {2, "TFT_ANY"}, {3, "TFT_PRODUCT"}, {4, "TFT_NAMED"}, {20, "TFT_FOR_EACH"}, {100, "TFT_CALLABLE"}, {200, "TFT_BOOL"}, {201, "TFT_UINT8"},
        {202, "TFT_UINT16"}, {203, "TFT_UINT32"}, {204, "TFT_UINT64"}, {205, "TFT_INT8"}, {206, "TFT_INT16"}, {207, "TFT_INT32"}, {208, "TFT_INT64"}, {209, "TFT_HALF"}, {210, "TFT_FLOAT"},
        {211, "TFT_DOUBLE"}, {212, "TFT_COMPLEX64"}, {213, "TFT_COMPLEX128"}, {214, "TFT_STRING"}, {215, "TFT_BFLOAT16"}, {1000, "TFT_TENSOR"}, {1001, "TFT_ARRAY"}, {1002, "TFT_OPTIONAL"},
        {1003, "TFT_LITERAL"}, {1004, "TFT_ENCODED"}, {1005, "TFT_SHAPE_TENSOR"}, {10102, "TFT_DATASET"}, {10103, "TFT_RAGGED"}, {10104, "TFT_ITERATOR"}, {10202, "TFT_MUTEX_LOCK"},
        {10203, "TFT_LEGACY_VARIANT"}};
    return rows;
}
struct FullTypeDef {
    FullTypeId type_id{};
    std::vector<FullTypeDef> args{};
    std::optional<std::string> s{};
    std::optional<std::int64_t> i{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = FullTypeDef;
        return message("tensorflow.FullTypeDef", field<&M::type_id>(1, "type_id"), field<&M::args>(2, "args"), field<&M::s>(3, "s").oneof(), field<&M::i>(4, "i").oneof());
    }
};

/// One of its members is set: `AttrValue{.i = 3}`, or `attr_value(x)` for any x that an attribute can hold.
struct AttrValue {
    /// A function by its name, with its attributes.
    struct NameAttrList {
        std::string name{};
        Map<AttrValue> attr{};
        Unknown unknown{};
        static constexpr auto table() { return message("tensorflow.NameAttrList", field<&NameAttrList::name>(1, "name"), field<&NameAttrList::attr>(2, "attr")); }
    };
    struct ListValue {
        std::vector<std::string> s{};
        std::vector<std::int64_t> i{};
        std::vector<float> f{};
        std::vector<std::uint8_t> b{};
        std::vector<DType> type{};
        std::vector<TensorShapeProto> shape{};
        std::vector<TensorProto> tensor{};
        std::vector<NameAttrList> func{};
        Unknown unknown{};
        static constexpr auto table() {
            using M = ListValue;
            return message("tensorflow.AttrValue.ListValue", bytes<&M::s>(2, "s"), field<&M::i>(3, "i"), field<&M::f>(4, "f"), field<&M::b>(5, "b"), field<&M::type>(6, "type"),
                           field<&M::shape>(7, "shape"), field<&M::tensor>(8, "tensor"), field<&M::func>(9, "func"));
        }
    };
    Box<ListValue> list{};
    Box<std::string> s{};
    std::optional<std::int64_t> i{};
    std::optional<float> f{};
    std::optional<bool> b{};
    std::optional<DType> type{};
    Box<TensorShapeProto> shape{};
    Box<TensorProto> tensor{};
    Box<std::string> placeholder{};
    Box<NameAttrList> func{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = AttrValue;
        return message("tensorflow.AttrValue", field<&M::list>(1, "list").oneof(), bytes<&M::s>(2, "s").oneof(), field<&M::i>(3, "i").oneof(), field<&M::f>(4, "f").oneof(),
                       field<&M::b>(5, "b").oneof(), field<&M::type>(6, "type").oneof(), field<&M::shape>(7, "shape").oneof(), field<&M::tensor>(8, "tensor").oneof(),
                       field<&M::placeholder>(9, "placeholder").oneof(), field<&M::func>(10, "func").oneof());
    }
};

using NameAttrList = AttrValue::NameAttrList;

/// Values    bool, integers, float, text, DType, Dims, TensorProto, NameAttrList; vectors of the first six
template <class T> AttrValue attr_value(const T& x) {
    AttrValue a;
    if constexpr (std::is_same_v<T, bool>) a.b = x;
    else if constexpr (std::is_same_v<T, DType>) a.type = x;
    else if constexpr (std::is_same_v<T, Dims>) a.shape = shape_proto(x);
    else if constexpr (std::is_same_v<T, TensorProto>) a.tensor = x;
    else if constexpr (std::is_same_v<T, NameAttrList>) a.func = x;
    else if constexpr (std::is_integral_v<T>) a.i = static_cast<std::int64_t>(x);
    else if constexpr (std::is_floating_point_v<T>) a.f = static_cast<float>(x);
    else a.s = std::string(std::string_view(x));
    return a;
}
template <class T> AttrValue attr_value(const std::vector<T>& xs) {
    AttrValue a;
    auto& list = a.list.emplace();
    for (const auto& x : xs) {
        if constexpr (std::is_same_v<T, bool>) list.b.push_back(x);
        else if constexpr (std::is_same_v<T, DType>) list.type.push_back(x);
        else if constexpr (std::is_same_v<T, Dims>) list.shape.push_back(shape_proto(x));
        else if constexpr (std::is_integral_v<T>) list.i.push_back(static_cast<std::int64_t>(x));
        else if constexpr (std::is_floating_point_v<T>) list.f.push_back(static_cast<float>(x));
        else list.s.emplace_back(x);
    }
    return a;
}

namespace detail {
template <class T> struct AttrMember;
template <> struct AttrMember<std::string> { static constexpr std::string_view kind = "text"; static constexpr auto one = &AttrValue::s; static constexpr auto many = &AttrValue::ListValue::s; };
template <> struct AttrMember<std::int64_t> { static constexpr std::string_view kind = "an integer"; static constexpr auto one = &AttrValue::i; static constexpr auto many = &AttrValue::ListValue::i; };
template <> struct AttrMember<float> { static constexpr std::string_view kind = "a float"; static constexpr auto one = &AttrValue::f; static constexpr auto many = &AttrValue::ListValue::f; };
template <> struct AttrMember<bool> { static constexpr std::string_view kind = "a bool"; static constexpr auto one = &AttrValue::b; static constexpr auto many = &AttrValue::ListValue::b; };
template <> struct AttrMember<DType> { static constexpr std::string_view kind = "a type"; static constexpr auto one = &AttrValue::type; static constexpr auto many = &AttrValue::ListValue::type; };
template <> struct AttrMember<TensorShapeProto> { static constexpr std::string_view kind = "a shape"; static constexpr auto one = &AttrValue::shape; static constexpr auto many = &AttrValue::ListValue::shape; };
template <> struct AttrMember<TensorProto> { static constexpr std::string_view kind = "a tensor"; static constexpr auto one = &AttrValue::tensor; static constexpr auto many = &AttrValue::ListValue::tensor; };
template <> struct AttrMember<NameAttrList> { static constexpr std::string_view kind = "a function"; static constexpr auto one = &AttrValue::func; static constexpr auto many = &AttrValue::ListValue::func; };

template <class T> struct AttrReader {
    static T read(const AttrValue& a) {
        if constexpr (std::is_same_v<T, Dims>) return dims_of(AttrReader<TensorShapeProto>::read(a));
        else {
            const auto& member = a.*AttrMember<T>::one;
            if (!member) throw TypeError("an attribute is not " + std::string(AttrMember<T>::kind));
            return *member;
        }
    }
};
template <class T> struct AttrReader<std::vector<T>> {
    static std::vector<T> read(const AttrValue& a) {
        if (!a.list) throw TypeError("an attribute is not a list");
        if constexpr (std::is_same_v<T, Dims>) {
            std::vector<Dims> all;
            for (const auto& s : a.list->shape) all.push_back(dims_of(s));
            return all;
        } else {
            const auto& member = (*a.list).*AttrMember<T>::many;
            return {member.begin(), member.end()};
        }
    }
};
}  // namespace detail

/// What the attribute holds, as a T: std::string, std::int64_t, float, bool, DType, Dims, TensorShapeProto, TensorProto, NameAttrList, or a std::vector of them.
///
/// Errors    TypeError if it holds something else
template <class T> T get(const AttrValue& a) { return detail::AttrReader<T>::read(a); }

}  // namespace tenon::proto
