#include "services/builder/executor/sandbox_executor.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "services/builder/executor/command_error.h"
#include "services/builder/executor/probe_program.h"

namespace strata::executor {
namespace {

constexpr uint64_t kWantedOpenFiles = 1'048'576;
constexpr absl::Duration kProbeTimeout = absl::Seconds(20);
constexpr absl::Duration kDeleteTimeout = absl::Seconds(20);
constexpr char kDefaultPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr size_t kMaxHostFileBytes = 256 * 1024;

absl::StatusOr<std::string> ReadHostFile(const char* path) {
  const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, absl::StrCat("opening ", path));
  FdSource source(fd.get());
  return ReadAll(source, kMaxHostFileBytes);
}

// Bit n: this process has capability n and so may give it to a step.
uint64_t OwnCapabilities() {
  const auto status = ReadHostFile("/proc/self/status");
  if (!status.ok()) return 0;
  for (absl::string_view line : absl::StrSplit(*status, '\n')) {
    if (!absl::ConsumePrefix(&line, "CapEff:")) continue;
    uint64_t bits = 0;
    if (absl::SimpleHexAtoi(absl::StripAsciiWhitespace(line), &bits)) return bits;
  }
  return 0;
}

uint64_t OpenFilesLimit(uint64_t capabilities) {
  uint64_t limit = kWantedOpenFiles;
  uint64_t ceiling = 0;
  const auto text = ReadHostFile("/proc/sys/fs/nr_open");
  if (text.ok() && absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &ceiling)) limit = std::min(limit, ceiling);
  rlimit own = {};
  const bool may_raise = (capabilities >> CAP_SYS_RESOURCE & 1) != 0;
  if (!may_raise && ::getrlimit(RLIMIT_NOFILE, &own) == 0) limit = std::min<uint64_t>(limit, own.rlim_max);
  return limit;
}

// A C string ends at the first zero byte, so one inside would hide what follows from the step.
absl::Status CheckText(const std::vector<std::string>& strings, absl::string_view what) {
  for (const std::string& text : strings) {
    if (absl::StrContains(text, '\0')) return absl::InvalidArgumentError(absl::StrCat(what, " of the step contains a zero byte"));
  }
  return absl::OkStatus();
}

absl::Status CheckSpec(const ExecSpec& spec) {
  if (spec.args.empty()) return absl::InvalidArgumentError("the step has no command");
  STRATA_RETURN_IF_ERROR(CheckText(spec.args, "the command"));
  STRATA_RETURN_IF_ERROR(CheckText(spec.env, "the environment"));
  STRATA_RETURN_IF_ERROR(CheckText({spec.working_dir, spec.hostname}, "the working directory or host name"));
  if (spec.working_dir.empty() || spec.working_dir[0] != '/') {
    return absl::InvalidArgumentError(absl::StrCat("the working directory \"", spec.working_dir, "\" is not absolute"));
  }
  for (const Mount& mount : spec.mounts) {
    STRATA_RETURN_IF_ERROR(CheckText({mount.source, mount.target}, "a mount"));
    if (mount.target.empty() || mount.target[0] != '/') {
      return absl::InvalidArgumentError(absl::StrCat("the mount target \"", mount.target, "\" is not absolute"));
    }
    if (!mount.is_tmpfs && mount.source.empty()) return absl::InvalidArgumentError(absl::StrCat("the mount on \"", mount.target, "\" has no source"));
  }
  return absl::OkStatus();
}

bool HasVariable(const std::vector<std::string>& env, absl::string_view name_with_equals) {
  return std::any_of(env.begin(), env.end(), [&](const std::string& entry) { return absl::StartsWith(entry, name_with_equals); });
}

std::string HostsFile(absl::string_view hostname) {
  return absl::StrCat("127.0.0.1\tlocalhost ", hostname, "\n::1\tlocalhost ip6-localhost ip6-loopback\n", "fe00::0\tip6-localnet\nff02::1\tip6-allnodes\n",
                      "ff02::2\tip6-allrouters\n");
}

