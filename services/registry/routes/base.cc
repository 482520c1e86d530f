#include "services/registry/routes/base.h"

namespace strata::registry {

absl::Status GetBase(const Exchange& exchange) { return exchange.response.SendText("application/json", "{}"); }

absl::Status GetExtensions(const Exchange& exchange) {
  return exchange.response.SendText("application/json", R"({"extensions":[]})");
}

}  // namespace strata::registry
