// What the oracle drives: any implementation of the store's interfaces, and who knows whether its errors have a reason.
#pragma once

#include <functional>

#include "lib/blobstore/admin_store.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/cache_store.h"
#include "lib/blobstore/ref_store.h"

namespace strata::crash {

// All of it outlives whoever holds this.
struct Stores {
  blobstore::BlobStore& blobs;
  blobstore::RefStore& refs;
  blobstore::CacheStore& cache;
  blobstore::AdminStore& admin;
  // True when the store is being killed, or its disk has failed: then an error says nothing about what happened.
  std::function<bool(const absl::Status&)> explains;
};

template <typename Store>
Stores StoresOf(Store& store, std::function<bool(const absl::Status&)> explains) {
  return {store, store, store, store, std::move(explains)};
}

}  // namespace strata::crash
