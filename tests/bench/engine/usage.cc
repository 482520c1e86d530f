#include "tests/bench/engine/usage.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"

namespace strata::bench {

namespace {

constexpr int64_t kSectorBytes = 512;  // of the kernel's statistics, whatever the disk's is
constexpr int64_t kPageBytes = 4096;

// The number after "<name>:" in a file of lines "name: number ...".
absl::StatusOr<int64_t> NumberIn(const char* path, const std::string& name) {
  std::ifstream file(path);
  std::string word;
  while (file >> word) {
    int64_t number = 0;
    if (word == name + ":" && file >> number) return number;
  }
  return absl::UnavailableError(absl::StrCat(path, " has no ", name));
}

int64_t DeviceBytes(const std::string& dir) {
  struct stat info = {};
  if (::stat(dir.c_str(), &info) != 0) return 0;
  std::ifstream file(absl::StrCat("/sys/dev/block/", major(info.st_dev), ":", minor(info.st_dev), "/stat"));
  int64_t fields[7] = {};  // the seventh is sectors written
  for (int64_t& field : fields) {
    if (!(file >> field)) return 0;
  }
  return fields[6] * kSectorBytes;
}

absl::Status ForEachFile(const std::string& dir, const std::function<absl::Status(const std::string&)>& visit) {
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator entry(dir, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->is_directory(error)) STRATA_RETURN_IF_ERROR(visit(entry->path()));
    error.clear();  // removed meanwhile
  }
  return error ? absl::InternalError(absl::StrCat("walk ", dir, ": ", error.message())) : absl::OkStatus();
}

absl::Status SyncFile(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.is_valid()) return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(errno, "open a file to sync");
  return ::fsync(fd.get()) == 0 ? absl::OkStatus() : ErrnoStatus(errno, "fsync");
}

// RocksDB reserves some MiB past the end of the files that it appends to; they come and go by their own rules.
int64_t BytesInUse(const struct stat& info) {
  const int64_t to_the_end = (static_cast<int64_t>(info.st_size) + kPageBytes - 1) / kPageBytes * kPageBytes;
  return std::min(static_cast<int64_t>(info.st_blocks) * kSectorBytes, to_the_end);
}

double Seconds(const timeval& time) { return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec); }

}  // namespace

absl::StatusOr<Usage> UsageNow(const std::string& dir) {
  rusage used = {};
  if (::getrusage(RUSAGE_SELF, &used) != 0) return ErrnoStatus(errno, "getrusage");
  STRATA_ASSIGN_OR_RETURN(const int64_t written, NumberIn("/proc/self/io", "write_bytes"));
  STRATA_ASSIGN_OR_RETURN(const int64_t cancelled, NumberIn("/proc/self/io", "cancelled_write_bytes"));
  return Usage{Seconds(used.ru_utime) + Seconds(used.ru_stime), written - cancelled, DeviceBytes(dir)};
}

absl::StatusOr<Usage> UsageAtRest(const std::string& dir) {
  // Not syncfs(), which waits for what everybody else has written as well.
  STRATA_RETURN_IF_ERROR(ForEachFile(dir, SyncFile));
  return UsageNow(dir);
}

absl::StatusOr<int64_t> PeakResidentBytes() {
  STRATA_ASSIGN_OR_RETURN(const int64_t kib, NumberIn("/proc/self/status", "VmHWM"));
  return kib * 1024;
}

absl::StatusOr<int64_t> AnonymousBytes() {
  STRATA_ASSIGN_OR_RETURN(const int64_t kib, NumberIn("/proc/self/status", "RssAnon"));
  return kib * 1024;
}

absl::StatusOr<int64_t> AllocatedBytes(const std::string& dir) {
  std::set<ino_t> seen;
  int64_t sum = 0;
  STRATA_RETURN_IF_ERROR(ForEachFile(dir, [&](const std::string& path) {
    struct stat info = {};
    // Background work may just have removed it.
    if (::lstat(path.c_str(), &info) == 0 && seen.insert(info.st_ino).second) sum += BytesInUse(info);
    return absl::OkStatus();
  }));
  return sum;
}

absl::StatusOr<int64_t> FreeBytes(const std::string& dir) {
  struct statvfs info = {};
  if (::statvfs(dir.c_str(), &info) != 0) return ErrnoStatus(errno, "statvfs");
  return static_cast<int64_t>(info.f_bfree) * static_cast<int64_t>(info.f_frsize);
}

}  // namespace strata::bench
