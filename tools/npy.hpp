// NumPy's `.npy` files and tensors.
//
//     \x93NUMPY   major, minor   length of the header, 2 bytes (version 1) or 4 (2, 3), little endian
//     {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   spaces, so that the elements begin at a multiple of 64, and a line's end
//     the elements, in C order, or Fortran's
//
// Source    numpy/lib/format.py
#pragma once
#include <tenon/base/sentence.hpp>
#include <tenon/io/file.hpp>
#include <tenon/io/utf8.hpp>
#include <tenon/tensor/tensor.hpp>
#include <tenon/tensor/view.hpp>

#include <bit>
#include <charconv>
#include <optional>

namespace tenon::npy {

namespace detail {

inline constexpr std::string_view magic = "\x93NUMPY";

/// NumPy's letters of a dtype: kind and bytes of an element. Quantised and 4-bit integers are plain ones to NumPy, which has no bfloat16.
struct Letters {
    DType dtype;
    char kind;
    std::size_t bytes;
};
inline constexpr Letters letters[]{
    {DType::boolean, 'b', 1}, {DType::int8, 'i', 1}, {DType::int16, 'i', 2}, {DType::int32, 'i', 4}, {DType::int64, 'i', 8},
    {DType::uint8, 'u', 1}, {DType::uint16, 'u', 2}, {DType::uint32, 'u', 4}, {DType::uint64, 'u', 8},
    {DType::half, 'f', 2}, {DType::float32, 'f', 4}, {DType::float64, 'f', 8}, {DType::complex64, 'c', 8}, {DType::complex128, 'c', 16},
    {DType::qint8, 'i', 1}, {DType::quint8, 'u', 1}, {DType::qint16, 'i', 2}, {DType::quint16, 'u', 2}, {DType::qint32, 'i', 4},
    {DType::int4, 'i', 1}, {DType::uint4, 'u', 1}, {DType::int2, 'i', 1}, {DType::uint2, 'u', 1}};

struct Header {
    std::string descr;
    bool fortran_order = false;
    Extents shape;
};

/// Reads the one kind of Python dictionary that is in a header.
class HeaderReader {
    std::string_view text_;
    const std::string& path_;

    [[noreturn]] void fail(const std::string& what) const { throw FormatError(path_ + ": not a NumPy header: " + what); }
    void space() { text_.remove_prefix(std::min(text_.find_first_not_of(" \n"), text_.size())); }
    bool accept(char c) {
        space();
        if (text_.empty() || text_[0] != c) return false;
        text_.remove_prefix(1);
        return true;
    }
    void expect(char c) {
        if (!accept(c)) fail(std::string("'") + c + "' is expected");
    }
    std::string quoted() {
        space();
        const char quote = text_.empty() ? '\0' : text_[0];
        const auto end = quote == '\'' || quote == '"' ? text_.find(quote, 1) : text_.npos;
        if (end == text_.npos) fail("a name in quotes is expected");
        std::string s(text_.substr(1, end - 1));
        text_.remove_prefix(end + 1);
        return s;
    }
    bool truth() {
        space();
        for (const std::string_view word : {"True", "False"})
            if (text_.starts_with(word)) {
                text_.remove_prefix(word.size());
                return word == "True";
            }
        fail("True or False is expected");
    }
    std::int64_t number() {
        space();
        std::int64_t n = 0;
        const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), n);
        if (error != std::errc() || n < 0) fail("an extent is expected");
        text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
        accept('L');  // Python 2's
        return n;
    }
    Extents tuple() {
        Extents all;
        for (expect('('); !accept(')'); ) {
            all.push_back(number());
            if (!accept(',')) {
                expect(')');
                break;
            }
        }
        return all;
    }

public:
    HeaderReader(std::string_view text, const std::string& path) : text_(text), path_(path) {}
    Header read() {
        Header h;
        unsigned seen = 0;
        for (expect('{'); !accept('}'); ) {
            const auto key = quoted();
            expect(':');
            unsigned bit = 0;
            if (key == "descr") {
                if (accept('[')) throw UnsupportedError(path_ + ": elements of several fields cannot be read");
                bit = 1, h.descr = quoted();
            } else if (key == "fortran_order") bit = 2, h.fortran_order = truth();
            else if (key == "shape") bit = 4, h.shape = tuple();
            else fail("'" + key + "' means nothing");
            if (seen & bit) fail("'" + key + "' stands twice");
            seen |= bit;
            if (!accept(',')) {
                expect('}');
                break;
            }
        }
        space();
        if (!text_.empty()) fail("there is more text behind it");
        if (seen != 7) fail("it needs descr, fortran_order and shape");
        return h;
    }
};

