// The attributes of a node, read into an op's members.
#pragma once
#include "../expr/operation.hpp"
#include "imported.hpp"
#include "tensor_proto.hpp"

namespace tenon::detail {

/// What the node does not have stays as it was.
///
/// Errors    TypeError, ValueError or FormatError: an attribute is not what the op has under that name
class AttrReading : public AttrVisitor {
    Attributes& attributes_;
    const proto::AttrValue* find(const char* name) const { return attributes_.find(name); }
    template <class T, class M> void read(const char* name, M& v) const {
        if (const auto* a = find(name)) v = static_cast<M>(proto::get<T>(*a));
    }

public:
    explicit AttrReading(Attributes& attributes) : attributes_(attributes) {}
    void at(const char* name, bool& v) override { read<bool>(name, v); }
    void at(const char* name, std::int64_t& v) override { read<std::int64_t>(name, v); }
    void at(const char* name, float& v) override { read<float>(name, v); }
    void at(const char* name, std::string& v) override { read<std::string>(name, v); }
    void at(const char* name, DType& v) override { read<DType>(name, v); }
    void at(const char* name, std::vector<DType>& v) override { read<std::vector<DType>>(name, v); }
    void at(const char* name, std::vector<std::string>& v) override { read<std::vector<std::string>>(name, v); }
    void at(const char* name, Dims& v, bool is_shape) override {
        const auto* a = find(name);
        if (!a) return;
        if (is_shape) { v = proto::get<Dims>(*a); return; }
        v = Dims();
        for (const auto e : proto::get<std::vector<std::int64_t>>(*a)) v.push(e);
    }
    void at(const char* name, Ints& v) override {
        const auto* a = find(name);
        if (!a) return;
        v = Ints();
        for (const auto e : proto::get<std::vector<std::int64_t>>(*a)) v.push(e);
    }
    void at(const char* name, Tensor& v) override {
        const auto* a = find(name);
        if (a && a->tensor) v = proto::tensor_of(*a->tensor);  // not by get, which would copy the elements once more
        else if (a) proto::get<proto::TensorProto>(*a);
    }
    void choice(const char* name, int& v, std::span<const std::string_view> list) override {
        const auto* a = find(name);
        if (!a) return;
        const auto text = proto::get<std::string>(*a);
        for (std::size_t i = 0; i < list.size(); ++i) if (list[i] == text) { v = static_cast<int>(i); return; }
        throw ValueError("attribute " + std::string(name) + " is '" + text + "'");
    }
};

}  // namespace tenon::detail
