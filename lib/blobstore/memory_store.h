// A store in memory: every rule of the interfaces, none of the durability. For tests of whatever uses a store.
//
// Thread-safe. Readers and writers must not outlive the store. Content is held twice while an upload commits.
// A link is a lease for kLease; afterwards CollectGarbage() takes it away unless a manifest of its repository names the blob (or,
// in the builder's repository, a cache record needs it).
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/blobstore/admin_store.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/cache_store.h"
#include "lib/blobstore/quota_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/oci/manifest.h"

namespace strata::blobstore {

class MemoryStore final : public BlobStore, public RefStore, public CacheStore, public QuotaStore, public AdminStore {
 public:
  static constexpr absl::Duration kLease = absl::Hours(24);
  static constexpr size_t kHistoryEntries = 100;

  MemoryStore() : MemoryStore(DefaultClock()) {}
  // `clock` outlives this object.
  explicit MemoryStore(const Clock& clock) : clock_(clock) {}

  absl::StatusOr<std::string> StartUpload(const CallContext& context, absl::string_view repository,
                                          DigestAlgorithm algorithm) override;
  absl::StatusOr<UploadInfo> GetUpload(const CallContext& context, absl::string_view repository,
                                       absl::string_view upload_id) override;
  absl::Status CancelUpload(const CallContext& context, absl::string_view repository, absl::string_view upload_id) override;
  absl::StatusOr<std::unique_ptr<UploadWriter>> OpenUpload(const CallContext& context, absl::string_view repository,
                                                           absl::string_view upload_id,
                                                           std::optional<uint64_t> offset_bytes,
                                                           uint64_t incoming_bytes = 0) override;
  absl::StatusOr<std::unique_ptr<BlobReader>> OpenBlob(const CallContext& context, absl::string_view repository,
                                                       const Digest& digest, uint64_t offset_bytes = 0,
                                                       std::optional<uint64_t> length_bytes = std::nullopt) override;
  absl::StatusOr<std::vector<std::optional<uint64_t>>> StatBlobs(const CallContext& context, absl::string_view repository,
                                                                 absl::Span<const Digest> digests) override;
  absl::Status LinkBlobs(const CallContext& context, absl::string_view repository, absl::string_view from_repository,
                         absl::Span<const Digest> digests) override;
  absl::Status UnlinkBlob(const CallContext& context, absl::string_view repository, const Digest& digest) override;

  absl::StatusOr<PutManifestResult> PutManifest(const CallContext& context, absl::string_view repository,
                                                absl::string_view media_type, absl::string_view content,
                                                const PutManifestOptions& options) override;
  absl::StatusOr<StoredManifest> GetManifest(const CallContext& context, absl::string_view repository,
                                             const ManifestReference& reference, bool head_only = false) override;
  absl::StatusOr<std::vector<std::string>> DeleteManifest(const CallContext& context, absl::string_view repository,
                                                          const Digest& digest) override;
  absl::Status SetTag(const CallContext& context, absl::string_view repository, absl::string_view tag, const Digest& digest,
                      const TagCondition& condition = {}) override;
  absl::StatusOr<Digest> DeleteTag(const CallContext& context, absl::string_view repository, absl::string_view tag,
                                   const TagCondition& condition = {}) override;
  absl::StatusOr<Page<TagHistoryEntry>> ListTagHistory(const CallContext& context, absl::string_view repository,
                                                       absl::string_view tag, uint64_t before, int limit) override;
  absl::StatusOr<Page<TagEntry>> ListTags(const CallContext& context, absl::string_view repository, absl::string_view last,
                                          int limit) override;
  absl::StatusOr<Page<std::string>> ListRepositories(const CallContext& context, absl::string_view last, int limit) override;
  absl::StatusOr<Page<ManifestEntry>> ListManifests(const CallContext& context, absl::string_view repository,
                                                    absl::string_view last, int limit) override;
  absl::StatusOr<Page<Referrer>> ListReferrers(const CallContext& context, absl::string_view repository,
                                               const Digest& subject, absl::string_view artifact_type, absl::string_view last,
                                               int limit) override;

