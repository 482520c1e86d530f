// What is computed of an upload while it arrives: the digest and the checksums of its pieces, in one pass.
// Value type; thread-compatible.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/digest/hasher.h"
#include "services/store/engine/piece_checksums.h"

namespace strata::store {

struct ContentHasher {
  Hasher digest;
  PieceChecksums checksums;

  void Update(absl::string_view data) {
    digest.Update(data);
    checksums.Update(data);
  }
};

}  // namespace strata::store
