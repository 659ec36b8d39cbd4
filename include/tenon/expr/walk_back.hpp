// The loops around what a statement does backward: over all elements, block by block, and what broadcasts is summed.
#pragma once
#include "node.hpp"

#include <atomic>

namespace tenon::detail {

/// Of a reduction: its operands broadcast to extents that nothing has.
template <class = void> std::shared_ptr<const void> prepare_reduction(const void*, std::span<const Ref* const> in, std::span<const Ref* const>) {
    Dims whole = in[0]->dims;
    for (const Ref* r : in) whole = broadcast("", whole, r->dims).dims[0];
    return std::make_shared<Layouts>(in.data(), in.size(), whole, block);
}

/// Of a backward kernel: its readers (leaves, g) and, per output, its writers.
///
/// A long walk is made in chunks, whose number follows from the extents alone. Outputs that are sums get those of each chunk in `sums`, one record after the
/// other, and at the end their sum in the order of chunks: so threads may share the chunks, and the result is the same to the last bit.
struct BackwardLayouts {
    Layouts in;
    std::vector<Layout> out;
    std::uint32_t wanted = 0, first = 0;  ///< positions of leaves whose contributions somebody reads, and those of them that are the first of their output
    int chunks = 1;
    std::vector<std::size_t> at;  ///< by output: where its sums lie in a record
    std::size_t record = 0;       ///< elements
    Buffer sums;
    mutable std::atomic<int> ended{0};  ///< shares of this run
};
template <class = void> std::shared_ptr<const void> prepare_backward(const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out) {
    const auto p = std::make_shared<BackwardLayouts>();
    const auto& target = as<Group>(op).target;
    std::uint32_t seen = 0;
    for (std::size_t i = 0; i + 2 < in.size(); ++i) {
        if (target[i] < 0 || !out[static_cast<std::size_t>(target[i])]->data) continue;
        p->wanted |= 1u << i;
        if (!(seen >> target[i] & 1)) p->first |= 1u << i;
        seen |= 1u << target[i];
    }
    const Dims& y = in.back()->dims;
    p->in = Layouts(in.data(), in.size() - 1, y, block);
    for (const Ref* o : out) {
        p->out.emplace_back(o->data || o->dims.ranked() ? Layout(o->dims, y) : Layout());
        p->in.cuts.respect(p->out.back());
        p->at.push_back(p->record);
        if (o->data && p->out.back().kind != Layout::whole) p->record += (static_cast<std::size_t>(o->dims.size()) + 15) / 16 * 16;
    }
    if (p->record <= 8192) p->chunks = static_cast<int>(std::clamp<std::int64_t>(y.size() >> 16, 1, 8));  // 16 us each at least
    if (p->chunks > 1) p->sums = Buffer(static_cast<std::size_t>(p->chunks) * p->record * bytes_of(in.back()->dtype));
    return p;
}

/// Backward through `n` elements, a multiple of the packet's width. x: the leaves, g, y; `total`, if not null, gets the sum of the statement's own values by lanes.
template <class T> struct BackwardStep {
    std::array<const T*, 33> x;
    std::array<T*, 31> out;
    T* total;
    std::uint32_t wanted, first;
    std::int64_t n;
};

/// The loop around a statement's backward steps, in one chunk of all elements, compiled once per type. in: leaves, g, y, without memory where nobody reads
/// them; out: one per distinct leaf, likewise. `anew`, of a statement that is reduced: y was not stored, so it is computed again, and one output may be the total of its
/// elements: value and gradient in one pass.
template <class T, std::size_t most> [[gnu::noinline]] void walk_chunk(const Call& c, void (*step)(const BackwardStep<T>&), bool anew, Share chunk) {
    const auto& layouts = *static_cast<const BackwardLayouts*>(c.prepared);
    const Group& group = as<Group>(c.op);
    const std::size_t leaves = c.in.size() - 2;
    const auto target = [&](std::size_t p) { return static_cast<std::size_t>(group.target[p]); };
    T* const total = group.total < 0 ? nullptr : static_cast<T*>(c.out[static_cast<std::size_t>(group.total)]->data);
    T sum = 0;
    std::array<Reader<T>, most + 1> in;
    std::array<Writer<T>, most> out;
    constexpr std::int64_t width = packet_width<T>;
    alignas(64) T lanes[width], ends[2 * most + 2][width];
    for (std::size_t p = 0; p <= leaves; ++p) in[p].open(*c.in[p], layouts.in.each[p], layouts.in.cuts);
    for (std::size_t o = 0; o < c.out.size(); ++o) if (static_cast<int>(o) != group.total) out[o].open(*c.out[o], layouts.out[o]);
    const Ref& y = *c.in[leaves + 1];
    const Layout as_it_is;
    Reader<T> result;
    BackwardStep<T> s;
    s.wanted = layouts.wanted, s.first = layouts.first;
    if (!anew) result.open(y, as_it_is, layouts.in.cuts);
    layouts.in.cuts.each(layouts.in.cuts.of(chunk), [&](std::int64_t i, std::int64_t n) {
        for (std::size_t p = 0; p <= leaves; ++p) s.x[p] = in[p].at(i, n);
        s.x[leaves + 1] = anew ? nullptr : result.at(i, n);
        for (std::size_t p = 0; p < leaves; ++p) s.out[p] = s.wanted >> p & 1 ? out[target(p)].at(i) : nullptr;
        s.total = total ? lanes : nullptr;
        const auto left = n % width, from = n - left;
        s.n = from;
        if (s.n) step(s);
        if (s.n && total) sum += Packet<T>::load(lanes).sum();
        if (left) {
            s.n = width;
            const bool again = from > 0 && s.first == s.wanted;  // with some before them, which come to the same; not where contributions are added
            if (again) {
                for (std::size_t p = 0; p <= leaves + !anew; ++p) s.x[p] += n - width;
                for (std::size_t p = 0; p < leaves; ++p) if (s.wanted >> p & 1) s.out[p] += n - width;
                step(s);
            } else {
                for (std::size_t p = 0; p <= leaves + !anew; ++p) {
                    s.x[p] += from;
                    if (p <= leaves && in[p].is_constant()) continue;
                    copy_padded(ends[p], s.x[p], left);
                    s.x[p] = ends[p];
                }
                for (std::size_t p = 0; p < leaves; ++p)
                    if (s.wanted >> p & 1) s.out[p] = out[target(p)].has_room() ? s.out[p] + from : ends[most + 2 + target(p)];
                step(s);
                for (std::size_t p = 0; p < leaves; ++p) {
                    if (!(s.first >> p & 1)) continue;
                    if (auto& to = out[target(p)]; !to.has_room()) copy_less(to.at(i) + from, s.out[p], left);
                }
            }
            if (total) for (std::int64_t k = again ? width - left : 0, last = k + left; k < last; ++k) sum += lanes[k];
        }
        for (std::size_t p = 0; p < leaves; ++p) if (s.first >> p & 1) out[target(p)].written(i, n);
    });
    if (total) *total = group.mean ? sum / static_cast<T>(layouts.in.cuts.size()) : sum;
}
/// All chunks, or a share of them; who is the last to end adds up.
template <class T> [[gnu::noinline]] void walk_chunks(const Call& c, void (*step)(const BackwardStep<T>&), bool anew, void (*walk)(const Call&, void (*)(const BackwardStep<T>&), bool, Share)) {
    const auto& layouts = *static_cast<const BackwardLayouts*>(c.prepared);
    T* const sums = reinterpret_cast<T*>(layouts.sums.data());
    std::array<Ref, 32> refs;
    std::array<const Ref*, 32> out;
    const auto is_sum = [&](std::size_t o) { return c.out[o]->data && layouts.out[o].kind != Layout::whole; };
    for (std::size_t o = 0; o < c.out.size(); ++o) out[o] = &(refs[o] = *c.out[o]);
    Call part = c;
    part.out = {out.data(), c.out.size()};
    const auto mine = c.share.of(layouts.chunks);
    for (std::int64_t chunk = mine.from; chunk < mine.to; ++chunk) {
        for (std::size_t o = 0; o < c.out.size(); ++o) if (is_sum(o)) refs[o].data = sums + static_cast<std::size_t>(chunk) * layouts.record + layouts.at[o];
        walk(part, step, anew, {static_cast<int>(chunk), layouts.chunks});
    }
    if (c.share.count > 1 && layouts.ended.fetch_add(1, std::memory_order_acq_rel) + 1 < c.share.count) return;
    layouts.ended.store(0, std::memory_order_relaxed);
    for (std::size_t o = 0; o < c.out.size(); ++o) {
        if (!is_sum(o)) continue;
        const T* from = sums + layouts.at[o];
        T* const to = static_cast<T*>(c.out[o]->data);
        const auto n = c.out[o]->dims.size();
        std::copy_n(from, n, to);
        for (int chunk = 1; chunk < layouts.chunks; ++chunk) map(to, n) += map(from += layouts.record, n);
    }
}
template <class T, std::size_t most> void walk_back(const Call& c, void (*step)(const BackwardStep<T>&), bool anew) {
    if (static_cast<const BackwardLayouts*>(c.prepared)->chunks > 1) walk_chunks<T>(c, step, anew, &walk_chunk<T, most>);
    else walk_chunk<T, most>(c, step, anew, {});
}

}  // namespace tenon::detail