  absl::StatusOr<std::string> GetRecord(const CallContext& context, absl::string_view key) override;
  absl::Status PutRecord(const CallContext& context, absl::string_view key, absl::string_view value,
                         absl::Span<const Digest> needs) override;
  absl::StatusOr<PruneReport> PruneRecords(const CallContext& context, absl::Time unused_since,
                                           bool is_dry_run = false) override;

  absl::StatusOr<Quota> SetQuota(const CallContext& context, absl::string_view prefix, const QuotaLimits& limits) override;
  absl::Status DeleteQuota(const CallContext& context, absl::string_view prefix) override;
  absl::StatusOr<std::vector<Quota>> ListQuotas(const CallContext& context) override;

  absl::StatusOr<StoreStatistics> GetStatistics(const CallContext& context) override;
  absl::StatusOr<GarbageReport> CollectGarbage(const CallContext& context, const CollectOptions& options = {}) override;

  // The blob is gone as if its disk had lost it; links and records stay.
  void LoseBlobForTest(const Digest& digest);

 private:
  class Writer;
  using Content = std::shared_ptr<const std::string>;  // shared by the store and the readers that are still at it

  struct Upload {
    std::string repository;
    std::string content;
    absl::Time started;
    absl::Time last_write;
    bool has_writer = false;
    bool has_ended = false;
  };
  struct ManifestRow {
    StoredManifest stored;
    oci::Manifest parsed;
  };
  struct Repository {
    std::map<Digest, absl::Time> links;  // when the lease began
    std::map<Digest, ManifestRow> manifests;
    std::map<std::string, TagEntry> tags;
  };
  // What CollectGarbage works on, by itself: a dry run takes a copy.
  struct Contents {
    std::map<Digest, Content> blobs;
    std::map<std::string, Repository> repositories;
    std::map<std::pair<std::string, Digest>, absl::Time> orphans;  // manifests that lost what named them, and when
  };
  struct Record {
    std::string value;
    std::vector<Digest> needs;
    absl::Time last_used;
  };

  static const Clock& DefaultClock();
  absl::StatusOr<std::shared_ptr<Upload>> FindUpload(absl::string_view repository, absl::string_view upload_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Repository* FindRepository(absl::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Null: `repository` (empty: any) cannot read it.
  const Content* FindBlob(absl::string_view repository, const Digest& digest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Where the tag points now.
  std::optional<Digest> TagTarget(absl::string_view repository, const std::string& tag) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RecordChange(absl::string_view repository, const std::string& tag, TagChange change, const std::optional<Digest>& digest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Points the tag of a known repository at the manifest, or removes it (`digest` absent).
  void MoveTag(absl::string_view repository, const std::string& tag, TagChange change, const std::optional<Digest>& digest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Notes what an index or subject that goes leaves behind.
  static void Orphan(const Repository& there, const std::string& repository, const ManifestRow& gone, absl::Time now,
                     std::map<std::pair<std::string, Digest>, absl::Time>* orphans);
  // Whether a tag, an index or a living subject keeps the manifest.
  static bool IsNamed(const Repository& there, const ManifestRow& manifest);
  GarbageReport Collect(Contents* contents) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What `manifest` names and `repository` lacks, as text.
  std::vector<std::string> Missing(absl::string_view repository, const oci::Manifest& manifest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // What is used under the prefix; `but_upload` is not looked at.
  Quota Use(absl::string_view prefix, const QuotaLimits& limits, absl::string_view but_upload) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // kResourceExhausted: so much more in the repository is beyond a quota.
  absl::Status CheckQuotas(absl::string_view repository, int64_t bytes, int64_t manifests, absl::string_view but_upload = "")
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What records used since then are charged.
  int64_t CacheBytes(absl::Time used_since) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  std::map<Digest, Content> blobs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Repository> repositories_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, std::vector<TagHistoryEntry>> histories_ ABSL_GUARDED_BY(mutex_);  // oldest first
  std::map<std::string, std::shared_ptr<Upload>> uploads_ ABSL_GUARDED_BY(mutex_);  // shared with the writer
  std::map<std::string, QuotaLimits> quotas_ ABSL_GUARDED_BY(mutex_);
  int64_t quota_refusals_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::pair<std::string, Digest>, absl::Time> orphans_ ABSL_GUARDED_BY(mutex_);  // manifests that lost what named them
  std::map<std::string, Record> records_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace strata::blobstore
