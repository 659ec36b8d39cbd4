#include "golden.hpp"

#include <doctest/doctest.h>

using namespace tenon;
using namespace tenon::test;

TEST_CASE("a golden tensor of every dtype has the bytes of its data file") {
    const auto expect = expectation("dtypes");
    for (const auto& [member, file] : {std::pair("tensors", "all"), std::pair("quantised", "quantised"), std::pair("small_floats", "small_floats")}) {
        const auto data = read_bytes(golden("dtypes", std::string(file) + ".data-00000-of-00001"));
        std::size_t at = 0;
        for (const auto& [name, tensor] : tensors_from(expect.at(member))) {
            CAPTURE(name);
            Tensor stored(tensor.dtype(), tensor.dims());
            REQUIRE(at + tensor.bytes() <= data.size());
            if (tensor.bytes()) std::memcpy(stored.raw(), data.data() + at, tensor.bytes());
            at += tensor.bytes();
            CHECK(difference(tensor, stored) == "");
        }
        CHECK(at == data.size());
    }
}

TEST_CASE("a difference is told, a tolerance forgives it") {
    const auto a = Tensor::of<float>({2}, {1.0f, 2.0f}), b = Tensor::of<float>({2}, {1.0f, 2.0001f});
    CHECK(difference(a, a) == "");
    CHECK(difference(a, b) == "element 1 is 2, expected 2.0000998973846436");
    CHECK(difference(a, b, 1e-3) == "");
    CHECK(difference(a, b.reshaped({2, 1})) == "shape [2], expected [2,1]");
    CHECK(difference(a, Tensor::of<double>({2}, {1, 2})) == "dtype float32, expected float64");
    CHECK(difference(Tensor::scalar(std::nanf("1")), Tensor::scalar(-std::nanf("2"))) == "");
    CHECK(difference(Tensor::scalar(0.0f), Tensor::scalar(-0.0f)) == "element 0 is 0, expected -0");
}
