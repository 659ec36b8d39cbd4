// Checkpoints that TensorFlow wrote: every value is read, and the same tensors give the same files.
#include "../support/golden.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <tenon/checkpoint/bundle.hpp>

using namespace tenon;
using namespace tenon::test;

namespace {

/// All checkpoints below tests/data, as prefixes.
std::vector<std::string> prefixes() {
    std::vector<std::string> all;
    for (const auto& e : std::filesystem::recursive_directory_iterator(TENON_TEST_DATA))
        if (e.path().extension() == ".index") all.push_back(e.path().string().substr(0, e.path().string().size() - 6));
    std::sort(all.begin(), all.end());
    return all;
}
void compare(const BundleReader& reader, const Json& expected) {
    for (const auto& [name, tensor] : tensors_from(expected)) {
        CAPTURE(name);
        CHECK(difference(reader.read(name), tensor) == "");
    }
}
/// Writes what `from` holds again, each tensor and part in the order in which it lies there.
void rewrite(const std::string& from, const std::string& to) {
    const auto index = BundleIndex::load(from);
    const BundleReader reader(from);
    struct Piece {
        const StoredTensor* tensor;
        const StoredPart* part;
        const proto::TensorSliceProto* slice;
    };
    std::vector<Piece> pieces;
    for (const auto& t : reader.tensors())
        for (std::size_t i = 0; i < t.parts.size(); ++i) pieces.push_back({&t, &t.parts[i], t.sliced ? &index.find(t.name)->slices[i] : nullptr});
    std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return std::tuple(a.part->file, a.part->offset, a.part->bytes) < std::tuple(b.part->file, b.part->offset, b.part->bytes); });
    BundleWriter writer(to, {.shards = reader.shards()});
    for (const auto& p : pieces) {
        if (p.slice) writer.add_slice(p.tensor->name, p.tensor->shape, TensorSlice::from(*p.slice), reader.read(*p.tensor, p.part->slice), p.part->file);
        else writer.add(p.tensor->name, reader.read(*p.tensor), p.part->file);
    }
    writer.finish();
}

}  // namespace

TEST_CASE("every golden tensor is read as TensorFlow wrote it") {
    std::size_t checkpoints = 0;
    for (const auto& e : std::filesystem::recursive_directory_iterator(std::string(TENON_TEST_DATA) + "/golden")) {
        if (e.path().filename() != "expect.json") continue;
        const auto expected = load_json(e.path().string());
        if (!expected.contains("tensors") || !expected.contains("checkpoint")) continue;
        CAPTURE(e.path().string());
        compare(BundleReader((e.path().parent_path() / expected.at("checkpoint").get<std::string>()).string()), expected.at("tensors"));
        ++checkpoints;
    }
    CHECK(checkpoints > 30);
    const auto dtypes = expectation("dtypes");
    for (const auto* file : {"quantised", "small_floats"}) compare(BundleReader(golden("dtypes", file)), dtypes.at(file));
}

TEST_CASE("every golden checkpoint that is written again is the same, byte for byte") {
    Scratch dir;
    for (const auto& prefix : prefixes()) {
        CAPTURE(prefix);
        rewrite(prefix, dir / "p");
        const BundleReader reader(prefix);
        std::vector<std::string> suffixes{".index"};
        for (std::uint32_t s = 0; s < reader.shards(); ++s) suffixes.push_back(data_name("", s, reader.shards()));
        for (const auto& suffix : suffixes) {
            CAPTURE(suffix);
            CHECK((read_bytes(dir.path() + "/p" + suffix) == read_bytes(prefix + suffix)));
            remove_file(dir.path() + "/p" + suffix);
        }
        CHECK(dir.listing() == "");
    }
}

TEST_CASE("no golden checkpoint has a defect") {
    for (const auto& prefix : prefixes()) {
        CAPTURE(prefix);
        for (const auto& defect : verify_bundle(prefix)) CHECK(defect == "");
    }
    for (const auto& defect : verify_bundle(golden("v1_checkpoint", "old.ckpt"))) CHECK(defect == "");
}

TEST_CASE("tensors written from values, in the order of the file, give TensorFlow's bytes") {
    Scratch dir;
    const auto dtypes = expectation("dtypes");
    const std::tuple<std::string, Json, std::string> rows[] = {{golden("dtypes", "all"), dtypes.at("tensors"), ""},
                                                               {golden("dtypes", "quantised"), dtypes.at("quantised"), ""},
                                                               {golden("dtypes", "small_floats"), dtypes.at("small_floats"), ""},
                                                               {golden("strings", "s"), expectation("strings").at("tensors"), ""},
                                                               {golden("names", "n"), expectation("names").at("tensors"), ""},
                                                               {golden("empty_tensor", "e"), expectation("empty_tensor").at("tensors"), ""}};
    for (const auto& [prefix, tensors, ignored] : rows) {
        CAPTURE(prefix);
        BundleWriter writer(dir / "p");
        for (const auto& [name, tensor] : tensors_from(tensors)) writer.add(name, tensor);
        writer.finish();
        CHECK(read_bytes(dir / "p.index") == read_bytes(prefix + ".index"));
        CHECK(read_bytes(dir / "p.data-00000-of-00001") == read_bytes(prefix + ".data-00000-of-00001"));
    }
}

TEST_CASE("12 000 scalars in an index of several blocks") {
    const BundleReader reader(golden("many", "many"));
    const auto names = read_bytes(golden("many", "names.txt"));
    std::size_t i = 0;
    for (std::size_t at = 0; at < names.size(); ++i) {
        const auto end = names.find('\n', at);
        const auto* const t = reader.find(names.substr(at, end - at));
        REQUIRE(t);
        CHECK(reader.read(*t).item<float>() == static_cast<float>(i) / 2);
        at = end + 1;
    }
    CHECK(i == 12000);
    CHECK(reader.tensors().size() == 12000);
}

TEST_CASE("a TensorFlow 2 checkpoint is read by its keys, its object graph is a string") {
    const BundleReader reader(golden("object_based", "ckpt-1"));
    CHECK(reader.read("_CHECKPOINTABLE_OBJECT_GRAPH").item<std::string>().size() > 100);
    CHECK(reader.at("model/table/a..b.Sc/.ATTRIBUTES/VARIABLE_VALUE").dtype == DType::float32);
}

TEST_CASE("variables are listed with dtype and shape, and loaded one by one") {
    const auto all = list_variables(golden("slices_ref", "part"));
    std::string text;
    for (const auto& v : all) text += v.name + " " + std::string(name_of(v.dtype)) + " " + to_string(v.shape) + "\n";
    CHECK(text == "pc float32 [4,6]\npone float32 [4,3]\npv float32 [10,3]\n");
    CHECK(difference(load_variable(golden("blog_save", "my_test_model"), "w1"), tensor_from(expectation("blog_save").at("tensors").at("w1"))) == "");
    CHECK_THROWS_WITH_AS(load_variable(golden("blog_save", "my_test_model"), "w7"), (golden("blog_save", "my_test_model") + ": Key w7 not found in checkpoint").c_str(), NameError);
}

TEST_CASE("a version 1 checkpoint is read like any other") {
    const BundleReader reader(golden("v1_checkpoint", "old.ckpt"));
    CHECK(reader.version() == 1);
    const auto& pv = reader.at("pv");
    CHECK(pv.sliced);
    CHECK(reader.read(pv, TensorSlice::parse("1,2:-")).dims() == Dims{2, 2});
    CHECK(reader.tensors().size() == 13);
}
