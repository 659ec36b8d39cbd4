// Every op against TensorFlow's own results: forward, gradient, state after a run, and errors.
#include "one_op.hpp"
#include <tenon/grad/gradients.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <set>
#include <sstream>

using namespace tenon;
using namespace tenon::test;

namespace {

struct Tolerance { double rtol, atol; };
Tolerance tolerance(const Json& c, DType t) {
    if (c.contains("rtol") || c.contains("atol")) return {c.value("rtol", 0.0), c.value("atol", 1e-6)};
    switch (t) {
        case DType::float64: return {1e-12, 1e-12};
        case DType::half: return {2e-3, 2e-3};
        case DType::bfloat16: return {1e-2, 1e-2};
        default: return {1e-5, 1e-6};
    }
}
std::string compare(const Json& c, const Tensor& got, const Json& want) {
    const Tensor expected = tensor_from(want);
    const auto t = tolerance(c, expected.dtype());
    return is_floating(expected.dtype()) ? difference(got, expected, t.rtol, t.atol) : difference(got, expected);
}

Tensor zeros_like(const Tensor& x) {
    const Tensor zeros(x.dtype(), x.dims());
    std::fill_n(zeros.raw(), zeros.bytes(), std::byte{});
    return zeros;
}

/// Empty, or what differs.
std::string try_case(const Json& c) {
    try {
        const OneOp one(c);
        OpGraph g(one);
        const auto ys = g.op->results.empty() ? std::vector<Output>{g.output(0)} : g.outputs();
        const auto got = g.session.run_all(ys, g.feeds);
        if (c.contains("error")) return "no error; TensorFlow says: " + c.at("error").get<std::string>();
        if (c.contains("outputs"))
            for (std::size_t i = 0; i < c.at("outputs").size(); ++i) {
                const auto& want = c.at("outputs")[i];
                if (want.is_null()) continue;
                if (i >= got.size() || !got[i]) return "output " + std::to_string(i) + " is missing";
                if (const auto d = compare(c, got[i], want); !d.empty()) return "output " + std::to_string(i) + ": " + d;
            }
        if (c.contains("after"))
            for (std::size_t i = 0, v = 0; i < g.inputs.size(); ++i)
                if (one.variables[i])
                    if (const auto d = compare(c, g.inputs[i].operation->state->value, c.at("after")[v++]); !d.empty()) return "variable " + std::to_string(v - 1) + ": " + d;
        if (!c.contains("grads")) return "";
        std::vector<Output> of, seeds, xs;
        std::vector<std::size_t> which;
        for (std::size_t i = 0; i < c.at("upstream").size(); ++i)
            if (const auto& up = c.at("upstream")[i]; !up.is_null()) of.push_back(ys[i]), seeds.push_back(constant_of(tensor_from(up)));
        for (std::size_t i = 0; i < c.at("grads").size(); ++i)
            if (!c.at("grads")[i].is_null()) xs.push_back(g.inputs[i]), which.push_back(i);
        const auto dx = gradients(of, seeds, xs);
        for (std::size_t k = 0; k < xs.size(); ++k) {
            const auto& want = c.at("grads")[which[k]];
            const Tensor is = dx[k] ? g.run(dx[k]) : zeros_like(tensor_from(want));  // absent: nothing arrives
            if (const auto d = compare(c, is, want); !d.empty()) return "gradient " + std::to_string(which[k]) + ": " + d;
        }
        return "";
    } catch (const UnsupportedError& e) {
        return std::string("unsupported: ") + e.what();
    } catch (const Error& e) {
        return c.contains("error") ? "" : std::string("error: ") + e.what();
    }
}

/// What tenon promises to have, in TensorFlow's names.
constexpr std::string_view promised[]{
    "Placeholder", "PlaceholderWithDefault", "Const", "Identity", "NoOp", "VariableV2", "Variable", "VarHandleOp", "ReadVariableOp",
    "Assign", "AssignVariableOp", "AssignAdd", "AssignSub", "AssignAddVariableOp", "AssignSubVariableOp",
    "Add", "AddV2", "AddN", "Sub", "Mul", "Div", "RealDiv", "FloorDiv", "Neg", "Square", "SquaredDifference", "Sqrt", "Rsqrt", "Reciprocal", "Exp", "Log", "Log1p",
    "Pow", "Abs", "Sign", "Floor", "Maximum", "Minimum", "Tanh", "Sigmoid", "Relu", "Relu6", "Softplus", "Elu",
    "Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual", "LogicalAnd", "LogicalOr", "LogicalNot", "Select", "SelectV2", "Cast",
    "MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "BiasAdd", "BiasAddV1",
    "Softmax", "LogSoftmax", "SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits", "L2Loss",
    "Sum", "Mean", "Max", "Min", "Prod", "ArgMax",
    "Reshape", "Transpose", "ExpandDims", "Squeeze", "Concat", "ConcatV2", "Split", "SplitV", "Pack", "Unpack", "Slice", "StridedSlice", "Pad", "PadV2", "Tile",
    "Shape", "ShapeN", "Size", "Rank", "Range", "Fill", "ZerosLike", "OnesLike", "OneHot", "Gather", "GatherV2",
    "Conv2D", "Conv2DBackpropInput", "MaxPool", "AvgPool", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "DepthToSpace",
    "StopGradient", "PreventGradient", "RandomUniform", "RandomStandardNormal", "TruncatedNormal",
    // what gradients of these are made of, in TensorFlow's training graphs; first and second ones
    "BroadcastGradientArgs", "BroadcastTo", "TanhGrad", "SigmoidGrad", "ReluGrad", "Relu6Grad", "SoftplusGrad", "EluGrad", "SqrtGrad", "RsqrtGrad", "ReciprocalGrad",
    "DivNoNan", "FloorMod", "Cumprod", "BiasAddGrad", "Conv2DBackpropFilter", "MaxPoolGrad", "MaxPoolGradGrad", "AvgPoolGrad",
    "FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3", "SpaceToDepth", "StridedSliceGrad", "ConcatOffset", "DynamicStitch", "InvertPermutation",
    "UnsortedSegmentSum", "ListDiff",
    // and of those of Gather, whose updates are of rows
    "VariableShape", "ResourceGather", "Unique", "ScatterUpdate", "ScatterAdd", "ScatterSub", "ResourceScatterUpdate", "ResourceScatterAdd", "ResourceScatterSub", "ParallelDynamicStitch",
    "SparseApplyMomentum", "SparseApplyRMSProp", "SparseApplyAdagrad", "ResourceSparseApplyMomentum", "ResourceSparseApplyRMSProp", "ResourceSparseApplyAdagrad",
    "ApplyGradientDescent", "ApplyMomentum", "ApplyAdam", "ApplyRMSProp", "ApplyAdagrad",
    "ResourceApplyGradientDescent", "ResourceApplyMomentum", "ResourceApplyAdam", "ResourceApplyRMSProp", "ResourceApplyAdagrad",
    "SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename",
};

struct Exception { std::string_view ops, why; };
/// Ops of tests/data/golden/ops that tenon has neither promised nor got.
constexpr Exception not_supported[]{
    {"Acosh Asinh Atan2 Atanh Digamma Lgamma Xdivy Xlogy Cross EuclideanNorm BitwiseAnd BitwiseOr BitwiseXor Invert LeftShift RightShift", "elementwise functions that no promised op needs"},
    {"ApplyAdadelta ApplyCenteredRMSProp ApplyFtrl ApplyProximalGradientDescent", "optimisers that tenon does not have"},
    {"AvgPool3D Conv3D MaxPool3D CropAndResize NonMaxSuppressionV3 ResizeBicubic", "images of other kinds"},
    {"Cholesky Diag Einsum MatrixBandPart MatrixDeterminant MatrixDiag MatrixDiagPart MatrixInverse MatrixSetDiag MatrixTriangularSolve", "linear algebra"},
    {"Bincount Bucketize CTCGreedyDecoder EditDistance ReverseSequence SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum SparseSegmentMean SparseSegmentSum", "segments and sequences"},
    {"SparseTensorDenseMatMul SparseToDense UnsortedSegmentMax UnsortedSegmentProd", "segments and sparse tensors"},
    {"Multinomial RandomShuffle RandomUniformInt StatelessRandomNormal StatelessRandomUniform StatelessTruncatedNormal", "other random numbers"},
    {"AsString DecodeRaw EncodeBase64 ReduceJoin StringJoin StringLength StringToHashBucketFast StringToNumber Substr", "text"},
};
/// Ops of the index that a node with inputs does not show.
constexpr Exception without_cases[]{
    {"Placeholder", "every input of every case is one"},
    {"Variable VariableV2 VarHandleOp", "variables of other cases"},
    {"SaveV2 RestoreV2 MergeV2Checkpoints", "tests/checkpoint runs them on files"},
};
/// Element types, out of those that tenon is about, of TensorFlow's CPU kernels, but not of tenon's.
struct MissingTypes { std::string_view ops, types, why; };
constexpr std::string_view all_types = "float32 float64 float16 bfloat16 int32 int64 bool";
constexpr MissingTypes missing_types[]{
    {"BatchMatMul BatchMatMulV2 BatchMatMulV3 BiasAdd BiasAddV1 BiasAddGrad", "int32 int64", "graphs compute neither extents nor ids with it"},
    {"LeakyRelu LeakyReluGrad ReluGrad Relu6Grad Acos", "int32 int64", "graphs compute neither extents nor ids with it"},
    {"MaxPoolGrad MaxPoolGradGrad MaxPoolWithArgmax MaxPoolGradWithArgmax ResizeNearestNeighborGrad", "int32 int64", "graphs compute neither extents nor ids with it"},
    {"Conv2D Conv2DBackpropInput", "int32", "graphs compute neither extents nor ids with it"},
    {"Unique", "float16 bfloat16 bool", "ids are integers, or text"},
    {"ListDiff", "float16 bfloat16", "ids are integers, or text"},
};
/// Ops whose one table serves every type.
constexpr std::string_view of_every_type = "IdentityN ConcatOffset";

std::vector<std::string> golden_ops() {
    std::vector<std::string> names;
    for (const auto& e : std::filesystem::directory_iterator(golden("ops", ""))) if (e.path().extension() == ".json") names.push_back(e.path().stem());
    std::sort(names.begin(), names.end());
    return names;
}
std::vector<std::string> words(std::string_view text) {
    std::istringstream in{std::string(text)};
    return {std::istream_iterator<std::string>(in), {}};
}
std::set<std::string> names_in(std::span<const Exception> table) {
    std::set<std::string> all;
    for (const auto& row : table) for (auto& name : words(row.ops)) all.insert(std::move(name));
    return all;
}
/// "Acos int32"
std::set<std::string> without_kernel() {
    std::set<std::string> all;
    for (const auto& row : missing_types)
        for (const auto& op : words(row.ops)) for (const auto& type : words(row.types)) all.insert(op + " " + type);
    return all;
}
std::string types_file(const std::string& name) { return std::string(TENON_TEST_DATA) + "/types/" + name; }
bool is_op(std::string_view name) { return !tables_named(builtin_ops(), name).empty(); }

/// All cases of files in `folder`, one per op; how many.
void run_cases(const std::string& folder, std::span<const std::string> ops, const std::set<std::string>& skipped = {}) {
    const char* only = std::getenv("TENON_OP");  // one op while working on it
    int cases = 0, files = 0;
    for (const auto& name : ops) {
        const auto path = folder + name + ".json";
        if ((only && name != only) || !std::filesystem::exists(path)) continue;
        ++files;
        for (const auto& c : cases_in(path)) {
            const std::string title = name + ", " + c.at("name").get<std::string>();
            if (skipped.contains(name + " " + c.at("name").get<std::string>())) continue;
            const auto problem = try_case(c);
            CHECK_MESSAGE(problem == "", title << ": " << problem);
            ++cases;
        }
    }
    CHECK(files > 0);
    MESSAGE(cases << " cases of " << files << " ops");
}

}  // namespace

