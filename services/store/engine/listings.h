// The listings of RefStore: pages in byte order that cost what they return. Thread-safe; calls block.
#pragma once

#include <cstddef>
#include <string>

#include "lib/blobstore/ref_store.h"
#include "services/store/engine/core.h"

namespace strata::store {

// How many items a page of `limit` has: 0 means 1000, more than 10000 is taken as 10000. kInvalidArgument: negative.
absl::StatusOr<size_t> PageSize(int limit);

class Listings {
 public:
  // `core` outlives this object.
  explicit Listings(const Core& core) : core_(core) {}
  absl::StatusOr<blobstore::Page<blobstore::TagEntry>> ListTags(absl::string_view repository, absl::string_view last, int limit);
  absl::StatusOr<blobstore::Page<std::string>> ListRepositories(absl::string_view last, int limit);
  absl::StatusOr<blobstore::Page<blobstore::ManifestEntry>> ListManifests(absl::string_view repository, absl::string_view last,
                                                                          int limit);
  absl::StatusOr<blobstore::Page<blobstore::Referrer>> ListReferrers(absl::string_view repository, const Digest& subject,
                                                                     absl::string_view artifact_type, absl::string_view last,
                                                                     int limit);

 private:
  absl::Status RequireRepository(absl::string_view repository);
  const Core& core_;
};

}  // namespace strata::store
