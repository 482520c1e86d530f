// Whether something in a repository may have changed since, told by the store's own counters. See generation.proto for the rule:
//
//   1. before = view.Of("team/app")       2. read what you like of team/app from the store       3. keep it with `before`
//   Later: what was kept is what the store has now, if view.IsAlive() and view.Of("team/app") == before.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"
#include "lib/descriptor/descriptor_client.h"

namespace strata::blobstore {

inline constexpr uint64_t kGenerationBuckets = 65536;
inline constexpr uint64_t kGenerationBytes = kGenerationBuckets * sizeof(uint64_t);

// The same in the store and in its readers.
uint64_t GenerationBucket(absl::string_view repository);

class GenerationView {
 public:
  // Maps `counters`. kInternal: it is not of this size, or may still change its size.
  static absl::StatusOr<std::shared_ptr<const GenerationView>> Map(UniqueFd counters,
                                                                   std::shared_ptr<const descriptor::Connection> from);
  ~GenerationView();
  GenerationView(const GenerationView&) = delete;
  GenerationView& operator=(const GenerationView&) = delete;

  uint64_t Of(absl::string_view repository) const;
  // The process that counts still does. One system call.
  bool IsAlive() const { return from_->IsAlive(); }

 private:
  GenerationView(const uint64_t* counters, std::shared_ptr<const descriptor::Connection> from);

  const uint64_t* const counters_;
  const std::shared_ptr<const descriptor::Connection> from_;
};

}  // namespace strata::blobstore
