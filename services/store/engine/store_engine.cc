#include "services/store/engine/store_engine.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "services/store/engine/blobs.h"
#include "services/store/engine/cache_records.h"
#include "services/store/engine/extent_files.h"
#include "services/store/engine/format.h"
#include "services/store/engine/generations.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/listings.h"
#include "services/store/engine/manifests.h"
#include "services/store/engine/rocks_key_value.h"
#include "services/store/engine/tags.h"
#include "services/store/gc/collector.h"
#include "services/store/gc/plan.h"
#include "services/store/gc/retention.h"
#include "services/store/ingest/upload_sessions.h"

namespace strata::store {

namespace {

absl::Status MakeDataFolder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(errno, "make the data folder");
  return absl::OkStatus();
}

// Half of a backup must not be taken for a store.
absl::Status CheckRestored(const std::string& path) {
  if (::access(absl::StrCat(path, "/.restoring").c_str(), F_OK) != 0) return absl::OkStatus();
  return absl::FailedPreconditionError("a restore into the data folder was not completed; run strata-store restore again");
}

// Makes the entries of meta/ and extents/ durable, and that of the data folder itself.
absl::Status SyncDataFolder(const std::string& path) {
  for (const std::string& folder : {path, absl::StrCat(path, "/..")}) {
    const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // A folder above that may be passed through but not read was there before us.
    if (!fd.is_valid() && errno == EACCES && folder != path) continue;
    if (!fd.is_valid()) return ErrnoStatus(errno, "open the data folder");
    if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, "fsync the data folder");
  }
  return absl::OkStatus();
}

}  // namespace

// Declared in order of need: each part goes before what it borrows.
struct StoreEngine::Parts {
  Parts(EngineOptions options_in, const Clock& clock, std::unique_ptr<KeyValueStore> kv_in, std::unique_ptr<ExtentStore> extents_in)
      : options(std::move(options_in)), kv(std::move(kv_in)), extents(std::move(extents_in)), blob_ids(*kv),
        open_sessions(options.max_sessions, options.max_sessions_a_repository), quotas(*kv),
        core{*kv, *extents, clock, options, blob_ids, removal_hold, removed_extents, open_sessions, quotas}, uploads(core), blobs(core), manifests(core), tags(core),
        listings(core), cache(core), retention(core), collector(core, uploads, cache, retention) {}

  const EngineOptions options;
  const std::unique_ptr<KeyValueStore> kv;
  const std::unique_ptr<ExtentStore> extents;
  BlobIds blob_ids;
  RemovalHold removal_hold;
  RemovedExtents removed_extents;
  OpenSessions open_sessions;
  Quotas quotas;
  const Core core;
  UploadSessions uploads;
  Blobs blobs;
  Manifests manifests;
  Tags tags;
  Listings listings;
  CacheRecords cache;
  Retention retention;
  Collector collector;
};

absl::StatusOr<std::unique_ptr<StoreEngine>> StoreEngine::Open(EngineOptions options, const Clock& clock) {
  const std::string folder = options.data_dir;
  STRATA_RETURN_IF_ERROR(MakeDataFolder(folder));
  STRATA_RETURN_IF_ERROR(CheckRestored(folder));
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<KeyValueStore> kv, OpenRocksKeyValue(absl::StrCat(folder, "/meta"), options.on_synced_commit));
  if (options.generations != nullptr) kv = CountGenerations(std::move(kv), *options.generations);
  if (options.wrap_metadata_for_test) kv = options.wrap_metadata_for_test(std::move(kv));
  STRATA_RETURN_IF_ERROR(OpenFormat(*kv, [&](absl::string_view step) {
    if (options.commit_point_for_test) options.commit_point_for_test(step);
  }));
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<ExtentStore> extents,
                          OpenExtentFiles(absl::StrCat(folder, "/extents"), options.reserved_bytes, options.on_extent_sync));
  STRATA_RETURN_IF_ERROR(SyncDataFolder(folder));
  auto parts = std::make_unique<Parts>(std::move(options), clock, std::move(kv), std::move(extents));
  STRATA_RETURN_IF_ERROR(parts->quotas.Load());
  STRATA_RETURN_IF_ERROR(parts->uploads.Recover());
  return std::unique_ptr<StoreEngine>(new StoreEngine(std::move(parts)));
}

