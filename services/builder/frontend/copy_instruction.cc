// COPY, ADD and WORKDIR: what becomes a FileOp.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/glob/glob.h"
#include "services/builder/dockerfile/expand.h"
#include "services/builder/frontend/paths.h"
#include "services/builder/frontend/stage_state.h"

namespace strata::frontend {

namespace {

// What COPY and ADD have in common, expanded.
struct Transfer {
  std::string target;  // the destination as written
  std::string destination;
  std::string chown;
  std::string chmod;
  std::vector<std::string> excludes;
};

absl::StatusOr<Transfer> ExpandTransfer(const StageState& stage, const StageContext& context,
                                        const dockerfile::FileTransfer& transfer) {
  Transfer expanded;
  STRATA_ASSIGN_OR_RETURN(const std::string destination, Expand(stage, context, transfer.destination));
  if (destination.empty()) return absl::InvalidArgumentError("the destination is empty; write \".\" for the working directory");
  expanded.target = destination;
  expanded.destination = Destination(stage.config.working_dir, destination);
  STRATA_ASSIGN_OR_RETURN(expanded.chown, Expand(stage, context, transfer.chown));
  STRATA_ASSIGN_OR_RETURN(expanded.chmod, Expand(stage, context, transfer.chmod));
  for (const std::string& exclude : transfer.excludes) {
    STRATA_ASSIGN_OR_RETURN(std::string pattern, Expand(stage, context, exclude));
    expanded.excludes.push_back(std::move(pattern));
  }
  return expanded;
}

// "COPY --chown=app a b /c/": the words that make the files what they are. Where they came from is not among them.
std::string CreatedBy(absl::string_view verb, const Transfer& transfer, const std::vector<std::string>& sources,
                      const std::vector<dockerfile::HeredocSource>& heredocs) {
  std::string text(verb);
  if (!transfer.chown.empty()) absl::StrAppend(&text, " --chown=", transfer.chown);
  if (!transfer.chmod.empty()) absl::StrAppend(&text, " --chmod=", transfer.chmod);
  for (const std::string& source : sources) absl::StrAppend(&text, " ", source);
  for (const dockerfile::HeredocSource& heredoc : heredocs) absl::StrAppend(&text, " <<", heredoc.name);
  return absl::StrCat(text, " ", transfer.target);
}

// The graph's side of one COPY or ADD.
class FileStep {
 public:
  FileStep(const StageState& stage, Transfer transfer) : transfer_(std::move(transfer)), inputs_({stage.root}) {}

  graph::CopyAction& AddCopy(graph::VertexPtr from) {
    graph::CopyAction action;
    action.input = inputs_.size();
    action.destination = transfer_.destination;
    action.chown = transfer_.chown;
    action.chmod = transfer_.chmod;
    action.excludes = transfer_.excludes;
    inputs_.push_back(std::move(from));
    op_.actions.emplace_back(std::move(action));
    return std::get<graph::CopyAction>(op_.actions.back());
  }

  absl::Status AddHeredocs(const StageState& stage, const StageContext& context,
                           const std::vector<dockerfile::HeredocSource>& heredocs) {
    const auto lookup = [&stage](absl::string_view name) { return stage.variables.Get(name); };
    for (const dockerfile::HeredocSource& heredoc : heredocs) {
      graph::WriteFileAction action;
      action.name = heredoc.name;
      action.content = heredoc.content;
      if (heredoc.expand) {
        STRATA_ASSIGN_OR_RETURN(action.name, Expand(stage, context, heredoc.name));
        STRATA_ASSIGN_OR_RETURN(action.content,
                                dockerfile::ExpandHeredoc(heredoc.content, lookup, {.escape = context.escape()}));
      }
      action.destination = transfer_.destination;
      action.chown = transfer_.chown;
      action.chmod = transfer_.chmod;
      op_.actions.emplace_back(std::move(action));
    }
    return absl::OkStatus();
  }

  // `created_by`: what history says, in place of `original`, which the user wrote.
  void Finish(StageState& stage, StageContext& context, absl::string_view original, absl::string_view created_by,
              const std::string& location) {
    auto vertex = std::make_shared<graph::Vertex>();
    vertex->op = std::move(op_);
    vertex->inputs = std::move(inputs_);
    vertex->name = absl::StrCat(context.NextStepPrefix(), original);
    vertex->location = location;
    vertex->ignore_cache = context.options().no_cache;
    stage.root = std::move(vertex);
    AddHistory(stage, absl::StrCat(created_by, " # buildkit"), false);
  }

