// Sentences for errors, put together at run time. (`Reason` of dims.hpp is for those that the compiler may have to say.)
#pragma once
#include "dims.hpp"
#include "dtype.hpp"

#include <concepts>
#include <vector>

namespace tenon {

/// The extents of a tensor of any rank, as files have them; `Dims` ends at 8.
using Extents = std::vector<std::int64_t>;

inline std::string to_string(const Extents& shape) {
    std::string s = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) s += (i ? "," : "") + std::to_string(shape[i]);
    return s + "]";
}

namespace detail {
template <class T> void put_word(std::string& s, const T& part) {
    if constexpr (std::convertible_to<const T&, std::string_view>) s += std::string_view(part);
    else if constexpr (std::integral<T>) s += std::to_string(part);
    else if constexpr (std::same_as<T, DType>) s += name_of(part);
    else if constexpr (requires { part.text(); }) s += part.text();
    else s += to_string(part);
}
}  // namespace detail

/// The parts as one text: words, integers, dtypes, extents, and what has a `text()`.
///
///     throw CorruptError(sentence(path, ": ", name, " has ", bytes, " bytes"));
template <class... Part> std::string sentence(const Part&... part) {
    std::string s;
    (detail::put_word(s, part), ...);
    return s;
}

}  // namespace tenon
