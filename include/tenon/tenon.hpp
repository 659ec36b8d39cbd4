// Typed graphs, gradients, optimisers and sessions. A program that saves or restores includes save.hpp, one that imports graphs import.hpp:
// both include this, and cost the compiler more (docs/compile-time.md).
#pragma once
#include "expr/op.hpp"  // first, so that the compiler's way to a shape error is short

#include "checkpoint/saver.hpp"
#include "fwd.hpp"
#include "grad/gradients.hpp"
#include "ops/ops.hpp"
#include "run/session.hpp"
#include "run/variable.hpp"
#include "tensor/print.hpp"
#include "train/optimizers.hpp"
