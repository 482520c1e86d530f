#include "services/builder/executor/state_dir.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"

namespace strata::executor {
namespace {

absl::StatusOr<std::string> ReadSmallFile(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.is_valid()) return ErrnoStatus(errno, absl::StrCat("opening ", path));
  FdSource source(fd.get());
  return ReadAll(source, 64 * 1024);
}

// Names a process for good: numbers are reused, start times and boots are not. Empty: no such process.
std::string ProcessIdentity(pid_t pid) {
  const auto stat = ReadSmallFile(absl::StrCat("/proc/", pid, "/stat"));
  const auto boot = ReadSmallFile("/proc/sys/kernel/random/boot_id");
  if (!stat.ok() || !boot.ok()) return "";
  const size_t name_end = stat->rfind(')');  // the name before it may contain anything
  if (name_end == std::string::npos) return "";
  const std::vector<std::string> fields = absl::StrSplit(stat->substr(name_end + 1), ' ', absl::SkipWhitespace());
  constexpr size_t kStartTime = 19;  // field 22 of proc(5), counted from the third
  if (fields.size() <= kStartTime) return "";
  return absl::StrCat(pid, " ", fields[kStartTime], " ", *boot);
}

void KillRecorded(const std::string& record_path) {
  const auto record = ReadSmallFile(record_path);
  if (!record.ok()) return;
  pid_t pid = 0;
  const std::pair<std::string, std::string> parts = absl::StrSplit(*record, absl::MaxSplits(' ', 1));
  if (!absl::SimpleAtoi(parts.first, &pid) || pid <= 1) return;
  const UniqueFd pid_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  // The descriptor first: it stays with this process if the number is reused after the comparison.
  if (!pid_fd.is_valid() || ProcessIdentity(pid) != *record) return;
  ::syscall(SYS_pidfd_send_signal, pid_fd.get(), SIGKILL, nullptr, 0);
  pollfd ended = {.fd = pid_fd.get(), .events = POLLIN, .revents = 0};
  ::poll(&ended, 1, 10'000);
}

absl::Status MakePrivateDir(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("creating ", path));
  return absl::OkStatus();
}

}  // namespace

RunDir::~RunDir() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

absl::Status RunDir::Write(absl::string_view name, absl::string_view content) const {
  const UniqueFd fd(::open(absl::StrCat(path_, "/", name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd.is_valid()) return ErrnoStatus(errno, absl::StrCat("creating the step's ", name));
  ::fchmod(fd.get(), 0644);
  return Annotate(WriteFully(fd.get(), content), absl::StrCat("writing the step's ", name));
}

absl::Status RunDir::RecordProcess(pid_t pid) const { return Write("process", ProcessIdentity(pid)); }

absl::StatusOr<std::unique_ptr<StateDir>> StateDir::Open(const std::string& path) {
  std::error_code error;
  const std::string absolute = std::filesystem::absolute(path, error).string();
  if (error) return ErrnoStatus(error.value(), "the executor's state folder");
  std::filesystem::create_directories(absolute, error);
  if (error) return ErrnoStatus(error.value(), "creating the executor's state folder");
  ::chmod(absolute.c_str(), 0700);
  UniqueFd lock(::open(absl::StrCat(absolute, "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.is_valid()) return ErrnoStatus(errno, "opening the lock of the executor's state folder");
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError("the executor's state folder is in use by another builder; stop it or configure another folder");
  }
  for (const char* name : {"/runtime", "/runs"}) STRATA_RETURN_IF_ERROR(MakePrivateDir(absolute + name));
  return std::unique_ptr<StateDir>(new StateDir(absolute, std::move(lock)));
}

absl::StatusOr<std::unique_ptr<RunDir>> StateDir::NewRun() const {
  char random[8];
  if (::getrandom(random, sizeof(random), 0) != sizeof(random)) return ErrnoStatus(errno, "getrandom");
  std::string id = absl::StrCat("strata-", absl::BytesToHexString(absl::string_view(random, sizeof(random))));
  std::string path = absl::StrCat(path_, "/runs/", id);
  if (::mkdir(path.c_str(), 0700) != 0) return ErrnoStatus(errno, "creating the folder of a step");
  return std::make_unique<RunDir>(std::move(path), std::move(id));
}

std::vector<std::string> StateDir::EndLeftovers() const {
  std::vector<std::string> ids;
  std::error_code error;
  for (std::filesystem::directory_iterator it(path_ + "/runs", error), end; !error && it != end; it.increment(error)) {
    KillRecorded(it->path().string() + "/process");
    ids.push_back(it->path().filename().string());
  }
  for (const std::string& id : ids) std::filesystem::remove_all(path_ + "/runs/" + id, error);
  for (const std::string& id : ids) std::filesystem::remove_all(runtime_root() + "/" + id, error);
  return ids;
}

}  // namespace strata::executor
