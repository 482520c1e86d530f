// The SnapshotStore over overlayfs: wires the folder, the cache of layers and the mounts.
#pragma once

#include <memory>
#include <vector>

#include "services/builder/snapshot/janitor.h"
#include "services/builder/snapshot/layer_cache.h"
#include "services/builder/snapshot/layer_unpacker.h"
#include "services/builder/snapshot/mounts.h"
#include "services/builder/snapshot/snapshot_store.h"

namespace strata::snapshot {

class OverlayStore final : public SnapshotStore {
 public:
  static absl::StatusOr<std::unique_ptr<OverlayStore>> Open(const SnapshotOptions& options, LayerSource& source);

  absl::StatusOr<std::shared_ptr<const Stack>> Acquire(const CallContext& context, absl::Span<const Layer> layers, const FetchProgress& progress) override;
  absl::StatusOr<std::unique_ptr<Workspace>> CreateWorkspace(std::shared_ptr<const Stack> stack) override;
  absl::StatusOr<std::unique_ptr<View>> CreateView(std::shared_ptr<const Stack> stack) override;
  int64_t BytesUsed() const override { return cache_.BytesUsed(); }

  // Blocks until what was discarded so far is deleted.
  void DrainForTest() { janitor_.DrainForTest(); }

 private:
  using Pins = std::vector<std::unique_ptr<LayerCache::Pin>>;

  OverlayStore(std::unique_ptr<StoreDir> dir, const SnapshotOptions& options, LayerSource& source)
      : unpack_threads_(options.unpack_threads),
        dir_(std::move(dir)),
        janitor_(*dir_),
        unpacker_(*dir_, source, options.max_layer_bytes),
        cache_(*dir_, unpacker_, janitor_, options.max_bytes) {}

  absl::Status ProbeOverlay();
  absl::StatusOr<Pins> AcquireAlone(const CallContext& context, absl::Span<const Layer> layers, const FetchProgress& progress);
  absl::Status FitToChain(const CallContext& context, absl::Span<const Layer> layers, const FetchProgress& progress, Pins& pins);
  absl::StatusOr<bool> RootDiffers(const LayerCache::Pin& below, const LayerCache::Pin& above) const;

  const int unpack_threads_;
  const std::unique_ptr<StoreDir> dir_;
  Janitor janitor_;
  LayerUnpacker unpacker_;
  LayerCache cache_;
  bool is_volatile_ = true;  // constant after Open
};

}  // namespace strata::snapshot
