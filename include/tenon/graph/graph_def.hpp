// A graph as files hold it: nodes, functions, and what its ops looked like when it was written.
// Source    tensorflow/core/framework: graph.proto, node_def.proto, op_def.proto, function.proto, versions.proto
#pragma once
#include "attr_value.hpp"

namespace tenon::proto {

struct VersionDef {
    std::int32_t producer = 0, min_consumer = 0;
    std::vector<std::int32_t> bad_consumers{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = VersionDef;
        return message("tensorflow.VersionDef", field<&M::producer>(1, "producer"), field<&M::min_consumer>(2, "min_consumer"), field<&M::bad_consumers>(3, "bad_consumers"));
    }
};

struct NodeDef {
    struct ExperimentalDebugInfo {
        std::vector<std::string> original_node_names{}, original_func_names{};
        Unknown unknown{};
        static constexpr auto table() {
            using M = ExperimentalDebugInfo;
            return message("tensorflow.NodeDef.ExperimentalDebugInfo", field<&M::original_node_names>(1, "original_node_names"), field<&M::original_func_names>(2, "original_func_names"));
        }
    };
    std::string name{}, op{};
    std::vector<std::string> input{};  ///< "node", "node:1", and after these "^node"
    std::string device{};
    Map<AttrValue> attr{};
    Box<ExperimentalDebugInfo> experimental_debug_info{};
    Box<FullTypeDef> experimental_type{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = NodeDef;
        return message("tensorflow.NodeDef", field<&M::name>(1, "name"), field<&M::op>(2, "op"), field<&M::input>(3, "input"), field<&M::device>(4, "device"), field<&M::attr>(5, "attr"),
                       field<&M::experimental_debug_info>(6, "experimental_debug_info"), field<&M::experimental_type>(7, "experimental_type"));
    }
};

struct OpDef {
    struct ArgDef {
        std::string name{}, description{};
        DType type = DType::invalid;
        std::string type_attr{}, number_attr{}, type_list_attr{};
        std::vector<ResourceHandleProto::DtypeAndShape> handle_data{};
        bool is_ref = false;
        Box<FullTypeDef> experimental_full_type{};
        Unknown unknown{};
        static constexpr auto table() {
            using M = ArgDef;
            return message("tensorflow.OpDef.ArgDef", field<&M::name>(1, "name"), field<&M::description>(2, "description"), field<&M::type>(3, "type"), field<&M::type_attr>(4, "type_attr"),
                           field<&M::number_attr>(5, "number_attr"), field<&M::type_list_attr>(6, "type_list_attr"), field<&M::handle_data>(7, "handle_data"), field<&M::is_ref>(16, "is_ref"),
                           field<&M::experimental_full_type>(17, "experimental_full_type"));
        }
    };
    struct AttrDef {
        std::string name{}, type{};
        Box<AttrValue> default_value{};
        std::string description{};
        bool has_minimum = false;
        std::int64_t minimum = 0;
        Box<AttrValue> allowed_values{};
        Unknown unknown{};
        static constexpr auto table() {
            using M = AttrDef;
            return message("tensorflow.OpDef.AttrDef", field<&M::name>(1, "name"), field<&M::type>(2, "type"), field<&M::default_value>(3, "default_value"),
                           field<&M::description>(4, "description"), field<&M::has_minimum>(5, "has_minimum"), field<&M::minimum>(6, "minimum"), field<&M::allowed_values>(7, "allowed_values"));
        }
    };
    struct Deprecation {
        std::int32_t version = 0;
        std::string explanation{};
        Unknown unknown{};
        static constexpr auto table() { return message("tensorflow.OpDeprecation", field<&Deprecation::version>(1, "version"), field<&Deprecation::explanation>(2, "explanation")); }
    };
    std::string name{};
    std::vector<ArgDef> input_arg{}, output_arg{};
    std::vector<AttrDef> attr{};
    std::string summary{}, description{};
    Box<Deprecation> deprecation{};
    bool is_aggregate = false, is_stateful = false, is_commutative = false, allows_uninitialized_input = false;
    std::vector<std::string> control_output{};
    bool is_distributed_communication = false;
    Unknown unknown{};
    static constexpr auto table() {
        using M = OpDef;
        return message("tensorflow.OpDef", field<&M::name>(1, "name"), field<&M::input_arg>(2, "input_arg"), field<&M::output_arg>(3, "output_arg"), field<&M::attr>(4, "attr"),
                       field<&M::summary>(5, "summary"), field<&M::description>(6, "description"), field<&M::deprecation>(8, "deprecation"), field<&M::is_aggregate>(16, "is_aggregate"),
                       field<&M::is_stateful>(17, "is_stateful"), field<&M::is_commutative>(18, "is_commutative"),
                       field<&M::allows_uninitialized_input>(19, "allows_uninitialized_input"), field<&M::control_output>(20, "control_output"),
                       field<&M::is_distributed_communication>(21, "is_distributed_communication"));
    }
};
struct OpList {
    std::vector<OpDef> op{};
    Unknown unknown{};
    static constexpr auto table() { return message("tensorflow.OpList", field<&OpList::op>(1, "op")); }
};

struct FunctionDef {
    struct ArgAttrs {
        Map<AttrValue> attr{};
        Unknown unknown{};
        static constexpr auto table() { return message("tensorflow.FunctionDef.ArgAttrs", field<&ArgAttrs::attr>(1, "attr")); }
    };
    Box<OpDef> signature{};
    std::vector<NodeDef> node_def{};
    Map<std::string> ret{};
    Map<AttrValue> attr{};
    Map<std::string> control_ret{};
    Map<ArgAttrs, std::uint32_t> arg_attr{};
    Map<std::uint32_t, std::uint32_t> resource_arg_unique_id{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = FunctionDef;
        return message("tensorflow.FunctionDef", field<&M::signature>(1, "signature"), field<&M::node_def>(3, "node_def"), field<&M::ret>(4, "ret"), field<&M::attr>(5, "attr"),
                       field<&M::control_ret>(6, "control_ret"), field<&M::arg_attr>(7, "arg_attr"), field<&M::resource_arg_unique_id>(8, "resource_arg_unique_id"));
    }
};
struct FunctionDefLibrary {
    struct Gradient {
        std::string function_name{}, gradient_func{};
        Unknown unknown{};
        static constexpr auto table() { return message("tensorflow.GradientDef", field<&Gradient::function_name>(1, "function_name"), field<&Gradient::gradient_func>(2, "gradient_func")); }
    };
    struct RegisteredGradient {
        std::string gradient_func{}, registered_op_type{};
        Unknown unknown{};
        static constexpr auto table() {
            using M = RegisteredGradient;
            return message("tensorflow.RegisteredGradient", field<&M::gradient_func>(1, "gradient_func"), field<&M::registered_op_type>(2, "registered_op_type"));
        }
    };
    std::vector<FunctionDef> function{};
    std::vector<Gradient> gradient{};
    std::vector<RegisteredGradient> registered_gradients{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = FunctionDefLibrary;
        return message("tensorflow.FunctionDefLibrary", field<&M::function>(1, "function"), field<&M::gradient>(2, "gradient"), field<&M::registered_gradients>(3, "registered_gradients"));
    }
};

/// Debug information (field 5) is kept as unknown bytes.
struct GraphDef {
    std::vector<NodeDef> node{};
    Box<FunctionDefLibrary> library{};
    std::int32_t version = 0;  ///< before TensorFlow 0.7; `versions` since
    Box<VersionDef> versions{};
    Unknown unknown{};
    static constexpr auto table() {
        using M = GraphDef;
        return message("tensorflow.GraphDef", field<&M::node>(1, "node"), field<&M::library>(2, "library"), field<&M::version>(3, "version"), field<&M::versions>(4, "versions"));
    }
};

/// The attribute `name` of a node, as get<T> gives it.
///
/// Errors    NameError "node 'y' (MatMul) has no attribute 'T'"; TypeError "node 'y' (MatMul), attribute 'T': an attribute is not a type"
template <class T> T attr(const NodeDef& node, std::string_view name) {
    const auto* const a = node.attr.find(name);
    const auto where = [&] { return "node '" + node.name + "' (" + node.op + ")"; };
    if (!a) throw NameError(where() + " has no attribute '" + std::string(name) + "'");
    try {
        return get<T>(*a);
    } catch (const TypeError& e) { throw TypeError(where() + ", attribute '" + std::string(name) + "': " + e.what()); }
}
/// The same, or `otherwise` if the node has no such attribute.
template <class T> T attr(const NodeDef& node, std::string_view name, const T& otherwise) { return node.attr.contains(name) ? attr<T>(node, name) : otherwise; }

}  // namespace tenon::proto
