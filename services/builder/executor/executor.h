// Runs one command in a sandbox over a mounted root file system: what RUN does.
//
// crun (or runc, where crun cannot work) with default capabilities and seccomp filter, masked paths, own PID,
// mount, IPC, UTS and (unless host) network namespaces. The root file system is the step's workspace; mount points that the sandbox
// had to create are removed afterwards, so that they never reach a layer. Thread-safe; Run blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/call_context.h"

namespace strata::executor {

enum class Network { kDefault, kNone, kHost };

struct Mount {
  std::string source;   // path on this machine; empty for tmpfs
  std::string target;   // absolute, in the container
  bool read_only = true;
  bool is_tmpfs = false;
  int64_t tmpfs_size_bytes = 0;
};

struct Limits {
  int64_t memory_bytes = 0;  // 0: none
  int64_t pids = 0;
  absl::Duration timeout = absl::InfiniteDuration();
};

struct ExecSpec {
  std::string root_path;               // the mounted workspace
  std::vector<std::string> args;       // args[0] is looked up in PATH of `env`, inside the root
  std::vector<std::string> env;        // "K=V"; HOME is added from the user's passwd entry when missing
  std::string working_dir = "/";       // created when missing
  std::string user;                    // "", "name", "uid", "name:group", "uid:gid": resolved in the root's passwd and group
  Network network = Network::kDefault;
  std::string hostname = "strata-build";
  std::vector<Mount> mounts;
  Limits limits;
};

// Output as it comes, 1 = standard output, 2 = standard error; may be called from another thread, never twice at once.
using OutputSink = std::function<void(int stream, absl::string_view data)>;

struct ExecResult {
  int exit_code = 0;      // 128 + n when a signal n ended it
  bool out_of_memory = false;
};

struct ExecutorOptions {
  std::string state_dir;  // bundles and runtime state; leftovers of a crash are ended and removed
  std::string runtime;    // path of crun or runc; empty: whichever works
  Network default_network = Network::kHost;  // what Network::kDefault means on this builder
};

class Executor {
 public:
  virtual ~Executor() = default;
  // kFailedPrecondition: no usable runtime; the message says what was tried and what each said.
  static absl::StatusOr<std::unique_ptr<Executor>> Open(const ExecutorOptions& options);

  // A command that ran and failed is a result, not an error.
  // kInvalidArgument: unknown user, command not found or not executable; the message names it.
  // kCancelled, kDeadlineExceeded: everything the command started was killed. kInternal: the runtime itself failed.
  virtual absl::StatusOr<ExecResult> Run(const CallContext& context, const ExecSpec& spec, const OutputSink& output) = 0;

  // What runs the steps: "/usr/bin/crun with cgroup v2".
  virtual std::string Description() const { return ""; }
  // What this machine cannot do for a step, to be logged once; empty: nothing is missing.
  virtual std::string Warning() const { return ""; }
};

}  // namespace strata::executor
