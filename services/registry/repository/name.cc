#include "services/registry/repository/name.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"

namespace strata::registry {
namespace {

bool IsNameLetter(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); }

// ".", "_", "__" or any number of "-".
bool IsSeparator(absl::string_view text) {
  return text == "." || text == "_" || text == "__" || text.find_first_not_of('-') == absl::string_view::npos;
}

bool IsNameComponent(absl::string_view component) {
  if (component.empty() || !IsNameLetter(component.front()) || !IsNameLetter(component.back())) return false;
  size_t i = 0;
  while (i < component.size()) {
    while (i < component.size() && IsNameLetter(component[i])) ++i;
    const size_t start = i;
    while (i < component.size() && !IsNameLetter(component[i])) ++i;
    if (i > start && !IsSeparator(component.substr(start, i - start))) return false;
  }
  return true;
}

absl::Status Bad(absl::string_view what, absl::string_view text, absl::string_view rule) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, " \"", absl::CHexEscape(text.substr(0, 80)), "\" is not valid: ", rule));
}

}  // namespace

absl::Status CheckRepositoryName(absl::string_view name) {
  if (name.empty()) return Bad("repository name", name, "it is empty");
  if (name.size() > kMaxRepositoryNameBytes) {
    return Bad("repository name", name, absl::StrCat("it is longer than ", kMaxRepositoryNameBytes, " bytes"));
  }
  for (absl::string_view component : absl::StrSplit(name, '/')) {
    if (!IsNameComponent(component)) {
      return Bad("repository name", name,
                 "its components are lowercase letters and digits, separated by \".\", \"_\", \"__\" or dashes, "
                 "and joined by \"/\"");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTag(absl::string_view tag) {
  constexpr char kRule[] = "a tag is 1 to 128 letters, digits, \"_\", \".\" and \"-\", and does not begin with \".\" or \"-\"";
  if (tag.empty() || tag.size() > kMaxTagBytes || tag.front() == '.' || tag.front() == '-') return Bad("tag", tag, kRule);
  for (const char c : tag) {
    if (!absl::ascii_isalnum(c) && c != '_' && c != '.' && c != '-') return Bad("tag", tag, kRule);
  }
  return absl::OkStatus();
}

absl::StatusOr<Reference> ParseReference(absl::string_view text) {
  Reference reference;
  if (LooksLikeDigest(text)) {
    STRATA_ASSIGN_OR_RETURN(reference.digest, Digest::Parse(text));
    return reference;
  }
  STRATA_RETURN_IF_ERROR(CheckTag(text));
  reference.tag = std::string(text);
  return reference;
}

}  // namespace strata::registry
