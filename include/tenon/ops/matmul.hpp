// Matrix products.
#pragma once
#include "../expr/node.hpp"
#include "../tensor/gemm.hpp"

namespace tenon {

/// Matrix product a b; either factor may be transposed first.
///
/// Shapes    a [m,k], b [k,n] -> [m,n];  a is [k,m] if transpose_a, b is [n,k] if transpose_b
/// Values    float, double, half, bfloat16; k = 0 gives zeros
/// Gradient  da = g bᵀ, db = aᵀ g, transposed where a or b was
/// Cost      2 m n k flops; does not fuse, so it returns a Node
/// Errors    "[MatMul] inner extents differ: [2,3] x [4,5]", at compile time, or ShapeError on import
/// Source    TensorFlow op MatMul, tensorflow/core/ops/math_ops.cc
struct MatMul {
    bool transpose_a = false, transpose_b = false;
    static constexpr const char* name = "MatMul";
    static constexpr int arity = 2;
    static constexpr auto params = std::tuple(attr("transpose_a", &MatMul::transpose_a), attr("transpose_b", &MatMul::transpose_b));

    constexpr Inferred infer(const Dims& a, const Dims& b) const {
        if (a.rank != 2 || b.rank != 2) return reject("[MatMul] needs two matrices: ", a, " x ", b);
        const auto k = a[!transpose_a], l = b[transpose_b];
        if (k != l && k != dyn && l != dyn) return reject("[MatMul] inner extents differ: ", a, " x ", b);
        return Dims{a[transpose_a], b[!transpose_b]};
    }
    template <class T> std::size_t workspace(std::span<const Ref* const> in, std::span<const Ref* const> out) const {
        return gemm::workspace_bytes<T>(out[0]->dims[0], out[0]->dims[1], in[0]->dims[!transpose_a]);
    }
    template <class T> void compute(const Call& c) const {
        const auto y = c.output<T>(0);
        gemm::multiply(y.data, c.input<T>(0).data, transpose_a, c.input<T>(1).data, transpose_b, y.dims[0], y.dims[1], c.in[0]->dims[!transpose_a], c.workspace);
    }
    static auto gradient(auto self, auto g, auto, auto a, auto b) {
        const auto da = [](MatMul m) { return m.transpose_a ? MatMul{m.transpose_b, true} : MatMul{false, !m.transpose_b}; };
        const auto db = [](MatMul m) { return m.transpose_b ? MatMul{true, m.transpose_a} : MatMul{!m.transpose_a, false}; };
        return std::tuple(self.choose([](MatMul m) { return m.transpose_a; }, [&] { return call(self.map(da), b, g); }, [&] { return call(self.map(da), g, b); }),
                          self.choose([](MatMul m) { return m.transpose_b; }, [&] { return call(self.map(db), g, a); }, [&] { return call(self.map(db), a, g); }));
    }
};

template <MatMul op = MatMul{}, Operand A, Operand B> auto matmul(A&& a, B&& b) { return call(Constant<op>{}, std::forward<A>(a), std::forward<B>(b)); }

}  // namespace tenon
