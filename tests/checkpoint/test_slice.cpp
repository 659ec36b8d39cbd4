// Tensors in parts.
#include "../support/damage.hpp"
#include "../support/golden.hpp"

#include <doctest/doctest.h>
#include <numeric>

using namespace tenon;
using namespace tenon::test;

namespace {

Tensor iota(const Dims& dims) {
    Tensor t(DType::float32, dims);
    std::iota(t.data<float>(), t.data<float>() + t.size(), 0.0f);
    return t;
}

/// The part of `t` that `slice` says, element by element.
Tensor part_of(const Tensor& t, const TensorSlice& slice) {
    const auto s = slice.within(extents_of(t.dims()));
    Tensor part(t.dtype(), dims_of(s.extents()));
    std::vector<std::int64_t> at(s.axes.size());
    for (std::int64_t i = 0; i < part.size(); ++i) {
        std::int64_t rest = i, from = 0;
        for (std::size_t a = s.axes.size(); a-- > 0;) {
            at[a] = rest % s.axes[a].length + s.axes[a].start;
            rest /= s.axes[a].length;
        }
        for (std::size_t a = 0; a < s.axes.size(); ++a) from = from * t.dims()[static_cast<int>(a)] + at[a];
        part.data<float>()[i] = t.data<float>()[from];
    }
    return part;
}

}  // namespace

TEST_CASE("the entries of a tensor in two parts are the published ones") {
    Scratch dir;
    BundleWriter writer(dir / "m");
    writer.add_slice("foo", {5, 10}, TensorSlice::parse("-:0,1"), Tensor::of<float>({5, 1}, {0, 0, 0, 0, 0}));
    Tensor ones(DType::float32, {5, 9});
    std::fill_n(ones.data<float>(), 45, 1.0f);
    writer.add_slice("foo", {5, 10}, TensorSlice::parse("-:1,9"), ones);
    writer.finish();
    CHECK(read_bytes(dir / "m.index").size() == 199);
    std::vector<std::string> keys;
    for (const auto& e : BundleIndex::load(dir / "m").entries) keys.push_back(BundleIndex::readable(e.key));
    CHECK(keys == std::vector<std::string>{"foo (-:0,1)", "foo (-:1,9)", "foo"});
    const BundleReader reader(dir / "m");
    CHECK(reader.tensors().size() == 1);
    for (const auto* all : {"-:-", "0,5:0,10"}) CHECK(reader.read(reader.at("foo"), TensorSlice::parse(all)).data<float>()[11] == 1.0f);
    CHECK(reader.read(reader.at("foo"), TensorSlice::parse("-:0,2")).data<float>()[3] == 1.0f);
    CHECK(reader.read(reader.at("foo"), TensorSlice::parse("-:2,2")).dims() == Dims{5, 2});
}

TEST_CASE("a part that is everything leaves no trace of being one") {
    Scratch dir;
    const auto v = Tensor::of<float>({2}, {1, 2});
    for (const auto* slice : {"-", "0,2"}) {
        BundleWriter writer(dir / "m");
        writer.add_slice("v", {2}, TensorSlice::parse(slice), v);
        writer.finish();
        CHECK(BundleIndex::load(dir / "m").entries.size() == 1);
    }
}

TEST_CASE("any part is read, however the tensor is cut") {
    Scratch dir;
    const auto t = iota({4, 5, 3});
    const char* const cuts[][4] = {{"-:-:-"}, {"0,1:-:-", "1,3:-:-"}, {"-:0,2:-", "-:2,3:-"}, {"-:-:0,1", "-:-:1,2"}, {"0,2:0,3:-", "0,2:3,2:-", "2,2:0,1:-", "2,2:1,4:-"}, {"0,4:0,5:2,1", "0,4:0,5:0,2"}};
    for (const auto& cut : cuts) {
        BundleWriter writer(dir / "m");
        for (const auto* slice : cut) if (slice) writer.add_slice("t", {4, 5, 3}, TensorSlice::parse(slice), part_of(t, TensorSlice::parse(slice)));
        writer.finish();
        const BundleReader reader(dir / "m");
        CHECK(difference(reader.read("t"), t) == "");
        for (std::int64_t a = 0; a < 4; ++a)
            for (std::int64_t b = 0; b < 5; ++b)
                for (std::int64_t c = 0; c < 3; ++c)
                    for (const std::int64_t n : {1, 2}) {
                        const TensorSlice wanted{{{a, std::min(n, 4 - a)}, b % 2 ? Span{} : Span{b, std::min<std::int64_t>(5 - b, 3)}, {c, 3 - c}}};
                        CHECK(difference(reader.read(reader.at("t"), wanted), part_of(t, wanted)) == "");
                    }
    }
}

