// Who asks: nobody in particular, a user with a password, an identity proven by an outside issuer, or a client certificate.
//
// The kinds are spelled apart ("user:ci", "identity:ci", "certificate:ci"), so that no one of them can pass for another.
// Value types; thread-compatible.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::auth {

inline constexpr size_t kMaxPrincipalNameBytes = 256;

struct Principal {
  enum class Kind { kAnonymous, kUser, kIdentity, kCertificate };

  Kind kind = Kind::kAnonymous;
  std::string name;  // empty for kAnonymous

  static Principal User(absl::string_view name) { return {Kind::kUser, std::string(name)}; }
  static Principal Identity(absl::string_view name) { return {Kind::kIdentity, std::string(name)}; }
  static Principal Certificate(absl::string_view name) { return {Kind::kCertificate, std::string(name)}; }
  // The inverse of ToString(). kInvalidArgument.
  static absl::StatusOr<Principal> Parse(absl::string_view text);

  bool is_anonymous() const { return kind == Kind::kAnonymous; }
  // "anonymous", "user:alice", "identity:ci", "certificate:node-1".
  std::string ToString() const;
  bool operator==(const Principal&) const = default;
};

// What the TLS layer learned of a client whose certificate it verified.
struct PeerCertificate {
  std::string common_name;              // of the subject; may be empty
  std::vector<std::string> uris;        // subject alternative names of type URI (spiffe://...)
  std::vector<std::string> dns_names;   // ... of type DNS

  // The name that policies know the client by: the first URI, else the common name, else the first DNS name; anonymous without any.
  Principal ToPrincipal() const;
};

// A user or group name as files hold it: letters, digits and "._@+/-", not empty, at most kMaxPrincipalNameBytes.
bool IsPlainName(absl::string_view name);

}  // namespace strata::auth
