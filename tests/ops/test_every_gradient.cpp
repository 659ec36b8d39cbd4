// Every op's gradient, and the gradient of that, against central differences along random directions, in double where the op has
// it. Operands are those of the golden cases. Where a function has a kink, a step or a pole there, they are moved until it has none.
#include "along.hpp"
#include "one_op.hpp"
#include <tenon/grad/check_gradient.hpp>

#include <doctest/doctest.h>

#include <set>

using namespace tenon;
using namespace tenon::test;

namespace {

struct Exception { std::string_view op, why; };
/// Ops whose rule is not checked by itself.
constexpr Exception not_checked[]{
    {"StopGradient", "cuts, on purpose"},
    {"VariableShape", "the result is integers"},
    {"Bitcast", "bits are no numbers"},
    {"Shape", "the result is integers"},
    {"Size", "the result is integers"},
    {"Rank", "the result is integers"},
};
/// Ops whose rule is more than the derivative of what they compute from their operands.
constexpr Exception first_order_elsewhere[]{
    {"FusedBatchNormGrad", "its statistics are part of x: checked as the second derivative of FusedBatchNorm"},
    {"FusedBatchNormGradV2", "the same"},
    {"FusedBatchNormGradV3", "the same"},
};
/// Ops whose gradient has none; a path through it is an error.
constexpr Exception no_second_order[]{
    {"LRN", "LRNGrad has none in TensorFlow either"},
    {"MaxPoolWithArgmax", "MaxPoolGradWithArgmax has none in TensorFlow either"},
    {"ResizeBilinear", "ResizeBilinearGrad has none in TensorFlow either"},
    {"ResizeNearestNeighbor", "ResizeNearestNeighborGrad has none in TensorFlow either"},
    {"Softsign", "SoftsignGrad has none in TensorFlow either"},
};
/// Ops of which only the first result is differentiated.
constexpr Exception first_result[]{
    {"FusedBatchNorm", "a path through the statistics is an error"},
    {"FusedBatchNormV2", "a path through the statistics is an error"},
    {"FusedBatchNormV3", "a path through the statistics is an error"},
};
/// Ops whose operands are never 0.
constexpr Exception never_zero[]{
    {"Prod", "the derivative of Cumprod is that of TensorFlow, which divides by x"},
    {"Cumprod", "it divides by x"},
};

template <std::size_t N> bool is_in(const Exception (&table)[N], std::string_view op) {
    for (const auto& r : table) if (r.op == op) return true;
    return false;
}

/// The golden case in double, or in float if the op has no kernels for double.
OneOp widened(const Json& c, bool to_double) {
    OneOp one(c);
    std::fill(one.variables.begin(), one.variables.end(), false);
    const auto narrow = [](DType t) { return t == DType::float32 || t == DType::half || t == DType::bfloat16; };
    for (auto& [name, a] : one.node.attr) {
        if (a.type && narrow(*a.type)) a.type = to_double ? DType::float64 : DType::float32;
        if (a.list) for (auto& t : a.list->type) if (narrow(t)) t = to_double ? DType::float64 : DType::float32;
    }
    for (Tensor& t : one.inputs) {
        if (!narrow(t.dtype())) continue;
        Tensor wide(to_double ? DType::float64 : DType::float32, t.dims());
        std::int64_t i = 0;
        const auto bytes = bytes_of(t.dtype());
        each_number(wide, [&](auto& v) { v = static_cast<std::remove_reference_t<decltype(v)>>(tenon::test::detail::value_at(t.dtype(), t.raw() + bytes * static_cast<std::size_t>(i++))); });
        t = wide;
    }
    return one;
}
/// The operands of attempt `n`: as they are, but for numbers that a difference does not see; without what is not finite, a little beside; or
/// all drawn from where most functions are smooth.
void move_operands(OneOp& one, int n, Random& random) {
    const bool positive = is_in(never_zero, one.node.op);
    for (Tensor& t : one.inputs) {
        if (!differentiable(t.dtype())) continue;
        t = t.clone();
        each_number(t, [&](auto& v) {
            using T = std::remove_reference_t<decltype(v)>;
            const double size = std::abs(double(v));
            if (n > 2 || (n > 0 && !(size < 100)) || (size < 1e-3 && (positive || size > 0)) || (size > 2e4 && std::isfinite(size))) v = static_cast<T>(random(0.25, 0.9));
            else if (n > 0) v = static_cast<T>(double(v) + random(-0.06, 0.06));
        });
    }
}

struct Told {
    std::set<std::string> differentiable, checked;
    int comparisons = 0, cases = 0;
};

struct Case {
    const OneOp& one;
    OpGraph g;
    Random random{17};
    std::vector<std::size_t> xs;   ///< the feeds that are differentiated by
    std::vector<Output> ys, seeds; ///< and what is differentiated; what arrives there is fed
    std::vector<Feed> feeds;       ///< the op's, then the seeds'

