// Everything that tenon throws, named for the defect. Each message is a sentence; what was being done when it was met
// leaves everything as it was before.
#pragma once
#include <stdexcept>
#include <string>

namespace tenon {

/// The root of what tenon throws.
struct Error : std::runtime_error { using std::runtime_error::runtime_error; };

struct ShapeError : Error { using Error::Error; };        ///< extents that do not fit each other
struct TypeError : Error { using Error::Error; };         ///< an element type where another is wanted
struct ValueError : Error { using Error::Error; };        ///< an argument or element out of its range
struct NameError : Error { using Error::Error; };         ///< a node, tensor or key that does not exist, or exists twice
struct FeedError : Error { using Error::Error; };         ///< a placeholder that is not fed, a feed that fits nothing
struct GradientError : Error { using Error::Error; };     ///< a path through an op that has no gradient
struct UnsupportedError : Error { using Error::Error; };  ///< an op or element type that tenon has no kernel for
struct RestoreError : Error { using Error::Error; };      ///< a checkpoint that does not fit the graph; the message lists every difference

/// A file that cannot be used. The message starts with the path.
struct FileError : Error { using Error::Error; };
struct MissingFileError : FileError { using FileError::FileError; };  ///< it is not there
struct CorruptError : FileError { using FileError::FileError; };      ///< its bytes contradict themselves: checksum, length, magic number
struct FormatError : FileError { using FileError::FileError; };       ///< its text or message does not parse

}  // namespace tenon
