// Protobuf's JSON mapping, read into the tables of message.hpp in one pass. Written by json_writer.hpp, which shows it.
//
// Also read, as protobuf's parsers do: a field by its name in the schema (`max_to_keep`); numbers in strings, integers as "3.0" or 1e3;
// enumerators by number; url-safe base64; null for a field that is not set. Refused: names that are not in the table, keys that occur twice,
// two members of a oneof, null inside arrays and maps, numbers out of range.
//
// Not nlohmann's parser: its values would forget keys that occur twice, and ask for a second walk; this is a quarter of its time to compile.
#pragma once
#include "json_writer.hpp"
#include "utf8.hpp"

namespace tenon::proto {

struct JsonReadOptions {
    bool ignore_unknown = false;  ///< pass over names that are not in the table
};

namespace detail {
/// Takes the messages of one repeated field, one after the other, so that they are not all there at once.
struct Taker {
    const Field* field;
    virtual ~Taker() = default;
    virtual void clear() = 0;
    virtual void* fresh() = 0;  ///< an empty message
    virtual void take() = 0;    ///< it has been read
};

class JsonReader {
    const char *const begin_, *p_, *const end_;
    std::string_view file_;
    JsonReadOptions options_;
    Taker* taker_;

public:
    JsonReader(std::string_view text, std::string_view file, JsonReadOptions options, Taker* taker = nullptr)
        : begin_(text.data()), p_(begin_), end_(begin_ + text.size()), file_(file), options_(options), taker_(taker) {}

