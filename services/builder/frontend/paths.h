// Paths as Dockerfiles write them. Pure functions.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace strata::frontend {

// "/a/./b//../c" -> "/a/c"; ".." never leaves the root.
std::string CleanAbsolute(absl::string_view path);
// `path` below `base` unless it is absolute; cleaned.
std::string JoinAbsolute(absl::string_view base, absl::string_view path);
// A COPY destination: as JoinAbsolute, but a trailing "/" (also of "." and "x/.") is kept, since it means "a folder".
std::string Destination(absl::string_view working_dir, absl::string_view path);
// A COPY source: relative to the root it is taken from, "" for the root itself; leading "/" and ".." are clamped to it.
std::string SourcePath(absl::string_view path);
// "http://…" or "https://…".
bool IsHttpUrl(absl::string_view source);
// A git remote in one of the forms ADD takes.
bool IsGitUrl(absl::string_view source);
// The last path segment of a URL, without query; "" when there is none.
std::string UrlFileName(absl::string_view url);

}  // namespace strata::frontend
