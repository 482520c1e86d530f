// The unpacked layers of this disk: which are there, which are in use, which go next.
//
// Normally a layer is unpacked alone and serves under its diff ID in every image. Some archives leave things to the layers below: a
// parent directory without entry, an opaque root, a hard link down. Such a layer is unpacked over its chain and serves under
// "<diff ID>@<digest of the diff IDs below>". The same happens where the layer says nothing of the root directory and the one below
// has another owner or mode than it was given: overlayfs shows the topmost.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "lib/base/mutex.h"
#include "services/builder/snapshot/flights.h"
#include "services/builder/snapshot/janitor.h"
#include "services/builder/snapshot/layer_unpacker.h"

namespace strata::snapshot {

// Thread-safe. `dir` and `unpacker` must outlive it.
class LayerCache {
 public:
  LayerCache(StoreDir& dir, LayerUnpacker& unpacker, Janitor& janitor, int64_t max_bytes)
      : dir_(dir), unpacker_(unpacker), janitor_(janitor), max_bytes_(max_bytes) {}
  ~LayerCache();  // makes the layers survive a crash of the machine

  absl::Status Load();

  // A layer that cannot go while this object lives.
  class Pin {
   public:
    Pin(LayerCache& cache, uint64_t number, bool has_root_entry) : cache_(cache), number_(number), has_root_entry_(has_root_entry) {}
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() { cache_.Unpin(number_); }
    std::string path() const { return StoreDir::LayerPath(number_); }  // relative to the store
    bool has_root_entry() const { return has_root_entry_; }

   private:
    LayerCache& cache_;
    const uint64_t number_;
    const bool has_root_entry_;
  };

  // The layer unpacked alone; null when it must be unpacked over its chain.
  absl::StatusOr<std::unique_ptr<Pin>> AcquireAlone(const CallContext& context, const Layer& layer, bool is_bottom, const FetchProgress& progress);
  // The layer as it is over `below`: folders topmost first, whose diff IDs, bottom first and joined by blanks, have the digest `chain`.
  absl::StatusOr<std::unique_ptr<Pin>> AcquireOver(const CallContext& context, const Layer& layer, const Digest& chain,
                                                   const std::vector<std::string>& below, const FetchProgress& progress);
  // Makes a folder of the store a layer, unless there is one with this diff ID already; then the folder stays where it is.
  absl::Status Add(const Digest& diff_id, const std::string& relative, int64_t size_bytes);

  int64_t BytesUsed() const;

 private:
  struct Entry {
    StoredLayer stored;
    int pins = 0;
  };

  absl::StatusOr<std::unique_ptr<Pin>> Obtain(const CallContext& context, const std::string& key, const std::function<absl::Status()>& unpack);
  std::unique_ptr<Pin> Find(const std::string& key);
  absl::Status Insert(LayerRecord record, const std::string& relative);
  bool NeedsChain(const Digest& diff_id) const;
  void Unpin(uint64_t number);
  void Evict();

  StoreDir& dir_;
  LayerUnpacker& unpacker_;
  Janitor& janitor_;
  const int64_t max_bytes_;
  Flights flights_;
  mutable Mutex mutex_;
  std::map<uint64_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);  // by number
  absl::flat_hash_map<std::string, uint64_t> by_key_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::string> needs_chain_ ABSL_GUARDED_BY(mutex_);  // diff IDs
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace strata::snapshot
