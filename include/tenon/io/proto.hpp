// Protobuf's binary format, over the tables of message.hpp.
//
//     message   (tag payload)*
//     tag       varint: field number << 3 | wire type
//     payload   0  varint: little endian, 7 bits a byte, at most 10 bytes; negative numbers are sign-extended to 64 bits
//               1  8 bytes, little endian
//               2  varint length, then so many bytes: string, bytes, message, packed numbers, map entry {1: key, 2: value}
//               5  4 bytes, little endian
//
// Written as the C++ serializer writes: fields by number, defaults left out, maps in the order of their keys, unknown fields last. Read: either
// form of repeated numbers; the last of several wins, messages are merged. Groups (wire types 3 and 4) are refused, and so is a known field of another wire type.
//
// Source    protobuf.dev/programming-guides/encoding
#pragma once
#include "coding.hpp"
#include "utf8.hpp"
#include "walk.hpp"

namespace tenon::proto {

namespace detail {
inline std::uint32_t wire_type(Kind k) { return is_varint(k) ? 0 : !is_number(k) ? 2 : is_wide(k) ? 1 : 5; }
inline std::size_t width(Kind k) { return is_wide(k) ? 8 : 4; }

/// The repeated messages of one field of a message, left as they stand.
struct Apart {
    const Field* field = nullptr;
    std::vector<std::string_view>* bytes = nullptr;
};

/// Reads messages, or, into null, checks that they could be read.
class Decoder {
    const char* const begin_;
    std::string_view file_;
    Apart apart_;

public:
    Decoder(std::string_view bytes, std::string_view file, Apart apart = {}) : begin_(bytes.data()), file_(file), apart_(apart) {}

