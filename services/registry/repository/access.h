// Who asks, and who may do what: the seam that every route goes through before it acts.
//
// The rules themselves are lib/auth/policy.h, one function; services/registry/auth connects them with files and requests.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/auth/policy.h"
#include "lib/auth/scope.h"
#include "lib/base/call_context.h"
#include "lib/http/request.h"
#include "lib/http/response.h"

namespace strata::registry {

using auth::Action;

// A failure's challenge parameter error="...": "invalid_token" or "insufficient_scope". OK and other failures have none: "".
absl::Status WithChallengeError(absl::string_view error, absl::Status status);
std::string ChallengeErrorOf(const absl::Status& status);

// Called from many threads at once.
class AccessControl {
 public:
  virtual ~AccessControl() = default;

  // Who sent the request: by its Authorization field, else by its client certificate, else nobody in particular. May block.
  // kUnauthenticated: what was shown proves nothing (401). kResourceExhausted: too many wrong attempts (429).
  virtual absl::StatusOr<auth::Caller> Authenticate(const CallContext& context, const http::Request& request) = 0;

  // OK: go on. kUnauthenticated: a caller we do not know, or a token that does not reach so far (401, with a challenge).
  // kPermissionDenied: known, but may not (403).
  virtual absl::Status Authorize(const auth::Caller& caller, const auth::Question& question) const = 0;

  // Whether Authorize() could refuse to change such a tag for its name alone: routes then look whether it exists.
  virtual bool HasImmutableTags(absl::string_view repository) const = 0;
  virtual bool IsImmutableTag(absl::string_view repository, absl::string_view tag) const = 0;

  // Sets WWW-Authenticate on a 401 answer. `scopes` is what the request would have needed.
  virtual void Challenge(const http::Request& request, const std::vector<auth::Scope>& scopes, absl::string_view error,
                         http::Headers& headers) const = 0;

  // Answers /token. kNotFound: tokens are not issued here.
  virtual absl::Status ServeToken(const CallContext& context, const http::Request& request, http::ResponseWriter& response) = 0;
};

// The open registry: everybody may do everything.
class OpenAccess final : public AccessControl {
 public:
  absl::StatusOr<auth::Caller> Authenticate(const CallContext&, const http::Request&) override { return auth::Caller(); }
  absl::Status Authorize(const auth::Caller&, const auth::Question&) const override { return absl::OkStatus(); }
  bool HasImmutableTags(absl::string_view) const override { return false; }
  bool IsImmutableTag(absl::string_view, absl::string_view) const override { return false; }
  void Challenge(const http::Request&, const std::vector<auth::Scope>&, absl::string_view, http::Headers&) const override {}
  absl::Status ServeToken(const CallContext&, const http::Request&, http::ResponseWriter&) override {
    return absl::NotFoundError("this registry issues no tokens: it needs none");
  }
};

}  // namespace strata::registry
