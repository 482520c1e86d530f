#include "services/builder/executor/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"

namespace strata::executor {
namespace {

constexpr char kMount[] = "/sys/fs/cgroup";
constexpr char kParent[] = "/strata-build";

bool IsCgroup2(const std::string& path) {
  struct statfs info = {};
  return ::statfs(path.c_str(), &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC;
}

// Every tree that a run may have groups in.
std::vector<std::string> Trees(CgroupLayout layout) {
  if (layout == CgroupLayout::kNone) return {};
  if (layout == CgroupLayout::kV2) return {kMount};
  std::vector<std::string> trees;
  std::error_code error;
  for (std::filesystem::directory_iterator it(kMount, error), end; !error && it != end; it.increment(error)) trees.push_back(it->path().string());
  return trees;
}

int64_t OomKills(const std::string& events_path) {
  const UniqueFd fd(::open(events_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_valid()) return 0;
  FdSource source(fd.get());
  const auto text = ReadAll(source, 4096);
  if (!text.ok()) return 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    int64_t count = 0;
    if (absl::ConsumePrefix(&line, "oom_kill ") && absl::SimpleAtoi(line, &count)) return count;
  }
  return 0;
}

absl::Status WriteControl(const std::string& path, absl::string_view value) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, absl::StrCat("opening ", path));
  return Annotate(WriteFully(fd.get(), value), absl::StrCat("writing ", path));
}

// v1: limits the group and asks for one count in an eventfd each time it is out of memory.
absl::StatusOr<UniqueFd> LimitAndSubscribe(const std::string& group, int64_t limit_bytes) {
  if (::mkdir(group.c_str(), 0755) != 0 && errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("creating ", group));
  STRATA_RETURN_IF_ERROR(WriteControl(group + "/memory.limit_in_bytes", absl::StrCat(limit_bytes)));
  // Absent where swap is not accounted.
  if (::access((group + "/memory.memsw.limit_in_bytes").c_str(), W_OK) == 0) {
    STRATA_RETURN_IF_ERROR(WriteControl(group + "/memory.memsw.limit_in_bytes", absl::StrCat(limit_bytes)));
  }
  UniqueFd counter(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const UniqueFd control(::open((group + "/memory.oom_control").c_str(), O_RDONLY | O_CLOEXEC));
  if (!counter.is_valid() || !control.is_valid()) return ErrnoStatus(errno, "watching a step's memory");
  STRATA_RETURN_IF_ERROR(WriteControl(group + "/cgroup.event_control", absl::StrCat(counter.get(), " ", control.get())));
  return counter;
}

}  // namespace

CgroupLayout DetectCgroupLayout() {
  if (IsCgroup2(kMount)) return CgroupLayout::kV2;
  if (IsCgroup2(absl::StrCat(kMount, "/unified"))) return CgroupLayout::kHybrid;
  struct stat info = {};
  if (::stat(absl::StrCat(kMount, "/memory/cgroup.procs").c_str(), &info) == 0) return CgroupLayout::kV1;
  return CgroupLayout::kNone;
}

absl::string_view CgroupLayoutName(CgroupLayout layout) {
  switch (layout) {
    case CgroupLayout::kV1:
      return "cgroup v1";
    case CgroupLayout::kHybrid:
      return "hybrid cgroups";
    case CgroupLayout::kV2:
      return "cgroup v2";
    case CgroupLayout::kNone:
      break;
  }
  return "no cgroups";
}

std::string CgroupPath(CgroupLayout layout, absl::string_view run_id) {
  if (layout == CgroupLayout::kNone) return "";
  return absl::StrCat(kParent, "/", run_id, "/step");
}

void RemoveCgroups(CgroupLayout layout, absl::string_view run_id) {
  for (const std::string& tree : Trees(layout)) {
    ::rmdir(absl::StrCat(tree, kParent, "/", run_id, "/step").c_str());
    ::rmdir(absl::StrCat(tree, kParent, "/", run_id).c_str());
  }
}

absl::StatusOr<MemoryWatch> MemoryWatch::Start(CgroupLayout layout, absl::string_view run_id, int64_t limit_bytes) {
  MemoryWatch watch;
  if (layout == CgroupLayout::kNone || limit_bytes <= 0) return watch;
  if (layout == CgroupLayout::kV2) {
    watch.events_path_ = absl::StrCat(kMount, kParent, "/", run_id, "/memory.events");
    return watch;
  }
  const std::string parent = absl::StrCat(kMount, "/memory", kParent);
  if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("creating ", parent));
  STRATA_ASSIGN_OR_RETURN(watch.notifications_, LimitAndSubscribe(absl::StrCat(parent, "/", run_id), limit_bytes));
  return watch;
}

bool MemoryWatch::RanOut() const {
  if (!events_path_.empty()) return OomKills(events_path_) > 0;
  uint64_t count = 0;
  return notifications_.is_valid() && ::read(notifications_.get(), &count, sizeof(count)) == sizeof(count) && count > 0;
}

}  // namespace strata::executor
