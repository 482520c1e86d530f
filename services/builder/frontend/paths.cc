#include "services/builder/frontend/paths.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace strata::frontend {

std::string CleanAbsolute(absl::string_view path) {
  std::vector<absl::string_view> clean;
  for (const absl::string_view component : absl::StrSplit(path, '/')) {
    if (component.empty() || component == ".") continue;
    if (component != "..") {
      clean.push_back(component);
    } else if (!clean.empty()) {
      clean.pop_back();
    }
  }
  return absl::StrCat("/", absl::StrJoin(clean, "/"));
}

std::string JoinAbsolute(absl::string_view base, absl::string_view path) {
  return CleanAbsolute(absl::StartsWith(path, "/") ? std::string(path) : absl::StrCat(base, "/", path));
}

std::string Destination(absl::string_view working_dir, absl::string_view path) {
  std::string clean = JoinAbsolute(working_dir, path);
  const bool is_folder = path == "." || absl::EndsWith(path, "/") || absl::EndsWith(path, "/.");
  if (is_folder && clean != "/") clean += "/";
  return clean;
}

std::string SourcePath(absl::string_view path) { return CleanAbsolute(path).substr(1); }

bool IsHttpUrl(absl::string_view source) {
  return absl::StartsWithIgnoreCase(source, "http://") || absl::StartsWithIgnoreCase(source, "https://");
}

bool IsGitUrl(absl::string_view source) {
  if (absl::StartsWith(source, "git://") || absl::StartsWith(source, "git@") || absl::StartsWith(source, "ssh://")) return true;
  return IsHttpUrl(source) && absl::EndsWith(source.substr(0, source.find_first_of("#?")), ".git");
}

std::string UrlFileName(absl::string_view url) {
  absl::string_view rest = url.substr(url.find("://") + 3);
  rest = rest.substr(0, rest.find_first_of("?#"));
  const size_t slash = rest.rfind('/');
  if (slash == absl::string_view::npos) return "";
  const absl::string_view name = rest.substr(slash + 1);
  return name == "." || name == ".." ? "" : std::string(name);
}

}  // namespace strata::frontend
