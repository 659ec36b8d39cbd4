// Messages that are left as their bytes until somebody asks for one of their fields.
#pragma once
#include "proto.hpp"

namespace tenon::proto {

/// The message that `bytes` hold, but for the elements of `P`, a repeated message, wherever in M it is: they are checked as the rest is, and where they lie is appended to `apart`.
///
/// Cost      no memory for the elements, whose bytes are walked over once
/// Errors    those of decode, by the same sentences
template <class M, auto P> M decode_but(std::string_view bytes, std::string_view name, std::vector<std::string_view>& apart) {
    M message{};
    try {
        detail::Decoder(bytes, name, {&field_of<P>(), &apart}).document(bytes, &message, message_of<M>());
    } catch (const FormatError&) {
        (void)decode<M>(bytes, name);  // which counts the elements in elements, and says so
        throw;
    }
    return message;
}

/// Whether `bytes` hold a message of type M.
///
/// Errors    those of decode
template <class M> void check(std::string_view bytes, std::string_view name) { detail::Decoder(bytes, name).check(bytes, message_of<M>()); }

/// The fields of a message of type M, as they stand in bytes that were checked, one after the other.
///
///     for (Fields<NodeDef> field(bytes); field.next();) if (field.is<&NodeDef::op>()) op = field.content();
template <class M> class Fields {
    const char *p_, *const end_;
    detail::Decoder decoder_;
    std::uint32_t number_ = 0;
    std::string_view content_{};

public:
    explicit Fields(std::string_view bytes) : p_(bytes.data()), end_(p_ + bytes.size()), decoder_(bytes, "message") {}
    /// Errors    FormatError
    bool next() {
        if (p_ == end_) return false;
        const detail::Path path{nullptr, &message_of<M>()};
        const auto [number, wire] = decoder_.tag(p_, end_, path);
        number_ = number;
        content_ = decoder_.payload(p_, end_, wire, path);
        return true;
    }
    template <auto P> bool is() const { return number_ == number_of<P>(); }
    /// Text, bytes, or the bytes of a message.
    std::string_view content() const { return content_; }
};

}  // namespace tenon::proto
