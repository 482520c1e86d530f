#include "cli/context/temp_dir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/fs/dir.h"

namespace strata::cli {
namespace {

std::string Template(const std::string& base) { return absl::StrCat(base.empty() ? "/tmp" : base, "/strata-XXXXXX"); }

absl::Status CreateError(int error_number, const std::string& base) {
  return ErrnoStatus(error_number, absl::StrCat("making room for temporary files in \"", base.empty() ? "/tmp" : base,
                                                "\" (TMPDIR names another place)"));
}

}  // namespace

absl::StatusOr<TempDir> TempDir::Create(const std::string& base) {
  std::string path = Template(base);
  if (::mkdtemp(path.data()) == nullptr) return CreateError(errno, base);
  return TempDir(std::move(path));
}

TempDir::~TempDir() {
  if (path_.empty()) return;
  // What cannot be removed stays for the system's own cleaning of /tmp; there is nobody left to tell.
  fs::RemoveAllAt(AT_FDCWD, path_).IgnoreError();
}

absl::StatusOr<UniqueFd> CreateTempFile(const std::string& base) {
  std::string path = Template(base);
  UniqueFd fd(::mkostemp(path.data(), O_CLOEXEC));
  if (!fd.is_valid()) return CreateError(errno, base);
  ::unlink(path.c_str());
  return fd;
}

}  // namespace strata::cli
