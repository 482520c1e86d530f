// MemoryStore's side of CacheStore and AdminStore.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/blobstore/memory_store.h"

namespace strata::blobstore {

namespace {

constexpr size_t kMaxKeyBytes = 256;
constexpr size_t kMaxValueBytes = 1 << 20;

}  // namespace

absl::StatusOr<std::string> MemoryStore::GetRecord(const CallContext& context, absl::string_view key) {
  STRATA_RETURN_IF_ERROR(context.Check());
  MutexLock lock(mutex_);
  const auto found = records_.find(std::string(key));
  if (found == records_.end()) return absl::NotFoundError("no such cache record");
  for (const Digest& digest : found->second.needs) {
    if (blobs_.contains(digest)) continue;
    const std::string gone = digest.ToString();
    records_.erase(found);
    return absl::NotFoundError(absl::StrCat("blob ", gone, ", which the cache record needs, is gone"));
  }
  found->second.last_used = clock_.Now();
  return found->second.value;
}

absl::Status MemoryStore::PutRecord(const CallContext& context, absl::string_view key, absl::string_view value,
                                    absl::Span<const Digest> needs) {
  STRATA_RETURN_IF_ERROR(context.Check());
  if (key.empty() || key.size() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(absl::StrCat("cache key of ", key.size(), " bytes; want 1 to ", kMaxKeyBytes));
  }
  if (value.size() > kMaxValueBytes) {
    return absl::InvalidArgumentError(absl::StrCat("cache record of ", value.size(), " bytes; at most ", kMaxValueBytes));
  }
  MutexLock lock(mutex_);
  for (const Digest& digest : needs) {
    if (blobs_.contains(digest)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("blob ", digest.ToString(), ", which the cache record needs, does not exist; store it first"));
  }
  records_[std::string(key)] = Record{std::string(value), {needs.begin(), needs.end()}, clock_.Now()};
  return absl::OkStatus();
}

int64_t MemoryStore::CacheBytes(absl::Time used_since) {
  int64_t bytes = 0;
  std::set<Digest> needed;
  for (const auto& [key, record] : records_) {
    if (record.last_used < used_since) continue;
    bytes += static_cast<int64_t>(record.value.size());
    needed.insert(record.needs.begin(), record.needs.end());
  }
  for (const Digest& digest : needed) {
    const auto blob = blobs_.find(digest);
    if (blob != blobs_.end()) bytes += static_cast<int64_t>(blob->second->size());
  }
  return bytes;
}

absl::StatusOr<PruneReport> MemoryStore::PruneRecords(const CallContext& context, absl::Time unused_since, bool is_dry_run) {
  STRATA_RETURN_IF_ERROR(context.Check());
  MutexLock lock(mutex_);
  const auto is_unused = [&](const auto& row) { return row.second.last_used < unused_since; };
  PruneReport report;
  report.records = std::count_if(records_.begin(), records_.end(), is_unused);
  report.bytes = CacheBytes(absl::InfinitePast()) - CacheBytes(unused_since);
  if (!is_dry_run) std::erase_if(records_, is_unused);
  return report;
}

absl::StatusOr<StoreStatistics> MemoryStore::GetStatistics(const CallContext& context) {
  STRATA_RETURN_IF_ERROR(context.Check());
  StoreStatistics statistics;
  MutexLock lock(mutex_);
  statistics.blobs = static_cast<int64_t>(blobs_.size());
  for (const auto& [digest, content] : blobs_) statistics.blob_bytes += static_cast<int64_t>(content->size());
  for (const auto& [name, repository] : repositories_) {
    if (name.front() != '_') ++statistics.repositories;
    statistics.manifests += static_cast<int64_t>(repository.manifests.size());
    statistics.tags += static_cast<int64_t>(repository.tags.size());
  }
  statistics.open_uploads = static_cast<int64_t>(uploads_.size());
  statistics.quota_refusals = quota_refusals_;
  statistics.cache_records = static_cast<int64_t>(records_.size());
  statistics.cache_bytes = CacheBytes(absl::InfinitePast());
  return statistics;
}

void MemoryStore::Orphan(const Repository& there, const std::string& repository, const ManifestRow& gone, absl::Time now,
                         std::map<std::pair<std::string, Digest>, absl::Time>* orphans) {
  for (const oci::Descriptor& child : gone.parsed.manifests) (*orphans)[{repository, child.digest}] = now;
  for (const auto& [digest, row] : there.manifests) {
    if (row.parsed.subject && row.parsed.subject->digest == gone.stored.digest) (*orphans)[{repository, digest}] = now;
  }
}

bool MemoryStore::IsNamed(const Repository& there, const ManifestRow& manifest) {
  const Digest& digest = manifest.stored.digest;
  for (const auto& [name, tag] : there.tags) {
    if (tag.digest == digest) return true;
  }
  for (const auto& [parent, row] : there.manifests) {
    for (const oci::Descriptor& child : row.parsed.manifests) {
      if (child.digest == digest) return true;
    }
  }
  return manifest.parsed.subject && there.manifests.contains(manifest.parsed.subject->digest);
}

GarbageReport MemoryStore::Collect(Contents* contents) {
  GarbageReport report;
  const absl::Time now = clock_.Now();
  const absl::Time lease_end = now - kLease;
  std::map<std::pair<std::string, Digest>, absl::Time> left;
  for (const auto& [orphan, since] : contents->orphans) {
    ++report.objects_examined;
    if (since > lease_end) {
      left[orphan] = since;
      continue;
    }
    const auto there = contents->repositories.find(orphan.first);
    if (there == contents->repositories.end()) continue;
    const auto row = there->second.manifests.find(orphan.second);
    if (row == there->second.manifests.end() || row->second.stored.pushed > lease_end || IsNamed(there->second, row->second)) continue;
    Orphan(there->second, orphan.first, row->second, now, &left);
    there->second.manifests.erase(row);
    ++report.manifests_removed;
  }
  contents->orphans = std::move(left);
  std::set<Digest> needed;
  for (const auto& [key, record] : records_) needed.insert(record.needs.begin(), record.needs.end());
  std::set<Digest> kept = needed;
  for (auto& [name, repository] : contents->repositories) {
    std::set<Digest> named = name == kBuildRepository ? needed : std::set<Digest>();
    for (const auto& [digest, row] : repository.manifests) {
      if (row.parsed.config) named.insert(row.parsed.config->digest);
      for (const oci::Descriptor& layer : row.parsed.layers) named.insert(layer.digest);
    }
    std::erase_if(repository.links, [&](const auto& link) {
      if (named.contains(link.first)) return false;
      if (link.second <= lease_end) return true;
      ++report.blobs_later;
      const auto blob = contents->blobs.find(link.first);
      if (blob != contents->blobs.end()) report.bytes_later += static_cast<int64_t>(blob->second->size());
      return false;
    });
    for (const auto& [digest, leased] : repository.links) kept.insert(digest);
  }
  std::erase_if(contents->repositories, [](const auto& row) { return row.second.links.empty() && row.second.manifests.empty(); });
  std::erase_if(contents->blobs, [&](const auto& blob) {
    ++report.objects_examined;
    if (kept.contains(blob.first)) return false;
    ++report.blobs_removed;
    report.bytes_reclaimed += static_cast<int64_t>(blob.second->size());
    return true;
  });
  return report;
}

absl::StatusOr<GarbageReport> MemoryStore::CollectGarbage(const CallContext& context, const CollectOptions& options) {
  STRATA_RETURN_IF_ERROR(context.Check());
  MutexLock lock(mutex_);
  Contents contents{blobs_, repositories_, orphans_};
  const GarbageReport report = Collect(&contents);
  if (options.dry_run) return report;
  blobs_ = std::move(contents.blobs);
  repositories_ = std::move(contents.repositories);
  orphans_ = std::move(contents.orphans);
  return report;
}

}  // namespace strata::blobstore
