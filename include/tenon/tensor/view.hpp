// Memory seen as a tensor. `Ref` forgets its type (plans are tables of them), `View` knows it. The only maker of Eigen
// maps: always dynamic, so that no shape ever reaches Eigen's templates.
#pragma once
#include "../base/dims.hpp"
#include "../base/dtype.hpp"

#include <Eigen/Core>

#include <type_traits>

namespace tenon {

using half = Eigen::half;
using bfloat16 = Eigen::bfloat16;
template <> inline constexpr DType dtype_of<half> = DType::half;
template <> inline constexpr DType dtype_of<bfloat16> = DType::bfloat16;

/// More elements than there are addresses for: what a file or a feed asks for is refused beyond it, before it is added or multiplied.
inline constexpr std::int64_t most_elements = std::int64_t{1} << 48;

/// Where a tensor lies. In shape rules `data` is null unless the elements are known before anything runs.
struct Ref {
    void* data = nullptr;
    Dims dims;
    DType dtype = DType::invalid;
};

template <class T> using flat_map = Eigen::Map<std::conditional_t<std::is_const_v<T>, const Eigen::Array<std::remove_const_t<T>, Eigen::Dynamic, 1>,
                                                                  Eigen::Array<std::remove_const_t<T>, Eigen::Dynamic, 1>>>;
template <class T> flat_map<T> map(T* data, std::int64_t n) { return {data, n}; }

/// `rows` by `columns` elements in C order, rows `stride` apart.
template <class T> auto matrix_map(T* data, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
    using Matrix = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    return Eigen::Map<std::conditional_t<std::is_const_v<T>, const Matrix, Matrix>, 0, Eigen::OuterStride<>>(data, rows, columns, Eigen::OuterStride<>(stride));
}

template <class T> struct View {
    T* data;
    const Dims& dims;

    std::int64_t size() const { return dims.size(); }
    auto flat() const { return map(data, dims.size()); }
    T& operator[](std::int64_t i) const { return data[i]; }
};
template <class T> View<T> view(const Ref& r) { return {static_cast<T*>(r.data), r.dims}; }

/// Element `i` of a tensor of either index type.
template <class = void> std::int64_t index_at(const Ref& r, std::int64_t i) {
    return r.dtype == DType::int64 ? static_cast<const std::int64_t*>(r.data)[i] : static_cast<const std::int32_t*>(r.data)[i];
}

}  // namespace tenon
