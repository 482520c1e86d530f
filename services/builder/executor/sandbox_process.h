// One program in PID and mount namespaces of its own: the OCI runtime, and with it everything that it starts.
//
//   builder ── clone(NEWPID|NEWNS) ── runtime (pid 1 of the outer namespace) ── step (pid 1 of the inner one) ── whatever it forks
//
// Because the runtime is the first process of a PID namespace, killing it kills the step and every daemon that it left behind, at
// once and without their consent; the kernel does the same when this thread, and so the builder, dies. When Wait sees the
// end, none of these processes exists any more and their output is complete.
//
// The child shares our memory until it executes (as vfork does), so that starting it costs the same however big the builder is.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"

namespace strata::executor {

// A file or folder of this machine that the program sees at another path: `at`, which exists and is of the same kind.
//
// It is held as a mount, so that it may come from a descriptor ("/proc/<pid>/fd/<n>" means nothing in the new PID namespace, and a
// mount of this namespace cannot be bound from within the new one). Only the new mount namespace ever has it: it goes with the program.
struct CarriedMount {
  UniqueFd tree;
  std::string at;

  // Errors of open_tree(2).
  static absl::StatusOr<CarriedMount> Open(const std::string& source, std::string at);
};

struct SandboxCommand {
  std::vector<std::string> args;     // args[0]: path of the program
  std::string working_dir = "/";
  bool hide_unified_cgroup = false;  // unmount /sys/fs/cgroup/unified in the new mount namespace
  std::string root_path;             // not empty: mounted onto itself there, so that device files in it do not work
  std::vector<CarriedMount> mounts;
};

class SandboxProcess {
 public:
  // Must be waited for by the thread that starts it: the child dies with that thread. kPermissionDenied: CAP_SYS_ADMIN is missing.
  static absl::StatusOr<SandboxProcess> Start(const SandboxCommand& command);

  SandboxProcess(SandboxProcess&&) = default;
  SandboxProcess& operator=(SandboxProcess&&) = delete;
  ~SandboxProcess();  // kills and reaps

  pid_t pid() const { return pid_; }
  int pid_fd() const { return pid_fd_.get(); }
  int output_fd() const { return output_.get(); }  // standard output, non-blocking
  int error_fd() const { return error_.get(); }    // standard error, non-blocking

  // Ends everything. Thread-safe; may be called more than once.
  void Kill() const;
  struct Exit {
    int code = 0;            // 128 + n after signal n
    bool by_signal = false;  // of the program itself, not of what it ran
  };
  // Blocks until it ended. Call once.
  absl::StatusOr<Exit> Wait();

 private:
  SandboxProcess() = default;

  pid_t pid_ = -1;
  UniqueFd pid_fd_;
  UniqueFd output_;
  UniqueFd error_;
};

}  // namespace strata::executor
