// What imports give.
#pragma once
#include "saver.hpp"

namespace tenon {

/// A graph, and the saver of its variables; a saver of nothing if there are none.
struct ImportedModel {
    Graph graph;
    Saver saver;
};

}  // namespace tenon
