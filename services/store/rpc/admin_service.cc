#include "lib/rpc/call.h"
#include "lib/rpc/status.h"
#include "proto/strata/store/v1/admin.grpc.pb.h"
#include "services/store/rpc/services.h"

namespace strata::store {

namespace {

using grpc::ServerContext;
using rpc::ServerCall;
using rpc::ToGrpc;

class AdminService final : public v1::AdminService::Service {
 public:
  AdminService(blobstore::AdminStore& admin, rpc::CallWatcher& watcher) : admin_(admin), watcher_(watcher) {}

  grpc::Status GetStatistics(ServerContext* server, const v1::GetStatisticsRequest*,
                             v1::GetStatisticsResponse* response) override {
    const ServerCall call(watcher_, *server);
    const auto statistics = admin_.GetStatistics(call.context());
    if (!statistics.ok()) return ToGrpc(statistics.status());
    response->set_blobs(statistics->blobs);
    response->set_blob_bytes(statistics->blob_bytes);
    response->set_repositories(statistics->repositories);
    response->set_manifests(statistics->manifests);
    response->set_tags(statistics->tags);
    response->set_open_uploads(statistics->open_uploads);
    response->set_cache_records(statistics->cache_records);
    response->set_cache_bytes(statistics->cache_bytes);
    response->set_quota_refusals(statistics->quota_refusals);
    response->set_disk_free_bytes(statistics->disk_free_bytes);
    response->set_quarantined_blobs(statistics->quarantined_blobs);
    return grpc::Status::OK;
  }

  grpc::Status CollectGarbage(ServerContext* server, const v1::CollectGarbageRequest* request,
                              v1::CollectGarbageResponse* response) override {
    const ServerCall call(watcher_, *server);
    const auto report = admin_.CollectGarbage(call.context(), {.dry_run = request->dry_run()});
    if (!report.ok()) return ToGrpc(report.status());
    response->set_blobs_removed(report->blobs_removed);
    response->set_bytes_reclaimed(report->bytes_reclaimed);
    response->set_manifests_removed(report->manifests_removed);
    response->set_blobs_later(report->blobs_later);
    response->set_bytes_later(report->bytes_later);
    response->set_objects_examined(report->objects_examined);
    return grpc::Status::OK;
  }

 private:
  blobstore::AdminStore& admin_;
  rpc::CallWatcher& watcher_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewAdminService(blobstore::AdminStore& admin, rpc::CallWatcher& watcher) {
  return std::make_unique<AdminService>(admin, watcher);
}

}  // namespace strata::store
