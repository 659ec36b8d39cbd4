#include "../../tools/npy.hpp"
#include "../support/scratch.hpp"

#include <doctest/doctest.h>

using namespace tenon;

namespace {

/// A file of version `major` with this header.
std::string file(const std::string& header, const std::string& elements, int major = 1) {
    const auto n = header.size();
    std::string s = std::string("\x93NUMPY") + static_cast<char>(major) + '\0' + static_cast<char>(n & 255) + static_cast<char>(n >> 8);
    if (major > 1) s += std::string(2, '\0');
    return s + header + elements;
}
std::string header(const std::string& descr, const std::string& shape, bool fortran = false) {
    return "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape + ", }\n";
}
Tensor decoded(const std::string& bytes) { return npy::decode(bytes, "x.npy"); }
template <class T> std::string bytes_of_all(std::initializer_list<T> list) {
    std::string s;
    for (const T& x : list) s.append(reinterpret_cast<const char*>(&x), sizeof x);
    return s;
}
template <class E> std::string message(const std::string& bytes) {
    try {
        decoded(bytes);
    } catch (const E& e) { return e.what(); }
    return "";
}

}  // namespace

TEST_CASE("every element type that NumPy has comes back from its file, in every shape") {
    for (const auto t : {DType::boolean, DType::int8, DType::int16, DType::int32, DType::int64, DType::uint8, DType::uint16, DType::uint32, DType::uint64, DType::half, DType::float32, DType::float64,
                         DType::complex64, DType::complex128})
        for (const auto& dims : {Dims{}, Dims{3}, Dims{2, 3}, Dims{0, 5}, Dims{2, 1, 2, 1, 2, 1, 2, 1}}) {
            Tensor x(t, dims);
            for (std::size_t i = 0; i < x.bytes(); ++i) x.raw()[i] = static_cast<std::byte>(t == DType::boolean ? i % 2 : 37 * i + 1);
            const auto y = decoded(npy::encode(x));
            CHECK(y.dtype() == t);
            CHECK(y.dims() == dims);
            CHECK(std::memcmp(y.raw(), x.raw(), x.bytes()) == 0);
            CHECK((npy::encode(x).size() - x.bytes()) % 64 == 0);
            CHECK(!npy::written_as(t));
        }
}

TEST_CASE("strings are as wide as the longest, and come back") {
    const auto x = Tensor::of<std::string>({3}, {"hello", "", std::string("a\0b", 3)});
    const auto bytes = npy::encode(x);
    CHECK(bytes.find("'|S5'") != bytes.npos);
    const auto y = decoded(bytes);
    CHECK(std::ranges::equal(y.span<std::string>(), x.span<std::string>()));
    CHECK_THROWS_WITH_AS(npy::encode(Tensor::scalar(std::string("a\0", 2))), "a string ends with a zero byte, which NumPy would drop", UnsupportedError);
}

TEST_CASE("text in UTF-32 is read as UTF-8, of either byte order") {
    const std::u32string text = U"a\u00e9\u20ac\U0001f600";
    std::string little, big;
    for (const char32_t c : text) {
        const auto code = static_cast<std::uint32_t>(c), turned = __builtin_bswap32(code);
        little += bytes_of_all({code});
        big += bytes_of_all({turned});
    }
    CHECK(decoded(file(header("<U4", "()"), little)).item<std::string>() == "a\u00e9\u20ac\U0001f600");
    CHECK(decoded(file(header(">U4", "()"), big)).item<std::string>() == "a\u00e9\u20ac\U0001f600");
    CHECK(message<FormatError>(file(header("<U1", "()"), bytes_of_all({0xd800u}))) == "x.npy: 55296 is no character");
}

TEST_CASE("bfloat16 is written as float32, exactly") {
    Tensor x(DType::bfloat16, {2});
    x.data<bfloat16>()[0] = bfloat16(1.5f);
    x.data<bfloat16>()[1] = bfloat16(-3e38f);
    const auto y = decoded(npy::encode(x));
    CHECK(y.dtype() == DType::float32);
    CHECK(y.data<float>()[0] == 1.5f);
    CHECK(y.data<float>()[1] == static_cast<float>(bfloat16(-3e38f)));
    CHECK(npy::written_as(DType::bfloat16) == "float32");
    CHECK(npy::written_as(DType::qint8) == "int8");
}

TEST_CASE("elements in Fortran's order are put into C order") {
    const auto x = decoded(file(header("<i4", "(2, 3)", true), bytes_of_all({1, 4, 2, 5, 3, 6})));
    CHECK(std::ranges::equal(x.span<std::int32_t>(), std::vector{1, 2, 3, 4, 5, 6}));
    const auto cube = decoded(file(header("|u1", "(2, 2, 2)", true), std::string("\0\4\2\6\1\5\3\7", 8)));
    CHECK(std::ranges::equal(cube.span<std::uint8_t>(), std::vector{0, 1, 2, 3, 4, 5, 6, 7}));
    const auto words = decoded(file(header("|S1", "(2, 2)", true), "acbd"));
    CHECK(words.span<std::string>()[1] == "b");
    CHECK(decoded(file(header("<f4", "(0, 3)", true), "")).dims() == Dims{0, 3});
}

