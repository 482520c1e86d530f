// The store over gRPC: all five interfaces, as proto/strata/store/v1 says them on the wire.
//
// Thread-safe; one client serves a whole program. Its connection comes and goes by itself: when the store is away, calls fail
// with kUnavailable, "store at 127.0.0.1:7071 is not reachable: ...; is it running?", and succeed again within a second after it
// is back. Nothing is retried here: a broken upload is resumed by whoever holds the content.
// On the store's host blobs are read from the store's own files, verified here, and uploads over 1 MiB go straight into them
// (blob.proto, OpenBlob and WriteUpload); the store still decides who may, at each call. Else content travels in 1 MiB messages; a
// writer or reader holds one or two of them in memory. Readers and writers must not outlive
// the client, nor the Cancellation of the CallContext they were opened with.
#pragma once

#include <memory>
#include <string>

#include "lib/blobstore/admin_store.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/cache_store.h"
#include "lib/blobstore/generation_view.h"
#include "lib/blobstore/quota_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/blobstore/retention.h"

namespace strata::blobstore {

struct StoreClientOptions {
  // Reads and writes blobs in the store's own files where store and client share a host (lib/descriptor); elsewhere by gRPC all the same.
  bool use_descriptors = true;
};

class StoreClient final : public BlobStore, public RefStore, public CacheStore, public QuotaStore, public AdminStore, public RetentionStore {
 public:
  // `address` is "host:port" or "unix:/path". Does not connect yet: see Ping().
  static std::unique_ptr<StoreClient> Connect(const std::string& address, const StoreClientOptions& options = {});
  ~StoreClient() override;

  // OK when the store answers.
  absl::Status Ping(const CallContext& context) { return GetStatistics(context).status(); }

  // The store's change counters, when it runs on this host and can be reached; null elsewhere. Tries to get them at most once a
  // second, with a call of its own.
  std::shared_ptr<const GenerationView> Generations();

  // BlobStore. UploadWriter::Write() fails as soon as the store has ended the stream, with the reason it gave.
  absl::StatusOr<std::string> StartUpload(const CallContext& context, absl::string_view repository,
                                          DigestAlgorithm algorithm) override;
  absl::StatusOr<UploadInfo> GetUpload(const CallContext& context, absl::string_view repository,
                                       absl::string_view upload_id) override;
  absl::Status CancelUpload(const CallContext& context, absl::string_view repository, absl::string_view upload_id) override;
  absl::StatusOr<std::unique_ptr<UploadWriter>> OpenUpload(const CallContext& context, absl::string_view repository,
                                                           absl::string_view upload_id,
                                                           std::optional<uint64_t> offset_bytes,
                                                           uint64_t incoming_bytes = 0) override;
  absl::Status FinishUpload(const CallContext& context, absl::string_view repository, absl::string_view upload_id,
                            std::optional<uint64_t> offset_bytes, absl::string_view content, const Digest& digest,
                            std::optional<uint64_t> size_bytes = std::nullopt) override;
  absl::StatusOr<std::unique_ptr<BlobReader>> OpenBlob(const CallContext& context, absl::string_view repository,
                                                       const Digest& digest, uint64_t offset_bytes = 0,
                                                       std::optional<uint64_t> length_bytes = std::nullopt) override;
  absl::StatusOr<std::vector<std::optional<uint64_t>>> StatBlobs(const CallContext& context, absl::string_view repository,
                                                                 absl::Span<const Digest> digests) override;
  absl::Status LinkBlobs(const CallContext& context, absl::string_view repository, absl::string_view from_repository,
                         absl::Span<const Digest> digests) override;
  absl::Status UnlinkBlob(const CallContext& context, absl::string_view repository, const Digest& digest) override;

  // RefStore. A page may be shorter than `limit` although has_more is set: one message carries about 4 MiB.
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

  // CacheStore.
  absl::StatusOr<std::string> GetRecord(const CallContext& context, absl::string_view key) override;
  absl::Status PutRecord(const CallContext& context, absl::string_view key, absl::string_view value,
                         absl::Span<const Digest> needs) override;
  absl::StatusOr<PruneReport> PruneRecords(const CallContext& context, absl::Time unused_since,
                                           bool is_dry_run = false) override;

  // QuotaStore.
  absl::StatusOr<Quota> SetQuota(const CallContext& context, absl::string_view prefix, const QuotaLimits& limits) override;
  absl::Status DeleteQuota(const CallContext& context, absl::string_view prefix) override;
  absl::StatusOr<std::vector<Quota>> ListQuotas(const CallContext& context) override;

  // AdminStore.
  absl::StatusOr<StoreStatistics> GetStatistics(const CallContext& context) override;
  absl::StatusOr<GarbageReport> CollectGarbage(const CallContext& context, const CollectOptions& options = {}) override;

  // RetentionStore.
  absl::StatusOr<std::vector<RetentionRule>> GetRetentionRules(const CallContext& context) override;
  absl::Status SetRetentionRules(const CallContext& context, const std::vector<RetentionRule>& rules) override;
  absl::StatusOr<RetentionReport> ApplyRetention(const CallContext& context, const RetentionRunOptions& options) override;

 private:
  struct Stubs;
  explicit StoreClient(std::unique_ptr<Stubs> stubs);

  const std::unique_ptr<Stubs> stubs_;
};

}  // namespace strata::blobstore
