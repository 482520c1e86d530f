// One build, from the first message to the result. The conversation is drawn at the top of proto/strata/builder/v1/build.proto.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cli/context/build_context.h"
#include "cli/progress/progress_view.h"
#include "lib/base/call_context.h"
#include "lib/glob/ignore.h"
#include "proto/strata/builder/v1/build.pb.h"

namespace strata::cli {

struct BuildSession {
  std::string address;               // of the builder
  builder::v1::BuildStart start;
  BuildContext* context = nullptr;   // null: empty
  glob::IgnoreMatcher ignore;
};

// Blocks until the build has ended; cancelling `call` ends it. Does not finish `view`.
// Errors that the Dockerfile or a RUN is to blame for carry ExitCode::kBuildFailed; a context that cannot be read keeps its own.
absl::StatusOr<builder::v1::BuildResult> RunBuild(const CallContext& call, BuildSession session, ProgressView& view);

}  // namespace strata::cli
