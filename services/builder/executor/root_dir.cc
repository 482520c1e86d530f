#include "services/builder/executor/root_dir.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"

namespace strata::executor {
namespace {

constexpr int kMaxLinks = 40;

std::string Quoted(absl::string_view path) { return absl::StrCat("\"", path.substr(0, 200), "\""); }

}  // namespace

absl::StatusOr<RootDir> RootDir::Open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, "opening the root file system");
  return RootDir(std::move(fd));
}

absl::StatusOr<UniqueFd> RootDir::OpenInside(absl::string_view path, int flags) const {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const std::string name = path.empty() ? "." : std::string(path);
  for (int attempt = 0; attempt < 8; ++attempt) {
    const long fd = ::syscall(SYS_openat2, fd_.get(), name.c_str(), &how, sizeof(how));
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) break;  // EAGAIN: a rename elsewhere made the kernel unsure about ".."
  }
  return ErrnoStatus(errno, absl::StrCat("opening ", Quoted(path), " in the image"));
}

absl::StatusOr<std::string> RootDir::ReadFile(absl::string_view path, size_t limit_bytes) const {
  STRATA_ASSIGN_OR_RETURN(UniqueFd fd, OpenInside(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, "fstat");
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat(Quoted(path), " in the image is not a regular file"));
  FdSource source(fd.get());
  auto content = ReadAll(source, limit_bytes);
  if (!content.ok()) return Annotate(content.status(), absl::StrCat("reading ", Quoted(path), " of the image"));
  return content;
}

absl::StatusOr<std::string> RootDir::Resolve(absl::string_view path) const {
  std::deque<std::string> rest = absl::StrSplit(path, '/', absl::SkipEmpty());
  std::vector<std::string> done;
  int links = 0;
  bool exists = true;  // whether everything in `done` does
  while (!rest.empty()) {
    const std::string name = std::move(rest.front());
    rest.pop_front();
    if (name == ".") continue;
    if (name == "..") {
      if (!done.empty()) done.pop_back();
      exists = true;
      continue;
    }
    done.push_back(name);
    if (!exists) continue;
    // Only the last component can be a link: the ones before it were resolved by earlier turns of this loop.
    auto fd = OpenInside(absl::StrJoin(done, "/"), O_PATH | O_NOFOLLOW);
    if (absl::IsNotFound(fd.status())) {
      exists = false;
      continue;
    }
    if (!fd.ok()) return absl::InvalidArgumentError(fd.status().message());
    char target[PATH_MAX];
    const ssize_t length = ::readlinkat(fd->get(), "", target, sizeof(target));
    if (length < 0) continue;  // no link
    if (++links > kMaxLinks) return absl::InvalidArgumentError(absl::StrCat(Quoted(path), ": too many symbolic links in the image"));
    const absl::string_view link(target, static_cast<size_t>(length));
    done.pop_back();
    if (!link.empty() && link[0] == '/') done.clear();
    const std::vector<std::string> parts = absl::StrSplit(link, '/', absl::SkipEmpty());
    rest.insert(rest.begin(), parts.begin(), parts.end());
  }
  return absl::StrCat("/", absl::StrJoin(done, "/"));
}

}  // namespace strata::executor
