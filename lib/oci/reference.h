// An image reference as people write it: "[host[:port]/]path[:tag][@digest]".
// Spec: distribution-spec "Pulling manifests" (name and tag grammar); Docker's rule for what counts as a host.
//
// Names in the store. Our own registry is the default one: "app:1" and "<our registry>/app:1" are repository "app" of the store. An
// image of another registry is kept under its host, whose ":" becomes "_" (which no host name contains): "quay.example:5000/team/app"
// is repository "quay.example_5000/team/app".
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "lib/digest/digest.h"

namespace strata::oci {

// kInvalidArgument, naming the rule broken, unless `name` is a repository name of at most 255 bytes.
absl::Status ValidateRepository(absl::string_view name);
// kInvalidArgument unless `tag` is [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}.
absl::Status ValidateTag(absl::string_view tag);

struct Reference {
  std::string host;                // "" when none was written
  std::string path;                // "team/app"
  std::string tag;                 // "" when none was written
  std::optional<Digest> digest;

  // kInvalidArgument: not a reference; the message quotes it and says what is wrong.
  static absl::StatusOr<Reference> Parse(absl::string_view text);

  std::string ToString() const;    // as written
  // The tag, or "latest" when neither tag nor digest was written.
  std::string TagOrLatest() const { return tag.empty() && !digest ? "latest" : tag; }
  // Repository of the store (see above). `own_hosts` are the names our registry is reached by, "127.0.0.1:5000".
  std::string StoreRepository(absl::Span<const std::string> own_hosts) const;
};

// The inverse of StoreRepository for display: "quay.example_5000/team/app" -> "quay.example:5000/team/app".
std::string DisplayName(absl::string_view store_repository);

}  // namespace strata::oci
