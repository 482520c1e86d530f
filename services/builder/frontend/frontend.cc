#include "services/builder/frontend/frontend.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "services/builder/dockerfile/stages.h"
#include "services/builder/frontend/base_table.h"
#include "services/builder/frontend/global_arguments.h"
#include "services/builder/frontend/stage_state.h"

namespace strata::frontend {

namespace {

constexpr char kDefaultPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

bool MakesStep(const dockerfile::Instruction& instruction) {
  return std::holds_alternative<dockerfile::Run>(instruction) || std::holds_alternative<dockerfile::Copy>(instruction) ||
         std::holds_alternative<dockerfile::Add>(instruction) || std::holds_alternative<dockerfile::Workdir>(instruction);
}

// Viewers pair history entries with layers by position; a base that disagrees with itself gets entries that do.
void AlignHistory(oci::ImageConfig& config, size_t layers) {
  const auto told = std::count_if(config.history.begin(), config.history.end(),
                                  [](const oci::HistoryEntry& entry) { return !entry.empty_layer; });
  if (static_cast<size_t>(told) > layers) config.history.clear();
  for (size_t i = static_cast<size_t>(told) > layers ? 0 : told; i < layers; ++i) {
    oci::HistoryEntry entry;
    entry.created = config.created;
    entry.comment = "layer of the base image";
    config.history.push_back(std::move(entry));
  }
}

class Planner final : public StageContext {
 public:
  Planner(const CallContext& context, const dockerfile::Dockerfile& file, const PlanOptions& options, BaseImages& images,
          GlobalArguments arguments, dockerfile::StageGraph stages)
      : file_(file),
        options_(options),
        arguments_(std::move(arguments)),
        stages_(std::move(stages)),
        bases_(context, images),
        planned_(file.stages.size()) {}

  absl::StatusOr<Plan> Run(int target) {
    const std::vector<int> needed = stages_.Needed(target);
    PrefetchBases(needed);
    for (const int index : needed) STRATA_RETURN_IF_ERROR(PlanStage(index));
    StageState& stage = *planned_[target];
    for (const auto& [key, value] : options_.labels) stage.config.labels[key] = value;
    Plan plan;
    plan.root = stage.root;
    plan.config = std::move(stage.config);
    plan.context_paths.assign(context_paths_.begin(), context_paths_.end());
    plan.warnings = file_.warnings;
    return plan;
  }

  const PlanOptions& options() const override { return options_; }
  char escape() const override { return file_.directives.escape; }

  std::optional<std::string> ArgumentValue(absl::string_view name, const std::optional<std::string>& otherwise) override {
    return arguments_.InStage(name, otherwise);
  }

  absl::StatusOr<graph::VertexPtr> ResolveFrom(absl::string_view reference) override {
    if (const int index = EarlierStage(reference); index >= 0) {
      STRATA_RETURN_IF_ERROR(PlanStage(index));
      return planned_[index]->root;
    }
    const std::string image(reference);
    const absl::StatusOr<BaseImage>& base = bases_.Get(image, planned_[current_]->platform);
    if (!base.ok()) return WithHint(base.status(), dockerfile::UnknownStageHint(file_, reference, current_));
    return ImageVertex(image, *base, absl::StrCat("image ", image), location_);
  }

  absl::StatusOr<graph::VertexPtr> UseContext(absl::string_view path) override {
    if (!options_.has_context) {
      return absl::InvalidArgumentError("this build has no context to copy from; give a folder instead of a lone Dockerfile");
    }
    context_paths_.insert(path.empty() ? "." : std::string(path));
    if (context_vertex_ == nullptr) {
      auto vertex = std::make_shared<graph::Vertex>();
      vertex->op = graph::ContextOp{};
      vertex->name = "build context";
      context_vertex_ = std::move(vertex);
    }
    return context_vertex_;
  }

  std::string NextStepPrefix() override {
    const std::string& name = file_.stages[current_].name;
    const std::string shown = !name.empty()               ? absl::StrCat(name, " ")
                              : file_.stages.size() > 1   ? absl::StrCat("stage-", current_, " ")
                                                          : "";
    const std::string platform = options_.show_platform ? absl::StrCat(planned_[current_]->platform.ToString(), " ") : "";
    return absl::StrCat("[", platform, shown, ++step_, "/", step_count_, "] ");
  }

