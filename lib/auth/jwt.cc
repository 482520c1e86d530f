#include "lib/auth/jwt.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/auth/base64url.h"
#include "lib/base/status.h"
#include "lib/json/json.h"

namespace strata::auth {
namespace {

constexpr size_t kMaxClaims = 512;
// Seconds since 1970 until the year 9999.
constexpr int64_t kMaxSeconds = 253402300799;

absl::Status Malformed(absl::string_view why) { return absl::InvalidArgumentError(absl::StrCat("malformed token: ", why)); }
absl::Status Refused(absl::string_view why) { return absl::UnauthenticatedError(absl::StrCat("the token is refused: ", why)); }

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", absl::CHexEscape(text.substr(0, 100)), "\""); }

absl::StatusOr<json::Value> ParseObject(absl::string_view text, absl::string_view what) {
  auto object = json::Parse(text, {.max_bytes = kMaxJwtBytes, .max_depth = 8});
  if (!object.ok()) return Malformed(absl::StrCat("its ", what, ": ", object.status().message()));
  if (!object->is_object()) return Malformed(absl::StrCat("its ", what, " is no object"));
  return object;
}

absl::StatusOr<std::string> DecodePart(absl::string_view text, absl::string_view what) {
  auto bytes = Base64UrlDecode(text);
  if (!bytes.ok()) return Malformed(absl::StrCat("its ", what, " is ", bytes.status().message()));
  return bytes;
}

