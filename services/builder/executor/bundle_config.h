// The config.json of one step: what the runtime is told. Pure; everything it needs is in BundleInput.
// Spec: OCI runtime-spec 1.0, config.md and config-linux.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/builder/executor/executor.h"
#include "services/builder/executor/user_lookup.h"

namespace strata::executor {

struct BundleInput {
  std::string root_path;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string working_dir = "/";
  ResolvedUser user;
  std::string hostname;
  bool host_network = true;
  std::vector<Mount> mounts;               // targets resolved; in the order they are mounted
  std::string cgroup_path;                 // empty: no cgroup of its own, no limits, and no right to make devices
  int64_t memory_bytes = 0;
  int64_t pids = 0;
  uint64_t open_files = 1'048'576;
  uint64_t available_capabilities = ~uint64_t{0};  // bit n: capability number n; others are not asked for
};

std::string BundleConfigJson(const BundleInput& input);

}  // namespace strata::executor
