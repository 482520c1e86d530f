// All mirrors of a registry: which names are theirs, and what they are made of.
//
//   /v2/docker-hub/library/debian/manifests/12            prefix "docker-hub"    -> library/debian at its upstream
//   /v2/library/debian/manifests/12?ns=docker.io          namespace "docker.io"  -> the same, under the name docker-hub/library/debian
//   /v2/library/debian/manifests/12                       prefix ""              -> the same, unless such a repository exists here
//
// The longest prefix wins. What the policy is asked about is the name with its prefix.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/clock.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/cache_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/metrics/metrics.h"
#include "services/registry/mirror/blob_fetcher.h"
#include "services/registry/mirror/cache_index.h"
#include "services/registry/mirror/manifest_fetcher.h"
#include "services/registry/mirror/mirror_config.h"
#include "services/registry/mirror/upstream.h"

namespace strata::registry::mirror {

struct Match {
  Upstream* upstream = nullptr;
  std::string local_name;                    // what the policy knows it as
  std::optional<std::string> upstream_name;  // nullopt: it is not offered
  std::string ns;  // the namespace that led here, if one did
  // By the empty prefix: a repository that exists here is meant rather than the upstream's.
  bool yields_to_local = false;
};

struct Stores {
  blobstore::BlobStore& blobs;
  blobstore::RefStore& refs;
  blobstore::CacheStore& cache;
};

// Thread-safe.
class Mirrors {
 public:
  // What `stores` refers to, `clock` and `metrics` outlive this object. kFailedPrecondition: the spool folder cannot be written.
  static absl::StatusOr<std::unique_ptr<Mirrors>> Open(std::vector<MirrorConfig> configs, Stores stores, const Clock& clock,
                                                       metrics::Registry& metrics, BlobFetcherOptions options);

  // nullopt: no mirror's. `ns` is the query parameter, "" when there is none; one that no mirror has is as none.
  std::optional<Match> Find(absl::string_view repository, absl::string_view ns) const;

  // Whether `match`, which yields to local repositories, has to.
  absl::StatusOr<bool> ExistsHere(const CallContext& context, const Match& match) const;

  const Stores& stores() const { return stores_; }
  CacheIndex& index() { return index_; }
  BlobFetcher& blobs() { return blobs_; }
  ManifestFetcher& manifests() { return manifests_; }
  void Count(const Upstream& upstream, Outcome outcome);

 private:
  struct Counted {
    std::unique_ptr<Upstream> upstream;
    std::array<metrics::Counter*, kOutcomes> outcomes{};
  };
  Mirrors(std::vector<MirrorConfig> configs, Stores stores, const Clock& clock, metrics::Registry& metrics, BlobFetcherOptions options);

  const Stores stores_;
  std::vector<Counted> mirrors_;  // the longest prefix first
  CacheIndex index_;
  ManifestFetcher manifests_;
  BlobFetcher blobs_;  // last: its threads use all of the above
};

}  // namespace strata::registry::mirror
