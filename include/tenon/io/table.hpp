// A table file: keys in ascending order of their unsigned bytes, each with a value. FORMAT.md has the layout.
//
//   data block | trailer | ... | metaindex block | trailer | index block | trailer | footer
//   trailer    type byte (0 plain, 1 Snappy) | fixed32 masked CRC-32C of block and type
//   index      per data block: a key not less than its last and less than the next block's first -> handle
//   handle     varint64 offset | varint64 bytes without trailer
//   footer     metaindex handle | index handle | zeros up to 40 bytes | fixed64 magic
#pragma once
#include "../base/sentence.hpp"
#include "block.hpp"
#include "crc32c.hpp"
#include "file.hpp"
#include "snappy.hpp"

namespace tenon {

namespace detail {
inline constexpr std::uint64_t table_magic = 0xdb4775248b80fb57u;
inline constexpr std::size_t footer_bytes = 48, trailer_bytes = 5;
}  // namespace detail

struct BlockHandle {
    std::uint64_t offset = 0, size = 0;
};
inline void put_handle(std::string& to, const BlockHandle& h) {
    put_varint(to, h.offset);
    put_varint(to, h.size);
}
inline std::optional<BlockHandle> get_handle(std::string_view& from) {
    auto rest = from;
    const auto offset = get_varint(rest), size = get_varint(rest);
    if (!offset || !size) return {};
    from = rest;
    return BlockHandle{*offset, *size};
}

/// Builds a table in memory, byte for byte as TensorFlow does with its default options: no compression, empty metaindex.
class TableBuilder {
    std::size_t block_bytes_;
    std::string bytes_;
    BlockBuilder block_, index_{1};
    BlockHandle written_;
    bool any_ = false, pending_ = false;  // pending: `written_` waits for the next key, which says how short its index key can be

    BlockHandle write(BlockBuilder& builder) {
        const BlockHandle handle{bytes_.size(), builder.size()};
        bytes_ += builder.finish();
        bytes_ += '\0';
        put_fixed32(bytes_, mask_crc(crc32c(std::string_view(bytes_).substr(handle.offset))));
        return handle;
    }
    void flush() {
        if (block_.empty()) return;
        written_ = write(block_);
        pending_ = true;
    }
    /// `key` makes the one to be shown in the index.
    template <class Key> void index_pending(Key key) {
        if (!std::exchange(pending_, false)) return;
        std::string handle;
        put_handle(handle, written_);
        index_.add(key(), handle);
    }
    static unsigned at(std::string_view s, std::size_t i) { return static_cast<unsigned char>(s[i]); }
    /// A short key k with a <= k < b.
    static std::string separator(std::string_view a, std::string_view b) {
        std::size_t i = 0;
        while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
        if (i == a.size() || i == b.size() || at(a, i) + 1 >= at(b, i)) return std::string(a);
        std::string k(a.substr(0, i + 1));
        k[i] = static_cast<char>(at(a, i) + 1);
        return k;
    }
    /// A short key not less than a.
    static std::string successor(std::string_view a) {
        std::size_t i = 0;
        while (i < a.size() && at(a, i) == 0xff) ++i;
        std::string k(a.substr(0, i + 1));
        if (i < a.size()) k[i] = static_cast<char>(at(a, i) + 1);
        return k;
    }

public:
    explicit TableBuilder(std::size_t block_bytes = 262144) : block_bytes_(block_bytes) {}

    /// The key must be greater than all before.
    void add(std::string_view key, std::string_view value) {
        const auto shared = block_.shared_with_last(key);
        const std::string_view last = block_.last_key();
        if (any_ && (shared == key.size() || (shared < last.size() && at(key, shared) < at(last, shared)))) throw ValueError("a table's keys must ascend");
        if (any_ && key.size() + value.size() >= 2 * block_bytes_) flush();
        index_pending([&] { return separator(last, key); });
        block_.add(key, value, shared);
        any_ = true;
        if (block_.size() >= block_bytes_) flush();
    }
    /// The whole file.
    std::string finish() {
        flush();
        BlockBuilder none;
        const auto metaindex = write(none);
        index_pending([&] { return successor(block_.last_key()); });
        const auto index = write(index_);
        std::string footer;
        put_handle(footer, metaindex);
        put_handle(footer, index);
        footer.resize(detail::footer_bytes - 8);
        put_fixed64(footer, detail::table_magic);
        return std::move(bytes_) + footer;
    }
};

/// A table on disk. The index is read when it is opened, data blocks when they are asked for; every checksum is compared.
///
/// Errors    MissingFileError; CorruptError if anything contradicts itself or the size of the file
class TableReader {
    struct Part {
        std::string last_key;
        BlockHandle handle;
    };
    File file_;
    std::uint64_t size_;
    BlockHandle metaindex_;
    std::vector<Part> parts_;

