// Graphs in files: MetaGraphDef (`.meta`), GraphDef (`.pb`, `.pbtxt`) and SavedModel (`saved_model.pb`), each binary, as JSON or as text.
#pragma once
#include "../io/json.hpp"
#include "../io/proto.hpp"
#include "../io/text.hpp"
#include "meta_graph_def.hpp"

namespace tenon {

/// How a graph is written. TensorFlow's own importers read binary and text; json is for everybody else's eyes and tools.
enum class MetaFormat { json, binary, text };

namespace proto {

/// A message in whichever format. Binary ones have control characters (0x12, the second field, is one), JSON and text have none; JSON begins with a brace.
///
/// Errors    FormatError: that of the format that the bytes look like
template <class M> M read_any_format(std::string_view bytes, std::string_view name) {
    const bool binary = std::any_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 && (c < '\t' || c > '\r'); });
    if (binary) return decode<M>(bytes, name);
    const auto start = bytes.find_first_not_of(" \t\r\n");
    return start != bytes.npos && bytes[start] == '{' ? from_json<M>(bytes, name) : from_text<M>(bytes, name);
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

template <class M> std::string write_in(const M& message, MetaFormat format) {
    switch (format) {
        case MetaFormat::json: return to_json(message, {.pretty = true}) + "\n";
        case MetaFormat::text: return to_text(message);
        default: return encode(message);
    }
}
/// Errors    FormatError if JSON or text cannot keep all of it: fields that this library does not know
inline std::string write_meta(const MetaGraphDef& meta, MetaFormat format) { return write_in(meta, format); }
inline std::string write_graph(const GraphDef& graph, MetaFormat format) { return write_in(graph, format); }

}  // namespace proto
}  // namespace tenon
