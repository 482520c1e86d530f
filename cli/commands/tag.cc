#include "absl/strings/str_cat.h"
#include "cli/client/image_client.h"
#include "cli/commands/commands.h"
#include "lib/base/status.h"
#include "lib/json/json.h"

namespace strata::cli {

absl::Status RunTag(Invocation& invocation) {
  CommandLine line(invocation, "tag", "Gives the image SRC the name DST as well; a name that exists moves. Nothing is copied.", "SRC DST");
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(2, 2));
  if (!operands.has_value()) return absl::OkStatus();
  builder::v1::TagImageRequest request;
  request.set_source((*operands)[0]);
  request.set_target((*operands)[1]);
  ImageClient client(invocation.options.builder);
  STRATA_ASSIGN_OR_RETURN(const auto tagged, client.Tag(invocation.Call(), request));
  if (invocation.options.json()) {
    return invocation.Print(absl::StrCat(json::Dump({{"name", request.target()}, {"digest", tagged.digest()}}), "\n"));
  }
  return invocation.Print(absl::StrCat(tagged.digest(), "\n"));
}

}  // namespace strata::cli
