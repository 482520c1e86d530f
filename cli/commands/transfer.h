// What pull and push have in common: progress by layer, and the result.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "cli/commands/command_line.h"
#include "proto/strata/builder/v1/image.pb.h"

namespace strata::cli {

// Turns the messages of a transfer into the steps that the progress views draw: one a blob.
class TransferSteps {
 public:
  explicit TransferSteps(ProgressView& view) : view_(view) {}
  void Take(const builder::v1::TransferProgress& progress);

 private:
  ProgressView& view_;
  std::map<std::string, uint32_t> ids_;
};

// "Pulled app:1" on standard error and the digest on standard output; JSON when asked for.
absl::Status PrintTransfer(const Invocation& invocation, const std::string& verb, const builder::v1::TransferProgress& result);

}  // namespace strata::cli
