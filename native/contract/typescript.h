// Writes the contract as TypeScript, formatted as Biome formats it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace sluice::contract {

struct Number {
  std::string_view name;
  double value;

  template <class T>
  constexpr Number(std::string_view name, T value) : name(name), value(static_cast<double>(value)) {}
};

class TypeScript {
 public:
  const std::string& text() const { return text_; }

  // A constant of one number.
  void number(std::string_view name, std::string_view comment, double value) {
    begin(comment);
    append({"export const ", name, " = ", digits(value), ";\n"});
  }
  // An object of numbers.
  void numbers(std::string_view name, std::string_view comment, std::initializer_list<Number> members) {
    begin(comment);
    append({"export const ", name, " = {\n"});
    for (const Number& member : members) this->member(member.name, member.value);
    append({"} as const;\n"});
  }
  // An object of the values of an enumeration (of one octet), by their words. See words.h.
  template <class Enum>
  void words(std::string_view name, std::string_view comment) {
    begin(comment);
    append({"export const ", name, " = {\n"});
    for (int value = 0; value < 256; ++value) {
      const char* const known = word_of(static_cast<Enum>(value));
      if (known != nullptr) member(known, value);
    }
    append({"} as const;\n"});
  }
  // A type: one of these strings.
  void one_of(std::string_view name, std::string_view comment, std::span<const std::string_view> members) {
    begin(comment);
    const std::size_t start = text_.size();
    append({"export type ", name, " ="});
    const std::size_t list = text_.size();
    for (const std::string_view member : members) append({list == text_.size() ? " '" : " | '", member, "'"});
    append({";"});
    if (text_.size() - start > kLineWidth) {
      text_.resize(list);
      for (const std::string_view member : members) append({"\n  | '", member, "'"});
      append({";"});
    }
    append({"\n"});
  }
  // An array of these strings.
  void list(std::string_view name, std::string_view comment, std::span<const std::string_view> members) {
    begin(comment);
    const std::size_t start = text_.size();
    append({"export const ", name, " = ["});
    const std::size_t list = text_.size();
    for (const std::string_view member : members) append({list == text_.size() ? "'" : ", '", member, "'"});
    append({"] as const;"});
    if (text_.size() - start > kLineWidth) {
      text_.resize(list);
      for (const std::string_view member : members) append({"\n  '", member, "',"});
      append({"\n] as const;"});
    }
    append({"\n"});
  }

 private:
  static constexpr std::size_t kLineWidth = 110;

  void begin(std::string_view comment) { append({"\n/** ", comment, " */\n"}); }
  void append(std::initializer_list<std::string_view> parts) {
    for (const std::string_view part : parts) text_ += part;
  }
  void member(std::string_view name, double value) {
    const bool plain = name.find('-') == std::string_view::npos;
    append({"  ", plain ? "" : "'", name, plain ? "" : "'", ": ", digits(value), ",\n"});
  }
  static std::string digits(double value) {
    char text[32];
    const bool whole =
        value > -0x1p63 && value < 0x1p63 && value == static_cast<double>(static_cast<std::int64_t>(value));
    const int length = whole ? std::snprintf(text, sizeof text, "%lld", static_cast<long long>(value))
                             : std::snprintf(text, sizeof text, "%.17g", value);
    std::string digits(text, static_cast<std::size_t>(length));
    if (const std::size_t exponent = digits.find("e-0"); exponent != std::string::npos)
      digits.erase(exponent + 2, 1);
    return digits;
  }

  std::string text_;
};

}  // namespace sluice::contract
