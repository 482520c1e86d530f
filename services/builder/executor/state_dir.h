// The executor's folder: what one builder keeps on disk about the steps that run now.
//
//   lock            held while a builder uses the folder
//   runtime/        the runtime's own state (--root)
//   runs/<id>/      one step: config.json, hosts, resolv.conf, log, and `process`: who runs it, for the next builder after a crash
//
// Thread-safe.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"

namespace strata::executor {

// One step's folder; removed with the object.
class RunDir {
 public:
  RunDir(std::string path, std::string id) : path_(std::move(path)), id_(std::move(id)) {}
  RunDir(const RunDir&) = delete;
  RunDir& operator=(const RunDir&) = delete;
  ~RunDir();

  const std::string& path() const { return path_; }
  const std::string& id() const { return id_; }
  // Creates or replaces a file, readable by everyone who can reach it.
  absl::Status Write(absl::string_view name, absl::string_view content) const;
  // Remembers the process, so that a later builder can end it.
  absl::Status RecordProcess(pid_t pid) const;

 private:
  const std::string path_;
  const std::string id_;
};

class StateDir {
 public:
  // Creates the folder (mode 0700) when missing. kFailedPrecondition: another builder uses it.
  static absl::StatusOr<std::unique_ptr<StateDir>> Open(const std::string& path);

  std::string runtime_root() const { return path_ + "/runtime"; }
  absl::StatusOr<std::unique_ptr<RunDir>> NewRun() const;

  // Kills what runs of a builder that died left running, removes their folders and the runtime's state; returns their ids.
  std::vector<std::string> EndLeftovers() const;

 private:
  StateDir(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  const std::string path_;
  const UniqueFd lock_;
};

}  // namespace strata::executor
