// Placeholders with values of their own, and checks of derivatives, first and second, by central differences.
#pragma once
#include <tenon/grad/check_gradient.hpp>
#include <tenon/ops/source.hpp>

#include <string>
#include <vector>

namespace tenon::test {

/// A placeholder that is fed numbers in [-1, 1] that are not small. `dims` are what is fed where S leaves extents open.
template <class T, class S> struct Fed : Placeholder<T, S> {
    Tensor value;
    explicit Fed(std::uint64_t seed, const Dims& dims = S::dims) : value(tenon::detail::random_upstream<T>(dims, seed)) {}
    operator Feed() const { return {*this, value}; }
};

/// Where the gradients of y after x differ from central differences; empty if nowhere.
template <class Y, class... X> std::string first_order(const Y& y, const X&... x) { return check_gradient(y, {Feed(x)...}, {Output(x)...}).problem; }

/// The same for the gradients' own gradients: of each first derivative for random numbers arriving at y, after every x.
template <class Y, class... X> std::string second_order(const Y& y, const X&... x) {
    using T = value_type_of<Y>;
    const std::vector<Feed> feeds{Feed(x)...};
    const std::vector<Output> all{Output(x)...};
    const Dims extents = Session().run_all({node(y)}, feeds)[0].dims();
    const auto first = gradients(y, all, make_const<T>(tenon::detail::random_upstream<T>(extents, 7)));
    for (std::size_t i = 0; i < first.size(); ++i) {
        if (!first[i]) return "no gradient for input " + std::to_string(i);
        if (const auto r = check_gradient(Node<T>(first[i]), feeds, all); !r) return "derivative " + std::to_string(i) + ": " + r.problem;
    }
    return "";
}

/// The sentence of a ShapeError, or "" if f throws none.
template <class F> std::string shape_error(F f) {
    try {
        f();
    } catch (const ShapeError& e) {
        return e.what();
    }
    return "";
}

}  // namespace tenon::test
