// The keys of trusted issuers that publish them at a URL: fetched when first needed, kept, fetched again.
//
//   kept ── older than an hour, or a token with an unknown kid ──► fetched again, at most every 30 s for an issuer
//        ── the fetch fails ──► kept on for a day, then the issuer's tokens are refused
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/auth/issuers.h"
#include "lib/auth/jwt.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/http/client.h"

namespace strata::registry {

// Thread-safe.
class IssuerKeys {
 public:
  // `clock` outlives this object.
  explicit IssuerKeys(const Clock& clock);

  // The keys to verify `token` with. Blocks while they are fetched, 10 s at most; other issuers do not wait.
  // kUnavailable: they cannot be had.
  absl::StatusOr<auth::KeySet> KeysFor(const CallContext& context, const auth::TrustedIssuer& issuer, const auth::Jwt& token);

 private:
  struct Entry {
    Mutex mutex;
    auth::KeySet keys ABSL_GUARDED_BY(mutex);
    absl::Time fetched ABSL_GUARDED_BY(mutex) = absl::InfinitePast();
    absl::Time tried ABSL_GUARDED_BY(mutex) = absl::InfinitePast();
  };
  std::shared_ptr<Entry> EntryOf(const std::string& url);
  absl::StatusOr<auth::KeySet> Fetch(const CallContext& context, const auth::TrustedIssuer& issuer);

  const Clock& clock_;
  http::Client client_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<Entry>> entries_ ABSL_GUARDED_BY(mutex_);  // by URL; shared with whoever fetches
};

// kPermissionDenied: `host` is, or resolves to, an address that is not public: loopback, link-local, private, multicast.
absl::Status CheckPublicHost(const std::string& host);

}  // namespace strata::registry
