// The scenarios: a file each, each a table of the report. All run every measurement in a child process over a fresh folder, check the bytes
// that they read back, and stop at the first error.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tests/bench/engine/candidates.h"
#include "tests/bench/engine/child.h"
#include "tests/bench/engine/report.h"

namespace strata::bench {

inline constexpr uint64_t kMiB = 1 << 20;
inline constexpr double kGiB = 1 << 30;

struct Bench {
  std::string dir;  // on the disk to measure
  double scale = 1;
  std::vector<CandidateKind> candidates;
  Report* report = nullptr;

  uint64_t Scaled(uint64_t count, uint64_t at_least) const {
    return std::max(at_least, static_cast<uint64_t>(static_cast<double>(count) * scale));
  }
  // In whole MiB.
  uint64_t ScaledBytes(uint64_t bytes, uint64_t at_least) const { return Scaled(bytes / kMiB, at_least / kMiB) * kMiB; }
  // Those that keep blobs, without those that differ for large blobs only unless asked for.
  std::vector<CandidateKind> Keepers(bool with_large_only) const;
};

// A folder that goes with the object.
class Folder {
 public:
  static absl::StatusOr<Folder> Make(const Bench& bench, absl::string_view name);
  Folder(Folder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  Folder& operator=(Folder&&) = delete;
  ~Folder();
  const std::string& path() const { return path_; }

 private:
  explicit Folder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Runs `body` in a child and adds what it tells to the report's row.
absl::Status Measure(const Bench& bench, absl::string_view scenario, absl::string_view subject,
                     const std::function<absl::Status(const Teller&)>& body);

absl::Status RunTransfer(const Bench& bench);    // one large blob in and out
absl::Status RunReclaim(const Bench& bench);     // a quarter and a half of the blobs removed
absl::Status RunGrowth(const Bench& bench);      // commits and opening with more and more blobs
absl::Status RunContention(const Bench& bench);  // pushes while others are removed
absl::Status RunResume(const Bench& bench);      // killed in the middle of an upload
absl::Status RunSmall(const Bench& bench);       // small blobs inline or in files
absl::Status RunDeleteCost(const Bench& bench);  // the real store: removing ids by their size

struct Scenario {
  const char* name;
  absl::Status (*run)(const Bench& bench);
};

const std::vector<Scenario>& AllScenarios();

}  // namespace strata::bench
