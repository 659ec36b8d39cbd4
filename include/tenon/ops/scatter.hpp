// Rows of variables: read by number (ResourceGather), written (Scatter*), and one step of an optimiser for some of them (SparseApply*).
// Each writer comes for variables in the graph and, as Resource*, for handles.
//
// Values    indices int32 or int64; of equal ones all count, in their order
// Gradient  none
// Errors    "[ScatterAdd] indices[0] = 4 is not in [0, 4)", when it runs; rows before it are written by then
// Source    tensorflow/core/kernels/scatter_op.cc, resource_variable_ops.cc, training_ops.cc
#pragma once
#include "gather.hpp"

namespace tenon {

/// The extents of a variable, as a vector.
///
/// Shapes    variable [..] -> [rank] int32 or int64
struct VariableShape {
    DType out_type = DType::int32;
    static constexpr const char* name = "VariableShape";
    static constexpr int arity = 1;
    static constexpr bool takes_unranked = true;
    static constexpr std::array<TypeAttr, 0> types{};
    template <class Self = VariableShape> static constexpr auto params = members(attr("out_type", &Self::out_type));
    template <class T> using result = std::int32_t;
    static constexpr DType input_type(std::size_t, DType) { return any_dtype; }
    template <class = void> DType output_type(int) const { return out_type; }
    static constexpr Inferred infer(const Dims& x) { return ShapeOp::infer(x); }
    template <class = void> static Tensor known(const VariableShape& op, std::span<const Ref> in, int) { return ShapeOp::known({op.out_type}, in, 0); }
    static auto gradient(auto, auto, auto, auto) { return std::tuple(no_gradient{}); }
};

/// Rows of a variable that is given by its handle, without reading all of it.
///
/// Shapes    variable [b.., n, i..], indices [b.., k..] -> [b.., k.., i..], with batch_dims axes b
/// Gradient  g added up where it was taken from, as a dense tensor
struct ResourceGather : detail::Gathering {
    bool validate_indices = true;
    static constexpr const char* name = "ResourceGather";
    static constexpr bool stateful = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "dtype"}, TypeAttr{TypeAttr::input, "Tindices", 1}};
    template <class Self = ResourceGather> static constexpr auto params = members(attr("batch_dims", &Self::batch_dims), attr("validate_indices", &Self::validate_indices));
    constexpr Inferred infer(const Dims& x, const Dims& indices) const {
        auto along = *this;
        along.axis = batch_dims;
        return along.gathered(name, x, indices);
    }
    template <class T> void compute(const Call& c) const {
        auto along = *this;
        along.axis = batch_dims;
        along.template pick<T>(name, c);
    }
    template <class T> static auto gradient(const RunTime<ResourceGather>& self, const Node<T>& g, const Node<T>&, const Node<T>& x, const auto& indices) {
        return std::tuple(detail::spread(g, x, indices, detail::integers(self.op.batch_dims), self.op.batch_dims), no_gradient{});
    }
};

