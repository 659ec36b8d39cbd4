// Names only, for headers that pass these things on.
#pragma once
#include <cstdint>

namespace tenon {

enum class DType : std::int32_t;
struct Dims;
template <std::int64_t... N> struct Shape;
struct Unranked;
class Tensor;

struct Operation;
struct Output;
template <class T, class S> struct Node;
template <class T, class S> struct Variable;
template <class T, class S> struct Placeholder;
class Graph;

class Session;
class Callable;
struct Feed;

class Saver;
struct SaverOptions;
struct SaveOptions;
struct RestoreReport;
struct ImportedModel;

}  // namespace tenon