StoreEngine::StoreEngine(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
StoreEngine::~StoreEngine() = default;

const Core& StoreEngine::core() const { return parts_->core; }

void StoreEngine::StartCollector() { parts_->collector.Start(); }
void StoreEngine::StopCollector() { parts_->collector.Stop(); }
absl::StatusOr<blobstore::GarbageReport> StoreEngine::CollectDue() { return parts_->collector.RunOnce(); }

absl::StatusOr<std::string> StoreEngine::StartUpload(const CallContext& context, absl::string_view repository,
                                                     DigestAlgorithm algorithm) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->uploads.Start(repository, algorithm);
}

absl::StatusOr<blobstore::UploadInfo> StoreEngine::GetUpload(const CallContext& context, absl::string_view repository,
                                                             absl::string_view upload_id) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->uploads.Get(repository, upload_id);
}

absl::Status StoreEngine::CancelUpload(const CallContext& context, absl::string_view repository, absl::string_view upload_id) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->uploads.Cancel(repository, upload_id);
}

absl::StatusOr<std::unique_ptr<blobstore::UploadWriter>> StoreEngine::OpenUpload(const CallContext& context,
                                                                                 absl::string_view repository,
                                                                                 absl::string_view upload_id,
                                                                                 std::optional<uint64_t> offset_bytes,
                                                                                 uint64_t incoming_bytes) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->uploads.Open(repository, upload_id, offset_bytes, incoming_bytes);
}

absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> StoreEngine::OpenBlob(const CallContext& context,
                                                                             absl::string_view repository, const Digest& digest,
                                                                             uint64_t offset_bytes,
                                                                             std::optional<uint64_t> length_bytes) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->blobs.Open(repository, digest, offset_bytes, length_bytes);
}

absl::StatusOr<std::vector<std::optional<uint64_t>>> StoreEngine::StatBlobs(const CallContext& context,
                                                                            absl::string_view repository,
                                                                            absl::Span<const Digest> digests) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->blobs.Stat(repository, digests);
}

absl::Status StoreEngine::LinkBlobs(const CallContext& context, absl::string_view repository, absl::string_view from_repository,
                                    absl::Span<const Digest> digests) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->blobs.Link(repository, from_repository, digests);
}

absl::Status StoreEngine::UnlinkBlob(const CallContext& context, absl::string_view repository, const Digest& digest) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->blobs.Unlink(repository, digest);
}

absl::StatusOr<blobstore::PutManifestResult> StoreEngine::PutManifest(const CallContext& context, absl::string_view repository,
                                                                      absl::string_view media_type, absl::string_view content,
                                                                      const blobstore::PutManifestOptions& options) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->manifests.Put(repository, media_type, content, options);
}

absl::StatusOr<blobstore::StoredManifest> StoreEngine::GetManifest(const CallContext& context, absl::string_view repository,
                                                                   const blobstore::ManifestReference& reference,
                                                                   bool head_only) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->manifests.Get(repository, reference, head_only);
}

absl::StatusOr<std::vector<std::string>> StoreEngine::DeleteManifest(const CallContext& context, absl::string_view repository,
                                                                     const Digest& digest) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->manifests.Delete(repository, digest);
}

absl::Status StoreEngine::SetTag(const CallContext& context, absl::string_view repository, absl::string_view tag,
                                 const Digest& digest, const blobstore::TagCondition& condition) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->tags.Set(repository, tag, digest, condition);
}

absl::StatusOr<Digest> StoreEngine::DeleteTag(const CallContext& context, absl::string_view repository, absl::string_view tag,
                                              const blobstore::TagCondition& condition) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->tags.Delete(repository, tag, condition);
}

absl::StatusOr<blobstore::Page<blobstore::TagHistoryEntry>> StoreEngine::ListTagHistory(const CallContext& context,
                                                                                        absl::string_view repository,
                                                                                        absl::string_view tag, uint64_t before,
                                                                                        int limit) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->tags.ListHistory(repository, tag, before, limit);
}

absl::StatusOr<blobstore::Page<blobstore::TagEntry>> StoreEngine::ListTags(const CallContext& context,
                                                                           absl::string_view repository,
                                                                           absl::string_view last, int limit) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->listings.ListTags(repository, last, limit);
}

absl::StatusOr<blobstore::Page<std::string>> StoreEngine::ListRepositories(const CallContext& context, absl::string_view last,
                                                                           int limit) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->listings.ListRepositories(last, limit);
}

absl::StatusOr<blobstore::Page<blobstore::ManifestEntry>> StoreEngine::ListManifests(const CallContext& context,
                                                                                     absl::string_view repository,
                                                                                     absl::string_view last, int limit) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->listings.ListManifests(repository, last, limit);
}

