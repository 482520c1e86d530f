// The crash oracle: a real store process, clients that do random things to it, and a death every second or so.
//
//   start the store ──► check every fact ──► clients at work ──► death ──► clients see it ──┐
//         ▲                                                                                │
//         └────────────────────────────────────────────────────────────────────────────────┘
//
// Kinds of death: the process is killed (what it wrote stays), the power goes (what it did not sync goes, lossfs decides by seed),
// the power goes by itself between two changes, the process is killed or loses its power exactly at a commit point, it is asked to
// stop and the power goes afterwards, a sync fails and the store goes on until it dies. Every few rounds the store runs with a tiny grace period, so
// that collection works beside the clients; such a round ends with a check that nothing leaked.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/blobstore/store_client.h"
#include "tests/crash/content.h"
#include "tests/crash/model.h"
#include "tests/crash/processes.h"
#include "tests/crash/stores.h"
#include "tests/crash/worker.h"

namespace strata::crash {

struct OracleOptions {
  std::string store;           // program paths
  std::string stopping_store;
  std::string lossfs;
  std::string scratch;         // an empty folder with a short path (a socket is made there)
  std::string rules = "strict";  // of lossfs
  uint64_t seed = 0;
  absl::Duration duration = absl::Seconds(30);
  int threads = 4;  // 1: deaths come after a number of operations instead of a time
  int contents = 150;
};

class Oracle {
 public:
  explicit Oracle(const OracleOptions& options);

  // Runs until the time is over or a promise is broken. An error is one of the oracle's own surroundings.
  absl::Status Run();

  bool has_failed() const { return model_.has_failed(); }
  std::string Summary() const;  // operations, deaths by kind, facts checked
  // For a look afterwards: copies the store's folder out of lossfs.
  void KeepData(const std::string& folder) const;

 private:
  enum class Death { kKill, kPowerCut, kArmedPowerCut, kCommitPoint, kCommitPointPowerCut, kStopThenPowerCut, kFailedSync, kCollect };

  Death ChooseDeath();
  absl::Status Round();
  absl::Status StartStore(Death death);
  absl::Status Arm(Death death);
  void Work(Death death);
  bool MayGoOn(Death death, absl::Time until);
  absl::Status Die(Death death);
  absl::Status CutPower();
  absl::Status Disk(const std::string& command);
  bool Explains(Death death, const absl::Status& status);
  size_t CountExtents() const;
  void MaybePrintProgress();
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  std::string Path(const std::string& name) const { return options_.scratch + "/" + name; }

  const OracleOptions options_;
  const ContentLibrary content_;
  Model model_;
  std::mt19937_64 random_;
  std::unique_ptr<LossyDisk> disk_;
  std::unique_ptr<Process> store_;
  std::unique_ptr<blobstore::StoreClient> client_;
  std::atomic<bool> is_dying_ = false;
  std::atomic<bool> must_stop_ = false;
  std::atomic<int> working_ = 0;
  int rounds_ = 0;
  std::map<Death, int> deaths_;
  absl::Time started_;
  absl::Time next_progress_;
};

}  // namespace strata::crash