TEST_CASE("every op gives TensorFlow's results, gradients and errors") { run_cases(golden("ops", ""), op_names()); }

TEST_CASE("every op gives TensorFlow's results in every element type, for special values, without elements, of scalars") { run_cases(types_file(""), op_names(), without_kernel()); }

TEST_CASE("every op has the element types that TensorFlow's CPU kernels have, or it is known which it lacks") {
    const auto kernels = load_json(types_file("cpu_kernels.json"));
    auto excepted = without_kernel();
    const auto list = words(of_every_type);
    const std::set<std::string> serves_all(list.begin(), list.end());
    for (const auto& [name, types] : kernels.items()) {
        const std::string op = name;
        if (!is_op(op) || serves_all.contains(op)) continue;
        const auto tables = tables_named(builtin_ops(), op);
        for (const auto& type : words(all_types)) {
            if (!types.empty() && std::find(types.begin(), types.end(), type) == types.end()) continue;
            const std::string ours = type == "float16" ? "half" : type;
            const bool there = std::any_of(tables.begin(), tables.end(), [&](const OpTable* t) { return name_of(t->dtype) == ours; });
            CHECK_MESSAGE(there != (excepted.erase(op + " " + type) > 0), op << std::string(there ? " has by now " : " lacks ") << type);
        }
    }
    for (const auto& row : excepted) CHECK_MESSAGE(row.empty(), row << " is no type of TensorFlow's");
    for (const auto& name : op_names()) {
        const auto tables = tables_named(builtin_ops(), name);
        CHECK_MESSAGE((kernels.contains(name) || tables.size() == 1), name << " is not in cpu_kernels.json");
    }
}

TEST_CASE("every op that is promised is there, and every op that is there has cases") {
    for (const auto name : promised) CHECK_MESSAGE(is_op(name), name << " is not in the list of ops");
    const auto excepted = names_in(without_cases);
    for (const auto& name : op_names()) CHECK_MESSAGE(has_cases(name) != excepted.contains(name), name << std::string(has_cases(name) ? " has cases by now" : " has no cases in tests/data/golden/ops"));
    for (const auto& name : excepted) CHECK_MESSAGE(is_op(name), name << " is no op");
}

TEST_CASE("every op of the golden files is run, or known not to be supported") {
    const auto all = golden_ops();
    const auto excepted = names_in(not_supported);
    for (const auto& name : all) CHECK_MESSAGE(is_op(name) != excepted.contains(name), name << std::string(is_op(name) ? " is supported by now" : " is not supported"));
    for (const auto& name : excepted) CHECK_MESSAGE(std::count(all.begin(), all.end(), name) == 1, name << " has no golden file");
}
