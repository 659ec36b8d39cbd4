// Elements moved from one regular layout to another: what transposing, slicing with steps, reversing and rearranging blocks
// come to. The axes are simplified when a plan is made; a run only loops.
#pragma once
#include "../base/dims.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace tenon {

/// A box of elements and, along each of its axes, how far apart they lie where they are read and where they are written.
class StridedCopy {
public:
    struct Axis { std::int64_t n, from, to; };

private:
    static constexpr int most = 2 * max_rank;  // an axis may have been split in two
    std::array<Axis, most> axis_{};
    int rank_ = 0;
    std::int64_t from_ = 0, to_ = 0;
    bool empty_ = false;

public:
    /// Where the first element is read, and where it is written.
    template <class = void> StridedCopy& start(std::int64_t from, std::int64_t to) {
        from_ = from, to_ = to;
        return *this;
    }
    /// One more axis, inside those before.
    template <class = void> void push(Axis a) {
        if (a.n <= 0) empty_ = true;
        if (a.n <= 1) return;
        if (rank_ > 0) {
            Axis& outer = axis_[static_cast<std::size_t>(rank_ - 1)];
            if (outer.from == a.n * a.from && outer.to == a.n * a.to) {  // one longer axis
                outer = {outer.n * a.n, a.from, a.to};
                return;
            }
        }
        axis_[static_cast<std::size_t>(rank_++)] = a;
    }
    /// Axes in the order in which they are looped over: last the one that is written without gaps, before it the one that is
    /// read without gaps, so that the two innermost loops can go through small squares.
    template <class = void> void arrange() {
        if (rank_ < 2 || last().from == 1) return;
        for (int i = 1; i < rank_ - 1; ++i)
            if (axis_[static_cast<std::size_t>(i - 1)].from == 1) std::swap(axis_[static_cast<std::size_t>(i - 1)], axis_[static_cast<std::size_t>(i)]);
    }
    template <class T> void run(const T* x, T* y) const {
        if (empty_) return;
        x += from_, y += to_;
        if (rank_ == 0) *y = *x;
        else if (rank_ == 1) line(last(), x, y);
        else outer(0, x, y);
    }

private:
    template <class = void> const Axis& last() const { return axis_[static_cast<std::size_t>(rank_ - 1)]; }
    template <class T> static void line(const Axis& a, const T* x, T* y) {
        if (a.from == 1 && a.to == 1) std::copy_n(x, a.n, y);
        else for (std::int64_t i = 0; i < a.n; ++i) y[i * a.to] = x[i * a.from];
    }
    template <class T> void outer(int axis, const T* x, T* y) const {
        const Axis& a = axis_[static_cast<std::size_t>(axis)];
        if (axis == rank_ - 2) return plane(a, last(), x, y);
        for (std::int64_t i = 0; i < a.n; ++i) outer(axis + 1, x + i * a.from, y + i * a.to);
    }
    template <class T> static void plane(const Axis& a, const Axis& b, const T* x, T* y) {
        if (a.from == 1 && b.to == 1) return transpose(a, b, x, y);
        for (std::int64_t i = 0; i < a.n; ++i) line(b, x + i * a.from, y + i * a.to);
    }
    /// y[i, j] = x[j, i] in squares that fit in L1 on both sides, each in squares whose columns are read together.
    template <class T> static void transpose(const Axis& a, const Axis& b, const T* x, T* y) {
        constexpr std::int64_t big = 64, small = 8;
        for (std::int64_t ib = 0; ib < a.n; ib += big)
            for (std::int64_t jb = 0; jb < b.n; jb += big)
                for (std::int64_t i = ib, ie = std::min(a.n, ib + big); i < ie; i += small)
                    for (std::int64_t j = jb, je = std::min(b.n, jb + big); j < je; j += small) {
                        const T* from = x + j * b.from + i;
                        T* to = y + i * a.to + j;
                        if (i + small <= ie && j + small <= je) square<small>(from, b.from, to, a.to);
                        else
                            for (std::int64_t c = 0; c < std::min(small, ie - i); ++c)
                                for (std::int64_t r = 0; r < std::min(small, je - j); ++r) to[c * a.to + r] = from[r * b.from + c];
                    }
    }
    template <std::int64_t n, class T> static void square(const T* x, std::int64_t x_row, T* y, std::int64_t y_row) {
        T t[n * n];
        for (std::int64_t r = 0; r < n; ++r)
            for (std::int64_t c = 0; c < n; ++c) t[c * n + r] = x[r * x_row + c];
        for (std::int64_t c = 0; c < n; ++c)
            for (std::int64_t r = 0; r < n; ++r) y[c * y_row + r] = t[c * n + r];
    }
};

/// C order: how far apart neighbours along each axis lie.
template <class = void> Dims strides_of(const Dims& d) {
    Dims s = d;
    std::int64_t stride = 1;
    for (int i = d.rank - 1; i >= 0; --i) s[i] = stride, stride *= d[i];
    return s;
}
/// Elements along axes [from, to).
template <class = void> std::int64_t product(const Dims& d, int from, int to) {
    std::int64_t n = 1;
    for (int i = from; i < to; ++i) n *= d[i];
    return n;
}

}  // namespace tenon
