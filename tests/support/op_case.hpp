// Cases of a file of op results: {"op", "cases": [{"name", "node", "inputs", "outputs" or "error", "upstream", "grads", ...}]}.
#pragma once
#include "golden.hpp"

namespace tenon::test {

inline std::vector<Json> cases_in(const std::string& path) {
    const auto file = load_json(path);
    const auto& cases = file.at("cases");
    return {cases.begin(), cases.end()};
}
/// The cases of tests/data/golden/ops/<op>.json.
inline std::vector<Json> op_cases(const std::string& op) { return cases_in(golden("ops", op + ".json")); }
/// The cases of tests/data/kernels/<op>.json.
inline std::vector<Json> kernel_cases(const std::string& op) { return cases_in(std::string(TENON_TEST_DATA) + "/kernels/" + op + ".json"); }
inline std::vector<std::int64_t> int_list(const Json& node, const std::string& attr) {
    std::vector<std::int64_t> list;
    if (const auto& l = node.at("attr").at(attr).at("list"); l.contains("i"))
        for (const auto& i : l.at("i")) list.push_back(std::stoll(i.get<std::string>()));
    return list;
}
inline std::string text_attr(const Json& node, const std::string& attr) { return from_base64(node.at("attr").at(attr).at("s").get<std::string>()); }

/// Against output or gradient `want` of a case, to the tolerance that holds there: the case's own, or that of the dtype.
inline std::string difference_in(const Json& c, const Tensor& got, const Json& want) {
    const bool wide = got.dtype() == DType::float64;
    return difference(got, tensor_from(want), c.value("rtol", wide ? 1e-12 : 1e-5), c.value("atol", c.contains("rtol") || !wide ? 1e-6 : 1e-12));
}

}  // namespace tenon::test
