// Build contexts that are git repositories: recognising their addresses and fetching one commit with the `git` program.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/call_context.h"

namespace strata::cli {

// "https://host/app.git#ref:subdir", "git@host:app.git#v1", "git://…", "ssh://…", "file:///srv/app.git".
struct GitAddress {
  std::string repository;
  std::string ref;     // branch, tag or commit; "" is the default branch
  std::string subdir;  // "" is the root
};

// Whether `text` is a git address rather than a folder. http and https only when the path ends in ".git".
bool IsGitAddress(absl::string_view text);
// UsageError: a ref or repository that git would take for a flag, a subdir that leads outside.
absl::StatusOr<GitAddress> ParseGitAddress(absl::string_view text);

// Checks the one commit out into `folder`, which is empty, without its history and without .git. Submodules are fetched as well.
// kFailedPrecondition: there is no git program. kNotFound: git could not fetch it; the message ends with what git said.
// kCancelled. Prompts for passwords are switched off.
absl::Status FetchGit(const CallContext& call, const GitAddress& address, const std::string& folder);

}  // namespace strata::cli
