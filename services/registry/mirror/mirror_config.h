// What --mirrors FILE says: which repositories are mirrors, of what, and how their upstream is spoken to.
//
//   {"mirrors": [{"prefix": "docker-hub", "namespaces": ["docker.io"], "upstream": "https://registry-1.docker.io", ...}]}
//
// Strict JSON; unknown fields are refused, so that a misspelt "allow_private" is noticed. docs/operations/mirrors.md explains each.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/glob/glob.h"
#include "lib/http/url.h"

namespace strata::registry::mirror {

inline constexpr size_t kMaxConfigBytes = 1024 * 1024;
inline constexpr size_t kMaxMirrors = 1000;

// Value type.
struct MirrorConfig {
  std::string prefix;                   // "docker-hub": local names are below it; "": names are those of the upstream
  std::vector<std::string> namespaces;  // values of ?ns= that mean this mirror: "docker.io", "quay.example:5000"
  http::Url upstream;                   // only scheme, host and port
  std::string repository;               // what every name at the upstream begins with: "team"; usually ""
  std::vector<glob::Pattern> repositories;  // names at the upstream that are offered; empty: all
  bool adds_library = false;            // one-word names are below "library/" there, as Docker Hub has it
  std::string user;                     // "": anonymous
  std::string password_file;
  std::vector<std::string> token_hosts;  // "host[:port]" beside the upstream's own that may see user and password
  std::string ca_file;
  bool allow_private = false;
  absl::Duration revalidate_after = absl::Minutes(5);

  // "https://registry-1.docker.io"
  std::string UpstreamText() const;
  // The name that `rest`, what follows the prefix, has at the upstream: "library/debian". nullopt: it is not offered.
  std::optional<std::string> UpstreamName(absl::string_view rest) const;
  // Whether user and password may be sent to a token server there.
  bool TrustsTokenServer(const http::Url& realm) const;
};

// kInvalidArgument: the message names the entry ("mirror 2: ...").
absl::StatusOr<std::vector<MirrorConfig>> ParseMirrors(absl::string_view text);
// The same from a file; kNotFound, kPermissionDenied: it cannot be read.
absl::StatusOr<std::vector<MirrorConfig>> LoadMirrors(const std::string& path);

// A password file's first line. kFailedPrecondition: it cannot be read or is empty.
absl::StatusOr<std::string> ReadPassword(const std::string& path);

}  // namespace strata::registry::mirror