    void document(void* into, const Message& table) {
        read(into, table, nullptr, 1);
        if (peek() != '\0' || p_ != end_) fail({nullptr, &table}, "there is more text behind the message");
    }

private:
    [[noreturn]] void fail(const Path& path, const std::string& what) const {
        const auto line = std::count(begin_, p_, '\n') + 1;
        const auto* start = p_;
        while (start > begin_ && start[-1] != '\n') --start;
        throw FormatError(std::string(file_) + ": " + path.text() + ": " + what + " (line " + std::to_string(line) + ", column " + std::to_string(p_ - start + 1) + ")");
    }
    /// The next character that is not white space; 0 at the end.
    char peek() {
        while (p_ < end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
        return p_ < end_ ? *p_ : '\0';
    }
    bool accept(char c) {
        if (peek() != c || p_ == end_) return false;
        ++p_;
        return true;
    }
    void expect(char c, const Path& path) {
        if (!accept(c)) fail(path, std::string("'") + c + "' is expected");
    }
    bool accept_word(std::string_view word) {
        peek();
        if (!std::string_view(p_, static_cast<std::size_t>(end_ - p_)).starts_with(word)) return false;
        p_ += word.size();
        return true;
    }

    std::uint32_t hex4(const Path& path) {
        std::uint32_t v = 0;
        const auto* const last = end_ - p_ < 4 ? end_ : p_ + 4;
        if (const auto [at, error] = std::from_chars(p_, last, v, 16); at != p_ + 4 || error != std::errc{}) fail(path, "four hexadecimal digits are expected");
        p_ += 4;
        return v;
    }
    void escape(std::string& s, const Path& path) {
        if (p_ == end_) fail(path, "a string does not end");
        const char c = *p_++;
        if (const auto i = std::string_view("\"\\/bfnrt").find(c); i != std::string_view::npos) s += "\"\\/\b\f\n\r\t"[i];
        else if (c == 'u') {
            auto code = hex4(path);
            if (code >= 0xD800 && code < 0xDC00 && end_ - p_ >= 2 && p_[0] == '\\' && p_[1] == 'u') {
                p_ += 2;
                const auto low = hex4(path);
                if (low < 0xDC00 || low > 0xDFFF) fail(path, "half a surrogate pair");
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            } else if (code >= 0xD800 && code <= 0xDFFF) fail(path, "half a surrogate pair");
            put_utf8(s, code);
        } else fail(path, "an escape that JSON does not have");
    }
    void string(std::string& s, const Path& path) {
        expect('"', path);
        s.clear();
        for (;;) {
            const auto* const start = p_;
            while (p_ < end_ && *p_ != '"' && *p_ != '\\' && static_cast<unsigned char>(*p_) >= 0x20) ++p_;
            s.append(start, p_);
            if (p_ == end_) fail(path, "a string does not end");
            const char c = *p_++;
            if (c == '"') break;
            if (c != '\\') fail(path, "a control character in a string");
            escape(s, path);
        }
        if (!valid_utf8(s)) fail(path, "the text is not UTF-8");
    }
    /// A number as it stands, of JSON's form.
    std::string_view number(const Path& path) {
        peek();
        const auto* const start = p_;
        const auto digits = [&] {
            const auto* const first = p_;
            while (p_ < end_ && *p_ >= '0' && *p_ <= '9') ++p_;
            return p_ > first;
        };
        const auto next = [&](std::string_view any) { return p_ < end_ && any.find(*p_) != any.npos && (++p_, true); };
        next("-");
        bool good = next("0") || digits();
        if (next(".")) good &= digits();
        if (next("eE")) {
            next("+-");
            good &= digits();
        }
        if (!good) fail(path, "a number is expected");
        return {start, static_cast<std::size_t>(p_ - start)};
    }

    void skip(const Path& path, int depth) {
        if (depth > max_depth) fail(path, "values are nested too deep");
        std::string s;
        if (const char c = peek(); c == '"') string(s, path);
        else if (c == '{' || c == '[') {
            const char last = c == '{' ? '}' : ']';
            ++p_;
            if (accept(last)) return;
            do {
                if (c == '{') {
                    string(s, path);
                    expect(':', path);
                }
                skip(path, depth + 1);
            } while (accept(','));
            expect(last, path);
        } else if (!accept_word("null") && !accept_word("true") && !accept_word("false")) number(path);
    }

    void read(void* into, const Message& table, const Path* up, int depth) {
        Path path{up, &table};
        if (depth > max_depth) fail(path, "messages are nested more than " + std::to_string(max_depth) + " deep");
        expect('{', path);
        if (accept('}')) return;
        if (table.name == "google.protobuf.Any") fail(path, "a message of any type cannot be read from JSON");
        std::string key, name;
        std::uint64_t seen[2]{};  // by the JSON name and by the schema's: both together are allowed, the last wins
        const Field* chosen = nullptr;
        do {
            path.field = nullptr;
            string(key, path);
            expect(':', path);
            std::size_t row = 0;
            for (; row < table.fields.size(); ++row) {
                name.clear();
                put_json_name(name, table.fields[row].name);
                if (key == name || key == table.fields[row].name) break;
            }
            if (row == table.fields.size()) {
                if (!options_.ignore_unknown) fail(path, "there is no field '" + key + "'");
                skip(path, depth);
                continue;
            }
            const auto& f = table.fields[row];
            auto& mask = seen[key == name];
            if (mask >> row & 1) fail(path, "'" + key + "' occurs twice");
            mask |= std::uint64_t{1} << row;
            if (accept_word("null")) continue;
            path.field = &f;
            if (f.in_oneof) {
                if (chosen && chosen != &f) fail(path, "'" + std::string(chosen->name) + "' excludes it");
                chosen = &f;
                table.choose(into, f);
            }
            field(f, f.member(into), path, depth);
        } while (accept(','));
        path.field = nullptr;
        expect('}', path);
    }
    void field(const Field& f, void* member, Path& path, int depth) {
        const auto& access = *f.access;
        path.index = 0;
        path.key = {};
        if (f.presence == Presence::map) return map(f, member, path, depth);
        if (f.presence != Presence::repeated) return value(f, access.add(member, 1), path, depth);
        Taker* const taker = taker_ && taker_->field == &f ? taker_ : nullptr;
        taker ? taker->clear() : access.clear(member);
        expect('[', path);
        if (accept(']')) return;
        for (;; ++path.index) {
            value(f, taker ? taker->fresh() : access.add(member, 1), path, depth);
            if (taker) taker->take();
            if (!accept(',')) break;
        }
        expect(']', path);
    }
    void map(const Field& f, void* member, Path& path, int depth) {
        const auto& access = *f.access;
        const auto& entry = f.message();
        const auto &key = entry.fields[0], &content = entry.fields[1];
        access.clear(member);
        expect('{', path);
        if (accept('}')) return;
        std::string name;
        std::size_t entries = 0;
        do {
            path.key = {};
            string(name, path);
            path.key = name;
            auto* const p = access.add(member, 1);
            ++entries;
            if (key.kind == Kind::string) *static_cast<std::string*>(key.member(p)) = name;
            else if (!parse_integer(key.kind, name, key.member(p))) fail(path, "the key is not a number");
            expect(':', path);
            value(content, content.member(p), path, depth + 1);  // an entry is a message of its own, and no deeper may be read than can be written
        } while (accept(','));
        path.key = {};
        expect('}', path);
        access.settle(member);
        if (access.view(member).count != entries) fail(path, "a key occurs twice");
    }
    void value(const Field& f, void* to, Path& path, int depth) {
        if (f.kind == Kind::message) return read(to, f.message(), &path, depth + 1);
        if (f.kind == Kind::string) return string(*static_cast<std::string*>(to), path);
        if (f.kind == Kind::boolean) {
            const bool yes = accept_word("true");
            if (!yes && !accept_word("false")) fail(path, "true or false is expected");
            return store_integer(f.kind, to, yes);
        }
        std::string text;
        const bool quoted = peek() == '"';
        if (quoted) string(text, path);
        else if (f.kind == Kind::bytes) fail(path, "a string is expected");
        else text = number(path);
        if (f.kind == Kind::bytes) {
            if (!decode_base64(text, *static_cast<std::string*>(to))) fail(path, "the string is not base64");
        } else if (f.kind == Kind::float32 || f.kind == Kind::float64) {
            if (!(quoted && special(f.kind, text, to)) && (text.find_first_of("nN") != text.npos || !parse_float(f.kind, text, to))) fail(path, text + " is no " + (f.kind == Kind::float32 ? "float" : "double"));
        } else if (!(f.kind == Kind::enumeration && quoted ? parse_enumerator(f, text, to) : integer(f.kind, text, to))) {
            fail(path, text + " is no " + (f.kind == Kind::enumeration ? "enumerator" : is_unsigned(f.kind) ? is_wide(f.kind) ? "uint64" : "uint32" : is_wide(f.kind) ? "int64" : "int32"));
        }
    }
    static bool special(Kind kind, std::string_view text, void* to) {
        const bool minus = text.starts_with("-");
        double v = std::numeric_limits<double>::infinity();
        if (text == "NaN") v = std::numeric_limits<double>::quiet_NaN();
        else if (text.substr(minus) != "Infinity") return false;
        if (minus) v = -v;
        if (kind == Kind::float32) store(to, static_cast<float>(v));
        else store(to, v);
        return true;
    }
    /// 5, and also 5.0 and 5e3, if it is whole.
    static bool integer(Kind kind, std::string_view text, void* to) {
        if (parse_integer(kind, text, to)) return true;
        double v;
        if (!parse_float(text, v) || std::trunc(v) != v || std::abs(v) > 9007199254740992.0) return false;
        return parse_integer(kind, std::to_string(static_cast<std::int64_t>(v)), to);
    }
};
}  // namespace detail

/// The message that JSON `text` holds; `name` says in errors where it comes from.
///
/// Errors    FormatError "model.meta: MetaGraphDef.graph_def.node[3].attr['T']: there is no field 'typ' (line 7, column 20)"
template <class M> M from_json(std::string_view text, std::string_view name = "message", JsonReadOptions options = {}) {
    static_assert(decltype(M::table().fields)().size() <= 64, "a bit per field says which were seen");
    M message{};
    detail::JsonReader(text, name, options).document(&message, message_of<M>());
    return message;
}
/// The same, but for the elements of `P`, a repeated message, wherever in M it is: `list.add(element)` is called for each of them, and `list.clear()` where they begin.
template <class M, auto P, class List> M from_json_but(std::string_view text, std::string_view name, List& list) {
    struct Taker final : detail::Taker {
        typename detail::Holder<typename detail::Pointee<decltype(P)>::member>::element element{};
        List* list{};
        void clear() override { list->clear(); }
        void* fresh() override { return &(element = {}); }
        void take() override { list->add(element); }
    } taker;
    taker.field = &field_of<P>();
    taker.list = &list;
    M message{};
    detail::JsonReader(text, name, {}, &taker).document(&message, message_of<M>());
    return message;
}

}  // namespace tenon::proto
