
#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "lib/base/status.h"
#include "lib/json/json.h"
#include "lib/service/version.h"

namespace strata::cli {

absl::Status RunVersion(Invocation& invocation) {
  CommandLine line(invocation, "version", "Shows the version of strata.", "");
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  if (invocation.options.json()) return invocation.Print(absl::StrCat(json::Dump({{"version", service::kVersion}}), "\n"));
  return invocation.Print(absl::StrCat("strata ", service::kVersion, "\n"));
}

}  // namespace strata::cli
