// Protobuf's text format, over the tables of message.hpp: what a `.pbtxt` and the state file `checkpoint` are written in.
//
//     field     name: value        name { field* }       name < field* >       name: [value, value]
//     value     12  -0x1f  017     1.5  1e-05f  -inf  nan     true  t  1     DT_FLOAT     "text" 'text', adjacent ones are one
//     escapes   \a \b \f \n \r \t \v \\ \' \" \ooo \xhh \uhhhh; another \q stays as it is
//     map       one field {key: .. value: ..} per entry
//     # comments; a field may end with , or ;
//
// Of a single field that occurs several times the last wins, as in TensorFlow's readers. Names that are not in the table are refused.
//
// Source    protobuf.dev/reference/protobuf/textformat-spec
#pragma once
#include "utf8.hpp"
#include "walk.hpp"

namespace tenon::proto {
namespace detail {

class TextReader {
    const char *const begin_, *p_, *const end_;
    std::string_view file_;

public:
    TextReader(std::string_view text, std::string_view file) : begin_(text.data()), p_(begin_), end_(begin_ + text.size()), file_(file) {}

    void document(void* into, const Message& table) {
        if (read(into, table, '\0', nullptr, 1)) settle(into, table);
    }

private:
    /// Fields up to `last`, or to the end of the text. Answers whether there are maps to settle.
    bool read(void* into, const Message& table, char last, const Path* up, int depth) {
        Path path{up, &table};
        if (depth > max_depth) fail(path, "messages are nested more than " + std::to_string(max_depth) + " deep");
        bool maps = false;
        for (std::size_t hint = 0; !(last ? accept(last) : at_end());) {
            path.field = nullptr;
            if (peek() == '[') fail(path, "an extension or expanded Any, which is not read");
            const auto name = word();
            if (name.empty()) fail(path, at_end() ? "the message does not end" : "the name of a field is expected");
            const auto* const f = find(table, name, hint);
            if (!f) fail(path, "there is no field '" + std::string(name) + "'");
            path.field = f;
            maps |= f->presence == Presence::map;
            if (f->in_oneof) table.choose(into, *f);
            maps |= field(*f, f->member(into), path, depth);
            if (!accept(',')) accept(';');
        }
        return maps;
    }
    [[noreturn]] void fail(const Path& path, const std::string& what) const {
        const auto line = std::count(begin_, p_, '\n') + 1;
        const auto* start = p_;
        while (start > begin_ && start[-1] != '\n') --start;
        throw FormatError(std::string(file_) + ": " + path.text() + ": " + what + " (line " + std::to_string(line) + ", column " + std::to_string(p_ - start + 1) + ")");
    }
    static const Field* find(const Message& table, std::string_view name, std::size_t& hint) {
        for (std::size_t tried = 0; tried < table.fields.size(); ++tried, ++hint) {
            if (hint >= table.fields.size()) hint = 0;
            if (table.fields[hint].name == name) return &table.fields[hint];
        }
        return nullptr;
    }
    /// The next character that is neither white space nor in a comment; 0 at the end.
    char peek() {
        while (p_ < end_) {
            if (*p_ == '#') while (p_ < end_ && *p_ != '\n') ++p_;
            else if (*p_ == ' ' || (*p_ >= '\t' && *p_ <= '\r')) ++p_;
            else return *p_;
        }
        return '\0';
    }
    bool at_end() { return peek() == '\0' && p_ == end_; }
    bool accept(char c) {
        if (peek() != c || p_ == end_) return false;
        ++p_;
        return true;
    }
    /// A name or number without its sign; empty if there is none.
    std::string_view word() {
        peek();
        const auto* const start = p_;
        const bool number = p_ < end_ && ((*p_ >= '0' && *p_ <= '9') || *p_ == '.');
        for (; p_ < end_; ++p_) {
            const char c = *p_;
            const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
            const bool sign = (c == '+' || c == '-') && p_ > start && (p_[-1] == 'e' || p_[-1] == 'E');
            if (!letter && !(number && (c == '.' || sign))) break;
        }
        return {start, static_cast<std::size_t>(p_ - start)};
    }

    bool field(const Field& f, void* member, Path& path, int depth) {
        const bool many = f.presence >= Presence::repeated;
        if (many) path.index = f.access->view(member).count;
        const bool colon = accept(':');
        if (!colon && f.kind != Kind::message) fail(path, "':' is expected");
        if (!many || !accept('[')) return value(f, f.access->add(member, 1), path, depth);
        if (accept(']')) return false;
        do {
            value(f, f.access->add(member, 1), path, depth);
            ++path.index;
        } while (accept(','));
        if (!accept(']')) fail(path, "']' is expected");
        return false;
    }
    bool value(const Field& f, void* to, Path& path, int depth) {
        if (f.kind == Kind::message) {
            const bool brace = accept('{');
            if (!brace && !accept('<')) fail(path, "'{' is expected");
            const bool maps = read(to, f.message(), brace ? '}' : '>', &path, depth + 1), many = f.presence >= Presence::repeated;
            if (maps && many) settle(to, f.message());
            return maps && !many;
        }
        if (!is_number(f.kind)) {
            string(f, *static_cast<std::string*>(to), path);
            return false;
        }
        std::string text = accept('-') ? "-" : "";
        text += word();
        if (!number(f, text, to)) fail(path, text.empty() ? "a value is expected" : text + " does not fit the field");
        return false;
    }
    static bool number(const Field& f, std::string_view text, void* to) {
        switch (f.kind) {
            case Kind::boolean: {
                const bool yes = text == "true" || text == "True" || text == "t" || text == "1";
                store_integer(f.kind, to, yes);
                return yes || text == "false" || text == "False" || text == "f" || text == "0";
            }
            case Kind::enumeration: return parse_enumerator(f, text, to);
            case Kind::float32:
            case Kind::float64:
                if (text.size() > 1 && (text.ends_with('f') || text.ends_with('F')) && !text.ends_with("inf")) text.remove_suffix(1);
                return parse_float(f.kind, text, to);
            default: {
                const bool minus = text.starts_with('-');
                const auto digits = text.substr(minus);
                const bool hex = digits.starts_with("0x") || digits.starts_with("0X"), octal = !hex && digits.size() > 1 && digits[0] == '0';
                const auto plain = (minus ? "-" : "") + std::string(digits.substr(hex ? 2 : 0));
                return parse_integer(f.kind, plain, to, hex ? 16 : octal ? 8 : 10);
            }
        }
    }

