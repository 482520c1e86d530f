// MemoryStore's side of QuotaStore: everything is counted anew each time.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/blobstore/errors.h"
#include "lib/blobstore/memory_store.h"
#include "lib/oci/reference.h"

namespace strata::blobstore {

namespace {

bool IsUnder(absl::string_view repository, absl::string_view prefix) {
  if (absl::StartsWith(repository, "_")) return false;
  return prefix.empty() || repository == prefix || absl::StartsWith(repository, absl::StrCat(prefix, "/"));
}

}  // namespace

Quota MemoryStore::Use(absl::string_view prefix, const QuotaLimits& limits, absl::string_view but_upload) {
  Quota quota{std::string(prefix), limits};
  for (const auto& [name, repository] : repositories_) {
    if (!IsUnder(name, prefix)) continue;
    for (const auto& [digest, leased] : repository.links) {
      const auto blob = blobs_.find(digest);
      if (blob != blobs_.end()) quota.used_bytes += static_cast<int64_t>(blob->second->size());
    }
    for (const auto& [digest, row] : repository.manifests) quota.used_bytes += static_cast<int64_t>(row.stored.size_bytes);
    quota.used_manifests += static_cast<int64_t>(repository.manifests.size());
  }
  for (const auto& [id, upload] : uploads_) {
    if (id != but_upload && IsUnder(upload->repository, prefix)) quota.reserved_bytes += static_cast<int64_t>(upload->content.size());
  }
  return quota;
}

absl::Status MemoryStore::CheckQuotas(absl::string_view repository, int64_t bytes, int64_t manifests, absl::string_view but_upload) {
  for (const auto& [prefix, limits] : quotas_) {
    if (!IsUnder(repository, prefix)) continue;
    const Quota use = Use(prefix, limits, but_upload);
    const bool fits = (limits.bytes == 0 || bytes == 0 || use.used_bytes + use.reserved_bytes + bytes <= limits.bytes) &&
                      (limits.manifests == 0 || manifests == 0 || use.used_manifests + manifests <= limits.manifests);
    if (fits) continue;
    ++quota_refusals_;
    return ExhaustedError(Exhausted::kQuota, absl::StrCat("the quota of \"", prefix, "\" (", limits.bytes, " bytes, ", limits.manifests,
                                                          " manifests) has no room for ", bytes, " bytes more"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Quota> MemoryStore::SetQuota(const CallContext& context, absl::string_view prefix, const QuotaLimits& limits) {
  STRATA_RETURN_IF_ERROR(context.Check());
  if (!prefix.empty()) STRATA_RETURN_IF_ERROR(oci::ValidateRepository(prefix));
  if (limits.bytes < 0 || limits.manifests < 0 || (limits.bytes == 0 && limits.manifests == 0)) {
    return absl::InvalidArgumentError("a quota needs a limit above 0");
  }
  MutexLock lock(mutex_);
  quotas_[std::string(prefix)] = limits;
  return Use(prefix, limits, "");
}

absl::Status MemoryStore::DeleteQuota(const CallContext& context, absl::string_view prefix) {
  STRATA_RETURN_IF_ERROR(context.Check());
  MutexLock lock(mutex_);
  if (quotas_.erase(std::string(prefix)) > 0) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("there is no quota of \"", prefix, "\""));
}

absl::StatusOr<std::vector<Quota>> MemoryStore::ListQuotas(const CallContext& context) {
  STRATA_RETURN_IF_ERROR(context.Check());
  MutexLock lock(mutex_);
  std::vector<Quota> quotas;
  for (const auto& [prefix, limits] : quotas_) quotas.push_back(Use(prefix, limits, ""));
  return quotas;
}

}  // namespace strata::blobstore
