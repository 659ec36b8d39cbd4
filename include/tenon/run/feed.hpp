// What a run is given: tensors of the graph with values to use instead of computing them.
#pragma once
#include "../expr/node.hpp"

#include <span>

namespace tenon {

/// A tensor of the graph and its value in this run. The elements are read where they are.
struct Feed {
    Output of;
    Tensor value;
    bool known = false;  ///< shape rules may read the elements; then a plan holds for these elements only
};
/// A fetch or feed by name, "op:0" or "op", for graphs that have names.
struct NamedFeed {
    std::string name;
    Tensor value;
};

namespace detail {
template <class = void> Tensor borrowed(DType t, const Dims& d, const void* data) { return Tensor(t, d, const_cast<void*>(data), nullptr); }
template <class T> Tensor scalar_or_filled(const Dims& d, T value) {
    if (!d.known() && d.ranked() && d.rank > 0) throw FeedError("[feed] a single number for a tensor " + to_string(d));
    Tensor t(dtype_of<T>, d.ranked() ? d : Dims{});
    std::fill_n(t.data<T>(), t.size(), value);
    return t;
}
}  // namespace detail

template <class = void> Feed feed(const Output& of, Tensor value) { return {of, std::move(value)}; }
template <class = void> NamedFeed feed(std::string name, Tensor value) { return {std::move(name), std::move(value)}; }
template <class N> requires std::is_arithmetic_v<N> NamedFeed feed(std::string name, N value) { return {std::move(name), Tensor::scalar(value)}; }
/// A number for a scalar.
template <class T, class S, class N> requires std::is_arithmetic_v<N> Feed feed(const Node<T, S>& of, N value) {
    return {of, detail::scalar_or_filled<T>(of.dims(), static_cast<T>(value))};
}
/// Elements that the caller keeps until the run is over, with their extents: `feed(images, pixels, {64, 784})`.
template <class T, class S> Feed feed(const Node<T, S>& of, std::type_identity_t<std::span<const T>> elements, const Dims& dims) {
    if (dims.size() != static_cast<std::int64_t>(elements.size())) throw FeedError("[feed] " + std::to_string(elements.size()) + " elements for " + to_string(dims));
    return {of, detail::borrowed(dtype_of<T>, dims, elements.data())};
}
/// The same with the extents of the type; one of them may be dyn, the batch say: it is as large as there are elements.
template <class T, class S> Feed feed(const Node<T, S>& of, std::type_identity_t<std::span<const T>> elements) {
    Dims dims = S::dims;
    std::int64_t rest = 1;
    int open = -1;
    for (int i = 0; i < dims.rank; ++i) {
        if (dims[i] != dyn) rest *= dims[i];
        else if (open < 0) open = i;
        else throw FeedError("[feed] say the extents of what is fed for " + to_string(dims));
    }
    if (open >= 0 && rest > 0) dims[open] = static_cast<std::int64_t>(elements.size()) / rest;
    return feed(of, elements, dims);
}

}  // namespace tenon
