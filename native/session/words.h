// Numbers in a buffer that the face shares with JavaScript. Every access is bounded by the buffer's length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace sluice {

class Words {
 public:
  Words() = default;
  explicit Words(std::span<std::byte> buffer) : data_(buffer.data()), bytes_(buffer.size()) {}

  std::size_t bytes() const { return bytes_; }

  // Returns 0 if the value is not entirely within the buffer.
  template <class T>
  T get(std::size_t offset) const {
    T value{};
    if (fits(offset, sizeof value)) std::memcpy(&value, data_ + offset, sizeof value);
    return value;
  }
  // Writes nothing beyond the buffer.
  template <class T>
  void put(std::size_t offset, T value) const {
    if (fits(offset, sizeof value)) std::memcpy(data_ + offset, &value, sizeof value);
  }

  // Returns the part of a text that is in the buffer.
  std::string_view text(std::uint64_t offset, std::uint64_t length) const {
    if (offset >= bytes_) return {};
    const std::uint64_t left = bytes_ - offset;
    return {reinterpret_cast<const char*>(data_ + offset), length < left ? length : left};
  }

 private:
  bool fits(std::size_t offset, std::size_t bytes) const {
    return bytes <= bytes_ && offset <= bytes_ - bytes;
  }

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace sluice
