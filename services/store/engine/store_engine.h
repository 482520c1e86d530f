// The store's engine: facts in RocksDB, large blobs in extent files, both in one data folder.
//
//   <data_dir>/meta/      RocksDB (rocks_key_value.h); keys: keyspace.h, values: rows.h
//   <data_dir>/extents/   one file a blob over 32 KiB (extent_files.h)
//
// Implements the whole contract of lib/blobstore; docs/formats/store.md describes every byte on disk. What is acknowledged is
// durable: data and folder synced, then the facts synced, then the answer. Opening repairs what a crash left (unacknowledged
// bytes, extents nobody names) before it returns.
//
// Thread-safe; calls block. Readers and writers that it handed out must go before it does.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/blobstore/admin_store.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/cache_store.h"
#include "lib/blobstore/quota_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/blobstore/retention.h"
#include "services/store/engine/core.h"

namespace strata::store {

class StoreEngine final : public blobstore::BlobStore,
                          public blobstore::RefStore,
                          public blobstore::CacheStore,
                          public blobstore::QuotaStore,
                          public blobstore::AdminStore,
                          public blobstore::RetentionStore {
 public:
  // `clock` outlives the engine. kFailedPrecondition: the folder is in use by another process, or was written by a newer Strata.
  // kDataLoss: the metadata is damaged.
  static absl::StatusOr<std::unique_ptr<StoreEngine>> Open(EngineOptions options, const Clock& clock);
  ~StoreEngine() override;

  // For the rooms beside the engine that look after the same rows (scrub, verify, backup). Lives as long as the engine.
  const Core& core() const;

  // Collects what is due, in a thread, until StopCollector() or destruction.
  void StartCollector();
  void StopCollector();
  // What that thread does once.
  absl::StatusOr<blobstore::GarbageReport> CollectDue();

  // BlobStore.
  absl::StatusOr<std::string> StartUpload(const CallContext& context, absl::string_view repository,
                                          DigestAlgorithm algorithm) override;
  absl::StatusOr<blobstore::UploadInfo> GetUpload(const CallContext& context, absl::string_view repository,
                                                  absl::string_view upload_id) override;
  absl::Status CancelUpload(const CallContext& context, absl::string_view repository, absl::string_view upload_id) override;
  absl::StatusOr<std::unique_ptr<blobstore::UploadWriter>> OpenUpload(const CallContext& context, absl::string_view repository,
                                                                      absl::string_view upload_id,
                                                                      std::optional<uint64_t> offset_bytes,
                                                                      uint64_t incoming_bytes = 0) override;
  absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> OpenBlob(const CallContext& context, absl::string_view repository,
                                                                  const Digest& digest, uint64_t offset_bytes,
                                                                  std::optional<uint64_t> length_bytes) override;
  absl::StatusOr<std::vector<std::optional<uint64_t>>> StatBlobs(const CallContext& context, absl::string_view repository,
                                                                 absl::Span<const Digest> digests) override;
  absl::Status LinkBlobs(const CallContext& context, absl::string_view repository, absl::string_view from_repository,
                         absl::Span<const Digest> digests) override;
  absl::Status UnlinkBlob(const CallContext& context, absl::string_view repository, const Digest& digest) override;

  // RefStore.
  absl::StatusOr<blobstore::PutManifestResult> PutManifest(const CallContext& context, absl::string_view repository,
                                                           absl::string_view media_type, absl::string_view content,
                                                           const blobstore::PutManifestOptions& options) override;
  absl::StatusOr<blobstore::StoredManifest> GetManifest(const CallContext& context, absl::string_view repository,
                                                        const blobstore::ManifestReference& reference,
                                                        bool head_only) override;
  absl::StatusOr<std::vector<std::string>> DeleteManifest(const CallContext& context, absl::string_view repository,
                                                          const Digest& digest) override;
  absl::Status SetTag(const CallContext& context, absl::string_view repository, absl::string_view tag, const Digest& digest,
                      const blobstore::TagCondition& condition = {}) override;
  absl::StatusOr<Digest> DeleteTag(const CallContext& context, absl::string_view repository, absl::string_view tag,
                                   const blobstore::TagCondition& condition = {}) override;
  absl::StatusOr<blobstore::Page<blobstore::TagHistoryEntry>> ListTagHistory(const CallContext& context,
                                                                             absl::string_view repository, absl::string_view tag,
                                                                             uint64_t before, int limit) override;
  absl::StatusOr<blobstore::Page<blobstore::TagEntry>> ListTags(const CallContext& context, absl::string_view repository,
                                                                absl::string_view last, int limit) override;
  absl::StatusOr<blobstore::Page<std::string>> ListRepositories(const CallContext& context, absl::string_view last,
                                                                int limit) override;
  absl::StatusOr<blobstore::Page<blobstore::ManifestEntry>> ListManifests(const CallContext& context,
                                                                          absl::string_view repository,
                                                                          absl::string_view last, int limit) override;
  absl::StatusOr<blobstore::Page<blobstore::Referrer>> ListReferrers(const CallContext& context, absl::string_view repository,
                                                                     const Digest& subject, absl::string_view artifact_type,
                                                                     absl::string_view last, int limit) override;

  // CacheStore.
  absl::StatusOr<std::string> GetRecord(const CallContext& context, absl::string_view key) override;
  absl::Status PutRecord(const CallContext& context, absl::string_view key, absl::string_view value,
                         absl::Span<const Digest> needs) override;
  absl::StatusOr<blobstore::PruneReport> PruneRecords(const CallContext& context, absl::Time unused_since,
                                           bool is_dry_run = false) override;

  // QuotaStore.
  absl::StatusOr<blobstore::Quota> SetQuota(const CallContext& context, absl::string_view prefix,
                                            const blobstore::QuotaLimits& limits) override;
  absl::Status DeleteQuota(const CallContext& context, absl::string_view prefix) override;
  absl::StatusOr<std::vector<blobstore::Quota>> ListQuotas(const CallContext& context) override;

  // AdminStore.
  absl::StatusOr<blobstore::StoreStatistics> GetStatistics(const CallContext& context) override;
  absl::StatusOr<blobstore::GarbageReport> CollectGarbage(const CallContext& context,
                                                        const blobstore::CollectOptions& options = {}) override;

  // RetentionStore.
  absl::StatusOr<std::vector<blobstore::RetentionRule>> GetRetentionRules(const CallContext& context) override;
  absl::Status SetRetentionRules(const CallContext& context, const std::vector<blobstore::RetentionRule>& rules) override;
  absl::StatusOr<blobstore::RetentionReport> ApplyRetention(const CallContext& context,
                                                            const blobstore::RetentionRunOptions& options) override;

 private:
  struct Parts;
  explicit StoreEngine(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace strata::store
