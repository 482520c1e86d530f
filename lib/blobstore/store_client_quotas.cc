// StoreClient's side of QuotaStore.
#include "lib/blobstore/store_client.h"
#include "lib/blobstore/store_client_stubs.h"

namespace strata::blobstore {

namespace v1 = store::v1;

namespace {

Quota ToQuota(const v1::Quota& quota) {
  return {.prefix = quota.prefix(),
          .limits = {.bytes = quota.max_bytes(), .manifests = quota.max_manifests()},
          .used_bytes = quota.used_bytes(),
          .used_manifests = quota.used_manifests(),
          .reserved_bytes = quota.reserved_bytes()};
}

}  // namespace

absl::StatusOr<Quota> StoreClient::SetQuota(const CallContext& context, absl::string_view prefix, const QuotaLimits& limits) {
  STRATA_RETURN_IF_ERROR(CheckText("the prefix", prefix));
  v1::SetQuotaRequest request;
  request.set_prefix(std::string(prefix));
  request.set_max_bytes(limits.bytes);
  request.set_max_manifests(limits.manifests);
  v1::SetQuotaResponse response;
  STRATA_RETURN_IF_ERROR(Call(context, stubs_->peer, *stubs_->quotas, &v1::QuotaService::Stub::SetQuota, request, &response));
  return ToQuota(response.quota());
}

absl::Status StoreClient::DeleteQuota(const CallContext& context, absl::string_view prefix) {
  STRATA_RETURN_IF_ERROR(CheckText("the prefix", prefix));
  v1::DeleteQuotaRequest request;
  request.set_prefix(std::string(prefix));
  v1::DeleteQuotaResponse response;
  return Call(context, stubs_->peer, *stubs_->quotas, &v1::QuotaService::Stub::DeleteQuota, request, &response);
}

absl::StatusOr<std::vector<Quota>> StoreClient::ListQuotas(const CallContext& context) {
  v1::ListQuotasResponse response;
  STRATA_RETURN_IF_ERROR(
      Call(context, stubs_->peer, *stubs_->quotas, &v1::QuotaService::Stub::ListQuotas, v1::ListQuotasRequest(), &response));
  std::vector<Quota> quotas;
  for (const v1::Quota& quota : response.quotas()) quotas.push_back(ToQuota(quota));
  return quotas;
}

}  // namespace strata::blobstore
