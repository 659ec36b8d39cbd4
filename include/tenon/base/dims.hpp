// Extents as a value (`Dims`) and as a type (`Shape`), and the sentence in which a shape rule refuses (`Reason`).
// Everything here is constexpr: the compiler, the importer and the planner call the same functions.
#pragma once
#include "error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace tenon {

inline constexpr std::int64_t dyn = -1;  ///< an extent that is known when a plan is made
inline constexpr int max_rank = 8;       ///< TensorFlow's kernels go no further either

/// The extents of a tensor, each a number or `dyn`; or nothing at all is known (`unranked()`).
///
/// Axes count from the end if negative, as in NumPy. Structural, so that a shape can be part of a type.
struct Dims {
    std::array<std::int64_t, max_rank> extent{};
    int rank = 0;

    constexpr Dims() = default;
    constexpr Dims(std::initializer_list<std::int64_t> list) {
        for (auto e : list) push(e);
    }
    static constexpr Dims unranked() {
        Dims d;
        d.rank = -1;
        return d;
    }
    /// `rank` extents, each `e`.
    static constexpr Dims filled(int rank, std::int64_t e) {
        Dims d;
        for (int i = 0; i < rank; ++i) d.push(e);
        return d;
    }
    constexpr bool ranked() const { return rank >= 0; }
    constexpr void push(std::int64_t e) {
        if (rank >= max_rank) throw ShapeError("tensors have at most 8 axes");
        extent[static_cast<std::size_t>(rank++)] = e;
    }
    constexpr std::int64_t operator[](int axis) const { return extent[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)]; }
    constexpr std::int64_t& operator[](int axis) { return extent[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)]; }
    constexpr const std::int64_t* begin() const { return extent.data(); }
    constexpr const std::int64_t* end() const { return extent.data() + (rank < 0 ? 0 : rank); }
    /// Elements; `dyn` if an extent is not known and none is 0.
    constexpr std::int64_t size() const {
        std::int64_t n = 1;
        bool open = rank < 0;
        for (auto e : *this) {
            if (e == 0) return 0;
            if (e == dyn) open = true;
            else n *= e;
        }
        return open ? dyn : n;
    }
    constexpr bool known() const {
        if (rank < 0) return false;
        for (auto e : *this) if (e == dyn) return false;
        return true;
    }
    constexpr bool operator==(const Dims& d) const {
        if (rank != d.rank) return false;
        for (int i = 0; i < rank; ++i) if ((*this)[i] != d[i]) return false;
        return true;
    }
};

template <std::int64_t... N> struct Shape {
    static constexpr Dims dims{N...};
    static constexpr int rank = int(sizeof...(N));
    static constexpr std::int64_t extent(int axis) { return dims[axis]; }
    static constexpr std::array<std::int64_t, sizeof...(N)> as_list() { return {N...}; }
};
/// The shape of a tensor of which nothing is known at compile time.
struct Unranked {
    static constexpr Dims dims = Dims::unranked();
};

namespace detail {
template <Dims D, class = std::make_index_sequence<static_cast<std::size_t>(D.rank < 0 ? 0 : D.rank)>> struct shape_from;
template <Dims D, std::size_t... I> struct shape_from<D, std::index_sequence<I...>> { using type = Shape<D.extent[I]...>; };
template <Dims D> requires(D.rank < 0) struct shape_from<D, std::index_sequence<>> { using type = Unranked; };
}  // namespace detail

/// A sentence built at compile time or at run time; what does not fit is cut.
///
/// This and what else shape rules call is never inlined: every op has a rule, and none is in a hurry.
struct Reason {
    char text[256]{};
    std::size_t length = 0;

    [[gnu::noinline]] constexpr Reason& operator<<(std::string_view s) {
        for (char c : s) if (length + 1 < sizeof text) text[length++] = c;
        return *this;
    }
    [[gnu::noinline]] constexpr Reason& operator<<(std::int64_t v) {
        if (v < 0) *this << "-";
        char digits[20]{};
        std::size_t n = 0;
        for (std::uint64_t u = v < 0 ? 0 - static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v); u || n == 0; u /= 10) digits[n++] = static_cast<char>('0' + u % 10);
        while (n) *this << std::string_view(&digits[--n], 1);
        return *this;
    }
    constexpr Reason& operator<<(int v) { return *this << std::int64_t{v}; }
    [[gnu::noinline]] constexpr Reason& operator<<(const Dims& d) {
        if (!d.ranked()) return *this << "[...]";
        *this << "[";
        for (int i = 0; i < d.rank; ++i) {
            if (i) *this << ",";
            if (d[i] == dyn) *this << "dyn";
            else *this << d[i];
        }
        return *this << "]";
    }
    constexpr std::string_view view() const { return {text, length}; }
};
inline std::string to_string(const Dims& d) { return std::string((Reason{} << d).view()); }

