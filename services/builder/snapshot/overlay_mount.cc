#include "services/builder/snapshot/overlay_mount.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/bytes/byte_stream.h"

namespace strata::snapshot {
namespace {

constexpr size_t kPageBytes = 4096;
constexpr int kBusyAttempts = 50;
constexpr size_t kMaxMountTableBytes = 64 * 1024 * 1024;

std::string Options(const OverlayMount& mount) {
  // redirect_dir, metacopy: layers must be whole by themselves. index: a layer is below many mounts at once.
  std::string options = absl::StrCat("index=off,redirect_dir=off,metacopy=off,lowerdir=", absl::StrJoin(mount.lower, ":"));
  if (!mount.upper.empty()) absl::StrAppend(&options, ",upperdir=", mount.upper, ",workdir=", mount.work, mount.is_volatile ? ",volatile" : "");
  return options;
}

int MountHere(int store_fd, const std::string& target, const std::string& options) {
  int error = 0;
  std::thread([&] {
    if (::unshare(CLONE_FS) != 0 || ::fchdir(store_fd) != 0 ||
        ::mount("overlay", target.c_str(), "overlay", MS_NODEV, options.c_str()) != 0) {
      error = errno;
    }
  }).join();
  return error;
}

// The table writes blanks and backslashes as \ooo.
std::string Unescape(absl::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0')));
      i += 3;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

}  // namespace

absl::Status MountOverlay(int store_fd, const OverlayMount& mount) {
  const std::string options = Options(mount);
  if (options.size() >= kPageBytes) {
    return absl::FailedPreconditionError(absl::StrCat("a stack of ", mount.lower.size(), " layers is more than one overlay mount can hold"));
  }
  const int error = MountHere(store_fd, mount.target, options);
  if (error != 0) return ErrnoStatus(error, absl::StrCat("mounting a stack of ", mount.lower.size(), " layers"));
  return absl::OkStatus();
}

absl::Status UnmountTree(const std::string& path) {
  for (int attempt = 0; attempt < kBusyAttempts; ++attempt) {
    if (::umount2(path.c_str(), UMOUNT_NOFOLLOW) == 0) return absl::OkStatus();
    if (errno != EBUSY) return ErrnoStatus(errno, "unmounting a stack of layers");
    absl::SleepFor(absl::Milliseconds(1));
  }
  if (::umount2(path.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH) != 0) return ErrnoStatus(errno, "detaching a stack of layers");
  return absl::OkStatus();
}

absl::Status UnmountAllBelow(const std::string& folder) {
  const UniqueFd fd(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, "reading the mount table");
  FdSource source(fd.get());
  STRATA_ASSIGN_OR_RETURN(const std::string table, ReadAll(source, kMaxMountTableBytes));
  std::vector<std::string> points;
  for (absl::string_view line : absl::StrSplit(table, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(' ', 5));
    if (fields.size() < 5) continue;
    std::string point = Unescape(fields[4]);
    if (point == folder || absl::StartsWith(point, folder + "/")) points.push_back(std::move(point));
  }
  // Later mounts may lie on earlier ones.
  for (auto point = points.rbegin(); point != points.rend(); ++point) {
    if (::umount2(point->c_str(), UMOUNT_NOFOLLOW | MNT_DETACH) != 0) return ErrnoStatus(errno, absl::StrCat("unmounting what an earlier builder left at ", *point));
  }
  return absl::OkStatus();
}

}  // namespace strata::snapshot