    CorruptError corrupt(const std::string& what) const { return CorruptError(file_.path() + ": " + what); }
    std::string place(const BlockHandle& h) const { return "block at byte " + std::to_string(h.offset); }
    /// Without overflow: block and trailer lie before the footer.
    void bound(const BlockHandle& h, const char* what) const {
        const auto room = size_ - detail::footer_bytes;
        if (h.offset > room || h.size > room - h.offset || room - h.offset - h.size < detail::trailer_bytes)
            throw corrupt(sentence(what, " of ", h.size, " bytes at ", h.offset, " does not fit into the file's ", size_));
    }
    std::string read(const BlockHandle& h) const {
        std::string bytes(h.size + detail::trailer_bytes, '\0');
        file_.read_at(h.offset, bytes.data(), bytes.size());
        std::string_view trailer(bytes.data() + h.size + 1, 4);
        const auto stored = unmask_crc(*get_fixed32(trailer)), computed = crc32c({bytes.data(), h.size + 1});
        if (stored != computed) throw corrupt(sentence(place(h), ": block checksum mismatch: stored ", stored, ", computed ", computed));
        const auto type = static_cast<unsigned char>(bytes[h.size]);
        bytes.resize(h.size);
        if (type == 0) return bytes;
        if (type != 1) throw corrupt(place(h) + ": bad block type " + std::to_string(type));
        auto plain = snappy_decode(bytes);
        if (!plain) throw corrupt(place(h) + ": corrupted compressed block contents");
        return std::move(*plain);
    }

public:
    explicit TableReader(const std::string& path) : file_(File::open(path)), size_(file_.size()) {
        if (size_ < detail::footer_bytes) throw corrupt("the file is too short to be a table: " + std::to_string(size_) + " bytes");
        std::string footer(detail::footer_bytes, '\0');
        file_.read_at(size_ - detail::footer_bytes, footer.data(), footer.size());
        std::string_view magic(footer.data() + detail::footer_bytes - 8, 8), handles(footer.data(), detail::footer_bytes - 8);
        if (get_fixed64(magic) != detail::table_magic) throw corrupt("not a table (bad magic number)");
        const auto metaindex = get_handle(handles), index = get_handle(handles);
        if (!metaindex || !index) throw corrupt("bad block handle in the footer");
        bound(*metaindex, "the metaindex");
        bound(*index, "the index");
        metaindex_ = *metaindex;
        std::uint64_t end = 0;
        each_entry(read(*index), file_.path() + ": index", [&](const std::string& key, std::string_view value) {
            const auto handle = get_handle(value);
            if (!handle) throw corrupt("bad block handle in the index");
            bound(*handle, "a block");
            if (handle->offset < end) throw corrupt("blocks overlap at byte " + std::to_string(handle->offset));
            end = handle->offset + handle->size + detail::trailer_bytes;
            parts_.push_back({key, *handle});
        });
    }

    const std::string& path() const { return file_.path(); }
    std::size_t blocks() const { return parts_.size(); }

    /// Calls visit(const std::string& key, std::string_view value) for the entries of data block `i`.
    template <class Visit> void each(std::size_t i, Visit visit) const {
        const auto& part = parts_[i];
        const auto where = file_.path() + ": " + place(part.handle);
        each_entry(read(part.handle), where, [&](const std::string& key, std::string_view value) {
            if (key > part.last_key || (i > 0 && key <= parts_[i - 1].last_key))
                throw CorruptError(where + ": keys do not ascend: one is outside of what the index says");
            visit(key, value);
        });
    }
    /// The same for the whole table.
    template <class Visit> void each(Visit visit) const {
        for (std::size_t i = 0; i < parts_.size(); ++i) each(i, visit);
    }
    std::optional<std::string> find(std::string_view key) const {
        const auto part = std::lower_bound(parts_.begin(), parts_.end(), key, [](const Part& p, std::string_view k) { return p.last_key < k; });
        std::optional<std::string> found;
        if (part != parts_.end())
            each(static_cast<std::size_t>(part - parts_.begin()), [&](const std::string& k, std::string_view value) {
                if (k == key) found = value;
            });
        return found;
    }
    /// Nobody reads the metaindex; this compares its checksum.
    void verify_metaindex() const { each_entry(read(metaindex_), file_.path() + ": metaindex", [](const std::string&, std::string_view) {}); }
};

}  // namespace tenon
