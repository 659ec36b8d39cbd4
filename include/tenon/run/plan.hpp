// A plan: how to compute some fetches for feeds of certain extents. Made once, run often; running it allocates
// nothing, looks nothing up and takes no lock: a loop over (kernel, resolved memory). Of sessions with several threads the
// first run starts them, and kernels that they share wait for each other.
//
// Making it is plain code over integers, in stages, each a file and a class on top of the one before:
//
//   plan_graph.hpp    number   walk back from fetches and targets; feeds cut the graph wherever they are
//                     infer    extents, dtypes and known values, by the ops' own rules
//                     choose   what has to be computed, values known; compiled groups where nobody wants what is between
//   plan_once.hpp     share    of equal operations one runs
//   plan_fold.hpp     fold     what follows from constants is computed, or taken from other plans
//   plan_order.hpp    arrange  inputs first, readers of a variable before its updates unless they wait for them
//   plan_products.hpp join     products, of matrices or of images with filters, take over what is done with their results alone
//   plan_builder.hpp  place    views and updates share memory, elementwise results take over what dies, the rest lives in
//                              one arena
#pragma once
#include "../expr/folded_values.hpp"
#include "../expr/statement.hpp"
#include "../base/hash_index.hpp"
#include "../tensor/random.hpp"
#include "feed.hpp"


namespace tenon {

/// The random streams of one session, by operation; they go on from run to run.
class Streams {
    HashIndex number_;
    std::vector<std::unique_ptr<random::Philox>> all_;  // plans keep their addresses

public:
    struct Place {
        random::Philox& stream;
        bool fresh;
    };
    template <class = void> Place operator[](const Operation* o) {
        const int next = static_cast<int>(all_.size()), i = number_.keep(o, next);
        if (i == next) all_.push_back(std::make_unique<random::Philox>());
        return {*all_[static_cast<std::size_t>(i)], i == next};
    }
};

/// Thrown while planning: a shape rule reads elements that nobody knows before something has run.
struct NeedsValue { Output of; };

class Plan {
    struct Step {
        Kernel run;
        Call call;
        const Operation* of;
    };
    struct Patch { std::size_t feed; Ref* ref; };
    struct Bound { const State* state; Ref* ref; };

    std::vector<Output> keep_;
    std::vector<Ref> refs_;  // of their final number from the start: pointers to them are kept
    std::vector<const Ref*> pointers_;
    std::vector<Step> steps_;
    std::vector<Patch> patches_;
    std::vector<Bound> bound_;  // a restore may have moved a variable
    std::vector<const Ref*> fetched_;
    std::vector<std::shared_ptr<const void>> owned_;
    std::vector<State*> reads_, assigns_;
    std::vector<const Operation*> read_operations_;
    Buffer arena_;
    std::size_t arena_bytes_ = 0;

    template <class> friend class PlanBuilder;

public:
    Plan() = default;
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;

    /// Feeds are those that the plan was made for, in the same order, with the same extents.
    template <class = void> void run(std::span<const Feed> feeds) const {
        run_each(feeds, [](const Operation&, Kernel kernel, const Call& call) { kernel(call); });
    }
    /// The same, with every kernel handed out in its turn: `each(operation, kernel, call)` has to call `kernel(call)`. For who times single steps.
    template <class Each> void run_each(std::span<const Feed> feeds, const Each& each) const {
        for (const Patch& p : patches_) p.ref->data = feeds[p.feed].value.raw();
        for (const Bound& b : bound_) b.ref->data = b.state->value.raw();
        for (std::size_t i = 0; i < reads_.size(); ++i)
            if (!reads_[i]->initialized) throw ValueError(describe(*read_operations_[i]) + " has no value: restore it, or run its initialiser");
        for (const Step& s : steps_) {
            try {
                each(*s.of, s.run, s.call);
            } catch (const ValueError& e) {
                throw ValueError(describe(*s.of) + ": " + e.what());
            }
        }
        for (State* s : assigns_) s->initialized = true;
    }
    /// Where fetch `i` lies; its elements hold until the next run.
    const Ref& result(std::size_t i) const { return *fetched_[i]; }
    template <class = void> Tensor fetch(std::size_t i) const {
        const Ref& r = result(i);
        Tensor t(r.dtype, r.dims);
        t.assign(Tensor(r.dtype, r.dims, r.data, nullptr));
        return t;
    }
    /// Fetch `i`, with the memory it lies in if it fills that: the last that is asked of a plan.
    template <class = void> Tensor take(std::size_t i) {
        const Ref& r = result(i);
        const auto* const at = static_cast<std::byte*>(r.data);
        const auto bytes = static_cast<std::size_t>(r.dims.size()) * bytes_of(r.dtype);
        if (!at || at != arena_.data() || bytes < arena_.bytes() / 4 * 3) return fetch(i);
        auto memory = std::make_shared<Buffer>(std::move(arena_));
        return Tensor(r.dtype, r.dims, r.data, std::move(memory));
    }
    template <class = void> std::size_t kernels() const { return steps_.size(); }
    std::size_t arena_bytes() const { return arena_bytes_; }
};

}  // namespace tenon
