#include "cli/commands/transfer.h"

#include "absl/strings/str_cat.h"
#include "cli/output/human.h"
#include "lib/json/json.h"
#include "proto/strata/builder/v1/build.pb.h"

namespace strata::cli {

void TransferSteps::Take(const builder::v1::TransferProgress& progress) {
  if (progress.digest().empty()) return;
  const uint32_t id = ids_.emplace(progress.digest(), static_cast<uint32_t>(ids_.size() + 1)).first->second;
  builder::v1::Progress update;
  auto* step = update.add_steps();
  step->set_id(id);
  step->set_name(ShortDigest(progress.digest()));
  if (progress.status() == "done") {
    step->set_state(builder::v1::STEP_STATE_DONE);
  } else if (progress.status() == "already exists") {
    step->set_state(builder::v1::STEP_STATE_CACHED);
  } else {
    step->set_state(builder::v1::STEP_STATE_RUNNING);
  }
  if (progress.current_bytes() > 0) {
    auto* bytes = update.add_bytes();
    bytes->set_step_id(id);
    if (step->state() == builder::v1::STEP_STATE_RUNNING) bytes->set_what(progress.status());
    bytes->set_current_bytes(progress.current_bytes());
    bytes->set_total_bytes(progress.total_bytes());
  }
  view_.Update(update);
}

absl::Status PrintTransfer(const Invocation& invocation, const std::string& verb, const builder::v1::TransferProgress& result) {
  if (invocation.options.json()) {
    return invocation.Print(absl::StrCat(json::Dump({{"name", result.result_name()}, {"digest", result.result_digest()}}), "\n"));
  }
  invocation.Tell(absl::StrCat(verb, " ", result.result_name(), "\n"));
  return invocation.Print(absl::StrCat(result.result_digest(), "\n"));
}

}  // namespace strata::cli
