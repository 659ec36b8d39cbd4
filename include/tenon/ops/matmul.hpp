// Matrix products, alone and by the batch.
#pragma once
#include "../tensor/gemm_part.hpp"
#include "broadcasting.hpp"
#include "product.hpp"

namespace tenon {

/// Matrix product a b; either factor may be transposed first.
///
/// Shapes    a [m,k], b [k,n] -> [m,n];  a is [k,m] if transpose_a, b is [n,k] if transpose_b
/// Values    float, double, half, bfloat16, int32, int64; k = 0 gives zeros
/// Gradient  da = g bᵀ, db = aᵀ g, transposed where a or b was
/// Cost      2 m n k flops; does not fuse, so it returns a Node
/// Errors    "[MatMul] inner extents differ: [2,3] x [4,5]", at compile time, or ShapeError on import
/// Source    TensorFlow op MatMul, tensorflow/core/ops/math_ops.cc
struct MatMul {
    bool transpose_a = false, transpose_b = false;
    static constexpr const char* name = "MatMul";
    static constexpr int arity = 2;
    static constexpr bool finishes = true;
    template <class Self = MatMul> static constexpr auto params = members(attr("transpose_a", &Self::transpose_a), attr("transpose_b", &Self::transpose_b));

    constexpr Inferred infer(const Dims& a, const Dims& b) const {
        if (a.rank != 2 || b.rank != 2) return reject("[MatMul] needs two matrices: ", a, " x ", b);
        const auto k = a[!transpose_a], l = b[transpose_b];
        if (k != l && k != dyn && l != dyn) return reject("[MatMul] inner extents differ: ", a, " x ", b);
        return Dims{a[transpose_a], b[!transpose_b]};
    }
    template <class T> std::size_t workspace(std::span<const Ref* const> in, std::span<const Ref* const> out) const {
        if constexpr (std::is_integral_v<T>) return 0;
        else return gemm::workspace_bytes<T>(out[0]->dims[0], columns(out), in[0]->dims[!transpose_a]);
    }
    template <class T> void compute(const Call& c) const {
        const auto y = c.output<T>(0);
        const T *a = c.input<T>(0).data, *b = c.input<T>(1).data;
        const auto k = c.in[0]->dims[!transpose_a];
        if constexpr (std::is_integral_v<T>) {  // rare: not worth compiling packed products; overflow wraps
            using U = std::make_unsigned_t<T>;
            std::fill_n(y.data, y.size(), T(0));
            gemm::add_small<U>(reinterpret_cast<U*>(y.data), reinterpret_cast<const U*>(a), transpose_a, reinterpret_cast<const U*>(b), transpose_b, y.dims[0], y.dims[1], k, U(1));
        } else if (!c.prepared && c.share.count == 1 && c.out.size() == 1) {
            gemm::multiply(y.data, a, transpose_a, b, transpose_b, y.dims[0], y.dims[1], k, c.workspace);
        } else {
            const ProductUse use = detail::product_use(c);
            const bool tb = transpose_b && !use.turned;
            const auto b_stride = c.in[1]->dims[1];
            const gemm::Factor<T> x{a, c.in[0]->dims[1], transpose_a}, z{b + use.first * (tb ? b_stride : 1), b_stride, tb};
            if (c.share.count > 1 || c.out.size() > 1) return make_part(c, use, x, z, k);
            if (use.into == ProductUse::assign) gemm::multiply(y.data, y.dims[1], x, z, y.dims[0], y.dims[1], k, c.workspace, machine(), detail::epilogue<T>(c, use));
            else gemm::add(y.data, y.dims[1], x, z, y.dims[0], y.dims[1], k, use.into == ProductUse::add ? T(1) : -c.input<T>(2)[0], c.workspace);
        }
    }
    template <class T> Sharing sharing(std::span<const Ref* const> in, std::span<const Ref* const> out, const Threads& threads) const requires std::is_floating_point_v<T> {
        const auto m = out[0]->dims[0], n = columns(out), k = in[0]->dims[!transpose_a];
        Sharing s{gemm::Parts<T>(m, n, k, threads.shares(gemm::nanoseconds<T>(m, n, k), threads.count)).count()};
        for (int i = 0; i < s.count; ++i) {
            const auto part = gemm::Parts<T>(m, n, k, s.count)[i];
            s.workspace = std::max(s.workspace, gemm::workspace_bytes<T>(part.rows.size(), part.columns.size(), k));
        }
        return s;
    }
    constexpr bool is_turned() const { return transpose_b; }
    template <class T> static void turn(const Call& c) requires std::is_floating_point_v<T> {
        const auto x = c.input<T>(0);
        gemm::transpose(c.output<T>(0).data, x.data, x.dims[0], x.dims[1]);
    }
    static auto gradient(auto self, auto g, auto, auto a, auto b) {
        const auto da = [](MatMul m) { return m.transpose_a ? MatMul{m.transpose_b, true} : MatMul{false, !m.transpose_b}; };
        const auto db = [](MatMul m) { return m.transpose_b ? MatMul{true, m.transpose_a} : MatMul{!m.transpose_a, false}; };
        return std::tuple(self.choose([](MatMul m) { return m.transpose_a; }, [&](const auto& x, const auto& d) { return call(self.map(da), x, d); }, [&](const auto& x, const auto& d) { return call(self.map(da), d, x); }, b, g),
                          self.choose([](MatMul m) { return m.transpose_b; }, [&](const auto& x, const auto& d) { return call(self.map(db), d, x); }, [&](const auto& x, const auto& d) { return call(self.map(db), x, d); }, a, g));
    }

private:
    /// Of all the matrices that the plan lets the product go into.
    static std::int64_t columns(std::span<const Ref* const> out) { return out[0]->dims[1] * static_cast<std::int64_t>(out.size()); }

