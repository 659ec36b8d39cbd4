// What is expected here is what NumPy prints.
#include <tenon/tensor/print.hpp>

#include <cmath>
#include <doctest/doctest.h>
#include <sstream>

using namespace tenon;

namespace {
template <class T> Tensor counted(const Dims& d, T step) {
    Tensor t(dtype_of<T>, d);
    T v = 0;
    for (auto& x : t.span<T>()) x = v, v = static_cast<T>(v + step);
    return t;
}
}  // namespace

TEST_CASE("columns are aligned at the point") {
    CHECK(to_string(Tensor::of<float>({2, 2}, {1, 2.5f, -3, 4})) == "[[ 1.   2.5]\n [-3.   4. ]]");
    CHECK(to_string(Tensor::of<double>({3}, {0.1, NAN, INFINITY})) == "[0.1 nan inf]");
    CHECK(to_string(Tensor::of<std::int32_t>({2, 1, 2}, {1, -22, 3, 4})) == "[[[  1 -22]]\n\n [[  3   4]]]");
    CHECK(to_string(Tensor::of<bool>({2}, {true, false})) == "[ True False]");
    CHECK(to_string(Tensor::of<std::complex<float>>({1}, {{1, -2}})) == "[1.-2.j]");
    CHECK(to_string(Tensor(DType::float32, {0})) == "[]");
}

TEST_CASE("very different numbers have exponents") {
    CHECK(to_string(Tensor::of<float>({3}, {1e-6f, 1, 2e10f})) == "[1.e-06 1.e+00 2.e+10]");
}

TEST_CASE("a scalar has all its digits") {
    CHECK(to_string(Tensor::scalar(60.0f)) == "60.0");
    CHECK(to_string(Tensor::scalar(1.0 / 3)) == "0.3333333333333333");
    CHECK(to_string(Tensor::scalar(1e-7f)) == "1e-07");
    CHECK(to_string(Tensor::scalar(1e20)) == "1e+20");
    CHECK(to_string(Tensor::scalar(std::nan(""))) == "nan");
    CHECK(to_string(Tensor::scalar<std::int64_t>(-7)) == "-7");
    CHECK(to_string(Tensor::scalar<std::string>("ab")) == "'ab'");
    CHECK(to_string(Tensor::scalar(half(1.5f))) == "1.5");
}

TEST_CASE("lines have at most 75 characters, and long tensors their edges") {
    CHECK(to_string(counted<float>({30}, 0.5f)) ==
          "[ 0.   0.5  1.   1.5  2.   2.5  3.   3.5  4.   4.5  5.   5.5  6.   6.5\n  7.   7.5  8.   8.5  9.   9.5 10.  10.5 11.  11.5 12.  12.5 13.  13.5\n 14.  14.5]");
    CHECK(to_string(counted<std::int64_t>({1100}, 1)) == "[   0    1    2 ... 1097 1098 1099]");
    CHECK(to_string(counted<float>({2, 600}, 0.5f)) == 
          "[[0.000e+00 5.000e-01 1.000e+00 ... 2.985e+02 2.990e+02 2.995e+02]\n [3.000e+02 3.005e+02 3.010e+02 ... 5.985e+02 5.990e+02 5.995e+02]]");
}

TEST_CASE("a tensor goes to a stream") {
    std::ostringstream out;
    out << Tensor::of<float>({2}, {1, 2});
    CHECK(out.str() == "[1. 2.]");
}