 private:
  Transfer transfer_;
  graph::FileOp op_;
  std::vector<graph::VertexPtr> inputs_;
};

absl::StatusOr<std::vector<std::string>> ExpandSources(const StageState& stage, const StageContext& context,
                                                       const std::vector<std::string>& words) {
  std::vector<std::string> sources;
  for (const std::string& word : words) {
    STRATA_ASSIGN_OR_RETURN(std::string source, Expand(stage, context, word));
    sources.push_back(std::move(source));
  }
  return sources;
}

absl::Status AddRemote(FileStep& step, const std::string& url, const dockerfile::Add& add, const std::string& checksum,
                       const std::string& location) {
  graph::HttpOp http;
  http.url = url;
  http.file_name = UrlFileName(url);
  if (http.file_name.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("ADD cannot tell a file name from ", url, "; name a file in the URL"));
  }
  if (!checksum.empty()) {
    STRATA_ASSIGN_OR_RETURN(http.checksum, Digest::Parse(checksum));
  }
  auto vertex = std::make_shared<graph::Vertex>();
  const std::string name = http.file_name;
  vertex->op = std::move(http);
  vertex->name = absl::StrCat("fetch ", url);
  vertex->location = location;
  graph::CopyAction& action = step.AddCopy(std::move(vertex));
  action.sources = {glob::Escape(name)};
  action.unpack = add.unpack.value_or(false);
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyCopy(StageState& stage, StageContext& context, const dockerfile::Copy& copy, const std::string& location) {
  STRATA_ASSIGN_OR_RETURN(Transfer transfer, ExpandTransfer(stage, context, copy));
  STRATA_ASSIGN_OR_RETURN(const std::vector<std::string> sources, ExpandSources(stage, context, copy.sources));
  const std::string created_by = CreatedBy(copy.parents ? "COPY --parents" : "COPY", transfer, sources, copy.heredocs);
  FileStep step(stage, std::move(transfer));
  graph::VertexPtr from;
  if (!copy.from.empty() && !sources.empty()) {
    STRATA_ASSIGN_OR_RETURN(from, context.ResolveFrom(copy.from));
  }
  std::vector<std::string> paths;
  for (const std::string& source : sources) {
    if (IsHttpUrl(source)) return absl::InvalidArgumentError("source can't be a URL for COPY; use ADD");
    if (IsGitUrl(source)) return absl::InvalidArgumentError("source can't be a git ref for COPY; use ADD");
    // With --parents a "./" marks where the kept part of the path begins, so it must survive cleaning.
    paths.push_back(copy.parents ? std::string(absl::StripPrefix(source, "/")) : SourcePath(source));
    if (copy.from.empty()) {
      STRATA_ASSIGN_OR_RETURN(from, context.UseContext(SourcePath(source)));
    }
  }
  if (!paths.empty()) {
    graph::CopyAction& action = step.AddCopy(from);
    action.sources = std::move(paths);
    action.parents = copy.parents;
  }
  STRATA_RETURN_IF_ERROR(step.AddHeredocs(stage, context, copy.heredocs));
  step.Finish(stage, context, copy.original, created_by, location);
  return absl::OkStatus();
}

absl::Status ApplyAdd(StageState& stage, StageContext& context, const dockerfile::Add& add, const std::string& location) {
  STRATA_ASSIGN_OR_RETURN(Transfer transfer, ExpandTransfer(stage, context, add));
  STRATA_ASSIGN_OR_RETURN(const std::vector<std::string> sources, ExpandSources(stage, context, add.sources));
  STRATA_ASSIGN_OR_RETURN(const std::string checksum, Expand(stage, context, add.checksum));
  if (!checksum.empty() && sources.size() + add.heredocs.size() > 1) {
    return absl::InvalidArgumentError("checksum can't be specified for multiple sources");
  }
  if (!checksum.empty() && (sources.empty() || !IsHttpUrl(sources[0]))) {
    return absl::InvalidArgumentError("checksum requires HTTP(S) or Git sources");
  }
  const std::string created_by = CreatedBy("ADD", transfer, sources, add.heredocs);
  FileStep step(stage, std::move(transfer));
  for (const std::string& source : sources) {
    if (IsGitUrl(source)) {
      return absl::UnimplementedError("ADD of a git repository is not supported by this version; clone it in a RUN step");
    }
    if (IsHttpUrl(source)) {
      STRATA_RETURN_IF_ERROR(AddRemote(step, source, add, checksum, location));
      continue;
    }
    const std::string path = SourcePath(source);
    STRATA_ASSIGN_OR_RETURN(graph::VertexPtr from, context.UseContext(path));
    graph::CopyAction& action = step.AddCopy(std::move(from));
    action.sources = {path};
    action.unpack = add.unpack.value_or(true);
  }
  STRATA_RETURN_IF_ERROR(step.AddHeredocs(stage, context, add.heredocs));
  step.Finish(stage, context, add.original, created_by, location);
  return absl::OkStatus();
}

absl::Status ApplyWorkdir(StageState& stage, StageContext& context, const dockerfile::Workdir& workdir,
                          const std::string& location) {
  STRATA_ASSIGN_OR_RETURN(const std::string path, Expand(stage, context, workdir.path));
  if (path.empty()) return absl::InvalidArgumentError("WORKDIR requires a path");
  stage.config.working_dir = JoinAbsolute(stage.config.working_dir, path);
  const std::string created_by = absl::StrCat("WORKDIR ", stage.config.working_dir);
  if (stage.config.working_dir == "/") {
    AddHistory(stage, created_by, true);
    return absl::OkStatus();
  }
  auto vertex = std::make_shared<graph::Vertex>();
  vertex->op = graph::FileOp{{graph::MakeDirAction{stage.config.working_dir, stage.config.user}}};
  vertex->inputs = {stage.root};
  vertex->name = absl::StrCat(context.NextStepPrefix(), created_by);
  vertex->location = location;
  vertex->ignore_cache = context.options().no_cache;
  stage.root = std::move(vertex);
  AddHistory(stage, created_by, false);
  return absl::OkStatus();
}

}  // namespace strata::frontend
