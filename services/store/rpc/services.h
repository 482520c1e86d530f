// The gRPC services of proto/strata/store/v1 over the store's interfaces: translators that check sizes and decide nothing else.
//
// Each service borrows what it is given, which outlives it. Thread-safe. Owners include <grpcpp/impl/service_type.h>.
#pragma once

#include <memory>

#include "absl/time/time.h"
#include "lib/blobstore/admin_store.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/cache_store.h"
#include "lib/blobstore/quota_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/blobstore/retention.h"

namespace grpc {
class Service;
}
namespace strata::rpc {
class CallWatcher;
}
namespace strata::descriptor {
class DescriptorServer;
}

namespace strata::store {

class Generations;

struct StreamLimits {
  int max_streams = 280;  // uploads and downloads at the same moment, fewer than the server's threads; more are kUnavailable
  absl::Duration patience = absl::Minutes(10);  // for one message to come or go; a stream that takes longer is cancelled
  int64_t min_bytes_a_minute = 64 << 10;  // of an upload, on average over each `patience` that the store waited for it; less ends it
};

// `descriptors` hands files to clients on this machine; null: bytes go by gRPC alone. Outlives the service.
std::unique_ptr<grpc::Service> NewBlobService(blobstore::BlobStore& blobs, rpc::CallWatcher& watcher,
                                              const StreamLimits& limits = {},
                                              descriptor::DescriptorServer* descriptors = nullptr);
std::unique_ptr<grpc::Service> NewManifestService(blobstore::RefStore& refs, rpc::CallWatcher& watcher);
std::unique_ptr<grpc::Service> NewCacheService(blobstore::CacheStore& cache, rpc::CallWatcher& watcher);
std::unique_ptr<grpc::Service> NewQuotaService(blobstore::QuotaStore& quotas, rpc::CallWatcher& watcher);
std::unique_ptr<grpc::Service> NewRetentionService(blobstore::RetentionStore& retention, rpc::CallWatcher& watcher);
std::unique_ptr<grpc::Service> NewAdminService(blobstore::AdminStore& admin, rpc::CallWatcher& watcher);

// `generations` and `descriptors` may be null.
std::unique_ptr<grpc::Service> NewGenerationService(const Generations* generations, descriptor::DescriptorServer* descriptors,
                                                    rpc::CallWatcher& watcher);

}  // namespace strata::store
