// Everything `strata build` reads before it talks to the builder: CONTEXT and Dockerfile, wherever they come from.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cli/context/build_context.h"
#include "cli/context/temp_dir.h"

namespace strata::cli {

inline constexpr size_t kMaxDockerfileBytes = 16 * 1024 * 1024;

struct BuildInput {
  std::optional<TempDir> checkout;         // of a git context; goes after the context that lies in it
  std::unique_ptr<BuildContext> context;   // null: only a Dockerfile was given
  std::string dockerfile;
  std::string dockerfile_name;             // for messages: "Dockerfile", "docker/app.Dockerfile"
  std::string dockerignore;                // "" none
};

struct BuildInputOptions {
  std::string context;             // a folder, a git address, or "-": a tar or a bare Dockerfile on standard input
  std::string file;                // of --file; "" the usual names, "-" standard input
  bool input_is_terminal = false;
  std::string temp_base;           // "" is /tmp
};

// `input` is standard input. UsageError: options that contradict each other. kNotFound: no such folder, repository or Dockerfile; the
// message says where it was looked for. Other errors as TarContext::Read(), FolderContext::Open() and FetchGit().
absl::StatusOr<BuildInput> OpenBuildInput(const CallContext& call, const BuildInputOptions& options, ByteSource& input);

}  // namespace strata::cli
