// What the processor at hand can do beyond what the program was compiled for.
//
// Kernels that pay for it are compiled once per kind of machine, whatever -march says, and chosen by a call: so a program built with plain -O2 gets
// the wide units too, and one binary serves all.
#pragma once

namespace tenon {

enum class Machine { portable, avx2, avx512 };

/// The best kind that this processor and the system support. Costs two loads.
inline Machine machine() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma")) return Machine::avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Machine::avx2;
#endif
    return Machine::portable;
}

}  // namespace tenon
