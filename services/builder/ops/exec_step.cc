// RUN.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/fs/beneath.h"
#include "lib/glob/glob.h"
#include "services/builder/filetree/copier.h"
#include "services/builder/filetree/selection.h"
#include "services/builder/ops/input_tree.h"
#include "services/builder/ops/key_builder.h"
#include "services/builder/ops/layer_writer.h"
#include "services/builder/ops/output_tail.h"
#include "services/builder/ops/steps.h"

namespace strata::ops {

namespace {

constexpr size_t kMaxShownCommand = 300;

// What a bind mount shows, as COPY would select it.
graph::CopyAction AsSelection(const graph::ExecMount& mount) {
  graph::CopyAction action;
  action.sources = {glob::Escape(mount.source)};  // a path, whatever is in it
  return action;
}

// What the step really gets: builders with different defaults must not share its result.
executor::Network ToNetwork(graph::Network network, const OpEnvironment& environment) {
  if (network == graph::Network::kNone) return executor::Network::kNone;
  if (network == graph::Network::kHost) return executor::Network::kHost;
  return environment.default_network;
}

// A path that another process can open although it leads to an inode, not to a name: a link swapped in the meantime changes nothing.
std::string PathOf(int fd) { return absl::StrCat("/proc/", ::getpid(), "/fd/", fd); }

std::string CacheName(const graph::ExecMount& mount) { return std::string(Digest::Of(mount.cache_id).hex()); }

// Everything that a step's mounts need to stay there while it runs.
class MountSet {
 public:
  explicit MountSet(const StepContext& step) : step_(step) {}

  // Before the first Add. Each once and in one order, since two steps that hold what the other waits for would never end.
  absl::Status LockCaches(const std::vector<graph::ExecMount>& mounts) {
    std::set<std::string> names;
    for (const graph::ExecMount& mount : mounts) {
      if (mount.kind == graph::ExecMount::Kind::kCache && mount.exclusive) names.insert(CacheName(mount));
    }
    for (const std::string& name : names) {
      std::unique_ptr<solver::Flights::Ticket> ticket;
      while (ticket == nullptr) {
        STRATA_ASSIGN_OR_RETURN(ticket, step_.environment.cache_mounts.Join(step_.call, name));
      }
      tickets_.push_back(std::move(ticket));
    }
    return absl::OkStatus();
  }

  absl::Status Add(const graph::ExecMount& mount) {
    executor::Mount out;
    out.target = mount.target;
    out.read_only = mount.read_only;
    switch (mount.kind) {
      case graph::ExecMount::Kind::kTmpfs:
        out.is_tmpfs = true;
        out.read_only = false;
        out.tmpfs_size_bytes = mount.size_bytes;
        break;
      case graph::ExecMount::Kind::kCache:
        STRATA_RETURN_IF_ERROR(AddCache(mount, out));
        break;
      case graph::ExecMount::Kind::kBind:
        STRATA_RETURN_IF_ERROR(AddBind(mount, out));
        break;
    }
    mounts_.push_back(std::move(out));
    return absl::OkStatus();
  }

  absl::Status AddScript(absl::string_view script) {
    script_path_ = absl::StrCat(step_.environment.scratch_root, "/script.XXXXXX");
    const UniqueFd fd(::mkostemp(script_path_.data(), O_CLOEXEC));
    if (!fd.is_valid()) return ErrnoStatus(errno, "writing the script of a heredoc");
    STRATA_RETURN_IF_ERROR(WriteFully(fd.get(), script));
    if (::fchmod(fd.get(), 0755) != 0) return ErrnoStatus(errno, "writing the script of a heredoc");
    mounts_.push_back({.source = script_path_, .target = graph::kScriptPath, .read_only = true});
    return absl::OkStatus();
  }

  ~MountSet() {
    if (!script_path_.empty()) ::unlink(script_path_.c_str());
  }

  const std::vector<executor::Mount>& mounts() const { return mounts_; }

 private:
  absl::Status AddCache(const graph::ExecMount& mount, executor::Mount& out) {
    out.source = absl::StrCat(step_.environment.cache_mount_root, "/", CacheName(mount));
    if (::mkdir(out.source.c_str(), 0700) == 0) {
      if (::chown(out.source.c_str(), mount.uid, mount.gid) != 0 || ::chmod(out.source.c_str(), mount.mode) != 0) {
        return ErrnoStatus(errno, "making a cache mount");
      }
    } else if (errno != EEXIST) {
      return ErrnoStatus(errno, "making a cache mount");
    }
    return absl::OkStatus();
  }

  absl::Status AddBind(const graph::ExecMount& mount, executor::Mount& out) {
    const solver::Result& input = step_.inputs[mount.input];
    const auto& snapshots = step_.environment;
    STRATA_ASSIGN_OR_RETURN(auto stack, snapshots.snapshots.Acquire(step_.call, input.layers, ReportFetch(step_.progress, step_.step)));
    // Always a workspace: what the command writes there is thrown away, and the layers below stay as they are.
    STRATA_ASSIGN_OR_RETURN(auto workspace, snapshots.snapshots.CreateWorkspace(std::move(stack)));
    if (input.files != nullptr) STRATA_RETURN_IF_ERROR(CopyIn(*input.files, mount, *workspace));
    auto source = fs::OpenInRoot(workspace->root_fd(), mount.source, O_PATH);
    if (!source.ok()) return Annotate(source.status(), absl::StrCat("mount source \"/", mount.source, "\""));
    out.source = PathOf(source->get());
    sources_.push_back(*std::move(source));
    workspaces_.push_back(std::move(workspace));
    return absl::OkStatus();
  }