inline void swap_each(std::byte* p, std::size_t bytes, std::size_t unit) {
    for (std::size_t at = 0; at + unit <= bytes; at += unit) std::reverse(p + at, p + at + unit);
}
/// S: bytes, zeros behind them dropped; U: UTF-32, as UTF-8.
inline std::string text_of(const std::byte* p, std::size_t bytes, char kind, bool swapped, const std::string& path) {
    if (kind == 'S') {
        std::string s(reinterpret_cast<const char*>(p), bytes);
        s.resize(s.find_last_not_of('\0') + 1);
        return s;
    }
    std::string s;
    std::size_t zeros = 0;
    for (std::size_t at = 0; at < bytes; at += 4) {
        std::uint32_t c = 0;
        std::memcpy(&c, p + at, 4);
        if (swapped) c = __builtin_bswap32(c);
        if (c == 0) {
            ++zeros;
            continue;
        }
        s.append(std::exchange(zeros, 0), '\0');
        if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) throw FormatError(path + ": " + std::to_string(c) + " is no character");
        put_utf8(s, c);
    }
    return s;
}
/// Calls at(i in C order, i in Fortran's order) for each element.
template <class At> void each_fortran(const Dims& dims, At at) {
    Dims stride = dims, index = Dims::filled(dims.rank, 0);
    std::int64_t n = 1;
    for (int i = 0; i < dims.rank; ++i) stride[i] = n, n *= dims[i];
    for (std::int64_t c = 0, f = 0; c < n; ++c) {
        at(static_cast<std::size_t>(c), static_cast<std::size_t>(f));
        for (int i = dims.rank - 1; i >= 0; --i) {
            f += stride[i];
            if (++index[i] < dims[i]) break;
            f -= stride[i] * dims[i];
            index[i] = 0;
        }
    }
}

}  // namespace detail

/// The tensor in the bytes of a `.npy` file of version 1, 2 or 3; `path` says in errors where they are from.
///
/// Values    bool, integers, half to float64, complex numbers, of either byte order; S and U as strings, U in UTF-8
/// Errors    FormatError, CorruptError if there are not just the bytes that the header tells; UnsupportedError for objects, dates, several
///           fields; ShapeError for more than 8 axes
inline Tensor decode(std::string_view bytes, const std::string& path) {
    if (!bytes.starts_with(detail::magic) || bytes.size() < 10) throw FormatError(path + ": not a NumPy file: it does not begin with \\x93NUMPY");
    const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
    const auto version = byte(6);
    if (version < 1 || version > 3) throw FormatError(sentence(path, ": a NumPy file of version ", version, "; 1 to 3 can be read"));
    const std::size_t start = version == 1 ? 10 : 12;
    if (bytes.size() < start) throw CorruptError(path + ": the file ends in its header");
    const auto length = version == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
    if (length > bytes.size() - start) throw CorruptError(sentence(path, ": a header of ", length, " bytes, the file has ", bytes.size() - start));
    const auto header = detail::HeaderReader(bytes.substr(start, length), path).read();
    const auto rest = bytes.substr(start + length);

    const auto refused = [&] { return UnsupportedError(path + ": elements of NumPy's type '" + header.descr + "' cannot be read"); };
    std::string_view descr = header.descr;
    bool swapped = false;
    if (!descr.empty() && std::string_view("<>=|").find(descr[0]) != std::string_view::npos) {
        swapped = std::endian::native == std::endian::little ? descr[0] == '>' : descr[0] == '<';
        descr.remove_prefix(1);
    }
    std::size_t width = 0;
    if (descr.size() < 2) throw refused();
    const char kind = descr[0];
    const auto [end, error] = std::from_chars(descr.data() + 1, descr.data() + descr.size(), width);
    if (error != std::errc() || end != descr.data() + descr.size()) throw refused();
    auto dtype = DType::invalid;
    if (kind == 'S' || kind == 'U') dtype = DType::string, width *= kind == 'U' ? 4 : 1;
    else for (const auto& l : detail::letters) if (l.kind == kind && l.bytes == width && dtype == DType::invalid) dtype = l.dtype;
    if (dtype == DType::invalid) throw refused();

    if (header.shape.size() > std::size_t{max_rank}) throw ShapeError(sentence(path, ": tensors have at most 8 axes, this one has ", header.shape.size()));
    Dims dims;
    bool empty = false, fits = true;
    std::size_t n = 1, size = 0;
    for (const auto e : header.shape) dims.push(e), empty |= e == 0;
    if (empty) n = 0;
    else for (const auto e : header.shape) fits = fits && !__builtin_mul_overflow(n, static_cast<std::size_t>(e), &n);
    if (!fits || __builtin_mul_overflow(n, width, &size) || size != rest.size())
        throw CorruptError(sentence(path, ": ", rest.size(), " bytes are not ", dims, " elements of '", header.descr, "'"));
    // elements without bytes cost memory that no file has to have
    if (width == 0 && n > bytes.size()) throw CorruptError(sentence(path, ": ", dims, " elements without a byte"));

    Tensor t(dtype, dims);
    const auto* from = reinterpret_cast<const std::byte*>(rest.data());
    const auto in_c_order = [&](auto copy) {
        if (header.fortran_order && dims.rank > 1) detail::each_fortran(dims, copy);
        else for (std::size_t i = 0; i < n; ++i) copy(i, i);
    };
    if (dtype == DType::string) {
        auto* const to = t.data<std::string>();
        in_c_order([&](std::size_t c, std::size_t f) { to[c] = detail::text_of(from + f * width, width, kind, swapped, path); });
        return t;
    }
    if (header.fortran_order && dims.rank > 1) in_c_order([&](std::size_t c, std::size_t f) { std::memcpy(t.raw() + c * width, from + f * width, width); });
    else if (size) std::memcpy(t.raw(), from, size);
    if (swapped) detail::swap_each(t.raw(), size, kind == 'c' ? width / 2 : width);
    if (dtype == DType::boolean)
        for (std::size_t i = 0; i < size; ++i) t.raw()[i] = static_cast<std::byte>(t.raw()[i] != std::byte{0});
    return t;
}
inline Tensor read(const std::string& path) { return decode(read_file(path), path); }

