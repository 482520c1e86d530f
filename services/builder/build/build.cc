#include "services/builder/build/build.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "lib/oci/reference.h"
#include "services/builder/dockerfile/parser.h"
#include "services/builder/frontend/frontend.h"
#include "services/builder/frontend/variables.h"
#include "services/builder/ops/op_runner_impl.h"

namespace strata::build {

namespace {

constexpr size_t kMaxPlatforms = 16;

// The steps before and after solving, shown like those of the graph.
class Step {
 public:
  Step(progress::Progress& progress, absl::string_view name) : progress_(progress), id_(progress.AddStep(name)) {
    progress_.SetState(id_, progress::StepState::kRunning);
  }
  absl::Status End(const absl::Status& status) {
    progress_.SetState(id_, status.ok() ? progress::StepState::kDone : progress::StepState::kFailed,
                       std::string(status.message()));
    return status;
  }
  uint32_t id() const { return id_; }

 private:
  progress::Progress& progress_;
  const uint32_t id_;
};

absl::StatusOr<std::vector<oci::Platform>> Platforms(const BuildSpec& spec) {
  if (spec.platforms.empty()) return std::vector<oci::Platform>{oci::Platform::Host()};
  if (spec.platforms.size() > kMaxPlatforms) {
    return absl::InvalidArgumentError(absl::StrCat("more than ", kMaxPlatforms, " platforms in one build"));
  }
  std::vector<oci::Platform> platforms;
  std::set<std::string> seen;
  for (const std::string& text : spec.platforms) {
    STRATA_ASSIGN_OR_RETURN(oci::Platform platform, oci::Platform::Parse(text));
    if (seen.insert(platform.ToString()).second) platforms.push_back(std::move(platform));
  }
  return platforms;
}

absl::StatusOr<std::vector<exporter::Target>> Targets(const BuildSpec& spec, const std::vector<std::string>& own_hosts) {
  std::vector<exporter::Target> targets;
  for (const std::string& tag : spec.tags) {
    STRATA_ASSIGN_OR_RETURN(const oci::Reference reference, oci::Reference::Parse(tag));
    if (reference.digest) {
      return absl::InvalidArgumentError(absl::StrCat("image name \"", tag, "\" must not have a digest"));
    }
    targets.push_back({reference.StoreRepository(own_hosts), reference.TagOrLatest()});
  }
  return targets;
}

absl::StatusOr<std::vector<frontend::Plan>> MakePlans(const CallContext& context, const BuildSpec& spec,
                                                      const dockerfile::Dockerfile& file,
                                                      const std::vector<oci::Platform>& platforms,
                                                      frontend::BaseImages& bases) {
  std::vector<frontend::Plan> plans;
  for (const oci::Platform& platform : platforms) {
    frontend::PlanOptions options;
    options.target = spec.target;
    options.build_args = spec.build_args;
    options.target_platform = platform;
    options.build_platform = oci::Platform::Host();
    options.labels = spec.labels;
    options.no_cache = spec.no_cache;
    options.has_context = spec.has_context;
    options.show_platform = platforms.size() > 1;
    STRATA_ASSIGN_OR_RETURN(frontend::Plan plan, frontend::MakePlan(context, file, options, bases));
    plans.push_back(std::move(plan));
  }
  return plans;
}

// Build arguments that no ARG of the file declares, as a hint: a misspelt one is silently without effect otherwise.
void WarnUnusedArguments(const BuildSpec& spec, const dockerfile::Dockerfile& file, progress::Progress& progress) {
  std::set<std::string> declared;
  const auto declare = [&declared](const dockerfile::Arg& arg) {
    for (const dockerfile::ArgEntry& entry : arg.args) declared.insert(entry.name);
  };
  for (const dockerfile::Arg& arg : file.global_args) declare(arg);
  for (const dockerfile::Stage& stage : file.stages) {
    for (const dockerfile::Instruction& instruction : stage.instructions) {
      if (const auto* arg = std::get_if<dockerfile::Arg>(&instruction)) declare(*arg);
    }
  }
  std::vector<std::string> unused;
  for (const auto& [name, value] : spec.build_args) {
    if (!declared.contains(name) && !frontend::IsProxyArgument(name) && !absl::StartsWith(name, "BUILDKIT_") &&
        !absl::StartsWith(name, "TARGET") && !absl::StartsWith(name, "BUILD") && name != "SOURCE_DATE_EPOCH") {
      unused.push_back(name);
    }
  }
  if (unused.empty()) return;
  progress.Warn("UnusedBuildArg", absl::StrCat("no ARG of the Dockerfile takes these build arguments: ", absl::StrJoin(unused, ", ")),
                spec.dockerfile_name, 0);
}

}  // namespace

absl::StatusOr<BuildOutcome> Builder::Build(const CallContext& context, const BuildSpec& spec, frontend::BaseImages& bases,
                                            ContextProvider& provider, progress::Progress& progress) {
  const absl::Time start = absl::Now();
  STRATA_ASSIGN_OR_RETURN(const auto platforms, Platforms(spec));
  STRATA_ASSIGN_OR_RETURN(const auto targets, Targets(spec, own_hosts_));
  STRATA_ASSIGN_OR_RETURN(const dockerfile::Dockerfile file, dockerfile::Parse(spec.dockerfile, spec.dockerfile_name));
  for (const dockerfile::Warning& warning : file.warnings) {
    progress.Warn(warning.rule, warning.message, spec.dockerfile_name, warning.range.first_line);
  }
  WarnUnusedArguments(spec, file, progress);

  Step resolve(progress, "resolve base images");
  auto plans = MakePlans(context, spec, file, platforms, bases);
  STRATA_RETURN_IF_ERROR(resolve.End(plans.status()));

  std::set<std::string> include;
  for (const frontend::Plan& plan : *plans) include.insert(plan.context_paths.begin(), plan.context_paths.end());
  std::shared_ptr<const filetree::FileTree> tree;
  if (!include.empty()) {
    Step list(progress, "list build context");
    auto listed = provider.List(context, {include.begin(), include.end()}, list.id());
    STRATA_RETURN_IF_ERROR(list.End(listed.status()));
    tree = *std::move(listed);
  }

  std::vector<graph::VertexPtr> roots;
  for (const frontend::Plan& plan : *plans) roots.push_back(plan.root);
  ops::OpRunnerImpl runner(environment_, tree, progress, spec.source_date_epoch);
  STRATA_ASSIGN_OR_RETURN(solver::SolveReport report, solver_.Solve(context, roots, runner, progress));

  Step store(progress, targets.empty() ? "make manifest" : absl::StrCat("store ", absl::StrJoin(spec.tags, ", ")));
  std::vector<exporter::ImageContent> contents;
  for (size_t i = 0; i < plans->size(); ++i) {
    contents.push_back({std::move((*plans)[i].config), std::move(report.results[i].layers)});
    if (contents.back().config.platform.os.empty()) contents.back().config.platform = platforms[i];
  }
  auto exported = exporter_.Export(context, contents, targets, {.format = spec.format, .epoch = spec.source_date_epoch});
  STRATA_RETURN_IF_ERROR(store.End(exported.status()));

  BuildOutcome outcome;
  outcome.image = *std::move(exported);
  for (const exporter::Target& target : targets) {
    outcome.names.push_back(absl::StrCat(oci::DisplayName(target.repository), ":", target.tag));
    if (own_hosts_.empty()) continue;
    outcome.pull_references.push_back(absl::StrCat(own_hosts_.front(), "/", target.repository, ":", target.tag));
  }
  outcome.steps_cached = report.steps_cached;
  outcome.steps_run = report.steps_run;
  outcome.elapsed = absl::Now() - start;
  return outcome;
}

}  // namespace strata::build
