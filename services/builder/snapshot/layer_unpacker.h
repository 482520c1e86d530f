// Brings one layer from the store into a fresh folder of the snapshot store, verified against its diff ID.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "services/builder/snapshot/snapshot_store.h"
#include "services/builder/snapshot/store_dir.h"

namespace strata::snapshot {

struct UnpackedLayer {
  std::string relative;         // in t/
  int64_t size_bytes = 0;       // about what it takes on the disk
  bool has_root_entry = false;
  bool leaves_to_lower = false; // over other layers it may look different
};

// Thread-safe. All references must outlive it.
class LayerUnpacker {
 public:
  LayerUnpacker(StoreDir& dir, LayerSource& source, int64_t max_layer_bytes) : dir_(dir), source_(source), max_layer_bytes_(max_layer_bytes) {}

  // `lower`: folders of the layers below, relative to the store, topmost first. On an error nothing is left.
  // kDataLoss: the content does not hash to the diff ID. kInvalidArgument, kFailedPrecondition: no layer that can be unpacked (here).
  absl::StatusOr<UnpackedLayer> Unpack(const CallContext& context, const Layer& layer, const std::vector<std::string>& lower,
                                       const FetchProgress& progress);

 private:
  absl::StatusOr<UnpackedLayer> UnpackInto(const std::string& relative, const CallContext& context, const Layer& layer,
                                           const std::vector<std::string>& lower, const FetchProgress& progress);

  StoreDir& dir_;
  LayerSource& source_;
  const int64_t max_layer_bytes_;
};

}  // namespace strata::snapshot
