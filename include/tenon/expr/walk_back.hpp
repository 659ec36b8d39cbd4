// The loops around what a statement does backward: over all elements, block by block, and what broadcasts is summed.
#pragma once
#include "node.hpp"

#include <atomic>
#include <bit>

namespace tenon::detail {

/// Of a reduction: its operands broadcast to extents that nothing has.
template <class = void> std::shared_ptr<const void> prepare_reduction(const void*, std::span<const Ref* const> in, std::span<const Ref* const>) {
    Dims whole = in[0]->dims;
    for (const Ref* r : in) whole = broadcast("", whole, r->dims).dims[0];
    const auto layouts = std::make_shared<Layouts>(in.data(), in.size(), whole, block);
    layouts->settle(in.data());
    return layouts;
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
    p->in = Layouts(in.data(), in.size(), y, block);
    for (const Ref* o : out) {
        p->out.emplace_back(o->data || o->dims.ranked() ? Layout(o->dims, y) : Layout());
        p->in.cuts.respect(p->out.back());
        p->at.push_back(p->record);
        if (o->data && p->out.back().kind != Layout::whole) p->record += (static_cast<std::size_t>(o->dims.size()) + 15) / 16 * 16;
    }
    if (p->record <= 8192) p->chunks = static_cast<int>(std::clamp<std::int64_t>(y.size() >> 16, 1, 8));  // 16 us each at least
    std::uint64_t unused = 0;
    for (std::size_t i = 0; i < in.size(); ++i) unused |= std::uint64_t{!in[i]->data} << i;
    const auto is_plain = [&](int o) { return o < 0 || !out[static_cast<std::size_t>(o)]->data || p->out[static_cast<std::size_t>(o)].kind == Layout::whole; };
    if (p->chunks == 1 && std::all_of(target.begin(), target.end(), is_plain)) p->in.settle(in.data(), unused);
    if (p->chunks > 1) p->sums = Buffer(static_cast<std::size_t>(p->chunks) * p->record * bytes_of(in.back()->dtype));
    return p;
}

/// Backward through `n` elements, a multiple of the packet's width. x: the leaves, g, y; `total`, if not null, gets the sum of the statement's own values by lanes.
template <class T> struct BackwardStep {
    std::array<const T*, 33> x;
    std::array<T*, 31> out;
    T* total;
    const int* target;  ///< which output each leaf adds to
    std::uint32_t wanted, first;
    std::int64_t n;
};
/// Where the total goes, if somebody wants it.
template <class T> T* total_of(const Call& c) {
    const int at = as<Group>(c.op).total;
    return at < 0 ? nullptr : static_cast<T*>(c.out[static_cast<std::size_t>(at)]->data);
}

/// One block of `n` elements. `wide`: a bit for each of x of which a packet's width may be read wherever an element may; `room`: for each leaf whose output has
/// room for one. What is left of the packets goes again with some before it, or through buffers.
template <class T> [[gnu::noinline]] void step_back_block(void (*step)(const BackwardStep<T>&), BackwardStep<T>& s, std::size_t leaves, std::int64_t n, std::uint64_t wide, std::uint32_t room, T& sum) {
    constexpr std::int64_t width = packet_width<T>;
    const auto left = n % width, from = n - left;
    const auto each = [](std::uint32_t positions, auto f) {
        for (; positions; positions &= positions - 1) f(static_cast<std::size_t>(std::countr_zero(positions)));
    };
    s.n = from;
    if (from) {
        step(s);
        if (s.total) sum += Packet<T>::load(s.total).sum();
    }
    if (!left) return;
    s.n = width;
    const std::size_t inputs = leaves + 1 + (s.x[leaves + 1] != nullptr);
    bool again = from > 0 && s.first == s.wanted;  // with some before them, which come to the same; not where contributions are added, or over what was read
    if (again) each(s.wanted, [&](std::size_t p) { again &= std::find(s.x.begin(), s.x.begin() + inputs, s.out[p]) == s.x.begin() + inputs; });
    if (again) {
        for (std::size_t p = 0; p < inputs; ++p) s.x[p] += n - width;
        each(s.wanted, [&](std::size_t p) { s.out[p] += n - width; });
        step(s);
    } else {
        alignas(64) T ends[64][width];
        std::array<T*, 31> to;
        for (std::size_t p = 0; p < inputs; ++p) {
            s.x[p] += from;
            if (wide >> p & 1) continue;
            copy_padded(ends[p], s.x[p], left);
            s.x[p] = ends[p];
        }
        each(s.wanted, [&](std::size_t p) {
            to[p] = s.out[p] + from;
            s.out[p] = room >> p & 1 ? to[p] : ends[33 + static_cast<std::size_t>(s.target[p])];
        });
        step(s);
        each(s.first & ~room, [&](std::size_t p) { copy_less(to[p], s.out[p], left); });
    }
    if (s.total) for (std::int64_t k = again ? width - left : 0, last = k + left; k < last; ++k) sum += s.total[k];
}
/// The loop around a statement's backward steps, in one chunk of all elements, compiled once per type. in: leaves, g, y, without memory where nobody reads
/// them; out: one per distinct leaf, likewise. `anew`, of a statement that is reduced: y was not stored, so it is computed again, and one output may be the total of its
/// elements: value and gradient in one pass.
template <class T, std::size_t most> [[gnu::noinline]] void walk_chunk(const Call& c, void (*step)(const BackwardStep<T>&), bool anew, Share chunk) {
    const auto& layouts = *static_cast<const BackwardLayouts*>(c.prepared);
    const Group& group = as<Group>(c.op);
    const std::size_t leaves = c.in.size() - 2;
    const auto target = [&](std::size_t p) { return static_cast<std::size_t>(group.target[p]); };
    std::array<Reader<T>, most + 1> in;
    std::array<Writer<T>, most> out;
    alignas(64) T lanes[packet_width<T>];
    T sum = 0;
    std::uint64_t wide = 0;
    std::uint32_t room = 0;
    for (std::size_t p = 0; p <= leaves; ++p) {
        in[p].open(*c.in[p], layouts.in.each[p], layouts.in.cuts);
        wide |= std::uint64_t{in[p].is_constant()} << p;
    }
    for (std::size_t o = 0; o < c.out.size(); ++o) if (static_cast<int>(o) != group.total) out[o].open(*c.out[o], layouts.out[o]);
    const Layout as_it_is;
    Reader<T> result;
    BackwardStep<T> s;
    s.wanted = layouts.wanted, s.first = layouts.first, s.target = group.target.data();
    for (std::size_t p = 0; p < leaves; ++p) if (s.wanted >> p & 1) room |= std::uint32_t{out[target(p)].has_room()} << p;
    T* const total = total_of<T>(c);
    s.total = total ? lanes : nullptr;
    if (!anew) result.open(*c.in[leaves + 1], as_it_is, layouts.in.cuts);
    layouts.in.cuts.each(layouts.in.cuts.of(chunk), [&](std::int64_t i, std::int64_t n) {
        for (std::size_t p = 0; p <= leaves; ++p) s.x[p] = in[p].at(i, n);
        s.x[leaves + 1] = anew ? nullptr : result.at(i, n);
        for (std::size_t p = 0; p < leaves; ++p) s.out[p] = s.wanted >> p & 1 ? out[target(p)].at(i) : nullptr;
        step_back_block(step, s, leaves, n, wide, room, sum);
        for (std::size_t p = 0; p < leaves; ++p) if (s.first >> p & 1) out[target(p)].written(i, n);
    });
    if (total) *total = group.mean ? sum / static_cast<T>(layouts.in.cuts.size()) : sum;
}
/// The same where everything lies as it is read and written, but for tiles that stay.
template <class T> [[gnu::noinline]] void walk_plain(const Call& c, void (*step)(const BackwardStep<T>&), bool anew) {
    const auto& layouts = *static_cast<const BackwardLayouts*>(c.prepared);
    const Group& group = as<Group>(c.op);
    const std::size_t leaves = c.in.size() - 2;
    alignas(64) T lanes[packet_width<T>];
    T* const total = total_of<T>(c);
    T sum = 0;
    BackwardStep<T> s;
    s.wanted = layouts.wanted, s.first = layouts.first, s.target = group.target.data();
    s.total = total ? lanes : nullptr;
    layouts.in.cuts.each([&](std::int64_t i, std::int64_t n) {
        std::uint64_t wide = 0;
        for (std::size_t p = 0; p < c.in.size() - anew; ++p) {
            const bool stays = layouts.in.stays(p);
            wide |= std::uint64_t{stays} << p;
            s.x[p] = layouts.in.plain<T>(p, *c.in[p]) + (stays ? 0 : i);
        }
        if (anew) s.x[leaves + 1] = nullptr;
        for (std::size_t p = 0; p < leaves; ++p) s.out[p] = s.wanted >> p & 1 ? static_cast<T*>(c.out[static_cast<std::size_t>(group.target[p])]->data) + i : nullptr;
        step_back_block(step, s, leaves, n, wide, 0, sum);
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
    else if (static_cast<const BackwardLayouts*>(c.prepared)->in.is_plain()) walk_plain<T>(c, step, anew);
    else walk_chunk<T, most>(c, step, anew, {});
}

}  // namespace tenon::detail
