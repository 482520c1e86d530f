// Manifests, indexes, tags and referrers; every change is one transaction.
//
// proto/strata/store/v1/manifest.proto is the same on the wire. Thread-safe; calls block. Implementations and contract suite as
// for BlobStore.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/call_context.h"
#include "lib/digest/digest.h"

namespace strata::blobstore {

// A manifest or index as stored: `content` is byte for byte what was pushed.
struct StoredManifest {
  Digest digest;
  std::string media_type;
  uint64_t size_bytes = 0;
  std::string content;  // empty when only the head was asked for
  absl::Time pushed;
};

struct PutManifestOptions {
  std::optional<Digest> expected_digest;  // checked against the content
  std::vector<std::string> tags;          // pointed at the manifest in the same transaction
  bool link_blobs = false;                // first link every blob it names from whatever repository holds it (services only)
};

struct PutManifestResult {
  Digest digest;
  std::optional<Digest> subject;
};

struct TagEntry {
  std::string name;
  Digest digest;
  absl::Time updated;
};

struct ManifestEntry {
  Digest digest;
  std::string media_type;
  uint64_t size_bytes = 0;
  absl::Time pushed;
};

struct Referrer {
  Digest digest;
  std::string media_type;
  uint64_t size_bytes = 0;
  std::string artifact_type;
  std::vector<std::pair<std::string, std::string>> annotations;
};

// A page of a listing in byte order.
template <typename T>
struct Page {
  std::vector<T> items;
  bool has_more = false;
};

// Either a tag or a digest.
struct ManifestReference {
  std::string tag;
  std::optional<Digest> digest;
};

class RefStore {
 public:
  virtual ~RefStore() = default;

  // kInvalidArgument: over 4 MiB, not a manifest, disagrees with the media type, or another digest.
  // kFailedPrecondition: the repository lacks what the manifest names; the message lists up to 10 of them.
  virtual absl::StatusOr<PutManifestResult> PutManifest(const CallContext& context, absl::string_view repository,
                                                        absl::string_view media_type, absl::string_view content,
                                                        const PutManifestOptions& options) = 0;

  // kNotFound.
  virtual absl::StatusOr<StoredManifest> GetManifest(const CallContext& context, absl::string_view repository,
                                                     const ManifestReference& reference, bool head_only = false) = 0;

  // Removes the manifest and every tag that points to it; returns those tags. kNotFound.
  // kFailedPrecondition: an index of the repository names it still.
  virtual absl::StatusOr<std::vector<std::string>> DeleteManifest(const CallContext& context, absl::string_view repository,
                                                                  const Digest& digest) = 0;

  // kNotFound: no such manifest in the repository. kAborted: `expected` is given and the tag does not point there.
  virtual absl::Status SetTag(const CallContext& context, absl::string_view repository, absl::string_view tag,
                              const Digest& digest, const std::optional<Digest>& expected = std::nullopt) = 0;

  // Returns what it pointed to. kNotFound.
  virtual absl::StatusOr<Digest> DeleteTag(const CallContext& context, absl::string_view repository,
                                           absl::string_view tag) = 0;

  // `limit` 0 means 1000; more than 10000 is taken as 10000. kNotFound: the repository is unknown.
  virtual absl::StatusOr<Page<TagEntry>> ListTags(const CallContext& context, absl::string_view repository,
                                                  absl::string_view last, int limit) = 0;
  // Reserved names (leading "_") are left out.
  virtual absl::StatusOr<Page<std::string>> ListRepositories(const CallContext& context, absl::string_view last,
                                                             int limit) = 0;
  virtual absl::StatusOr<Page<ManifestEntry>> ListManifests(const CallContext& context, absl::string_view repository,
                                                            absl::string_view last, int limit) = 0;
  // Empty when there are none, never kNotFound. `artifact_type` empty: all.
  virtual absl::StatusOr<Page<Referrer>> ListReferrers(const CallContext& context, absl::string_view repository,
                                                       const Digest& subject, absl::string_view artifact_type,
                                                       absl::string_view last, int limit) = 0;
};

}  // namespace strata::blobstore
