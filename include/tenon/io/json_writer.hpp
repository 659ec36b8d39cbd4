// Protobuf's JSON mapping, written from the tables of message.hpp.
//
//     names     lowerCamelCase; keys of maps are data and stay as they are
//     int64     a string, "-1"; 32 bits a number
//     float     the shortest digits that come back; "NaN", "Infinity", "-Infinity"
//     bytes     base64
//     enum      its name, or the number if it has none
//     map       an object, in the order of the keys
//
// Source    protobuf.dev/programming-guides/json
#pragma once
#include "base64.hpp"
#include "walk.hpp"

namespace tenon::proto {

struct JsonOptions {
    bool pretty = false;  ///< a line per member, indented by two spaces
};

namespace detail {
/// `max_to_keep` as `maxToKeep`.
inline void put_json_name(std::string& out, std::string_view name) {
    for (std::size_t i = 0; i < name.size(); ++i) {
        const bool raise = name[i] == '_' && i + 1 < name.size();
        if (raise) ++i;
        out += raise && name[i] >= 'a' && name[i] <= 'z' ? static_cast<char>(name[i] - 'a' + 'A') : name[i];
    }
}
inline void put_json_string(std::string& out, std::string_view s) {
    out += '"';
    for (const char c : s) {
        if (c == '"' || c == '\\') (out += '\\') += c;
        else if (static_cast<unsigned char>(c) >= 0x20) out += c;
        else if (const auto i = std::string_view("\b\t\n\f\r").find(c); i != std::string_view::npos) (out += '\\') += "btnfr"[i];
        else ((out += "\\u00") += "01"[c >> 4]) += "0123456789abcdef"[c & 15];
    }
    out += '"';
}

class JsonWriter {
    std::string& out_;
    JsonOptions options_;
    std::size_t level_ = 0;

public:
    JsonWriter(std::string& out, JsonOptions options) : out_(out), options_(options) {}

    void write(const void* message, const Message& table, const Path* up) {
        Path path{up, &table};
        if (const auto* const unknown = table.unknown(message); unknown && *unknown) fail(path, "holds fields that have no name here, which JSON cannot keep");
        if (table.name == "google.protobuf.Any" && std::any_of(table.fields.begin(), table.fields.end(), [&](const Field& f) { return !is_left_out(f, f.elements(message)); }))
            fail(path, "is a message of any type, which JSON cannot keep");
        bool first = true;
        open('{');
        for (const auto& f : table.fields) {
            const auto elements = f.elements(message);
            if (is_left_out(f, elements)) continue;
            next(first);
            out_ += '"';
            put_json_name(out_, f.name);
            out_ += options_.pretty ? "\": " : "\":";
            path.field = &f;
            if (f.presence == Presence::map) map(f, elements, path);
            else if (f.presence == Presence::repeated) array(f, elements, path);
            else value(f, elements.first, path);
        }
        close('}', first);
    }

private:
    [[noreturn]] void fail(const Path& path, const std::string& what) const { throw FormatError(path.text() + " " + what + "; write the binary format"); }
    void open(char c) {
        out_ += c;
        ++level_;
    }
    void close(char c, bool empty) {
        --level_;
        if (!empty) line();
        out_ += c;
    }
    void line() {
        if (options_.pretty) out_.append("\n").append(2 * level_, ' ');
    }
    void next(bool& first) {
        if (!first) out_ += ',';
        first = false;
        line();
    }
    void array(const Field& f, const Elements& e, Path& path) {
        bool first = true;
        open('[');
        for (path.index = 0; path.index < e.count; ++path.index) {
            next(first);
            value(f, e.first + path.index * f.access->stride, path);
        }
        close(']', first);
    }
    void map(const Field& f, const Elements& e, const Path& at) {
        const auto& entry = f.message();
        const auto &key = entry.fields[0], &content = entry.fields[1];
        bool first = true;
        Path path = at;
        open('{');
        for (std::size_t i = 0; i < e.count; ++i) {
            const auto* const p = e.first + i * f.access->stride;
            const auto* const k = key.member(p);
            next(first);
            if (key.kind == Kind::string) put_json_string(out_, path.key = text_at(k));
            else {
                out_ += '"';
                put_integer(out_, key.kind, k);
                out_ += '"';
                path.index = i;
            }
            out_ += options_.pretty ? ": " : ":";
            value(content, content.member(p), path);
        }
        close('}', first);
    }
    void value(const Field& f, const void* p, const Path& path) {
        switch (f.kind) {
            case Kind::message: return write(p, f.message(), &path);
            case Kind::string: return put_json_string(out_, text_at(p));
            case Kind::bytes:
                out_ += '"';
                put_base64(out_, text_at(p));
                out_ += '"';
                return;
            case Kind::boolean: out_ += load_integer(f.kind, p) ? "true" : "false"; return;
            case Kind::float32:
            case Kind::float64: {
                const double v = f.kind == Kind::float32 ? double{load<float>(p)} : load<double>(p);
                const auto* const quote = std::isfinite(v) ? "" : "\"";
                out_ += quote;
                put_float(out_, f.kind, p, "Infinity", "NaN");
                out_ += quote;
                return;
            }
            case Kind::enumeration:
                if (const auto name = enumerator_name(f, load<std::int32_t>(p)); !name.empty()) return put_json_string(out_, name);
                return put_integer(out_, f.kind, p);
            default:
                if (is_wide(f.kind)) out_ += '"';
                put_integer(out_, f.kind, p);
                if (is_wide(f.kind)) out_ += '"';
        }
    }
};
}  // namespace detail

/// The message as JSON, which protobuf's own parsers read.
///
/// Errors    FormatError if the message holds what JSON cannot keep: unknown fields, an Any
template <class M> std::string to_json(const M& message, JsonOptions options = {}) {
    std::string out;
    detail::JsonWriter(out, options).write(&message, message_of<M>(), nullptr);
    return out;
}

}  // namespace tenon::proto