bool IsInside(absl::string_view path, absl::string_view folder) {
  return absl::StartsWith(path, folder) && path.size() > folder.size() && path[folder.size()] == '/';
}

absl::StatusOr<StubKind> KindOf(const Mount& mount) {
  if (mount.is_tmpfs) return StubKind::kDirectory;
  struct stat info = {};
  if (::stat(mount.source.c_str(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("the source of the mount on \"", mount.target, "\""));
  return S_ISDIR(info.st_mode) ? StubKind::kDirectory : StubKind::kFile;
}

// Makes the sources paths that the runtime can open: mounts in the step's own folder, in its namespace only.
absl::StatusOr<std::vector<CarriedMount>> CarrySources(const RunDir& run, std::vector<Mount>& mounts) {
  std::vector<CarriedMount> carried;
  for (Mount& mount : mounts) {
    if (mount.is_tmpfs) continue;
    const std::string name = absl::StrCat("source-", carried.size());
    const std::string at = absl::StrCat(run.path(), "/", name);
    STRATA_ASSIGN_OR_RETURN(const StubKind kind, KindOf(mount));
    if (kind == StubKind::kFile) {
      STRATA_RETURN_IF_ERROR(run.Write(name, ""));
    } else if (::mkdir(at.c_str(), 0755) != 0) {
      return ErrnoStatus(errno, "making a mount point");
    }
    STRATA_ASSIGN_OR_RETURN(CarriedMount source, CarriedMount::Open(mount.source, at));
    carried.push_back(std::move(source));
    mount.source = at;
  }
  return carried;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Executor>> Executor::Open(const ExecutorOptions& options) { return SandboxExecutor::Open(options); }

absl::StatusOr<std::unique_ptr<SandboxExecutor>> SandboxExecutor::Open(const ExecutorOptions& options) {
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<StateDir> state, StateDir::Open(options.state_dir));
  for (const std::string& id : state->EndLeftovers()) RemoveCgroups(DetectCgroupLayout(), id);
  const uint64_t capabilities = OwnCapabilities();
  const Network network = options.default_network == Network::kDefault ? Network::kHost : options.default_network;
  std::unique_ptr<SandboxExecutor> executor(new SandboxExecutor(std::move(state), network, OpenFilesLimit(capabilities), capabilities));
  STRATA_RETURN_IF_ERROR(executor->ChooseRuntime(options.runtime));
  return executor;
}

std::string SandboxExecutor::Warning() const {
  if (runtime_.cgroups != CgroupLayout::kNone) return "";
  return "control groups cannot be used on this machine: steps run without memory and process limits and may not create device files";
}

absl::Status SandboxExecutor::ChooseRuntime(const std::string& wanted) {
  std::vector<std::string> attempts;
  for (const Runtime& candidate : RuntimeCandidates(wanted, DetectCgroupLayout())) {
    const absl::Status status = Probe(candidate);
    if (status.ok()) {
      runtime_ = candidate;
      return absl::OkStatus();
    }
    attempts.push_back(absl::StrCat(candidate.Description(), ": ", status.message()));
  }
  if (attempts.empty()) return absl::FailedPreconditionError("no container runtime found: install crun or runc, or configure the path of one");
  return absl::FailedPreconditionError(absl::StrCat("no container runtime works here; tried ", absl::StrJoin(attempts, "; ")));
}

absl::Status SandboxExecutor::Probe(const Runtime& runtime) const {
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<RunDir> run, state_->NewRun());
  BundleInput input;
  input.root_path = run->path() + "/root";
  if (::mkdir(input.root_path.c_str(), 0755) != 0) return ErrnoStatus(errno, "creating a root to try the runtime in");
  STRATA_RETURN_IF_ERROR(run->Write("root/probe", ProbeProgram()));
  ::chmod((input.root_path + "/probe").c_str(), 0755);
  input.args = {"/probe"};
  input.hostname = "probe";
  input.host_network = default_network_ == Network::kHost;
  input.open_files = open_files_;
  input.available_capabilities = capabilities_;
  // So that limits which do not work show here, and not in a step.
  input.memory_bytes = 256 * 1024 * 1024;
  input.pids = 64;
  input.cgroup_path = CgroupPath(runtime.cgroups, run->id());
  STRATA_ASSIGN_OR_RETURN(const Outcome outcome, Execute(runtime, CallContext(), input, *run, absl::Now() + kProbeTimeout, nullptr));
  if (outcome.exit.code == 0) return absl::OkStatus();
  if (outcome.pumped.timed_out) return absl::FailedPreconditionError("it did not end in time");
  if (!outcome.runtime_error.empty()) return absl::FailedPreconditionError(outcome.runtime_error);
  return absl::FailedPreconditionError(absl::StrCat("exit code ", outcome.exit.code, " ", absl::StripAsciiWhitespace(outcome.pumped.error_head)));
}

absl::StatusOr<std::vector<Mount>> SandboxExecutor::PrepareMounts(const ExecSpec& spec, const RootDir& root, const RunDir& run, Network network,
                                                                  MountStubs& stubs) const {
  // A machine without resolv.conf has no name service to offer.
  const std::string resolver = network == Network::kHost ? ReadHostFile("/etc/resolv.conf").value_or("") : "";
  STRATA_RETURN_IF_ERROR(run.Write("resolv.conf", resolver));
  STRATA_RETURN_IF_ERROR(run.Write("hosts", HostsFile(spec.hostname)));
  // Writable: they are copies of this step alone, and steps do append to them.
  std::vector<Mount> mounts = {{.source = run.path() + "/resolv.conf", .target = "/etc/resolv.conf", .read_only = false},
                               {.source = run.path() + "/hosts", .target = "/etc/hosts", .read_only = false}};
  mounts.insert(mounts.end(), spec.mounts.begin(), spec.mounts.end());

  for (const char* folder : {"/proc", "/dev", "/sys"}) STRATA_RETURN_IF_ERROR(stubs.Ensure(folder, StubKind::kDirectory));
  std::vector<std::string> covered = {"/proc", "/dev", "/sys"};
  for (Mount& mount : mounts) {
    STRATA_ASSIGN_OR_RETURN(mount.target, root.Resolve(mount.target));
    if (mount.target == "/") return absl::InvalidArgumentError("a mount cannot replace the root of the step");
    STRATA_ASSIGN_OR_RETURN(const StubKind kind, KindOf(mount));
    // Below another mount the target is in that one, where the runtime makes it.
    const bool is_covered = std::any_of(covered.begin(), covered.end(), [&](const std::string& folder) { return IsInside(mount.target, folder); });
    if (!is_covered) STRATA_RETURN_IF_ERROR(Annotate(stubs.Ensure(mount.target, kind), absl::StrCat("mount on \"", mount.target, "\"")));
    covered.push_back(mount.target);
  }
  return mounts;
}

absl::StatusOr<SandboxExecutor::Outcome> SandboxExecutor::Execute(const Runtime& runtime, const CallContext& context, BundleInput input,
                                                                  const RunDir& run, absl::Time deadline, const OutputSink& output) const {
  STRATA_ASSIGN_OR_RETURN(const MemoryWatch memory, MemoryWatch::Start(runtime.cgroups, run.id(), input.memory_bytes));
  if (memory.limit_is_set()) input.memory_bytes = 0;
  SandboxCommand command = runtime.RunCommand(state_->runtime_root(), run.path(), run.id());
  STRATA_ASSIGN_OR_RETURN(command.mounts, CarrySources(run, input.mounts));
  STRATA_RETURN_IF_ERROR(run.Write("config.json", BundleConfigJson(input)));
  command.root_path = input.root_path;

  Outcome outcome;
  {
    STRATA_ASSIGN_OR_RETURN(SandboxProcess process, SandboxProcess::Start(command));
    STRATA_RETURN_IF_ERROR(run.RecordProcess(process.pid()));
    Cancellation::Registration registration;
    if (context.cancellation != nullptr) registration = context.cancellation->OnCancel([&process] { process.Kill(); });
    STRATA_ASSIGN_OR_RETURN(outcome.pumped, PumpOutput(process, deadline, output));
    STRATA_ASSIGN_OR_RETURN(outcome.exit, process.Wait());
  }
  outcome.out_of_memory = memory.RanOut();
  outcome.runtime_error = LastRuntimeError(Runtime::LogPath(run.path()));
  if (outcome.exit.by_signal) {
    // The runtime had no chance to remove its state and the control group.
    auto cleanup = SandboxProcess::Start(runtime.DeleteCommand(state_->runtime_root(), run.id()));
    if (cleanup.ok()) (void)PumpOutput(*cleanup, absl::Now() + kDeleteTimeout, nullptr);
  }
  RemoveCgroups(runtime.cgroups, run.id());
  return outcome;
}

absl::StatusOr<ExecResult> SandboxExecutor::Judge(const CallContext& context, const ExecSpec& spec, absl::Time step_deadline, const Outcome& outcome) const {
  if (context.cancelled()) return absl::CancelledError("the step was cancelled; everything it started was ended");
  if (outcome.pumped.timed_out) {
    if (step_deadline <= context.deadline) {
      return absl::DeadlineExceededError(absl::StrCat("the step ran longer than its limit of ", absl::FormatDuration(spec.limits.timeout)));
    }
    return absl::DeadlineExceededError("the deadline of the call passed while the step ran");
  }
  if (outcome.exit.by_signal && !outcome.out_of_memory) {
    return absl::InternalError(absl::StrCat("the container runtime was ended by signal ", outcome.exit.code - 128));
  }
  STRATA_RETURN_IF_ERROR(CommandError(spec.args[0], outcome.exit.code, outcome.runtime_error,
                                      outcome.pumped.error_is_whole ? outcome.pumped.error_head : ""));
  return ExecResult{.exit_code = outcome.exit.code, .out_of_memory = outcome.out_of_memory};
}

absl::StatusOr<ExecResult> SandboxExecutor::Run(const CallContext& context, const ExecSpec& spec, const OutputSink& output) {
  STRATA_RETURN_IF_ERROR(context.Check());
  STRATA_RETURN_IF_ERROR(CheckSpec(spec));
  const absl::Time step_deadline = absl::Now() + spec.limits.timeout;
  STRATA_ASSIGN_OR_RETURN(const RootDir root, RootDir::Open(spec.root_path));
  const Network network = spec.network == Network::kDefault ? default_network_ : spec.network;
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<RunDir> run, state_->NewRun());

  BundleInput input;
  STRATA_ASSIGN_OR_RETURN(input.user, ResolveUser(root, spec.user));
  STRATA_ASSIGN_OR_RETURN(input.working_dir, root.Resolve(spec.working_dir));
  MountStubs stubs(root);
  STRATA_ASSIGN_OR_RETURN(input.mounts, PrepareMounts(spec, root, *run, network, stubs));
  // Below a mount the runtime makes the folder, in that mount.
  const bool in_a_mount = std::any_of(input.mounts.begin(), input.mounts.end(), [&](const Mount& mount) { return IsInside(input.working_dir, mount.target); });
  if (!in_a_mount) STRATA_RETURN_IF_ERROR(MakeDirectories(root, input.working_dir));
  input.root_path = spec.root_path;
  input.args = spec.args;
  input.env = spec.env;
  if (!HasVariable(input.env, "PATH=")) input.env.push_back(kDefaultPath);
  if (!HasVariable(input.env, "HOME=")) input.env.push_back(absl::StrCat("HOME=", input.user.home));
  input.hostname = spec.hostname;
  input.host_network = network == Network::kHost;
  input.cgroup_path = CgroupPath(runtime_.cgroups, run->id());
  input.memory_bytes = spec.limits.memory_bytes;
  input.pids = spec.limits.pids;
  input.open_files = open_files_;
  input.available_capabilities = capabilities_;

  STRATA_ASSIGN_OR_RETURN(const Outcome outcome, Execute(runtime_, context, input, *run, std::min(step_deadline, context.deadline), output));
  stubs.Remove();
  return Judge(context, spec, step_deadline, outcome);
}

}  // namespace strata::executor
