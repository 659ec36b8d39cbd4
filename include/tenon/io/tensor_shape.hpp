// TensorShapeProto, the shape that attributes, tensors and checkpoint entries have in files, and Dims.
#pragma once
#include "../base/dims.hpp"
#include "message.hpp"

namespace tenon::proto {

/// No dim and no unknown_rank: a scalar. A size of -1 is not known.
struct TensorShapeProto {
    struct Dim {
        std::int64_t size = 0;
        std::string name{};
        Unknown unknown{};
        static constexpr auto table() { return message("tensorflow.TensorShapeProto.Dim", field<&Dim::size>(1, "size"), field<&Dim::name>(2, "name")); }
    };
    std::vector<Dim> dim{};
    bool unknown_rank = false;
    Unknown unknown{};
    static constexpr auto table() {
        return message("tensorflow.TensorShapeProto", field<&TensorShapeProto::dim>(2, "dim"), field<&TensorShapeProto::unknown_rank>(3, "unknown_rank"));
    }
};

inline TensorShapeProto shape_proto(const Dims& d) {
    TensorShapeProto shape{.unknown_rank = !d.ranked()};
    for (const auto e : d) shape.dim.push_back({.size = e});
    return shape;
}

/// The extents, checked: each at least 0 or unknown, and their product within 64 bits.
///
/// Errors    ShapeError, also for more than 8 axes
inline Dims dims_of(const TensorShapeProto& shape) {
    if (shape.unknown_rank) return Dims::unranked();
    Dims d;
    std::int64_t product = 1;
    for (const auto& dim : shape.dim) {
        if (dim.size < -1) throw ShapeError("an extent of a tensor is " + std::to_string(dim.size));
        d.push(dim.size);
        if (dim.size > 1 && __builtin_mul_overflow(product, dim.size, &product)) throw ShapeError("a tensor " + to_string(d) + " has more than 2^63 elements");
    }
    return d;
}

}  // namespace tenon::proto
