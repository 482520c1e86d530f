// Counts and times the calls of a server: strata_rpc_calls_total{method,code} and strata_rpc_call_seconds{method}.
#pragma once

#include <memory>

#include "lib/metrics/metrics.h"

namespace grpc::experimental {
class ServerInterceptorFactoryInterface;
}

namespace strata::rpc {

// `registry` outlives the server that gets it. A stream lasts from its first message to its status.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewCallMetrics(metrics::Registry& registry);

}  // namespace strata::rpc
