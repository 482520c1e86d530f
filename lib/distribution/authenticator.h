// Proves to a registry who we are: Basic, or a bearer token from the server that the registry names.
//
// Authorizations are kept per registry and scope and used until the registry answers 401, so no clock is involved.
// Spec: distribution, "Token Authentication", and "OAuth2 Token Authentication" where a refresh token is what we have.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/base/mutex.h"
#include "lib/distribution/challenge.h"
#include "lib/distribution/endpoint.h"
#include "lib/http/client.h"

namespace strata::distribution {

// The user that stands for "the password is a refresh token": docker's configuration has it as identitytoken.
inline constexpr char kRefreshTokenUser[] = "<token>";

struct Credentials {
  std::string user;
  std::string password;
};

// Asked with the host as people write it ("docker.io", "quay.example:5000"); nullopt: anonymous. Called from several threads.
using CredentialSource = std::function<std::optional<Credentials>(const std::string& host)>;

// Whether credentials may be sent to the token server that a registry names; a failure says why not. Empty: to any.
using RealmCheck = std::function<absl::Status(const http::Url& realm)>;

// Thread-safe.
class Authenticator {
 public:
  // `client` must outlive this object. `credentials` and `realm_check` may be empty.
  Authenticator(http::Client& client, CredentialSource credentials, RealmCheck realm_check = nullptr)
      : client_(client), credentials_(std::move(credentials)), realm_check_(std::move(realm_check)) {}

  // The Authorization value that last worked for these scopes ("repository:a/b:pull"); "" when none is known.
  std::string Known(const Endpoint& endpoint, const std::vector<std::string>& scopes) const;

  // Answers the challenge of a 401 and remembers the result. kUnauthenticated: no credentials for what is asked, or they were
  // refused. kFailedPrecondition: a challenge that may not be answered (a plain-HTTP realm for an HTTPS registry, or one that the
  // realm check refuses).
  absl::StatusOr<std::string> Answer(const CallContext& context, const Endpoint& endpoint, const std::vector<std::string>& scopes,
                                     const http::Headers& response_headers);

 private:
  absl::StatusOr<std::string> FetchToken(const CallContext& context, const Endpoint& endpoint, const std::vector<std::string>& scopes,
                                         const Challenge& challenge, const std::optional<Credentials>& credentials);

  http::Client& client_;
  const CredentialSource credentials_;
  const RealmCheck realm_check_;
  mutable Mutex mutex_;
  std::map<std::string, std::string> known_ ABSL_GUARDED_BY(mutex_);  // by registry and scopes
};

}  // namespace strata::distribution
