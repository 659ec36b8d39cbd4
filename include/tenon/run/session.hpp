// Runs fetches with feeds. A session keeps a plan for each set of fetches and extents of feeds.
#pragma once
#include "../expr/graph.hpp"
#include "plan_builder.hpp"

#include <tuple>

namespace tenon {

/// What a run gives for a typed fetch: a tensor that the caller owns.
template <class T, class S> struct Value : Tensor {
    using value_type = T;
    using shape = S;
    explicit Value(Tensor t) : Tensor(std::move(t)) {}
    const T* begin() const { return this->template data<T>(); }
    const T* end() const { return begin() + this->size(); }
    const T& operator[](std::int64_t i) const { return begin()[i]; }
    operator T() const requires(S::dims.rank <= 0) { return *begin(); }
};

/// Several typed fetches of one run: `auto [l, p] = session.run(fetch(loss, pred), feed(images, batch));`
template <class... N> struct Fetches { std::tuple<N...> nodes; };
template <GraphOperand... X> auto fetch(const X&... x) { return Fetches<Node<value_type_of<X>, shape_of<X>>...>{{node(x)...}}; }

/// One set of fetches and feeds, planned: running it again allocates nothing, looks nothing up and takes no lock.
class Callable {
    std::shared_ptr<Plan> plan_;
    std::vector<Feed> feeds_;

public:
    template <class = void> Callable(std::shared_ptr<Plan> plan, std::vector<Feed> feeds) : plan_(std::move(plan)), feeds_(std::move(feeds)) {}
    /// Runs with the feeds as they are now; their elements may have changed in place.
    template <class = void> void operator()() const { plan_->run(feeds_); }
    /// Other elements for feed `i`, of the same extents; the caller keeps them.
    template <class T> void feed(std::size_t i, const T* elements) {
        const Tensor& t = feeds_.at(i).value;
        if (t.dtype() != dtype_of<T>) throw FeedError("[feed] " + describe(*feeds_[i].of.operation) + " is " + std::string(name_of(t.dtype())) + ", fed " + std::string(name_of(dtype_of<T>)));
        feeds_[i].value = detail::borrowed(t.dtype(), t.dims(), elements);
    }
    /// Fetch `i` of the last run, where it lies: it holds until the next run.
    template <class T> std::span<const T> result(std::size_t i) const {
        const Ref& r = plan_->result(i);
        if (r.dtype != dtype_of<T>) throw TypeError("[Callable] fetch " + std::to_string(i) + " is " + std::string(name_of(r.dtype)) + ", asked for " + std::string(name_of(dtype_of<T>)));
        return {static_cast<const T*>(r.data), static_cast<std::size_t>(r.dims.size())};
    }
    template <class = void> const Dims& dims(std::size_t i) const { return plan_->result(i).dims; }
    const Plan& plan() const { return *plan_; }
};

struct SessionOptions {
    int threads = 1;        ///< that share the work of a run, the calling one counted
    float least_share = 70;  ///< microseconds of work that are worth another thread
};

/// Runs parts of graphs. A session owns its workspace, plans and random streams; variables belong to the graph, as what plans compute of its constants
/// does, once for all of them, so several sessions, one a thread, may run one graph for inference. One session is for one thread at a time.
///
/// With `Session{graph, {.threads = 2}}` kernels of more than 140 us are shared by two threads, shorter ones are not. Results are those of one thread, to
/// the last bit. The other threads start with the first run that can use them, sleep between kernels and end with the session and its callables; a kernel
/// waits for none that does not come, so a busy machine costs little, and of two runs at once the second is by one thread. One thread: nothing of this.
///
/// Errors    ValueError "[Session] needs 1 to 1024 threads: 0"; FeedError, NameError, ShapeError, UnsupportedError while planning; ValueError from a kernel. Nothing has
///           changed after an error while planning.
class Session {
    struct Entry {
        std::vector<Output> fetches;
        std::vector<Feed> feeds;
        std::shared_ptr<Plan> plan;
    };
    Graph graph_;
    std::vector<Entry> entries_;
    Streams streams_;
    std::shared_ptr<StepSharing> sharing_{};

public:
    Session() = default;
    template <class = void> explicit Session(Graph graph) : graph_(std::move(graph)) {}
    template <class = void> Session(Graph graph, SessionOptions options) : graph_(std::move(graph)) {
        if (options.threads < 1 || options.threads > 1024) throw ValueError("[Session] needs 1 to 1024 threads: " + std::to_string(options.threads));
        if (options.threads > 1) sharing_ = sharing_by(Threads{options.threads, options.least_share * 1e3});
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    const Graph& graph() const { return graph_; }
    Streams& streams() { return streams_; }

    /// One typed fetch.
    template <GraphOperand X, class... F> auto run(const X& wanted, const F&... feeds) {
        return Value<value_type_of<X>, shape_of<X>>(run_all({node(wanted)}, {resolve(feeds)...})[0]);
    }
    template <class... N, class... F> auto run(const Fetches<N...>& wanted, const F&... feeds) {
        const auto all = std::apply([&](const auto&... n) { return run_all({n...}, {resolve(feeds)...}); }, wanted.nodes);
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return std::tuple(Value<typename N::value_type, typename N::shape>(all[I])...);
        }(std::index_sequence_for<N...>{});
    }
    /// An operation run for its effect, or an output of unknown type.
    template <class... F> Tensor run(const Output& wanted, const F&... feeds) { return run_all({wanted}, {resolve(feeds)...})[0]; }
    /// A fetch by name: "w1:0", or an operation to run.
    template <class... F> Tensor run(std::string_view name, const F&... feeds) { return run_all({graph_.get_tensor_by_name(name)}, {resolve(feeds)...})[0]; }
    /// All of `fetches` in one run; an operation without outputs gives an empty Tensor.
    template <class Lazy = void> std::vector<Tensor> run_all(const std::vector<Output>& fetches, std::vector<Feed> feeds = {});
    template <class... F> Callable make_callable(const std::vector<Output>& fetches, const F&... feeds) { return make_callable(fetches, std::vector<Feed>{resolve(feeds)...}); }
    template <int lazy = 0> Callable make_callable(const std::vector<Output>& fetches, std::vector<Feed> feeds);
    template <class = void> Feed resolve(const Feed& f) const { return f; }
    template <class = void> Feed resolve(const NamedFeed& f) const { return {graph_.get_tensor_by_name(f.name), f.value}; }

private:
    template <class = void> static bool same_elements(const Tensor& a, const Tensor& b) {
        if (a.dtype() == DType::string) return std::equal(a.span<std::string>().begin(), a.span<std::string>().end(), b.span<std::string>().begin());
        return std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
    }
    template <class = void> std::shared_ptr<Plan> plan_for(std::span<const Output> fetches, std::vector<Feed>& feeds) {
        for (const Entry& e : entries_) {
            if (e.feeds.size() != feeds.size() || !std::equal(e.fetches.begin(), e.fetches.end(), fetches.begin(), fetches.end())) continue;
            bool same = true;
            for (std::size_t i = 0; same && i < feeds.size(); ++i) {
                const Feed &a = e.feeds[i], &b = feeds[i];
                same = a.of == b.of && a.value.dims() == b.value.dims() && a.value.dtype() == b.value.dtype() && (!a.known || same_elements(a.value, b.value));
            }
            if (same) return e.plan;
        }
        return make_plan(fetches, feeds);
    }
    /// Where a shape rule reads elements that depend on a feed, the plan holds for that feed's elements; where they come
    /// from something that has to run, it is run first and fed, and the plan is for this run only.
    template <class = void> std::shared_ptr<Plan> make_plan(std::span<const Output> fetches, std::vector<Feed>& feeds) {
        for (std::size_t i = 0; i < feeds.size(); ++i)
            for (std::size_t k = 0; k < i; ++k) if (feeds[i].of == feeds[k].of) throw FeedError("[feed] " + describe(*feeds[i].of.operation) + " is fed twice");
        const std::size_t given = feeds.size();
        for (std::size_t attempts = 0;; ++attempts) {
            auto plan = std::make_shared<Plan>();
            try {
                PlanBuilder<>(*plan, fetches, feeds, streams_, graph_.folded(), sharing_.get()).build();
                if (feeds.size() == given) {
                    Entry e{{fetches.begin(), fetches.end()}, feeds, plan};
                    for (Feed& f : e.feeds) f.value = f.known ? f.value.clone() : Tensor(f.value.dtype(), f.value.dims(), nullptr, nullptr);
                    entries_.push_back(std::move(e));
                }
                return plan;
            } catch (const NeedsValue& need) {
                if (attempts > 10000) throw ShapeError("[run] extents that depend on each other's elements");
                Feed* fed = nullptr;
                for (Feed& f : feeds) if (f.of == need.of) fed = &f;
                if (fed) {
                    fed->known = true;
                    continue;
                }
                std::vector<Feed> inner(feeds.begin(), feeds.end());
                feeds.push_back({need.of, run_all({need.of}, std::move(inner))[0], true});
            }
        }
    }
};

// Apart from the class, so that the static library can have them instead: a function inside it is compiled by every program that calls it.
template <class Lazy> std::vector<Tensor> Session::run_all(const std::vector<Output>& fetches, std::vector<Feed> feeds) {
    const auto plan = plan_for(fetches, feeds);
    plan->run(feeds);
    std::vector<Tensor> values;
    for (std::size_t i = 0; i < fetches.size(); ++i) values.push_back(fetches[i].operation->results.empty() ? Tensor() : plan->fetch(i));
    return values;
}
template <int lazy> Callable Session::make_callable(const std::vector<Output>& fetches, std::vector<Feed> feeds) {
    auto plan = plan_for(fetches, feeds);
    return {std::move(plan), std::move(feeds)};
}
#ifdef TENON_PREBUILT
extern template std::vector<Tensor> Session::run_all<void>(const std::vector<Output>&, std::vector<Feed>);
extern template Callable Session::make_callable<0>(const std::vector<Output>&, std::vector<Feed>);
#endif

}  // namespace tenon