absl::StatusOr<blobstore::Page<blobstore::Referrer>> StoreEngine::ListReferrers(const CallContext& context,
                                                                                absl::string_view repository,
                                                                                const Digest& subject,
                                                                                absl::string_view artifact_type,
                                                                                absl::string_view last, int limit) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->listings.ListReferrers(repository, subject, artifact_type, last, limit);
}

absl::StatusOr<std::string> StoreEngine::GetRecord(const CallContext& context, absl::string_view key) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->cache.Get(key);
}

absl::Status StoreEngine::PutRecord(const CallContext& context, absl::string_view key, absl::string_view value,
                                    absl::Span<const Digest> needs) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->cache.Put(key, value, needs);
}

absl::StatusOr<blobstore::PruneReport> StoreEngine::PruneRecords(const CallContext& context, absl::Time unused_since, bool is_dry_run) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->cache.Prune(unused_since, is_dry_run);
}

absl::StatusOr<blobstore::Quota> StoreEngine::SetQuota(const CallContext& context, absl::string_view prefix,
                                                       const blobstore::QuotaLimits& limits) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->quotas.Set(prefix, limits);
}

absl::Status StoreEngine::DeleteQuota(const CallContext& context, absl::string_view prefix) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->quotas.Delete(prefix);
}

absl::StatusOr<std::vector<blobstore::Quota>> StoreEngine::ListQuotas(const CallContext& context) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->quotas.List();
}

absl::StatusOr<blobstore::StoreStatistics> StoreEngine::GetStatistics(const CallContext& context) {
  STRATA_RETURN_IF_ERROR(context.Check());
  using keys::Count;
  KeyValueStore& kv = *parts_->kv;
  blobstore::StoreStatistics statistics;
  STRATA_ASSIGN_OR_RETURN(statistics.blobs, kv.ReadCounter(keys::Counter(Count::kBlobs)));
  STRATA_ASSIGN_OR_RETURN(statistics.blob_bytes, kv.ReadCounter(keys::Counter(Count::kBlobBytes)));
  STRATA_ASSIGN_OR_RETURN(statistics.repositories, kv.ReadCounter(keys::Counter(Count::kRepositories)));
  STRATA_ASSIGN_OR_RETURN(statistics.manifests, kv.ReadCounter(keys::Counter(Count::kManifests)));
  STRATA_ASSIGN_OR_RETURN(statistics.tags, kv.ReadCounter(keys::Counter(Count::kTags)));
  STRATA_ASSIGN_OR_RETURN(statistics.open_uploads, kv.ReadCounter(keys::Counter(Count::kUploads)));
  STRATA_ASSIGN_OR_RETURN(statistics.cache_records, kv.ReadCounter(keys::Counter(Count::kCacheRecords)));
  STRATA_ASSIGN_OR_RETURN(statistics.quarantined_blobs, kv.ReadCounter(keys::Counter(Count::kQuarantined)));
  STRATA_ASSIGN_OR_RETURN(statistics.cache_bytes, kv.ReadCounter(keys::Counter(Count::kCacheBytes)));
  statistics.quota_refusals = parts_->quotas.refusals();
  STRATA_ASSIGN_OR_RETURN(statistics.disk_free_bytes, parts_->extents->FreeBytes());
  return statistics;
}

absl::StatusOr<blobstore::GarbageReport> StoreEngine::CollectGarbage(const CallContext& context,
                                                                    const blobstore::CollectOptions& options) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return options.dry_run ? PlanCollection(parts_->core, context) : parts_->collector.RunNow(context);
}

absl::StatusOr<std::vector<blobstore::RetentionRule>> StoreEngine::GetRetentionRules(const CallContext& context) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->retention.Get();
}

absl::Status StoreEngine::SetRetentionRules(const CallContext& context, const std::vector<blobstore::RetentionRule>& rules) {
  STRATA_RETURN_IF_ERROR(context.Check());
  return parts_->retention.Set(rules);
}

absl::StatusOr<blobstore::RetentionReport> StoreEngine::ApplyRetention(const CallContext& context,
                                                                       const blobstore::RetentionRunOptions& options) {
  const Retention::Pace pace = {
      .goes_on = [&context]() -> absl::StatusOr<bool> {
        STRATA_RETURN_IF_ERROR(context.Check());
        return true;
      },
      .rest = [](absl::Duration) {}};
  return parts_->retention.Apply(options, pace);
}

}  // namespace strata::store
