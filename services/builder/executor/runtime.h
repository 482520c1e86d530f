// The OCI runtime of this machine, and how it must be called here.
//
// crun first: it starts in a third of runc's time. crun up to 1.8 refuses machines with hybrid cgroups, unless it does not see the
// unified tree; a builder that runs inside a container may have no cgroups to write at all. None of this is guessed: each way is
// tried with a real run until one works.
#pragma once

#include <string>
#include <vector>

#include "services/builder/executor/cgroup.h"
#include "services/builder/executor/sandbox_process.h"

namespace strata::executor {

struct Runtime {
  std::string path;
  bool is_crun = true;
  CgroupLayout cgroups = CgroupLayout::kNone;  // kNone: run without
  bool hide_unified_cgroup = false;

  // "crun with cgroup v2", for people.
  std::string Description() const;
  SandboxCommand RunCommand(const std::string& state_root, const std::string& bundle, const std::string& id) const;
  // Removes what a killed run left.
  SandboxCommand DeleteCommand(const std::string& state_root, const std::string& id) const;
  // Where RunCommand makes the runtime write its own errors, as JSON lines.
  static std::string LogPath(const std::string& bundle);
};

// The ways to try, best first. `wanted`: path of the one runtime to use, or empty. None: no runtime is installed.
std::vector<Runtime> RuntimeCandidates(const std::string& wanted, CgroupLayout layout);

// The last error in a runtime's log; empty: none.
std::string LastRuntimeError(const std::string& log_path);

}  // namespace strata::executor
