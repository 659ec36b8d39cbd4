// Damaged checkpoints: each defect has a typed error and its sentence, and nothing crashes.
#include "../support/damage.hpp"
#include "../support/golden.hpp"
#include "../support/table_bytes.hpp"

#include <doctest/doctest.h>

using namespace tenon;
using namespace tenon::test;
using proto::BundleEntryProto, proto::BundleHeaderProto;

namespace {

void copy_base(const Scratch& dir) {
    for (const auto* suffix : {".index", ".data-00000-of-00001"}) write_bytes(dir.path() + "/tmp" + suffix, read_bytes(golden("damaged", std::string("base") + suffix)));
}
/// A checkpoint with v float [2,3], s of three strings, p int32 [4] in two parts.
void write_sample(const std::string& prefix) {
    BundleWriter writer(prefix);
    writer.add("v", Tensor::of<float>({2, 3}, {0, 1, 2, 3, 4, 5}));
    writer.add("s", Tensor::of<std::string>({3}, {"hello", "", "x01"}));
    writer.add_slice("p", {4}, TensorSlice::parse("0,1"), Tensor::of<std::int32_t>({1}, {1}));
    writer.add_slice("p", {4}, TensorSlice::parse("1,3"), Tensor::of<std::int32_t>({3}, {2, 3, 4}));
    writer.finish();
}
const std::string data = ".data-00000-of-00001";

template <class M, class Edit> std::string defect_after(const std::string& key, Edit edit) {
    Scratch dir;
    write_sample(dir / "m");
    edit_entry<M>(dir / "m", key, edit);
    const auto found = first_defect(dir / "m");
    CHECK(verify_bundle(dir / "m").empty() == found.empty());
    return found;
}

}  // namespace

TEST_CASE("where TensorFlow refuses a damaged checkpoint, so do we, with a typed error") {
    Scratch dir;
    const auto expected = expectation("damaged");
    for (const auto& row : expected.at("rows")) {
        CAPTURE(row.dump());
        copy_base(dir);
        const auto file = dir / ("tmp" + row.at("file").get<std::string>());
        if (row.contains("truncate")) write_bytes(file, read_bytes(file).substr(0, row.at("truncate").get<std::size_t>()));
        if (row.contains("xor")) {
            auto bytes = read_bytes(file);
            const auto at = row.at("at").get<std::size_t>();
            bytes[at] = static_cast<char>(bytes[at] ^ row.at("xor").get<int>());
            write_bytes(file, bytes);
        }
        if (row.contains("append")) write_bytes(file, read_bytes(file) + '\0');
        if (row.contains("remove")) remove_file(file);
        const auto key = row.at("key").get<std::string>(), want = row.at("result").get<std::string>();
        std::string got = "OK";
        try {
            const auto spec = ShapeAndSlice::parse(row.value("shape_and_slice", ""));
            const BundleReader reader(dir / "tmp");
            const auto& t = reader.at(key);
            if (row.value("dtype", "") == "int32") CHECK(t.dtype != DType::int32);
            if (spec && spec->shape != t.shape) got = "shape";
            const auto read = spec && spec->shape == t.shape ? reader.read(t, spec->slice) : reader.read(t);
        } catch (const MissingFileError&) { got = "NotFound";
        } catch (const NameError& e) { got = std::string("NotFound: ") + (std::string(e.what()).ends_with("Key nope not found in checkpoint") ? "Key nope not found in checkpoint" : e.what());
        } catch (const FileError&) { got = "DataLoss";
        } catch (const ValueError& e) { got = std::string("Value: ") + e.what();
        } catch (const ShapeError& e) { got = std::string("Internal: ") + e.what(); }
        if (want == "OK" || want.starts_with("Value: ") || want.starts_with("Internal: ") || want.ends_with("not found in checkpoint")) CHECK(got == want);
        else if (want.starts_with("NotFound")) CHECK(got == "NotFound");
        else if (want.starts_with("InvalidArgument")) CHECK((got == "OK" || got == "shape"));  // the caller asked for another dtype or shape: it sees ours
        else CHECK(got == "DataLoss");
    }
}

