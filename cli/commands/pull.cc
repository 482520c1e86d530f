#include "absl/strings/str_cat.h"
#include "cli/client/image_client.h"
#include "cli/commands/commands.h"
#include "cli/commands/registry_credentials.h"
#include "cli/commands/transfer.h"
#include "cli/exit_code.h"
#include "lib/base/status.h"

namespace strata::cli {

absl::Status RunPull(Invocation& invocation) {
  builder::v1::PullImageRequest request;
  std::string platform, progress = "auto";
  bool all_platforms = false, quiet = false;
  CommandLine line(invocation, "pull", "Copies an image from another registry into the store. Layers that are there are not fetched.", "REF");
  line.Add(&platform, {.flag = "platform", .value_name = "OS/ARCH", .help = "Which image of an index; the builder's own unless given."});
  line.Add(&all_platforms, {.flag = "all-platforms", .help = "The whole index."});
  line.Add(&quiet, {.flag = "quiet", .short_flag = 'q', .help = "No progress."});
  line.Add(&progress, {.flag = "progress", .value_name = "KIND", .help = "How progress is shown.", .one_of = {"auto", "plain", "json", "quiet"}});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(1, 1));
  if (!operands.has_value()) return absl::OkStatus();
  if (all_platforms && !platform.empty()) return UsageError("--platform and --all-platforms exclude each other");
  request.set_reference(operands->front());
  request.set_platform(platform);
  request.set_all_platforms(all_platforms);
  STRATA_RETURN_IF_ERROR(AddCredentials(invocation, request.reference(), *request.mutable_credentials()));
  const auto view = MakeView(invocation, quiet ? "quiet" : progress, absl::StrCat("Pulling ", request.reference()));
  TransferSteps steps(*view);
  ImageClient client(invocation.options.builder);
  const auto result = client.Pull(invocation.Call(), request, [&](const auto& message) { steps.Take(message); });
  view->Finish();
  if (!result.ok()) return result.status();
  return PrintTransfer(invocation, "Pulled", *result);
}

}  // namespace strata::cli
