// Writing checkpoints.
#include "../support/damage.hpp"
#include "../support/golden.hpp"

#include <csignal>
#include <cstring>
#include <doctest/doctest.h>
#include <numeric>
#include <sys/resource.h>

using namespace tenon;
using namespace tenon::test;

namespace {

const std::string data = ".data-00000-of-00001";

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

TEST_CASE("nothing is seen before a checkpoint is finished, and nothing left if it is not") {
    Scratch dir;
    {
        BundleWriter writer(dir / "m");
        writer.add("v", Tensor::scalar(1.0f));
        CHECK_FALSE(file_exists(dir / "m.index"));
        CHECK_FALSE(file_exists(dir / ("m" + data)));
    }
    CHECK(dir.listing() == "");
    BundleWriter writer(dir / "new/m");
    writer.add("v", Tensor::scalar(1.0f));
    writer.finish();
    CHECK(dir.listing() == "new");
    CHECK(list_directory(dir / "new") == std::vector<std::string>{"m" + data, "m.index"});
    CHECK_THROWS_WITH_AS(writer.finish(), (dir / "new/m: the checkpoint is finished").c_str(), ValueError);
    CHECK_THROWS_AS(writer.add("w", Tensor::scalar(1.0f)), ValueError);
    CHECK_THROWS_AS(BundleWriter(dir / "a/b/m"), MissingFileError);
}

TEST_CASE("a checkpoint without tensors is a header") {
    Scratch dir;
    BundleWriter(dir / "m").finish();
    CHECK(read_bytes(dir / "m.index").size() == 101);
    CHECK(list_variables(dir / "m").empty());
    CHECK(verify_bundle(dir / "m").empty());
}

TEST_CASE("what cannot be written is refused, and the rest is written without it") {
    Scratch dir;
    const auto v = Tensor::of<float>({2}, {1, 2});
    BundleWriter writer(dir / "m");
    writer.add("v", v);
    writer.add_slice("p", {4}, TensorSlice::parse("0,2"), v);
    CHECK_THROWS_WITH_AS(writer.add("v", v), (dir / "m: Adding duplicate key: v").c_str(), NameError);
    CHECK_THROWS_WITH_AS(writer.add_slice("p", {4}, TensorSlice::parse("0,2"), v), (dir / "m: Adding duplicate key: p (0,2)").c_str(), NameError);
    CHECK_THROWS_AS(writer.add("p", v), NameError);
    CHECK_THROWS_AS(writer.add_slice("v", {4}, TensorSlice::parse("0,2"), v), NameError);
    CHECK_THROWS_AS(writer.add("", v), NameError);
    CHECK_THROWS_AS(writer.add(std::string("\0x", 2), v), NameError);
    CHECK_THROWS_WITH_AS(writer.add_slice("p", {4}, TensorSlice::parse("1,3"), v), (dir / "m: p: the slice 1,3 of [4] is [3], the tensor is [2]").c_str(), ShapeError);
    CHECK_THROWS_WITH_AS(writer.add_slice("p", {5}, TensorSlice::parse("2,2"), v), (dir / "m: p: parts of [4] and of [5]").c_str(), ShapeError);
    CHECK_THROWS_WITH_AS(writer.add_slice("p", {4}, TensorSlice::parse("2,2"), Tensor::of<int>({2}, {1, 2})), (dir / "m: p: parts of float32 and of int32").c_str(), TypeError);
    CHECK_THROWS_WITH_AS(writer.add_slice("q", {4}, TensorSlice::parse("3,2"), v), "Extent in dimension 0 out of bounds: shape = [4], slice = 3,2", ShapeError);
    CHECK_THROWS_WITH_AS(writer.add("x", Tensor(DType::variant, {})), (dir / "m: x: elements of type variant cannot be saved").c_str(), UnsupportedError);
    CHECK_THROWS_AS(writer.add("x", Tensor()), UnsupportedError);
    CHECK_THROWS_AS(writer.add("x", v, 1), ValueError);
    CHECK_THROWS_AS(writer.add("x", DType::float32, {3}, std::span(v.raw(), v.bytes())), ShapeError);
    CHECK_THROWS_AS(BundleWriter(dir / "n", {.shards = 0}), ValueError);
    writer.add_slice("p", {4}, TensorSlice::parse("2,2"), v);
    writer.finish();
    CHECK(verify_bundle(dir / "m").empty());
    CHECK(difference(load_variable(dir / "m", "p"), Tensor::of<float>({4}, {1, 2, 1, 2})) == "");
}

TEST_CASE("what an index says of a tensor is the same whatever tensor came before, and has no byte that its message does not need") {
    Scratch dir;
    const std::vector<Tensor> tensors{iota({}), iota({0}), iota({1}), iota({1, 1}), iota({2, 3}), iota({3, 2}), Tensor(DType::int32, {2, 3}), Tensor(DType::string, {2, 3}), Tensor(DType::string, {}), iota({300})};
    BundleWriter writer(dir / "m");
    for (std::size_t i = 0; i < tensors.size(); ++i)
        for (std::size_t k = 0; k < tensors.size(); ++k) writer.add(std::to_string(1000 + i * tensors.size() + k) + "a", tensors[i]), writer.add(std::to_string(1000 + i * tensors.size() + k) + "b", tensors[k]);
    writer.finish();
    std::size_t seen = 0;
    TableReader(dir / "m.index").each([&](const std::string& key, std::string_view value) {
        if (key.empty()) return;
        const auto number = static_cast<std::size_t>(std::stoi(key)) - 1000;
        const auto& t = tensors[key.back() == 'a' ? number / tensors.size() : number % tensors.size()];
        const auto e = proto::decode<proto::BundleEntryProto>(value);
        const auto alone = dir / key;
        BundleWriter one(alone);
        one.add(key, t);
        one.finish();
        TableReader(alone + ".index").each([&](const std::string& its, std::string_view wanted) {
            if (its.empty()) return;
            auto moved = proto::decode<proto::BundleEntryProto>(wanted);
            moved.offset = e.offset;
            CHECK(proto::encode(moved) == value);
        });
        ++seen;
    });
    CHECK(seen == 2 * tensors.size() * tensors.size());
}

TEST_CASE("tensors begin at multiples of the alignment") {
    Scratch dir;
    BundleWriter writer(dir / "m", {.alignment = 42});
    for (const auto* name : {"a", "b", "c", "d"}) writer.add(name, Tensor::of<float>({2, 3}, {0, 1, 2, 3, 4, 5}));
    writer.finish();
    std::string offsets;
    const BundleReader reader(dir / "m");
    for (const auto& t : reader.tensors()) offsets += std::to_string(t.parts[0].offset) + " ";
    CHECK(offsets == "0 42 84 126 ");
    CHECK(read_bytes(dir / ("m" + data)).size() == 168);
    CHECK(verify_bundle(dir / "m").empty());
}

TEST_CASE("shards written at once are those that TensorFlow merges") {
    Scratch dir;
    const BundleReader source(golden("shards", "model-7"));
    BundleWriter writer(dir / "m", {.shards = 4});  // the third gets nothing
    const std::uint32_t shard_of[] = {0, 1, 3};
    auto tensors = std::vector(source.tensors().begin(), source.tensors().end());
    std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return std::pair(a.parts[0].file, a.parts[0].offset) < std::pair(b.parts[0].file, b.parts[0].offset); });
    for (const auto& t : tensors) writer.add(t.name, source.read(t), shard_of[t.parts[0].file]);
    writer.finish();
    CHECK(dir.listing() == "m.data-00000-of-00003 m.data-00001-of-00003 m.data-00002-of-00003 m.index");
    for (const auto* suffix : {".index", ".data-00000-of-00003", ".data-00001-of-00003", ".data-00002-of-00003"}) CHECK(read_bytes(dir.path() + "/m" + suffix) == read_bytes(golden("shards", std::string("model-7") + suffix)));
}

