#include "lib/oci/reference.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"

namespace strata::oci {

namespace {

bool IsLowerAlnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool IsPathComponent(absl::string_view text) {
  size_t i = 0;
  const auto take_alnum = [&] {
    const size_t start = i;
    while (i < text.size() && IsLowerAlnum(text[i])) ++i;
    return i > start;
  };
  if (!take_alnum()) return false;
  while (i < text.size()) {
    const size_t start = i;
    while (i < text.size() && !IsLowerAlnum(text[i])) ++i;
    const absl::string_view separator = text.substr(start, i - start);
    const bool good = separator == "." || separator == "_" || separator == "__" ||
                      std::all_of(separator.begin(), separator.end(), [](char c) { return c == '-'; });
    if (!good || !take_alnum()) return false;
  }
  return true;
}

bool LooksLikeHost(absl::string_view component) {
  return absl::StrContains(component, '.') || absl::StrContains(component, ':') || component == "localhost" ||
         absl::AsciiStrToLower(component) != component;
}

absl::Status ValidateHost(absl::string_view host) {
  const std::vector<absl::string_view> parts = absl::StrSplit(host, ':');
  int port = 0;
  const bool name_ok = !parts[0].empty() && parts[0].size() <= 253 &&
                       std::all_of(parts[0].begin(), parts[0].end(), [](char c) {
                         return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-';
                       });
  const bool port_ok = parts.size() == 1 || (parts.size() == 2 && absl::SimpleAtoi(parts[1], &port) && port > 0 && port < 65536);
  if (name_ok && port_ok) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("\"", host.substr(0, 80), "\" is not a registry host[:port]"));
}

}  // namespace

absl::Status ValidateRepository(absl::string_view name) {
  if (name.empty() || name.size() > 255) {
    return absl::InvalidArgumentError(absl::StrCat("repository name of ", name.size(), " bytes; want 1 to 255"));
  }
  for (const absl::string_view component : absl::StrSplit(name, '/')) {
    if (!IsPathComponent(component)) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", name.substr(0, 80), "\" is not a repository name; components are lowercase letters and digits, "
                       "separated by '.', '_', '__' or '-'"));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateTag(absl::string_view tag) {
  const auto good = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
  };
  if (tag.empty() || tag.size() > 128 || tag[0] == '.' || tag[0] == '-' || !std::all_of(tag.begin(), tag.end(), good)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", tag.substr(0, 80),
                                                   "\" is not a tag; want 1 to 128 of [a-zA-Z0-9_.-], not starting with '.' or '-'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Reference> Reference::Parse(absl::string_view text) {
  const std::string where = absl::StrCat("image reference \"", text.substr(0, 120), "\"");
  Reference reference;
  absl::string_view rest = text;
  if (const size_t at = rest.find('@'); at != absl::string_view::npos) {
    auto digest = Digest::Parse(rest.substr(at + 1));
    if (!digest.ok()) return Annotate(digest.status(), where);
    reference.digest = *std::move(digest);
    rest = rest.substr(0, at);
  }
  if (const size_t colon = rest.rfind(':'); colon != absl::string_view::npos && rest.find('/', colon) == absl::string_view::npos) {
    reference.tag = std::string(rest.substr(colon + 1));
    STRATA_RETURN_IF_ERROR(Annotate(ValidateTag(reference.tag), where));
    rest = rest.substr(0, colon);
  }
  if (const size_t slash = rest.find('/'); slash != absl::string_view::npos && LooksLikeHost(rest.substr(0, slash))) {
    STRATA_RETURN_IF_ERROR(Annotate(ValidateHost(rest.substr(0, slash)), where));
    reference.host = absl::AsciiStrToLower(rest.substr(0, slash));
    rest = rest.substr(slash + 1);
  }
  reference.path = std::string(rest);
  STRATA_RETURN_IF_ERROR(Annotate(ValidateRepository(reference.path), where));
  return reference;
}

std::string Reference::ToString() const {
  return absl::StrCat(host, host.empty() ? "" : "/", path, tag.empty() ? "" : ":", tag, digest ? "@" : "",
                      digest ? digest->ToString() : "");
}

std::string Reference::StoreRepository(absl::Span<const std::string> own_hosts) const {
  if (host.empty() || std::find(own_hosts.begin(), own_hosts.end(), host) != own_hosts.end()) return path;
  return absl::StrCat(absl::StrReplaceAll(host, {{":", "_"}}), "/", path);
}

std::string DisplayName(absl::string_view store_repository) {
  const size_t slash = store_repository.find('/');
  if (slash == absl::string_view::npos) return std::string(store_repository);
  const absl::string_view host = store_repository.substr(0, slash);
  const size_t port = host.rfind('_');
  int number = 0;
  const bool is_host = absl::StrContains(host, '.') || absl::StartsWith(host, "localhost");
  if (!is_host || port == absl::string_view::npos || !absl::SimpleAtoi(host.substr(port + 1), &number)) {
    return std::string(store_repository);
  }
  return absl::StrCat(host.substr(0, port), ":", host.substr(port + 1), store_repository.substr(slash));
}

}  // namespace strata::oci
