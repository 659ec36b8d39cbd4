// Variables: values that last from run to run, and the ops that read and change them.
//
// A graph refers to a variable's memory (VariableV2) or to a handle on it (VarHandleOp); both are the same here. Reads are
// views: a plan puts them before every update that they do not wait for, and copies where they must outlive one.
#pragma once
#include "identity.hpp"

namespace tenon {

/// Shapes    its attribute
struct VariableSource {
    Dims shape = Dims::unranked();
    std::string container, shared_name;
    static constexpr int arity = 0;
    static constexpr bool stateful = true, is_state = true, differentiable = false;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "dtype"}};
    template <class Self = VariableSource> static constexpr auto params = members(shape_attr("shape", &Self::shape), attr("container", &Self::container), attr("shared_name", &Self::shared_name));
    constexpr Inferred infer() const { return shape; }
};
struct VariableV2 : VariableSource { static constexpr const char* name = "VariableV2"; };
struct VariableV1 : VariableSource { static constexpr const char* name = "Variable"; };
struct VarHandleOp : VariableSource { static constexpr const char* name = "VarHandleOp"; };

struct ReadVariableOp : PassesOn<ReadVariableOp> {
    static constexpr const char* name = "ReadVariableOp";
    static constexpr bool stateful = true;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "dtype"}};
    static auto gradient(auto, auto g, auto, auto) { return std::tuple(g); }
};

/// Writes a variable; its result, if it has one, is the variable.
///
/// Shapes    variable [..], value [..] -> [..]
/// Errors    "[Assign] value [3] for variable [2]"
template <class O> struct Writes {
    static constexpr int arity = 2, writes = 1;
    static constexpr bool stateful = true, differentiable = false;
    static constexpr Inferred infer(const Dims& v, const Dims& x) {
        if (!compatible(v, x)) return reject("[", O::name, "] value ", x, " for variable ", v);
        return v;
    }
};
template <class O> struct Assigning : Writes<O> {
    static constexpr bool initialises = true, moves = true;
    template <class T> void compute(const Call& c) const {
        if (c.in[0]->data != c.in[1]->data) std::copy_n(c.input<T>(1).data, c.input<T>(1).size(), static_cast<T*>(c.in[0]->data));
    }
};
struct Assign : Assigning<Assign> {
    bool validate_shape = true, use_locking = true;
    static constexpr const char* name = "Assign";
    template <class Self = Assign> static constexpr auto params = members(attr("validate_shape", &Self::validate_shape), attr("use_locking", &Self::use_locking));
};
struct AssignVariableOp : Assigning<AssignVariableOp> {
    bool validate_shape = false;
    static constexpr const char* name = "AssignVariableOp";
    static constexpr int outputs = 0;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "dtype"}};
    template <class Self = AssignVariableOp> static constexpr auto params = members(attr("validate_shape", &Self::validate_shape));
};
template <class O, int sign> struct Adding : Writes<O> {
    template <class T> void compute(const Call& c) const {
        T* v = static_cast<T*>(c.in[0]->data);
        const T* x = c.input<T>(1).data;
        for (std::int64_t i = 0, n = c.in[0]->dims.size(); i < n; ++i) v[i] = static_cast<T>(sign > 0 ? v[i] + x[i] : v[i] - x[i]);
    }
};
struct AssignAdd : Adding<AssignAdd, 1> {
    bool use_locking = false;
    static constexpr const char* name = "AssignAdd";
    template <class Self = AssignAdd> static constexpr auto params = members(attr("use_locking", &Self::use_locking));
};
struct AssignSub : Adding<AssignSub, -1> {
    bool use_locking = false;
    static constexpr const char* name = "AssignSub";
    template <class Self = AssignSub> static constexpr auto params = members(attr("use_locking", &Self::use_locking));
};
struct AssignAddVariableOp : Adding<AssignAddVariableOp, 1> {
    static constexpr const char* name = "AssignAddVariableOp";
    static constexpr int outputs = 0;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "dtype"}};
};
struct AssignSubVariableOp : Adding<AssignSubVariableOp, -1> {
    static constexpr const char* name = "AssignSubVariableOp";
    static constexpr int outputs = 0;
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "dtype"}};
};

}  // namespace tenon
