#include "cli/client/builder_status.h"

#include <grpcpp/support/status.h>

#include "absl/strings/str_cat.h"
#include "lib/rpc/status.h"

namespace strata::cli {

absl::Status FromBuilder(const grpc::Status& status, const std::string& address) {
  const absl::Status result = rpc::FromGrpc(status, absl::StrCat("builder at ", address));
  // A server of ours sends details with every error; without them nobody answered.
  const bool nobody_answered = absl::IsUnavailable(result) && status.error_details().empty();
  if (!nobody_answered) return result;
  return absl::UnavailableError(
      absl::StrCat(result.message(), " Start it with deploy/up, or name another with --builder HOST:PORT or STRATA_BUILDER"));
}

}  // namespace strata::cli