 private:
  void PrefetchBases(const std::vector<int>& needed) {
    std::vector<std::pair<std::string, oci::Platform>> wanted;
    for (const int index : needed) {
      const dockerfile::StageGraph::Node& node = stages_.nodes[index];
      const auto platform = StagePlatform(node);
      if (!platform.ok()) continue;  // told when the stage is planned
      if (node.base.stage < 0 && node.base.reference != "scratch") wanted.emplace_back(node.base.reference, *platform);
      for (const dockerfile::StageLink& link : node.links) {
        if (link.stage < 0 && link.hint.empty() && !link.reference.empty()) wanted.emplace_back(link.reference, *platform);
      }
    }
    bases_.Prefetch(wanted);
  }

  absl::StatusOr<oci::Platform> StagePlatform(const dockerfile::StageGraph::Node& node) const {
    if (node.platform.empty()) return options_.target_platform;
    return oci::Platform::Parse(node.platform);
  }

  // The stage before the current one that `reference` names, by name (the last of that name) or number; -1: none.
  int EarlierStage(absl::string_view reference) const {
    int number = 0;
    if (absl::SimpleAtoi(reference, &number)) return number >= 0 && number < current_ ? number : -1;
    const std::string name = absl::AsciiStrToLower(reference);
    for (int i = current_ - 1; i >= 0; --i) {
      if (file_.stages[i].name == name) return i;
    }
    return -1;
  }

  static absl::Status WithHint(const absl::Status& status, const std::string& hint) {
    if (hint.empty()) return status;
    return absl::Status(status.code(), absl::StrCat(hint, " (", status.message(), ")"));
  }

  static graph::VertexPtr ImageVertex(const std::string& reference, const BaseImage& base, std::string name,
                                      const std::string& location) {
    auto vertex = std::make_shared<graph::Vertex>();
    vertex->op = graph::ImageOp{reference, base.manifest, base.layers};
    vertex->name = std::move(name);
    vertex->location = location;
    return vertex;
  }

  absl::Status PlanStage(int index) {
    if (planned_[index] != nullptr) return absl::OkStatus();
    // An ONBUILD trigger may lead to a stage that nothing else needs: plan it in between.
    const auto outer = std::make_tuple(current_, step_, step_count_, location_);
    current_ = index;
    step_ = 0;
    planned_[index] = std::make_unique<StageState>();
    absl::Status status = PlanCurrent(*planned_[index], file_.stages[index], stages_.nodes[index]);
    std::tie(current_, step_, step_count_, location_) = outer;
    return status;
  }

