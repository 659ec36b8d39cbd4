// Reading checkpoints as others write them.
#include "../support/damage.hpp"
#include "../support/golden.hpp"
#include "../support/table_bytes.hpp"

#include <tenon/checkpoint/bundle_reading.hpp>

#include <doctest/doctest.h>
#include <thread>

using namespace tenon;
using namespace tenon::test;
using proto::BundleEntryProto, proto::BundleHeaderProto;

namespace {

const std::string data = ".data-00000-of-00001";

}  // namespace

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

TEST_CASE("what two threads read is what one reads, and a wrong byte anywhere is found") {
    Scratch dir;
    std::vector<Tensor> tensors;
    BundleWriter writer(dir / "m", {.shards = 2, .alignment = 3, .durable = false});
    for (const auto n : {5, 9 << 20, 1 << 20, (4 << 20) + 1, 0, 30 << 20, 22 << 20, 1000}) {
        tensors.emplace_back(DType::boolean, Dims{n});
        std::memset(tensors.back().raw(), 1, static_cast<std::size_t>(n));
        for (int k = 0; k < n; k += 1 + k % 7) tensors.back().raw()[k] = std::byte{0};
        writer.add(std::to_string(tensors.size()), tensors.back(), tensors.size() % 2);
    }
    writer.finish();
    const BundleReader reader(dir / "m");
    std::vector<Tensor> read;
    std::vector<BundleReader::Passage> passages;
    BundleReader::Cursor cursor;
    for (const auto& t : reader.tensors()) {
        read.push_back(reader.room_for(t, TensorSlice::whole(1), cursor));
        passages.push_back({&t, {read.back().raw(), read.back().bytes()}});
    }
    BundleReader::Reading reading(reader, passages, cursor);
    reading.verify();
    reading.read();
    for (std::size_t i = 0; i < tensors.size(); ++i) CHECK(difference(read[i], tensors[i]) == "");
    for (const auto& t : reader.tensors()) {
        const auto& part = t.parts[0];
        if (part.bytes == 0) continue;
        CAPTURE(t.name);
        for (const auto at : {std::uint64_t{0}, part.bytes / 2, part.bytes - 1}) {
            std::fstream file(data_name(dir / "m", part.file, 2), std::ios::in | std::ios::out | std::ios::binary);
            const auto flip = [&] {
                file.seekg(static_cast<std::streamoff>(part.offset + at));
                const auto byte = static_cast<char>(file.get() ^ 1);
                file.seekp(static_cast<std::streamoff>(part.offset + at)).put(byte).flush();
            };
            flip();
            BundleReader::Cursor fresh;
            CHECK_THROWS_WITH_AS(BundleReader::Reading(reader, passages, fresh).verify(), doctest::Contains((": " + t.name + " (").c_str()), CorruptError);
            flip();
        }
    }
    std::filesystem::resize_file(data_name(dir / "m", 1, 2), 9 << 20);
    CHECK_THROWS_AS(reading.verify(), CorruptError);
    CHECK_THROWS_AS(reading.read(), CorruptError);
}

TEST_CASE("memory that is not a tensor's size is refused before anything is read, be it for one thread or for two") {
    Scratch dir;
    for (const int n : {3, 70 << 20}) {
        BundleWriter writer(dir / "m", {.durable = false});
        const Tensor t(DType::uint8, {n}), u = Tensor::of<float>({2}, {1, 2});
        std::memset(t.raw(), 7, t.bytes());
        writer.add("t", t);
        writer.add("u", u);
        writer.finish();
        const BundleReader reader(dir / "m");
        const Tensor to(DType::uint8, {n + 1}), other(DType::float32, {2});
        std::memset(to.raw(), 1, to.bytes());
        other.data<float>()[0] = 9;
        for (const auto bytes : {to.bytes(), to.bytes() - 2, std::size_t{0}}) {
            BundleReader::Cursor cursor;
            const std::vector<BundleReader::Passage> passages{{&reader.at("u"), {other.raw(), other.bytes()}}, {&reader.at("t"), {to.raw(), bytes}}};
            CHECK_THROWS_WITH_AS(BundleReader::Reading(reader, passages, cursor), sentence(dir / "m: t: ", n, " bytes do not go into ", bytes).c_str(), ShapeError);
        }
        CHECK(to.raw()[0] == std::byte{1});
        CHECK(other.data<float>()[0] == 9);
    }
}
