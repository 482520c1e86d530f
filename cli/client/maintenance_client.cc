#include "cli/client/maintenance_client.h"

#include <grpcpp/channel.h>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/rpc/call.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/status.h"
#include "proto/strata/store/v1/maintenance.grpc.pb.h"

namespace strata::cli {

namespace v1 = store::v1;
using Stub = v1::MaintenanceService::Stub;

struct MaintenanceClient::Connection {
  std::string peer;  // "store at 127.0.0.1:7071"
  std::unique_ptr<Stub> stub;
};

namespace {

template <typename Request, typename Response>
absl::StatusOr<Response> Unary(const CallContext& call, const std::string& peer, Stub& stub, const Request& request,
                               grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*)) {
  rpc::ClientCall client(call);
  Response response;
  STRATA_RETURN_IF_ERROR(rpc::FromGrpc((stub.*method)(client.get(), request, &response), peer));
  return response;
}

template <typename Response>
absl::Status Follow(rpc::ClientCall& client, grpc::ClientReader<Response>& stream, const std::string& peer,
                    const std::function<absl::Status(const Response&)>& on_part) {
  absl::Status local;
  Response response;
  while (local.ok() && stream.Read(&response)) local = on_part(response);
  if (!local.ok()) client->TryCancel();
  const grpc::Status remote = stream.Finish();
  return local.ok() ? rpc::FromGrpc(remote, peer) : local;
}

}  // namespace

MaintenanceClient::MaintenanceClient(const std::string& address)
    : connection_(std::make_unique<Connection>(
          Connection{absl::StrCat("store at ", address), v1::MaintenanceService::NewStub(rpc::Connect(address))})) {}

MaintenanceClient::~MaintenanceClient() = default;

absl::StatusOr<v1::GetStatusResponse> MaintenanceClient::GetStatus(const CallContext& call) {
  return Unary(call, connection_->peer, *connection_->stub, v1::GetStatusRequest(), &Stub::GetStatus);
}

absl::StatusOr<v1::ListQuarantinedResponse> MaintenanceClient::ListQuarantined(const CallContext& call,
                                                                               const v1::ListQuarantinedRequest& request) {
  return Unary(call, connection_->peer, *connection_->stub, request, &Stub::ListQuarantined);
}

absl::StatusOr<v1::RecheckBlobResponse> MaintenanceClient::RecheckBlob(const CallContext& call, const v1::RecheckBlobRequest& request) {
  return Unary(call, connection_->peer, *connection_->stub, request, &Stub::RecheckBlob);
}

absl::StatusOr<v1::ListUploadsResponse> MaintenanceClient::ListUploads(const CallContext& call, const v1::ListUploadsRequest& request) {
  return Unary(call, connection_->peer, *connection_->stub, request, &Stub::ListUploads);
}

absl::Status MaintenanceClient::Verify(const CallContext& call, const v1::VerifyRequest& request,
                                       const std::function<absl::Status(const v1::VerifyResponse&)>& on_part) {
  rpc::ClientCall client(call);
  const auto stream = connection_->stub->Verify(client.get(), request);
  return Follow(client, *stream, connection_->peer, on_part);
}

absl::Status MaintenanceClient::Backup(const CallContext& call, const v1::BackupRequest& request,
                                       const std::function<absl::Status(const v1::BackupResponse&)>& on_part) {
  rpc::ClientCall client(call);
  const auto stream = connection_->stub->Backup(client.get(), request);
  return Follow(client, *stream, connection_->peer, on_part);
}

}  // namespace strata::cli
