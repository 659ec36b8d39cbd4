// Describe once: a message is a plain struct with one table of its fields, and every codec (proto.hpp, json.hpp,
// text.hpp) walks that table. Adding a field is one row.
//
//     struct VersionDef {
//         std::int32_t producer = 0, min_consumer = 0;
//         std::vector<std::int32_t> bad_consumers{};
//         Unknown unknown{};
//         static constexpr auto table() {
//             return message("tensorflow.VersionDef", field<&VersionDef::producer>(1, "producer"), field<&VersionDef::min_consumer>(2, "min_consumer"),
//                            field<&VersionDef::bad_consumers>(3, "bad_consumers"));
//         }
//     };
//
// The member's type says what the field is:
//
//     std::int32_t, std::int64_t, std::uint32_t, std::uint64_t, bool, an enum over std::int32_t     varints
//     float, double; fixed<&M::crc>(..) for std::uint32_t or std::uint64_t of fixed width           4 or 8 bytes
//     std::string                                  UTF-8; bytes<&M::content>(..) holds any bytes
//     a struct with a table                        written always
//     std::optional<X>, Box<X>                     has presence: written when set, at its default value too; Box allocates and may be recursive
//     std::vector<X>                               repeated (bool as std::uint8_t); numbers are written packed and read in both forms
//     Map<X>                                       map<string, X>, in the order of the keys
//     .oneof()                                     setting one of these members clears the others
//
// Codecs see rows, not types: they are plain functions, compiled once, however many messages there are.
#pragma once
#include "../base/dtype.hpp"
#include "members.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace tenon::proto {

enum class Kind : std::uint8_t { int32, int64, uint32, uint64, fixed32, fixed64, boolean, enumeration, float32, float64, string, bytes, message };
enum class Presence : std::uint8_t {
    implicit,  ///< written unless 0, false or empty
    always,    ///< a map's key and value, a message held by value
    set,       ///< written when set
    repeated,
    map,       ///< repeated messages {key, value}, sorted
};

struct EnumRow {
    std::int32_t number;
    std::string_view name;
};
struct Elements {
    const std::byte* first;
    std::size_t count;
};
/// How codecs reach the elements of a member, whatever holds them: one constant per type of member.
struct Access {
    std::size_t stride;
    Elements (*view)(const void* member);
    void* (*add)(void* member, std::size_t n);  ///< n more elements, or the one there can be
    void (*clear)(void* member);
    void (*settle)(void* member);
};
struct Message;
/// A row of a message's table.
struct Field {
    std::int32_t number;
    Kind kind;
    Presence presence;
    bool in_oneof = false;
    std::string_view name;
    void* (*member)(const void* message);
    const Access* access;
    const Message& (*message)() = nullptr;            ///< of Kind::message
    std::span<const EnumRow> (*enumerators)() = nullptr;  ///< of Kind::enumeration

    constexpr Field oneof() const {
        Field f = *this;
        f.in_oneof = true;
        return f;
    }
    Elements elements(const void* of) const { return access->view(member(of)); }
};
struct Message {
    std::string_view name;  ///< with its package
    std::span<const Field> fields;  ///< by number
    Unknown* (*unknown)(const void* message);

    /// The field `number`, or null. Numbers mostly have no gaps, so that the number itself says where the row is.
    const Field* find(std::uint32_t number) const {
        if (fields.empty()) return nullptr;
        const auto guess = number - static_cast<std::uint32_t>(fields[0].number);
        if (guess < fields.size() && static_cast<std::uint32_t>(fields[guess].number) == number) return &fields[guess];
        for (const auto& f : fields) if (static_cast<std::uint32_t>(f.number) == number) return &f;
        return nullptr;
    }
    /// Clears the members that exclude `chosen`.
    void choose(void* message, const Field& chosen) const {
        for (const auto& f : fields) if (f.in_oneof && &f != &chosen) f.access->clear(f.member(message));
    }
};

template <class M> const Message& message_of();

