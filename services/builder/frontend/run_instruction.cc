// RUN: what becomes an ExecOp.
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status.h"
#include "lib/glob/glob.h"
#include "services/builder/frontend/paths.h"
#include "services/builder/frontend/stage_state.h"

namespace strata::frontend {

namespace {

graph::Network ToNetwork(dockerfile::NetworkMode mode) {
  if (mode == dockerfile::NetworkMode::kNone) return graph::Network::kNone;
  if (mode == dockerfile::NetworkMode::kHost) return graph::Network::kHost;
  return graph::Network::kDefault;
}

absl::Status AddBind(StageContext& context, const dockerfile::Mount& mount, graph::ExecMount& out,
                     std::vector<graph::VertexPtr>& inputs) {
  out.kind = graph::ExecMount::Kind::kBind;
  out.source = SourcePath(mount.source);
  graph::VertexPtr input;
  if (mount.from.empty()) {
    STRATA_ASSIGN_OR_RETURN(input, context.UseContext(glob::Escape(out.source)));
  } else {
    STRATA_ASSIGN_OR_RETURN(input, context.ResolveFrom(mount.from));
  }
  out.input = inputs.size();
  inputs.push_back(std::move(input));
  return absl::OkStatus();
}

absl::Status AddMount(const StageState& stage, StageContext& context, const dockerfile::Mount& unexpanded, graph::ExecOp& op,
                      std::vector<graph::VertexPtr>& inputs) {
  const auto expand = [&](absl::string_view word) { return Expand(stage, context, word); };
  STRATA_ASSIGN_OR_RETURN(const dockerfile::Mount mount, dockerfile::ExpandMount(unexpanded, expand));
  graph::ExecMount out;
  out.target = JoinAbsolute(stage.config.working_dir, mount.target);
  out.read_only = mount.read_only;
  switch (mount.type) {
    case dockerfile::MountType::kBind:
      STRATA_RETURN_IF_ERROR(AddBind(context, mount, out, inputs));
      break;
    case dockerfile::MountType::kCache:
      if (!mount.from.empty()) {
        return absl::UnimplementedError("RUN --mount=type=cache,from=… is not supported by this version; fill the cache in a RUN");
      }
      out.kind = graph::ExecMount::Kind::kCache;
      out.cache_id = mount.id.empty() ? out.target : mount.id;
      out.exclusive = mount.sharing != dockerfile::CacheSharing::kShared;
      out.mode = mount.mode.value_or(0755);
      out.uid = mount.uid.value_or(0);
      out.gid = mount.gid.value_or(0);
      break;
    case dockerfile::MountType::kTmpfs:
      out.kind = graph::ExecMount::Kind::kTmpfs;
      out.size_bytes = static_cast<int64_t>(mount.size_bytes);
      break;
    case dockerfile::MountType::kSecret:
    case dockerfile::MountType::kSsh:
      if (mount.required) {
        return absl::UnimplementedError(absl::StrCat("RUN --mount=type=", dockerfile::ToString(mount.type),
                                                     ",required is not supported by this version"));
      }
      return absl::OkStatus();  // the same as a secret that the client does not offer
  }
  if (out.target == "/") return absl::InvalidArgumentError("a mount target must not be \"/\"");
  op.mounts.push_back(std::move(out));
  return absl::OkStatus();
}

// Programs look for either spelling, so a command gets both, whichever was given.
std::vector<std::string> ProxyEnvironment(const StageState& stage, const PlanOptions& options) {
  std::map<std::string, std::string> proxies;
  for (const auto& [name, value] : options.build_args) {
    if (!IsProxyArgument(name)) continue;
    proxies[name] = value;
    for (const std::string& other : {absl::AsciiStrToUpper(name), absl::AsciiStrToLower(name)}) proxies.emplace(other, value);
  }
  std::vector<std::string> environment;
  for (const auto& [name, value] : proxies) {
    if (!stage.variables.Get(name)) environment.push_back(absl::StrCat(name, "=", value));
  }
  return environment;
}

// "RUN |2 A=1 B=2 /bin/sh -c make": the arguments in effect make a step what it is, so history shows them.
std::string CreatedBy(const StageState& stage, const std::vector<std::string>& command) {
  std::string arguments;
  for (const std::string& name : stage.arguments) {
    absl::StrAppend(&arguments, name, "=", stage.variables.Get(name).value_or(""), " ");
  }
  return absl::StrCat("RUN ", arguments.empty() ? "" : absl::StrCat("|", stage.arguments.size(), " ", arguments), absl::StrJoin(command, " "),
                      " # buildkit");
}

}  // namespace

absl::Status ApplyRun(StageState& stage, StageContext& context, const dockerfile::Run& run, const std::string& location) {
  if (run.security == dockerfile::SecurityMode::kInsecure) {
    return absl::UnimplementedError("RUN --security=insecure is not allowed by this builder");
  }
  if (!run.devices.empty()) return absl::UnimplementedError("RUN --device is not supported by this version");
  graph::ExecOp op;
  std::vector<graph::VertexPtr> inputs = {stage.root};
  if (run.command.is_shell && dockerfile::IsScript(run)) {
    op.script = dockerfile::ShellText(run);
    op.args = {graph::kScriptPath};
  } else if (run.command.is_shell) {
    op.args = ShellOf(stage);
    op.args.push_back(dockerfile::ShellText(run));
  } else {
    op.args = run.command.args;
  }
  if (op.args.empty()) return absl::InvalidArgumentError("RUN requires at least one argument");
  op.env = stage.variables.ToEnvironment();
  op.unkeyed_env = ProxyEnvironment(stage, context.options());
  op.working_dir = stage.config.working_dir.empty() ? "/" : stage.config.working_dir;
  op.user = stage.config.user;
  op.network = ToNetwork(run.network);
  for (const dockerfile::Mount& mount : run.mounts) {
    STRATA_RETURN_IF_ERROR(AddMount(stage, context, mount, op, inputs));
  }

  auto vertex = std::make_shared<graph::Vertex>();
  const std::string created_by = CreatedBy(stage, op.args);
  vertex->op = std::move(op);
  vertex->inputs = std::move(inputs);
  vertex->name = absl::StrCat(context.NextStepPrefix(), run.original);
  vertex->location = location;
  vertex->ignore_cache = context.options().no_cache;
  stage.root = std::move(vertex);
  AddHistory(stage, created_by, false);
  return absl::OkStatus();
}

}  // namespace strata::frontend
