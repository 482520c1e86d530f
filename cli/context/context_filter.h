// Which paths of a build context are sent: what the builder asked for, minus what .dockerignore keeps out.
//
// Include patterns are paths or globs relative to the root, component by component, `**` allowed; one that matches a folder
// stands for everything below it; "." is everything; no pattern at all is nothing. Value type; thread-compatible.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "lib/glob/ignore.h"

namespace strata::cli {

enum class Verdict {
  kTake,     // send it; a folder is entered
  kPassing,  // a folder that matters only if something below it is taken
  kSkip,     // neither it nor anything below it
};

class ContextFilter {
 public:
  using LinkTarget = std::function<std::optional<std::string>(absl::string_view path)>;
  using FolderNames = std::function<std::vector<std::string>(absl::string_view path)>;

  // kInvalidArgument: a malformed pattern. With `link_target` (a path of the context -> where the link there points, absent when
  // it is no link) patterns that lead through links also include the links and what they point at, inside the root. With
  // `folder_names` (what is in a folder, nothing when there is none) so do links that a glob other than `**` finds.
  static absl::StatusOr<ContextFilter> Create(absl::Span<const std::string> include, glob::IgnoreMatcher ignore,
                                              const LinkTarget& link_target = nullptr, const FolderNames& folder_names = nullptr);

  Verdict Judge(absl::string_view path, bool is_folder) const;

 private:
  bool Includes(absl::string_view path) const;
  bool MayIncludeBelow(absl::string_view folder) const;

  bool everything_ = false;
  std::vector<glob::Pattern> include_;
  glob::IgnoreMatcher ignore_;
};

}  // namespace strata::cli
