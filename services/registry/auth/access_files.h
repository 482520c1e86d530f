// The files of authentication, read and read again: users, policy, token keys, trusted issuers.
//
// A thread looks once a second whether one changed. What changed is read; a file that cannot be used leaves the one before in force
// and an error in the log. Each file counts for itself. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "lib/auth/htpasswd.h"
#include "lib/auth/issuers.h"
#include "lib/auth/policy.h"
#include "lib/auth/token.h"
#include "lib/base/mutex.h"

namespace strata::registry {

struct AccessFilePaths {
  std::string htpasswd;         // empty: no users
  std::string policy;
  std::string token_keys;       // a folder of PEM files; empty: no tokens
  std::string trusted_issuers;  // empty: none
};

// What the files say at one moment.
struct AccessFacts {
  auth::Users users;
  auth::Policy policy;
  auth::TokenKeys keys;
  auth::TrustedIssuers issuers;
  std::map<std::string, auth::KeySet> issuer_files;  // by jwks_file
};

class AccessFiles {
 public:
  // Every file must be readable and right. Errors name the file and say what is wrong in it.
  static absl::StatusOr<std::unique_ptr<AccessFiles>> Open(const AccessFilePaths& paths);
  ~AccessFiles();

  std::shared_ptr<const AccessFacts> Facts() const;

  // Reads what changed, now; whether anything did and could be used. For SIGHUP, and tests.
  bool Refresh();
  // Makes the thread look at once. Async-signal-safe.
  void RequestRefresh() { is_requested_.store(true); }

 private:
  struct Source {
    std::string path;
    std::string fingerprint;
    std::function<absl::Status(AccessFacts&)> read;
  };

  explicit AccessFiles(const AccessFilePaths& paths);
  // Of `facts` as they are, so that a new issuer's key file is watched too.
  absl::Status ReadIssuers(AccessFacts& facts) const;
  void Watch();

  const AccessFilePaths paths_;
  std::vector<Source> sources_;  // used by one thread at a time, under refreshing_
  Mutex refreshing_;
  mutable Mutex mutex_;
  CondVar stopped_;
  std::shared_ptr<const AccessFacts> facts_ ABSL_GUARDED_BY(mutex_);
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<bool> is_requested_{false};
  std::thread watcher_;
};

// Reads the folder of keys: each file that ends with .pem is a private key, which signs, or a public one, which only verifies. The last
// private key in the order of file names signs. kFailedPrecondition: there is no private key.
absl::StatusOr<auth::TokenKeys> ReadTokenKeys(const std::string& folder);

}  // namespace strata::registry