/// The answer of a shape rule: the result's extents, or why not. Ops with several outputs answer with several.
struct Inferred {
    static constexpr std::size_t most = 6;
    std::array<Dims, most> dims{};
    std::size_t count = 1;
    Reason why;

    [[gnu::noinline]] constexpr Inferred(const Dims& y) : dims{y} {}
    [[gnu::noinline]] constexpr Inferred(std::initializer_list<Dims> each) : count(0) {
        for (const auto& d : each) dims[count++] = d;
    }
    [[gnu::noinline]] constexpr Inferred(const Reason& r) : why(r) {}
    constexpr bool ok() const { return why.length == 0; }
};
/// A part of a sentence. One type for all of them: a template of `reject` for every length of every literal was a sixth of what the ops cost to include.
struct Said {
    std::string_view text{};
    const Dims* dims = nullptr;
    std::int64_t number = 0;
    bool is_number = false;
    constexpr Said() = default;
    constexpr Said(const char* t) : text(t) {}
    constexpr Said(std::string_view t) : text(t) {}
    constexpr Said(const Dims& d) : dims(&d) {}
    constexpr Said(std::int64_t n) : number(n), is_number(true) {}
    constexpr Said(int n) : Said(std::int64_t{n}) {}
};
/// What is not said: an object for all calls, since each would make its own of a default argument.
inline constexpr Said unsaid{};
/// `return reject("[MatMul] inner extents differ: ", a, " x ", b);`
[[gnu::noinline]] constexpr Inferred reject(const Said& a, const Said& b = unsaid, const Said& c = unsaid, const Said& d = unsaid, const Said& e = unsaid, const Said& f = unsaid, const Said& g = unsaid,
                                            const Said& h = unsaid, const Said& i = unsaid, const Said& j = unsaid, const Said& k = unsaid, const Said& l = unsaid) {
    Reason r;
    for (const Said* part : {&a, &b, &c, &d, &e, &f, &g, &h, &i, &j, &k, &l}) {
        if (part->dims) r << *part->dims;
        else if (part->is_number) r << part->number;
        else r << part->text;
    }
    return r;
}

/// What two statements about one extent come to; `fit` becomes false if they contradict.
constexpr std::int64_t merge(std::int64_t a, std::int64_t b, bool& fit) {
    if (a == dyn) return b;
    if (b != dyn && a != b) fit = false;
    return a;
}
/// The same for whole shapes.
[[gnu::noinline]] constexpr Dims merge(const Dims& a, const Dims& b, bool& fit) {
    if (!a.ranked()) return b;
    if (!b.ranked()) return a;
    if (a.rank != b.rank) { fit = false; return a; }
    Dims y = a;
    for (int i = 0; i < a.rank; ++i) y[i] = merge(a[i], b[i], fit);
    return y;
}
constexpr bool compatible(const Dims& a, const Dims& b) {
    bool fit = true;
    merge(a, b, fit);
    return fit;
}

/// One extent after NumPy broadcasting.
constexpr std::int64_t broadcast(std::int64_t a, std::int64_t b, bool& fit) {
    if (a == b || b == 1) return a;
    if (a == 1 || a == dyn) return b;
    fit &= b == dyn;
    return a;
}
[[gnu::noinline]] constexpr Inferred broadcast(std::string_view op, const Dims& a, const Dims& b) {
    if (!a.ranked() || !b.ranked()) return Dims::unranked();
    const Dims &l = a.rank < b.rank ? b : a, &s = a.rank < b.rank ? a : b;
    Dims y = l;
    bool fit = true;
    for (int i = 1; i <= s.rank; ++i) y[-i] = broadcast(l[-i], s[-i], fit);
    if (!fit) return reject("[", op, "] shapes do not broadcast: ", a, " and ", b);
    return y;
}

}  // namespace tenon
