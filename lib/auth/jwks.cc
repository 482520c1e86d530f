#include "lib/auth/jwks.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/auth/base64url.h"
#include "lib/base/status.h"
#include "lib/json/json.h"

namespace strata::auth {
namespace {

absl::StatusOr<std::string> BytesField(const json::Value& jwk, absl::string_view name) {
  STRATA_ASSIGN_OR_RETURN(const std::string text, json::StringField(jwk, name));
  auto bytes = Base64UrlDecode(text);
  if (!bytes.ok()) return Annotate(bytes.status(), absl::StrCat("field ", name));
  return bytes;
}

bool IsForSigning(const json::Value& jwk) {
  const json::Value* use = json::Find(jwk, "use");
  return use == nullptr || *use == "sig";
}

absl::StatusOr<PublicKey> ParseKey(const json::Value& jwk) {
  STRATA_ASSIGN_OR_RETURN(const std::string kind, json::StringField(jwk, "kty"));
  STRATA_ASSIGN_OR_RETURN(const std::string curve, json::StringField(jwk, "crv"));
  STRATA_ASSIGN_OR_RETURN(std::string id, json::StringField(jwk, "kid"));
  if (kind == "RSA") {
    STRATA_ASSIGN_OR_RETURN(const std::string n, BytesField(jwk, "n"));
    STRATA_ASSIGN_OR_RETURN(const std::string e, BytesField(jwk, "e"));
    return PublicKey::FromRsa(n, e, std::move(id));
  }
  if (kind == "EC" && curve == "P-256") {
    STRATA_ASSIGN_OR_RETURN(const std::string x, BytesField(jwk, "x"));
    STRATA_ASSIGN_OR_RETURN(const std::string y, BytesField(jwk, "y"));
    return PublicKey::FromP256(x, y, std::move(id));
  }
  if (kind == "OKP" && curve == "Ed25519") {
    STRATA_ASSIGN_OR_RETURN(const std::string x, BytesField(jwk, "x"));
    return PublicKey::FromEd25519(x, std::move(id));
  }
  return absl::InvalidArgumentError("a key of a kind that is not verified with");
}

}  // namespace

absl::StatusOr<KeySet> ParseJwks(absl::string_view text) {
  STRATA_ASSIGN_OR_RETURN(const json::Value document, json::Parse(text, {.max_bytes = kMaxJwksBytes, .max_depth = 8}));
  const json::Value* list = json::Find(document, "keys");
  if (list == nullptr || !list->is_array()) return absl::InvalidArgumentError("a key set has the field \"keys\", a list");
  if (list->size() > kMaxJwksKeys) {
    return absl::InvalidArgumentError(absl::StrCat("a key set with ", list->size(), " keys; at most ", kMaxJwksKeys, " are read"));
  }
  KeySet keys;
  absl::Status why = absl::InvalidArgumentError("it is empty");
  for (const json::Value& jwk : *list) {
    if (!jwk.is_object()) return absl::InvalidArgumentError("a key set whose list holds something else than keys");
    for (const char* secret : {"d", "k"}) {
      if (jwk.contains(secret)) return absl::InvalidArgumentError("a key set that holds a private or secret key; publish the public keys only");
    }
    if (!IsForSigning(jwk)) continue;
    absl::StatusOr<PublicKey> key = ParseKey(jwk);
    if (!key.ok()) {
      why = key.status();
      continue;
    }
    const json::Value* algorithm = json::Find(jwk, "alg");
    if (algorithm != nullptr && *algorithm != std::string(AlgorithmName(key->algorithm()))) continue;
    if (FindKey(keys, key->id()) != nullptr) return absl::InvalidArgumentError("a key set with the same kid twice");
    keys.push_back(*std::move(key));
  }
  if (keys.empty()) return Annotate(why, "no key of the set can be used");
  return keys;
}

std::string FormatJwks(const KeySet& keys) {
  std::string text = R"({"keys":[)";
  for (size_t i = 0; i < keys.size(); ++i) absl::StrAppend(&text, i > 0 ? "," : "", keys[i].ToJwk());
  return absl::StrCat(text, "]}");
}

}  // namespace strata::auth