TEST_CASE("a large tensor keeps its bytes and its place between small ones") {
    Scratch dir;
    const auto large = iota({3, 333333}), small = Tensor::of<float>({3}, {7, 8, 9});
    BundleWriter writer(dir / "m");
    for (const auto* name : {"a", "c", "e"}) writer.add(name, small);
    for (const auto* name : {"b", "d"}) writer.add(name, large);
    writer.add("f", small);
    writer.add_slice("g", {3, 333333}, TensorSlice::parse("0,1:-"), part_of(large, TensorSlice::parse("0,1:-")));
    writer.add_slice("g", {3, 333333}, TensorSlice::parse("1,2:-"), part_of(large, TensorSlice::parse("1,2:-")));
    writer.finish();
    const BundleReader reader(dir / "m");
    for (const auto* name : {"a", "c", "e", "f"}) CHECK(difference(reader.read(name), small) == "");
    for (const auto* name : {"b", "d", "g"}) CHECK(difference(reader.read(name), large) == "");
    CHECK(verify_bundle(dir / "m").empty());
}

TEST_CASE("what two threads write is what one writes, with its checksums") {
    Scratch dir;
    std::vector<Tensor> tensors;
    std::vector<std::uint64_t> bytes(2);
    for (const int n : {5, 40 << 20, 1 << 20, (9 << 20) + 1, 0, 20 << 20, 77}) {
        const auto shard = tensors.size() % 2;
        bytes[shard] += static_cast<std::uint64_t>(n);
        tensors.emplace_back(DType::uint8, Dims{n});
        for (int i = 0; i < n; ++i) tensors.back().raw()[i] = static_cast<std::byte>((static_cast<unsigned>(i) * static_cast<unsigned>(i)) >> 7 ^ static_cast<unsigned>(i));
    }
    for (const auto* name : {"one", "two"}) {
        const bool two = name == std::string("two");
        BundleWriter writer(dir / name, {.shards = 2, .alignment = 64, .durable = false, .write_at_finish = two});
        for (std::uint32_t s = 0; two && s < 2; ++s) writer.reserve(bytes[s], s);
        for (std::size_t i = 0; i < tensors.size(); ++i) writer.add("t" + std::to_string(i), tensors[i], i % 2);
        CHECK_THROWS_AS(writer.add("t1", tensors[0]), NameError);
        writer.finish();
    }
    for (const auto* suffix : {".index", ".data-00000-of-00002", ".data-00001-of-00002"}) CHECK((read_bytes(dir.path() + "/one" + suffix) == read_bytes(dir.path() + "/two" + suffix)));
    CHECK(verify_bundle(dir / "two").empty());
    BundleWriter unused(dir / "unused", {.shards = 2});
    unused.reserve(5 << 20, 1);
    unused.finish();
    CHECK_FALSE(file_exists(dir / "unused.data-00001-of-00002"));
    CHECK_THROWS_AS(unused.reserve(1, 2), ValueError);
}

