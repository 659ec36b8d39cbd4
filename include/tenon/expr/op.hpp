// What a type must offer to be an op, and the ways in which a rule meets it.
//
// An op is a small value. Its members are TensorFlow's attributes, and those inputs that TensorFlow wants as constant
// tensors (axes, sizes); `params` lists both, `types` the attributes that say element types. Its shape rule, kernel and
// gradient are told once:
//
//   infer(dims of the data inputs) -> Inferred        constexpr; the compiler, the importer and the planner call it
//   forward(packets) -> packet                        elementwise ops: of registers, written as of Eigen's arrays, so they fuse
//   compute<T>(const Call&)                           all others: a kernel on memory
//   by_rows, sharing                                  how threads share `compute` (Sharing in operation.hpp); elementwise ops need neither
//   gradient(self, g, y, a, b) -> tuple               ops of the same language, one result per data input
//
// `self` in a rule is a Constant<op> where the op is part of a type and a RunTime<O> where it came from a file;
// `call(self.map(f), ...)` applies an op that depends on it either way. The operands live in a *domain*, a place where
// ops can be applied, and results stay there:
//
//   domain     operands            an op applied                                      used by
//   graph      Node, Apply         becomes an Operation, at the latest when named     programs, importers, gradients
//   held       Held<V>             is computed at once in registers                   compiled statements
//   reads      Reads               is the set of inputs that it reads                 plans
//   tape       Traced, Fixed       is computed at once in constant-bound loops        value_and_gradient
#pragma once
#include "../base/dims.hpp"
#include "../base/dtype.hpp"

#include <algorithm>
#include <span>
#include <tuple>
#include <type_traits>

