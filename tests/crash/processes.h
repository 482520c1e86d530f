// The two processes that the oracle keeps: the file system that loses, and the store on it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"

namespace strata::crash {

// A child process. Killed with SIGKILL when the object goes, or (without pipes) when the thread that started it dies. Thread-compatible.
class Process {
 public:
  struct Options {
    std::vector<std::string> command;
    std::vector<std::string> environment;  // "NAME=value", beside ours
    std::string log_path;                  // takes standard error, and standard output unless it is piped
    bool has_pipes = false;                // standard input and output are ours
  };
  static absl::StatusOr<std::unique_ptr<Process>> Start(const Options& options);
  ~Process();

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  void Kill();  // SIGKILL, and waits for the end; harmless afterwards
  // Ends by itself within `limit`: its exit code, or 128 + the signal. kDeadlineExceeded otherwise.
  absl::StatusOr<int> Wait(absl::Duration limit);
  bool HasEnded();
  // Whether a signal has stopped it (SIGSTOP).
  bool IsStopped();

  int input() const { return input_.get(); }
  int output() const { return output_.get(); }
  void CloseInput() { input_.Reset(); }

 private:
  explicit Process(pid_t pid) : pid_(pid) {}
  void Reap(bool block);

  const pid_t pid_;
  UniqueFd input_;
  UniqueFd output_;
  bool has_ended_ = false;
  bool is_stopped_ = false;
  int status_ = 0;
};

// tests/crash/lossfs, mounted. Commands may be given from several threads.
class LossyDisk {
 public:
  static absl::StatusOr<std::unique_ptr<LossyDisk>> Mount(const std::string& program, const std::string& mount_point,
                                                          const std::string& rules, const std::string& log_path);
  ~LossyDisk();
  // One line of lossfs's language; returns its answer.
  absl::StatusOr<std::string> Command(const std::string& line);

 private:
  explicit LossyDisk(std::unique_ptr<Process> process) : process_(std::move(process)) {}
  absl::StatusOr<std::string> ReadLine() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<Process> process_;
  Mutex mutex_;  // one command at a time, with its answer
  std::string buffer_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace strata::crash
