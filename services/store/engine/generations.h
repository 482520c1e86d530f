// Counters that say when something in a repository changed, in memory that readers on this host map. The rule:
// proto/strata/store/v1/generation.proto. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"
#include "services/store/engine/key_value.h"

namespace strata::store {

class Generations {
 public:
  static absl::StatusOr<std::unique_ptr<Generations>> Create();
  ~Generations();
  Generations(const Generations&) = delete;
  Generations& operator=(const Generations&) = delete;

  void Bump(absl::string_view repository);
  uint64_t Of(absl::string_view repository) const;

  // The counters for one more reader, who cannot write them.
  absl::StatusOr<UniqueFd> OpenForReading() const;

 private:
  Generations(UniqueFd file, uint64_t* counters);

  const UniqueFd file_;
  uint64_t* const counters_;
};

// `kv`, with every committed change of a repository's manifests, tags and links counted: the counter has moved when Commit() returns,
// whatever it returns. `generations` outlives it.
std::unique_ptr<KeyValueStore> CountGenerations(std::unique_ptr<KeyValueStore> kv, Generations& generations);

}  // namespace strata::store
