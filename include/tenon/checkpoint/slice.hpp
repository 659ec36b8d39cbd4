// A part of a tensor: an extent per axis. In text "0,2:-:3,1" (start,length or everything), and in the keys of a checkpoint.
#pragma once
#include "../base/sentence.hpp"
#include "../io/coding.hpp"
#include "bundle_messages.hpp"

namespace tenon {

inline Extents extents_of(const Dims& d) { return {d.begin(), d.end()}; }
/// ShapeError for more axes than tensors have.
inline Dims dims_of(const Extents& shape) {
    if (shape.size() > std::size_t{max_rank}) throw ShapeError(sentence("tensors have at most 8 axes, this one has ", shape.size()));
    Dims d;
    for (const auto e : shape) d.push(e);
    return d;
}

/// [start, start + length) of one axis, or all of it.
struct Span {
    static constexpr std::int64_t all = -1;
    std::int64_t start = 0, length = all;
    constexpr bool whole() const { return length == all; }
    constexpr bool operator==(const Span&) const = default;
};

struct TensorSlice {
    std::vector<Span> axes;

    bool operator==(const TensorSlice&) const = default;
    static TensorSlice whole(std::size_t rank) { return {std::vector<Span>(rank)}; }

    /// Errors    ValueError "Expected a pair of numbers or '-' but got '0': string = 0:0,2"
    static TensorSlice parse(std::string_view text) {
        TensorSlice slice;
        for (auto rest = text; !text.empty();) {
            const auto item = rest.substr(0, rest.find(':'));
            if (item == "-") slice.axes.push_back({});
            else {
                const auto comma = item.find(',');
                const auto start = number(item.substr(0, comma)), length = comma == std::string_view::npos ? std::nullopt : number(item.substr(comma + 1));
                if (!start || !length) throw ValueError(sentence("Expected a pair of numbers or '-' but got '", item, "': string = ", text));
                if (*start < 0 || *length <= 0)
                    throw ValueError(sentence("Expected non-negative start and positive length but got start = ", *start, ", length = ", *length, ": string = ", text));
                slice.axes.push_back({*start, *length});
            }
            if (item.size() == rest.size()) break;
            rest.remove_prefix(item.size() + 1);
        }
        return slice;
    }
    std::string text() const {
        std::string s;
        for (const auto& a : axes) s += (s.empty() ? "" : ":") + (a.whole() ? "-" : std::to_string(a.start) + "," + std::to_string(a.length));
        return s;
    }

    /// The same with a start and a length for each axis.
    ///
    /// Errors    ShapeError "Mismatching ranks: shape = [2,3], slice = 0,1"; "Extent in dimension 0 out of bounds: shape = [2,3], slice = 0,3:0,2"
    TensorSlice within(const Extents& shape) const {
        if (axes.size() != shape.size()) throw ShapeError(sentence("Mismatching ranks: shape = ", shape, ", slice = ", text()));
        TensorSlice s = *this;
        for (std::size_t i = 0; i < axes.size(); ++i) {
            auto& a = s.axes[i];
            if (a == Span{}) a.length = shape[i];
            if (a.start < 0 || a.length < 0 || a.start > shape[i] || a.length > shape[i] - a.start)
                throw ShapeError(sentence("Extent in dimension ", i, " out of bounds: shape = ", shape, ", slice = ", text()));
        }
        return s;
    }
    /// The extents of the part; all lengths are known.
    Extents extents() const {
        Extents e;
        for (const auto& a : axes) e.push_back(a.length);
        return e;
    }
    /// What two slices with all lengths known have in common; lengths are 0 where they do not meet.
    friend TensorSlice intersection(const TensorSlice& a, const TensorSlice& b) {
        TensorSlice s = a;
        for (std::size_t i = 0; i < s.axes.size(); ++i) {
            const auto start = std::max(a.axes[i].start, b.axes[i].start), end = std::min(a.axes[i].start + a.axes[i].length, b.axes[i].start + b.axes[i].length);
            s.axes[i] = {start, std::max<std::int64_t>(end - start, 0)};
        }
        return s;
    }
    /// Elements, all lengths being known.
    std::int64_t size() const {
        std::int64_t n = 1;
        for (const auto& a : axes) n *= a.length;
        return n;
    }

    static TensorSlice from(const proto::TensorSliceProto& p) {
        TensorSlice s;
        for (const auto& e : p.extent) s.axes.push_back({e.start, e.length.value_or(Span::all)});
        return s;
    }
    proto::TensorSliceProto proto() const {
        proto::TensorSliceProto p;
        for (const auto& a : axes) {
            auto& e = p.extent.emplace_back();
            if (!a.whole()) e = {.start = a.start, .length = a.length};
        }
        return p;
    }

    /// The key under which this part of tensor `name` is stored: 0, name, rank, and start and length per axis in OrderedCode.
    std::string key(std::string_view name) const {
        std::string k;
        put_ordered(k, std::uint64_t{0});
        put_ordered(k, name);
        put_ordered(k, std::uint64_t{axes.size()});
        for (const auto& a : axes) {
            put_ordered_signed(k, a.start);
            put_ordered_signed(k, a.length);
        }
        return k;
    }
    /// Name and slice of such a key.
    static std::optional<std::pair<std::string, TensorSlice>> from_key(std::string_view key) {
        if (get_ordered(key) != 0u) return {};
        auto name = get_ordered_string(key);
        const auto rank = get_ordered(key);
        if (!name || !rank || *rank > key.size()) return {};
        TensorSlice slice;
        for (std::uint64_t i = 0; i < *rank; ++i) {
            const auto start = get_ordered_signed(key), length = get_ordered_signed(key);
            if (!start || !length) return {};
            slice.axes.push_back({*start, *length});
        }
        if (!key.empty()) return {};
        return std::pair(std::move(*name), std::move(slice));
    }

private:
    friend struct ShapeAndSlice;
    static std::optional<std::int64_t> number(std::string_view text) {
        const bool negative = text.starts_with('-');
        if (negative) text.remove_prefix(1);
        std::int64_t v = 0;
        for (const char c : text)
            if (c < '0' || c > '9' || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, c - '0', &v)) return {};
        if (text.empty()) return {};
        return negative ? -v : v;
    }
};

/// What SaveV2 and RestoreV2 are told of a tensor: "10 3 0,1:0,3" is a part of a [10,3], "" is a whole tensor of any shape.
struct ShapeAndSlice {
    Extents shape;
    TensorSlice slice;

    /// Errors    ValueError, in TensorFlow's words; ShapeError if the slice does not fit the shape
    static std::optional<ShapeAndSlice> parse(std::string_view text) {
        if (text.empty()) return {};
        const auto space = text.rfind(' ');
        if (space == std::string_view::npos) throw ValueError("Need least two elements in shape_and_slice specification: " + std::string(text));
        ShapeAndSlice s;
        for (auto dims = text.substr(0, space); !dims.empty();) {
            const auto item = dims.substr(0, dims.find(' '));
            const auto extent = TensorSlice::number(item);
            if (!extent || *extent < 0) throw ValueError("Non numerical dimension in shape_and_slice: " + std::string(text));
            s.shape.push_back(*extent);
            dims.remove_prefix(std::min(dims.size(), item.size() + 1));
        }
        s.slice = TensorSlice::parse(text.substr(space + 1));
        static_cast<void>(s.slice.within(s.shape));
        return s;
    }
    std::string text() const {
        std::string s;
        for (const auto e : shape) s += std::to_string(e) + " ";
        return s + slice.text();
    }
};

}  // namespace tenon
