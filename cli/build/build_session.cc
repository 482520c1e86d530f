#include "cli/build/build_session.h"

#include <grpcpp/channel.h>

#include <optional>
#include <utility>

#include "cli/build/context_sender.h"
#include "cli/client/builder_status.h"
#include "cli/exit_code.h"
#include "lib/base/status.h"
#include "lib/rpc/call.h"
#include "lib/rpc/channel.h"
#include "proto/strata/builder/v1/build.grpc.pb.h"

namespace strata::cli {
namespace {

using builder::v1::BuildRequest;
using builder::v1::BuildResponse;

absl::Status Blame(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kNotFound:
      return WithExitCode(status, ExitCode::kBuildFailed);
    default:
      return status;
  }
}

}  // namespace

absl::StatusOr<builder::v1::BuildResult> RunBuild(const CallContext& call, BuildSession session, ProgressView& view) {
  STRATA_RETURN_IF_ERROR(call.Check());
  rpc::ClientCall client(call);
  const auto stub = builder::v1::BuildService::NewStub(rpc::Connect(session.address));
  const auto stream = stub->Build(client.get());
  BuildRequest first;
  *first.mutable_start() = std::move(session.start);
  // When it fails, Read() fails as well, and Finish() says why.
  stream->Write(first);

  ContextSender sender(
      call, session.context, std::move(session.ignore), [&](const BuildRequest& message) { return stream->Write(message); },
      [&] { client->TryCancel(); });
  std::optional<builder::v1::BuildResult> result;
  BuildResponse response;
  while (stream->Read(&response)) {
    switch (response.part_case()) {
      case BuildResponse::kContextQuery:
        sender.Answer(response.context_query());
        break;
      case BuildResponse::kFileQuery:
        sender.Answer(response.file_query());
        break;
      case BuildResponse::kProgress:
        view.Update(response.progress());
        break;
      case BuildResponse::kResult:
        result = response.result();
        break;
      case BuildResponse::PART_NOT_SET:
        break;  // something newer than we are
    }
  }
  sender.Stop();
  const grpc::Status remote = stream->Finish();
  STRATA_RETURN_IF_ERROR(sender.status());
  STRATA_RETURN_IF_ERROR(Blame(FromBuilder(remote, session.address)));
  if (!result.has_value()) return absl::InternalError("the builder ended the build without a result; update the builder or strata");
  return *std::move(result);
}

}  // namespace strata::cli
