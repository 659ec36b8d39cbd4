// Writing checkpoints, and reading them in ways other than they were written.
#include "../support/damage.hpp"
#include "../support/golden.hpp"
#include "../support/table_bytes.hpp"

#include <doctest/doctest.h>
#include <numeric>
#include <thread>

using namespace tenon;
using namespace tenon::test;
using proto::BundleEntryProto, proto::BundleHeaderProto;

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

TEST_CASE("checkpoints that are merged are one, as TensorFlow's") {
    Scratch dir;
    const BundleReader source(golden("shards", "model-7"));
    make_directory(dir / "temp");
    std::vector<std::string> parts;
    for (std::uint32_t s = 0; s < 3; ++s) {
        parts.push_back(dir / ("temp/part" + shard_suffix(s, 3)));
        BundleWriter writer(parts.back());
        for (const auto& t : source.tensors()) if (t.parts[0].file == s) writer.add(t.name, source.read(t));
        writer.finish();
    }
    parts.push_back(dir / "temp/empty");
    BundleWriter(parts.back()).finish();
    merge_bundles(parts, dir / "m");
    CHECK(dir.listing() == "m.data-00000-of-00003 m.data-00001-of-00003 m.data-00002-of-00003 m.index");
    for (const auto* suffix : {".index", ".data-00000-of-00003", ".data-00001-of-00003", ".data-00002-of-00003"}) CHECK(read_bytes(dir.path() + "/m" + suffix) == read_bytes(golden("shards", std::string("model-7") + suffix)));
    merge_bundles({dir / "m"}, dir / "renamed");
    CHECK(verify_bundle(dir / "renamed").empty());
    CHECK_FALSE(checkpoint_exists(dir / "m"));
}

TEST_CASE("parts of one tensor are merged from several checkpoints; what does not fit is refused and nothing moved") {
    Scratch dir;
    const auto write = [&](const std::string& name, const std::string& slice, const Tensor& t, const Extents& shape = {4}) {
        BundleWriter writer(dir / name);
        if (slice.empty()) writer.add("p", t);
        else writer.add_slice("p", shape, TensorSlice::parse(slice), t);
        writer.finish();
    };
    write("a", "0,2", Tensor::of<float>({2}, {1, 2}));
    write("b", "2,2", Tensor::of<float>({2}, {3, 4}));
    write("whole", "", Tensor::of<float>({4}, {1, 2, 3, 4}));
    write("other", "2,2", Tensor::of<float>({2}, {3, 4}), {5});
    const auto before = dir.listing();
    CHECK_THROWS_AS(merge_bundles({dir / "a", dir / "whole"}, dir / "m"), NameError);
    CHECK_THROWS_AS(merge_bundles({dir / "whole", dir / "whole"}, dir / "m"), NameError);
    CHECK_THROWS_AS(merge_bundles({dir / "a", dir / "a"}, dir / "m"), NameError);
    CHECK_THROWS_AS(merge_bundles({dir / "a", dir / "other"}, dir / "m"), CorruptError);
    CHECK_THROWS_AS(merge_bundles({dir / "a", dir / "none"}, dir / "m"), MissingFileError);
    CHECK_THROWS_WITH_AS(merge_bundles({dir / "none"}, dir / "m", {.allow_missing_files = true}), (dir / "m: At least one prefix checkpoint file must exist, but none existed.").c_str(), MissingFileError);
    edit_entry<BundleHeaderProto>(dir / "other", "", [](auto& h) { h.endianness = proto::Endianness::big; });
    CHECK_THROWS_WITH_AS(merge_bundles({dir / "a", dir / "other"}, dir / "m"), (dir / "other: Merging bundles with conflicting endianness; inputs corrupted?").c_str(), CorruptError);
    edit_entry<BundleHeaderProto>(dir / "other", "", [](auto& h) { h = {.num_shards = 1}; });
    CHECK_THROWS_WITH_AS(merge_bundles({dir / "a", dir / "other"}, dir / "m"), (dir / "other: Merging bundles with different format versions").c_str(), CorruptError);
    CHECK(dir.listing() == before);
    merge_bundles({dir / "a", dir / "none", dir / "b"}, dir / "m", {.allow_missing_files = true});
    CHECK(difference(load_variable(dir / "m", "p"), Tensor::of<float>({4}, {1, 2, 3, 4})) == "");
    CHECK(verify_bundle(dir / "m").empty());
}

