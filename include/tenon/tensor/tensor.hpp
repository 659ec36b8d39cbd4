// A tensor by value: what is fed, fetched, saved and restored. Reference counted; copies share the elements.
#pragma once
#include "../base/dims.hpp"
#include "../base/dtype.hpp"
#include "buffer.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

namespace tenon {

/// Elements of one type in C order, with their extents.
///
/// Values    every DType but resource and variant; strings are std::string
/// Errors    TypeError if the elements are asked for as another type
class Tensor {
    DType dtype_ = DType::invalid;
    Dims dims_;
    std::shared_ptr<void> owner_;
    std::byte* data_ = nullptr;

public:
    Tensor() = default;
    /// Numbers are not initialised; strings are empty.
    template <class = void> Tensor(DType t, const Dims& d) : dtype_(t), dims_(d) {
        const auto n = static_cast<std::size_t>(d.size());
        if (t == DType::string) {
            auto strings = std::make_shared<std::vector<std::string>>(n);
            data_ = reinterpret_cast<std::byte*>(strings->data());
            owner_ = std::move(strings);
        } else {
            auto memory = std::make_shared<Buffer>(n * bytes_of(t));
            data_ = memory->data();
            owner_ = std::move(memory);
        }
    }
    /// A view of memory that `owner` keeps.
    template <class = void> Tensor(DType t, const Dims& d, void* data, std::shared_ptr<void> owner) : dtype_(t), dims_(d), owner_(std::move(owner)), data_(static_cast<std::byte*>(data)) {}
    template <class T> static Tensor of(const Dims& d, std::span<const T> elements) {
        Tensor t(dtype_of<T>, d);
        if (static_cast<std::int64_t>(elements.size()) != d.size())
            throw ShapeError("[Tensor] " + std::to_string(elements.size()) + " elements for " + to_string(d));
        std::copy(elements.begin(), elements.end(), t.data<T>());
        return t;
    }
    template <class T> static Tensor of(const Dims& d, std::initializer_list<T> elements) { return of<T>(d, std::span<const T>(elements.begin(), elements.size())); }
    template <class T> static Tensor scalar(const T& value) { return of<T>({}, {value}); }

    explicit operator bool() const { return dtype_ != DType::invalid; }
    DType dtype() const { return dtype_; }
    const Dims& dims() const { return dims_; }
    template <class = void> std::int64_t size() const { return dims_.size(); }
    template <class = void> std::size_t bytes() const { return static_cast<std::size_t>(size()) * bytes_of(dtype_); }
    std::byte* raw() const { return data_; }
    const std::shared_ptr<void>& owner() const { return owner_; }
    template <class T> T* data() const {
        if (dtype_of<T> != dtype_) throw TypeError("[Tensor] elements are " + std::string(name_of(dtype_)) + ", asked for " + std::string(name_of(dtype_of<T>)));
        return reinterpret_cast<T*>(data_);
    }
    template <class T> std::span<T> span() const { return {data<T>(), static_cast<std::size_t>(size())}; }
    /// The one element, or the first.
    template <class T> const T& item() const { return *data<T>(); }
    /// The same elements with other extents.
    template <class = void> Tensor reshaped(const Dims& d) const {
        if (d.size() != size()) throw ShapeError("[Tensor] " + to_string(dims_) + " cannot become " + to_string(d));
        Tensor t = *this;
        t.dims_ = d;
        return t;
    }
    template <class = void> Tensor clone() const {
        Tensor t(dtype_, dims_);
        t.assign(*this);
        return t;
    }
    /// Copies elements of a tensor of the same type and number of elements.
    template <class = void> void assign(const Tensor& from) const {
        if (from.dtype_ != dtype_ || from.size() != size()) throw TypeError("[Tensor] cannot assign " + std::string(name_of(from.dtype_)) + " " + to_string(from.dims_) + " to " + std::string(name_of(dtype_)) + " " + to_string(dims_));
        if (dtype_ == DType::string) std::copy_n(from.data<std::string>(), size(), data<std::string>());
        else if (bytes()) std::memcpy(data_, from.data_, bytes());
    }
};

}  // namespace tenon
