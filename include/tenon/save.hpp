// tenon.hpp, and what reads and writes checkpoints: Saver, latest_checkpoint, list_variables, load_variable.
#pragma once
#include "tenon.hpp"

#ifndef TENON_PREBUILT
#include "checkpoint/bundle.hpp"
#include "checkpoint/checkpoint_state.hpp"
#include "checkpoint/saving.hpp"
#endif
