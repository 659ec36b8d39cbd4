// All of tenon: save.hpp, and graphs from files: import_meta_graph, import_graph_def, import_saved_model.
#pragma once
#include "checkpoint/import_meta_graph.hpp"
#include "save.hpp"