TEST_CASE("a checkpoint of the other byte order is read") {
    Scratch dir;
    for (const auto& [prefix, shards] : {std::pair(golden("dtypes", "all"), 1), std::pair(golden("strings", "s"), 1)}) {
        const BundleReader source(prefix);
        auto bytes = read_bytes(prefix + data);
        write_bytes(dir / "m.index", read_bytes(prefix + ".index"));
        for (const auto& t : source.tensors()) {
            const auto& part = t.parts[0];
            auto* const at = bytes.data() + part.offset;
            if (t.dtype != DType::string) tenon::detail::swap_elements(t.dtype, {reinterpret_cast<std::byte*>(at), part.bytes});
            std::uint32_t crc = crc32c({at, part.bytes});
            if (t.dtype == DType::string) {  // lengths are the same bytes, but their checksum is over, and stored as, turned numbers
                const auto tensor = source.read(t);
                std::string lengths, stored;
                crc = 0;
                for (const auto& s : tensor.span<std::string>()) {
                    put_varint(lengths, s.size());
                    const auto n = static_cast<std::uint32_t>(s.size());
                    const char big[] = {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8), static_cast<char>(n)};
                    crc = extend_crc32c(crc, big, 4);
                }
                put_fixed32(stored, mask_crc(crc));
                std::reverse(stored.begin(), stored.end());
                std::copy(stored.begin(), stored.end(), at + lengths.size());
                crc = extend_crc32c(crc, at + lengths.size(), part.bytes - lengths.size());
            }
            edit_entry<BundleEntryProto>(dir / "m", t.name, [&](auto& e) { e.crc32c = mask_crc(crc); });
        }
        edit_entry<BundleHeaderProto>(dir / "m", "", [](auto& h) { h.endianness = proto::Endianness::big; });
        write_bytes(dir / ("m" + data), bytes);
        const BundleReader reader(dir / "m");
        for (const auto& t : source.tensors()) {
            CAPTURE(t.name);
            CHECK(difference(reader.read(t.name), source.read(t)) == "");
        }
        CHECK(verify_bundle(dir / "m").empty());
    }
}

TEST_CASE("an index with Snappy blocks is read") {
    Scratch dir;
    const BundleReader source(golden("mlp_ref", "mlp-5"));
    write_bytes(dir / "m.index", compressed_table(golden("mlp_ref", "mlp-5.index"), 5));
    write_bytes(dir / ("m" + data), read_bytes(golden("mlp_ref", "mlp-5" + data)));
    const BundleReader reader(dir / "m");
    REQUIRE(reader.tensors().size() == source.tensors().size());
    for (const auto& t : source.tensors()) CHECK(difference(reader.read(t.name), source.read(t)) == "");
}

TEST_CASE("a tensor of more than eight axes is read as bytes, not as a Tensor") {
    Scratch dir;
    const float x[] = {1, 2};
    BundleWriter writer(dir / "m");
    writer.add("deep", DType::float32, {1, 1, 1, 1, 1, 1, 1, 1, 2}, std::as_bytes(std::span(x)));
    writer.finish();
    const BundleReader reader(dir / "m");
    const auto& t = reader.at("deep");
    CHECK(t.shape.size() == 9);
    CHECK_THROWS_WITH_AS(reader.read(t), "tensors have at most 8 axes, this one has 9", ShapeError);
    float y[2];
    reader.read_into(t, std::as_writable_bytes(std::span(y)));
    CHECK(y[1] == 2);
    CHECK_THROWS_WITH_AS(reader.read_into(t, {}), (dir / "m: deep: 8 bytes do not go into 0").c_str(), ShapeError);
    CHECK(verify_bundle(dir / "m").empty());
}

