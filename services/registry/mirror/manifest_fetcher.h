// Manifests and indexes of upstreams: from the store as long as they may be, else from the upstream, each asked for once.
//
//   by digest   held: served for ever, it cannot change.   not held: fetched
//   by tag      held and looked at less than revalidate_after ago: served
//               held for longer: one HEAD to the upstream
//                  same digest -> served, good for another revalidate_after        another digest -> fetched
//                  404, 401, 403 -> not found; noted, so that it is not served when the upstream is away later
//                  anything else -> served as it is, with a warning ("stale")
//               not held: fetched
//
// Bytes lie in the store as blobs, so that a manifest is kept without the layers it names: clients fetch those they need.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/base/clock.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "services/registry/mirror/blob_fetcher.h"
#include "services/registry/mirror/cache_index.h"
#include "services/registry/mirror/single_flight.h"

namespace strata::registry::mirror {

enum class Outcome { kHit, kMiss, kRevalidated, kStale, kNotFound, kError };
inline constexpr size_t kOutcomes = static_cast<size_t>(Outcome::kError) + 1;
// "hit": for metrics and logs.
absl::string_view OutcomeName(Outcome outcome);

struct ServedManifest {
  blobstore::StoredManifest manifest;
  Outcome outcome = Outcome::kHit;
  std::string warning;       // of a stale one: the value of the Warning field
  absl::Status why_stale;    // for the log
};

// Thread-safe; calls block.
class ManifestFetcher {
 public:
  // All references outlive this object.
  ManifestFetcher(blobstore::BlobStore& blobs, CacheIndex& index, const Clock& clock) : blobs_(blobs), index_(index), clock_(clock) {}

  // kNotFound: the upstream has none. kUnavailable, kResourceExhausted: it cannot be asked and there is no copy.
  absl::StatusOr<ServedManifest> Get(const CallContext& context, const Origin& origin, const blobstore::ManifestReference& reference);

 private:
  absl::StatusOr<ServedManifest> GetByDigest(const CallContext& context, const Origin& origin, const Digest& digest);
  absl::StatusOr<ServedManifest> GetByTag(const CallContext& context, const Origin& origin, const std::string& tag);
  absl::StatusOr<ServedManifest> Revalidate(const CallContext& context, const Origin& origin, const std::string& tag,
                                            const std::optional<TagRecord>& held);
  // Fetches, keeps and serves; `tag` "" when `reference` is a digest.
  absl::StatusOr<ServedManifest> Fetch(const CallContext& context, const Origin& origin, const std::string& reference, const std::string& tag);
  absl::Status Keep(const CallContext& context, const Origin& origin, const std::string& tag, const distribution::FetchedManifest& manifest);
  // Reads the bytes back. kNotFound: they are gone, or damaged.
  absl::StatusOr<ServedManifest> Serve(const CallContext& context, const ManifestRecord& record, Outcome outcome);
  // `why` OK: the upstream was not asked, it rests.
  absl::StatusOr<ServedManifest> ServeStale(const CallContext& context, const ManifestRecord& record, const absl::Status& why);
  absl::StatusOr<ServedManifest> NoteAbsence(const CallContext& context, const Origin& origin, const std::string& tag, absl::Status status);
  bool IsFresh(const Origin& origin, const std::optional<TagRecord>& record) const;

  blobstore::BlobStore& blobs_;
  CacheIndex& index_;
  const Clock& clock_;
  SingleFlight<absl::StatusOr<ServedManifest>> flights_;
};

}  // namespace strata::registry::mirror
