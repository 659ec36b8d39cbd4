// How graphs are written: binary, as JSON or as text. Reading them is meta_file.hpp, apart from this, since programs that only save need no reader.
#pragma once
#include "../io/json_writer.hpp"
#include "../io/proto.hpp"
#include "../io/text.hpp"
#include "meta_format.hpp"
#include "meta_graph_def.hpp"

namespace tenon {

namespace proto {

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
