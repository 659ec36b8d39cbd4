// A restore is a plan: compared with the checkpoint as a whole first, then read and checksummed as a whole, and only then do variables change.
#pragma once
#include "../expr/graph.hpp"
#include "bundle_reader.hpp"
#include "checkpoint_files.hpp"
#include "saver_nodes.hpp"

#include <unordered_set>

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
    TensorSlice slice;
    State* to = nullptr;
    Dims dims;
};

/// Compares everything; `steps` are those that fit.
template <class = void> RestoreReport plan_restore(const BundleReader& checkpoint, const std::vector<SavedVariable>& variables, std::vector<RestoreStep>& steps) {
    RestoreReport report;
    report.prefix = checkpoint.prefix();
    std::unordered_set<std::string_view> asked;
    for (const auto& v : variables) {
        const auto& o = *v.variable.operation;
        const auto who = v.key == o.name ? v.key : v.key + " (for the variable " + o.name + ")";
        asked.insert(v.key);
        const auto* const t = checkpoint.find(v.key);
        if (!t) {
            report.missing.push_back(who + " is not in the checkpoint" + (report.missing.size() < 20 ? nearest_keys(checkpoint.tensors(), v.key) : ""));
            continue;
        }
        const auto dims = o.state->value ? o.state->value.dims() : o.results[0].dims;
        const auto dtype = o.table->dtype;
        bool fits = true;
        if (t->dtype != dtype) {
            fits = false;
            report.mistyped.push_back(sentence(who, " is ", t->dtype, " in the checkpoint, ", dtype, " in the graph"));
        }
        RestoreStep step{t, TensorSlice::whole(t->shape.size()), o.state.get(), {}};
        Extents shape = t->shape;
        try {
            if (const auto part = ShapeAndSlice::parse(v.slice)) {
                if (part->shape != t->shape) throw ShapeError(sentence(t->shape, " in the checkpoint, ", part->shape, " in the graph, of which ", part->slice, " is wanted"));
                step.slice = part->slice;
                shape = part->slice.within(part->shape).extents();
            }
            if (shape.size() > std::size_t{max_rank} || !compatible(dims_of(shape), dims)) throw ShapeError(sentence(shape, " in the checkpoint, ", dims, " in the graph"));
            step.dims = dims_of(shape);
        } catch (const Error& e) {  // of the shape, or of the words for the slice
            fits = false;
            report.misshaped.push_back(who + " is " + e.what());
        }
        if (!fits) continue;
        report.restored.push_back(o.name);
        steps.push_back(std::move(step));
    }
    for (const auto& t : checkpoint.tensors()) if (!asked.contains(t.name)) report.unused.push_back(t.name);
    return report;
}

/// Errors    RestoreError with the whole report; those of files. Nothing has changed then.
template <class = void> RestoreReport restore_variables(const std::string& prefix, const std::vector<SavedVariable>& variables) {
    if (!checkpoint_exists(prefix)) throw MissingFileError(prefix + ": there is no such checkpoint");
    const BundleReader checkpoint(prefix);
    std::vector<RestoreStep> steps;
    auto report = plan_restore(checkpoint, variables, steps);
    if (!report.fits()) throw RestoreError(report.text());
    std::vector<Tensor> values;
    for (const auto& s : steps) values.push_back(checkpoint.read(*s.from, s.slice));
    for (std::size_t i = 0; i < steps.size(); ++i) {  // nothing here can fail
        auto& to = *steps[i].to;
        if (to.value) to.value.assign(values[i]);  // in place: plans know the address
        else to.value = std::move(values[i]);
        values[i] = {};
        to.initialized = true;
    }
    return report;
}

}  // namespace detail
}  // namespace tenon
