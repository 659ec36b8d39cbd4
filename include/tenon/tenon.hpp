// What most programs need: typed graphs, gradients, optimisers, sessions, and Savers whose checkpoints are TensorFlow's. Programs that
// import graphs include import.hpp instead.
#pragma once
#include "expr/op.hpp"  // first, so that the compiler's way to a shape error is short

#include "checkpoint/bundle.hpp"
#include "checkpoint/saver.hpp"
#include "fwd.hpp"
#include "grad/gradients.hpp"
#include "ops/ops.hpp"
#include "run/session.hpp"
#include "run/variable.hpp"
#include "tensor/print.hpp"
#include "train/optimizers.hpp"
