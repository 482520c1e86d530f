// Brings blobs from upstreams into the store, each one once however many ask for it.
//
// A fetch has a thread of its own, so no client's pace is another's. It goes on when its clients are gone: who asks again finds the
// blob in the store. When the store cannot take it, clients still get it.
// The upload goes to the builder's repository, where a blob lives as long as a cache record needs it (cache_index.h).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/base/cancellation.h"
#include "lib/base/mutex.h"
#include "lib/blobstore/blob_store.h"
#include "services/registry/mirror/blob_flight.h"
#include "services/registry/mirror/cache_index.h"
#include "services/registry/mirror/upstream.h"

namespace strata::registry::mirror {

struct BlobFetcherOptions {
  std::string spool_folder = "/tmp";
  size_t max_fetches = 64;  // at the same moment; more wait
};

// A repository at an upstream.
struct Origin {
  Upstream* upstream = nullptr;  // outlives the fetcher
  std::string name;              // there: "library/debian"
  std::string scope;             // of its records
};

// Thread-safe.
class BlobFetcher {
 public:
  // All references outlive this object.
  BlobFetcher(blobstore::BlobStore& blobs, CacheIndex& index, BlobFetcherOptions options);
  ~BlobFetcher();  // cancels what is under way and waits for it
  BlobFetcher(const BlobFetcher&) = delete;
  BlobFetcher& operator=(const BlobFetcher&) = delete;

  // The fetch of this blob that is under way, or a new one. kUnavailable: too many others, or no thread.
  absl::StatusOr<std::shared_ptr<BlobFlight>> Fetch(const CallContext& context, const Origin& origin, const Digest& digest);

  size_t running() const;

 private:
  void Run(const std::string& key, Origin origin, Digest digest, std::shared_ptr<BlobFlight> flight);
  // Serves the blob without fetching it: from the store, when the upstream says that this repository has it.
  absl::StatusOr<bool> TakeFromStore(const CallContext& context, const Origin& origin, const Digest& digest);
  absl::Status Bring(const CallContext& context, const Origin& origin, const Digest& digest, BlobFlight& flight);

  blobstore::BlobStore& blobs_;
  CacheIndex& index_;
  const BlobFetcherOptions options_;
  Cancellation stop_;
  mutable Mutex mutex_;
  CondVar landed_;
  std::map<std::string, std::shared_ptr<BlobFlight>> flights_ ABSL_GUARDED_BY(mutex_);  // shared with their readers
  size_t threads_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace strata::registry::mirror
