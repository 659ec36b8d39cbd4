// Blocks of space as batches, and back: how TensorFlow once wrote dilated convolutions.
#pragma once
#include "pack.hpp"

namespace tenon {

namespace detail {
/// What both directions share. `whole` is the tensor with its blocks in space, paddings included; `batched` has them as batches.
struct BlocksOfSpace {
    Dims block_shape;
    Ints border;  ///< paddings or crops
    static constexpr int arity = 1;
    static constexpr bool moves = true;
    static constexpr std::int64_t most_blocks = 1 << 14;
    constexpr Reason wrong(std::string_view op, const Dims& x) const {
        bool fit = block_shape.rank < x.rank && border.count == 2 * block_shape.rank;
        for (const auto b : block_shape) fit = fit && b >= 1 && b <= most_blocks;
        fit = fit && are_widths(border) && blocks() <= most_blocks;
        return fit ? Reason{} : Reason{} << "[" << op << "] blocks of " << block_shape << " with " << border.count / 2 << " borders for " << x;
    }
    constexpr std::int64_t blocks() const {
        std::int64_t n = 1;
        for (const auto b : block_shape) n = n > most_blocks ? n : n * b;
        return n;
    }
    template <class = void> Inferred infer_open(std::span<const Dims> x) const { return Dims::filled(x[0].rank, dyn); }
    /// copy(element of batched, element of the cropped tensor, elements in a row) for every pixel inside the borders.
    template <class Copy> void each_pixel(const Dims& batched, const Dims& cropped, Copy copy) const {
        const int m = block_shape.rank;
        const auto row = product(cropped, m + 1, cropped.rank), pixels = product(cropped, 1, m + 1);
        for (std::int64_t n = 0; n < cropped[0]; ++n)
            for (std::int64_t p = 0; p < pixels; ++p) {
                std::int64_t rest = p, at = 0, stride = 1, block = 0, block_stride = 1;
                for (int i = m; i > 0; --i) {
                    const auto b = block_shape[i - 1], x = rest % cropped[i] + border[2 * (i - 1)];
                    rest /= cropped[i];
                    at += x / b * stride, stride *= batched[i];
                    block += x % b * block_stride, block_stride *= b;
                }
                copy(((block * cropped[0] + n) * stride + at) * row, (n * pixels + p) * row, row);
            }
    }
};
}  // namespace detail

/// Shapes    x [n, s.., c..], block_shape [m], paddings [m, 2] -> [n prod(block), (s + paddings) / block.., c..]
/// Gradient  BatchToSpaceND
/// Errors    "[SpaceToBatchND] axis 1 of [1,3,4,2] with its paddings does not divide into blocks of 2"
struct SpaceToBatchND : detail::BlocksOfSpace {
    static constexpr const char* name = "SpaceToBatchND";
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tblock_shape", 1}, TypeAttr{TypeAttr::input, "Tpaddings", 2}};
    template <class Self = SpaceToBatchND> static constexpr auto params = members(const_input("block_shape", &Self::block_shape, 1), const_input("paddings", &Self::border, 2));
    constexpr Inferred infer(const Dims& x) const {
        if (const Reason why = wrong(name, x); why.length) return why;
        Dims y = x;
        if (x[0] != dyn) y[0] = x[0] * blocks();
        for (int i = 1; i <= block_shape.rank; ++i) {
            if (x[i] == dyn) continue;
            const auto n = x[i] + border[2 * (i - 1)] + border[2 * (i - 1) + 1], b = block_shape[i - 1];
            if (n % b) return reject("[SpaceToBatchND] axis ", i, " of ", x, " with its paddings does not divide into blocks of ", b);
            y[i] = n / b;
        }
        return y;
    }
    template <class T> void compute(const Call& c) const {
        const auto y = c.output<T>(0);
        std::fill_n(y.data, y.size(), T());
        each_pixel(y.dims, c.in[0]->dims, [x = c.input<T>(0).data, &y](std::int64_t batched, std::int64_t whole, std::int64_t n) { std::copy_n(x + whole, n, y.data + batched); });
    }
    template <class T> static std::tuple<Node<T>> gradient(const RunTime<SpaceToBatchND>& self, const Node<T>& g, const Node<T>&, const Node<T>& x);
};
/// Shapes    x [n prod(block), s.., c..], block_shape [m], crops [m, 2] -> [n, s block - crops.., c..]
/// Gradient  SpaceToBatchND
/// Errors    "[BatchToSpaceND] 3 batches of [3,2,2,1] do not divide into blocks of [2,2]"
struct BatchToSpaceND : detail::BlocksOfSpace {
    static constexpr const char* name = "BatchToSpaceND";
    static constexpr TypeAttr types[]{TypeAttr{TypeAttr::self, "T"}, TypeAttr{TypeAttr::input, "Tblock_shape", 1}, TypeAttr{TypeAttr::input, "Tcrops", 2}};
    template <class Self = BatchToSpaceND> static constexpr auto params = members(const_input("block_shape", &Self::block_shape, 1), const_input("crops", &Self::border, 2));
    constexpr Inferred infer(const Dims& x) const {
        if (const Reason why = wrong(name, x); why.length) return why;
        Dims y = x;
        if (x[0] != dyn && x[0] % blocks()) return reject("[BatchToSpaceND] ", x[0], " batches of ", x, " do not divide into blocks of ", block_shape);
        if (x[0] != dyn) y[0] = x[0] / blocks();
        for (int i = 1; i <= block_shape.rank; ++i) {
            if (x[i] == dyn) continue;
            y[i] = x[i] * block_shape[i - 1] - border[2 * (i - 1)] - border[2 * (i - 1) + 1];
            if (y[i] < 0) return reject("[BatchToSpaceND] crops of axis ", i, " of ", x, " leave ", y[i]);
        }
        return y;
    }
    template <class T> void compute(const Call& c) const {
        each_pixel(c.in[0]->dims, c.out[0]->dims, [x = c.input<T>(0).data, y = c.output<T>(0).data](std::int64_t batched, std::int64_t whole, std::int64_t n) { std::copy_n(x + batched, n, y + whole); });
    }
    template <class T> static auto gradient(const RunTime<BatchToSpaceND>& self, const Node<T>& g, const Node<T>&, const Node<T>& x) {
        return std::tuple(with_extents(make<T>(SpaceToBatchND{}, {g, self.at->inputs[1], self.at->inputs[2]}), x.dims()));
    }
};
template <class T> std::tuple<Node<T>> SpaceToBatchND::gradient(const RunTime<SpaceToBatchND>& self, const Node<T>& g, const Node<T>&, const Node<T>& x) {
    return with_extents(make<T>(BatchToSpaceND{}, {g, self.at->inputs[1], self.at->inputs[2]}), x.dims());
}

}  // namespace tenon
