// How operations are made: what their inputs must be, what their outputs are.
#pragma once
#include "operation.hpp"

namespace tenon {

/// For `input_type`: any element type, or an index (int32 or int64).
inline constexpr DType any_dtype{-1}, index_dtype{-2};
/// Of tables that stand for those of all floating element types.
inline constexpr DType any_float_dtype{-3};

/// Whether input `i` of `n` is a member of the op.
template <class = void> bool is_const_input(const OpTable& t, std::size_t i, std::size_t n) {
    for (const int p : t.const_positions) if (i == (p < 0 ? n + static_cast<std::size_t>(p) : static_cast<std::size_t>(p))) return true;
    return false;
}
/// The element type that input `i` of `n` must have. Asked for one input after the other; `data` counts those that are no members.
template <class = void> DType wanted_dtype(const OpTable& t, std::size_t i, std::size_t n, std::size_t& data) {
    if (is_const_input(t, i, n)) return index_dtype;
    const std::size_t k = data++;
    return t.input_type ? t.input_type(k, t.dtype) : t.dtype;
}
/// Refuses a wrong number of inputs and wrong element types: kernels trust both. While a graph is made, a type may be unknown:
/// that of an op which tenon does not know, and which may be fed.
template <class = void> void check_inputs(const OpTable& t, std::span<const Ref> in, const std::string& where, bool may_be_unknown) {
    const auto fixed = t.const_positions.size() + static_cast<std::size_t>(t.arity < 0 ? 0 : t.arity);
    const auto fail = [&](const auto&... part) {
        std::string text = where.empty() ? "" : where + ": ";
        text += "[" + std::string(t.name) + "] ";
        ((text += part), ...);
        throw TypeError(text);
    };
    if (t.arity < 0 ? in.size() < fixed : in.size() != fixed) fail("has ", std::to_string(in.size()), " inputs, takes ", std::to_string(fixed), t.arity < 0 ? " or more" : "");
    for (std::size_t i = 0, data = 0; i < in.size(); ++i) {
        const DType want = wanted_dtype(t, i, in.size(), data), is = in[i].dtype;
        if (is == DType::invalid && may_be_unknown) continue;
        if (want == any_dtype || want == is || (want == index_dtype && (is == DType::int32 || is == DType::int64))) continue;
        fail("input ", std::to_string(i), " is ", std::string(name_of(is)), ", takes ", want == index_dtype ? std::string("int32 or int64") : std::string(name_of(want)));
    }
}

/// The table for the element type that the inputs have, in place of one that stands for several.
template <class = void> [[gnu::noinline]] const OpTable& of_inputs(const OpTable& any, std::span<const Output> inputs) {
    for (std::size_t i = 0, data = 0; i < inputs.size(); ++i) {
        const DType want = wanted_dtype(any, i, inputs.size(), data), is = inputs[i].dtype();
        if ((want == any.dtype && is != DType::invalid) || (want == any_dtype && is_floating(is))) return any.of_type(is);
    }
    throw TypeError("[" + std::string(any.name) + "] no input says the element type");
}

/// Whether a tensor can have these extents: sizes come from files and feeds.
template <class = void> bool possible(const Dims& d) {
    std::int64_t n = 1;
    for (const auto e : d) {
        if (e < dyn || e > most_elements || (e > 1 && n > most_elements / e)) return false;
        if (e > 1) n *= e;
    }
    return true;
}

/// Elements up to which a value that follows from extents and constants is computed when a graph or plan is made.
inline constexpr std::int64_t most_known = 1024;

/// Runs an op's kernel outside of any plan, for outputs of `wanted` extents and types. Nothing if that fails, by a division by zero or for want of memory,
/// say: it is reported where the op is run.
template <class = void> [[gnu::noinline]] std::vector<Tensor> compute_now(const OpTable& table, const std::shared_ptr<const void>& op, std::span<const Ref> in, std::span<const Ref> wanted) {
    try {
        std::vector<Tensor> results;
        std::vector<Ref> out;
        for (const Ref& w : wanted) {
            const Tensor& y = results.emplace_back(w.dtype, w.dims);
            out.push_back({y.raw(), w.dims, w.dtype});
        }
        std::vector<const Ref*> ins, outs;
        for (const Ref& i : in) ins.push_back(&i);
        for (const Ref& o : out) outs.push_back(&o);
        const auto complete = table.complete ? table.complete(op, in) : op;
        const auto prepared = table.prepare ? table.prepare(complete.get(), ins, outs) : nullptr;
        const Buffer workspace(table.workspace ? table.workspace(complete.get(), ins, outs) : 0);
        table.forward({complete.get(), ins, outs, workspace.data(), prepared.get(), nullptr});
        return results;
    } catch (const Error&) {
        return {};
    } catch (const std::bad_alloc&) { return {}; }
}
/// The op's outputs for inputs of which extents, dtypes and perhaps values are given: extents, dtypes, values.
/// Throws ShapeError or TypeError with the op's own sentence, after `where`.
template <class = void> [[gnu::noinline]] std::vector<Result> infer_results(const OpTable& table, const std::shared_ptr<const void>& op, std::span<const Ref> in, const std::string& where, bool may_be_unknown = false) {
    check_inputs(table, in, where, may_be_unknown);
    const Inferred r = table.infer(op.get(), in);
    if (!r.ok()) throw ShapeError((where.empty() ? "" : where + ": ") + std::string(r.why.view()));
    std::vector<Result> results(static_cast<std::size_t>(table.outputs(op.get())));
    std::vector<Dims> many;
    const bool ask = table.output_dims && !(may_be_unknown && table.dims_in_file);
    if (ask) many = table.output_dims(op.get(), in);
    bool foldable = !table.stateful && table.forward && table.writes == 0 && !results.empty();
    for (const Ref& i : in) foldable &= i.data != nullptr;
    for (std::size_t i = 0; i < results.size(); ++i) {
        results[i].dims = ask ? many[i] : r.dims[std::min(i, r.count - 1)];
        if (!possible(results[i].dims)) throw ShapeError((where.empty() ? "" : where + ": ") + "[" + std::string(table.name) + "] a result of " + to_string(results[i].dims));
        results[i].dtype = table.output_type ? table.output_type(op.get(), in, static_cast<int>(i)) : table.result;
        const auto n = results[i].dims.size();
        foldable &= n >= 0 && n <= most_known && results[i].dtype != DType::string;
    }
    if (table.known) {
        for (std::size_t i = 0; i < results.size(); ++i) results[i].known = table.known(op.get(), in, static_cast<int>(i));
    } else if (foldable) {
        std::vector<Ref> wanted;
        for (const auto& y : results) wanted.push_back({nullptr, y.dims, y.dtype});
        auto values = compute_now(table, op, in, wanted);
        for (std::size_t i = 0; i < values.size(); ++i) results[i].known = std::move(values[i]);
    }
    return results;
}

/// The only maker of operations. Never inlined: this is what every typed call comes down to, and it is paid per call site.
template <class = void> [[gnu::noinline]] Output make_operation(const OpTable& told, std::shared_ptr<const void> op, std::vector<Output> inputs, std::string_view name = {}) {
    const OpTable& table = told.of_type ? of_inputs(told, inputs) : told;
    auto o = std::make_shared<Operation>(&table, std::move(op), std::move(inputs));
    o->name = name;
    std::vector<Ref> in;
    in.reserve(o->inputs.size());
    for (const Output& i : o->inputs) {
        const Result& r = i.operation->results[static_cast<std::size_t>(i.index)];
        in.push_back({r.known ? r.known.raw() : nullptr, r.dims, r.dtype});
    }
    const bool named = !o->name.empty() && o->name.back() != '/';
    o->results = infer_results(table, o->op, in, named ? o->name : std::string(), true);
    return {std::move(o), 0};
}

#ifdef TENON_PREBUILT
extern template std::vector<Result> infer_results<void>(const OpTable&, const std::shared_ptr<const void>&, std::span<const Ref>, const std::string&, bool);
extern template Output make_operation<void>(const OpTable&, std::shared_ptr<const void>, std::vector<Output>, std::string_view);
#endif

}  // namespace tenon
