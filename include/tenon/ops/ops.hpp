// All ops.
#pragma once
#include "apply.hpp"
#include "initializers.hpp"
#include "broadcasting.hpp"
#include "cast.hpp"
#include "elementwise.hpp"
#include "identity.hpp"
#include "matmul.hpp"
#include "random_ops.hpp"
#include "reduce.hpp"
#include "shape.hpp"
#include "source.hpp"
#include "variable.hpp"
