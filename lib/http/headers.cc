#include "lib/http/headers.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace strata::http {

std::optional<absl::string_view> Headers::Find(absl::string_view name) const {
  for (const Field& field : fields_) {
    if (absl::EqualsIgnoreCase(field.first, name)) return field.second;
  }
  return std::nullopt;
}

absl::string_view Headers::Get(absl::string_view name) const { return Find(name).value_or(""); }

std::vector<absl::string_view> Headers::FindAll(absl::string_view name) const {
  std::vector<absl::string_view> values;
  for (const Field& field : fields_) {
    if (absl::EqualsIgnoreCase(field.first, name)) values.push_back(field.second);
  }
  return values;
}

std::vector<absl::string_view> Headers::ListMembers(absl::string_view name) const {
  std::vector<absl::string_view> members;
  for (const Field& field : fields_) {
    if (!absl::EqualsIgnoreCase(field.first, name)) continue;
    for (absl::string_view member : absl::StrSplit(field.second, ',')) {
      member = absl::StripAsciiWhitespace(member);
      if (!member.empty()) members.push_back(member);
    }
  }
  return members;
}

void Headers::Add(absl::string_view name, absl::string_view value) {
  fields_.emplace_back(std::string(name), std::string(value));
}

void Headers::Set(absl::string_view name, absl::string_view value) {
  std::string copy(value);  // `value` may be a view into what Remove() frees
  Remove(name);
  fields_.emplace_back(std::string(name), std::move(copy));
}

void Headers::Remove(absl::string_view name) {
  std::erase_if(fields_, [name](const Field& field) { return absl::EqualsIgnoreCase(field.first, name); });
}

bool IsValidFieldName(absl::string_view name) {
  constexpr absl::string_view kPunctuation = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [kPunctuation](unsigned char c) {
    return absl::ascii_isalnum(c) || kPunctuation.find(static_cast<char>(c)) != absl::string_view::npos;
  });
}

bool IsValidFieldValue(absl::string_view value) {
  return std::all_of(value.begin(), value.end(),
                     [](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7f); });
}

std::optional<uint64_t> ParseDecimal(absl::string_view text) {
  // 19 digits always fit in 64 bits.
  if (text.empty() || text.size() > 19) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

}  // namespace strata::http
