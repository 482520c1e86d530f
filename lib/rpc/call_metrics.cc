#include "lib/rpc/call_metrics.h"

#include <grpcpp/support/server_interceptor.h>

#include <string>

#include "absl/status/status.h"

namespace strata::rpc {

namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

class CallMeter final : public Interceptor {
 public:
  CallMeter(metrics::Registry& registry, std::string method) : registry_(registry), method_(std::move(method)) {}

  void Intercept(InterceptorBatchMethods* batch) override {
    if (batch->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      const auto code = static_cast<absl::StatusCode>(batch->GetSendStatus().error_code());
      registry_
          .AddCounter("strata_rpc_calls_total", "Calls answered, by method and status.",
                      {{"method", method_}, {"code", absl::StatusCodeToString(code)}})
          .Add();
      registry_.AddHistogram("strata_rpc_call_seconds", "From the arrival of a call to its status.", {{"method", method_}})
          .Observe(absl::Now() - start_);
    }
    batch->Proceed();
  }

 private:
  metrics::Registry& registry_;
  const std::string method_;  // of a registered service: gRPC answers other names before interceptors see them
  const absl::Time start_ = absl::Now();
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(metrics::Registry& registry) : registry_(registry) {}
  // gRPC takes ownership.
  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override { return new CallMeter(registry_, info->method()); }

 private:
  metrics::Registry& registry_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewCallMetrics(metrics::Registry& registry) {
  return std::make_unique<Factory>(registry);
}

}  // namespace strata::rpc