    explicit Case(const OneOp& o) : one(o), g(o), feeds(g.feeds) {
        for (std::size_t k = 0; k < feeds.size(); ++k) if (differentiable(feeds[k].value.dtype()) && feeds[k].value.size() > 0) xs.push_back(k);
        const auto values = g.session.run_all(g.outputs(), feeds);
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (!differentiable(values[i].dtype()) || (i > 0 && is_in(first_result, one.node.op))) continue;
            ys.push_back(g.output(i));
            const Tensor up = drawn(values[i].dtype(), values[i].dims(), random);
            const auto placeholder = [&]<class T>(T) { return make_operation(table_of<PlaceholderOp, T>(), std::make_shared<PlaceholderOp>(PlaceholderOp{up.dims()}), {}, "seed" + std::to_string(i)); };
            seeds.push_back(up.dtype() == DType::float64 ? placeholder(double()) : placeholder(float()));
            feeds.push_back({seeds.back(), up});
        }
    }
    std::vector<Output> wrt() const {
        std::vector<Output> all;
        for (const auto k : xs) all.push_back(feeds[k].of);
        return all;
    }
    std::vector<Tensor> run(const std::vector<Output>& g1) {
        std::vector<Tensor> all;
        for (const Output& d : g1) all.push_back(d ? g.session.run_all({d}, feeds)[0] : Tensor());
        return all;
    }
    Compared first_order() {
        const auto d = gradients(ys, seeds, wrt());
        Function f{g.session, ys, {}};
        for (std::size_t i = g.feeds.size(); i < feeds.size(); ++i) f.weights.push_back(feeds[i].value);
        const auto got = run(d);
        for (std::size_t n = 0; n < xs.size(); ++n)
            if (auto c = compare(f, feeds, {xs[n]}, {got[n]}, random); c.verdict != Says::agrees) return {c.verdict, "input " + std::to_string(xs[n]) + ": " + c.text};
        return {Says::agrees, ""};
    }
    /// The gradients of a graph that is told nothing of its operands.
    Compared same_with_less_known() {
        const auto want = run(gradients(ys, seeds, wrt()));
        for (const bool ranked : {true, false}) {
            std::vector<Dims> known;
            for (const Tensor& t : one.inputs) known.push_back(ranked ? Dims::filled(t.dims().rank, dyn) : Dims::unranked());
            OpGraph open(one, known);
            std::vector<Output> of, arriving, after;
            for (std::size_t i = 0; i < ys.size(); ++i) of.push_back(open.output(static_cast<std::size_t>(ys[i].index))), arriving.push_back(constant_of(feeds[g.feeds.size() + i].value));
            for (const auto k : xs) after.push_back(open.feeds[k].of);
            const auto d = gradients(of, arriving, after);
            for (std::size_t n = 0; n < d.size(); ++n) {
                if (bool(d[n]) != bool(want[n])) return {Says::differs, "input " + std::to_string(xs[n]) + " has a gradient, or none"};
                if (!d[n]) continue;
                if (const auto off = difference(open.run(d[n]), want[n], 1e-6, 1e-6); !off.empty()) return {Says::differs, (ranked ? "ranks known, input " : "nothing known, input ") + std::to_string(xs[n]) + ": " + off};
            }
        }
        return {};
    }
    /// Of each first derivative after the operands and what arrives at the op.
    Compared second_order() {
        const auto first = gradients(ys, seeds, wrt());
        auto after = xs;
        for (std::size_t i = g.feeds.size(); i < feeds.size(); ++i) after.push_back(i);
        std::vector<Output> all;
        for (const auto k : after) all.push_back(feeds[k].of);
        for (std::size_t n = 0; n < first.size(); ++n) {
            if (!first[n]) continue;
            const Tensor& x = feeds[xs[n]].value;
            const Function f{g.session, {first[n]}, {drawn(x.dtype(), x.dims(), random)}};
            const Output seed = constant_of(f.weights[0]);
            const auto got = run(gradients(f.of, {&seed, 1}, all));
            if (auto c = compare(f, feeds, after, got, random); c.verdict != Says::agrees) return {c.verdict, "derivative " + std::to_string(xs[n]) + ": " + c.text};
        }
        return {Says::agrees, ""};
    }
};

