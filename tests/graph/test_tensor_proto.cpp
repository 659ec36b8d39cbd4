#include <tenon/graph/tensor_proto.hpp>
#include <tenon/io/base64.hpp>
#include <tenon/io/proto.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>

using namespace tenon;
using namespace tenon::proto;

namespace {
nlohmann::json golden() {
    std::ifstream file(std::string(TENON_TEST_DATA) + "/tensor_proto/tensors.json");
    REQUIRE(file);
    return nlohmann::json::parse(file);
}
std::string from_base64(const nlohmann::json& text) {
    std::string bytes;
    REQUIRE(decode_base64(text.get<std::string>(), bytes));
    return bytes;
}
TensorProto message(DType t, const Dims& d) { return {.dtype = t, .tensor_shape = shape_proto(d)}; }
}  // namespace

TEST_CASE("tensors are read as TensorFlow reads them") {
    for (const auto& c : golden()) {
        CAPTURE(c["name"].get<std::string>());
        const auto x = tensor_of(decode<TensorProto>(from_base64(c["proto"])));
        CHECK(static_cast<int>(x.dtype()) == c["dtype"].get<int>());
        REQUIRE(static_cast<std::size_t>(x.dims().rank) == c["shape"].size());
        for (int i = 0; i < x.dims().rank; ++i) CHECK(x.dims()[i] == c["shape"][static_cast<std::size_t>(i)].get<std::int64_t>());
        if (x.dtype() == DType::string) {
            REQUIRE(static_cast<std::size_t>(x.size()) == c["strings"].size());
            for (std::size_t i = 0; i < c["strings"].size(); ++i) CHECK(x.span<std::string>()[i] == from_base64(c["strings"][i]));
        } else {
            CHECK(std::string(reinterpret_cast<const char*>(x.raw()), x.bytes()) == from_base64(c["content"]));
        }
    }
}

TEST_CASE("tensors are written byte for byte as make_tensor_proto writes them") {
    std::size_t n = 0;
    for (const auto& c : golden()) {
        if (!c["made"].get<bool>()) continue;
        CAPTURE(c["name"].get<std::string>());
        const auto bytes = from_base64(c["proto"]);
        CHECK(encode(tensor_proto(tensor_of(decode<TensorProto>(bytes)))) == bytes);
        ++n;
    }
    CHECK(n > 100);
}

TEST_CASE("more values than elements are passed over") {
    auto p = message(DType::float32, {2});
    p.float_val = {1, 2, 3};
    const auto x = tensor_of(p);
    CHECK(x.span<float>()[0] == 1);
    CHECK(x.span<float>()[1] == 2);
}

TEST_CASE("a message without a shape is a scalar") {
    TensorProto p{.dtype = DType::int32};
    p.int_val = {5};
    CHECK(tensor_of(p).dims() == Dims{});
    CHECK(tensor_of(p).item<std::int32_t>() == 5);
}

TEST_CASE("a tensor that its message contradicts is refused") {
    auto p = message(DType::float32, {2});
    p.tensor_content = "1234567";
    CHECK_THROWS_WITH_AS((void)tensor_of(p, "node 'c'"), "node 'c': tensor_content has 7 bytes, float32 [2] needs 8", FormatError);
    p.tensor_content = "123456789";
    CHECK_THROWS_AS((void)tensor_of(p), FormatError);
    p.tensor_shape = shape_proto({0});
    CHECK_THROWS_AS((void)tensor_of(p), FormatError);
    p = message(DType::string, {1});
    p.tensor_content = "x";
    CHECK_THROWS_AS((void)tensor_of(p), FormatError);
    p = message(DType::complex64, {1});
    p.scomplex_val = {1};
    CHECK_THROWS_AS((void)tensor_of(p), FormatError);
    CHECK_THROWS_WITH_AS((void)tensor_of(message(DType::float32, {2, dyn})), "tensor: the extents [2,dyn] of a tensor are not all known", FormatError);
    CHECK_THROWS_AS((void)tensor_of(message(DType::float32, Dims::unranked())), FormatError);
    CHECK_THROWS_AS((void)tensor_of(message(DType::float32, {std::int64_t{1} << 32, std::int64_t{1} << 32})), FormatError);
    CHECK_THROWS_AS((void)tensor_of(message(DType::resource, {})), TypeError);
    CHECK_THROWS_AS((void)tensor_of(message(DType::variant, {})), TypeError);
    CHECK_THROWS_AS((void)tensor_of(message(DType::invalid, {})), TypeError);
    CHECK_THROWS_AS((void)tensor_of(message(static_cast<DType>(99), {})), TypeError);
}

TEST_CASE("a small message cannot ask for more memory than a file could fill") {
    CHECK_THROWS_WITH_AS((void)tensor_of(message(DType::float32, {1 << 30, 2})), "tensor: a tensor float32 [1073741824,2] is too large for a message", FormatError);
    CHECK_THROWS_AS((void)tensor_of(message(DType::string, {1 << 30})), FormatError);
}