TEST_CASE("big-endian elements, other spellings of the header and later versions are read") {
    CHECK(decoded(file(header(">i2", "(2,)"), std::string("\1\2\3\4", 4))).span<std::int16_t>()[1] == 0x0304);
    CHECK(decoded(file(header(">c8", "()"), std::string("\x3f\x80\0\0\x40\0\0\0", 8))).item<std::complex<float>>() == std::complex<float>(1, 2));
    CHECK(decoded(file("{\"shape\": (2L,), \"fortran_order\": False, \"descr\": \"|b1\"}", std::string("\1\0", 2))).span<bool>()[0]);
    for (const int major : {2, 3}) CHECK(decoded(file(header("<f8", "()"), bytes_of_all({2.5}), major)).item<double>() == 2.5);
}

TEST_CASE("each way in which a file can be wrong has its sentence") {
    const auto one = bytes_of_all({1.0f});
    CHECK(message<FormatError>("PK\3\4 a zip") == "x.npy: not a NumPy file: it does not begin with \\x93NUMPY");
    CHECK(message<FormatError>(file(header("<f4", "()"), one, 9)) == "x.npy: a NumPy file of version 9; 1 to 3 can be read");
    CHECK(message<CorruptError>(file(header("<f4", "()"), one).substr(0, 20)) == "x.npy: a header of 56 bytes, the file has 10");
    CHECK(message<CorruptError>(file(header("<f4", "(2,)"), one)) == "x.npy: 4 bytes are not [2] elements of '<f4'");
    CHECK(message<CorruptError>(file(header("<f4", "()"), one + "x")) == "x.npy: 5 bytes are not [] elements of '<f4'");
    CHECK(message<CorruptError>(file(header("<f4", "(4611686018427387904, 4)"), "")) == "x.npy: 0 bytes are not [4611686018427387904,4] elements of '<f4'");
    CHECK(message<CorruptError>(file(header("|S0", "(1000000000000,)"), "")) == "x.npy: [1000000000000] elements without a byte");
    CHECK(message<ShapeError>(file(header("<f4", "(1,1,1,1,1,1,1,1,1)"), one)) == "x.npy: tensors have at most 8 axes, this one has 9");
    CHECK(message<UnsupportedError>(file(header("|O", "()"), one)) == "x.npy: elements of NumPy's type '|O' cannot be read");
    CHECK(message<UnsupportedError>(file(header("<M8[ns]", "()"), one)) == "x.npy: elements of NumPy's type '<M8[ns]' cannot be read");
    CHECK(message<UnsupportedError>(file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", one)) == "x.npy: elements of several fields cannot be read");
    CHECK(message<FormatError>(file("{'descr': '<f4', 'shape': ()}", one)) == "x.npy: not a NumPy header: it needs descr, fortran_order and shape");
    CHECK(message<FormatError>(file("{'shape': (), 'shape': ()}", one)) == "x.npy: not a NumPy header: 'shape' stands twice");
    CHECK(message<FormatError>(file("{'shape': (-1,)}", one)) == "x.npy: not a NumPy header: an extent is expected");
    CHECK(message<FormatError>(file("{'colour': ()}", one)) == "x.npy: not a NumPy header: 'colour' means nothing");
    CHECK(message<FormatError>(file("{'shape' ()}", one)) == "x.npy: not a NumPy header: ':' is expected");
    CHECK_THROWS_AS(npy::read(std::string(TENON_TEST_DATA) + "/no.npy"), MissingFileError);
    CHECK_THROWS_WITH_AS(npy::encode(Tensor(DType::float8_e5m2, {})), "elements of type float8_e5m2 have no type in NumPy", UnsupportedError);
}

TEST_CASE("a file cut anywhere is refused, and nothing but its errors comes of any changed byte") {
    const auto whole = npy::encode(Tensor::of<std::int16_t>({2, 2}, {1, 2, 3, 4}));
    for (std::size_t n = 0; n < whole.size(); ++n) CHECK_THROWS_AS(decoded(whole.substr(0, n)), Error);
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (const int flip : {1, 16, 128}) {
            auto changed = whole;
            changed[at] = static_cast<char>(changed[at] ^ flip);
            std::size_t bytes = 0;
            try {
                bytes = decoded(changed).bytes();
            } catch (const Error&) {}
            CHECK(bytes <= whole.size());
        }
}

TEST_CASE("what NumPy wrote is read, and a file is written whole or not at all") {
    const auto x = npy::read(std::string(TENON_TEST_DATA) + "/models/a3c_cartpole/fetch_000.npy");
    CHECK(x.dtype() == DType::float32);
    CHECK(x.dims().rank == 2);
    const test::Scratch folder;
    npy::write(folder / "x.npy", x);
    CHECK(std::memcmp(npy::read(folder / "x.npy").raw(), x.raw(), x.bytes()) == 0);
    CHECK_THROWS_AS(npy::write(folder / "no/x.npy", x), MissingFileError);
}
