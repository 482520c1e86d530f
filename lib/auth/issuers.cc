#include "lib/auth/issuers.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/json/json.h"

namespace strata::auth {
namespace {

constexpr size_t kMaxPatternBytes = 1024;

absl::Status Wrong(absl::string_view why) { return absl::InvalidArgumentError(why); }

// Linear in the text for each "*": a failed match goes back to the last star only.
bool MatchesStars(absl::string_view pattern, absl::string_view text) {
  size_t p = 0, t = 0;
  size_t star = absl::string_view::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != absl::string_view::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  return std::all_of(pattern.begin() + static_cast<ptrdiff_t>(p), pattern.end(), [](char c) { return c == '*'; });
}

// Lines whose first characters are "//" are comments; blanks take their place, so that positions in errors hold.
std::string WithoutComments(absl::string_view text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    const size_t begin = lines[i].find_first_not_of(" \t");
    if (begin != std::string::npos && absl::StartsWith(absl::string_view(lines[i]).substr(begin), "//")) lines[i].assign(lines[i].size(), ' ');
    absl::StrAppend(&out, i > 0 ? "\n" : "", lines[i]);
  }
  return out;
}

absl::Status CheckFields(const json::Value& object, std::initializer_list<absl::string_view> known) {
  if (!object.is_object()) return Wrong("an object is expected");
  for (const auto& item : object.items()) {
    if (std::find(known.begin(), known.end(), absl::string_view(item.key())) == known.end()) {
      return Wrong(absl::StrCat("there is no field \"", absl::CHexEscape(absl::string_view(item.key()).substr(0, 80)), "\""));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<IdentityRule> ParseIdentity(const json::Value& value) {
  STRATA_RETURN_IF_ERROR(CheckFields(value, {"name", "when"}));
  IdentityRule rule;
  STRATA_ASSIGN_OR_RETURN(rule.name, json::StringField(value, "name"));
  if (!IsPlainName(rule.name)) return Wrong("an identity needs a \"name\" of letters, digits and . _ @ + / -");
  STRATA_ASSIGN_OR_RETURN(const auto conditions, json::StringMapField(value, "when"));
  for (const auto& [claim, pattern] : conditions) {
    if (claim.empty() || pattern.empty() || pattern.size() > kMaxPatternBytes) {
      return Wrong(absl::StrCat("identity \"", rule.name, "\": a condition is a claim and a pattern of at most ", kMaxPatternBytes, " bytes"));
    }
    rule.when.push_back({claim, pattern});
  }
  if (rule.when.empty()) {
    return Wrong(absl::StrCat("identity \"", rule.name, "\" has no condition in \"when\": every token of the issuer would be it"));
  }
  return rule;
}

absl::Status CheckSource(const TrustedIssuer& issuer) {
  if (issuer.jwks_url.empty() == issuer.jwks_file.empty()) return Wrong("one of \"jwks_url\" and \"jwks_file\" is needed");
  if (!issuer.jwks_url.empty() && !absl::StartsWith(issuer.jwks_url, "https://")) return Wrong("\"jwks_url\" must begin with https://");
  return absl::OkStatus();
}

absl::StatusOr<TrustedIssuer> ParseIssuer(const json::Value& value) {
  STRATA_RETURN_IF_ERROR(CheckFields(value, {"issuer", "audience", "jwks_url", "jwks_file", "ca_file", "allow_private_addresses", "identities"}));
  TrustedIssuer issuer;
  STRATA_ASSIGN_OR_RETURN(issuer.issuer, json::StringField(value, "issuer"));
  STRATA_ASSIGN_OR_RETURN(issuer.audience, json::StringField(value, "audience"));
  STRATA_ASSIGN_OR_RETURN(issuer.jwks_url, json::StringField(value, "jwks_url"));
  STRATA_ASSIGN_OR_RETURN(issuer.jwks_file, json::StringField(value, "jwks_file"));
  STRATA_ASSIGN_OR_RETURN(issuer.ca_file, json::StringField(value, "ca_file"));
  STRATA_ASSIGN_OR_RETURN(issuer.allow_private_addresses, json::BoolField(value, "allow_private_addresses"));
  if (issuer.issuer.empty() || issuer.audience.empty()) return Wrong("\"issuer\" and \"audience\" are needed");
  STRATA_RETURN_IF_ERROR(CheckSource(issuer));
  const json::Value* identities = json::Find(value, "identities");
  if (identities == nullptr || !identities->is_array() || identities->empty()) return Wrong("\"identities\" must be a list with at least one");
  for (const json::Value& entry : *identities) {
    STRATA_ASSIGN_OR_RETURN(IdentityRule rule, ParseIdentity(entry));
    issuer.identities.push_back(std::move(rule));
  }
  return issuer;
}

bool Holds(const ClaimCondition& condition, const Jwt& token) {
  return std::any_of(token.claims.begin(), token.claims.end(), [&condition](const auto& claim) {
    return claim.first == condition.claim && MatchesStars(condition.pattern, claim.second);
  });
}

}  // namespace

absl::StatusOr<Principal> TrustedIssuer::Identify(const Jwt& token) const {
  for (const IdentityRule& rule : identities) {
    if (std::all_of(rule.when.begin(), rule.when.end(), [&token](const ClaimCondition& condition) { return Holds(condition, token); })) {
      return Principal::Identity(rule.name);
    }
  }
  return absl::PermissionDeniedError(absl::StrCat("the token of ", absl::CHexEscape(issuer), " for \"",
                                                  absl::CHexEscape(absl::string_view(token.subject).substr(0, 200)),
                                                  "\" meets the conditions of no identity"));
}

absl::StatusOr<TrustedIssuers> ParseTrustedIssuers(absl::string_view text) {
  if (text.size() > kMaxIssuersBytes) return Wrong("the file is too large");
  STRATA_ASSIGN_OR_RETURN(const json::Value document, json::Parse(WithoutComments(text), {.max_bytes = kMaxIssuersBytes, .max_depth = 8}));
  STRATA_RETURN_IF_ERROR(CheckFields(document, {"issuers"}));
  const json::Value* list = json::Find(document, "issuers");
  if (list == nullptr || !list->is_array()) return Wrong("the field \"issuers\" must be a list");
  TrustedIssuers issuers;
  for (const json::Value& value : *list) {
    absl::StatusOr<TrustedIssuer> issuer = ParseIssuer(value);
    if (!issuer.ok()) return Annotate(issuer.status(), absl::StrCat("issuer number ", issuers.size() + 1));
    if (FindIssuer(issuers, issuer->issuer) != nullptr) return Wrong(absl::StrCat("issuer \"", issuer->issuer, "\" is there twice"));
    issuers.push_back(*std::move(issuer));
  }
  return issuers;
}

const TrustedIssuer* FindIssuer(const TrustedIssuers& issuers, absl::string_view issuer) {
  for (const TrustedIssuer& trusted : issuers) {
    if (trusted.issuer == issuer) return &trusted;
  }
  return nullptr;
}

}  // namespace strata::auth
