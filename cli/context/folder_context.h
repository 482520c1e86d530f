// A build context that is a folder of this machine. Links are sent as links, never followed out of the folder.
#pragma once

#include <memory>
#include <string>

#include "cli/context/build_context.h"
#include "lib/base/unique_fd.h"

namespace strata::cli {

class FolderContext final : public BuildContext {
 public:
  // kNotFound: no such folder. kInvalidArgument: not a folder.
  static absl::StatusOr<std::unique_ptr<FolderContext>> Open(const std::string& path);
  // The folder `subdir` of the folder `path`; links in `subdir` cannot lead out of `path`. Errors as OpenInRoot().
  static absl::StatusOr<std::unique_ptr<FolderContext>> OpenBelow(const std::string& path, absl::string_view subdir);

  absl::StatusOr<std::vector<ContextEntry>> List(const CallContext& call, const ContextFilter& filter) override;
  absl::StatusOr<std::unique_ptr<ByteSource>> Open(const ContextEntry& entry) override;
  absl::StatusOr<std::optional<std::string>> ReadFile(absl::string_view path, size_t limit_bytes) override;
  std::optional<std::string> LinkTarget(absl::string_view path) override;
  std::vector<std::string> FolderNames(absl::string_view path) override;

 private:
  explicit FolderContext(UniqueFd root) : root_(std::move(root)) {}

  UniqueFd root_;
};

}  // namespace strata::cli