TEST_CASE("strings in parts and parts of strings are read, which TensorFlow cannot") {
    Scratch dir;
    BundleWriter writer(dir / "m");
    writer.add_slice("s", {2, 2}, TensorSlice::parse("-:0,1"), Tensor::of<std::string>({2, 1}, {"a", "ccc"}));
    writer.add_slice("s", {2, 2}, TensorSlice::parse("-:1,1"), Tensor::of<std::string>({2, 1}, {"bb", ""}));
    writer.finish();
    const BundleReader reader(dir / "m");
    CHECK(difference(reader.read("s"), Tensor::of<std::string>({2, 2}, {"a", "bb", "ccc", ""})) == "");
    CHECK(difference(reader.read(reader.at("s"), TensorSlice::parse("1,1:-")), Tensor::of<std::string>({1, 2}, {"ccc", ""})) == "");
    const BundleReader raw(golden("slices_raw", "sl"));
    CHECK(difference(raw.read("str"), tensor_from(expectation("slices_raw").at("tensors").at("str"))) == "");
}

TEST_CASE("slices in text, keys and messages are TensorFlow's") {
    for (const auto* text : {"", "-", "0,1", "0,1:-:3,4"}) CHECK(TensorSlice::parse(text).text() == text);
    CHECK(TensorSlice::parse("0,1:0,3").key("my_var") == std::string("\x00my_var\x00\x01\x01\x02\x80\x81\x80\x83", 15));
    for (const auto* text : {"-:1,9", "64,8191", "", "0,1:-:100000,2"}) {
        const auto slice = TensorSlice::parse(text);
        const auto name = std::string("a\0b\xff", 4);
        CHECK(TensorSlice::from_key(slice.key(name)) == std::pair(name, slice));
        CHECK(TensorSlice::from(slice.proto()) == slice);
    }
    CHECK_FALSE(TensorSlice::from_key("name"));
    CHECK_FALSE(TensorSlice::from_key(std::string("\0name", 5)));
    CHECK(ShapeAndSlice::parse("10 3 0,1:0,3")->text() == "10 3 0,1:0,3");
    CHECK_FALSE(ShapeAndSlice::parse(""));
    CHECK_THROWS_WITH_AS(ShapeAndSlice::parse("3"), "Need least two elements in shape_and_slice specification: 3", ValueError);
    CHECK_THROWS_WITH_AS(ShapeAndSlice::parse("2 x 0,1:0,1"), "Non numerical dimension in shape_and_slice: 2 x 0,1:0,1", ValueError);
    CHECK_THROWS_WITH_AS(TensorSlice::parse("0,x"), "Expected a pair of numbers or '-' but got '0,x': string = 0,x", ValueError);
    CHECK_THROWS_WITH_AS(TensorSlice::parse("0,99999999999999999999"), "Expected a pair of numbers or '-' but got '0,99999999999999999999': string = 0,99999999999999999999", ValueError);
    CHECK_THROWS_WITH_AS(TensorSlice::parse("0,0"), "Expected non-negative start and positive length but got start = 0, length = 0: string = 0,0", ValueError);
    CHECK_THROWS_WITH_AS(TensorSlice::parse("0,1:"), "Expected a pair of numbers or '-' but got '': string = 0,1:", ValueError);
}
