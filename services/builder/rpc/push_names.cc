#include "services/builder/rpc/push_names.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/oci/reference.h"

namespace strata::rpc {

absl::StatusOr<std::vector<std::string>> NamesToPush(absl::Span<const std::string> tags, absl::Span<const std::string> own_hosts) {
  std::vector<std::string> names;
  for (const std::string& tag : tags) {
    STRATA_ASSIGN_OR_RETURN(const oci::Reference reference, oci::Reference::Parse(tag));
    const bool is_own = reference.host.empty() || std::find(own_hosts.begin(), own_hosts.end(), reference.host) != own_hosts.end();
    if (!is_own) names.push_back(tag);
  }
  if (names.empty()) {
    return absl::InvalidArgumentError(
        "--push needs a name with another registry's host, such as -t quay.example/app:1; our own registry has every image already");
  }
  return names;
}

absl::Status PushNames(const CallContext& context, images::ImageTransfer& transfer, distribution::RegistryClient& registry,
                       absl::Span<const std::string> names, progress::Progress& progress) {
  for (const std::string& name : names) {
    const uint32_t step = progress.AddStep(absl::StrCat("push ", name));
    progress.SetState(step, progress::StepState::kRunning);
    const auto pushed = transfer.Push(context, registry, {.source = name, .target = name},
                                      [&](const Digest& digest, absl::string_view status, int64_t current_bytes, int64_t total_bytes) {
                                        progress.Bytes(step, absl::StrCat(status, " ", digest.hex().substr(0, 12)), current_bytes, total_bytes);
                                      });
    progress.SetState(step, pushed.ok() ? progress::StepState::kDone : progress::StepState::kFailed, std::string(pushed.status().message()));
    if (!pushed.ok()) return Annotate(pushed.status(), absl::StrCat("pushing ", name));
  }
  return absl::OkStatus();
}

}  // namespace strata::rpc
