// The grammars of what requests name. Spec: OCI distribution-spec, "Pulling manifests" (<name>, <reference>).
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/digest/digest.h"

namespace strata::registry {

inline constexpr size_t kMaxRepositoryNameBytes = 255;
inline constexpr size_t kMaxTagBytes = 128;

// Components of [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* joined by "/", at most kMaxRepositoryNameBytes together.
// kInvalidArgument otherwise; the message quotes at most 80 bytes and says which rule is broken.
absl::Status CheckRepositoryName(absl::string_view name);

// [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}. kInvalidArgument otherwise.
absl::Status CheckTag(absl::string_view tag);

// What comes after /manifests/: one of the two is set.
struct Reference {
  std::string tag;
  std::optional<Digest> digest;
};

// Text with a ":" is a digest, all else a tag: no tag contains ":".
inline bool LooksLikeDigest(absl::string_view reference) { return reference.find(':') != absl::string_view::npos; }

// kInvalidArgument: neither a tag nor a digest of an algorithm we have.
absl::StatusOr<Reference> ParseReference(absl::string_view text);

}  // namespace strata::registry
