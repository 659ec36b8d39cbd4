// What products of matrices and convolutions share.
#pragma once
#include "../expr/operation.hpp"
#include "../tensor/gemm.hpp"

namespace tenon::detail {

inline ProductUse product_use(const Call& c) { return c.prepared ? *static_cast<const ProductUse*>(c.prepared) : ProductUse{}; }

/// The finish that the plan asks for.
template <class T> gemm::Epilogue<T> epilogue(const Call& c, const ProductUse& use) {
    gemm::Epilogue<T> e;
    if (use.column >= 0) {
        const auto column = c.input<T>(static_cast<std::size_t>(use.column));
        e.offset = column.data;
        if (use.scales) e.scale = column.data, e.offset += column.dims[1];
    }
    if (use.beside >= 0) e.beside = c.input<T>(static_cast<std::size_t>(use.beside)).data;
    e.rectifies = use.rectifies;
    return e;
}

}  // namespace tenon::detail