TEST_CASE("every truncation and every flipped bit of index and data is found or harmless") {
    Scratch dir;
    write_sample(dir / "m");
    std::map<std::string, Tensor> sound;
    {
        const BundleReader reader(dir / "m");
        for (const auto& t : reader.tensors()) sound[t.name] = reader.read(t);
    }
    for (const auto& suffix : {std::string(".index"), data}) {
        const auto file = dir / ("m" + suffix);
        const auto bytes = read_bytes(file);
        for (std::size_t n = 0; n < bytes.size(); ++n) {
            write_bytes(file, bytes.substr(0, n));
            CHECK(first_defect(dir / "m") != "");
            CHECK(!verify_bundle(dir / "m").empty());
        }
        for (std::size_t bit = 0; bit < 8 * bytes.size(); bit += suffix == data ? 1 : 3) {
            auto bad = bytes;
            bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
            write_bytes(file, bad);
            if (first_defect(dir / "m") != "") continue;
            CHECK(suffix != data);  // padding of the footer, or the metaindex
            const BundleReader reader(dir / "m");
            for (const auto& t : reader.tensors()) CHECK(difference(reader.read(t), sound.at(t.name)) == "");
        }
        write_bytes(file, bytes);
    }
    CHECK(first_defect(dir / "m") == "");
}

TEST_CASE("an index with right checksums and wrong bytes is refused or read, never believed") {
    // what a forger can do and a flipped bit cannot: every byte of every entry, with checksums made right again
    Scratch dir;
    write_sample(dir / "m");
    const auto index = read_bytes(dir / "m.index");
    std::map<std::string, std::string> entries;
    TableReader(dir / "m.index").each([&](const std::string& k, std::string_view v) { entries[k] = v; });
    std::size_t refused = 0, tried = 0;
    for (const auto& [key, value] : entries)
        for (std::size_t i = 0; i < value.size(); ++i)
            for (const int flip : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
                auto forged = value;
                forged[i] = static_cast<char>(forged[i] ^ flip);
                write_bytes(dir / "m.index", index);
                edit_index(dir / "m", [&, k = key](auto& all) { all[k] = forged; });
                refused += first_defect(dir / "m") != "";
                verify_bundle(dir / "m");
                ++tried;
            }
    CHECK(tried > 800);
    CHECK(refused > tried / 2);
}

TEST_CASE("each defect of an entry has its sentence") {
    using E = BundleEntryProto;
    CHECK(defect_after<E>("v", [](E&) {}) == "");
    CHECK(defect_after<E>("v", [](E& e) { e.shape.dim[0].size = -1; }) == ".index: v: invalid tensor shape [-1,3]");
    CHECK(defect_after<E>("v", [](E& e) { e.shape.dim.resize(255, {.size = 1}); }).starts_with(".index: v: invalid tensor shape [2,3,1,1,"));
    CHECK(defect_after<E>("v", [](E& e) { e.shape.dim.assign(3, {.size = std::int64_t{1} << 22}); }) == ".index: v: invalid tensor shape [4194304,4194304,4194304]");
    CHECK(defect_after<E>("v", [](E& e) { e.shape.dim[1].size = 4; }) == ".index: v: Invalid size in bundle entry: stored size 24; [2,4] elements of type float32 have 4 bytes each");
    CHECK(defect_after<E>("v", [](E& e) { e.dtype = DType::float64; }) == ".index: v: Invalid size in bundle entry: stored size 24; [2,3] elements of type float64 have 8 bytes each");
    CHECK(defect_after<E>("v", [](E& e) { e.size = 1; }).starts_with(".index: v: Invalid size in bundle entry: stored size 1;"));
    CHECK(defect_after<E>("v", [](E& e) { e.offset = -1; }) == ".index: v: 24 bytes at -1");
    CHECK(defect_after<E>("v", [](E& e) { e.shard_id = 1; }) == ".index: v: shard 1 of 1");
    CHECK(defect_after<E>("v", [](E& e) { e.offset = 1000; }) == data + ": v has 24 bytes at 1000, the file ends at 55");
    CHECK(defect_after<E>("v", [](E& e) { e.offset = std::numeric_limits<std::int64_t>::max(); }) == data + ": v has 24 bytes at 9223372036854775807, the file ends at 55");
    CHECK(defect_after<E>("v", [](E& e) { e.crc32c = 0; }).starts_with(data + ": v (24 bytes): Checksum does not match: stored 2324967102, computed "));
    CHECK(defect_after<E>("s", [](E& e) { e.size = 2; }) == ".index: s: Invalid size in bundle entry: stored size 2 for 3 strings");
    CHECK(defect_after<E>("s", [](E& e) { e.size = 5; }) == data + ": s: it ends before the checksum of its lengths");
    CHECK(defect_after<E>("s", [](E& e) { e.size = 14; }).starts_with(data + ": s: Checksum does not match: stored "));
    CHECK(defect_after<E>("s", [](E& e) { e.offset = 25; }).starts_with(data + ": s: The length checksum does not match: stored "));
    CHECK(defect_after<E>("s", [](E& e) { e.shape.dim[0].size = std::int64_t{1} << 60; }) == ".index: s: Invalid size in bundle entry: stored size 15 for 1152921504606846976 strings");
    CHECK(defect_after<E>("v", [](E& e) { e.dtype = DType::resource; }).ends_with(": v: elements of type resource cannot be read"));
    CHECK(defect_after<E>("v", [](E& e) { e.dtype = static_cast<DType>(77); }).ends_with(": v: elements of type 77 cannot be read"));
}

