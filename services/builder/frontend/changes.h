// Instructions applied to the config of an image that no Dockerfile builds: `import --change`, `commit --change`.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "lib/oci/image_config.h"

namespace strata::frontend {

// Applies one instruction after the other: CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL SHELL STOPSIGNAL USER VOLUME WORKDIR. They see
// the variables of the config's environment, and add nothing to its history. Stops at the first that is wrong.
// kInvalidArgument: the message quotes the instruction and says what is wrong with it.
absl::Status ApplyChanges(oci::ImageConfig& config, absl::Span<const std::string> instructions);

}  // namespace strata::frontend
