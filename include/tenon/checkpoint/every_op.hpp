// The ops of graph/op_list.hpp and those that need files.
#pragma once
#include "../graph/op_list.hpp"
#include "save_ops.hpp"

namespace tenon {

using EveryOp = typename detail::join_lists<AllOps, SaveOps>::type;

}  // namespace tenon
