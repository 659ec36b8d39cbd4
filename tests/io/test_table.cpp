#include "../support/golden.hpp"
#include "../support/table_bytes.hpp"

#include <doctest/doctest.h>
#include <map>

using namespace tenon;
using namespace tenon::test;

namespace {

std::string from_hex(std::string_view text) {
    std::string bytes;
    int digits = 0;
    unsigned v = 0;
    for (const char c : text) {
        if (c == ' ') continue;
        v = v << 4 | static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
        if (++digits % 2 == 0) bytes += static_cast<char>(v);
    }
    return bytes;
}
std::string table_from(const std::vector<std::pair<std::string, std::string>>& entries, std::size_t block_bytes = 262144) {
    TableBuilder builder(block_bytes);
    for (const auto& [k, v] : entries) builder.add(k, v);
    return builder.finish();
}
std::vector<std::pair<std::string, std::string>> random_entries(std::size_t n, std::uint32_t seed) {
    std::map<std::string, std::string> all;
    for (std::uint32_t x = seed; all.size() < n;) {
        const auto next = [&] { return (x = x * 1664525u + 1013904223u) >> 16; };
        std::string key;
        for (auto k = next() % 12; k; --k) key += "ab/\0\xff\x80"[next() % 6];
        key += std::to_string(next() % 1000);
        all[key] = std::string(next() % 40, static_cast<char>(next()));
    }
    return {all.begin(), all.end()};
}
/// What reading the whole file at `path` says, "" if it is fine.
std::string defect(const std::string& path) {
    try {
        entries_of(TableReader(path));
        return "";
    } catch (const FileError& e) {
        const std::string text = e.what();
        return text.starts_with(path + ": ") ? text.substr(path.size() + 2) : "no path: " + text;
    }
}
std::string defect_of(const std::string& bytes) {
    Scratch dir;
    write_bytes(dir / "t", bytes);
    return defect(dir / "t");
}

}  // namespace

TEST_CASE("a table with a header and one entry is TensorFlow's, byte for byte") {
    CHECK(table_from({{"", from_hex("08011a020801")}, {"v", from_hex("0801120028043581a5da2b")}}) ==
          from_hex("00 00 06 08 01 1a 02 08 01 00 01 0b 76 08 01 12 00 28 04 35 81 a5 da 2b 00 00 00 00 01 00 00 00"
                   "00 95 ce d3 f3 00 00 00 00 01 00 00 00 00 c0 f2 a1 b0 00 01 02 77 00 20 00 00 00 00 01 00 00 00"
                   "00 3e 1e a4 62 25 08 32 0e") + std::string(36, '\0') + from_hex("57 fb 80 8b 24 75 47 db"));
    CHECK(table_from({{"", from_hex("08011a020801")}}).substr(0, 61) ==
          from_hex("00 00 06 08 01 1a 02 08 01 00 00 00 00 01 00 00 00 00 62 94 57 f9 00 00 00 00 01 00 00 00 00 c0"
                   "f2 a1 b0 00 00 02 00 11 00 00 00 00 01 00 00 00 00 cc bf 8b 5d 16 08 23 0d 00 00 00 00"));
}

TEST_CASE("every 16th entry restarts") {
    BlockBuilder block;
    block.add("", "header");
    for (int i = 0; i < 20; ++i) block.add("k" + std::to_string(100 + i).substr(1), "x");
    const auto bytes = block.finish();
    CHECK(bytes.find(from_hex("00 03 01 6b 31 35 78")) == bytes.size() - 12 - 4 * 5 - 7);
    CHECK(bytes.substr(bytes.size() - 4) == from_hex("02 00 00 00"));
    CHECK(BlockBuilder().finish() == from_hex("00 00 00 00 01 00 00 00"));
}

TEST_CASE("index keys are as short as they can be") {
    Scratch dir;
    const auto index_key = [&](const std::string& last, const std::string& next) {
        const auto bytes = table_from({{last, "."}, {next, "."}}, 1);
        std::string_view footer(bytes.data() + bytes.size() - 48, 40);
        get_handle(footer);
        const auto index = get_handle(footer);
        std::vector<std::string> keys;
        each_entry(std::string_view(bytes).substr(index->offset, index->size), "index", [&](const std::string& k, std::string_view) { keys.push_back(k); });
        return keys.at(0) + " " + keys.at(1);
    };
    CHECK(index_key("layer1/biases", "layer1/weights") == "layer1/c m");
    CHECK(index_key("layer1/weights", "layer1/x") == "layer1/weights m");
    CHECK(index_key("a", "ab") == "a b");
    CHECK(index_key("a\xff", "c") == "b d");
    CHECK(index_key("a", "\xff\xff") == "b \xff\xff");
}

TEST_CASE("what is written is read, at any block size, compressed too") {
    Scratch dir;
    for (const std::size_t n : {0u, 1u, 2u, 16u, 17u, 300u})
        for (const std::size_t block_bytes : {1u, 40u, 400u, 262144u}) {
            const auto entries = random_entries(n, static_cast<std::uint32_t>(n + block_bytes));
            write_bytes(dir / "t", table_from(entries, block_bytes));
            const TableReader table(dir / "t");
            CHECK(entries_of(table) == entries);
            table.verify_metaindex();
            for (const auto& [k, v] : entries) {
                CHECK(table.find(k) == v);
                CHECK_FALSE(table.find(k + std::string(1, '\0')));
            }
            write_bytes(dir / "z", compressed_table(dir / "t"));
            CHECK(entries_of(TableReader(dir / "z")) == entries);
        }
}

