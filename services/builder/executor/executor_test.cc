#include "services/builder/executor/executor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <iostream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/cancellation.h"
#include "lib/base/unique_fd.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::executor {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::StatusIs;

void MakeRoot(const testing::ScratchDir& root) {
  fs::permissions(root.path(), fs::perms(0755));
  fs::create_directories(root.Join("bin"));
  fs::create_directories(root.Join("tmp"));
  fs::permissions(root.Join("tmp"), fs::perms(01777));
  fs::copy_file("/usr/bin/busybox", root.Join("bin/busybox"));
  for (const char* name : {"sh", "cat", "id", "ls", "sleep", "true", "mknod", "mkdir", "rm", "dd", "head", "wc", "env", "pwd", "hostname", "mount", "touch", "stat", "echo", "seq", "yes", "ip", "readlink", "grep", "chown"}) {
    fs::create_symlink("busybox", root.Join(absl::StrCat("bin/", name)));
  }
  testing::WriteFile(root.Join("etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n");
  testing::WriteFile(root.Join("etc/group"), "app:x:1001:\naudio:x:29:app\n");
}

// A root with busybox in it, and an executor for each runtime of this machine.
class ExecutorTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (!fs::exists(GetParam())) GTEST_SKIP() << GetParam() << " is not installed";
    MakeRoot(root_);
    Reopen();
  }

  void Reopen() {
    executor_.reset();
    auto executor = Executor::Open({.state_dir = state_.path(), .runtime = GetParam()});
    ASSERT_TRUE(executor.ok()) << executor.status();
    executor_ = *std::move(executor);
  }

  ExecSpec Shell(const std::string& script) {
    ExecSpec spec;
    spec.root_path = root_.path();
    spec.args = {"/bin/sh", "-c", script};
    return spec;
  }

  absl::StatusOr<ExecResult> Run(const ExecSpec& spec, const CallContext& context = {}) {
    out_.clear();
    err_.clear();
    return executor_->Run(context, spec, [this](int stream, absl::string_view data) { (stream == 1 ? out_ : err_).append(data.data(), data.size()); });
  }

  std::string Output(const std::string& script) {
    const auto result = Run(Shell(script));
    EXPECT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result.ok() ? result->exit_code : 0, 0) << err_;
    return out_;
  }

  testing::ScratchDir root_;
  testing::ScratchDir state_;
  std::unique_ptr<Executor> executor_;
  std::string out_;
  std::string err_;
};

TEST_P(ExecutorTest, GivesOutputAndExitCode) {
  ASSERT_OK_AND_ASSIGN(const ExecResult result, Run(Shell("echo out; echo err >&2; exit 7")));
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(out_, "out\n");
  EXPECT_EQ(err_, "err\n");
  EXPECT_EQ(executor_->Warning(), "");
}

TEST_P(ExecutorTest, TakesMilliseconds) {
  constexpr int kRuns = 20;
  ExecSpec spec = Shell("");
  spec.args = {"/bin/true"};
  const absl::Time start = absl::Now();
  for (int i = 0; i < kRuns; ++i) ASSERT_OK(Run(spec));
  std::cout << executor_->Description() << ": true takes " << (absl::Now() - start) / kRuns << std::endl;
}

TEST_P(ExecutorTest, ReportsSignals) {
  ASSERT_OK_AND_ASSIGN(const ExecResult result, Run(Shell("sh -c 'kill -TERM $$'; exit $?")));
  EXPECT_EQ(result.exit_code, 143);
}

TEST_P(ExecutorTest, PassesAllOfALongOutput) {
  EXPECT_EQ(Output("head -c 30000000 /dev/zero").size(), 30000000u);
}

