// Tables made by hand, right or wrong, for tests.
#pragma once
#include "snappy.hpp"
#include <tenon/io/table.hpp>

#include <string>

namespace tenon::test {

inline std::string with_trailer(std::string block, char type = 0) {
    block += type;
    put_fixed32(block, mask_crc(crc32c(block)));
    return block;
}
inline std::string block_entry(std::uint32_t shared, std::string_view suffix, std::string_view value) {
    std::string e;
    put_varint(e, shared);
    put_varint(e, suffix.size());
    put_varint(e, value.size());
    return (e += suffix) += value;
}
inline std::string block_of(std::string entries, const std::vector<std::uint32_t>& restarts = {0}) {
    for (const auto at : restarts) put_fixed32(entries, at);
    put_fixed32(entries, static_cast<std::uint32_t>(restarts.size()));
    return entries;
}
/// A table of these blocks with trailers; `handles` replaces what the index says of where they are.
inline std::string table_of(const std::vector<std::pair<std::string, std::string>>& blocks_with_last_keys, std::vector<BlockHandle> handles = {}) {
    std::string bytes;
    BlockBuilder index{1};
    for (std::size_t i = 0; i < blocks_with_last_keys.size(); ++i) {
        const auto& [block, last] = blocks_with_last_keys[i];
        std::string handle;
        put_handle(handle, i < handles.size() ? handles[i] : BlockHandle{bytes.size(), block.size() - 5});
        bytes += block;
        index.add(last, handle);
    }
    std::string footer;
    put_handle(footer, {bytes.size(), 8});
    bytes += with_trailer(block_of(""));
    const auto index_block = index.finish();
    put_handle(footer, {bytes.size(), index_block.size()});
    bytes += with_trailer(index_block);
    footer.resize(40);
    put_fixed64(footer, 0xdb4775248b80fb57u);
    return bytes + footer;
}
/// The table at `path` again, with Snappy blocks of `interval` entries.
inline std::string compressed_table(const std::string& path, std::size_t interval = 16) {
    std::vector<std::pair<std::string, std::string>> blocks;
    BlockBuilder block;
    std::string last;
    std::size_t n = 0;
    const auto flush = [&] {
        if (!block.empty()) blocks.emplace_back(with_trailer(snappy_encode(block.finish()), 1), last);
    };
    TableReader(path).each([&](const std::string& key, std::string_view value) {
        block.add(key, value);
        last = key;
        if (++n % interval == 0) flush();
    });
    flush();
    return table_of(blocks);
}
inline std::vector<std::pair<std::string, std::string>> entries_of(const TableReader& table) {
    std::vector<std::pair<std::string, std::string>> all;
    table.each([&](const std::string& key, std::string_view value) { all.emplace_back(key, value); });
    return all;
}

}  // namespace tenon::test
