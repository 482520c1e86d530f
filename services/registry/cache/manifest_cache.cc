#include "services/registry/cache/manifest_cache.h"

#include <iterator>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata::registry {

namespace {

// What an entry takes beside its content: strings, list and map nodes, the digest.
constexpr size_t kOverheadBytes = 512;

std::string KeyOf(absl::string_view repository, const blobstore::ManifestReference& reference) {
  return absl::StrCat(repository, absl::string_view("\0", 1), reference.digest ? reference.digest->ToString() : reference.tag);
}

}  // namespace

ManifestCache::ManifestCache(blobstore::RefStore& refs, Views views, size_t max_bytes)
    : refs_(refs), views_(std::move(views)), max_shard_bytes_(max_bytes / shards_.size()) {}

absl::StatusOr<std::shared_ptr<const blobstore::StoredManifest>> ManifestCache::Get(
    const CallContext& context, absl::string_view repository, const blobstore::ManifestReference& reference, bool head_only) {
  const std::shared_ptr<const blobstore::GenerationView> view = max_shard_bytes_ == 0 ? nullptr : views_();
  if (view == nullptr) {
    STRATA_ASSIGN_OR_RETURN(blobstore::StoredManifest manifest, refs_.GetManifest(context, repository, reference, head_only));
    return std::make_shared<const blobstore::StoredManifest>(std::move(manifest));
  }
  // Before the store is asked: a change that comes in between must not look like one that was seen.
  const uint64_t generation = view->Of(repository);
  std::string key = KeyOf(repository, reference);
  if (auto found = Find(key, view.get(), generation)) {
    hits_.fetch_add(1, std::memory_order_relaxed);
    return found;
  }
  misses_.fetch_add(1, std::memory_order_relaxed);
  STRATA_ASSIGN_OR_RETURN(blobstore::StoredManifest manifest, refs_.GetManifest(context, repository, reference, /*head_only=*/false));
  auto result = std::make_shared<const blobstore::StoredManifest>(std::move(manifest));
  const size_t size = result->content.size() + key.size() + kOverheadBytes;
  if (result->content.size() <= kMaxManifestBytes) Keep({std::move(key), result, view, generation, size});
  return result;
}

ManifestCache::Shard& ManifestCache::ShardOf(absl::string_view key) {
  return shards_[absl::Hash<absl::string_view>()(key) % shards_.size()];
}

std::shared_ptr<const blobstore::StoredManifest> ManifestCache::Find(absl::string_view key,
                                                                     const blobstore::GenerationView* view,
                                                                     uint64_t generation) {
  Shard& shard = ShardOf(key);
  MutexLock lock(shard.mutex);
  const auto found = shard.by_key.find(key);
  if (found == shard.by_key.end()) return nullptr;
  const auto entry = found->second;
  // Entries hold on to their view, so that no later one has its address.
  if (entry->view.get() != view || entry->generation != generation) {
    Drop(shard, entry);
    return nullptr;
  }
  shard.entries.splice(shard.entries.begin(), shard.entries, entry);
  return entry->manifest;
}

void ManifestCache::Keep(Entry entry) {
  Shard& shard = ShardOf(entry.key);
  MutexLock lock(shard.mutex);
  if (const auto known = shard.by_key.find(entry.key); known != shard.by_key.end()) Drop(shard, known->second);
  if (entry.size_bytes > max_shard_bytes_) return;
  while (shard.size_bytes + entry.size_bytes > max_shard_bytes_) Drop(shard, std::prev(shard.entries.end()));
  shard.size_bytes += entry.size_bytes;
  shard.entries.push_front(std::move(entry));
  shard.by_key.emplace(shard.entries.front().key, shard.entries.begin());
}

void ManifestCache::Drop(Shard& shard, std::list<Entry>::iterator entry) {
  shard.size_bytes -= entry->size_bytes;
  shard.by_key.erase(entry->key);
  shard.entries.erase(entry);
}

size_t ManifestCache::size_bytes() const {
  size_t total = 0;
  for (const Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    total += shard.size_bytes;
  }
  return total;
}

}  // namespace strata::registry
