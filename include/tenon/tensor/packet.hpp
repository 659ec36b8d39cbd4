// As many elements as a register holds: what elementwise ops are computed in.
//
// Eigen's packets under the operators and names of Eigen's arrays. An op writes `a * b.exp()` as it would of arrays, and it is computed there and
// then, whatever the expression: no type grows, so a hundred ops cost the compiler a hundred inline functions and not as many families of
// expression templates (1.2 MB each).
#pragma once
#include "view.hpp"

#include <array>
#include <cstring>
#include <utility>

namespace tenon {

namespace lanes::native {
#include "doubles.inc"
#include "keep_in_register.inc"
}

/// Elements of T in a register; what counts are multiples of wherever packets are walked over.
template <class T> inline constexpr int packet_width = Eigen::internal::packet_traits<T>::size;

/// `n` elements: as many as some register holds, or 1.
template <class T, int n = packet_width<T>> struct Packet {
    using Scalar = T;
    using P = std::conditional_t<n == 1, T, typename Eigen::internal::find_best_packet<T, n>::type>;
    static constexpr int width = n;
    P bits;

    Packet() {}
    static Packet of(const P& p) {
        Packet x;
        x.bits = p;
        return x;
    }
    explicit Packet(T everywhere) : bits(Eigen::internal::pset1<P>(everywhere)) {}
    static Packet load(const T* x) { return of(Eigen::internal::ploadu<P>(x)); }
    void store(T* y) const { Eigen::internal::pstoreu(y, bits); }
    T sum() const { return Eigen::internal::predux(bits); }
    /// Rounded as if it had been stored: a product that is added to something is not made one operation with it.
    Packet rounded() const {
        Packet x = *this;
        lanes::native::keep_in_register(x.bits);
        return x;
    }

    friend Packet operator+(const Packet& a, const Packet& b) { return of(Eigen::internal::padd(a.bits, b.bits)); }
    friend Packet operator-(const Packet& a, const Packet& b) { return of(Eigen::internal::psub(a.bits, b.bits)); }
    friend Packet operator*(const Packet& a, const Packet& b) { return of(Eigen::internal::pmul(a.bits, b.bits)); }
    friend Packet operator/(const Packet& a, const Packet& b) { return of(Eigen::internal::pdiv(a.bits, b.bits)); }
    friend Packet operator+(const Packet& a, T b) { return a + Packet(b); }
    friend Packet operator-(const Packet& a, T b) { return a - Packet(b); }
    friend Packet operator*(const Packet& a, T b) { return a * Packet(b); }
    friend Packet operator/(const Packet& a, T b) { return a / Packet(b); }
    friend Packet operator+(T a, const Packet& b) { return Packet(a) + b; }
    friend Packet operator-(T a, const Packet& b) { return Packet(a) - b; }
    friend Packet operator*(T a, const Packet& b) { return Packet(a) * b; }
    friend Packet operator/(T a, const Packet& b) { return Packet(a) / b; }
    Packet operator-() const { return of(Eigen::internal::pnegate(bits)); }

    /// A functor of Eigen's kind: by `packetOp` if its `functor_traits` say so, else element by element.
    template <class F> Packet unaryExpr(const F& f) const { return apply(f, bits); }
    template <class F> Packet binaryExpr(const Packet& b, const F& f) const { return apply(f, bits, b.bits); }
    template <class F> Packet ternaryExpr(const Packet& b, const Packet& c, const F& f) const { return apply(f, bits, b.bits, c.bits); }

    Packet abs() const { return unaryExpr(Eigen::internal::scalar_abs_op<T>()); }
    Packet square() const { return *this * *this; }
    Packet inverse() const { return T(1) / *this; }
    Packet sqrt() const { return unaryExpr(Eigen::internal::scalar_sqrt_op<T>()); }
    /// Of doubles by functions of their own: Eigen's exp divides, and its log, which is no inline function, takes denormals for the least normal number.
    Packet exp() const {
        if constexpr (of_doubles) return computed([](auto& v) __attribute__((always_inline)) { lanes::native::exp_double<width * 8>(v); });
        else return unaryExpr(Eigen::internal::scalar_exp_op<T>());
    }
    Packet log() const {
        if constexpr (of_doubles) return computed([](auto& v) __attribute__((always_inline)) { lanes::native::log_double<width * 8>(v); });
        else return unaryExpr(Eigen::internal::scalar_log_op<T>());
    }
    Packet expm1() const { return unaryExpr(Eigen::internal::scalar_expm1_op<T>()); }
    Packet log1p() const { return unaryExpr(Eigen::internal::scalar_log1p_op<T>()); }
    Packet tanh() const { return unaryExpr(Eigen::internal::scalar_tanh_op<T>()); }
    Packet logistic() const { return unaryExpr(Eigen::internal::scalar_logistic_op<T>()); }
    Packet sin() const { return unaryExpr(Eigen::internal::scalar_sin_op<T>()); }
    Packet cos() const { return unaryExpr(Eigen::internal::scalar_cos_op<T>()); }
    Packet floor() const { return unaryExpr(Eigen::internal::scalar_floor_op<T>()); }
    Packet ceil() const { return unaryExpr(Eigen::internal::scalar_ceil_op<T>()); }
    Packet rint() const { return unaryExpr(Eigen::internal::scalar_rint_op<T>()); }
    Packet pow(const Packet& p) const { return binaryExpr(p, Eigen::internal::scalar_pow_op<T, T>()); }
    /// NaN wins.
    Packet max(const Packet& b) const { return binaryExpr(b, Eigen::internal::scalar_max_op<T, T, Eigen::PropagateNaN>()); }
    Packet min(const Packet& b) const { return binaryExpr(b, Eigen::internal::scalar_min_op<T, T, Eigen::PropagateNaN>()); }

private:
    static constexpr bool of_doubles = std::is_same_v<T, double> && n > 1;
    template <class F> [[gnu::always_inline]] Packet computed(const F& f) const {
        typename lanes::native::Doubles<n * sizeof(T)>::type v;
        std::memcpy(&v, &bits, sizeof v);
        f(v);
        Packet y;
        std::memcpy(&y.bits, &v, sizeof v);
        return y;
    }
    template <class F, class... X> static Packet apply(const F& f, const X&... x) {
        if constexpr (width == 1) {
            return of(f(x...));
        } else if constexpr (Eigen::internal::functor_traits<F>::PacketAccess) {
            return of(f.packetOp(x...));
        } else {
            struct Elements {
                alignas(64) T at[width];
                explicit Elements(const P& p) { Eigen::internal::pstoreu(at, p); }
            };
            return [&](const auto&... in) {
                Elements y(P{});
                for (std::int64_t i = 0; i < width; ++i) y.at[i] = f(in.at[i]...);
                return load(y.at);
            }(Elements(x)...);
        }
    }
};

/// Of `n` elements, less than a packet: by halves, since calls of memcpy would cost more than what is done with them.
template <class T> [[gnu::noinline]] void copy_by_halves(T* to, const T* from, std::int64_t n) {
    const auto piece = [&]<int some>(std::integral_constant<int, some>) {
        if constexpr (some < packet_width<T>) {
            if (!(n & some)) return;
            std::memcpy(to, from, some * sizeof(T));
            to += some, from += some;
        }
    };
    static_assert(packet_width<T> <= 32);
    piece(std::integral_constant<int, 16>()), piece(std::integral_constant<int, 8>()), piece(std::integral_constant<int, 4>());
    piece(std::integral_constant<int, 2>()), piece(std::integral_constant<int, 1>());
}
#if defined(__AVX512F__)
template <class T> inline constexpr bool copies_masked = packet_width<T> * sizeof(T) == 64 && sizeof(T) >= 4;
/// The first `n` elements of a register or memory, the others 0 or as they were.
template <class T> __m512i load_first(const T* x, std::int64_t n) {
    const auto first = (1u << n) - 1;
    if constexpr (sizeof(T) == 4) return _mm512_maskz_loadu_epi32(static_cast<__mmask16>(first), x);
    else return _mm512_maskz_loadu_epi64(static_cast<__mmask8>(first), x);
}
template <class T> void store_first(T* y, const __m512i& v, std::int64_t n) {
    const auto first = (1u << n) - 1;
    if constexpr (sizeof(T) == 4) _mm512_mask_storeu_epi32(y, static_cast<__mmask16>(first), v);
    else _mm512_mask_storeu_epi64(y, static_cast<__mmask8>(first), v);
}
#else
template <class T> inline constexpr bool copies_masked = false;
#endif
template <class T> void copy_less(T* to, const T* from, std::int64_t n) {
    if constexpr (copies_masked<T>) store_first(to, load_first(from, n), n);
    else copy_by_halves(to, from, n);
}
/// The same into a packet's memory whose other elements become 0. Read as a packet right after, it is slow to come from pieces.
template <class T> void copy_padded(T* to, const T* from, std::int64_t n) {
    if constexpr (copies_masked<T>) {
        _mm512_storeu_si512(to, load_first(from, n));
    } else {
        Packet<T>(T(0)).store(to);
        copy_by_halves(to, from, n);
    }
}

/// f(x[0].., x[1].., ...) over `count` elements of several tensors, packet by packet; what f makes of the first `written` is stored.
template <std::size_t written, class T, std::size_t n, class F> void update(std::array<T*, n> x, std::int64_t count, F f) {
    constexpr std::int64_t width = packet_width<T>;
    alignas(64) T ends[n][width];
    const auto to = x;
    const std::int64_t left = count % width, whole = count - left;
    for (bool end = false;; end = true) {  // the last elements go through the same loop, in memory as long as a packet
        for (std::int64_t k = 0, last = end ? width : whole; k < last; k += width)
            [&]<std::size_t... I>(std::index_sequence<I...>) {
                std::array<Packet<T>, n> p{Packet<T>::load(x[I] + k)...};
                f(p[I]...);
                ((I < written ? p[I].store(x[I] + k) : void()), ...);
            }(std::make_index_sequence<n>{});
        if (end) for (std::size_t i = 0; i < written; ++i) copy_less(to[i] + whole, ends[i], left);
        if (end || left == 0) return;
        for (std::size_t i = 0; i < n; ++i) {
            copy_padded(ends[i], x[i] + whole, left);
            x[i] = ends[i];
        }
    }
}

}  // namespace tenon