TEST_CASE("each defect of a header has its sentence") {
    using H = BundleHeaderProto;
    CHECK(defect_after<H>("", [](H& h) { h.num_shards = 0; }) == ".index: the header says 0 shards");
    CHECK(defect_after<H>("", [](H& h) { h.num_shards = 2; }).ends_with(".data-00000-of-00002: cannot open: No such file or directory"));
    CHECK(defect_after<H>("", [](H& h) { h.version.producer = -1; }) == ".index: its version -1 is below the least that there is, 0");
    CHECK(defect_after<H>("", [](H& h) { h.version.min_consumer = 2; }) == ".index: it asks for a reader of version 2, this one is of version 1");
    CHECK(defect_after<H>("", [](H& h) { h.version.bad_consumers = {7, 1}; }) == ".index: it disallows readers of version 1");
    CHECK(defect_after<H>("", [](H& h) { h.endianness = static_cast<proto::Endianness>(2); }) == ".index: the header says byte order 2");
    CHECK(defect_after<H>("", [](H& h) { h.version = {.producer = 99}; }) == "");
    CHECK(defect_after<H>("", [](H& h) { h.version = {}; }) == "");  // before 2016
    Scratch dir;
    write_sample(dir / "m");
    edit_index(dir / "m", [](auto& all) { all.erase(""); });
    CHECK(first_defect(dir / "m") == ".index: the first entry is no header");
    edit_index(dir / "m", [](auto& all) { all.clear(); });
    CHECK(first_defect(dir / "m") == ".index: there is no header");
    write_sample(dir / "m");
    edit_index(dir / "m", [](auto& all) { all["v"] = "\x0a\xff"; });
    CHECK(first_defect(dir / "m").starts_with(".index: entry v: BundleEntryProto"));
    CHECK_THROWS_AS(BundleReader(dir / "m"), FormatError);
}

TEST_CASE("each defect of a tensor in parts has its sentence") {
    using E = BundleEntryProto;
    const auto key = TensorSlice::parse("1,3").key("p");
    CHECK(defect_after<E>("p", [](E& e) { e.slices.pop_back(); }).ends_with(": p: Does not have sufficient slices for partitioned tensor: 1 of the 4 elements in 0,4 are stored"));
    CHECK(defect_after<E>("p", [](E& e) { e.slices.push_back(e.slices[0]); }).ends_with(": p: Overlapping slices: existing slice = 0,1, new slice = 0,1"));
    CHECK(defect_after<E>("p", [](E& e) { e.slices[1].extent[0].start = 2; }) == ".index: p (2,3): a part of the tensor is not there");
    CHECK(defect_after<E>("p", [](E& e) { e.slices[1].extent.push_back({}); }) == ".index: p (1,3:-): a part of the tensor is not there");
    CHECK(defect_after<E>("p", [](E& e) { e.shape.dim[0].size = 3; }) == ".index: p (1,3): Extent in dimension 0 out of bounds: shape = [3], slice = 1,3");
    CHECK(defect_after<E>("p", [](E& e) { e.shape.dim.push_back({.size = 1}); }) == ".index: p (0,1): Mismatching ranks: shape = [4,1], slice = 0,1");
    CHECK(defect_after<E>("p", [](E& e) { e.dtype = DType::float32; }) == ".index: p (0,1): elements of type int32 in a tensor of float32");
    CHECK(defect_after<E>(key, [](E& e) { e.shape.dim[0].size = 2, e.size = 8; }) == ".index: p (1,3): the part's shape is [2]");
    CHECK(defect_after<E>(key, [](E& e) { e.offset = 50; }) == data + ": p has 12 bytes at 50, the file ends at 55");
}

