// StoreClient's side of RetentionStore.
#include "lib/blobstore/retention_proto.h"
#include "lib/blobstore/store_client_stubs.h"

namespace strata::blobstore {

namespace v1 = store::v1;

absl::StatusOr<std::vector<RetentionRule>> StoreClient::GetRetentionRules(const CallContext& context) {
  v1::GetRetentionRulesResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->retention, &v1::RetentionService::Stub::GetRetentionRules,
                              v1::GetRetentionRulesRequest(), &response));
  return FromProto(response.rules());
}

absl::Status StoreClient::SetRetentionRules(const CallContext& context, const std::vector<RetentionRule>& rules) {
  STRATA_RETURN_IF_ERROR(RetentionPolicy::Compile(rules).status());
  v1::SetRetentionRulesRequest request;
  STRATA_RETURN_IF_ERROR(ToProto(rules, request.mutable_rules()));
  v1::SetRetentionRulesResponse response;
  return Call(context, stubs_->peer, *stubs_->retention, &v1::RetentionService::Stub::SetRetentionRules, request, &response);
}

absl::StatusOr<RetentionReport> StoreClient::ApplyRetention(const CallContext& context, const RetentionRunOptions& options) {
  STRATA_RETURN_IF_ERROR(CheckText("the repository name", options.repository));
  v1::ApplyRetentionRequest request;
  request.set_dry_run(options.dry_run);
  request.set_use_rules(options.rules.has_value());
  if (options.rules) STRATA_RETURN_IF_ERROR(ToProto(*options.rules, request.mutable_rules()));
  request.set_repository(options.repository);
  request.set_limit(options.limit);
  v1::ApplyRetentionResponse response;
  STRATA_RETURN_IF_ERROR(
      Call(context, stubs_->peer, *stubs_->retention, &v1::RetentionService::Stub::ApplyRetention, request, &response));
  RetentionReport report;
  for (const v1::ApplyRetentionResponse::Item& item : response.removed()) {
    STRATA_ASSIGN_OR_RETURN(Digest digest, ReceivedDigest(item.digest(), stubs_->peer));
    report.removed.push_back({item.repository(), item.tag(), std::move(digest), static_cast<size_t>(item.rule())});
  }
  report.has_more = response.has_more();
  report.tags_removed = response.tags_removed();
  report.manifests_removed = response.manifests_removed();
  report.blobs_freed = response.blobs_freed();
  report.bytes_freed = response.bytes_freed();
  report.tags_examined = response.tags_examined();
  report.manifests_examined = response.manifests_examined();
  return report;
}

}  // namespace strata::blobstore
