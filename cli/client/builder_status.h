// How a call to the builder ended, in words for the person who made it.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace grpc {
class Status;
}

namespace strata::cli {

// rpc::FromGrpc() for "builder at <address>", with the next thing to try when it cannot be reached.
absl::Status FromBuilder(const grpc::Status& status, const std::string& address);

}  // namespace strata::cli
