// How elementwise work walks over memory: in blocks that stay in L1, whatever is broadcast.
//
//   operand      extents against the result's     read as                      written (summed) as
//   whole        equal                            data + i                     assign or add
//   periodic     a suffix, 1 for a scalar         a tile that repeats it       sum over the repeats
//   column       trailing ones                    runs of one element          sum of each run
//   general      anything else that broadcasts    gathered, run by run         scattered
//
// With whole operands only, a forward statement is one block: one flat loop. Layouts are found when a plan
// is made (`Layouts`) and only read when it runs.
#pragma once
#include "share.hpp"
#include "view.hpp"

#include <algorithm>
#include <vector>

namespace tenon {

/// Two dozen blocks of floats fit in 48 KiB of L1. 512 against whole arrays: 2.1 times faster gradients at 1e5 elements.
inline constexpr std::int64_t block = 512;

struct Layout {
    enum Kind : std::uint8_t { whole, periodic, column, general } kind = whole;
    std::int64_t period = 1;
    Dims own, result;

    Layout() = default;
    template <class = void> Layout(const Dims& o, const Dims& r) {
        if (o == r || (o.size() == r.size())) return;
        if (o.size() == 1) { kind = periodic; return; }
        own = o, result = r;
        int first = 0;  // leading ones repeat like missing axes
        while (first < o.rank && o[first] == 1) ++first;
        kind = periodic;
        for (int i = 1; i <= o.rank - first; ++i) if (o[-i] != r[-i]) kind = general;
        period = o.size();
        if (kind == general) {
            int last = o.rank;
            while (o.rank == r.rank && last > 0 && o[last - 1] == 1) --last;
            kind = last < o.rank ? column : general;
            for (int i = 0; i < last; ++i) if (o[i] != r[i]) kind = general;
            period = kind == column ? r.size() / o.size() : r[-1];
        }
    }
    /// Which element of the operand element `i` of the result reads.
    template <class = void> std::int64_t index(std::int64_t i) const {
        if (kind == column) return i / period;
        std::int64_t at = 0, stride = 1;
        for (int axis = 1; axis <= own.rank; ++axis) {
            const auto e = result[-axis], c = i % e;
            i /= e;
            if (own[-axis] != 1) at += c * stride;
            stride *= own[-axis];
        }
        return at;
    }
    /// `f(offset in the block, first element of the operand, run length, step)` for each run of elements [i, i+n).
    template <class F> void each_run(std::int64_t i, std::int64_t n, F&& f) const {
        const std::int64_t step = kind == general && own[-1] != 1 ? 1 : 0;
        for (std::int64_t k = 0, length; k < n; k += length) {
            length = std::min(n - k, period - (i + k) % period);
            f(k, index(i + k), length, step);
        }
    }
};

/// Cuts [0, size) so that no block crosses a period longer than a block, and short periods fit a whole number of times.
class Cuts {
    std::int64_t size_ = 0, step_ = 0, fence_ = 0;

public:
    Cuts() = default;
    template <class = void> Cuts(std::int64_t size, std::int64_t step) : size_(size), step_(step), fence_(size) {}
    template <class = void> void respect(const Layout& l) {
        if (l.kind == Layout::whole) return;
        if (l.kind >= Layout::column) { step_ = std::min(step_, block); return; }
        if (l.period > block) fence_ = std::min(fence_, l.period), step_ = std::min(step_, block);
        else if (step_ % l.period || step_ > block) {
            const auto packets = l.period * 16 / std::min<std::int64_t>(l.period & -l.period, 16);  // so that only the last block has elements that fill no packet
            const auto whole = packets <= block ? packets : l.period;
            step_ = block / whole * whole;
        }
    }
    template <class = void> std::int64_t step() const { return std::min(step_, size_); }
    std::int64_t size() const { return size_; }
    template <class F> void each(F&& f) const { each({0, size_}, f); }
    /// A share of all blocks, each as it is among all.
    template <class = void> Share::Range of(Share s) const { return s.of(size_, fence_ < size_ ? fence_ : step_); }
    template <class F> void each(Share::Range part, F&& f) const {
        for (std::int64_t i = part.from, n; i < part.to; i += n) {
            n = std::min(step_, size_ - i);
            if (fence_ < size_) n = std::min(n, fence_ - i % fence_);
            f(i, n);
        }
    }
};

/// Of all operands of one elementwise kernel. `step` is a block, or everything where nothing broadcasts.
struct Layouts {
    std::vector<Layout> each;
    Cuts cuts;

