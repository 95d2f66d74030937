// Describes where the numbers and texts of an order are in its record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string_view>

namespace sluice {

enum class NumberType : std::uint8_t {
  kNone = 0,
  kU8 = 1,
  kU16 = 2,
  kU32 = 3,
  kU53 = 4,
  kU64 = 5,
  kText = 6
};

// The place of a whole number, or a text, in a record. A kText is a length in octets (16 bits), followed by that much
// UTF-8.
struct RequestField {
  NumberType type = NumberType::kNone;
  std::uint32_t offset = 0;
  std::uint32_t text_room = 0;  // kText: how many octets of text the record has room for

  bool is_text() const noexcept { return type == NumberType::kText; }

  // Returns the text. Returns an empty one if the text has more than `max` octets, or more than the record has room
  // for.
  std::string_view text(const std::byte* record, std::size_t max) const noexcept {
    const std::uint16_t length = read_as<std::uint16_t>(record);
    if (length > max || length > text_room) return {};
    return {reinterpret_cast<const char*>(record) + offset + sizeof length, length};
  }

  // Returns the number; 0 if the field is a text, or absent.
  std::uint64_t read(const std::byte* record) const noexcept {
    switch (type) {
      case NumberType::kU8:
        return read_as<std::uint8_t>(record);
      case NumberType::kU16:
        return read_as<std::uint16_t>(record);
      case NumberType::kU32:
        return read_as<std::uint32_t>(record);
      case NumberType::kU53:
        return static_cast<std::uint64_t>(read_as<double>(record));
      case NumberType::kU64:
        return read_as<std::uint64_t>(record);
      case NumberType::kNone:
      case NumberType::kText:
        return 0;
    }
    return 0;
  }
  // Whether the field is within a record of `record_bytes` bytes.
  bool within(std::uint64_t record_bytes) const noexcept {
    constexpr std::uint64_t kBytes[] = {0, 1, 2, 4, 8, 8, sizeof(std::uint16_t)};
    const auto kind = static_cast<std::size_t>(type);
    return kind < std::size(kBytes) && offset + kBytes[kind] + text_room <= record_bytes;
  }

 private:
  template <class T>
  T read_as(const std::byte* record) const noexcept {
    T value;
    std::memcpy(&value, record + offset, sizeof value);
    return value;
  }
};

struct AdmissionFields {
  RequestField sku, quantity, user, id;
  bool has_text = false;

  AdmissionFields() = default;
  AdmissionFields(const RequestField& sku, const RequestField& quantity, const RequestField& user,
                  const RequestField& id) noexcept
      : sku(sku),
        quantity(quantity),
        user(user),
        id(id),
        has_text(sku.is_text() || user.is_text() || id.is_text()) {}

  bool within(std::uint64_t record_bytes) const noexcept {
    return sku.within(record_bytes) && quantity.within(record_bytes) && user.within(record_bytes) &&
           id.within(record_bytes);
  }
};

}  // namespace sluice
