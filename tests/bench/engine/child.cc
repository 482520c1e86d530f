#include "tests/bench/engine/child.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/bytes/byte_stream.h"

namespace strata::bench {

namespace {

constexpr size_t kMaxToldBytes = 1 << 20;

// Lines of "metric \t value"; an error is a line of "! \t code \t message".
absl::Status ReadLines(absl::string_view text, Measurements* told) {
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits('\t', 2));
    if (fields.size() == 3 && fields[0] == "!") {
      int code = 0;
      STRATA_CHECK(absl::SimpleAtoi(fields[1], &code));
      return absl::Status(static_cast<absl::StatusCode>(code), fields[2]);
    }
    double value = 0;
    if (fields.size() != 2 || !absl::SimpleAtod(fields[1], &value)) return absl::InternalError("a line of the child is cut off");
    told->emplace_back(fields[0], value);
  }
  return absl::OkStatus();
}

[[noreturn]] void RunBody(const std::function<absl::Status(const Teller&)>& body, int fd) {
  const absl::Status status = body(Teller(fd));
  if (status.ok()) ::_exit(0);
  std::string message(status.message());
  for (char& c : message) {
    if (c == '\n') c = ' ';
  }
  const absl::Status written = WriteFully(fd, absl::StrCat("!\t", static_cast<int>(status.code()), "\t", message, "\n"));
  ::_exit(written.ok() ? 0 : 1);
}

absl::Status WaitFor(pid_t child) {
  int how = 0;
  while (::waitpid(child, &how, 0) < 0) {
    if (errno != EINTR) return ErrnoStatus(errno, "waitpid");
  }
  if (WIFSIGNALED(how)) return absl::AbortedError(absl::StrCat("the child was killed by signal ", WTERMSIG(how)));
  if (WEXITSTATUS(how) != 0) return absl::InternalError(absl::StrCat("the child ended with code ", WEXITSTATUS(how)));
  return absl::OkStatus();
}

}  // namespace

void Teller::Tell(absl::string_view metric, double value) const {
  // The reader is the parent, who reads until we end.
  STRATA_CHECK(WriteFully(fd_, absl::StrFormat("%s\t%.17g\n", metric, value)).ok());
}

absl::Status RunInChild(const std::function<absl::Status(const Teller&)>& body, Measurements* told) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
  UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return ErrnoStatus(errno, "fork");
  if (child == 0) RunBody(body, writing.get());
  writing.Reset();
  FdSource source(reading.get());
  const absl::StatusOr<std::string> text = ReadAll(source, kMaxToldBytes);
  const absl::Status ended = WaitFor(child);
  STRATA_RETURN_IF_ERROR(text.status());
  STRATA_RETURN_IF_ERROR(ReadLines(*text, told));
  return ended;
}

double Find(const Measurements& told, absl::string_view metric, double otherwise) {
  for (auto entry = told.rbegin(); entry != told.rend(); ++entry) {
    if (entry->first == metric) return entry->second;
  }
  return otherwise;
}

}  // namespace strata::bench
