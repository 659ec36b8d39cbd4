// What plans have computed of constants, so that plans for other extents, and of other sessions of the graph, use the same memory.
//
//   Folded ── what ── a constant, or table, op and the numbers of the Folded that it is computed from: one number for equal ones
//      └── results ── where they lie, if some plan holds them
//
// Nothing here is held: a plan holds the results that it reads, and the Folded that these follow from, in whose numbers another plan asks for them.
// With the last plan that uses a result it goes.
#pragma once
#include "../base/hash_index.hpp"
#include "make_operation.hpp"

#include <pthread.h>  // <mutex> costs each program that includes tenon 20 ms of compiling

namespace tenon {

/// An operation that follows from constants, as far as its results depend on it; or a constant.
struct Folded {
    struct Input {
        std::uint64_t number;
        int output;
        bool operator==(const Input&) const = default;
    };
    struct Result {
        void* elements = nullptr;
        std::weak_ptr<void> owner{};
    };
    std::uint64_t number;  // never given to another
    std::size_t hash;
    const OpTable* table = nullptr;
    std::shared_ptr<const void> op{};  // held, as the constant is, so that nothing else comes to lie at its address
    std::vector<Input> inputs{};
    Tensor constant{};
    std::vector<Result> results{};
};

/// What the plans of a graph have folded. Threads may plan at the same time: all calls are made while a Lock lives.
class FoldedValues {
    /// Constants of up to so many bytes are the same if their elements are, as those that each plan infers for itself; larger ones if they lie at the same place.
    static constexpr std::size_t most_compared = 16 * static_cast<std::size_t>(most_known);
    static constexpr std::size_t least_limit = 64;

    pthread_mutex_t mutex_;  // recursive: what is computed while planning may plan
    std::vector<std::weak_ptr<Folded>> all_;
    HashIndex index_;                  // of these; some have gone
    std::size_t limit_ = least_limit;  // with so many, those that have gone are taken out
    std::uint64_t next_ = 0;

public:
    FoldedValues() {
        pthread_mutexattr_t kind;
        ::pthread_mutexattr_init(&kind);
        ::pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
        ::pthread_mutex_init(&mutex_, &kind);
        ::pthread_mutexattr_destroy(&kind);
    }
    FoldedValues(const FoldedValues&) = delete;
    FoldedValues& operator=(const FoldedValues&) = delete;
    ~FoldedValues() { ::pthread_mutex_destroy(&mutex_); }

    /// Other threads wait until it ends.
    class Lock {
        pthread_mutex_t& mutex_;

    public:
        explicit Lock(FoldedValues& values) : mutex_(values.mutex_) { ::pthread_mutex_lock(&mutex_); }
        ~Lock() { ::pthread_mutex_unlock(&mutex_); }
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;
    };

    template <class = void> std::shared_ptr<Folded> of_constant(const Tensor& t) {
        const bool compared = t.dtype() != DType::string && t.bytes() <= most_compared;
        const auto hash = compared ? hash_of({reinterpret_cast<const char*>(t.raw()), t.bytes()}) : reinterpret_cast<std::uintptr_t>(t.raw());
        return keep(hash, [&](const Folded& f) {
            const Tensor& c = f.constant;
            return !f.table && c.dtype() == t.dtype() && c.dims() == t.dims() && (c.raw() == t.raw() || (compared && std::memcmp(c.raw(), t.raw(), t.bytes()) == 0));
        }, [&](Folded& f) { f.constant = t; });
    }
    template <class = void> std::shared_ptr<Folded> of_operation(const Operation& o, std::vector<Folded::Input> inputs) {
        auto hash = mixed(reinterpret_cast<std::uintptr_t>(o.table), reinterpret_cast<std::uintptr_t>(o.op.get()));
        for (const auto& i : inputs) hash = mixed(hash, static_cast<std::size_t>(i.number) * 32 + static_cast<std::size_t>(i.output));
        return keep(hash, [&](const Folded& f) { return f.table == o.table && f.op == o.op && f.inputs == inputs; }, [&](Folded& f) {
            f.table = o.table, f.op = o.op, f.inputs = std::move(inputs);
            f.results.resize(o.results.size());
        });
    }
    /// An output that some plan holds, as a tensor of these extents and type; null if none does.
    template <class = void> Tensor find(const Folded& f, int output, const Ref& as) const {
        const auto& r = f.results[static_cast<std::size_t>(output)];
        auto owner = r.owner.lock();
        return owner ? Tensor(as.dtype, as.dims, r.elements, std::move(owner)) : Tensor();
    }
    /// An output that has just been computed, for other plans to find as long as somebody holds it.
    template <class = void> void tell(Folded& f, int output, const Tensor& t) { f.results[static_cast<std::size_t>(output)] = {t.raw(), t.owner()}; }

    /// How many it knows, some of which have gone.
    std::size_t known() const { return all_.size(); }

private:
    template <class Same, class Fill> std::shared_ptr<Folded> keep(std::size_t hash, const Same& same, const Fill& fill) {
        std::shared_ptr<Folded> f;
        if (index_.find(hash, [&](int i) { return (f = all_[static_cast<std::size_t>(i)].lock()) && same(*f); }) != HashIndex::none) return f;
        if (all_.size() >= limit_) forget_those_gone();
        f = std::make_shared<Folded>(Folded{next_++, hash});
        fill(*f);
        all_.push_back(f);
        index_.add(hash, static_cast<int>(all_.size()) - 1);
        return f;
    }
    template <class = void> void forget_those_gone() {
        std::vector<std::weak_ptr<Folded>> there;
        HashIndex index;
        for (const auto& w : all_)
            if (const auto f = w.lock()) index.add(f->hash, static_cast<int>(there.size())), there.push_back(w);
        limit_ = std::max(2 * there.size(), least_limit);
        all_ = std::move(there), index_ = std::move(index);
    }
};

}  // namespace tenon