TEST_P(ExecutorTest, LeavesNoTraceInTheRoot) {
  const timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
  ::utimensat(AT_FDCWD, root_.Join("etc").c_str(), old, 0);
  ::utimensat(AT_FDCWD, root_.path().c_str(), old, 0);
  Output("cat /etc/hosts /etc/resolv.conf /proc/self/status >/dev/null && ls /sys/kernel >/dev/null");
  for (const char* name : {"etc/hosts", "etc/resolv.conf", "proc", "sys", "dev"}) EXPECT_FALSE(fs::exists(root_.Join(name))) << name;
  struct stat info = {};
  ASSERT_EQ(::stat(root_.Join("etc").c_str(), &info), 0);
  EXPECT_EQ(info.st_mtim.tv_sec, 1000);
  ASSERT_EQ(::stat(root_.path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mtim.tv_sec, 1000);
  EXPECT_TRUE(fs::is_empty(state_.Join("runs")));
}

TEST_P(ExecutorTest, LeavesAnOverlayUpperEmpty) {
  testing::ScratchDir overlay;
  for (const char* name : {"upper", "work", "merged"}) fs::create_directory(overlay.Join(name));
  fs::permissions(overlay.Join("upper"), fs::perms(0755));
  testing::WriteFile(root_.Join("etc/hosts"), "from the image\n");  // with resolv.conf missing: one target of each kind
  const std::string options = absl::StrCat("index=off,redirect_dir=off,metacopy=off,lowerdir=", root_.path(), ",upperdir=", overlay.Join("upper"), ",workdir=", overlay.Join("work"));
  if (::mount("overlay", overlay.Join("merged").c_str(), "overlay", 0, options.c_str()) != 0) GTEST_SKIP() << "no overlay on this file system";
  ExecSpec spec = Shell("cat /etc/hosts /etc/resolv.conf > /dev/null");
  spec.root_path = overlay.Join("merged");
  const auto result = Run(spec);
  EXPECT_EQ(::umount2(overlay.Join("merged").c_str(), 0), 0);
  ASSERT_OK(result);
  // The folder that a stub was in was copied up, but says what it said before; nothing else is there.
  std::vector<std::string> changed;
  for (const auto& entry : fs::recursive_directory_iterator(overlay.Join("upper"))) changed.push_back(entry.path().filename().string());
  EXPECT_THAT(changed, ::testing::UnorderedElementsAre("etc"));
  EXPECT_EQ(fs::last_write_time(overlay.Join("upper/etc")), fs::last_write_time(root_.Join("etc")));
}

TEST_P(ExecutorTest, KeepsTheImagesOwnHostsFile) {
  testing::WriteFile(root_.Join("etc/hosts"), "from the image\n");
  EXPECT_THAT(Output("cat /etc/hosts; echo 10.0.0.1 added >> /etc/hosts"), HasSubstr("localhost strata-build"));
  EXPECT_EQ(testing::ReadFile(root_.Join("etc/hosts")), "from the image\n");
}

TEST_P(ExecutorTest, FollowsADanglingResolvConf) {
  fs::create_symlink("../run/systemd/resolve/stub-resolv.conf", root_.Join("etc/resolv.conf"));
  Output("cat /etc/resolv.conf");
  EXPECT_TRUE(fs::is_symlink(root_.Join("etc/resolv.conf")));
  EXPECT_FALSE(fs::exists(root_.Join("run")));
}

TEST_P(ExecutorTest, RunsAsTheUser) {
  ExecSpec spec = Shell("id -u; id -g; id -G; echo $HOME; grep CapEff /proc/self/status; echo fine > /dev/stdout");
  spec.user = "app";
  ASSERT_OK_AND_ASSIGN(const ExecResult result, Run(spec));
  EXPECT_EQ(result.exit_code, 0) << err_;
  EXPECT_EQ(out_, "1000\n1001\n1001 29\n/home/app\nCapEff:\t0000000000000000\nfine\n");
  spec.user = "foo";
  EXPECT_THAT(Run(spec), StatusIs(absl::StatusCode::kInvalidArgument, "unable to find user foo: no matching entry in /etc/passwd of the image"));
}

TEST_P(ExecutorTest, NamesACommandThatCannotRun) {
  testing::WriteFile(root_.Join("bin/text"), "no program");
  fs::permissions(root_.Join("bin/text"), fs::perms(0755));
  struct Case {
    const char* command;
    const char* want;
  };
  for (const Case& c : std::vector<Case>{{"nosuch", "\"nosuch\" was not found"}, {"/bin/nosuch", "\"/bin/nosuch\" was not found"}, {"/etc/passwd", "\"/etc/passwd\" is not an executable"}, {"/bin/text", "another processor"}}) {
    SCOPED_TRACE(c.command);
    ExecSpec spec = Shell("");
    spec.args = {c.command};
    EXPECT_THAT(Run(spec), StatusIs(absl::StatusCode::kInvalidArgument, c.want));
  }
}

TEST_P(ExecutorTest, CreatesTheWorkingDirectory) {
  ExecSpec spec = Shell("pwd; touch here");
  spec.working_dir = "/srv/app";
  ASSERT_OK(Run(spec));
  EXPECT_EQ(out_, "/srv/app\n");
  EXPECT_TRUE(fs::exists(root_.Join("srv/app/here")));
}

TEST_P(ExecutorTest, MountsFilesFoldersAndTmpfs) {
  testing::ScratchDir source;
  testing::WriteFile(source.Join("secret"), "s3cret");
  fs::create_directories(source.Join("cache"));
  ExecSpec spec = Shell("cat /run/secrets/s; echo x > /cache/made; touch /scratch/t; touch /ro/x || echo readonly");
  spec.mounts = {{.source = source.Join("secret"), .target = "/run/secrets/s"},
                 {.source = source.Join("cache"), .target = "/cache", .read_only = false},
                 {.source = source.Join("cache"), .target = "/ro"},
                 {.target = "/scratch", .read_only = false, .is_tmpfs = true, .tmpfs_size_bytes = 1 << 20}};
  ASSERT_OK_AND_ASSIGN(const ExecResult result, Run(spec));
  EXPECT_EQ(result.exit_code, 0) << err_;
  EXPECT_EQ(out_, "s3cretreadonly\n");
  EXPECT_EQ(testing::ReadFile(source.Join("cache/made")), "x\n");
  for (const char* name : {"run", "cache", "ro", "scratch"}) EXPECT_FALSE(fs::exists(root_.Join(name))) << name;
}

TEST_P(ExecutorTest, MountsWhatADescriptorLeadsTo) {
  testing::ScratchDir source;
  testing::WriteFile(source.Join("file"), "content");
  const UniqueFd folder(::open(source.Join("").c_str(), O_PATH | O_CLOEXEC));
  const UniqueFd file(::open(source.Join("file").c_str(), O_PATH | O_CLOEXEC));
  ExecSpec spec = Shell("cat /in/file /f");
  const std::string descriptors = absl::StrCat("/proc/", ::getpid(), "/fd/");
  spec.mounts = {{.source = absl::StrCat(descriptors, folder.get()), .target = "/in"}, {.source = absl::StrCat(descriptors, file.get()), .target = "/f"}};
  ASSERT_OK_AND_ASSIGN(const ExecResult result, Run(spec));
  EXPECT_EQ(result.exit_code, 0) << err_;
  EXPECT_EQ(out_, "contentcontent");
}

TEST_P(ExecutorTest, ConfinesTheStep) {
  ::setenv("STRATA_TEST_SECRET", "leaked", 1);
  const int leak = ::open("/etc/passwd", O_RDONLY);  // without O_CLOEXEC, as some library might
  const std::string out = Output(
      "env; ls /proc/self/fd; grep -E 'NoNewPrivs|Seccomp:|CapBnd' /proc/self/status; hostname;"
      "mount -t tmpfs x /tmp 2>&1 && echo MOUNTED;"
      "mknod /tmp/disk b 254 0 2>/dev/null; head -c 1 /tmp/disk 2>&1 && echo READ; rm -f /tmp/disk;"
      "mknod /dev/disk b 254 0 2>/dev/null; head -c 1 /dev/disk 2>&1 && echo READ;"
      "echo 1 > /proc/sys/kernel/dmesg_restrict 2>/dev/null && echo WROTE; head -c 1 /proc/kcore | wc -c");
  ::close(leak);
  EXPECT_THAT(out, HasSubstr("NoNewPrivs:\t0"));
  EXPECT_THAT(out, HasSubstr("Seccomp:\t2"));
  EXPECT_THAT(out, HasSubstr("CapBnd:\t00000000a80425fb"));
  EXPECT_THAT(out, HasSubstr("strata-build"));
  EXPECT_THAT(out, HasSubstr("PWD=/\n0\n1\n2\n3\nCapBnd"));  // 3: what ls itself opened
  for (const char* bad : {"leaked", "MOUNTED", "READ", "WROTE"}) EXPECT_THAT(out, Not(HasSubstr(bad)));
}

TEST_P(ExecutorTest, NetworkNoneHasOnlyLoopback) {
  ExecSpec spec = Shell("ip -o link | wc -l; cat /etc/resolv.conf | wc -c");
  spec.network = Network::kNone;
  ASSERT_OK(Run(spec));
  EXPECT_EQ(out_, "1\n0\n");
}

TEST_P(ExecutorTest, DaemonsDoNotHoldTheStep) {
  const absl::Time start = absl::Now();
  EXPECT_EQ(Output("(sleep 1000 &) ; echo done"), "done\n");
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
}

TEST_P(ExecutorTest, EndsAfterTheTimeLimit) {
  ExecSpec spec = Shell("trap '' TERM; echo started; sleep 1000");
  spec.limits.timeout = absl::Milliseconds(300);
  EXPECT_THAT(Run(spec), StatusIs(absl::StatusCode::kDeadlineExceeded, "300ms"));
  EXPECT_TRUE(fs::is_empty(state_.Join("runtime")));
  CallContext context;
  context.deadline = absl::Now() + absl::Milliseconds(300);
  EXPECT_THAT(Run(Shell("sleep 1000"), context), StatusIs(absl::StatusCode::kDeadlineExceeded, "deadline of the call"));
}

TEST_P(ExecutorTest, CancellationKillsEverything) {
  Cancellation cancellation;
  CallContext context;
  context.cancellation = &cancellation;
  const auto result = executor_->Run(context, Shell("(sleep 1000 &); echo started; sleep 1000"),
                                     [&](int, absl::string_view) { std::thread([&] { cancellation.Cancel(); }).join(); });
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kCancelled, ""));
  EXPECT_THAT(Run(Shell("true"), context), StatusIs(absl::StatusCode::kCancelled, ""));
  EXPECT_TRUE(fs::is_empty(state_.Join("runtime")));
  EXPECT_TRUE(fs::is_empty(state_.Join("runs")));
}

