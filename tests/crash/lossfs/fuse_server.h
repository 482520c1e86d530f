// A Volume mounted: translates the kernel's FUSE requests, decides nothing.
//
// The kernel caches neither names nor attributes of it, so that a power cut is seen at once; pages it may cache, by node, and nodes
// have new ids after a cut. Writes are not held back by the kernel: what write() returned is in the Volume, and what was mmap'ed
// arrives by msync(). Locks (flock, fcntl) are the kernel's own. syncfs() is not told to FUSE servers and makes nothing durable.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "tests/crash/lossfs/volume.h"

struct fuse_session;

namespace strata::lossfs {

class FuseServer {
 public:
  // Mounts at `mount_point`, an existing folder, and serves in threads of its own. `volume` outlives it. Needs root.
  // kFailedPrecondition: cannot mount; the message says what to check.
  static absl::StatusOr<std::unique_ptr<FuseServer>> Mount(const std::string& mount_point, Volume& volume);
  ~FuseServer();  // unmounts, also under open files

 private:
  FuseServer(fuse_session* session, std::string mount_point);

  fuse_session* const session_;
  const std::string mount_point_;
  std::thread thread_;
};

}  // namespace strata::lossfs
