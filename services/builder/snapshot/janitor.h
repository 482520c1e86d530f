// A thread that deletes folders, so that nobody waits for it: a big layer takes seconds to remove.
#pragma once

#include <deque>
#include <string>
#include <thread>

#include "lib/base/mutex.h"
#include "services/builder/snapshot/store_dir.h"

namespace strata::snapshot {

// Thread-safe. `dir` must outlive it. Ends without finishing what is queued: the next StoreDir::Open finds it in t/.
class Janitor {
 public:
  explicit Janitor(StoreDir& dir);
  ~Janitor();
  Janitor(const Janitor&) = delete;
  Janitor& operator=(const Janitor&) = delete;

  // `relative`: a folder in t/ that nobody else uses.
  void Delete(std::string relative);
  // Blocks until everything queued so far is gone.
  void DrainForTest();

 private:
  void Run();

  StoreDir& dir_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: starts when the rest exists
};

}  // namespace strata::snapshot
