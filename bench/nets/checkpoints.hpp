// Saving variables over an older checkpoint, and restoring them into themselves: steps beside other libraries' own ways to do so.
#pragma once
#include "net.hpp"

#include <tenon/save.hpp>

#include <filesystem>

#include <unistd.h>

namespace bench {

/// Variables in a folder of their own, which goes with them. Variable k is filled with k / count.
class Checkpoint {
    std::filesystem::path folder_;
    tenon::Session session_;
    tenon::Output last_;
    tenon::Saver saver_;
    bool durable_;
    std::string prefix_;

public:
    template <std::int64_t floats> Checkpoint(std::integral_constant<std::int64_t, floats>, int count, bool durable)
        : folder_(std::filesystem::temp_directory_path() / ("tenon_checkpoint_" + std::to_string(getpid()) + '_' + std::to_string(floats) + (durable ? "_durable" : ""))), durable_(durable) {
        using namespace tenon;
        std::filesystem::create_directories(folder_);
        std::vector<SavedAs> variables;
        for (int k = 0; k < count; ++k) {
            const std::string name = std::to_string(k);
            Variable<float, Shape<floats>> v{name, constant(float(k) / float(count))};
            variables.push_back({name, v});
            last_ = v;
        }
        saver_ = Saver{variables};
        save();
    }
    Checkpoint(const Checkpoint&) = delete;
    Checkpoint& operator=(const Checkpoint&) = delete;
    ~Checkpoint() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    float save() {
        prefix_ = saver_.save(session_, folder_ / "variables", {.write_meta_graph = false, .durable = durable_});
        return 1;
    }
    /// Gives the last variable's last element.
    float restore(tenon::Restore how = tenon::Restore::copy) {
        saver_.restore(session_, prefix_, how);
        const tenon::Tensor value = session_.run(last_);
        return value.data<float>()[value.size() - 1];
    }
};

enum class Files { save, save_durable, restore, view };

template <std::int64_t floats> Step checkpoint(int count, Files what) {
    const auto held = std::make_shared<Checkpoint>(std::integral_constant<std::int64_t, floats>{}, count, what == Files::save_durable);
    if (what == Files::restore) return [held] { return held->restore(); };
    if (what == Files::view) return [held] { return held->restore(tenon::Restore::view); };
    return [held] { return held->save(); };
}

}  // namespace bench
