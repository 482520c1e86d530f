#include "services/builder/images/archive_format.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace strata::images {

namespace {

constexpr char kDockerHub[] = "docker.io";
constexpr char kLibrary[] = "library/";

}  // namespace

std::string BlobPath(const Digest& digest) {
  return absl::StrCat("blobs/", AlgorithmName(digest.algorithm()), "/", digest.hex());
}

std::optional<Digest> ParseBlobPath(absl::string_view path) {
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  if (parts.size() != 3 || parts[0] != "blobs") return std::nullopt;
  const auto digest = Digest::Parse(absl::StrCat(parts[1], ":", parts[2]));
  if (!digest.ok()) return std::nullopt;
  return *digest;
}

std::string CleanPath(absl::string_view folder, absl::string_view path) {
  const std::string whole = absl::StartsWith(path, "/") ? std::string(path) : absl::StrCat(folder, "/", path);
  std::vector<absl::string_view> clean;
  for (const absl::string_view part : absl::StrSplit(whole, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      clean.push_back(part);
    } else if (!clean.empty()) {
      clean.pop_back();
    }
  }
  return absl::StrJoin(clean, "/");
}

std::string FullDockerName(const oci::Reference& reference) {
  oci::Reference full = reference;
  if (full.host.empty()) full.host = kDockerHub;
  if (full.host == kDockerHub && !absl::StrContains(full.path, '/')) full.path = absl::StrCat(kLibrary, full.path);
  if (!full.digest) full.tag = full.TagOrLatest();
  return full.ToString();
}

oci::Reference WithoutDockerLibrary(oci::Reference reference) {
  const absl::string_view name = absl::StripPrefix(reference.path, kLibrary);
  if (reference.host != kDockerHub || name.size() == reference.path.size() || absl::StrContains(name, '/')) return reference;
  reference.path = std::string(name);
  reference.host.clear();
  return reference;
}

}  // namespace strata::images
