// A restore is a plan: compared with the checkpoint as a whole first, then read and checksummed as a whole, and only then do variables change.
//
//   up to 8 MiB   what was read is kept aside, and then copied
//   more          is read twice, first for its checksums only, so that it needs no memory beside the variables'. If the file changes in between, so that the second
//                 reading fails, the variables have no value
//   views         come beside the variables, which then look at them
//
// 64 MiB and more are read by two threads, but for views, what lies in slices and version 1.
#pragma once
#include "../expr/graph.hpp"
#include "bundle_reading.hpp"
#include "checkpoint_files.hpp"
#include "saver_nodes.hpp"

namespace tenon {

template <class Lazy> std::string RestoreReport::text() const {
    std::string s = sentence(prefix, fits() ? ": the checkpoint fits the graph" : ": the checkpoint does not fit the graph", ": ", restored.size(), " variables fit, ", missing.size(),
                             " tensors are missing, ", mistyped.size(), " have another type, ", misshaped.size(), " another shape, ", unused.size(), " are not asked for");
    for (const auto* list : {&missing, &mistyped, &misshaped}) for (const auto& line : *list) s += "\n  " + line;
    for (std::size_t i = 0; i < unused.size() && i < 20; ++i) s += (i ? ", " : "\n  not asked for: ") + unused[i];
    if (unused.size() > 20) s += ", ...";
    return s;
}

namespace detail {

/// The names in a checkpoint that are nearest to one that is not.
template <class = void> std::string nearest_keys(std::span<const StoredTensor> tensors, const std::string& key) {
    std::vector<std::pair<std::size_t, std::string_view>> close;
    const auto limit = std::max<std::size_t>(2, key.size() / 3);
    for (const auto& t : tensors) {
        const auto longer = std::max(t.name.size(), key.size()), shorter = std::min(t.name.size(), key.size());
        if (longer - shorter > limit || longer > 500) continue;
        if (const auto d = distance(key, t.name); d <= limit) close.emplace_back(d, t.name);
    }
    std::sort(close.begin(), close.end());
    std::string text;
    for (std::size_t i = 0; i < std::min<std::size_t>(close.size(), 3); ++i) text += (i ? ", '" : "; the nearest are '") + std::string(close[i].second) + "'";
    return text;
}

/// What one variable is read from.
struct RestoreStep {
    const StoredTensor* from = nullptr;
    State* to = nullptr;
    bool whole = true;
    TensorSlice slice{};  ///< otherwise

    template <class = void> Tensor read(const BundleReader& c, BundleReader::Cursor& cursor) const { return whole ? c.read(*from, cursor) : c.read(*from, slice, cursor); }
    template <class = void> void read_into(const BundleReader& c, std::span<std::byte> memory, BundleReader::Cursor& cursor) const {
        if (whole) c.read_into(*from, memory, cursor);
        else c.read_into(*from, slice, memory, cursor);
    }
    template <class = void> void verify(const BundleReader& c, BundleReader::Cursor& cursor) const {
        if (whole) c.verify(*from, cursor);
        else c.verify(*from, slice, cursor);
    }
};

/// Compares everything; `steps` are those that fit.
template <class = void> RestoreReport plan_restore(const BundleReader& checkpoint, const std::vector<SavedVariable>& variables, std::vector<RestoreStep>& steps) {
    RestoreReport report;
    report.prefix = checkpoint.prefix();
    const auto tensors = checkpoint.tensors();
    const StoredTensor* next = tensors.data();  // both are in the order of their names
    steps.reserve(variables.size());
    report.restored.reserve(variables.size());
    std::vector<bool> asked(tensors.size());
    for (const auto& v : variables) {
        const auto& o = *v.variable.operation;
        const auto who = [&] { return v.key == o.name ? v.key : v.key + " (for the variable " + o.name + ")"; };
        const auto* const t = next != tensors.data() + tensors.size() && next->name == v.key ? next : checkpoint.find(v.key);
        if (!t) {
            report.missing.push_back(who() + " is not in the checkpoint" + (report.missing.size() < 20 ? nearest_keys(tensors, v.key) : ""));
            continue;
        }
        asked[static_cast<std::size_t>(t - tensors.data())] = true;
        next = t + 1;
        const auto dims = o.state->value ? o.state->value.dims() : o.results[0].dims;
        const auto dtype = o.table->dtype;
        bool fits = true;
        if (t->dtype != dtype) {
            fits = false;
            report.mistyped.push_back(sentence(who(), " is ", t->dtype, " in the checkpoint, ", dtype, " in the graph"));
        }
        RestoreStep step{t, o.state.get()};
        try {
            const auto part = ShapeAndSlice::parse(v.slice);
            if (part && part->shape != t->shape) throw ShapeError(sentence(t->shape, " in the checkpoint, ", part->shape, " in the graph, of which ", part->slice, " is wanted"));
            if (part) step.whole = false, step.slice = part->slice;
            const auto sliced = part ? part->slice.within(part->shape).extents() : Extents();
            const auto& shape = part ? sliced : t->shape;
            if (shape.size() > std::size_t{max_rank} || !compatible(dims_of(shape), dims)) throw ShapeError(sentence(shape, " in the checkpoint, ", dims, " in the graph"));
        } catch (const Error& e) {  // of the shape, or of the words for the slice
            fits = false;
            report.misshaped.push_back(who() + " is " + e.what());
        }
        if (!fits) continue;
        report.restored.push_back(o.name);
        steps.push_back(std::move(step));
    }
    for (std::size_t i = 0; i < tensors.size(); ++i) if (!asked[i]) report.unused.push_back(tensors[i].name);
    return report;
}

/// Restores into memory that variables have: numbers.
class RestoreInPlace {
    static constexpr std::size_t most_aside = 8u << 20;

