// HTTP header fields in the order they were sent or will be sent. Spec: RFC 9110 section 5.
//
// Names compare without case; repeated fields stay separate lines. Value type; thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace strata::http {

class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  // The first value of `name`; nullopt when there is none. The view lives until this object changes.
  std::optional<absl::string_view> Find(absl::string_view name) const;
  // The first value of `name`, or "".
  absl::string_view Get(absl::string_view name) const;
  // Every value of `name`, in order.
  std::vector<absl::string_view> FindAll(absl::string_view name) const;
  bool Has(absl::string_view name) const { return Find(name).has_value(); }
  // The comma separated members of every `name` field, trimmed, empty ones left out.
  std::vector<absl::string_view> ListMembers(absl::string_view name) const;

  void Add(absl::string_view name, absl::string_view value);
  // Replaces every `name` field by one.
  void Set(absl::string_view name, absl::string_view value);
  void Remove(absl::string_view name);

  size_t size() const { return fields_.size(); }
  std::vector<Field>::const_iterator begin() const { return fields_.begin(); }
  std::vector<Field>::const_iterator end() const { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

// A field name is a token; a value has no control characters but tab. What fails here must not reach the wire.
bool IsValidFieldName(absl::string_view name);
bool IsValidFieldValue(absl::string_view value);

// Digits only, no sign, no overflow.
std::optional<uint64_t> ParseDecimal(absl::string_view text);

}  // namespace strata::http
