#include "lib/base/status.h"
#include "lib/blobstore/retention_proto.h"
#include "lib/rpc/call.h"
#include "lib/rpc/status.h"
#include "proto/strata/store/v1/retention.grpc.pb.h"
#include "services/store/rpc/services.h"

namespace strata::store {

namespace {

using grpc::ServerContext;
using rpc::ServerCall;
using rpc::ToGrpc;

class RetentionService final : public v1::RetentionService::Service {
 public:
  RetentionService(blobstore::RetentionStore& retention, rpc::CallWatcher& watcher) : retention_(retention), watcher_(watcher) {}

  grpc::Status GetRetentionRules(ServerContext* server, const v1::GetRetentionRulesRequest*,
                                 v1::GetRetentionRulesResponse* response) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc([&]() -> absl::Status {
      STRATA_ASSIGN_OR_RETURN(const std::vector<blobstore::RetentionRule> rules, retention_.GetRetentionRules(call.context()));
      return blobstore::ToProto(rules, response->mutable_rules());
    }());
  }

  grpc::Status SetRetentionRules(ServerContext* server, const v1::SetRetentionRulesRequest* request,
                                 v1::SetRetentionRulesResponse*) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc(retention_.SetRetentionRules(call.context(), blobstore::FromProto(request->rules())));
  }

  grpc::Status ApplyRetention(ServerContext* server, const v1::ApplyRetentionRequest* request,
                              v1::ApplyRetentionResponse* response) override {
    const ServerCall call(watcher_, *server);
    return ToGrpc([&]() -> absl::Status {
      blobstore::RetentionRunOptions options;
      options.dry_run = request->dry_run();
      if (request->use_rules() || request->rules_size() > 0) options.rules = blobstore::FromProto(request->rules());
      options.repository = request->repository();
      options.limit = request->limit();
      STRATA_ASSIGN_OR_RETURN(const blobstore::RetentionReport report, retention_.ApplyRetention(call.context(), options));
      for (const blobstore::RetentionReport::Item& from : report.removed) {
        v1::ApplyRetentionResponse::Item& item = *response->add_removed();
        item.set_repository(from.repository);
        item.set_tag(from.tag);
        item.set_digest(from.digest.ToString());
        item.set_rule(static_cast<int32_t>(from.rule));
      }
      response->set_has_more(report.has_more);
      response->set_tags_removed(report.tags_removed);
      response->set_manifests_removed(report.manifests_removed);
      response->set_blobs_freed(report.blobs_freed);
      response->set_bytes_freed(report.bytes_freed);
      response->set_tags_examined(report.tags_examined);
      response->set_manifests_examined(report.manifests_examined);
      return absl::OkStatus();
    }());
  }

 private:
  blobstore::RetentionStore& retention_;
  rpc::CallWatcher& watcher_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewRetentionService(blobstore::RetentionStore& retention, rpc::CallWatcher& watcher) {
  return std::make_unique<RetentionService>(retention, watcher);
}

}  // namespace strata::store
