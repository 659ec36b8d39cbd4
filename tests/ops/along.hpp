// Derivatives along random directions against central differences, of functions that are a graph's.
#pragma once
#include <tenon/run/session.hpp>

#include <cmath>

namespace tenon::test {

struct Random {
    std::uint64_t state;
    double operator()(double low, double high) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return low + (high - low) * double(state >> 11) / double(std::uint64_t{1} << 53);
    }
};
template <class F> void each_number(const Tensor& t, F f) {
    if (t.dtype() == DType::float64) for (auto& v : t.span<double>()) f(v);
    else for (auto& v : t.span<float>()) f(v);
}
inline double number(const Tensor& t, std::int64_t i) { return t.dtype() == DType::float64 ? t.data<double>()[i] : double(t.data<float>()[i]); }
inline bool differentiable(DType t) { return t == DType::float64 || t == DType::float32; }
inline Tensor drawn(DType t, const Dims& dims, Random& random) {
    Tensor x(t, dims);
    each_number(x, [&](auto& v) {
        const double u = random(-1, 1);
        v = static_cast<std::remove_reference_t<decltype(v)>>(u < 0 ? u - 0.25 : u + 0.25);
    });
    return x;
}
inline double dot(const Tensor& a, const Tensor& b) {
    double s = 0;
    for (std::int64_t i = 0; i < a.size(); ++i) s += number(a, i) * number(b, i);
    return s;
}
/// x + step * d
inline Tensor moved(const Tensor& x, const Tensor& d, double step) {
    Tensor y = x.clone();
    std::int64_t i = 0;
    each_number(y, [&](auto& v) { v = static_cast<std::remove_reference_t<decltype(v)>>(double(v) + step * number(d, i++)); });
    return y;
}

/// The sum of `of`, each weighted by a tensor of numbers, as a function of what is fed.
struct Function {
    Session& session;
    std::vector<Output> of;
    std::vector<Tensor> weights;
    double operator()(const std::vector<Feed>& at) const {
        double s = 0;
        const auto values = session.run_all(of, at);
        for (std::size_t i = 0; i < of.size(); ++i) {
            if (values[i].dims() != weights[i].dims()) return std::numeric_limits<double>::quiet_NaN();  // an operand decides how many there are
            s += dot(values[i], weights[i]);
        }
        return s;
    }
};

enum class Says { agrees, differs, not_smooth };
struct Compared {
    Says verdict = Says::agrees;
    std::string text{};
};

/// The derivative along directions of `which` feeds, told by gradients `got`, against differences.
inline Compared compare(const Function& f, const std::vector<Feed>& at, const std::vector<std::size_t>& which, const std::vector<Tensor>& got, Random& random) {
    bool wide = std::none_of(f.of.begin(), f.of.end(), [](const Output& y) { return y.dtype() == DType::float32; });
    std::vector<Tensor> along(at.size());
    double told = 0, size = 1;
    for (std::size_t n = 0; n < which.size(); ++n) {
        const auto k = which[n];
        const Tensor& x = at[k].value;
        wide &= x.dtype() == DType::float64;
        along[k] = drawn(x.dtype(), x.dims(), random);
        if (got[n] && got[n].dims() != x.dims()) return {Says::differs, "a gradient " + to_string(got[n].dims()) + " of an input " + to_string(x.dims())};
        if (got[n]) told += dot(got[n], along[k]);
        each_number(x, [&](auto v) { size = std::max(size, std::abs(double(v))); });
    }
    const auto value = [&](double step) {
        std::vector<Feed> there = at;
        for (const auto k : which) there[k].value = moved(at[k].value, along[k], step);
        try {
            return f(there);
        } catch (const Error&) {  // what lies there has no value
            return std::numeric_limits<double>::quiet_NaN();
        }
    };
    const double h = (wide ? 1e-5 : 4e-3) * std::sqrt(size), tolerance = wide ? 2e-6 : 2e-2;
    const double here = f(at), above = value(h), below = value(-h), differs = (above - below) / (2 * h);
    const double scale = std::max({1.0, std::abs(differs), std::abs(here) / size});
    if (std::abs(told - differs) <= tolerance * scale) return {Says::agrees, ""};
    // A smooth function's curvature shrinks with the step, that of a kink or a step does not.
    const double near_above = value(h / 2), near_below = value(-h / 2);
    const double bend = std::abs(above - 2 * here + below) / h, near_bend = std::abs(near_above - 2 * here + near_below) / (h / 2), near_differs = (near_above - near_below) / h;
    const bool smooth = std::isfinite(differs) && (bend < tolerance * scale || near_bend < 0.7 * bend) && !(std::abs(near_differs - differs) > 0.5 * std::abs(told - differs));  // whatever was told
    char text[96];
    std::snprintf(text, sizeof text, "gradient %.9g, difference %.9g", told, differs);
    return {smooth ? Says::differs : Says::not_smooth, text};
}

}  // namespace tenon::test
