// What the bytes of a tensor are in a data file.
//
//   numbers   elements in C order; their checksum is over these bytes
//   strings   varint64 length of each | fixed32 masked checksum of the lengths, each as fixed32, or fixed64 from 2^32 on | bytes of all
//             the tensor's checksum continues that of the lengths over the four bytes that store it, and over the bytes of all
//
// A file in the other byte order has elements, and lengths and checksum of strings, turned round.
#pragma once
#include "../base/error.hpp"
#include "../base/sentence.hpp"
#include "../io/coding.hpp"
#include "../io/crc32c.hpp"
#include "../tensor/tensor.hpp"

namespace tenon::detail {

template <class U> U byte_swapped(U v) {
    U r = 0;
    for (std::size_t i = 0; i < sizeof v; ++i) r = static_cast<U>(r << 8 | (v >> (8 * i) & 0xff));
    return r;
}
/// Turns each number in `bytes` round; a complex number is two.
inline void swap_elements(DType t, std::span<std::byte> bytes) {
    const std::size_t width = t == DType::complex64 || t == DType::complex128 ? file_bytes_of(t) / 2 : file_bytes_of(t);
    if (width > 1)
        for (auto* at = bytes.data(); at + width <= bytes.data() + bytes.size(); at += width) std::reverse(at, at + width);
}
/// The checksum of strings' lengths, one more of them.
inline std::uint32_t extend_by_length(std::uint32_t crc, std::uint64_t length, bool swapped = false) {
    std::string bytes;
    if (length <= 0xffffffffu) put_fixed32(bytes, swapped ? byte_swapped(static_cast<std::uint32_t>(length)) : static_cast<std::uint32_t>(length));
    else put_fixed64(bytes, swapped ? byte_swapped(length) : length);
    return extend_crc32c(crc, bytes);
}

/// The part before the strings' own bytes; `crc` becomes the checksum of the tensor so far.
inline std::string encode_lengths(std::span<const std::string> strings, std::uint32_t& crc) {
    std::string bytes, stored;
    crc = 0;
    for (const auto& s : strings) {
        put_varint(bytes, s.size());
        crc = extend_by_length(crc, s.size());
    }
    put_fixed32(stored, mask_crc(crc));
    crc = extend_crc32c(crc, stored);
    return bytes + stored;
}

inline CorruptError checksum_mismatch(const std::string& where, std::uint32_t stored, std::uint32_t computed) {
    return CorruptError(sentence(where, ": Checksum does not match: stored ", stored, ", computed ", computed));
}

/// Takes `bytes` apart into n strings: calls put(i, string_view) when everything is checked. `crc` is what the index says, unmasked.
///
/// Errors    CorruptError, `where` first, before any put
template <class Put> void decode_strings(std::string_view bytes, std::size_t n, std::uint32_t crc, bool swapped, const std::string& where, Put put) {
    if (n > bytes.size()) throw CorruptError(sentence(where, ": invalid size: ", bytes.size(), " bytes are stored for ", n, " strings"));
    auto rest = bytes;
    std::vector<std::uint64_t> lengths(n);
    std::uint64_t total = 0;
    std::uint32_t computed = 0;
    for (auto& length : lengths) {
        const auto v = get_varint(rest);
        if (!v) throw CorruptError(sentence(where, ": the lengths of its strings do not end within its ", bytes.size(), " bytes"));
        length = *v;
        total = total + length < total ? ~std::uint64_t{0} : total + length;
        computed = extend_by_length(computed, length, swapped);
    }
    const auto raw = rest.substr(0, 4);
    const auto field = get_fixed32(rest);
    if (!field) throw CorruptError(where + ": it ends before the checksum of its lengths");
    const auto stored = unmask_crc(swapped ? byte_swapped(*field) : *field);
    if (stored != computed) throw CorruptError(sentence(where, ": The length checksum does not match: stored ", stored, ", computed ", computed));
    computed = extend_crc32c(extend_crc32c(computed, raw), rest);
    if (computed != crc) throw checksum_mismatch(where, crc, computed);
    if (total != rest.size()) throw CorruptError(sentence(where, ": its strings have ", total, " bytes, ", rest.size(), " are stored"));
    for (std::size_t i = 0; i < n; ++i) {
        put(i, rest.substr(0, lengths[i]));
        rest.remove_prefix(lengths[i]);
    }
}

}  // namespace tenon::detail
