// `strata build --push`: the names of a finished build that belong to another registry are pushed there.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "lib/base/call_context.h"
#include "lib/distribution/registry_client.h"
#include "services/builder/images/image_transfer.h"
#include "services/builder/progress/progress.h"

namespace strata::rpc {

// Those of `tags` that carry another registry's host. kInvalidArgument: none does, so there is nowhere to push to.
absl::StatusOr<std::vector<std::string>> NamesToPush(absl::Span<const std::string> tags, absl::Span<const std::string> own_hosts);

// Pushes each as a step of its own. Errors: those of ImageTransfer::Push.
absl::Status PushNames(const CallContext& context, images::ImageTransfer& transfer, distribution::RegistryClient& registry,
                       absl::Span<const std::string> names, progress::Progress& progress);

}  // namespace strata::rpc
