// Protobuf text must be UTF-8; what comes from Dockerfiles and commands may be anything.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace strata::rpc {

// `text` with each byte that is not part of a well-formed code point (RFC 3629) replaced by U+FFFD.
std::string ToUtf8(absl::string_view text);

}  // namespace strata::rpc