/// DT_FLOAT, DT_FLOAT_REF and so on.
inline std::span<const EnumRow> enumerators(DType) {
    struct Text { char text[32]{}; };
    static constexpr auto texts = [] {
        std::array<Text, 2 * dtype_rows.size()> all{};
        for (std::size_t i = 0; i < all.size(); ++i) {
            std::size_t n = 0;
            for (const auto part : {std::string_view("DT_"), dtype_rows[i / 2].proto, std::string_view(i % 2 ? "_REF" : "")})
                for (const char c : part) all[i].text[n++] = c;
        }
        return all;
    }();
    static constexpr auto rows = [] {
        std::array<EnumRow, texts.size() - 1> all{};  // there is no DT_INVALID_REF
        for (std::size_t i = 0, n = 0; i < texts.size(); ++i)
            if (i != 1) all[n++] = {static_cast<std::int32_t>(dtype_rows[i / 2].dtype) + (i % 2 ? 100 : 0), texts[i].text};
        return all;
    }();
    return rows;
}

namespace detail {
/// What a member holds, and how many of it.
template <class T> struct Holder {
    using element = T;
    static constexpr Presence presence = std::is_class_v<T> && !std::is_same_v<T, std::string> ? Presence::always : Presence::implicit;
    static Elements view(const T& m) { return {reinterpret_cast<const std::byte*>(&m), 1}; }
    static void* add(T& m, std::size_t) { return &m; }
    static void clear(T& m) { m = T{}; }
};
template <class T, class Optional> struct OptionalHolder {
    using element = T;
    static constexpr Presence presence = Presence::set;
    static Elements view(const Optional& m) { return m ? Elements{reinterpret_cast<const std::byte*>(&*m), 1} : Elements{nullptr, 0}; }
    static void* add(Optional& m, std::size_t) {
        if (!m) m.emplace();
        return &*m;
    }
    static void clear(Optional& m) { m.reset(); }
};
template <class T> struct Holder<std::optional<T>> : OptionalHolder<T, std::optional<T>> {};
template <class T> struct Holder<Box<T>> : OptionalHolder<T, Box<T>> {};
template <class T> struct Holder<std::vector<T>> {
    static_assert(!std::is_same_v<T, bool>, "a repeated bool is a vector of std::uint8_t");
    using element = T;
    static constexpr Presence presence = Presence::repeated;
    static Elements view(const std::vector<T>& m) { return {reinterpret_cast<const std::byte*>(m.data()), m.size()}; }
    static void* add(std::vector<T>& m, std::size_t n) {
        m.resize(m.size() + n);
        return m.data() + (m.size() - n);
    }
    static void clear(std::vector<T>& m) { m.clear(); }
};
template <class V, class K> struct Holder<Map<V, K>> {
    using element = typename Map<V, K>::Entry;
    using Entries = Holder<std::vector<element>>;
    static constexpr Presence presence = Presence::map;
    static Elements view(const Map<V, K>& m) { return Entries::view(m.entries()); }
    static void* add(Map<V, K>& m, std::size_t n) { return Entries::add(m.entries(), n); }
    static void clear(Map<V, K>& m) { m.entries().clear(); }
};

template <class T> Elements view_of(const void* m) { return Holder<T>::view(*static_cast<const T*>(m)); }
template <class T> void* add_to(void* m, std::size_t n) { return Holder<T>::add(*static_cast<T*>(m), n); }
template <class T> void clear(void* m) { Holder<T>::clear(*static_cast<T*>(m)); }
template <class T> void settle(void* m) {
    if constexpr (requires(T& t) { t.settle(); }) static_cast<T*>(m)->settle();
}
template <class T> inline constexpr Access access{sizeof(typename Holder<T>::element), view_of<T>, add_to<T>, clear<T>, settle<T>};

template <class E> constexpr Kind kind_of() {
    if constexpr (std::is_same_v<E, std::int32_t>) return Kind::int32;
    else if constexpr (std::is_same_v<E, std::int64_t>) return Kind::int64;
    else if constexpr (std::is_same_v<E, std::uint32_t>) return Kind::uint32;
    else if constexpr (std::is_same_v<E, std::uint64_t>) return Kind::uint64;
    else if constexpr (std::is_same_v<E, bool> || std::is_same_v<E, std::uint8_t>) return Kind::boolean;
    else if constexpr (std::is_same_v<E, float>) return Kind::float32;
    else if constexpr (std::is_same_v<E, double>) return Kind::float64;
    else if constexpr (std::is_same_v<E, std::string>) return Kind::string;
    else if constexpr (std::is_enum_v<E>) {
        static_assert(std::is_same_v<std::underlying_type_t<E>, std::int32_t>, "an enum of a message is an enum over std::int32_t");
        return Kind::enumeration;
    } else return Kind::message;
}
template <class E> std::span<const EnumRow> enumerators_of() { return enumerators(E{}); }

template <class P> struct Pointee;
template <class M, class T> struct Pointee<T M::*> {
    using message = M;
    using member = T;
};
template <auto P> void* member_of(const void* message) {
    using M = typename Pointee<decltype(P)>::message;
    return &(const_cast<M*>(static_cast<const M*>(message))->*P);
}
template <class M> Unknown* unknown_of(const void* message) {
    if constexpr (requires(M& m) { m.unknown; }) return &const_cast<M*>(static_cast<const M*>(message))->unknown;
    else return nullptr;
}
template <class M> inline constexpr auto rows = M::table();

template <std::size_t N> struct Rows {
    std::string_view name;
    std::array<Field, N> fields;
};
}  // namespace detail

