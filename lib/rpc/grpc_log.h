// gRPC's own log lines as ours, at the debug level: what matters in them comes back as a Status anyway.
#pragma once

namespace strata::rpc {

// For the whole process; done once, by Connect() and Server::Start().
void AdoptGrpcLog();

}  // namespace strata::rpc