TEST_CASE("variants are listed, their bytes looked for, and not read") {
    Scratch dir;
    BundleWriter writer(dir / "m");
    writer.add("v", DType::uint8, {8}, std::as_bytes(std::span("\x03\x0a\x01\x41\x1f\x6d\x18\x07", 8)));
    writer.finish();
    edit_entry<BundleEntryProto>(dir / "m", "v", [](auto& e) { e.dtype = DType::variant, e.shape.dim.clear(), e.crc32c = 0x4f4c8afc; });
    const BundleReader reader(dir / "m");
    CHECK(reader.at("v").dtype == DType::variant);
    CHECK_THROWS_WITH_AS(reader.read("v"), (dir / "m: v: elements of type variant cannot be read").c_str(), UnsupportedError);
    CHECK(verify_bundle(dir / "m").empty());
}

TEST_CASE("bytes of bool other than 0 are true") {
    Scratch dir;
    BundleWriter writer(dir / "m");
    const unsigned char odd[] = {0, 1, 2, 255};
    writer.add("b", DType::boolean, {4}, std::as_bytes(std::span(odd)));
    writer.finish();
    CHECK(difference(load_variable(dir / "m", "b"), Tensor::of<bool>({4}, {false, true, true, true})) == "");
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

TEST_CASE("many threads read from one reader") {
    const BundleReader reader(golden("shards", "model-7"));
    std::vector<Tensor> want;
    for (const auto& t : reader.tensors()) want.push_back(reader.read(t));
    std::vector<std::string> wrong(4);
    {
        const BundleReader fresh(golden("shards", "model-7"));
        std::vector<std::jthread> threads;
        for (auto& w : wrong)
            threads.emplace_back([&] {
                for (int round = 0; round < 20; ++round)
                    for (std::size_t i = 0; i < want.size(); ++i) w += difference(fresh.read(fresh.tensors()[i]), want[i]);
            });
    }
    for (const auto& w : wrong) CHECK(w == "");
}

TEST_CASE("a version 1 checkpoint in shards is read, by its name and by the pattern that TensorFlow records") {
    Scratch dir;
    const auto source = golden("v1_checkpoint", "old.ckpt");
    std::map<std::string, std::string> entries;
    TableReader(source).each([&](const std::string& k, std::string_view v) { entries[k] = v; });
    const auto header = proto::decode<proto::SavedTensorSlices>(entries.at(""));
    for (std::uint32_t shard = 0; shard < 2; ++shard) {
        auto mine = header;
        mine.meta->tensor.clear();
        std::map<std::string, std::string> kept;
        std::size_t i = 0;
        for (const auto& m : header.meta->tensor) {
            auto part = m;
            part.slice.clear();
            for (const auto& s : m.slice)
                if (i++ % 2 == shard) {
                    part.slice.push_back(s);
                    kept[TensorSlice::from(s).key(m.name)] = entries.at(TensorSlice::from(s).key(m.name));
                }
            if (!part.slice.empty()) mine.meta->tensor.push_back(part);
        }
        kept[""] = proto::encode(mine);
        TableBuilder table;
        for (const auto& [k, v] : kept) table.add(k, v);
        write_bytes(dir / ("m" + shard_suffix(shard, 2)), table.finish());
    }
    const auto five = std::string(5, '?');
    for (const auto& prefix : {dir / "m", dir / ("m-" + five + "-of-00002")}) {
        CHECK(checkpoint_exists(prefix));
        const BundleReader reader(prefix);
        for (const auto& [name, tensor] : tensors_from(expectation("v1_checkpoint").at("tensors"))) {
            CAPTURE(name);
            CHECK(difference(reader.read(name), tensor) == "");
        }
        CHECK(verify_bundle(prefix).empty());
    }
    remove_checkpoint(dir / "m");
    CHECK(dir.listing() == "");
}
