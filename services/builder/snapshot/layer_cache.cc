#include "services/builder/snapshot/layer_cache.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"

namespace strata::snapshot {
namespace {

constexpr char kNeedsChain[] = "the layer must be unpacked over the layers below it";

std::string ChainKey(const Layer& layer, const Digest& chain) { return absl::StrCat(layer.diff_id.ToString(), "@", chain.ToString()); }

}  // namespace

LayerCache::~LayerCache() {
  std::vector<StoredLayer> unsynced;
  {
    MutexLock lock(mutex_);
    for (const auto& [number, entry] : entries_) {
      if (!entry.stored.record.unsynced_boot.empty()) unsynced.push_back(entry.stored);
    }
  }
  if (!unsynced.empty()) dir_.SyncLayers(unsynced);
}

absl::Status LayerCache::Load() {
  STRATA_ASSIGN_OR_RETURN(const std::vector<StoredLayer> layers, dir_.LoadLayers());
  {
    MutexLock lock(mutex_);
    for (const StoredLayer& layer : layers) {
      if (!by_key_.emplace(layer.record.key, layer.number).second) continue;
      bytes_ += layer.record.size_bytes;
      entries_[layer.number] = {.stored = layer};
      const std::pair<std::string, std::string> parts = absl::StrSplit(layer.record.key, absl::MaxSplits('@', 1));
      if (!parts.second.empty() && !by_key_.contains(parts.first)) needs_chain_.insert(parts.first);
    }
  }
  Evict();
  return absl::OkStatus();
}

int64_t LayerCache::BytesUsed() const {
  MutexLock lock(mutex_);
  return bytes_;
}

bool LayerCache::NeedsChain(const Digest& diff_id) const {
  MutexLock lock(mutex_);
  return needs_chain_.contains(diff_id.ToString()) && !by_key_.contains(diff_id.ToString());
}

absl::StatusOr<std::unique_ptr<LayerCache::Pin>> LayerCache::AcquireAlone(const CallContext& context, const Layer& layer, bool is_bottom,
                                                                          const FetchProgress& progress) {
  const std::string key = layer.diff_id.ToString();
  const auto unpack = [&]() -> absl::Status {
    auto unpacked = unpacker_.Unpack(context, layer, {}, progress);
    const bool failed_alone = absl::IsFailedPrecondition(unpacked.status());
    if (failed_alone || (unpacked.ok() && unpacked->leaves_to_lower)) {
      if (unpacked.ok() && is_bottom) {
        // With nothing below, alone and over its chain are the same.
        STRATA_RETURN_IF_ERROR(Insert({.key = ChainKey(layer, Digest::Of("")), .size_bytes = unpacked->size_bytes, .has_root_entry = true}, unpacked->relative));
      } else if (unpacked.ok()) {
        janitor_.Delete(unpacked->relative);
      }
      MutexLock lock(mutex_);
      needs_chain_.insert(key);
      return absl::AbortedError(kNeedsChain);
    }
    STRATA_RETURN_IF_ERROR(unpacked.status());
    return Insert({.key = key, .size_bytes = unpacked->size_bytes, .has_root_entry = unpacked->has_root_entry}, unpacked->relative);
  };
  if (NeedsChain(layer.diff_id)) return nullptr;
  auto pin = Obtain(context, key, unpack);
  if (absl::IsAborted(pin.status()) && NeedsChain(layer.diff_id)) return nullptr;
  return pin;
}

absl::StatusOr<std::unique_ptr<LayerCache::Pin>> LayerCache::AcquireOver(const CallContext& context, const Layer& layer, const Digest& chain,
                                                                         const std::vector<std::string>& below, const FetchProgress& progress) {
  const std::string key = ChainKey(layer, chain);
  return Obtain(context, key, [&]() -> absl::Status {
    STRATA_ASSIGN_OR_RETURN(const UnpackedLayer unpacked, unpacker_.Unpack(context, layer, below, progress));
    return Insert({.key = key, .size_bytes = unpacked.size_bytes, .has_root_entry = true}, unpacked.relative);
  });
}

absl::StatusOr<std::unique_ptr<LayerCache::Pin>> LayerCache::Obtain(const CallContext& context, const std::string& key,
                                                                    const std::function<absl::Status()>& unpack) {
  // A layer may be evicted between the moment it is there and the moment we pin it; with room for one layer, twice.
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (std::unique_ptr<Pin> pin = Find(key)) return pin;
    std::unique_ptr<Pin> fresh;
    STRATA_RETURN_IF_ERROR(flights_.Run(context, key, [&]() -> absl::Status {
      fresh = Find(key);
      if (fresh != nullptr) return absl::OkStatus();
      STRATA_RETURN_IF_ERROR(unpack());
      fresh = Find(key);
      return absl::OkStatus();
    }));
    if (fresh != nullptr) return fresh;
  }
  return absl::AbortedError(absl::StrCat("layer ", key, " was removed from this builder's disk while it was needed; try again"));
}

