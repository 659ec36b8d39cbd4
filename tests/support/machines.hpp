// The kinds of machine whose kernels this one can run.
#pragma once
#include <tenon/tensor/machine.hpp>

#include <vector>

namespace tenon::test {

inline std::vector<Machine> machines() {
    using enum Machine;
    std::vector<Machine> all;
    for (const auto m : {portable, avx2, avx512}) if (m <= machine()) all.push_back(m);
    return all;
}

}  // namespace tenon::test
