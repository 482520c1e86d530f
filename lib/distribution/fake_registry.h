// A tiny registry in memory for tests of what talks to registries. It can ask for tokens, redirect blobs, break connections and
// lie about content.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/http/server.h"

namespace strata::distribution {

struct FakeRegistryBehaviour {
  bool asks_for_token = false;   // of user "ann", password "secret"; anonymous gets none
  bool asks_for_basic = false;   // of the same
  bool ignores_range = false;
  std::string blob_host;         // "http://...": blobs are redirected there
  int break_reads = 0;           // how many blob reads break off in their middle
  bool refuses_mounts = false;   // with 403
  size_t tags_a_page = 2;
};

// Thread-safe.
class FakeRegistry {
 public:
  explicit FakeRegistry(FakeRegistryBehaviour behaviour = {});

  std::string host() const;  // "127.0.0.1:port"
  void AddBlob(const std::string& repository, const std::string& digest, const std::string& content);
  void AddManifest(const std::string& repository, const std::string& reference, const std::string& content);
  void RemoveManifest(const std::string& repository, const std::string& reference);
  // "" when there is none.
  std::string blob(const std::string& repository, const std::string& digest) const;
  std::string manifest(const std::string& repository, const std::string& reference) const;
  // "METHOD /path" of every request so far, with "+auth" when it carried an Authorization.
  std::vector<std::string> log() const;
  void ForgetTokens();  // those issued so far are answered 401

 private:
  void Handle(const http::Request& request, http::ResponseWriter& response);
  bool Authorize(const http::Request& request, http::ResponseWriter& response);
  void SendToken(const http::Request& request, http::ResponseWriter& response);
  void SendBlob(const http::Request& request, http::ResponseWriter& response, const std::string& key);
  void SendManifest(const http::Request& request, http::ResponseWriter& response, const std::string& key);
  void SendTags(const http::Request& request, http::ResponseWriter& response, const std::string& repository);
  void StartUpload(const http::Request& request, http::ResponseWriter& response, const std::string& repository);
  void FinishUpload(const http::Request& request, http::ResponseWriter& response, const std::string& repository);

  mutable Mutex mutex_;
  FakeRegistryBehaviour behaviour_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> blobs_ ABSL_GUARDED_BY(mutex_);      // "repository@digest"
  std::map<std::string, std::string> manifests_ ABSL_GUARDED_BY(mutex_);  // "repository:reference"
  std::vector<std::string> log_ ABSL_GUARDED_BY(mutex_);
  int token_generation_ ABSL_GUARDED_BY(mutex_) = 1;
  std::unique_ptr<http::Server> server_;  // last: it stops before what its handler uses goes
};

}  // namespace strata::distribution
