#include "lib/rpc/grpc_log.h"

#include <grpc/support/log.h>

#include "lib/log/log.h"

namespace strata::rpc {

void AdoptGrpcLog() {
  static const bool adopted = [] {
    gpr_set_log_function([](gpr_log_func_args* line) {
      log::Debug("grpc", {{"severity", gpr_log_severity_string(line->severity)}, {"text", line->message}});
    });
    return true;
  }();
  static_cast<void>(adopted);
}

}  // namespace strata::rpc
