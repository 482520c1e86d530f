// The --flags of one instruction, read once against the list of those it knows.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace strata::dockerfile {

struct FlagSpec {
  enum class Kind { kString, kRepeated, kBool };
  absl::string_view name;  // without "--"
  Kind kind = Kind::kString;
};

// Value type; thread-compatible.
class Flags {
 public:
  // `words` are "--name=value" or "--name". kInvalidArgument without a position: a flag not in `specs`, one given twice that
  // may not be, no value where one is needed, no boolean where one is needed.
  static absl::StatusOr<Flags> Parse(absl::Span<const std::string> words, absl::Span<const FlagSpec> specs);

  bool Has(absl::string_view name) const;
  std::string Get(absl::string_view name) const;  // "" when absent
  bool GetBool(absl::string_view name) const;     // false when absent
  std::vector<std::string> GetAll(absl::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

}  // namespace strata::dockerfile
