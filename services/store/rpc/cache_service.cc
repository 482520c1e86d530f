#include "lib/base/status.h"
#include "lib/rpc/call.h"
#include "lib/rpc/status.h"
#include "lib/rpc/timestamp.h"
#include "proto/strata/store/v1/cache.grpc.pb.h"
#include "services/store/rpc/services.h"
#include "services/store/rpc/translate.h"

namespace strata::store {

namespace {

using grpc::ServerContext;
using rpc::ServerCall;
using rpc::ToGrpc;

class CacheService final : public v1::CacheService::Service {
 public:
  CacheService(blobstore::CacheStore& cache, rpc::CallWatcher& watcher) : cache_(cache), watcher_(watcher) {}

  grpc::Status GetRecord(ServerContext* server, const v1::GetRecordRequest* request,
                         v1::GetRecordResponse* response) override {
    const ServerCall call(watcher_, *server);
    absl::StatusOr<std::string> value = cache_.GetRecord(call.context(), request->key());
    if (value.ok()) response->set_value(*std::move(value));
    return ToGrpc(value.status());
  }

  grpc::Status PutRecord(ServerContext* server, const v1::PutRecordRequest* request, v1::PutRecordResponse*) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc([&]() -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const std::vector<Digest> needs, ParseDigests(request->needs()));
      return cache_.PutRecord(call.context(), request->key(), request->value(), needs);
    }());
  }

  grpc::Status PruneRecords(ServerContext* server, const v1::PruneRecordsRequest* request,
                            v1::PruneRecordsResponse* response) override {
    const ServerCall call(watcher_, *server);
    if (!request->has_unused_since()) return ToGrpc(absl::InvalidArgumentError("unused_since is missing"));
    const auto report = cache_.PruneRecords(call.context(), rpc::ToTime(request->unused_since()), request->dry_run());
    if (!report.ok()) return ToGrpc(report.status());
    response->set_removed(report->records);
    response->set_removed_bytes(report->bytes);
    return grpc::Status::OK;
  }

 private:
  blobstore::CacheStore& cache_;
  rpc::CallWatcher& watcher_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewCacheService(blobstore::CacheStore& cache, rpc::CallWatcher& watcher) {
  return std::make_unique<CacheService>(cache, watcher);
}

}  // namespace strata::store