  absl::Status PlanCurrent(StageState& state, const dockerfile::Stage& stage, const dockerfile::StageGraph::Node& node) {
    location_ = Location(file_.file_name, stage.from);
    STRATA_RETURN_IF_ERROR(Annotate(StartStage(state, stage, node), location_));
    // Triggers run in the image that was built on them, once: its own config has them no more.
    STRATA_ASSIGN_OR_RETURN(const std::vector<dockerfile::Instruction> triggered, ParseTriggers(state.config.on_build));
    state.config.on_build.clear();
    for (const auto& instruction : triggered) STRATA_RETURN_IF_ERROR(Apply(state, instruction));
    for (const auto& instruction : stage.instructions) STRATA_RETURN_IF_ERROR(Apply(state, instruction));
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<dockerfile::Instruction>> ParseTriggers(const std::vector<std::string>& triggers) const {
    std::vector<dockerfile::Instruction> instructions;
    for (const std::string& trigger : triggers) {
      STRATA_ASSIGN_OR_RETURN(dockerfile::Instruction instruction, dockerfile::ParseInstruction(trigger, escape()));
      instructions.push_back(std::move(instruction));
    }
    return instructions;
  }

  absl::Status CountTriggers(const oci::ImageConfig& config) {
    STRATA_ASSIGN_OR_RETURN(const auto triggered, ParseTriggers(config.on_build));
    step_count_ += static_cast<int>(std::count_if(triggered.begin(), triggered.end(), MakesStep));
    return absl::OkStatus();
  }

  absl::Status StartStage(StageState& state, const dockerfile::Stage& stage, const dockerfile::StageGraph::Node& node) {
    STRATA_ASSIGN_OR_RETURN(const oci::Platform platform, StagePlatform(node));
    step_count_ = 1 + static_cast<int>(std::count_if(stage.instructions.begin(), stage.instructions.end(), MakesStep));
    if (node.base.stage >= 0) {
      STRATA_RETURN_IF_ERROR(PlanStage(node.base.stage));
      state = *planned_[node.base.stage];
      state.cmd_set = false;
      NextStepPrefix();
      return CountTriggers(state.config);
    }
    state.platform = platform;
    if (node.base.reference == "scratch") {
      state.config.platform = platform;
      state.config.working_dir = "/";
      state.root = ImageVertex("scratch", BaseImage{}, absl::StrCat(NextStepPrefix(), "FROM scratch"), location_);
    } else {
      const absl::StatusOr<BaseImage>& base = bases_.Get(node.base.reference, platform);
      if (!base.ok()) return WithHint(base.status(), node.base.hint);
      state.config = base->config;
      AlignHistory(state.config, base->layers.size());
      STRATA_RETURN_IF_ERROR(CountTriggers(state.config));
      state.root = ImageVertex(node.base.reference, *base, absl::StrCat(NextStepPrefix(), "FROM ", node.base.reference), location_);
    }
    if (state.config.FindEnv("PATH") == nullptr) state.config.SetEnv("PATH", kDefaultPath);
    for (const std::string& entry : state.config.env) {
      const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(entry, absl::MaxSplits('=', 1));
      state.variables.Set(pair.first, pair.second);
    }
    return absl::OkStatus();
  }

  absl::Status Apply(StageState& state, const dockerfile::Instruction& instruction) {
    location_ = Location(file_.file_name, dockerfile::Base(instruction));
    absl::Status status;
    if (const auto* run = std::get_if<dockerfile::Run>(&instruction)) {
      status = ApplyRun(state, *this, *run, location_);
    } else if (const auto* copy = std::get_if<dockerfile::Copy>(&instruction)) {
      status = ApplyCopy(state, *this, *copy, location_);
    } else if (const auto* add = std::get_if<dockerfile::Add>(&instruction)) {
      status = ApplyAdd(state, *this, *add, location_);
    } else if (const auto* workdir = std::get_if<dockerfile::Workdir>(&instruction)) {
      status = ApplyWorkdir(state, *this, *workdir, location_);
    } else {
      status = ApplyConfig(state, *this, instruction);
    }
    return location_.empty() ? status : Annotate(status, location_);
  }

  const dockerfile::Dockerfile& file_;
  const PlanOptions& options_;
  const GlobalArguments arguments_;
  const dockerfile::StageGraph stages_;
  BaseTable bases_;
  std::vector<std::unique_ptr<StageState>> planned_;  // by stage
  std::set<std::string> context_paths_;
  graph::VertexPtr context_vertex_;

  int current_ = 0;  // stage being planned
  int step_ = 0;
  int step_count_ = 0;
  std::string location_;
};

}  // namespace

absl::StatusOr<Plan> MakePlan(const CallContext& context, const dockerfile::Dockerfile& file, const PlanOptions& options,
                              BaseImages& images) {
  STRATA_ASSIGN_OR_RETURN(GlobalArguments arguments, GlobalArguments::Make(file, options));
  STRATA_ASSIGN_OR_RETURN(const int target, dockerfile::FindStage(file, options.target));
  const auto lookup = [&arguments](absl::string_view name) { return arguments.Get(name); };
  STRATA_ASSIGN_OR_RETURN(dockerfile::StageGraph stages, dockerfile::ResolveStages(file, lookup));
  return Planner(context, file, options, images, std::move(arguments), std::move(stages)).Run(target);
}

}  // namespace strata::frontend
