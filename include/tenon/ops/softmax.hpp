// Softmax and its logarithm, over the last axis.
//
// Shapes    x [..,classes] -> [..,classes]
// Values    a row with NaN or +inf, or of -inf alone, is NaN
// Errors    "[Softmax] needs an axis of classes: []"
#pragma once
#include "../tensor/softmax.hpp"
#include "broadcasting.hpp"

namespace tenon {

template <class O> struct OverClasses {
    static constexpr int arity = 1;
    static constexpr Inferred infer(const Dims& x) {
        if (x.rank == 0) return reject("[", O::name, "] needs an axis of classes: ", x);
        return x;
    }
    template <class T> void compute(const Call& c) const {
        const auto x = c.input<T>(0);
        const auto classes = x.dims[-1];
        O::rows(x.data, c.output<T>(0).data, classes ? x.size() / classes : 0, classes);
    }
    template <class T> Sharing sharing(std::span<const Ref* const> in, std::span<const Ref* const> out, const Threads& threads) const { return in[0]->dims.rank < 2 ? Sharing{} : shared_rows(0b1, in, out, threads); }
};
namespace detail {
/// The sum over the last axis, which stays as one.
template <class T> Node<T> sum_last(const Node<T>& x) {
    Sum s;
    s.axes = Dims{-1};
    s.keep_dims = true;
    return call(RunTime<Sum>{s}, x);
}
}  // namespace detail

/// Gradient  (g - sum(g y)) y
struct Softmax : OverClasses<Softmax> {
    static constexpr const char* name = "Softmax";
    template <class T> static void rows(const T* x, T* y, std::int64_t n, std::int64_t classes) { by_row::softmax(x, y, n, classes); }
    template <class T> static auto gradient(const RunTime<Softmax>&, const Node<T>& g, const Node<T>& y, const Node<T>&) {
        return std::tuple((g - detail::sum_last<T>(g * y)) * y);
    }
};
/// Gradient  g - sum(g) exp(y)
struct LogSoftmax : OverClasses<LogSoftmax> {
    static constexpr const char* name = "LogSoftmax";
    template <class T> static void rows(const T* x, T* y, std::int64_t n, std::int64_t classes) { by_row::log_softmax(x, y, n, classes); }
    template <class T> static auto gradient(const RunTime<LogSoftmax>&, const Node<T>& g, const Node<T>& y, const Node<T>&) {
        return std::tuple(g - detail::sum_last(g) * exp(y));
    }
};

template <Operand X> auto softmax(X&& x) { return call(Constant<Softmax{}>{}, std::forward<X>(x)); }
template <Operand X> auto log_softmax(X&& x) { return call(Constant<LogSoftmax{}>{}, std::forward<X>(x)); }

}  // namespace tenon