    template <class T> [[gnu::noinline]] static void make_part(const Call& c, const ProductUse& use, const gemm::Factor<T>& x, const gemm::Factor<T>& z, std::int64_t k) {
        const auto m = c.out[0]->dims[0], n = columns(c.out), stride = c.out[0]->dims[1];
        const auto [rows, columns] = c.share.count > 1 ? gemm::Parts<T>(m, n, k, c.share.count)[c.share.index] : gemm::Part{{0, m}, {0, n}};
        auto end = detail::epilogue<T>(c, use);
        T* matrices[ProductUse::most_outputs];
        if (c.out.size() > 1) {
            for (std::size_t i = 0; i < c.out.size(); ++i) matrices[i] = c.output<T>(i).data + rows.from * stride;
            end.into = {matrices, stride};
        }
        const auto at = rows.from * n + columns.from;
        T* const to = c.out.size() > 1 ? nullptr : c.output<T>(0).data + at;
        if (use.into == ProductUse::assign)
            gemm::multiply(to, stride, gemm::rows_of(x, rows), gemm::columns_of(z, columns), rows.size(), columns.size(), k, c.workspace, machine(), end.from(at, columns.from));
        else gemm::add(to, stride, gemm::rows_of(x, rows), gemm::columns_of(z, columns), rows.size(), columns.size(), k, use.into == ProductUse::add ? T(1) : -c.input<T>(2)[0], c.workspace);
    }
};

/// Products of matrices, one pair per element of the batch; either factor may be transposed (adjoint) first.
///
/// Shapes    x [..,m,k], y [..,k,n] -> [..,m,n]
/// Values    float, double, half, bfloat16
/// Gradient  as MatMul's, summed over the axes that were broadcast
/// Cost      2 m n k flops each; one product where y is the same for all of x
/// Errors    "[BatchMatMul] inner extents differ: [2,2,3] x [2,4,5]", "[BatchMatMul] batches differ: [1,2,3] x [2,3,4]"
template <class O, bool broadcasts_batch> struct BatchProduct {
    static constexpr int arity = 2;

    static constexpr Inferred infer_as(const O& op, const Dims& x, const Dims& y) {
        if (x.rank < 2 || y.rank < 2) return reject("[", O::name, "] needs matrices: ", x, " x ", y);
        const auto k = x[op.adj_x ? -2 : -1], l = y[op.adj_y ? -1 : -2];
        if (k != l && k != dyn && l != dyn) return reject("[", O::name, "] inner extents differ: ", x, " x ", y);
        const Dims a = batch(x), b = batch(y);
        bool fit = true;
        const Inferred all = broadcasts_batch ? broadcast(O::name, a, b) : Inferred(merge(a, b, fit));
        if (!all.ok() || !fit) return reject("[", O::name, "] batches differ: ", x, " x ", y);
        Dims r = all.dims[0];
        r.push(x[op.adj_x ? -1 : -2]);
        r.push(y[op.adj_y ? -2 : -1]);
        return r;
    }
    static constexpr Dims batch(Dims d) {
        d.rank -= 2;
        return d;
    }
    /// Which matrix of an operand goes into matrix i of the result.
    static std::int64_t matrix_of(const Dims& operand, const Dims& result, std::int64_t i) {
        std::int64_t at = 0, stride = 1;
        for (int axis = 3; axis <= operand.rank; ++axis) {
            if (operand[-axis] != 1) at += i % result[-axis] * stride;
            stride *= operand[-axis];
            i /= result[-axis];
        }
        return at;
    }
    struct Sizes { std::int64_t count, m, n, k; };
    /// The matrices of x, one below the other, are one matrix if all meet the same y.
    static Sizes sizes(const O& op, const Dims& x, const Dims& y, const Dims& r) {
        const Sizes s{batch(r).size(), r[-2], r[-1], x[op.adj_x ? -2 : -1]};
        if (op.adj_x || batch(y).size() != 1 || batch(x).size() != s.count) return s;
        return {1, s.count * s.m, s.n, s.k};
    }
    template <class T> std::size_t workspace(std::span<const Ref* const> in, std::span<const Ref* const> out) const {
        const Sizes s = sizes(static_cast<const O&>(*this), in[0]->dims, in[1]->dims, out[0]->dims);
        return s.count ? gemm::workspace_bytes<T>(s.m, s.n, s.k) : 0;
    }
    /// Every matrix is made by one thread.
    template <class T> Sharing sharing(std::span<const Ref* const> in, std::span<const Ref* const> out, const Threads& threads) const {
        const Sizes s = sizes(static_cast<const O&>(*this), in[0]->dims, in[1]->dims, out[0]->dims);
        return {threads.shares(static_cast<double>(s.count) * gemm::nanoseconds<T>(s.m, s.n, s.k), s.count), 0, workspace<T>(in, out)};
    }
    template <class T> void compute(const Call& c) const {
        const O& op = static_cast<const O&>(*this);
        const auto x = c.input<T>(0), y = c.input<T>(1);
        const auto r = c.output<T>(0);
        const Sizes s = sizes(op, x.dims, y.dims, r.dims);
        const auto some = c.share.of(s.count);
        for (std::int64_t i = some.from; i < some.to; ++i) {
            const auto a = s.count == 1 ? 0 : matrix_of(x.dims, r.dims, i), b = s.count == 1 ? 0 : matrix_of(y.dims, r.dims, i);
            gemm::multiply(r.data + i * s.m * s.n, x.data + a * s.m * s.k, op.adj_x, y.data + b * s.k * s.n, op.adj_y, s.m, s.n, s.k, c.workspace);
        }
    }
    template <class T> static auto gradient(const RunTime<O>& self, const Node<T>& g, const Node<T>&, const Node<T>& x, const Node<T>& y) {
        const bool ax = self.op.adj_x, ay = self.op.adj_y;
        const auto product = [](bool first, bool second, const Node<T>& a, const Node<T>& b) {
            O op;
            op.adj_x = first, op.adj_y = second;
            return make<T>(op, {a, b});
        };
        const Node<T> dx = ax ? product(ay, true, y, g) : product(false, !ay, g, y), dy = ay ? product(true, ax, g, x) : product(!ax, false, x, g);
        if constexpr (broadcasts_batch) return std::tuple(sum_to(dx, x), sum_to(dy, y));
        else return std::tuple(dx, dy);
    }
};
struct BatchMatMul : BatchProduct<BatchMatMul, false> {
    bool adj_x = false, adj_y = false;
    static constexpr const char* name = "BatchMatMul";
    template <class Self = BatchMatMul> static constexpr auto params = members(attr("adj_x", &Self::adj_x), attr("adj_y", &Self::adj_y));
    constexpr Inferred infer(const Dims& x, const Dims& y) const { return infer_as(*this, x, y); }
};
/// Batches broadcast.
struct BatchMatMulV2 : BatchProduct<BatchMatMulV2, true> {
    bool adj_x = false, adj_y = false;
    static constexpr const char* name = "BatchMatMulV2";
    template <class Self = BatchMatMulV2> static constexpr auto params = members(attr("adj_x", &Self::adj_x), attr("adj_y", &Self::adj_y));
    constexpr Inferred infer(const Dims& x, const Dims& y) const { return infer_as(*this, x, y); }
};
struct BatchMatMulV3 : BatchProduct<BatchMatMulV3, true> {
    bool adj_x = false, adj_y = false;
    static constexpr const char* name = "BatchMatMulV3";
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "Ta"}, TypeAttr{TypeAttr::input, "Tb", 1}, TypeAttr{TypeAttr::output, "Tout", 0}};
    template <class Self = BatchMatMulV3> static constexpr auto params = members(attr("adj_x", &Self::adj_x), attr("adj_y", &Self::adj_y));
    constexpr Inferred infer(const Dims& x, const Dims& y) const { return infer_as(*this, x, y); }
};

namespace detail {
constexpr BatchMatMulV2 batched(MatMul m) {
    BatchMatMulV2 op;
    op.adj_x = m.transpose_a, op.adj_y = m.transpose_b;
    return op;
}
}  // namespace detail

/// The product over the last two axes; axes before them are a batch and broadcast.
template <MatMul op = MatMul{}, Operand A, Operand B> auto batch_matmul(A&& a, B&& b) { return call(Constant<detail::batched(op)>{}, std::forward<A>(a), std::forward<B>(b)); }
/// The product of matrices, or of batches of them if an operand has more than two axes.
template <MatMul op = MatMul{}, Operand A, Operand B> auto matmul(A&& a, B&& b) {
    if constexpr (std::remove_cvref_t<A>::shape::dims.rank > 2 || std::remove_cvref_t<B>::shape::dims.rank > 2) return batch_matmul<op>(std::forward<A>(a), std::forward<B>(b));
    else return call(Constant<op>{}, std::forward<A>(a), std::forward<B>(b));
}

}  // namespace tenon
