#include "tests/bench/engine/candidates.h"

namespace strata::bench {

namespace {

class NullUpload final : public Upload {
 public:
  absl::Status Write(absl::string_view) override { return absl::OkStatus(); }
  absl::Status Checkpoint(absl::string_view) override { return absl::OkStatus(); }
  absl::Status Commit(absl::string_view) override { return absl::OkStatus(); }
};

class NullCandidate final : public Candidate {
 public:
  absl::StatusOr<std::unique_ptr<Upload>> Begin(uint64_t) override { return std::make_unique<NullUpload>(); }
  absl::StatusOr<Resumed> Resume(uint64_t) override { return absl::NotFoundError("nothing is kept"); }
  absl::StatusOr<std::unique_ptr<Reader>> Open(uint64_t) override { return absl::NotFoundError("nothing is kept"); }
  absl::Status Remove(uint64_t) override { return absl::OkStatus(); }
  absl::Status Reclaim() override { return absl::OkStatus(); }
  absl::Status WaitForBackgroundWork() override { return absl::OkStatus(); }
  absl::Status Compact() override { return absl::OkStatus(); }
};

}  // namespace

absl::StatusOr<std::unique_ptr<Candidate>> OpenNull(const std::string&) { return std::make_unique<NullCandidate>(); }

}  // namespace strata::bench