namespace tenon {

struct Operation;

template <class O> concept Op = requires { { O::name } -> std::convertible_to<std::string_view>; };
/// An elementwise op's `forward` maps packets to one, so it fuses.
template <class O> concept ElementwiseOp = Op<O> && requires { requires O::elementwise; };
/// Takes any number of data inputs of one element type; `infer` takes them as a span.
template <class O> concept VariadicOp = Op<O> && requires { requires O::variadic; };

// ---- attributes ------------------------------------------------------------------------------------------

/// How a member of an op appears in a NodeDef: as an attribute, or as an input that is usually a Const.
/// `position` counts among all inputs, from the end if negative.
template <class O, class M> struct Param {
    static constexpr bool is_input = false;
    const char* name;
    M O::*member;
    bool is_shape = false;  ///< of a Dims: shape(...) in the NodeDef, else list(int)
};
template <class O, class M> struct InputParam {
    static constexpr bool is_input = true;
    const char* name;
    M O::*member;
    int position;
};
template <class O, class M> constexpr auto attr(const char* n, M O::*m) { return Param<O, M>{n, m}; }
template <class O> constexpr auto shape_attr(const char* n, Dims O::*m) { return Param<O, Dims>{n, m, true}; }
/// The input `position` of the NodeDef, an int32 or int64 tensor, is this member's value. It is known when a plan is made.
template <class O, class M> constexpr auto const_input(const char* n, M O::*m, int position = -1) { return InputParam<O, M>{n, m, position}; }

/// An attribute that says an element type, or how many inputs there are.
struct TypeAttr {
    enum Of { self, input, output, count, input_list, output_list } of;
    const char* name;
    int index = 0;
};

namespace detail {
inline constexpr std::array default_types{TypeAttr{TypeAttr::self, "T"}};
}

/// Enumerators of an attribute that TensorFlow spells as a string: specialise with `static constexpr std::array names`.
template <class E> struct Spelling;

/// Up to 16 integers: paddings, explicit windows. Structural, unlike a vector.
struct Ints {
    std::array<std::int64_t, 16> value{};
    int count = 0;
    constexpr Ints() = default;
    constexpr Ints(std::initializer_list<std::int64_t> list) {
        for (auto v : list) push(v);
    }
    constexpr void push(std::int64_t v) {
        if (count >= 16) throw ShapeError("at most 16 numbers here");
        value[static_cast<std::size_t>(count++)] = v;
    }
    constexpr std::int64_t operator[](int i) const { return value[static_cast<std::size_t>(i)]; }
    constexpr const std::int64_t* begin() const { return value.data(); }
    constexpr const std::int64_t* end() const { return value.data() + count; }
    constexpr bool operator==(const Ints& o) const { return std::equal(begin(), end(), o.begin(), o.end()); }
};

/// The rows of `params`. A std::tuple of them would cost every program 2 ms per op.
template <class... P> struct Members {
    template <class F, class... Before> static constexpr decltype(auto) unpack(F&& f, const Before&... before) { return f(before...); }
};
template <class P, class... Rest> struct Members<P, Rest...> {
    P first;
    Members<Rest...> rest;
    constexpr explicit Members(const P& p, const Members<Rest...>& r) : first(p), rest(r) {}
    constexpr explicit Members(const P& p, const Rest&... r) : first(p), rest(r...) {}
    template <class F, class... Before> constexpr decltype(auto) unpack(F&& f, const Before&... before) const { return rest.unpack(f, before..., first); }
};
template <class P, class... Rest> constexpr auto members(const P& p, const Rest&... rest) { return Members<P, Rest...>(p, rest...); }
/// The same before the rows of another op.
template <class P, class... Rest> constexpr auto members(const P& p, const Members<Rest...>& rest) { return Members<P, Rest...>(p, rest); }

template <class O> constexpr auto params_of() {
    if constexpr (requires { O::template params<>; }) return O::template params<>;
    else return Members<>();
}
/// std::apply with fewer instantiation levels per call.
template <class Tuple, class F> constexpr decltype(auto) unpack(Tuple&& t, F&& f) {
    if constexpr (requires { t.rest; }) return t.unpack(f);
    else if constexpr (std::is_same_v<std::remove_cvref_t<Tuple>, Members<>>) return f();
    else return [&]<std::size_t... I>(std::index_sequence<I...>) -> decltype(auto) {
        return f(std::get<I>(t)...);
    }(std::make_index_sequence<std::tuple_size_v<std::remove_cvref_t<Tuple>>>{});
}
namespace detail {
template <class P> inline constexpr int is_input_param = std::remove_cvref_t<P>::is_input;
}
/// Inputs of the NodeDef that are members of the op.
template <class O> inline constexpr int const_inputs_of = unpack(params_of<O>(), [](const auto&... p) { return (0 + ... + detail::is_input_param<decltype(p)>); });
template <class O> constexpr int arity_of() {
    if constexpr (VariadicOp<O>) return -1;
    else return O::arity;
}

// ---- self --------------------------------------------------------------------------------------------------

template <auto op> struct Constant {
    using type = std::remove_const_t<decltype(op)>;
    constexpr auto operator()() const { return op; }
    template <class F> constexpr auto map(F) const { return Constant<F{}(op)>{}; }
    /// Of yes(x...) and no(x...) only what is chosen is compiled: the other's shapes need not fit.
    template <class Ask, class Yes, class No, class... X> constexpr auto choose(Ask, Yes yes, No no, const X&... x) const {
        if constexpr (Ask{}(op)) return yes(x...);
        else return no(x...);
    }
};
template <class O> struct RunTime {
    using type = O;
    O op;
    const Operation* at = nullptr;  ///< whose rule is being told
    bool complete = true;           ///< false if a member that is an input is not known yet
    constexpr auto operator()() const { return op; }
    template <class F> constexpr auto map(F f) const { return RunTime<decltype(f(op))>{f(op)}; }
    template <class Ask, class Yes, class No, class... X> constexpr auto choose(Ask ask, Yes yes, No no, const X&... x) const { return ask(op) ? yes(x...) : no(x...); }
};
/// What a rule returns for an input that receives nothing.
struct no_gradient {};

template <class X> using domain_of = typename std::remove_cvref_t<X>::domain;
template <class X> concept Operand = requires { typename domain_of<X>; };

// ---- element types --------------------------------------------------------------------------------------------

/// The result's element type for inputs of type T; T itself unless the op says otherwise (comparisons: bool).
template <class O, class T> struct result_of { using type = T; };
template <class O, class T> requires requires { typename O::template result<T>; } struct result_of<O, T> { using type = typename O::template result<T>; };
template <class O, class T> using result_t = typename result_of<O, T>::type;

/// Which data input gives the op its element type.
template <class O> constexpr std::size_t typed_by() {
    if constexpr (requires { O::type_input; }) return O::type_input;
    else return 0;
}

// ---- the op's verdict on shapes, as a type so that the compiler prints it ----------------------------------------

template <std::size_t N> struct Text {
    char text[N]{};
    constexpr Text() = default;
    constexpr Text(const char (&s)[N]) { std::copy_n(s, N, text); }
};
template <class S> struct accepted {
    static constexpr bool shapes_fit = true;
    using shape = S;
};
template <Text reason> struct rejected {
    static constexpr bool shapes_fit = false;
    using shape = Unranked;
};

namespace detail {
template <class O> constexpr Inferred infer_all(const O& op, std::span<const Dims> in) {
    if constexpr (VariadicOp<O>) {
        return op.infer(in);
    } else {
        return [&]<std::size_t... I>(std::index_sequence<I...>) { return op.infer(in[I]...); }(std::make_index_sequence<static_cast<std::size_t>(O::arity)>{});
    }
}
template <auto op, class... S> consteval auto judge() {
    if constexpr ((std::is_same_v<S, Unranked> || ...)) {
        return accepted<Unranked>{};
    } else {
        constexpr Inferred r = [] {
            const std::array<Dims, sizeof...(S)> in{S::dims...};
            return infer_all(op, in);
        }();
        if constexpr (r.ok()) {
            return accepted<typename shape_from<r.dims[0]>::type>{};
        } else {
            constexpr auto text = [](const Reason& why) {
                Text<r.why.length + 1> t;
                for (std::size_t i = 0; i < why.length; ++i) t.text[i] = why.text[i];
                return t;
            }(r.why);
            return rejected<text>{};
        }
    }
}
}  // namespace detail
template <auto op, class... X> using verdict = decltype(detail::judge<op, typename std::remove_cvref_t<X>::shape...>());
template <class Verdict> concept shapes_fit = Verdict::shapes_fit;
template <auto op, class... X> concept accepts = shapes_fit<verdict<op, X...>>;

/// Applies an op in the domain of its operands. The one place where a misfit stops the compiler: the sentence stands in
/// `rejected<...>`. What follows sees an Unranked result, so that one mistake is one message.
template <auto op, Operand... X> auto call(Constant<op> self, X&&... x) {
    static_assert(shapes_fit<verdict<op, X...>>, "tenon: shapes do not fit, for the reason in rejected<...>");
    return domain_of<std::tuple_element_t<0, std::tuple<X...>>>::call(self, std::forward<X>(x)...);
}
template <class O, Operand X, Operand... Rest> auto call(RunTime<O> self, X&& x, Rest&&... rest) {
    return domain_of<X>::call(self, std::forward<X>(x), std::forward<Rest>(rest)...);
}

}  // namespace tenon
