#include "tests/bench/engine/candidates.h"

namespace strata::bench {

const std::vector<CandidateKind>& AllCandidates() {
  static const auto* const kinds = new std::vector<CandidateKind>{
      {.name = "null", .open = OpenNull, .keeps_blobs = false},
      {.name = "extent", .open = OpenExtent},
      {.name = "sst64", .open = [](const std::string& path) { return OpenSst(path, 64 << 20); }},
      {.name = "sst256", .open = [](const std::string& path) { return OpenSst(path, 256 << 20); }, .only_for_large_blobs = true},
      {.name = "blobdb", .open = OpenBlobDb},
      {.name = "wal", .open = OpenWal},
  };
  return *kinds;
}

}  // namespace strata::bench
