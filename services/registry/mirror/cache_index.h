// What the mirror holds: records of the store's cache that say which upstream content lies in the store.
//
// A record keeps the blob it names alive, and the store drops the records that were not used for longest when its budget for cache
// records is full. So mirrored content is bounded and leaves by itself, and is never in the catalog. A blob is served for a
// repository only when a record says that this upstream has it there: the bytes alone, which may be another repository's, are no
// permission. docs/formats/mirror-record.md has keys and values.
// Thread-safe; calls block.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/cache_store.h"
#include "lib/digest/digest.h"
#include "services/registry/mirror/mirror_config.h"

namespace strata::registry::mirror {

struct ManifestRecord {
  Digest digest;
  std::string media_type;
  uint64_t size_bytes = 0;

  bool operator==(const ManifestRecord&) const = default;
};

struct TagRecord {
  std::optional<ManifestRecord> manifest;  // nullopt: the upstream said that there is none
  absl::Time checked;                      // when it last said so
};

// What records are kept apart by: two mirrors of one upstream, with other credentials perhaps, share none.
std::string ScopeOf(const MirrorConfig& mirror, const std::string& upstream_name);

class CacheIndex {
 public:
  // `store` outlives this object.
  explicit CacheIndex(blobstore::CacheStore& store) : store_(store) {}

  // nullopt: no record, or one that cannot be read. Errors are the store's.
  absl::StatusOr<std::optional<TagRecord>> FindTag(const CallContext& context, const std::string& scope, const std::string& tag);
  absl::StatusOr<std::optional<ManifestRecord>> FindManifest(const CallContext& context, const std::string& scope, const Digest& digest);
  absl::StatusOr<std::optional<uint64_t>> FindBlob(const CallContext& context, const std::string& scope, const Digest& digest);
  // Whether a manifest of this repository was ever served.
  absl::StatusOr<bool> FindRepository(const CallContext& context, const std::string& scope);

  // The blobs must be in the store already.
  absl::Status PutTag(const CallContext& context, const std::string& scope, const std::string& tag, const TagRecord& record);
  absl::Status PutManifest(const CallContext& context, const std::string& scope, const ManifestRecord& record);
  absl::Status PutBlob(const CallContext& context, const std::string& scope, const Digest& digest, uint64_t size_bytes);
  absl::Status PutRepository(const CallContext& context, const std::string& scope);

 private:
  absl::StatusOr<std::optional<std::string>> Find(const CallContext& context, const std::string& key);

  blobstore::CacheStore& store_;
};

}  // namespace strata::registry::mirror