TEST_CASE("TensorFlow's tables of several blocks are rebuilt byte for byte") {
    for (const auto& [name, file] : {std::pair("many", "many.index"), std::pair("big_entries", "big.index"), std::pair("names", "n.index"), std::pair("slices_raw", "sl.index")}) {
        const TableReader table(golden(name, file));
        CHECK(table_from(entries_of(table)) == read_bytes(golden(name, file)));
    }
    CHECK(TableReader(golden("many", "many.index")).blocks() > 1);
}

TEST_CASE("keys are written in ascending order only") {
    TableBuilder builder;
    builder.add("a", "");
    CHECK_THROWS_WITH_AS(builder.add("a", ""), "a table's keys must ascend", ValueError);
    builder.add("\xff", "");
    CHECK_THROWS_AS(builder.add("b", ""), ValueError);
}

TEST_CASE("every truncation and every flipped bit is found") {
    Scratch dir;
    const auto bytes = table_from(random_entries(40, 7), 200);
    const auto entries = [&] {
        write_bytes(dir / "t", bytes);
        return entries_of(TableReader(dir / "t"));
    }();
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        write_bytes(dir / "t", bytes.substr(0, n));
        CHECK(defect(dir / "t") != "");
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        auto bad = bytes;
        bad[i] = static_cast<char>(bad[i] ^ (1 << i % 8));
        write_bytes(dir / "t", bad);
        if (defect(dir / "t") != "") continue;
        CHECK(entries_of(TableReader(dir / "t")) == entries);  // padding, or the metaindex, which only verify reads
    }
    write_bytes(dir / "t", bytes + '\0');
    CHECK(defect(dir / "t") == "not a table (bad magic number)");
}

TEST_CASE("each defect has its sentence") {
    CHECK(defect_of("") == "the file is too short to be a table: 0 bytes");
    CHECK(defect_of(std::string(48, 'x')) == "not a table (bad magic number)");
    CHECK(defect_of(std::string(40, '\xff') + from_hex("57fb808b247547db")) == "bad block handle in the footer");

    const auto good = with_trailer(block_of(block_entry(0, "a", "1") + block_entry(1, "b", "2")));
    CHECK(defect_of(table_of({{good, "b"}})) == "");
    CHECK(defect_of(table_of({{good, "b"}}, {{0, 1u << 20}})) == "a block of 1048576 bytes at 0 does not fit into the file's 105");
    CHECK(defect_of(table_of({{good, "b"}}, {{~std::uint64_t{0} - 3, 18}})) == "a block of 18 bytes at 18446744073709551612 does not fit into the file's 112");
    CHECK(defect_of(table_of({{good, "b"}, {good, "c"}}, {{0, good.size() - 5}, {0, good.size() - 5}})) == "blocks overlap at byte 0");
    CHECK(defect_of(table_of({{good, "b"}, {good, "c"}})) == "block at byte 23: keys do not ascend: one is outside of what the index says");
    CHECK(defect_of(table_of({{good, "a"}})) == "block at byte 0: keys do not ascend: one is outside of what the index says");

    const auto block_defect = [](const std::string& block, char type = 0) { return defect_of(table_of({{with_trailer(block, type), "z"}})); };
    CHECK(block_defect(block_of(""), 2) == "block at byte 0: bad block type 2");
    CHECK(block_defect("no", 1) == "block at byte 0: corrupted compressed block contents");
    CHECK(block_defect("abc") == "block at byte 0: bad block contents: its restarts do not fit");
    CHECK(block_defect(from_hex("ffffffff")) == "block at byte 0: bad block contents: its restarts do not fit");
    CHECK(block_defect(block_of("", {})) == "");
    CHECK(block_defect(block_of(block_entry(0, "a", ""), {})) == "block at byte 0: bad block contents: entries but no restart");
    CHECK(block_defect(block_of(block_entry(0, "a", ""), {1})) == "block at byte 0: bad block contents: the first entry is no restart");
    CHECK(block_defect(block_of(block_entry(0, "a", ""), {0, 2})) == "block at byte 0: bad block contents: a restart is not at an entry");
    CHECK(block_defect(block_of(block_entry(0, "a", "") + block_entry(0, "b", ""), {0, 2})) == "block at byte 0: bad block contents: a restart is not at an entry");
    CHECK(block_defect(block_of(block_entry(0, "a", "") + block_entry(1, "b", ""), {0, 4})) == "block at byte 0: bad entry in block: a restart that is not whole");
    CHECK(block_defect(block_of(block_entry(1, "a", ""))) == "block at byte 0: bad entry in block: its lengths do not fit");
    CHECK(block_defect(block_of(from_hex("00 05 00 61"))) == "block at byte 0: bad entry in block: its lengths do not fit");
    CHECK(block_defect(block_of(from_hex("00 ffffffff0f 02 61"))) == "block at byte 0: bad entry in block: its lengths do not fit");
    CHECK(block_defect(block_of(block_entry(0, "b", "") + block_entry(0, "a", ""))) == "block at byte 0: keys do not ascend");
    CHECK(block_defect(block_of(block_entry(0, "b", "") + block_entry(1, "", ""))) == "block at byte 0: keys do not ascend");
    CHECK(block_defect(block_of(block_entry(0, "", "") + block_entry(0, "", ""))) == "block at byte 0: keys do not ascend");
}

TEST_CASE("a small file cannot ask for much memory by sharing long keys") {
    auto entries = block_entry(0, std::string(10000, 'a'), "");
    for (std::uint32_t i = 1; i < 10000; ++i) entries += block_entry(9999 + i, "a", "");
    CHECK(defect_of(table_of({{with_trailer(block_of(entries)), "b"}})) == "block at byte 0: bad block contents: its keys are longer than sharing can make them");
}
