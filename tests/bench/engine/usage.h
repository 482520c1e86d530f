// What this process has used so far, and what a folder takes on disk.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace strata::bench {

class Stopwatch {
 public:
  double Seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count(); }

 private:
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

struct Usage {
  double cpu_seconds = 0;  // user and system, of all threads, those that ended too
  int64_t written_bytes =
      0;  // made dirty for a disk by this process, less what was cut off before it got there; not the file system's journal
  int64_t device_bytes = 0;  // written by the disk under `dir` for anybody, journal included; 0 where the disk cannot be told

  Usage operator-(const Usage& before) const {
    return {cpu_seconds - before.cpu_seconds, written_bytes - before.written_bytes, device_bytes - before.device_bytes};
  }
};

// kUnavailable: /proc does not tell.
absl::StatusOr<Usage> UsageNow(const std::string& dir);
// The same after every file under `dir` has reached the disk.
absl::StatusOr<Usage> UsageAtRest(const std::string& dir);

// Of this process, in bytes: the most that was resident, and anonymous memory at this moment.
absl::StatusOr<int64_t> PeakResidentBytes();
absl::StatusOr<int64_t> AnonymousBytes();

// Blocks allocated to all files under `dir`, each file counted once, in bytes; without what is reserved past the end of a file.
absl::StatusOr<int64_t> AllocatedBytes(const std::string& dir);
// Free bytes of its file system.
absl::StatusOr<int64_t> FreeBytes(const std::string& dir);

}  // namespace strata::bench
