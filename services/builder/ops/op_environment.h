// What operations work with: the parts of this builder, wired together in main.cc.
#pragma once

#include <string>

#include "lib/blobstore/blob_store.h"
#include "lib/http/client.h"
#include "services/builder/cache/step_cache.h"
#include "services/builder/context/content_cache.h"
#include "services/builder/executor/executor.h"
#include "services/builder/layer/pipeline.h"
#include "services/builder/snapshot/snapshot_store.h"
#include "services/builder/solver/flights.h"

namespace strata::ops {

// All references must outlive every build.
struct OpEnvironment {
  blobstore::BlobStore& blobs;
  cache::StepCache& cache;
  snapshot::SnapshotStore& snapshots;
  executor::Executor& executor;
  context::ContentCache& files;
  http::Client& http;
  solver::Flights& cache_mounts;  // who holds which exclusive cache mount
  std::string cache_mount_root;   // contents of RUN --mount=type=cache, by id
  std::string scratch_root;       // short-lived files of running steps
  executor::Limits limits;        // of each RUN
  executor::Network default_network = executor::Network::kHost;  // what RUN gets when it asks for none in particular
  layer::LayerSinkOptions layer;
};

}  // namespace strata::ops
