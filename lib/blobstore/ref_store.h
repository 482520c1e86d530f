// Manifests, indexes, tags and referrers; every change is one transaction.
//
// proto/strata/store/v1/manifest.proto is the same on the wire. Thread-safe; calls block. Implementations and contract suite as
// for BlobStore.
#pragma once

#include <cstdint>
#include <map>
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

// What a tag must be for a change to happen; made of a digest, or of nothing at all for "whatever it is".
class TagCondition {
 public:
  TagCondition() = default;
  TagCondition(std::nullopt_t) {}                                                     // NOLINT: converts
  TagCondition(Digest digest) : kind_(Kind::kDigest), digest_(std::move(digest)) {}   // NOLINT: converts
  TagCondition(const std::optional<Digest>& digest) {                                 // NOLINT: converts
    if (digest) *this = TagCondition(*digest);
  }
  // The tag must not exist: a change that only creates.
  static TagCondition Absent() {
    TagCondition condition;
    condition.kind_ = Kind::kAbsent;
    return condition;
  }

  bool is_any() const { return kind_ == Kind::kAny; }
  bool is_absent() const { return kind_ == Kind::kAbsent; }
  const Digest& digest() const { return digest_; }  // empty unless it is one

  // kAborted, saying what the tag points to, unless `now`, what it points to (absent: there is no such tag), is as wanted.
  absl::Status Check(absl::string_view repository, absl::string_view tag, const std::optional<Digest>& now) const;

 private:
  enum class Kind { kAny, kAbsent, kDigest };
  Kind kind_ = Kind::kAny;
  Digest digest_;
};

struct PutManifestOptions {
  std::optional<Digest> expected_digest;  // checked against the content
  std::vector<std::string> tags;          // pointed at the manifest in the same transaction
  std::map<std::string, TagCondition> tag_conditions;  // by tag, whether it is among `tags` or not: all must hold, or nothing happens
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

// Why a tag points elsewhere. Values are on disk and on the wire.
enum class TagChange : uint8_t {
  kBeforeHistory = 0,    // where it was when its history began
  kPush = 1,             // PutManifest named the tag
  kSet = 2,              // SetTag
  kDelete = 3,           // DeleteTag
  kManifestDeleted = 4,  // DeleteManifest took its tags along
  kRetention = 5,        // a retention rule removed the tag
};

struct TagHistoryEntry {
  uint64_t sequence = 0;         // grows by one with each change of the tag, whatever the clock says
  TagChange change = TagChange::kBeforeHistory;
  std::optional<Digest> digest;  // what it pointed to from then on; absent: to nothing, the tag was removed
  absl::Time at;
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
  // kAborted: a tag condition does not hold.
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

  // kNotFound: no such manifest in the repository. kAborted: the condition does not hold.
  virtual absl::Status SetTag(const CallContext& context, absl::string_view repository, absl::string_view tag,
                              const Digest& digest, const TagCondition& condition = {}) = 0;

  // Returns what it pointed to. kNotFound. kAborted: the tag points elsewhere than the condition says.
  virtual absl::StatusOr<Digest> DeleteTag(const CallContext& context, absl::string_view repository, absl::string_view tag,
                                           const TagCondition& condition = {}) = 0;

  // What the tag pointed to, newest first, from the entry before sequence `before` on (0: from the newest). Kept for the newest
  // 100 changes and 90 days unless the store is told otherwise, also after the tag went; a push of what the tag points to
  // already is no change. It keeps no manifest alive: an entry says what was, GetManifest whether it is still there.
  // kNotFound: neither the tag nor a history of it exists.
  virtual absl::StatusOr<Page<TagHistoryEntry>> ListTagHistory(const CallContext& context, absl::string_view repository,
                                                               absl::string_view tag, uint64_t before, int limit) = 0;

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
