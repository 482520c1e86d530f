// The store's upkeep calls as plain functions. Errors are the store's own, or kUnavailable with the address and what to try.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "proto/strata/store/v1/maintenance.pb.h"

namespace strata::cli {

// Thread-compatible. Connects at the first call; every call blocks.
class MaintenanceClient {
 public:
  // `address` is "host:port" or "unix:/path".
  explicit MaintenanceClient(const std::string& address);
  ~MaintenanceClient();

  absl::StatusOr<store::v1::GetStatusResponse> GetStatus(const CallContext& call);
  absl::StatusOr<store::v1::ListQuarantinedResponse> ListQuarantined(const CallContext& call, const store::v1::ListQuarantinedRequest& request);
  absl::StatusOr<store::v1::RecheckBlobResponse> RecheckBlob(const CallContext& call, const store::v1::RecheckBlobRequest& request);
  absl::StatusOr<store::v1::ListUploadsResponse> ListUploads(const CallContext& call, const store::v1::ListUploadsRequest& request);
  // `on_part` is called for each response; an error of it ends the call and is returned.
  absl::Status Verify(const CallContext& call, const store::v1::VerifyRequest& request,
                      const std::function<absl::Status(const store::v1::VerifyResponse&)>& on_part);
  absl::Status Backup(const CallContext& call, const store::v1::BackupRequest& request,
                      const std::function<absl::Status(const store::v1::BackupResponse&)>& on_part);

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace strata::cli