  absl::Status CopyIn(const filetree::FileTree& tree, const graph::ExecMount& mount, snapshot::Workspace& workspace) {
    STRATA_ASSIGN_OR_RETURN(const auto selected, filetree::Select(tree, AsSelection(mount)));
    filetree::Copier copier(workspace.root_fd());
    for (const filetree::SelectedSource& source : selected) {
      STRATA_RETURN_IF_ERROR(copier.Copy(step_.call, tree, source, absl::StrCat("/", mount.source), false, {}));
    }
    return absl::OkStatus();
  }

  const StepContext& step_;
  std::vector<executor::Mount> mounts_;
  std::vector<std::unique_ptr<snapshot::Workspace>> workspaces_;
  std::vector<UniqueFd> sources_;
  std::vector<std::unique_ptr<solver::Flights::Ticket>> tickets_;
  std::string script_path_;
};

absl::Status CommandFailed(const graph::ExecOp& op, const executor::ExecResult& result, const OutputTail& tail) {
  std::string command = op.script.empty() ? absl::StrJoin(op.args, " ") : "the heredoc script";
  if (command.size() > kMaxShownCommand) command = absl::StrCat(command.substr(0, kMaxShownCommand), "…");
  const std::string why = result.out_of_memory ? "was killed: out of memory"
                                               : absl::StrCat("did not complete successfully: exit code: ", result.exit_code);
  const std::string output = tail.Text();
  return absl::FailedPreconditionError(absl::StrCat("process \"", command, "\" ", why,
                                                    output.empty() ? "" : "\nlast output:\n", output));
}

}  // namespace

absl::StatusOr<std::string> ExecKey(const CallContext& context, const OpEnvironment& environment, const graph::ExecOp& op,
                                    const std::vector<solver::Result>& inputs) {
  KeyBuilder key("run/1");
  key.Add("base", inputs.front().ChainId().ToString());
  key.AddList("args", op.args);
  key.AddList("env", op.env);
  key.Add("cwd", op.working_dir);
  key.Add("user", op.user);
  key.Add("network", ToNetwork(op.network, environment) == executor::Network::kNone ? "none" : "host");
  key.Add("script", op.script);
  for (const graph::ExecMount& mount : op.mounts) {
    key.Add("mount", absl::StrCat(static_cast<int>(mount.kind)));
    key.Add("target", mount.target);
    if (mount.kind == graph::ExecMount::Kind::kTmpfs) key.Add("size", absl::StrCat(mount.size_bytes));
    if (mount.kind == graph::ExecMount::Kind::kCache) {
      key.Add("id", mount.cache_id);
      key.Add("access", mount.read_only ? "ro" : "rw");
      key.Add("new", absl::StrCat(mount.mode, " ", mount.uid, ":", mount.gid));
    }
    if (mount.kind != graph::ExecMount::Kind::kBind) continue;
    STRATA_ASSIGN_OR_RETURN(const Digest content, InputDigest(context, environment, inputs[mount.input], AsSelection(mount)));
    key.Add("content", content.ToString());
    key.Add("access", mount.read_only ? "ro" : "rw");
  }
  return key.Finish();
}

absl::StatusOr<snapshot::Layer> RunExec(const StepContext& step, const graph::ExecOp& op) {
  STRATA_ASSIGN_OR_RETURN(auto stack, step.environment.snapshots.Acquire(step.call, step.inputs.front().layers,
                                                                         ReportFetch(step.progress, step.step)));
  STRATA_ASSIGN_OR_RETURN(auto workspace, step.environment.snapshots.CreateWorkspace(std::move(stack)));
  {
    MountSet mounts(step);
    STRATA_RETURN_IF_ERROR(mounts.LockCaches(op.mounts));
    for (const graph::ExecMount& mount : op.mounts) STRATA_RETURN_IF_ERROR(mounts.Add(mount));
    if (!op.script.empty()) STRATA_RETURN_IF_ERROR(mounts.AddScript(op.script));
    executor::ExecSpec spec;
    spec.root_path = workspace->root_path();
    spec.args = op.args;
    spec.env = op.env;
    spec.env.insert(spec.env.end(), op.unkeyed_env.begin(), op.unkeyed_env.end());
    spec.working_dir = op.working_dir;
    spec.user = op.user;
    spec.network = ToNetwork(op.network, step.environment);
    spec.mounts = mounts.mounts();
    spec.limits = step.environment.limits;
    OutputTail tail;
    STRATA_ASSIGN_OR_RETURN(const executor::ExecResult result,
                            step.environment.executor.Run(step.call, spec, [&](int stream, absl::string_view data) {
                              tail.Append(data);
                              step.progress.Log(step.step, stream, data);
                            }));
    if (result.exit_code != 0 || result.out_of_memory) return CommandFailed(op, result, tail);
  }
  return StoreLayer(step.call, step.environment, *workspace, step.epoch, step.progress, step.step);
}

}  // namespace strata::ops