    const BundleReader& checkpoint_;
    BundleReader::Cursor& cursor_;
    std::vector<RestoreStep> steps_;
    std::optional<BundleReader::Reading> twice_;  // of whole tensors; the other steps are read by themselves
    Buffer aside_;

    static std::span<std::byte> memory(const RestoreStep& s) { return {s.to->value.raw(), s.to->value.bytes()}; }

public:
    /// Reads everything, to be kept or to be compared.
    template <class = void> RestoreInPlace(const BundleReader& checkpoint, BundleReader::Cursor& cursor, std::vector<RestoreStep> steps) : checkpoint_(checkpoint), cursor_(cursor), steps_(std::move(steps)) {
        std::size_t bytes = 0;
        for (const auto& s : steps_) bytes += s.to->value.bytes();
        if (bytes > most_aside) {
            std::vector<BundleReader::Passage> whole;
            for (const auto& s : steps_) if (s.whole) whole.push_back({s.from, memory(s)});
            twice_.emplace(checkpoint, whole, cursor);
            for (const auto& s : steps_) if (!s.whole) s.verify(checkpoint, cursor);
            twice_->verify();
            return;
        }
        aside_ = Buffer(bytes);
        auto* to = aside_.data();
        for (const auto& s : steps_) {
            const auto n = s.to->value.bytes();
            s.read_into(checkpoint_, {to, n}, cursor_);
            to += n;
        }
    }
    /// Cannot fail but by a file that is no longer what it was, or for want of memory that a part of a tensor takes, or one in slices or of version 1.
    template <class = void> void apply() {
        const auto* from = aside_.data();
        if (!twice_) {
            for (const auto& s : steps_) {
                const auto to = memory(s);
                if (!to.empty()) std::memcpy(to.data(), from, to.size());
                from += to.size();
            }
            return;
        }
        try {
            for (const auto& s : steps_) if (!s.whole) s.read_into(checkpoint_, memory(s), cursor_);
            twice_->read();
        } catch (...) {
            for (const auto& s : steps_) s.to->initialized = false;
            throw;
        }
    }
};

/// Errors    RestoreError with the whole report; those of files. Nothing has changed then.
template <class = void> RestoreReport restore_variables(const std::string& prefix, const std::vector<SavedVariable>& variables, Restore how = Restore::copy) {
    if (!checkpoint_exists(prefix)) throw MissingFileError(prefix + ": there is no such checkpoint");
    const BundleReader checkpoint(prefix);
    std::vector<RestoreStep> steps;
    auto report = plan_restore(checkpoint, variables, steps);
    if (!report.fits()) throw RestoreError(report.text());
    const auto place = [](const RestoreStep& s) { return s.from->parts.empty() ? std::pair(0u, std::uint64_t{0}) : std::pair(s.from->parts[0].file, s.from->parts[0].offset); };
    const auto before = [&](const RestoreStep& a, const RestoreStep& b) { return place(a) < place(b); };
    if (!std::is_sorted(steps.begin(), steps.end(), before)) std::stable_sort(steps.begin(), steps.end(), before);

    BundleReader::Cursor cursor;
    const auto in_place = [&](const RestoreStep& s) { return how == Restore::copy && s.to->value && !s.to->viewed && s.from->dtype != DType::string; };  // not into a view: its pages would be copied first
    const auto fresh = std::is_partitioned(steps.begin(), steps.end(), in_place) ? std::partition_point(steps.begin(), steps.end(), in_place) : std::stable_partition(steps.begin(), steps.end(), in_place);
    std::vector<Tensor> values;
    std::vector<BundleReader::Passage> whole;
    for (auto s = fresh; s != steps.end(); ++s) {
        if (!s->whole || s->from->dtype == DType::string) values.push_back(s->read(checkpoint, cursor));
        else if (how == Restore::view) values.push_back(checkpoint.view(*s->from, cursor));
        else {
            values.push_back(checkpoint.room_for(*s->from, TensorSlice::whole(s->from->shape.size()), cursor));
            whole.push_back({s->from, {values.back().raw(), values.back().bytes()}});
        }
    }
    if (!whole.empty()) BundleReader::Reading(checkpoint, whole, cursor).read();
    RestoreInPlace(checkpoint, cursor, {steps.begin(), fresh}).apply();
    for (auto& s : steps) s.to->initialized = true;  // from here on nothing can fail
    for (auto s = fresh; s != steps.end(); ++s) {
        Tensor& value = values[static_cast<std::size_t>(s - fresh)];
        Tensor& old = s->to->value;
        if (old && value.dtype() == DType::string) std::swap_ranges(value.data<std::string>(), value.data<std::string>() + value.size(), old.data<std::string>());
        else old = std::move(value), s->to->viewed = how == Restore::view;
    }
    return report;
}

}  // namespace detail
}  // namespace tenon
