#include "cli/context/git_source.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/exit_code.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/fs/beneath.h"
#include "lib/fs/dir.h"

extern char** environ;

namespace strata::cli {
namespace {

constexpr size_t kMaxSaid = 4096;

// The environment with what keeps git from asking questions and from leaving its folder.
std::vector<std::string> GitEnvironment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const absl::string_view text(*variable);
    const bool points_elsewhere = absl::StartsWith(text, "GIT_DIR=") || absl::StartsWith(text, "GIT_WORK_TREE=") ||
                                  absl::StartsWith(text, "GIT_INDEX_FILE=") || absl::StartsWith(text, "GIT_TERMINAL_PROMPT=");
    if (!points_elsewhere) variables.emplace_back(text);
  }
  variables.push_back("GIT_TERMINAL_PROMPT=0");
  return variables;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Starts git with its errors going to `error_fd`.
absl::StatusOr<pid_t> Spawn(std::vector<std::string> args, int error_fd) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, error_fd, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, error_fd, STDERR_FILENO);
  // We hold signals back for our own handling; git must not inherit that.
  sigset_t none;
  sigset_t defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> variables = GitEnvironment();
  pid_t child = -1;
  const int failed = posix_spawnp(&child, "git", &actions, &attributes, Pointers(args).data(), Pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed == ENOENT) {
    return absl::FailedPreconditionError("the context is a git repository, but there is no git program on this machine; install git, or "
                                         "check the repository out and give its folder");
  }
  if (failed != 0) return ErrnoStatus(failed, "starting git");
  return child;
}

// Reads what git says until it ends, keeping the last part; ends git when the call is cancelled.
std::string Listen(const CallContext& call, int fd, pid_t child) {
  std::string said;
  bool stopped = false;
  for (;;) {
    pollfd wait = {.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, 100) < 0 && errno != EINTR) return said;
    if (!stopped && !call.Check().ok()) {
      ::kill(child, SIGTERM);
      stopped = true;
    }
    if (wait.revents == 0) continue;
    char buffer[4096];
    const ssize_t got = ::read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return said;
    said.append(buffer, static_cast<size_t>(got));
    if (said.size() > 2 * kMaxSaid) said.erase(0, said.size() - kMaxSaid);
  }
}

// kInternal with what git said when it fails.
absl::Status RunGit(const CallContext& call, std::vector<std::string> args) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "making a pipe for git");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  args.insert(args.begin(), "git");
  STRATA_ASSIGN_OR_RETURN(const pid_t child, Spawn(std::move(args), write_end.get()));
  write_end.Reset();
  const std::string said = Listen(call, read_end.get(), child);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  STRATA_RETURN_IF_ERROR(call.Check());
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::InternalError(absl::StripAsciiWhitespace(said));
}

// An address without the password that may be in it.
std::string Shown(absl::string_view repository) {
  const size_t scheme = repository.find("://");
  const size_t at = repository.find('@');
  if (scheme == absl::string_view::npos || at == absl::string_view::npos || at < scheme) return std::string(repository);
  return absl::StrCat(repository.substr(0, scheme + 3), repository.substr(at + 1));
}

}  // namespace

bool IsGitAddress(absl::string_view text) {
  const absl::string_view repository = text.substr(0, text.find('#'));
  if (absl::StartsWith(text, "git://") || absl::StartsWith(text, "ssh://") || absl::StartsWith(text, "file://")) return true;
  if (absl::StartsWith(text, "http://") || absl::StartsWith(text, "https://")) return absl::EndsWith(repository, ".git");
  // "user@host:path", as scp writes it.
  const size_t at = repository.find('@');
  const size_t colon = repository.find(':');
  return at != absl::string_view::npos && colon != absl::string_view::npos && at < colon &&
         repository.substr(0, colon).find('/') == absl::string_view::npos;
}

absl::StatusOr<GitAddress> ParseGitAddress(absl::string_view text) {
  GitAddress address;
  const std::pair<absl::string_view, absl::string_view> halves = absl::StrSplit(text, absl::MaxSplits('#', 1));
  const std::pair<absl::string_view, absl::string_view> fragment = absl::StrSplit(halves.second, absl::MaxSplits(':', 1));
  address.repository = std::string(halves.first);
  address.ref = std::string(fragment.first);
  address.subdir = fs::CleanPath(fragment.second);
  if (absl::StartsWith(address.repository, "-") || absl::StartsWith(address.ref, "-")) {
    return UsageError(absl::StrCat("git context \"", Shown(text), "\": neither repository nor ref may begin with \"-\""));
  }
  for (const absl::string_view part : absl::StrSplit(fragment.second, '/')) {
    if (part == "..") return UsageError(absl::StrCat("git context \"", Shown(text), "\": the subfolder must not contain \"..\""));
  }
  return address;
}

absl::Status FetchGit(const CallContext& call, const GitAddress& address, const std::string& folder) {
  const std::string ref = address.ref.empty() ? "HEAD" : address.ref;
  STRATA_RETURN_IF_ERROR(RunGit(call, {"init", "--quiet", folder}));
  const absl::Status fetched =
      RunGit(call, {"-C", folder, "fetch", "--quiet", "--depth=1", "--no-tags", "--", address.repository, ref});
  if (absl::IsFailedPrecondition(fetched) || absl::IsCancelled(fetched)) return fetched;
  if (!fetched.ok()) {
    return absl::NotFoundError(absl::StrCat("cannot fetch \"", ref, "\" of ", Shown(address.repository), ": git says: ", fetched.message()));
  }
  absl::Status checked_out = RunGit(call, {"-C", folder, "checkout", "--quiet", "--detach", "FETCH_HEAD"});
  if (checked_out.ok()) {
    checked_out = RunGit(call, {"-C", folder, "submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"});
  }
  if (!checked_out.ok()) return Annotate(checked_out, absl::StrCat("checking out \"", ref, "\" of ", Shown(address.repository)));
  STRATA_ASSIGN_OR_RETURN(const UniqueFd fd, fs::OpenDirectory(folder));
  return fs::RemoveAllAt(fd.get(), ".git");
}

}  // namespace strata::cli
