// The ops that tenon has, for importers. Their kernels are compiled here, or were in the static library (TENON_PREBUILT).
#pragma once
#include "../graph/op_index.hpp"

#ifdef TENON_PREBUILT
namespace tenon {
OpIndex builtin_ops();
}
#else
#include "every_op.hpp"
namespace tenon {
inline OpIndex builtin_ops() { return index_of<EveryOp>(); }
}
#endif
