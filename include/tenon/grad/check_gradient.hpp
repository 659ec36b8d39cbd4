// Checks gradients against central differences: tenon's own tests use it for every op, users for theirs.
#pragma once
#include "../run/session.hpp"
#include "gradients.hpp"

#include <cmath>

namespace tenon {

struct CheckOptions {
    double step = 0;       ///< of each input, relative to its size; 0: the best for the element type
    double rtol = 0, atol = 0;  ///< 0: 1e-6 for double, 1e-2 for float
    std::uint64_t seed = 1;     ///< of what arrives at y
};

/// Where a gradient and central differences differ; empty if nowhere.
struct GradientReport {
    std::string problem{};
    double worst = 0;  ///< largest difference, in units of the tolerance
    explicit operator bool() const { return problem.empty(); }
};

namespace detail {
/// Numbers in [-1, 1] that are not small.
template <class T> Tensor random_upstream(const Dims& d, std::uint64_t seed) {
    Tensor t(dtype_of<T>, d);
    for (T& v : t.span<T>()) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const double u = double(seed >> 11) / double(std::uint64_t{1} << 53);
        v = static_cast<T>(u < 0.5 ? -0.25 - 1.5 * u : 0.25 + 1.5 * (u - 0.5));
    }
    return t;
}
}  // namespace detail

/// Compares gradients of y after the fed tensors `wrt` with central differences, for a random gradient arriving at y.
///
/// Values    float, double; the functions must be smooth near the fed values
/// Cost      two runs per element of the inputs
///
///     CHECK(check_gradient(tanh(a * b), {feed(a, as), feed(b, bs)}, {a, b}));
template <GraphOperand Y> GradientReport check_gradient(const Y& y, std::vector<Feed> feeds, const std::vector<Output>& wrt, CheckOptions o = {}) {
    using T = value_type_of<Y>;
    constexpr bool wide = sizeof(T) == 8;
    const double step = o.step > 0 ? o.step : wide ? 1e-5 : 1e-2, rtol = o.rtol > 0 ? o.rtol : wide ? 1e-6 : 1e-2, atol = o.atol > 0 ? o.atol : rtol;
    const Node<T> of(node(y));
    Session session;
    const Tensor value = session.run_all({of}, feeds)[0];
    const Tensor up = detail::random_upstream<T>(value.dims(), o.seed);
    const auto g = gradients(of, wrt, make_const<T>(up));
    const auto along = [&] {  // sum(y * up)
        const Tensor t = session.run_all({of}, feeds)[0];
        double s = 0;
        for (std::int64_t i = 0; i < t.size(); ++i) s += double(t.data<T>()[i]) * double(up.data<T>()[i]);
        return s;
    };
    GradientReport report;
    for (std::size_t k = 0; k < wrt.size(); ++k) {
        Feed* fed = nullptr;
        for (Feed& f : feeds) if (f.of == wrt[k]) fed = &f;
        if (!fed) throw FeedError("[check_gradient] " + describe(*wrt[k].operation) + " is not fed");
        fed->value = fed->value.clone();
        const Tensor got = g[k] ? session.run_all({g[k]}, feeds)[0] : Tensor();
        if (got && got.dims() != fed->value.dims()) {
            report.problem = "the gradient is " + to_string(got.dims()) + " for an input " + to_string(fed->value.dims());
            return report;
        }
        for (std::int64_t i = 0; i < fed->value.size(); ++i) {
            T& x = fed->value.data<T>()[i];
            const T x0 = x, up_by = static_cast<T>(double(x0) + step * std::max(1.0, std::abs(double(x0)))), down_by = static_cast<T>(double(x0) - step * std::max(1.0, std::abs(double(x0))));
            x = up_by;
            const double above = along();
            x = down_by;
            const double below = along();
            x = x0;
            const double expected = (above - below) / (double(up_by) - double(down_by)), is = got ? double(got.data<T>()[i]) : 0.0;
            const double off = std::abs(is - expected) / (atol + rtol * std::abs(expected));
            report.worst = std::max(report.worst, off);
            if (!(off <= 1) && report.problem.empty())
                report.problem = "input " + std::to_string(k) + ", element " + std::to_string(i) + ": gradient " + std::to_string(is) + ", central difference " + std::to_string(expected);
        }
    }
    return report;
}

}  // namespace tenon
