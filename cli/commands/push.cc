#include "absl/strings/str_cat.h"
#include "cli/client/image_client.h"
#include "cli/commands/commands.h"
#include "cli/commands/registry_credentials.h"
#include "cli/commands/transfer.h"
#include "lib/base/status.h"

namespace strata::cli {

absl::Status RunPush(Invocation& invocation) {
  builder::v1::PushImageRequest request;
  std::string progress = "auto";
  bool quiet = false;
  CommandLine line(invocation, "push", "Copies the image SRC of the store to another registry, under its own name or under TARGET. Layers that are there are not sent.",
                   "SRC [TARGET]");
  line.Add(&quiet, {.flag = "quiet", .short_flag = 'q', .help = "No progress."});
  line.Add(&progress, {.flag = "progress", .value_name = "KIND", .help = "How progress is shown.", .one_of = {"auto", "plain", "json", "quiet"}});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(1, 2));
  if (!operands.has_value()) return absl::OkStatus();
  request.set_source((*operands)[0]);
  request.set_target(operands->size() > 1 ? (*operands)[1] : "");
  STRATA_RETURN_IF_ERROR(AddCredentials(invocation, operands->back(), *request.mutable_credentials()));
  const auto view = MakeView(invocation, quiet ? "quiet" : progress, absl::StrCat("Pushing ", operands->back()));
  TransferSteps steps(*view);
  ImageClient client(invocation.options.builder);
  const auto result = client.Push(invocation.Call(), request, [&](const auto& message) { steps.Take(message); });
  view->Finish();
  if (!result.ok()) return result.status();
  return PrintTransfer(invocation, "Pushed", *result);
}

}  // namespace strata::cli
