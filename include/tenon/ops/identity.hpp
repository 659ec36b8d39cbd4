// Ops that pass their input on. A plan computes nothing for them.
#pragma once
#include "../expr/node.hpp"

#include <cmath>

namespace tenon {

/// Shapes    x [..] -> [..], the same elements
template <class O> struct PassesOn {
    static constexpr int arity = 1, view = 0;
    static constexpr bool moves = true;
    static constexpr Inferred infer(const Dims& x) { return x; }
    template <class T> void compute(const Call& c) const { std::copy_n(c.input<T>(0).data, c.input<T>(0).size(), c.output<T>(0).data); }
};
struct Identity : PassesOn<Identity> {
    static constexpr const char* name = "Identity";
    static auto gradient(auto, auto g, auto, auto) { return std::tuple(g); }
};
/// Identity for a tensor that a rewriting pass wants to keep.
struct Snapshot : PassesOn<Snapshot> {
    static constexpr const char* name = "Snapshot";
    static constexpr bool differentiable = false;
};
/// Several tensors of any types, passed on.
///
/// Shapes    x [..] each -> [..] each
/// Gradient  g
struct IdentityN {
    std::vector<DType> types_of_all;
    static constexpr const char* name = "IdentityN";
    static constexpr bool variadic = true, takes_unranked = true, moves = true, all_outputs = true;
    static constexpr std::array<TypeAttr, 0> types{};
    template <class Self = IdentityN> static constexpr auto params = members(attr("T", &Self::types_of_all));
    static constexpr DType input_type(std::size_t, DType) { return any_dtype; }
    template <class = void> int output_count() const { return static_cast<int>(types_of_all.size()); }
    template <class = void> DType output_type(int i) const { return types_of_all[static_cast<std::size_t>(i)]; }
    template <class = void> Inferred infer(std::span<const Dims> x) const {
        if (x.size() != types_of_all.size()) return reject("[IdentityN] ", static_cast<std::int64_t>(x.size()), " tensors for ", static_cast<std::int64_t>(types_of_all.size()), " types");
        return x.empty() ? Dims{} : x[0];
    }
    template <class = void> std::vector<Dims> output_dims(std::span<const Ref> in) const {
        std::vector<Dims> all;
        for (const Ref& r : in) all.push_back(r.dims);
        return all;
    }
    template <class T> void compute(const Call& c) const {
        for (std::size_t i = 0; i < c.in.size(); ++i) {
            const Ref &x = *c.in[i], &y = *c.out[i];
            const auto n = x.dims.size();
            if (x.dtype == DType::string) std::copy_n(static_cast<const std::string*>(x.data), n, static_cast<std::string*>(y.data));
            else if (n) std::memcpy(y.data, x.data, static_cast<std::size_t>(n) * bytes_of(x.dtype));
        }
    }
    template <class T> static std::vector<Output> gradient(const RunTime<IdentityN>&, const detail::Adjoints<T>& g, const Node<T>&, const detail::Inputs<T>&) { return {g.g.begin(), g.g.end()}; }
};
/// x, unless an element is infinite or not a number.
///
/// Shapes    x [..] -> [..]
/// Gradient  g, checked likewise
/// Errors    "[CheckNumerics] MESSAGE: tensor had NaN values"
struct CheckNumerics {
    std::string message;
    static constexpr const char* name = "CheckNumerics";
    static constexpr int arity = 1;
    template <class Self = CheckNumerics> static constexpr auto params = members(attr("message", &Self::message));
    static constexpr Inferred infer(const Dims& x) { return x; }
    template <class T> void compute(const Call& c) const {
        const auto x = c.input<T>(0);
        bool nan = false, inf = false;
        for (std::int64_t i = 0; i < x.size(); ++i) nan |= std::isnan(x[i]), inf |= std::isinf(x[i]);
        if (nan || inf) throw ValueError("[CheckNumerics] " + message + ": tensor had " + (inf && nan ? "Inf and NaN" : nan ? "NaN" : "Inf") + " values");
        std::copy_n(x.data, x.size(), c.output<T>(0).data);
    }
    template <class T> static auto gradient(const RunTime<CheckNumerics>& self, const Node<T>& g, const Node<T>&, const Node<T>&) {
        return std::tuple(make<T>(CheckNumerics{"Not a number (NaN) or infinity (Inf) values detected in gradient. " + self.op.message}, {g}));
    }
};
/// The same bits as another type. If the new elements are smaller, a last axis of them is added; if larger, the last axis goes.
///
/// Shapes    x [..] -> [..], [.., k] or from [.., k] [..]
/// Gradient  none
/// Errors    "[Bitcast] [2,3] uint8 cannot be seen as int32"
struct Bitcast {
    DType type = DType::float32;
    static constexpr const char* name = "Bitcast";
    static constexpr int arity = 1;
    static constexpr bool moves = true;
    template <class Self = Bitcast> static constexpr auto params = members(attr("type", &Self::type));
    DType output_type(int) const { return type; }
    template <class = void> Inferred infer_refs(std::span<const Ref> in) const {
        const Dims& x = in[0].dims;
        const auto from = static_cast<std::int64_t>(file_bytes_of(in[0].dtype)), to = static_cast<std::int64_t>(file_bytes_of(type));
        if (!x.ranked() || from == to) return x;
        Dims y = x;
        const auto misfit = [&] { return reject("[Bitcast] ", x, " ", name_of(in[0].dtype), " cannot be seen as ", name_of(type)); };
        if (from == 0 || to == 0) return misfit();
        if (from > to) {
            if (from % to || x.rank == max_rank) return misfit();
            y.push(from / to);
        } else {
            if (x.rank == 0 || to % from || (x[-1] != dyn && x[-1] != to / from)) return misfit();
            --y.rank;
        }
        return y;
    }
    template <class T> void compute(const Call& c) const {
        if (const auto n = c.in[0]->dims.size()) std::memcpy(c.out[0]->data, c.in[0]->data, static_cast<std::size_t>(n) * sizeof(T));
    }
    static auto gradient(auto, auto, auto, auto) { return std::tuple(no_gradient{}); }
};
/// The only way to cut: below it nothing is differentiated or kept for the way back.
struct StopGradient : PassesOn<StopGradient> {
    static constexpr const char* name = "StopGradient";
    static constexpr bool stops_gradient = true;
    static auto gradient(auto, auto, auto, auto) { return std::tuple(no_gradient{}); }
};
/// Refuses to be differentiated, with its message.
struct PreventGradient : PassesOn<PreventGradient> {
    std::string message;
    static constexpr const char* name = "PreventGradient";
    static constexpr bool differentiable = false;
    template <class Self = PreventGradient> static constexpr auto params = members(attr("message", &Self::message));
};

template <Operand X> auto identity(X&& x) { return call(Constant<Identity{}>{}, std::forward<X>(x)); }
template <Operand X> auto stop_gradient(X&& x) { return call(Constant<StopGradient{}>{}, std::forward<X>(x)); }

}  // namespace tenon
