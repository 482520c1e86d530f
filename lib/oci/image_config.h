// The image configuration: what a container of the image runs, and how the image came to be.
// Spec: OCI image-spec config.md; Docker image spec v1.2 for healthcheck, shell, onbuild and args_escaped. Value types.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/digest/digest.h"
#include "lib/oci/platform.h"

namespace strata::oci {

struct Healthcheck {
  std::vector<std::string> test;  // {"NONE"} disables; {"CMD", …} or {"CMD-SHELL", "…"}
  int64_t interval_ns = 0;        // 0: the default
  int64_t timeout_ns = 0;
  int64_t start_period_ns = 0;
  int64_t start_interval_ns = 0;
  int64_t retries = 0;
  bool operator==(const Healthcheck&) const = default;
};

struct HistoryEntry {
  std::optional<absl::Time> created;
  std::string created_by;
  std::string author;
  std::string comment;
  bool empty_layer = false;
};

struct ImageConfig {
  std::optional<absl::Time> created;
  std::string author;
  Platform platform;

  std::string user;
  std::set<std::string> exposed_ports;       // "80/tcp"
  std::vector<std::string> env;              // "K=V", unique by K
  std::optional<std::vector<std::string>> entrypoint;
  std::optional<std::vector<std::string>> cmd;
  std::set<std::string> volumes;
  std::string working_dir;
  std::map<std::string, std::string> labels;
  std::string stop_signal;
  std::optional<Healthcheck> healthcheck;
  std::optional<std::vector<std::string>> shell;
  std::vector<std::string> on_build;
  bool args_escaped = false;

  std::vector<Digest> diff_ids;
  std::vector<HistoryEntry> history;

  // kInvalidArgument: over 8 MiB, not JSON, or a field of the wrong type.
  static absl::StatusOr<ImageConfig> Parse(absl::string_view content);
  std::string ToJson() const;  // deterministic

  // The value of an environment variable; null when unset.
  const std::string* FindEnv(absl::string_view name) const;  // points at "K=V"
  void SetEnv(absl::string_view name, absl::string_view value);
};

}  // namespace strata::oci
