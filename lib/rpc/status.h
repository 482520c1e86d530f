// absl::Status <-> grpc::Status: the one table. Codes correspond one to one; messages are kept (cut at 2 KiB: they travel in
// headers), payloads too, in the standard "grpc-status-details-bin" trailer (google.rpc.Status), when they are small.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace grpc {
class Status;
}

namespace strata::rpc {

grpc::Status ToGrpc(const absl::Status& status);

// As the peer sent it. A connection that could not be made or broke is kUnavailable: "store at 127.0.0.1:7071 is not reachable:
// <why>; is it running?", where `peer` is "store at 127.0.0.1:7071". What a server of ours says itself is never rewritten.
absl::Status FromGrpc(const grpc::Status& status, absl::string_view peer);

}  // namespace strata::rpc