namespace detail {
inline constexpr std::array row_types{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tindices", 1}};
inline constexpr std::array resource_row_types{TypeAttr{TypeAttr::self, "dtype"}, TypeAttr{TypeAttr::input, "Tindices", 1}};
/// What rows written to a variable must be; empty if they are.
constexpr Reason wrong_rows(const char* op, const Dims& variable, const Dims& indices, const Dims& rows) {
    bool fit = variable.rank > 0 && rows.rank == indices.rank + variable.rank - 1;
    for (int i = 0; fit && i < rows.rank; ++i) merge(rows[i], i < indices.rank ? indices[i] : variable[i - indices.rank + 1], fit);
    return fit ? Reason{} : Reason{} << "[" << op << "] rows " << rows << " at " << indices << " for variable " << variable;
}
/// f(row of the variable, row of what is written, its length)
template <class F> void each_row(const char* op, const Dims& variable, const Ref& indices, F f) {
    const auto row = product(variable, 1, variable.rank);
    for (std::int64_t i = 0, n = indices.dims.size(); i < n; ++i) f(row_at(op, indices, i, variable[0]) * row, i * row, row);
}
struct Overwrite { template <class T> static T apply(T, T x) { return x; } };
struct Plus2 { template <class T> static T apply(T v, T x) { return static_cast<T>(v + x); } };
struct Minus2 { template <class T> static T apply(T v, T x) { return static_cast<T>(v - x); } };
struct Times2 { template <class T> static T apply(T v, T x) { return static_cast<T>(v * x); } };
}  // namespace detail

/// Shapes    variable [n, r..], indices [k..], updates [k.., r..] or [] -> the variable
template <class O, class Fold> struct ScatterRows {
    static constexpr int arity = 3, writes = 1;
    static constexpr bool stateful = true, differentiable = false;
    static constexpr DType input_type(std::size_t i, DType self) { return i == 1 ? index_dtype : self; }
    static constexpr Inferred infer(const Dims& variable, const Dims& indices, const Dims& updates) {
        if (const auto why = detail::wrong_rows(O::name, variable, indices, updates); why.length && !(updates.rank == 0 && variable.rank > 0)) return why;
        return variable;
    }
    template <class T> void compute(const Call& c) const {
        T* const v = static_cast<T*>(c.in[0]->data);
        const T* const x = c.input<T>(2).data;
        const bool one = c.in[2]->dims.rank == 0;
        detail::each_row(O::name, c.in[0]->dims, *c.in[1], [&](std::int64_t to, std::int64_t from, std::int64_t n) {
            for (std::int64_t i = 0; i < n; ++i) v[to + i] = Fold::apply(v[to + i], x[one ? 0 : from + i]);
        });
    }
};
template <class O, class Fold> struct Scattering : ScatterRows<O, Fold> {
    bool use_locking = false;
    static constexpr auto types = detail::row_types;
    template <class Self = Scattering> static constexpr auto params = members(attr("use_locking", &Self::use_locking));
};
template <class O, class Fold> struct ResourceScattering : ScatterRows<O, Fold> {
    static constexpr int outputs = 0;
    static constexpr auto types = detail::resource_row_types;
};
struct ScatterUpdate : Scattering<ScatterUpdate, detail::Overwrite> { static constexpr const char* name = "ScatterUpdate"; };
struct ScatterAdd : Scattering<ScatterAdd, detail::Plus2> { static constexpr const char* name = "ScatterAdd"; };
struct ScatterSub : Scattering<ScatterSub, detail::Minus2> { static constexpr const char* name = "ScatterSub"; };
struct ScatterMul : Scattering<ScatterMul, detail::Times2> { static constexpr const char* name = "ScatterMul"; };
struct ResourceScatterUpdate : ResourceScattering<ResourceScatterUpdate, detail::Overwrite> { static constexpr const char* name = "ResourceScatterUpdate"; };
struct ResourceScatterAdd : ResourceScattering<ResourceScatterAdd, detail::Plus2> { static constexpr const char* name = "ResourceScatterAdd"; };
struct ResourceScatterSub : ResourceScattering<ResourceScatterSub, detail::Minus2> { static constexpr const char* name = "ResourceScatterSub"; };
struct ResourceScatterMul : ResourceScattering<ResourceScatterMul, detail::Times2> { static constexpr const char* name = "ResourceScatterMul"; };

// ---- optimisers: formulas as in apply.hpp, for the rows listed

/// Shapes    variable and slots [n, r..], gradient [k, r..], indices [k]; rates [] -> the variable
/// `gradient_at`: the place of the gradient among the inputs, before the indices.
template <class O, int slots, int inputs, int gradient_at> struct ApplyingRows {
    bool use_locking = false;
    static constexpr int arity = inputs, writes = slots + 1;
    static constexpr bool stateful = true, differentiable = false;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tindices", gradient_at + 1}};
    static constexpr DType input_type(std::size_t i, DType self) { return i == gradient_at + 1 ? index_dtype : self; }
    template <class... D> static constexpr Inferred infer(const D&... d) {
        const std::array<Dims, sizeof...(D)> in{d...};
        for (std::size_t i = 1; i <= slots; ++i) if (!compatible(in[0], in[i])) return reject("[", O::name, "] slot ", in[i], " for variable ", in[0]);
        for (std::size_t i = slots + 1; i < in.size(); ++i)
            if (i != gradient_at && i != gradient_at + 1 && in[i].rank != 0) return reject("[", O::name, "] input ", static_cast<std::int64_t>(i), " is not a scalar: ", in[i]);
        if (const auto why = detail::wrong_rows(O::name, in[0], in[gradient_at + 1], in[gradient_at]); why.length) return why;
        return in[0];
    }

protected:
    template <class T> static T rate(const Call& c, std::size_t i) { return c.input<T>(i)[0]; }
    /// f(an element of the gradient, the variable's, each slot's)
    template <class T, class F> static void each(const Call& c, F f) {
        const T* const g = c.input<T>(gradient_at).data;
        const auto written = [&](std::size_t i) { return static_cast<T*>(c.in[i]->data); };
        T* const v = written(0);
        T* const s = written(1);
        T* const last = written(slots);
        detail::each_row(O::name, c.in[0]->dims, *c.in[gradient_at + 1], [&](std::int64_t to, std::int64_t from, std::int64_t n) {
            for (std::int64_t i = 0; i < n; ++i) {
                if constexpr (slots == 1) f(g[from + i], v[to + i], s[to + i]);
                else f(g[from + i], v[to + i], s[to + i], last[to + i]);
            }
        });
    }
};
template <class O> struct SparseMomentumStep : ApplyingRows<O, 1, 6, 3> {
    bool use_nesterov = false;
    template <class T> void compute(const Call& c) const {
        const T lr = this->template rate<T>(c, 2), m = this->template rate<T>(c, 5);
        this->template each<T>(c, [&](T g, T& v, T& a) {
            a = a * m + g;
            v -= use_nesterov ? g * lr + a * m * lr : a * lr;
        });
    }
};
template <class O> struct SparseRMSPropStep : ApplyingRows<O, 2, 9, 7> {
    template <class T> void compute(const Call& c) const {
        const T lr = this->template rate<T>(c, 3), rho = this->template rate<T>(c, 4), momentum = this->template rate<T>(c, 5), epsilon = this->template rate<T>(c, 6);
        this->template each<T>(c, [&](T g, T& v, T& ms, T& mom) {
            ms = ms * rho + g * g * (T(1) - rho);
            mom = mom * momentum + g * lr / std::sqrt(ms + epsilon);
            v -= mom;
        });
    }
};
template <class O> struct SparseAdagradStep : ApplyingRows<O, 1, 5, 3> {
    bool update_slots = true;
    template <class T> void compute(const Call& c) const {
        const T lr = this->template rate<T>(c, 2);
        this->template each<T>(c, [&](T g, T& v, T& a) {
            if (update_slots) a += g * g;
            v -= g * lr / std::sqrt(a);
        });
    }
};
struct SparseApplyMomentum : SparseMomentumStep<SparseApplyMomentum> {
    static constexpr const char* name = "SparseApplyMomentum";
    template <class Self = SparseApplyMomentum> static constexpr auto params = members(attr("use_locking", &Self::use_locking), attr("use_nesterov", &Self::use_nesterov));
};
struct ResourceSparseApplyMomentum : SparseMomentumStep<ResourceSparseApplyMomentum> {
    static constexpr const char* name = "ResourceSparseApplyMomentum";
    static constexpr int outputs = 0;
    template <class Self = ResourceSparseApplyMomentum> static constexpr auto params = members(attr("use_locking", &Self::use_locking), attr("use_nesterov", &Self::use_nesterov));
};
struct SparseApplyRMSProp : SparseRMSPropStep<SparseApplyRMSProp> {
    static constexpr const char* name = "SparseApplyRMSProp";
    template <class Self = SparseApplyRMSProp> static constexpr auto params = members(attr("use_locking", &Self::use_locking));
};
struct ResourceSparseApplyRMSProp : SparseRMSPropStep<ResourceSparseApplyRMSProp> {
    static constexpr const char* name = "ResourceSparseApplyRMSProp";
    static constexpr int outputs = 0;
    template <class Self = ResourceSparseApplyRMSProp> static constexpr auto params = members(attr("use_locking", &Self::use_locking));
};
struct SparseApplyAdagrad : SparseAdagradStep<SparseApplyAdagrad> {
    static constexpr const char* name = "SparseApplyAdagrad";
    template <class Self = SparseApplyAdagrad> static constexpr auto params = members(attr("use_locking", &Self::use_locking), attr("update_slots", &Self::update_slots));
};
struct ResourceSparseApplyAdagrad : SparseAdagradStep<ResourceSparseApplyAdagrad> {
    static constexpr const char* name = "ResourceSparseApplyAdagrad";
    static constexpr int outputs = 0;
    template <class Self = ResourceSparseApplyAdagrad> static constexpr auto params = members(attr("use_locking", &Self::use_locking), attr("update_slots", &Self::update_slots));
};

}  // namespace tenon