/// Every op with a gradient that has operands, all its golden cases of floating point.
template <class Check> Told over_every_op(Check check) {
    const char* only = std::getenv("TENON_OP");
    Told told;
    for (const auto& name : op_names()) {
        const auto tables = tables_named(builtin_ops(), name);
        const auto has = [&](DType t) { return std::any_of(tables.begin(), tables.end(), [&](const OpTable* o) { return o->dtype == t && o->gradient && (o->arity != 0 || !o->const_positions.empty()); }); };
        if ((only && name != only) || !has(DType::float32)) continue;
        told.differentiable.insert(name);
        if (!has_cases(name) || name == "StopGradient") continue;
        for (const auto& c : op_cases(name)) {
            if (c.contains("error")) continue;
            const OneOp as_given = widened(c, has(DType::float64));
            Random random{3};
            Compared r{Says::agrees, ""};
            for (int attempt = 0; attempt < 6; ++attempt) {
                OneOp one = as_given;
                move_operands(one, attempt, random);
                try {
                    Case made(one);
                    if (made.xs.empty() || made.ys.empty()) break;
                    r = check(made);
                    told.checked.insert(name);
                } catch (const Error& e) {
                    r = {Says::differs, e.what()};
                }
                ++told.comparisons;
                told.cases += attempt == 0;
                if (r.verdict != Says::not_smooth) break;
            }
            const std::string problem = r.verdict == Says::agrees ? "" : name + ", " + c.at("name").get<std::string>() + (r.verdict == Says::not_smooth ? ": not smooth anywhere: " : ": ") + r.text;
            CHECK(problem == "");
        }
    }
    return told;
}

}  // namespace

TEST_CASE("every op's gradient is what central differences say") {
    const auto told = over_every_op([](Case& c) { return is_in(first_order_elsewhere, c.one.node.op) ? Compared{} : c.first_order(); });
    for (const auto& name : told.differentiable) CHECK_MESSAGE(told.checked.contains(name) != is_in(not_checked, name), name << std::string(told.checked.contains(name) ? " can be checked" : " is not checked"));
    MESSAGE(told.checked.size() << " ops, " << told.cases << " cases, " << told.comparisons << " comparisons");
}

TEST_CASE("every op's gradient is the same where extents, or even ranks, are not known before it runs") {
    const auto told = over_every_op([](Case& c) { return c.same_with_less_known(); });
    MESSAGE(told.checked.size() << " ops, " << told.cases << " cases");
}

TEST_CASE("every gradient has a gradient, which is what central differences of it say") {
    const auto told = over_every_op([](Case& c) {
        if (!is_in(no_second_order, c.one.node.op)) return c.second_order();
        CHECK_THROWS_AS(c.second_order(), GradientError);
        return Compared{};
    });
    MESSAGE(told.checked.size() << " ops, " << told.cases << " cases, " << told.comparisons << " comparisons");
}