std::unique_ptr<LayerCache::Pin> LayerCache::Find(const std::string& key) {
  MutexLock lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  Entry& entry = entries_[found->second];
  ++entry.pins;
  return std::make_unique<Pin>(*this, found->second, entry.stored.record.has_root_entry);
}

absl::Status LayerCache::Insert(LayerRecord record, const std::string& relative) {
  record.unsynced_boot = CurrentBoot();
  if (record.unsynced_boot.empty()) record.unsynced_boot = "unknown";
  STRATA_ASSIGN_OR_RETURN(const uint64_t number, dir_.Adopt(relative, record));
  MutexLock lock(mutex_);
  bytes_ += record.size_bytes;
  by_key_[record.key] = number;
  entries_[number] = {.stored = {.number = number, .record = std::move(record), .last_used = absl::Now()}};
  return absl::OkStatus();
}

absl::Status LayerCache::Add(const Digest& diff_id, const std::string& relative, int64_t size_bytes) {
  const std::string key = diff_id.ToString();
  STRATA_RETURN_IF_ERROR(flights_.Run(CallContext(), key, [&]() -> absl::Status {
    if (Find(key) != nullptr) return absl::OkStatus();
    return Insert({.key = key, .size_bytes = size_bytes}, relative);
  }));
  Evict();
  return absl::OkStatus();
}

void LayerCache::Unpin(uint64_t number) {
  const absl::Time now = absl::Now();
  bool is_free = false;
  {
    MutexLock lock(mutex_);
    Entry& entry = entries_[number];
    entry.stored.last_used = now;
    is_free = --entry.pins == 0;
  }
  if (!is_free) return;
  dir_.Touch(number, now);
  Evict();
}

void LayerCache::Evict() {
  std::vector<uint64_t> victims;
  {
    MutexLock lock(mutex_);
    int64_t unused_bytes = 0;
    std::vector<const Entry*> unused;
    for (const auto& [number, entry] : entries_) {
      if (entry.pins > 0) continue;
      unused.push_back(&entry);
      unused_bytes += entry.stored.record.size_bytes;
    }
    std::sort(unused.begin(), unused.end(), [](const Entry* a, const Entry* b) { return a->stored.last_used < b->stored.last_used; });
    for (const Entry* entry : unused) {
      if (unused_bytes <= max_bytes_) break;
      unused_bytes -= entry->stored.record.size_bytes;
      victims.push_back(entry->stored.number);
    }
    for (const uint64_t number : victims) {
      const LayerRecord& record = entries_[number].stored.record;
      bytes_ -= record.size_bytes;
      by_key_.erase(record.key);
      entries_.erase(number);
    }
  }
  for (const uint64_t number : victims) {
    auto trash = dir_.Retire(number);
    // What stays without a record is removed at the next start.
    if (trash.ok()) janitor_.Delete(*std::move(trash));
  }
}

}  // namespace strata::snapshot
