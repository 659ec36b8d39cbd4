// Element types of an op's inputs, and the inputs that are members of the op: how they get their values from tensors, and tensors from them.
#pragma once
#include "constant.hpp"

namespace tenon::detail {

// ---- element types of data inputs

template <class O, std::size_t i> constexpr DType wanted_type(DType self) {
    if constexpr (requires { O::input_type(i, self); }) return O::input_type(i, self);
    else return self;
}
template <DType t> struct type_of { using type = any; };
template <> struct type_of<DType::boolean> { using type = bool; };
template <> struct type_of<DType::int32> { using type = std::int32_t; };
template <> struct type_of<DType::int64> { using type = std::int64_t; };
template <> struct type_of<DType::float32> { using type = float; };
template <class O, class T, std::size_t i> consteval auto input_tag() {
    constexpr DType w = wanted_type<O, i>(dtype_of<T>);
    if constexpr (w == dtype_of<T>) return std::type_identity<T>{};
    else return std::type_identity<typename type_of<w>::type>{};
}
template <class O, class T, std::size_t i> using input_t = typename decltype(input_tag<O, T, i>())::type;

// ---- members that are inputs

template <class = void> bool fill(Dims& member, const Ref& r) {
    if (r.dims.size() > max_rank) throw ShapeError("a list of " + std::to_string(r.dims.size()) + " numbers where at most 8 fit");
    member = Dims();
    for (std::int64_t i = 0; i < r.dims.size(); ++i) member.push(index_at(r, i));
    return true;
}
template <class = void> bool fill(Ints& member, const Ref& r) {
    if (r.dims.size() > 16) throw ShapeError("a list of " + std::to_string(r.dims.size()) + " numbers where at most 16 fit");
    member = Ints();
    for (std::int64_t i = 0; i < r.dims.size(); ++i) member.push(index_at(r, i));
    return true;
}
template <class = void> bool fill(std::int64_t& member, const Ref& r) {
    if (r.dims.size() != 1) throw ShapeError("a tensor " + to_string(r.dims) + " where a scalar is wanted");
    member = index_at(r, 0);
    return true;
}
/// False if the value of some member is not known.
template <class O> bool complete_in_place(O& op, std::span<const Ref> in) {
    return unpack(params_of<O>(), [&](const auto&... p) {
        [[maybe_unused]] const auto one = [&](const auto& param) {
            if constexpr (std::remove_cvref_t<decltype(param)>::is_input) {
                const auto i = param.position < 0 ? in.size() + static_cast<std::size_t>(param.position) : static_cast<std::size_t>(param.position);
                return in[i].data && fill(op.*param.member, in[i]);
            } else {
                return true;
            }
        };
        return (1 & ... & int{one(p)}) != 0;
    });
}
template <class O> std::shared_ptr<const void> complete(const std::shared_ptr<const void>& op, std::span<const Ref> in) {
    O full = as<O>(op.get());
    complete_in_place(full, in);
    return shared_op(std::move(full));
}
template <class = void> Output integers(const Dims& d) {
    std::array<std::int32_t, max_rank> v{};
    for (int i = 0; i < d.rank; ++i) v[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(d[i]);
    return make_const<std::int32_t>(Tensor::of<std::int32_t>({d.rank}, std::span<const std::int32_t>(v.data(), static_cast<std::size_t>(d.rank))));
}
template <class = void> Output integers(const Ints& d) {  // pairs, one row per axis
    std::array<std::int32_t, 16> v{};
    for (int i = 0; i < d.count; ++i) v[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(d[i]);
    return make_const<std::int32_t>(Tensor::of<std::int32_t>({d.count / 2, 2}, std::span<const std::int32_t>(v.data(), static_cast<std::size_t>(d.count))));
}
template <class = void> Output integers(std::int64_t v) { return make_const<std::int32_t>(Tensor::scalar(static_cast<std::int32_t>(v))); }

template <class O> std::vector<Output> expand(const void* op, std::vector<Output> data) {
    unpack(params_of<O>(), [&](const auto&... p) {
        [[maybe_unused]] const auto one = [&](const auto& param) {
            if constexpr (std::remove_cvref_t<decltype(param)>::is_input) {
                const auto at = param.position < 0 ? static_cast<std::ptrdiff_t>(data.size()) + 1 + param.position : param.position;
                data.insert(data.begin() + at, integers(as<O>(op).*param.member));
            }
        };
        (one(p), ...);
    });
    return data;
}
template <class O> inline constexpr auto const_positions = unpack(params_of<O>(), [](const auto&... p) {
    std::array<int, static_cast<std::size_t>(const_inputs_of<O>)> all{};
    std::size_t n = 0;
    [[maybe_unused]] const auto one = [&](const auto& param) {
        if constexpr (std::remove_cvref_t<decltype(param)>::is_input) all[n++] = param.position;
    };
    (one(p), ...);
    return all;
});

}  // namespace tenon::detail