    Layouts() = default;
    template <class = void> Layouts(const Ref* const* operands, std::size_t count, const Dims& result, std::int64_t step) : cuts(result.size(), std::max<std::int64_t>(step, 1)) {
        each.reserve(count);
        for (std::size_t k = 0; k < count; ++k) cuts.respect(each.emplace_back(operands[k]->dims, result));
    }
};

/// Nothing of it is set before `open`: kernels have more of them than they need.
template <class T> class Reader {
    const T* data_;
    const Layout* layout_;
    alignas(64) T tile_[block];

public:
    Reader() {}
    void open(const Ref& r, const Layout& l, const Cuts& cuts) {
        data_ = static_cast<const T*>(r.data);
        layout_ = &l;
        const auto n = (std::min(block, cuts.step()) + 15) / 16 * 16, p = l.period;  // whole packets, whatever their width
        if (!data_) { std::fill_n(tile_, n, T()); return; }  // an operand whose value nobody uses
        if (l.kind != Layout::periodic || l.period > block) return;
        if (p == 1) std::fill_n(tile_, n, *data_);
        else for (std::int64_t k = 0; k < n; k += p) std::copy_n(data_, std::min(p, n - k), tile_ + k);
    }
    /// All elements are one, and a packet's width of it may be read wherever one may.
    bool is_constant() const { return !data_ || (layout_->kind == Layout::periodic && layout_->period == 1); }
    const T* at(std::int64_t i, std::int64_t n) {
        if (!data_) return tile_;
        if (layout_->kind == Layout::whole) return data_ + i;
        if (layout_->kind == Layout::periodic) return layout_->period > block ? data_ + i % layout_->period : tile_;
        layout_->each_run(i, n, [&](std::int64_t k, std::int64_t from, std::int64_t length, std::int64_t step) {
            if (step) std::copy_n(data_ + from, length, tile_ + k);
            else std::fill_n(tile_ + k, length, data_[from]);
        });
        return tile_;
    }
};

/// The adjoint of Reader: what arrives at one element from everywhere it was read is summed.
template <class T> class Writer {
    T* data_;
    const Layout* layout_;
    alignas(64) T tile_[block];

public:
    Writer() {}
    void open(const Ref& r, const Layout& l) {
        data_ = static_cast<T*>(r.data);
        layout_ = &l;
        if (data_ && l.kind != Layout::whole) std::fill_n(data_, r.dims.size(), T(0));
    }
    explicit operator bool() const { return data_ != nullptr; }
    /// A packet's width may be written wherever an element may.
    bool has_room() const { return layout_->kind != Layout::whole; }
    /// Where elements [i, i+n) are to be written; `written` then puts them where they belong.
    T* at(std::int64_t i) { return layout_->kind == Layout::whole ? data_ + i : tile_; }
    void written(std::int64_t i, std::int64_t n) {
        const auto p = layout_->period;
        if (layout_->kind == Layout::whole) return;
        if (layout_->kind == Layout::periodic && p == 1) data_[0] += map(tile_, n).sum();
        else if (layout_->kind == Layout::periodic && p > block) map(data_ + i % p, n) += map(tile_, n);
        else if (layout_->kind == Layout::periodic) for (std::int64_t k = 0; k < n; k += p) map(data_, p) += map(tile_ + k, p);
        else
            layout_->each_run(i, n, [&](std::int64_t k, std::int64_t to, std::int64_t length, std::int64_t step) {
                if (step) map(data_ + to, length) += map(tile_ + k, length);
                else data_[to] += map(tile_ + k, length).sum();
            });
    }
};

}  // namespace tenon