/// A row: the member `P` is field `number`.
template <auto P> constexpr Field field(std::int32_t number, std::string_view name) {
    using T = typename detail::Pointee<decltype(P)>::member;
    using E = typename detail::Holder<T>::element;
    Field f{number, detail::kind_of<E>(), detail::Holder<T>::presence, false, name, detail::member_of<P>, &detail::access<T>};
    if constexpr (detail::kind_of<E>() == Kind::message) f.message = &message_of<E>;
    if constexpr (detail::kind_of<E>() == Kind::enumeration) f.enumerators = &detail::enumerators_of<E>;
    return f;
}
/// A std::string that need not be text.
template <auto P> constexpr Field bytes(std::int32_t number, std::string_view name) {
    Field f = field<P>(number, name);
    f.kind = Kind::bytes;
    return f;
}
/// An unsigned number of fixed width.
template <auto P> constexpr Field fixed(std::int32_t number, std::string_view name) {
    Field f = field<P>(number, name);
    f.kind = f.kind == Kind::uint64 ? Kind::fixed64 : Kind::fixed32;
    return f;
}
/// The table: the message's full name and its rows, in the order of their numbers.
template <class... Row> constexpr auto message(std::string_view name, const Row&... row) { return detail::Rows<sizeof...(Row)>{name, {row...}}; }

template <class M> const Message& message_of() {
    static_assert([] {
        for (std::size_t i = 1; i < detail::rows<M>.fields.size(); ++i) if (detail::rows<M>.fields[i - 1].number >= detail::rows<M>.fields[i].number) return false;
        return true;
    }(), "rows stand in the order of their numbers");
    static constexpr Message m{detail::rows<M>.name, detail::rows<M>.fields, detail::unknown_of<M>};
    return m;
}

namespace detail {
/// Found while compiling: a linker may fold functions that do the same, and then they have one address.
template <auto P> consteval std::size_t row_of() {
    const auto& fields = rows<typename Pointee<decltype(P)>::message>.fields;
    std::size_t row = 0;
    while (fields[row].member != &member_of<P>) ++row;
    return row;
}
}  // namespace detail
/// The row of the field that is the member `P`.
template <auto P> const Field& field_of() { return message_of<typename detail::Pointee<decltype(P)>::message>().fields[detail::row_of<P>()]; }
/// Its number.
template <auto P> consteval std::uint32_t number_of() { return static_cast<std::uint32_t>(detail::rows<typename detail::Pointee<decltype(P)>::message>.fields[detail::row_of<P>()].number); }

template <class V, class K> constexpr auto Map<V, K>::Entry::table() {
    Field key = field<&Entry::key>(1, "key"), value = field<&Entry::value>(2, "value");
    key.presence = value.presence = Presence::always;
    return proto::message("map entry", key, value);
}

}  // namespace tenon::proto
