// RUN --mount: one CSV record such as "type=cache,target=/root/.cache,sharing=locked".
//
// Values may hold variables, which are known only when the instruction is reached: ParseMount reads what can be read from
// the text alone, ExpandMount reads it again with the variables filled in. `from` never holds a variable.
// Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::dockerfile {

enum class MountType { kBind, kCache, kTmpfs, kSecret, kSsh };
enum class CacheSharing { kShared, kPrivate, kLocked };

// Options not given are empty (strings, optionals) or hold the default named here; `id` of a cache defaults to its target
// and of a secret to the last component of its target, which the reader fills in once the target is absolute.
struct Mount {
  std::string text;  // the CSV record as written
  MountType type = MountType::kBind;
  std::string target;  // may be relative to WORKDIR; "" only for secret and ssh
  std::string source;
  std::string from;     // stage, image or named context; "" is the build context (bind) or nothing (cache)
  std::string id;       // cache, secret, ssh
  std::string env;      // secret: the variable that carries it
  bool read_only = true;  // bind: true by default; cache and tmpfs: false by default
  CacheSharing sharing = CacheSharing::kShared;
  std::optional<uint32_t> mode;  // cache, secret, ssh; octal in the text
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
  uint64_t size_bytes = 0;  // tmpfs; 0: no limit asked for
  bool required = false;    // secret, ssh
  bool has_variables = false;  // fields whose text holds '$' are not final: use ExpandMount
};

// kInvalidArgument without a position: not a CSV record, unknown type or key ("unexpected key 'x'"), a key that this type
// does not take, a bad value, a missing or forbidden target, a variable in `from` or a variable anywhere else that decides
// the meaning of the record (the type).
absl::StatusOr<Mount> ParseMount(absl::string_view text);

// Expands one value; errors are passed on.
using WordExpander = absl::FunctionRef<absl::StatusOr<std::string>(absl::string_view word)>;

// The mount with every value but `from` expanded; `mount` itself when it has no variables. Errors as ParseMount.
absl::StatusOr<Mount> ExpandMount(const Mount& mount, WordExpander expand);

// "bind", "cache", ... and "shared", "private", "locked".
absl::string_view ToString(MountType type);
absl::string_view ToString(CacheSharing sharing);

}  // namespace strata::dockerfile
