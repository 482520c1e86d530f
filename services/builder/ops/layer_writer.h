// From a sealed workspace to a layer in the store: walk, tar, hash, compress, hash, upload in one pass.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/call_context.h"
#include "services/builder/ops/op_environment.h"
#include "services/builder/progress/progress.h"
#include "services/builder/snapshot/snapshot_store.h"

namespace strata::ops {

// Seals the workspace, stores what it changed as a layer, and keeps it on this builder's disk for the steps that follow.
// When it fails nothing stays in the store.
absl::StatusOr<snapshot::Layer> StoreLayer(const CallContext& context, const OpEnvironment& environment,
                                           snapshot::Workspace& workspace, std::optional<absl::Time> epoch,
                                           progress::Progress& progress, uint32_t step);

}  // namespace strata::ops
