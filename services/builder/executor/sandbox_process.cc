#include "services/builder/executor/sandbox_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata::executor {
namespace {

constexpr size_t kStackBytes = 64 * 1024;
constexpr unsigned int kRecursive = 0x8000;  // AT_RECURSIVE, which glibc's headers and the kernel's fight about

struct ChildPlan {
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  const char* working_dir = nullptr;
  const char* root_path = nullptr;
  bool hide_unified_cgroup = false;
  const CarriedMount* mounts = nullptr;
  size_t mount_count = 0;
  int input = -1;
  int output = -1;
  int error = -1;
  // Written by the child into the memory both share.
  int failed_errno = 0;
  const char* failed_step = nullptr;
};

int Fail(ChildPlan& plan, const char* step) {
  plan.failed_errno = errno;
  plan.failed_step = step;
  return 127;
}

// A blocked or ignored signal would stay so in the step.
void ResetSignals() {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

int PrepareMounts(ChildPlan& plan) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return Fail(plan, "leaving the mount propagation of this machine");
  for (size_t i = 0; i < plan.mount_count; ++i) {
    const CarriedMount& carried = plan.mounts[i];
    if (::move_mount(carried.tree.get(), "", AT_FDCWD, carried.at.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) return Fail(plan, "carrying a mount over");
  }
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) return Fail(plan, "mounting /proc");
  if (plan.hide_unified_cgroup && ::umount2("/sys/fs/cgroup/unified", MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT) {
    return Fail(plan, "unmounting /sys/fs/cgroup/unified");
  }
  if (plan.root_path == nullptr) return 0;
  if (::mount(plan.root_path, plan.root_path, nullptr, MS_BIND | MS_REC, nullptr) != 0) return Fail(plan, "binding the root file system");
  if (::mount(nullptr, plan.root_path, nullptr, MS_BIND | MS_REMOUNT | MS_NODEV, nullptr) != 0) {
    return Fail(plan, "disabling devices in the root file system");
  }
  return 0;
}

// Runs in the child, on memory it shares with a parent that has other threads: system calls only, no allocation, no locks.
int Child(void* argument) {
  ChildPlan& plan = *static_cast<ChildPlan*>(argument);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return Fail(plan, "prctl");
  ResetSignals();
  if (const int code = PrepareMounts(plan); code != 0) return code;
  ::setsid();
  ::umask(022);
  // The three are above 2: see OpenAboveStandard.
  if (::dup2(plan.input, 0) < 0 || ::dup2(plan.output, 1) < 0 || ::dup2(plan.error, 2) < 0) return Fail(plan, "dup2");
  if (::syscall(SYS_close_range, 3u, ~0u, 0u) != 0) return Fail(plan, "close_range");
  // The builder may have died before prctl(): then nobody reads our output, and nobody would end us.
  pollfd reader = {.fd = 1, .events = 0, .revents = 0};
  if (::poll(&reader, 1, 0) > 0) return Fail(plan, "the builder ended");
  if (::chdir(plan.working_dir) != 0) return Fail(plan, "chdir");
  ::execve(plan.program, plan.argv, plan.envp);
  return Fail(plan, "execve");
}

absl::StatusOr<UniqueFd> OpenAboveStandard(int fd) {
  UniqueFd original(fd);
  if (fd < 0) return ErrnoStatus(errno, "opening a descriptor for the runtime");
  if (fd > 2) return original;
  UniqueFd moved(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!moved.is_valid()) return ErrnoStatus(errno, "fcntl");
  return moved;
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

absl::StatusOr<Pipe> MakePipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe2");
  UniqueFd write_end(fds[1]);
  Pipe pipe;
  STRATA_ASSIGN_OR_RETURN(pipe.read_end, OpenAboveStandard(fds[0]));
  STRATA_ASSIGN_OR_RETURN(pipe.write_end, OpenAboveStandard(write_end.Release()));
  // Only our end may not block: the file description of the other end belongs to the step.
  if (::fcntl(pipe.read_end.get(), F_SETFL, O_NONBLOCK) != 0) return ErrnoStatus(errno, "fcntl");
  return pipe;
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

class Stack {
 public:
  Stack() : base_(::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {}
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  ~Stack() {
    if (is_valid()) ::munmap(base_, kStackBytes);
  }
  bool is_valid() const { return base_ != MAP_FAILED; }
  void* top() const { return static_cast<char*>(base_) + kStackBytes; }

 private:
  void* base_;
};

}  // namespace

absl::StatusOr<CarriedMount> CarriedMount::Open(const std::string& source, std::string at) {
  CarriedMount carried;
  carried.tree.Reset(::open_tree(AT_FDCWD, source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | kRecursive));
  if (!carried.tree.is_valid()) return ErrnoStatus(errno, "opening the source of a mount");
  carried.at = std::move(at);
  return carried;
}

absl::StatusOr<SandboxProcess> SandboxProcess::Start(const SandboxCommand& command) {
  STRATA_ASSIGN_OR_RETURN(const UniqueFd input, OpenAboveStandard(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  STRATA_ASSIGN_OR_RETURN(Pipe output, MakePipe());
  STRATA_ASSIGN_OR_RETURN(Pipe error, MakePipe());
  // Nothing of the builder's environment may reach the runtime or a step.
  const std::vector<std::string> environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  const std::vector<char*> argv = Pointers(command.args);
  const std::vector<char*> envp = Pointers(environment);
  const Stack stack;
  if (!stack.is_valid()) return ErrnoStatus(errno, "mmap");

  ChildPlan plan;
  plan.program = argv[0];
  plan.argv = argv.data();
  plan.envp = envp.data();
  plan.working_dir = command.working_dir.c_str();
  plan.root_path = command.root_path.empty() ? nullptr : command.root_path.c_str();
  plan.hide_unified_cgroup = command.hide_unified_cgroup;
  plan.mounts = command.mounts.data();
  plan.mount_count = command.mounts.size();
  plan.input = input.get();
  plan.output = output.write_end.get();
  plan.error = error.write_end.get();

  // Our handlers must not run in the child, where they would act on memory of the parent.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int pid_fd = -1;
  const int flags = CLONE_VM | CLONE_VFORK | CLONE_NEWPID | CLONE_NEWNS | CLONE_PIDFD | SIGCHLD;
  const pid_t pid = ::clone(Child, stack.top(), flags, &plan, &pid_fd);
  const int clone_errno = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return ErrnoStatus(clone_errno, "starting a process in new PID and mount namespaces");

  SandboxProcess process;
  process.pid_ = pid;
  process.pid_fd_.Reset(pid_fd);
  process.output_ = std::move(output.read_end);
  process.error_ = std::move(error.read_end);
  if (plan.failed_step != nullptr) {
    return Annotate(ErrnoStatus(plan.failed_errno, plan.failed_step), absl::StrCat("starting ", command.args[0]));
  }
  return process;
}

SandboxProcess::~SandboxProcess() {
  if (!pid_fd_.is_valid()) return;  // moved from
  Kill();
  if (pid_ > 0) (void)Wait();
}

void SandboxProcess::Kill() const { ::syscall(SYS_pidfd_send_signal, pid_fd_.get(), SIGKILL, nullptr, 0); }

absl::StatusOr<SandboxProcess::Exit> SandboxProcess::Wait() {
  int status = 0;
  pid_t waited = -1;
  do {
    waited = ::waitpid(pid_, &status, 0);
  } while (waited < 0 && errno == EINTR);
  pid_ = -1;
  if (waited < 0) return ErrnoStatus(errno, "waiting for the runtime");
  if (WIFEXITED(status)) return Exit{.code = WEXITSTATUS(status)};
  return Exit{.code = 128 + WTERMSIG(status), .by_signal = true};
}

}  // namespace strata::executor