TEST_P(ExecutorTest, ReportsLackOfMemory) {
  ExecSpec spec = Shell("dd if=/dev/zero of=/dev/null bs=200M count=1");
  spec.limits.memory_bytes = 32 << 20;
  ASSERT_OK_AND_ASSIGN(const ExecResult result, Run(spec));
  EXPECT_NE(result.exit_code, 0);
  EXPECT_TRUE(result.out_of_memory);
  spec.args = {"/bin/true"};
  ASSERT_OK_AND_ASSIGN(const ExecResult fine, Run(spec));
  EXPECT_FALSE(fine.out_of_memory);
}

TEST_P(ExecutorTest, LimitsProcesses) {
  ExecSpec spec = Shell("for i in $(seq 1 100); do sleep 5 & done 2>&1; echo end");
  spec.limits.pids = 20;
  ASSERT_OK(Run(spec));
  EXPECT_THAT(absl::StrCat(out_, err_), HasSubstr("fork"));
}

TEST_P(ExecutorTest, ManyAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      testing::ScratchDir root;
      MakeRoot(root);
      ExecSpec spec = Shell(absl::StrCat("echo ", i, "; (sleep 100 &)"));
      spec.root_path = root.path();
      for (int round = 0; round < 5; ++round) {
        std::string out;
        const auto result = executor_->Run({}, spec, [&](int, absl::string_view data) { out.append(data.data(), data.size()); });
        if (!result.ok() || result->exit_code != 0 || out != absl::StrCat(i, "\n")) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

TEST_P(ExecutorTest, StepsDieWithTheBuilder) {
  executor_.reset();
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t builder = ::fork();
  if (builder == 0) {
    auto executor = Executor::Open({.state_dir = state_.path(), .runtime = GetParam()});
    if (executor.ok()) {
      (void)(*executor)->Run({}, Shell("echo started; sleep 987654"), [&](int, absl::string_view) { (void)!::write(ready[1], "x", 1); });
    }
    ::_exit(1);
  }
  ::close(ready[1]);
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ::kill(builder, SIGKILL);
  ::waitpid(builder, nullptr, 0);
  const auto alive = [] {
    for (const auto& entry : fs::directory_iterator("/proc")) {
      std::error_code error;
      const std::string command_line = entry.path().string() + "/cmdline";
      if (!fs::exists(command_line, error)) continue;
      const int fd = ::open(command_line.c_str(), O_RDONLY | O_CLOEXEC);
      char text[256] = {};
      const ssize_t size = fd < 0 ? 0 : ::read(fd, text, sizeof(text) - 1);
      if (fd >= 0) ::close(fd);
      if (size > 0 && absl::StrContains(absl::string_view(text, size), absl::string_view("sleep\0" "987654", 12))) return true;
    }
    return false;
  };
  const absl::Time give_up = absl::Now() + absl::Seconds(10);
  while (alive() && absl::Now() < give_up) std::this_thread::yield();
  EXPECT_FALSE(alive());
  Reopen();
  EXPECT_TRUE(fs::is_empty(state_.Join("runs")));
  EXPECT_EQ(Output("echo again"), "again\n");
}

TEST_P(ExecutorTest, OneBuilderAStateFolder) {
  EXPECT_THAT(Executor::Open({.state_dir = state_.path()}), StatusIs(absl::StatusCode::kFailedPrecondition, "in use by another builder"));
}

TEST_P(ExecutorTest, SaysWhatWasTried) {
  testing::ScratchDir other;
  testing::WriteFile(other.Join("crun"), "#!/bin/sh\necho broken runtime >&2\nexit 3\n");
  fs::permissions(other.Join("crun"), fs::perms(0755));
  EXPECT_THAT(Executor::Open({.state_dir = other.Join("state"), .runtime = other.Join("crun")}),
              StatusIs(absl::StatusCode::kFailedPrecondition, "broken runtime"));
}

INSTANTIATE_TEST_SUITE_P(Runtimes, ExecutorTest, ::testing::Values("/usr/bin/crun", "/usr/sbin/runc"),
                         [](const auto& info) { return fs::path(info.param).filename().string(); });

}  // namespace
}  // namespace strata::executor
