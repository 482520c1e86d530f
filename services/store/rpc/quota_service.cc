#include "lib/base/status.h"
#include "lib/rpc/call.h"
#include "lib/rpc/status.h"
#include "proto/strata/store/v1/quota.grpc.pb.h"
#include "services/store/rpc/services.h"

namespace strata::store {

namespace {

using grpc::ServerContext;
using rpc::ServerCall;
using rpc::ToGrpc;

void Set(const blobstore::Quota& quota, v1::Quota* out) {
  out->set_prefix(quota.prefix);
  out->set_max_bytes(quota.limits.bytes);
  out->set_max_manifests(quota.limits.manifests);
  out->set_used_bytes(quota.used_bytes);
  out->set_used_manifests(quota.used_manifests);
  out->set_reserved_bytes(quota.reserved_bytes);
}

class QuotaService final : public v1::QuotaService::Service {
 public:
  QuotaService(blobstore::QuotaStore& quotas, rpc::CallWatcher& watcher) : quotas_(quotas), watcher_(watcher) {}

  grpc::Status SetQuota(ServerContext* server, const v1::SetQuotaRequest* request, v1::SetQuotaResponse* response) override {
    const ServerCall call(watcher_, *server);
    const auto quota = quotas_.SetQuota(call.context(), request->prefix(),
                                        {.bytes = request->max_bytes(), .manifests = request->max_manifests()});
    if (quota.ok()) Set(*quota, response->mutable_quota());
    return ToGrpc(quota.status());
  }

  grpc::Status DeleteQuota(ServerContext* server, const v1::DeleteQuotaRequest* request, v1::DeleteQuotaResponse*) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc(quotas_.DeleteQuota(call.context(), request->prefix()));
  }

  grpc::Status ListQuotas(ServerContext* server, const v1::ListQuotasRequest*, v1::ListQuotasResponse* response) override {
    const ServerCall call(watcher_, *server);
    const auto quotas = quotas_.ListQuotas(call.context());
    if (!quotas.ok()) return ToGrpc(quotas.status());
    for (const blobstore::Quota& quota : *quotas) Set(quota, response->add_quotas());
    return grpc::Status::OK;
  }

 private:
  blobstore::QuotaStore& quotas_;
  rpc::CallWatcher& watcher_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewQuotaService(blobstore::QuotaStore& quotas, rpc::CallWatcher& watcher) {
  return std::make_unique<QuotaService>(quotas, watcher);
}

}  // namespace strata::store
