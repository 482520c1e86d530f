// The work is done by strata-store itself, which alone knows a data folder: this finds the program beside ours or on the PATH.
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands/store/store_commands.h"
#include "cli/exit_code.h"
#include "lib/base/status.h"

namespace strata::cli {
namespace {

constexpr char kProgram[] = "strata-store";

std::string ProgramPath() {
  char self[4096];
  const ssize_t size = ::readlink("/proc/self/exe", self, sizeof self);
  const std::string path(self, size > 0 ? static_cast<size_t>(size) : 0);
  const std::string beside = absl::StrCat(path.substr(0, path.rfind('/') + 1), kProgram);
  return ::access(beside.c_str(), X_OK) == 0 ? beside : kProgram;
}

// Runs the program with our own streams; Ctrl-C reaches it as it reaches us.
absl::StatusOr<int> RunProgram(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return ErrnoStatus(errno, "fork");
  if (child == 0) {
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return ErrnoStatus(errno, "waitpid");
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

absl::Status RunStoreRestore(Invocation& invocation) {
  std::string from, data;
  bool accept_damage = false;
  CommandLine line(invocation, "store restore",
                   "Makes a data folder of a backup, on this machine, and verifies everything in it. Runs strata-store restore; no store may run on the folder.", "");
  line.Add(&from, {.flag = "from", .value_name = "FOLDER", .help = "What \"strata store backup\" printed, or the folder above it: then the newest copy is taken."});
  line.Add(&data, {.flag = "data", .value_name = "FOLDER", .help = "The new data folder; empty, or not there yet."});
  line.Add(&accept_damage, {.flag = "accept-damage", .help = "Make the store even if parts of the backup are damaged; what is sound is served."});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  if (from.empty() || data.empty()) return UsageError("--from BACKUP and --data FOLDER are needed; the command is: strata store restore --from BACKUP --data FOLDER");
  std::vector<std::string> words = {ProgramPath(), "restore", "--from", from, "--data", data};
  if (accept_damage) words.push_back("--accept-damage");
  STRATA_ASSIGN_OR_RETURN(const int code, RunProgram(std::move(words)));
  if (code == 0) return absl::OkStatus();
  if (code == 127) return absl::FailedPreconditionError("there is no program strata-store beside this one or on the PATH; restore on the store's host");
  return WithExitCode(absl::InternalError(absl::StrCat("strata-store restore ended with code ", code, "; what it said is above")), static_cast<ExitCode>(code));
}

}  // namespace strata::cli