absl::Status ReadHeader(absl::string_view text, Jwt& token) {
  STRATA_ASSIGN_OR_RETURN(const json::Value header, ParseObject(text, "header"));
  for (const char* name : {"jwk", "jku", "x5u", "x5c", "crit", "b64", "enc", "zip"}) {
    if (header.contains(name)) return Malformed(absl::StrCat("the header field ", name, " is not accepted"));
  }
  STRATA_ASSIGN_OR_RETURN(token.algorithm, json::StringField(header, "alg"));
  STRATA_ASSIGN_OR_RETURN(token.key_id, json::StringField(header, "kid"));
  if (token.algorithm != "ES256" && token.algorithm != "RS256" && token.algorithm != "EdDSA") {
    return Malformed(absl::StrCat("algorithm ", Quoted(token.algorithm), " is not accepted; ES256, RS256 and EdDSA are"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<absl::Time>> TimeField(const json::Value& claims, absl::string_view name) {
  const json::Value* value = json::Find(claims, name);
  if (value == nullptr) return std::optional<absl::Time>();
  if (!value->is_number()) return Malformed(absl::StrCat("claim ", name, " is no number"));
  const double seconds = value->get<double>();
  if (!(seconds >= 0 && seconds <= static_cast<double>(kMaxSeconds))) return Malformed(absl::StrCat("claim ", name, " is no time"));
  return std::optional<absl::Time>(absl::FromUnixSeconds(static_cast<int64_t>(seconds)));
}

absl::Status AddClaims(const json::Value& value, const std::string& path, std::vector<std::pair<std::string, std::string>>& out) {
  if (value.is_object()) {
    for (const auto& item : value.items()) {
      STRATA_RETURN_IF_ERROR(AddClaims(item.value(), path.empty() ? item.key() : absl::StrCat(path, "/", item.key()), out));
    }
    return absl::OkStatus();
  }
  if (value.is_array()) {
    for (const json::Value& item : value) STRATA_RETURN_IF_ERROR(AddClaims(item, path, out));
    return absl::OkStatus();
  }
  if (value.is_null()) return absl::OkStatus();
  if (out.size() == kMaxClaims) return Malformed(absl::StrCat("more than ", kMaxClaims, " claims"));
  out.emplace_back(path, value.is_string() ? value.get<std::string>() : json::Dump(value));
  return absl::OkStatus();
}

absl::Status ReadAudience(const json::Value& claims, Jwt& token) {
  const json::Value* audience = json::Find(claims, "aud");
  if (audience == nullptr) return absl::OkStatus();
  if (audience->is_string()) {
    token.audiences.push_back(audience->get<std::string>());
    return absl::OkStatus();
  }
  auto list = json::StringListField(claims, "aud");
  if (!list.ok()) return Malformed("claim aud is neither a text nor a list of texts");
  token.audiences = *std::move(list);
  return absl::OkStatus();
}

absl::Status ReadClaims(Jwt& token) {
  STRATA_ASSIGN_OR_RETURN(const json::Value claims, ParseObject(token.payload, "payload"));
  STRATA_ASSIGN_OR_RETURN(token.issuer, json::StringField(claims, "iss"));
  STRATA_ASSIGN_OR_RETURN(token.subject, json::StringField(claims, "sub"));
  STRATA_RETURN_IF_ERROR(ReadAudience(claims, token));
  STRATA_ASSIGN_OR_RETURN(const auto expires, TimeField(claims, "exp"));
  if (!expires) return Malformed("it has no claim exp: tokens that never expire are not accepted");
  token.expires = *expires;
  STRATA_ASSIGN_OR_RETURN(const auto not_before, TimeField(claims, "nbf"));
  if (not_before) token.not_before = *not_before;
  STRATA_ASSIGN_OR_RETURN(token.issued_at, TimeField(claims, "iat"));
  return AddClaims(claims, "", token.claims);
}

// Without a kid only a set of one key leaves no choice.
const PublicKey* KeyFor(const Jwt& token, const KeySet& keys) {
  if (!token.key_id.empty()) return FindKey(keys, token.key_id);
  return keys.size() == 1 ? &keys.front() : nullptr;
}

}  // namespace

absl::StatusOr<Jwt> ParseJwt(absl::string_view text) {
  if (text.size() > kMaxJwtBytes) return Malformed(absl::StrCat("it has ", text.size(), " bytes; at most ", kMaxJwtBytes, " are read"));
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('.', 3));
  if (parts.size() != 3) return Malformed("it does not have three parts");
  Jwt token;
  STRATA_ASSIGN_OR_RETURN(const std::string header, DecodePart(parts[0], "header"));
  STRATA_ASSIGN_OR_RETURN(token.payload, DecodePart(parts[1], "payload"));
  STRATA_ASSIGN_OR_RETURN(token.signature, DecodePart(parts[2], "signature"));
  if (token.signature.empty()) return Malformed("it is not signed");
  STRATA_RETURN_IF_ERROR(ReadHeader(header, token));
  STRATA_RETURN_IF_ERROR(ReadClaims(token));
  token.signing_input = absl::StrCat(parts[0], ".", parts[1]);
  return token;
}

absl::Status VerifyJwt(const Jwt& token, const KeySet& keys, const JwtExpectations& expected) {
  const PublicKey* key = KeyFor(token, keys);
  if (key == nullptr) return Refused(absl::StrCat("it is signed with an unknown key, kid ", Quoted(token.key_id)));
  if (token.algorithm != AlgorithmName(key->algorithm())) {
    return Refused(absl::StrCat("its key signs with ", AlgorithmName(key->algorithm()), ", not with ", token.algorithm));
  }
  if (!key->Verifies(token.signing_input, token.signature)) return Refused("its signature is wrong");
  if (token.issuer != expected.issuer) return Refused(absl::StrCat("its issuer is ", Quoted(token.issuer)));
  if (std::find(token.audiences.begin(), token.audiences.end(), expected.audience) == token.audiences.end()) {
    return Refused(absl::StrCat("it is not meant for the audience ", Quoted(expected.audience)));
  }
  if (expected.now >= token.expires + kClockLeeway) return Refused(absl::StrCat("it expired at ", absl::FormatTime(token.expires)));
  if (expected.now + kClockLeeway < token.not_before) return Refused("it is not valid yet");
  if (token.issued_at && expected.now + kClockLeeway < *token.issued_at) return Refused("it was issued in the future");
  return absl::OkStatus();
}

absl::StatusOr<std::string> SignJwt(const SigningKey& key, absl::string_view payload) {
  const std::string header = absl::StrCat(R"({"typ":"JWT","alg":")", AlgorithmName(key.public_key().algorithm()), R"(","kid":")",
                                          key.public_key().id(), R"("})");
  const std::string input = absl::StrCat(Base64UrlEncode(header), ".", Base64UrlEncode(payload));
  STRATA_ASSIGN_OR_RETURN(const std::string signature, key.Sign(input));
  return absl::StrCat(input, ".", Base64UrlEncode(signature));
}

}  // namespace strata::auth