/// What NumPy will take elements of type `t` for, if it has no such type itself: bfloat16 is written as float32, exactly.
inline std::optional<std::string_view> written_as(DType t) {
    if (t == DType::bfloat16) return "float32";
    for (const auto& l : detail::letters)
        if (l.dtype == t)
            for (const auto& plain : detail::letters)
                if (plain.kind == l.kind && plain.bytes == l.bytes) return plain.dtype == t ? std::nullopt : std::optional(name_of(plain.dtype));
    return {};
}

/// The bytes of a file of version 1 that NumPy loads as the tensor.
///
/// Values    all but 8-bit and 4-bit floats; strings as S, as wide as the longest
/// Errors    UnsupportedError for a dtype, and for a string that ends with a zero byte, which NumPy would drop
inline std::string encode(const Tensor& t) {
    if (t.dtype() == DType::bfloat16) {
        Tensor wide(DType::float32, t.dims());
        for (std::int64_t i = 0; i < t.size(); ++i) wide.data<float>()[i] = static_cast<float>(t.data<bfloat16>()[i]);
        return encode(wide);
    }
    std::string descr, elements;
    if (t.dtype() == DType::string) {
        std::size_t width = 1;
        for (const auto& s : t.span<std::string>()) {
            if (s.ends_with('\0')) throw UnsupportedError("a string ends with a zero byte, which NumPy would drop");
            width = std::max(width, s.size());
        }
        descr = "|S" + std::to_string(width);
        for (const auto& s : t.span<std::string>()) (elements += s).append(width - s.size(), '\0');
    } else {
        for (const auto& l : detail::letters)
            if (l.dtype == t.dtype()) descr = std::string(1, l.bytes == 1 ? '|' : std::endian::native == std::endian::little ? '<' : '>') + l.kind + std::to_string(l.bytes);
        if (descr.empty()) throw UnsupportedError(sentence("elements of type ", t.dtype(), " have no type in NumPy"));
        elements.assign(reinterpret_cast<const char*>(t.raw()), t.bytes());
    }
    std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (";
    for (int i = 0; i < t.dims().rank; ++i) header += (i ? ", " : "") + std::to_string(t.dims()[i]);
    header += t.dims().rank == 1 ? ",), }" : "), }";
    header.append(63 - (10 + header.size()) % 64, ' ');
    header += '\n';
    return std::string(detail::magic) + '\1' + '\0' + static_cast<char>(header.size() & 255) + static_cast<char>(header.size() >> 8) + header + elements;
}
inline void write(const std::string& path, const Tensor& t) {
    std::string bytes;
    try {
        bytes = encode(t);
    } catch (const UnsupportedError& e) { throw UnsupportedError(path + ": " + e.what()); }
    write_file_atomically(path, bytes);
}

}  // namespace tenon::npy