TEST_CASE("verify tells all defects at once, each with its place") {
    Scratch dir;
    write_sample(dir / "m");
    CHECK(verify_bundle(dir / "m").empty());
    auto bytes = read_bytes(dir / ("m" + data));
    write_bytes(dir / ("m" + data), bytes + std::string(100, '\0'));
    CHECK(verify_bundle(dir / "m").empty());  // padding
    bytes[0] ^= 1;
    bytes[30] ^= 1;
    write_bytes(dir / ("m" + data), bytes + std::string(100000, '\0') + "!");
    edit_entry<BundleEntryProto>(dir / "m", TensorSlice::parse("1,3").key("p"), [](auto& e) { e.crc32c = 1; });
    edit_index(dir / "m", [](auto& all) {
        all[TensorSlice::parse("0,1").key("orphan")] = all.at("v");
        all["w"] = "\x0a\xff";
    });
    std::string text;
    for (const auto& defect : verify_bundle(dir / "m")) text += defect.substr(0, defect.find("stored 1")).substr(dir.path().size() + 2) + "\n";
    CAPTURE(text);
    for (const auto* part : {".index: entry w: BundleEntryProto", ".index: 3 parts of tensors are stored, 2 belong to one", data.c_str(), ": v (24 bytes): Checksum does not match", ": s: The length checksum does not match",
                             ": p (12 bytes): Checksum does not match", ": 100001 bytes behind the last tensor belong to none"})
        CHECK(text.find(part) != std::string::npos);
    CHECK(std::count(text.begin(), text.end(), '\n') == 6);
    remove_file(dir / ("m" + data));
    CHECK(verify_bundle(dir / "m").size() >= 3);
    remove_file(dir / "m.index");
    REQUIRE(verify_bundle(dir / "m").size() == 1);
    CHECK(verify_bundle(dir / "m")[0] == dir / "m.index: cannot open: No such file or directory");
}

TEST_CASE("a header that says another number of shards than the names of the data files is a defect; shards without tensors are none") {
    Scratch dir;
    write_sample(dir / "m");
    edit_entry<BundleHeaderProto>(dir / "m", "", [](auto& h) { h.num_shards = 3; });
    const auto defects = verify_bundle(dir / "m");
    CHECK(defects.size() == 5);  // for each part of a tensor, and the file
    for (const auto& d : defects) CHECK(d == dir / "m.data-00000-of-00003: cannot open: No such file or directory");
    rename_file(dir / "m.data-00000-of-00001", dir / "m.data-00000-of-00003");  // as a save leaves it that is cut off over another
    CHECK(verify_bundle(dir / "m").empty());
}

TEST_CASE("parts that all say the same bytes cannot ask for more memory than the file has") {
    Scratch dir;
    {
        BundleWriter writer(dir / "m");
        const Tensor row(DType::uint8, {1, 1000});
        std::fill_n(row.raw(), row.bytes(), std::byte{1});
        for (int i = 0; i < 50; ++i) writer.add_slice("p", {50, 1000}, {{{i, 1}, {}}}, row);
        writer.finish();
    }
    edit_index(dir / "m", [](auto& all) {
        for (auto& [key, value] : all) {
            if (!key.starts_with('\0')) continue;
            auto e = proto::decode<BundleEntryProto>(value);
            e.offset = 0;
            value = proto::encode(e);
        }
    });
    CHECK(first_defect(dir / "m") == "");
    write_bytes(dir / ("m" + data), read_bytes(dir / ("m" + data)).substr(0, 1000));
    CHECK(first_defect(dir / "m") == ": p: its parts have more bytes than their file");
}

TEST_CASE("a damaged checkpoint of version 1 is refused") {
    Scratch dir;
    const auto bytes = read_bytes(golden("v1_checkpoint", "old.ckpt"));
    for (std::size_t n = 0; n < bytes.size(); n += 3) {
        write_bytes(dir / "m", bytes.substr(0, n));
        CHECK(first_defect(dir / "m") != "");
    }
    for (std::size_t bit = 0; bit < 8 * bytes.size(); bit += 5) {
        auto bad = bytes;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
        write_bytes(dir / "m", bad);
        if (first_defect(dir / "m") == "") CHECK(list_variables(dir / "m").size() == 13);
        verify_bundle(dir / "m");
    }
    std::map<std::string, std::string> entries;
    write_bytes(dir / "m", bytes);
    TableReader(dir / "m").each([&](const std::string& k, std::string_view v) { entries[k] = v; });
    for (const auto& [key, value] : entries)
        for (std::size_t i = 0; i < value.size(); ++i) {
            auto forged = entries;
            forged[key][i] = static_cast<char>(forged[key][i] ^ (i % 2 ? 0xff : 1 << i % 8));
            TableBuilder table;
            for (const auto& [k, v] : forged) table.add(k, v);
            write_bytes(dir / "m", table.finish());
            first_defect(dir / "m");
            verify_bundle(dir / "m");
        }
}