    void document(std::string_view bytes, void* into, const Message& table) const {
        if (read(bytes, into, table, nullptr, 1, true)) settle(into, table);
    }
    void check(std::string_view bytes, const Message& table) const { (void)read(bytes, nullptr, table, nullptr, 1, true); }
    struct Tag {
        std::uint32_t number, wire;
    };
    [[gnu::always_inline]] Tag tag(const char*& p, const char* end, const Path& path) const {
        const char* const start = p;
        const auto tag = varint(p, end, path);
        const auto number = tag >> 3, wire = tag & 7;
        if (number == 0 || number >> 29 || wire > 5 || wire == 3 || wire == 4) [[unlikely]] fail_tag(path, start, number, wire);
        return {static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(wire)};
    }
    /// What is behind a tag, without the length before it.
    std::string_view payload(const char*& p, const char* end, std::uint32_t wire, const Path& path) const {
        if (wire == 2) return delimited(p, end, path);
        if (wire != 0) return take(p, end, wire == 1 ? 8 : 4, path);
        const char* const start = p;
        varint(p, end, path);
        return {start, static_cast<std::size_t>(p - start)};
    }

private:
    /// `fresh`: the message is new, no member has been set. Answers whether there are maps to settle.
    bool read(std::string_view bytes, void* into, const Message& table, const Path* up, int depth, bool fresh) const {
        Path path{up, &table};
        const char *p = bytes.data(), *const end = p + bytes.size();
        if (depth > max_depth) fail(path, p, "messages are nested more than " + std::to_string(max_depth) + " deep");
        bool maps = false;
        std::uint64_t seen = 0;  // a bit per row, of the first 64
        const Field* chosen = nullptr;
        while (p < end) {
            const char* const start = p;
            path.field = nullptr;
            const auto [number, wire] = tag(p, end, path);
            const auto* const field = table.find(number);
            if (!field) {
                payload(p, end, wire, path);
                if (auto* const unknown = into ? table.unknown(into) : nullptr) (*unknown ? **unknown : unknown->emplace()).append(start, p);
                continue;
            }
            path.field = field;
            if (!into) {
                value(p, end, {}, *field, wire, nullptr, path, depth, false);
                continue;
            }
            const auto row = static_cast<std::size_t>(field - table.fields.data());
            const auto bit = row < 64 ? std::uint64_t{1} << row : 0;
            if (field->in_oneof && chosen != field) {
                if (chosen || !fresh) table.choose(into, *field);
                chosen = field;
            }
            maps |= field->presence == Presence::map;
            maps |= value(p, end, {start, p}, *field, wire, field->member(into), path, depth, fresh && bit && !(seen & bit));
            seen |= bit;
        }
        return maps;
    }
    [[noreturn, gnu::cold]] void fail(const Path& path, const char* at, const std::string& what) const {
        throw FormatError(std::string(file_) + ": " + path.text() + ": " + what + " (byte " + std::to_string(at - begin_) + ")");
    }
    [[noreturn, gnu::cold, gnu::noinline]] void fail_short(const Path& path, const char* at, std::uint64_t announced, std::uint64_t left) const {
        fail(path, at, std::to_string(announced) + " bytes are announced, " + std::to_string(left) + " are left");
    }
    [[noreturn, gnu::cold, gnu::noinline]] void fail_tag(const Path& path, const char* at, std::uint64_t number, std::uint64_t wire) const {
        if (number == 0 || number >> 29) fail(path, at, "a field cannot have the number " + std::to_string(number));
        fail(path, at, "field " + std::to_string(number) + " has wire type " + std::to_string(wire));
    }
    [[gnu::always_inline]] std::uint64_t varint(const char*& p, const char* end, const Path& path) const {
        if (p < end && !(*p & 0x80)) return static_cast<unsigned char>(*p++);
        return long_varint(p, end, path);
    }
    [[gnu::noinline]] std::uint64_t long_varint(const char*& p, const char* end, const Path& path) const {
        std::string_view rest(p, static_cast<std::size_t>(end - p));
        const auto v = get_varint(rest);
        if (!v) fail(path, p, rest.size() < 10 ? "a varint runs past the end" : "a varint exceeds 64 bits");
        p = rest.data();
        return *v;
    }
    [[gnu::always_inline]] std::string_view take(const char*& p, const char* end, std::uint64_t n, const Path& path) const {
        const auto left = static_cast<std::uint64_t>(end - p);
        if (n > left) [[unlikely]] fail_short(path, p, n, left);
        const std::string_view s(p, static_cast<std::size_t>(n));
        p += n;
        return s;
    }
    std::string_view delimited(const char*& p, const char* end, const Path& path) const {
        const auto n = varint(p, end, path);
        return take(p, end, n, path);
    }
    /// How many elements of a field stand one behind the other, the first at p behind its tag. Room is made for all of them at once.
    static std::size_t run(const char* p, const char* end, std::string_view tag) {
        for (std::size_t n = 1;; ++n) {
            std::uint64_t length = 0;
            for (int shift = 0;; shift += 7) {
                if (p == end || shift > 63) return n;
                length |= (static_cast<std::uint64_t>(*p) & 0x7f) << shift;
                if (!(*p++ & 0x80)) break;
            }
            if (length > static_cast<std::uint64_t>(end - p)) return n;  // a mistake, told where it is read
            p += length;
            if (!std::string_view(p, static_cast<std::size_t>(end - p)).starts_with(tag)) return n;
            p += tag.size();
        }
    }
    bool value(const char*& p, const char* end, std::string_view tag, const Field& f, std::uint32_t wire, void* member, Path& path, int depth, bool fresh) const {
        const auto& access = *f.access;
        const bool many = f.presence >= Presence::repeated;
        if (wire != wire_type(f.kind) && !(wire == 2 && many && is_number(f.kind))) fail(path, p, "wire type " + std::to_string(wire) + " where " + std::to_string(wire_type(f.kind)) + " belongs");
        const auto one = [&] { return f.presence <= Presence::always ? member : access.add(member, 1); };
        if (!is_number(f.kind)) {
            if (!member) return element(p, end, f, nullptr, path, depth, false);
            if (!many) return element(p, end, f, one(), path, depth, fresh);
            if (&f == apart_.field) {
                path.index = apart_.bytes->size();
                auto content = p;
                element(p, end, f, nullptr, path, depth, false);
                apart_.bytes->push_back(delimited(content, end, path));
                return false;
            }
            path.index = access.view(member).count;
            auto n = run(p, end, tag);
            for (auto* to = static_cast<std::byte*>(access.add(member, n));; to += access.stride, ++path.index, p += tag.size()) {
                if (element(p, end, f, to, path, depth, true)) settle(to, f.message());
                if (--n == 0) return false;
            }
        } else if (wire == 2) {
            packed(delimited(p, end, path), f, member, path);
        } else if (wire == 0) {
            const auto v = varint(p, end, path);
            if (member) store_integer(f.kind, one(), v);
        } else {
            const auto number = take(p, end, width(f.kind), path);
            if (member) std::memcpy(one(), number.data(), number.size());
        }
        return false;
    }
    /// A message, text or bytes.
    bool element(const char*& p, const char* end, const Field& f, void* to, const Path& path, int depth, bool fresh) const {
        const auto content = delimited(p, end, path);
        if (f.kind == Kind::message) return read(content, to, f.message(), &path, depth + 1, fresh);
        if (f.kind == Kind::string && !valid_utf8(content)) fail(path, content.data(), "the text is not UTF-8");
        if (to) *static_cast<std::string*>(to) = content;
        return false;
    }
    void packed(std::string_view s, const Field& f, void* member, const Path& path) const {
        const char *p = s.data(), *const end = p + s.size();
        if (s.empty()) return;
        if (!is_varint(f.kind)) {
            if (s.size() % width(f.kind)) fail(path, p, std::to_string(s.size()) + " bytes are no whole number of elements");
            if (member) std::memcpy(f.access->add(member, s.size() / width(f.kind)), p, s.size());
            return;
        }
        // each varint has one byte without the continuation bit: room is made once, and never more than the file has bytes for
        if (static_cast<unsigned char>(s.back()) >= 0x80) fail(path, end, "a varint runs past the end");
        while (!member && p < end) varint(p, end, path);
        if (!member) return;
        const auto n = static_cast<std::size_t>(std::count_if(p, end, [](char c) { return !(c & 0x80); }));
        auto* to = static_cast<std::byte*>(f.access->add(member, n));
        for (; p < end; to += f.access->stride) store_integer(f.kind, to, varint(p, end, path));
    }
};

/// Encodes messages one after the other, in memory that stays.
///
/// Writes from the end to the beginning, so that a message's length is known when it is due: one pass, no sizes computed before.
class Encoder {
    std::string buffer_;
    std::size_t begin_ = 0;

public:
    /// The message's bytes, which stay until the next call.
    template <class M> std::string_view encode(const M& message) {
        begin_ = buffer_.size();
        write(&message, message_of<M>());
        return std::string_view(buffer_).substr(begin_);
    }

private:
    void write(const void* message, const Message& table) {
        if (const auto* const unknown = table.unknown(message); unknown && *unknown) put(**unknown);
        for (auto f = table.fields.rbegin(); f != table.fields.rend(); ++f) {
            const auto elements = f->elements(message);
            if (is_left_out(*f, elements)) continue;
            const auto [first, count] = elements;
            const bool packed = f->presence == Presence::repeated && is_number(f->kind);
            const auto end = size();
            if (packed && !is_varint(f->kind)) put({reinterpret_cast<const char*>(first), count * f->access->stride});
            else for (auto i = count; i-- > 0;) element(first + i * f->access->stride, *f, !packed);
            if (packed) head(*f, 2, size() - end);
        }
    }
    std::size_t size() const { return buffer_.size() - begin_; }
    char* room(std::size_t n) {
        if (begin_ < n) {
            const auto used = size(), grown = std::max<std::size_t>(2 * buffer_.size(), used + n + 256);
            std::string larger(grown, '\0');
            std::memcpy(larger.data() + grown - used, buffer_.data() + begin_, used);
            buffer_ = std::move(larger);
            begin_ = grown - used;
        }
        return buffer_.data() + (begin_ -= n);
    }
    void put(std::string_view s) {
        if (!s.empty()) std::memcpy(room(s.size()), s.data(), s.size());
    }
    void varint(std::uint64_t v) {
        if (v < 0x80) {
            *room(1) = static_cast<char>(v);
            return;
        }
        char digits[10];
        std::size_t n = 0;
        for (; v >= 0x80; v >>= 7) digits[n++] = static_cast<char>(v | 0x80);
        digits[n++] = static_cast<char>(v);
        put({digits, n});
    }
    void head(const Field& f, std::uint32_t wire, std::uint64_t length) {
        if (wire == 2) varint(length);
        varint(static_cast<std::uint64_t>(f.number) << 3 | wire);
    }
    void element(const std::byte* p, const Field& f, bool tagged) {
        const auto end = size();
        if (f.kind == Kind::message) write(p, f.message());
        else if (!is_number(f.kind)) put(text_at(p));
        else if (is_varint(f.kind)) varint(load_integer(f.kind, p));
        else put({reinterpret_cast<const char*>(p), width(f.kind)});
        if (tagged) head(f, wire_type(f.kind), size() - end);
    }
};
}  // namespace detail

/// The message's bytes, appended to `out`.
///
/// Cost      one pass, one copy
template <class M> void encode(const M& message, std::string& out) {
    out += detail::Encoder().encode(message);
}
template <class M> std::string encode(const M& message) {
    std::string out;
    encode(message, out);
    return out;
}

/// The message that `bytes` hold; `name` says in errors where they come from.
///
/// Values    no bytes are a message with nothing set
/// Errors    FormatError "model.meta: MetaGraphDef.graph_def.node[3].attr[0]: 300 bytes are announced, 12 are left (byte 4711)"
template <class M> M decode(std::string_view bytes, std::string_view name = "message") {
    M message{};
    detail::Decoder(bytes, name).document(bytes, &message, message_of<M>());
    return message;
}

}  // namespace tenon::proto
