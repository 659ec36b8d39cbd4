// Steps of a plan that threads share: a kernel called several times at once, each time for a part of what it computes.
//
// An op says itself how its work is shared (Sharing in expr/operation.hpp). Elementwise ones are cut along their first axis that is longer than 1, as are
// the operands that have it; whatever is broadcast along it is read whole by all. Statements go backward in chunks. Every call has a workspace of its own.
//
// A plan knows the two interfaces only: a program whose sessions have one thread compiles nothing of what is behind them.
#pragma once
#include "../expr/statement.hpp"
#include "../tensor/team.hpp"

namespace tenon {

/// A step of a plan that is several calls of its kernel.
struct SharedStep {
    struct Workspace { std::size_t bytes, at; };
    std::vector<Workspace> workspaces{};  ///< of the calls; where they lie in the arena is for the plan to say
    Kernel run = nullptr;                 ///< of a Call whose op is the step

    virtual ~SharedStep() = default;
    /// The memory of the step as a whole.
    virtual void bind(const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out, std::byte* arena) = 0;
};
/// Who shares the work of a session's steps.
struct StepSharing {
    virtual ~StepSharing() = default;
    /// Null if the step is not to be shared. `group`, if it is one, is what op points to; `prepared`, if there is one, is for every call.
    virtual std::shared_ptr<SharedStep> share(Kernel kernel, const void* op, const OpTable& table, const Group* group, std::span<const Ref* const> in, std::span<const Ref* const> out,
                                              const std::shared_ptr<const void>& prepared) = 0;
};

namespace detail {

template <class Lazy> class TeamStep : public SharedStep {
    struct Cut {
        Ref mine;
        const Ref* whole;
        std::size_t offset;  // bytes
    };
    struct Part {
        std::vector<Cut> cuts{};
        std::vector<const Ref*> operands{};  // of the call: inputs, then outputs
        std::shared_ptr<const void> prepared{};
    };
    Kernel kernel_;
    std::shared_ptr<Team> team_;
    std::vector<Part> parts_;
    std::vector<Call> calls_{};
    std::vector<int> axes_{};  // by operand, from the end; 0 if it is not cut
    bool told_ = false;        // its share, instead of being given a part of the operands

public:
    TeamStep(Kernel kernel, std::shared_ptr<Team> team, int parts) : kernel_(kernel), team_(std::move(team)), parts_(static_cast<std::size_t>(parts)) { run = &run_parts; }

    static std::shared_ptr<SharedStep> plan(Kernel kernel, const void* op, const OpTable& table, const Group* group, std::span<const Ref* const> in, std::span<const Ref* const> out,
                                            const std::shared_ptr<const void>& prepared, const std::shared_ptr<Team>& team) {
        const Threads& threads = team->threads();
        std::vector<const Ref*> operands(in.begin(), in.end());
        operands.insert(operands.end(), out.begin(), out.end());
        for (const Ref* r : operands) if (r->dtype == DType::string) return nullptr;
        Sharing s;
        std::vector<int> axes(operands.size(), 0);
        std::shared_ptr<const void> common = prepared;  // to all calls
        if (group && !group->elementwise) {
            if (group->reduces) return nullptr;
            common = group->prepare(op, in, out);
            double bytes = 0;
            for (const Ref* r : operands) if (r->data || r->dims.ranked()) bytes += static_cast<double>(r->dims.size()) * static_cast<double>(bytes_of(r->dtype));
            s.count = threads.shares(bytes / 32, as<BackwardLayouts>(common.get()).chunks);
        } else if (group || table.elementwise) {
            const Dims& whole = out[0]->dims;
            int axis = 0;
            while (axis < whole.rank && whole[axis] == 1) ++axis;
            if (axis >= whole.rank || (axis > 0 && !group && table.prepare != &prepare_elementwise<>)) return nullptr;
            const int from_end = axis - whole.rank;
            double bytes = 0;
            for (std::size_t i = 0; i < operands.size(); ++i) {
                const Dims& d = operands[i]->dims;
                if (!d.ranked()) continue;
                if (d.rank >= -from_end && d[from_end] == whole[axis]) axes[i] = from_end;
                bytes += static_cast<double>(d.size()) * static_cast<double>(bytes_of(operands[i]->dtype));
            }
            s.count = threads.shares(bytes / 32 + static_cast<double>(whole.size()) * static_cast<double>(group ? group->inner.size() : 1) / 32, whole[axis]);
        } else {
            if (!table.sharing) return nullptr;
            s = table.sharing(op, in, out, threads);
            if (table.finishes && prepared && s.rows)
                if (const int beside = static_cast<const ProductUse*>(prepared.get())->beside; beside >= 0) s.rows |= 1u << beside;
            for (std::size_t i = 0; i < operands.size() && s.rows; ++i) if (i >= in.size() || s.rows >> i & 1) axes[i] = -operands[i]->dims.rank;
        }
        if (s.count < 2) return nullptr;
        auto step = std::make_shared<TeamStep>(kernel, team, s.count);
        step->axes_ = std::move(axes);
        step->told_ = group ? !group->elementwise : !table.elementwise && s.rows == 0;
        for (int p = 0; p < s.count; ++p) {
            Part& part = step->parts_[static_cast<std::size_t>(p)];
            part.cuts.reserve(operands.size());
            part.operands = operands;
            for (std::size_t i = 0; i < operands.size(); ++i) {
                if (!step->axes_[i]) continue;
                Cut& c = part.cuts.emplace_back(Cut{*operands[i], nullptr, 0});
                auto& extent = c.mine.dims[step->axes_[i]];
                const auto range = Share{p, s.count}.of(extent);
                c.offset = static_cast<std::size_t>(range.from * (c.mine.dims.size() / extent)) * bytes_of(c.mine.dtype);
                extent = range.size();
                part.operands[i] = &c.mine;
            }
            const std::span all(part.operands);
            const auto inputs = all.first(in.size()), outputs = all.subspan(in.size());
            part.prepared = common ? common : group ? group->prepare(op, inputs, outputs) : table.prepare ? table.prepare(op, inputs, outputs) : nullptr;
            step->workspaces.push_back({step->told_ ? s.workspace : !group && table.workspace ? table.workspace(op, inputs, outputs) : 0, 0});
        }
        return step;
    }

    void bind(const void* op, std::span<const Ref* const> in, std::span<const Ref* const> out, std::byte* arena) override {
        for (std::size_t p = 0; p < parts_.size(); ++p) {
            Part& part = parts_[p];
            std::size_t cut = 0;
            for (std::size_t i = 0; i < part.operands.size(); ++i) {
                const Ref* whole = i < in.size() ? in[i] : out[i - in.size()];
                if (axes_[i]) part.cuts[cut++].whole = whole;
                else part.operands[i] = whole;
            }
            const std::span all(part.operands);
            calls_.push_back({op, all.first(in.size()), all.subspan(in.size()), workspaces[p].bytes ? arena + workspaces[p].at : nullptr, part.prepared.get(), nullptr,
                              told_ ? Share{static_cast<int>(p), static_cast<int>(parts_.size())} : Share{}});
        }
    }

private:
    /// What is fed lies elsewhere in every run.
    static void run_parts(const Call& c) {
        auto& self = *static_cast<TeamStep*>(static_cast<SharedStep*>(const_cast<void*>(c.op)));
        for (Part& p : self.parts_)
            for (Cut& cut : p.cuts) cut.mine.data = cut.whole->data ? static_cast<std::byte*>(cut.whole->data) + cut.offset : nullptr;
        self.team_->run(static_cast<int>(self.calls_.size()), [](const void* context, int part) {
            const auto& step = as<TeamStep>(context);
            step.kernel_(step.calls_[static_cast<std::size_t>(part)]);
        }, &self);
    }
};

template <class Lazy> class TeamSharing : public StepSharing {
    std::shared_ptr<Team> team_;

public:
    explicit TeamSharing(Threads threads) : team_(std::make_shared<Team>(threads)) {}
    std::shared_ptr<SharedStep> share(Kernel kernel, const void* op, const OpTable& table, const Group* group, std::span<const Ref* const> in, std::span<const Ref* const> out,
                                      const std::shared_ptr<const void>& prepared) override {
        return TeamStep<Lazy>::plan(kernel, op, table, group, in, out, prepared, team_);
    }
};

}  // namespace detail

/// Of a team of threads, which ends with the last plan that it works for.
template <class Lazy = void> std::shared_ptr<StepSharing> sharing_by(Threads threads) { return std::make_shared<detail::TeamSharing<Lazy>>(threads); }

}  // namespace tenon