TEST_CASE("what a thread cannot write is an error of the save, which leaves nothing") {
    Scratch dir;
    const Tensor t(DType::uint8, {80 << 20});
    std::memset(t.raw(), 7, t.bytes());
    rlimit before;
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    {
        BundleWriter writer(dir / "m", {.durable = false, .write_at_finish = true});
        writer.add("t", t);
        const rlimit little{50 << 20, before.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &little) == 0);
        CHECK_THROWS_AS(writer.finish(), FileError);
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
        CHECK(list_directory(dir.path()).size() == 1);
    }
    ::signal(SIGXFSZ, handler);
    CHECK(dir.listing() == "");
}

TEST_CASE("room for a file is a hint: a tensor may be refilled and added again, unless it is to be written at the end") {
    Scratch dir;
    for (const bool later : {false, true}) {
        BundleWriter writer(dir / "m", {.durable = false, .write_at_finish = later});
        writer.reserve(80u << 20);
        const Tensor t(DType::uint8, {2 << 20});
        for (const int i : {1, 2, 3}) {
            std::memset(t.raw(), i, t.bytes());
            writer.add(std::to_string(i), t);
        }
        writer.finish();
        const BundleReader reader(dir / "m");
        for (const int i : {1, 2, 3}) CHECK(reader.read(std::to_string(i)).raw()[t.bytes() - 1] == static_cast<std::byte>(later ? 3 : i));
        CHECK(verify_bundle(dir / "m").empty());
    }
}
