#include "tests/crash/processes.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"

extern char** environ;

namespace strata::crash {

namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(2);
constexpr int kAnswerMilliseconds = 60'000;

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Process>> Process::Start(const Options& options) {
  std::vector<std::string> command = options.command;
  std::vector<std::string> environment = options.environment;
  for (char** one = environ; *one != nullptr; ++one) environment.push_back(*one);
  const std::vector<char*> argv = Pointers(command);
  const std::vector<char*> envp = Pointers(environment);
  const UniqueFd log(::open(options.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!log.is_valid() || !nothing.is_valid()) return ErrnoStatus(errno, options.log_path);
  int to_child[2] = {-1, -1};
  int from_child[2] = {-1, -1};
  if (options.has_pipes && (::pipe2(to_child, O_CLOEXEC) != 0 || ::pipe2(from_child, O_CLOEXEC) != 0)) {
    return ErrnoStatus(errno, "pipe");
  }
  const UniqueFd child_input(to_child[0]);
  const UniqueFd child_output(from_child[1]);
  UniqueFd input(to_child[1]);
  UniqueFd output(from_child[0]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return ErrnoStatus(errno, "fork");
  if (pid == 0) {
    // One that reads our pipe ends with it, and may have things to put in order, a mount for one.
    if (!options.has_pipes) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::dup2(options.has_pipes ? child_input.get() : nothing.get(), STDIN_FILENO);
    ::dup2(options.has_pipes ? child_output.get() : log.get(), STDOUT_FILENO);
    ::dup2(log.get(), STDERR_FILENO);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  std::unique_ptr<Process> process(new Process(pid));
  process->input_ = std::move(input);
  process->output_ = std::move(output);
  return process;
}

Process::~Process() { Kill(); }

void Process::Signal(int signal) const {
  if (!has_ended_) ::kill(pid_, signal);
}

void Process::Kill() {
  Signal(SIGKILL);
  Reap(/*block=*/true);
}

void Process::Reap(bool block) {
  while (!has_ended_) {
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WUNTRACED | (block ? 0 : WNOHANG));
    if (got < 0 && errno == EINTR) continue;
    if (got != pid_) return;
    if (WIFSTOPPED(status)) {
      is_stopped_ = true;
      if (!block) return;
      continue;
    }
    has_ended_ = true;
    status_ = status;
  }
}

bool Process::HasEnded() {
  Reap(/*block=*/false);
  return has_ended_;
}

bool Process::IsStopped() {
  Reap(/*block=*/false);
  return is_stopped_;
}

absl::StatusOr<int> Process::Wait(absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  while (!HasEnded()) {
    if (absl::Now() > deadline) return absl::DeadlineExceededError(absl::StrCat("process ", pid_, " is still running"));
    absl::SleepFor(kPoll);
  }
  return WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_);
}

absl::StatusOr<std::unique_ptr<LossyDisk>> LossyDisk::Mount(const std::string& program, const std::string& mount_point,
                                                            const std::string& rules, const std::string& log_path) {
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<Process> process,
                          Process::Start({.command = {program, mount_point, "--rules=" + rules}, .log_path = log_path, .has_pipes = true}));
  std::unique_ptr<LossyDisk> disk(new LossyDisk(std::move(process)));
  absl::StatusOr<std::string> line;
  {
    MutexLock lock(disk->mutex_);
    line = disk->ReadLine();
  }
  if (!line.ok() || *line != "ready") {
    return absl::FailedPreconditionError(absl::StrCat("lossfs did not start; it said why in ", log_path));
  }
  return disk;
}

LossyDisk::~LossyDisk() {
  process_->CloseInput();
  process_->Wait(absl::Seconds(10)).IgnoreError();
}

absl::StatusOr<std::string> LossyDisk::ReadLine() {
  while (true) {
    const size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    pollfd waiting = {.fd = process_->output(), .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, kAnswerMilliseconds) <= 0) return absl::DeadlineExceededError("lossfs does not answer");
    char bytes[256];
    const ssize_t count = ::read(process_->output(), bytes, sizeof bytes);
    if (count <= 0) return absl::UnavailableError("lossfs has ended");
    buffer_.append(bytes, static_cast<size_t>(count));
  }
}

absl::StatusOr<std::string> LossyDisk::Command(const std::string& line) {
  MutexLock lock(mutex_);
  STRATA_RETURN_IF_ERROR(WriteFully(process_->input(), line + "\n"));
  return ReadLine();
}

}  // namespace strata::crash
