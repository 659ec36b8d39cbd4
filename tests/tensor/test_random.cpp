#include "../support/op_case.hpp"

#include <doctest/doctest.h>
#include <tenon/tensor/random.hpp>

using namespace tenon;

namespace {

/// Some run of a random op's node, `before` being the runs it has had.
template <class T> Tensor run(const test::Json& c, int before) {
    Dims dims;
    const auto shape = test::tensor_from(c.at("inputs")[0]);
    for (std::int64_t i = 0; i < shape.size(); ++i) dims.push(shape.dtype() == DType::int64 ? shape.data<std::int64_t>()[i] : shape.data<std::int32_t>()[i]);
    const auto op = c.at("node").at("op").get<std::string>();
    const auto& attr = c.at("node").at("attr");
    const Tensor y(dtype_of<T>, dims);
    const auto n = y.size();
    random::Philox philox;
    if (op.starts_with("Stateless")) {
        const auto seed = test::tensor_from(c.at("inputs")[1]);
        const auto at = [&](int i) { return seed.dtype() == DType::int64 ? seed.data<std::int64_t>()[i] : seed.data<std::int32_t>()[i]; };
        philox = random::from_stateless_seeds(at(0), at(1));
    } else
        philox = random::from_seeds(std::stoll(attr.at("seed").at("i").get<std::string>()), std::stoll(attr.at("seed2").at("i").get<std::string>()));
    for (int i = 0; i < before; ++i) philox = random::after_run(philox, n);
    if constexpr (std::is_integral_v<T>) {
        random::uniform_int(philox, test::tensor_from(c.at("inputs")[1]).template item<T>(), test::tensor_from(c.at("inputs")[2]).template item<T>(), y.data<T>(), n);
    } else {
        if (op.ends_with("Uniform")) random::uniform(philox, y.data<T>(), n);
        else if (op.ends_with("TruncatedNormal")) random::truncated_normal(philox, y.data<T>(), n);
        else random::normal(philox, y.data<T>(), n);
    }
    return y;
}
Tensor run(const test::Json& c, DType t, int before) {
    switch (t) {
        case DType::float32: return run<float>(c, before);
        case DType::float64: return run<double>(c, before);
        case DType::half: return run<half>(c, before);
        case DType::bfloat16: return run<bfloat16>(c, before);
        case DType::int32: return run<std::int32_t>(c, before);
        default: return run<std::int64_t>(c, before);
    }
}

/// Bit for bit for uniform numbers; where logarithms and sines take part, as far as libraries agree.
std::string compare(const test::Json& c, const test::Json& expected, int before) {
    const auto want = test::tensor_from(expected);
    const bool exact = c.at("node").at("op").get<std::string>().find("Uniform") != std::string::npos;
    const double unit = want.dtype() == DType::half ? 1e-3 : want.dtype() == DType::bfloat16 ? 8e-3 : want.dtype() == DType::float64 ? 1e-13 : 2e-6;
    return test::difference(run(c, want.dtype(), before), want, exact ? 0 : unit, exact ? 0 : unit);
}

}  // namespace

TEST_CASE("Philox gives the published vectors") {
    using random::Philox;
    const auto draw = [](Philox p) { return p.next(); };
    static_assert(Philox{}.skipped(3).counter == Philox::Words{3, 0, 0, 0});
    CHECK(draw({{0, 0}, {0, 0, 0, 0}}) == Philox::Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    CHECK(draw({{0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}) == Philox::Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    CHECK(draw({{0xa4093822, 0x299f31d0}, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}) == Philox::Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("skipping is calling, across every carry") {
    using random::Philox;
    for (const auto& start : {Philox::Words{0, 0, 0, 0}, Philox::Words{0xfffffffe, 0, 5, 6}, Philox::Words{0xfffffffe, 0xffffffff, 5, 6}, Philox::Words{0xfffffffe, 0xffffffff, 0xffffffff, 6}, Philox::Words{0xfffffffe, 0xffffffff, 0xffffffff, 0xffffffff}}) {
        Philox called{{1, 2}, start};
        for (int i = 0; i < 5; ++i) called.next();
        CHECK(called == Philox{{1, 2}, start}.skipped(5));
    }
}

TEST_CASE("the first run of every random op gives TensorFlow's numbers") {
    int seen = 0;
    for (const auto* op : {"RandomUniform", "RandomStandardNormal", "TruncatedNormal", "RandomUniformInt", "StatelessRandomUniform", "StatelessRandomNormal", "StatelessTruncatedNormal"})
        for (const auto& c : test::op_cases(op)) {
            INFO(op, " ", c.at("name").get<std::string>());
            CHECK(compare(c, c.at("outputs")[0], 0) == "");
            ++seen;
        }
    CHECK(seen > 25);
}

TEST_CASE("later runs of a node go on where TensorFlow's do, in every dtype") {
    for (const auto* op : {"RandomUniform", "RandomStandardNormal", "TruncatedNormal", "RandomUniformInt"})
        for (const auto& c : test::kernel_cases(op))
            for (int i = 0; i < 3; ++i) {
                INFO(op, " ", c.at("name").get<std::string>(), " run ", i);
                CHECK(compare(c, c.at("runs").at(static_cast<std::size_t>(i)), i) == "");
            }
}

TEST_CASE("nodes get the seeds that TensorFlow's Python gives them") {
    for (const auto& c : test::cases_in(std::string(TENON_TEST_DATA) + "/kernels/seeds.json")) {
        const auto seed = [](const test::Json& j) { return j.is_null() ? std::nullopt : std::optional(j.get<std::int64_t>()); };
        const random::Seeds want{seed(c.at("seeds")[0]).value_or(0), seed(c.at("seeds")[1]).value_or(0)};
        INFO(c.dump());
        CHECK(random::seeds_of(seed(c.at("graph")), seed(c.at("op")), c.at("seeded").get<std::int64_t>()) == want);
    }
}

TEST_CASE("a range cut at multiples of the group is the same range") {
    const auto philox = random::from_seeds(3, 4);
    std::vector<float> whole(1000), parts(1000), truncated(1000), truncated_parts(1000);
    random::normal(philox, whole.data(), 1000);
    random::normal(philox, parts.data(), 400);
    random::normal(philox.skipped(400 / random::group<float>), parts.data() + 400, 600);
    CHECK(whole == parts);
    random::truncated_normal(philox, truncated.data(), 1000);
    random::truncated_normal(philox, truncated_parts.data(), 400);
    random::truncated_normal(philox.skipped(400 * 64), truncated_parts.data() + 400, 600);
    CHECK(truncated == truncated_parts);
}

TEST_CASE("no elements are no work") {
    random::uniform<float>(random::from_seeds(1, 2), nullptr, 0);
    random::truncated_normal<double>(random::from_seeds(1, 2), nullptr, 0);
    random::uniform_int<std::int32_t>(random::from_seeds(1, 2), 0, 1, nullptr, 0);
}
