// Graphs in files: MetaGraphDef (`.meta`), GraphDef (`.pb`, `.pbtxt`) and SavedModel (`saved_model.pb`), each binary, as JSON or as text.
#pragma once
#include "../io/json.hpp"
#include "meta_writing.hpp"

namespace tenon {

namespace proto {

/// The format that the bytes look like. Binary ones have control characters (0x12, the second field, is one), JSON and text have none; JSON begins with a brace.
inline MetaFormat format_of(std::string_view bytes) {
    if (std::any_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 && (c < '\t' || c > '\r'); })) return MetaFormat::binary;
    const auto start = bytes.find_first_not_of(" \t\r\n");
    return start != bytes.npos && bytes[start] == '{' ? MetaFormat::json : MetaFormat::text;
}
/// A message in whichever format.
///
/// Errors    FormatError: that of the format that the bytes look like
template <class M> M read_any_format(std::string_view bytes, std::string_view name) {
    switch (format_of(bytes)) {
        case MetaFormat::json: return from_json<M>(bytes, name);
        case MetaFormat::text: return from_text<M>(bytes, name);
        default: return decode<M>(bytes, name);
    }
}

/// The MetaGraphDef that a `.meta` file holds, in whichever format.
///
/// Values    an empty file is a MetaGraphDef with nothing set
/// Errors    FormatError
inline MetaGraphDef read_meta(std::string_view bytes, std::string_view name) { return read_any_format<MetaGraphDef>(bytes, name); }
/// The graph of a `.pb` or `.pbtxt` file.
inline GraphDef read_graph(std::string_view bytes, std::string_view name) { return read_any_format<GraphDef>(bytes, name); }
/// The graphs of a `saved_model.pb` or `saved_model.pbtxt` file.
inline SavedModel read_saved_model(std::string_view bytes, std::string_view name) { return read_any_format<SavedModel>(bytes, name); }

}  // namespace proto
}  // namespace tenon
