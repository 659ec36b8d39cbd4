// Several checkpoints made one.
#include "../support/damage.hpp"
#include "../support/golden.hpp"

#include <doctest/doctest.h>

using namespace tenon;
using namespace tenon::test;
using proto::BundleHeaderProto;

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

TEST_CASE("a checkpoint is merged into its own name, with others or alone, whichever shard comes first") {
    Scratch dir;
    const auto value = [](float v) { return Tensor::of<float>({2}, {v, -v}); };
    BundleWriter writer(dir / "m", {.shards = 2});
    writer.add("first", value(1), 1);
    writer.add("second", value(2), 0);
    writer.finish();
    BundleWriter other(dir / "x");
    other.add("third", value(3));
    other.finish();
    merge_bundles({dir / "m"}, dir / "m");
    CHECK(dir.listing() == "m.data-00000-of-00002 m.data-00001-of-00002 m.index x.data-00000-of-00001 x.index");
    CHECK(verify_bundle(dir / "m").empty());
    merge_bundles({dir / "x", dir / "m"}, dir / "m");
    CHECK(dir.listing() == "m.data-00000-of-00003 m.data-00001-of-00003 m.data-00002-of-00003 m.index");
    CHECK(verify_bundle(dir / "m").empty());
    float v = 1;
    for (const auto* name : {"first", "second", "third"}) CHECK(difference(load_variable(dir / "m", name), value(v++)) == "");
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
