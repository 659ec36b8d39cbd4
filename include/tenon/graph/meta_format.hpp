// How graphs are written: as JSON, binary or as text.
#pragma once

namespace tenon {

/// TensorFlow's own importers read binary and text; json is for everybody else's eyes and tools.
enum class MetaFormat { json, binary, text };

}  // namespace tenon
