#include "cli/commands/local_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/exit_code.h"
#include "lib/base/status.h"

namespace strata::cli {

absl::StatusOr<InputFile> InputFile::Open(const Invocation& invocation, const std::string& path) {
  InputFile file;
  if (path.empty() || path == "-") {
    if (invocation.environment.input_is_terminal) return UsageError("standard input is a terminal; name a file, or send one with <");
    file.standard_ = &invocation.environment.input;
    return file;
  }
  file.fd_.Reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.fd_.is_valid()) return ErrnoStatus(errno, absl::StrCat("opening \"", path, "\""));
  file.file_ = std::make_unique<FdSource>(file.fd_.get());
  return file;
}

absl::StatusOr<OutputFile> OutputFile::Create(const Invocation& invocation, const std::string& path) {
  OutputFile file;
  if (path.empty() || path == "-") {
    if (invocation.environment.output_is_terminal) {
      return UsageError("standard output is a terminal, and this is no text; name a file with -o FILE, or send it on with > or |");
    }
    file.standard_ = &invocation.environment.output;
    return file;
  }
  struct stat info;
  // A pipe or device that exists is written to, not replaced.
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    file.fd_.Reset(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.fd_.is_valid()) return ErrnoStatus(errno, absl::StrCat("opening \"", path, "\""));
  } else {
    std::string partial = absl::StrCat(path, ".partial-XXXXXX");
    file.fd_.Reset(::mkostemp(partial.data(), O_CLOEXEC));
    if (!file.fd_.is_valid()) return ErrnoStatus(errno, absl::StrCat("creating \"", path, "\""));
    file.path_ = path;
    file.partial_path_ = std::move(partial);
  }
  file.file_ = std::make_unique<FdSink>(file.fd_.get());
  return file;
}

OutputFile::~OutputFile() {
  if (!partial_path_.empty()) ::unlink(partial_path_.c_str());
}

absl::Status OutputFile::Commit() {
  if (partial_path_.empty()) return absl::OkStatus();
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(fd_.get(), 0666 & ~mask) != 0 || ::rename(partial_path_.c_str(), path_.c_str()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("giving \"", path_, "\" its name"));
  }
  partial_path_.clear();
  return absl::OkStatus();
}

}  // namespace strata::cli
