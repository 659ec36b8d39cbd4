// An epilogue of a product drawn at random, and what it makes of a sum.
#pragma once
#include "draw.hpp"

#include <tenon/tensor/gemm.hpp>

namespace tenon::test {

template <class T> struct DrawnEpilogue {
    std::vector<T> scale, offset, beside;
    bool has_scale, has_offset, has_beside, rectifies;

    DrawnEpilogue(Draw& draw, std::int64_t size, std::int64_t columns)
        : scale(draw.numbers<T>(columns)), offset(draw.numbers<T>(columns)), beside(draw.numbers<T>(size)), has_scale(draw.coin()), has_offset(draw.coin()), has_beside(draw.coin()), rectifies(draw.coin()) {}
    /// `in_place`: what stands beside is copied to `c`, and read there.
    gemm::Epilogue<T> of(std::vector<T>& c, bool in_place) const {
        if (in_place && has_beside) c = beside;
        return {has_scale ? scale.data() : nullptr, has_offset ? offset.data() : nullptr, !has_beside ? nullptr : in_place ? c.data() : beside.data(), rectifies};
    }
    double operator()(double sum, std::size_t at, std::size_t column) const {
        if (has_scale) sum *= double(scale[column]);
        if (has_offset) sum += double(offset[column]);
        if (has_beside) sum += double(beside[at]);
        return rectifies ? std::max(sum, 0.0) : sum;
    }
};

}  // namespace tenon::test