    void string(const Field& f, std::string& s, const Path& path) {
        s.clear();
        if (peek() != '"' && peek() != '\'') fail(path, "a string is expected");
        while (peek() == '"' || peek() == '\'') {
            const char quote = *p_++;
            for (;;) {
                if (p_ == end_ || *p_ == '\n') fail(path, "a string does not end");
                const char c = *p_++;
                if (c == quote) break;
                if (c == '\\') escape(s, path);
                else s += c;
            }
        }
        if (f.kind == Kind::string && !valid_utf8(s)) fail(path, "the text is not UTF-8");
    }
    std::uint32_t digits(int most, int base) {
        std::uint32_t v = 0;
        const auto* const last = end_ - p_ < most ? end_ : p_ + most;
        p_ = std::from_chars(p_, last, v, base).ptr;
        return v;
    }
    void escape(std::string& s, const Path& path) {
        if (p_ == end_) fail(path, "a string does not end");
        const char c = *p_;
        const auto* const start = p_;
        if (c >= '0' && c <= '7') {
            const auto v = digits(3, 8);
            if (v > 255) fail(path, "an octal escape exceeds a byte");
            s += static_cast<char>(v);
            return;
        }
        ++p_;
        if (const auto i = std::string_view("abfnrtv\\'\"").find(c); i != std::string_view::npos) s += "\a\b\f\n\r\t\v\\'\""[i];
        else if (c == 'x') {
            const auto v = digits(2, 16);
            if (p_ == start + 1) fail(path, "hexadecimal digits are expected");
            s += static_cast<char>(v);
        } else if (c == 'u') {
            const auto v = digits(4, 16);
            if (p_ != start + 5 || (v >= 0xD800 && v <= 0xDFFF)) fail(path, "four hexadecimal digits of a character are expected");
            put_utf8(s, v);
        } else if (c == '\n') fail(path, "a string does not end");
        else (s += '\\') += c;
    }
};

class TextWriter {
    std::string& out_;
    std::size_t level_ = 0;

public:
    explicit TextWriter(std::string& out) : out_(out) {}

    void write(const void* message, const Message& table, const Path* up) {
        Path path{up, &table};
        if (const auto* const unknown = table.unknown(message); unknown && *unknown)
            throw FormatError(path.text() + " holds fields that have no name here, which text cannot keep; write the binary format");
        for (const auto& f : table.fields) {
            const auto e = f.elements(message);
            if (is_left_out(f, e)) continue;
            path.field = &f;
            for (path.index = 0; path.index < e.count; ++path.index) {
                out_.append(2 * level_, ' ').append(f.name);
                value(f, e.first + path.index * f.access->stride, path);
                out_ += '\n';
            }
        }
    }

private:
    void value(const Field& f, const void* p, const Path& path) {
        if (f.kind == Kind::message) {
            out_ += " {\n";
            ++level_;
            write(p, f.message(), &path);
            --level_;
            out_.append(2 * level_, ' ') += '}';
            return;
        }
        out_ += ": ";
        switch (f.kind) {
            case Kind::string:
            case Kind::bytes: return string(text_at(p), f.kind == Kind::string);
            case Kind::boolean: out_ += load_integer(f.kind, p) ? "true" : "false"; return;
            case Kind::float32:
            case Kind::float64: return put_float(out_, f.kind, p, "inf", "nan");
            case Kind::enumeration:
                if (const auto name = enumerator_name(f, load<std::int32_t>(p)); !name.empty()) {
                    out_ += name;
                    return;
                }
                [[fallthrough]];
            default: put_integer(out_, f.kind, p);
        }
    }
    void string(std::string_view s, bool utf8) {
        out_ += '"';
        for (const char c : s) {
            const auto byte = static_cast<unsigned char>(c);
            if (const auto i = std::string_view("\n\r\t\"'\\").find(c); i != std::string_view::npos) (out_ += '\\') += "nrt\"'\\"[i];
            else if (byte >= 0x20 && byte != 0x7F && (utf8 || byte < 0x80)) out_ += c;
            else for (out_ += '\\'; const int shift : {6, 3, 0}) out_ += static_cast<char>('0' + (byte >> shift & 7));
        }
        out_ += '"';
    }
};
}  // namespace detail

/// The message as text, a line per field, which protobuf's own parsers read.
///
/// Errors    FormatError if the message holds unknown fields, which text cannot keep
template <class M> std::string to_text(const M& message) {
    std::string out;
    detail::TextWriter(out).write(&message, message_of<M>(), nullptr);
    return out;
}

/// The message that `text` holds; `name` says in errors where it comes from.
///
/// Errors    FormatError "model.meta: MetaGraphDef.graph_def.node[3]: there is no field 'nam' (line 7, column 20)"
template <class M> M from_text(std::string_view text, std::string_view name = "message") {
    M message{};
    detail::TextReader(text, name).document(&message, message_of<M>());
    return message;
}

}  // namespace tenon::proto
