#include "services/builder/dockerfile/flags.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/builder/dockerfile/suggest.h"

namespace strata::dockerfile {
namespace {

absl::Status Unknown(const std::string& name, absl::Span<const FlagSpec> specs) {
  std::vector<std::string> known;
  for (const FlagSpec& spec : specs) known.push_back(absl::StrCat("--", spec.name));
  std::string hint = DidYouMean(name, known);
  if (hint.empty()) hint = known.empty() ? "; this instruction takes no flags" : "; use " + absl::StrJoin(known, ", ");
  return absl::InvalidArgumentError(absl::StrCat("unknown flag: ", name, hint));
}

}  // namespace

absl::StatusOr<Flags> Flags::Parse(absl::Span<const std::string> words, absl::Span<const FlagSpec> specs) {
  Flags flags;
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    const std::string written = word.substr(0, equals);
    const std::string name = written.substr(2);
    const auto spec = std::find_if(specs.begin(), specs.end(), [&](const FlagSpec& s) { return s.name == name; });
    if (spec == specs.end()) return Unknown(written, specs);
    if (spec->kind != FlagSpec::Kind::kRepeated && flags.Has(name)) {
      return absl::InvalidArgumentError(absl::StrCat("duplicate flag specified: ", written, "; give it once"));
    }
    const bool has_value = equals != std::string::npos;
    std::string value = has_value ? word.substr(equals + 1) : "";
    if (spec->kind == FlagSpec::Kind::kBool) {
      value = has_value ? absl::AsciiStrToLower(value) : "true";
      if (value != "true" && value != "false") {
        return absl::InvalidArgumentError(absl::StrCat("expecting boolean value for flag ", written, ", not: ", value));
      }
    } else if (!has_value) {
      return absl::InvalidArgumentError(absl::StrCat("missing a value on flag: ", written, "; write ", written, "=VALUE"));
    }
    flags.values_.emplace_back(name, std::move(value));
  }
  return flags;
}

bool Flags::Has(absl::string_view name) const {
  return std::any_of(values_.begin(), values_.end(), [name](const auto& entry) { return entry.first == name; });
}

std::string Flags::Get(absl::string_view name) const {
  for (const auto& [key, value] : values_) {
    if (key == name) return value;
  }
  return "";
}

bool Flags::GetBool(absl::string_view name) const { return Get(name) == "true"; }

std::vector<std::string> Flags::GetAll(absl::string_view name) const {
  std::vector<std::string> all;
  for (const auto& [key, value] : values_) {
    if (key == name) all.push_back(value);
  }
  return all;
}

}  // namespace strata::dockerfile
