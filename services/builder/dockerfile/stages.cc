#include "services/builder/dockerfile/stages.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status.h"
#include "services/builder/dockerfile/suggest.h"

namespace strata::dockerfile {
namespace {

constexpr int kMaxLinks = 100'000;
// Looking for similar names costs stages times references; nobody reads that many hints.
constexpr int kMaxHints = 100;

// The last of the first `before` stages that has this name; -1: none.
int LastStageNamed(const Dockerfile& file, absl::string_view name, int before) {
  const std::string wanted = absl::AsciiStrToLower(name);
  for (int i = before - 1; i >= 0; --i) {
    if (!wanted.empty() && file.stages[i].name == wanted) return i;
  }
  return -1;
}

std::vector<std::string> StageNames(const Dockerfile& file, int before) {
  std::vector<std::string> names;
  for (int i = 0; i < before; ++i) {
    if (!file.stages[i].name.empty()) names.push_back(file.stages[i].name);
  }
  return names;
}

// `; did you mean "build" (line 3)?`, "" when nothing is near.
std::string StageHint(const Dockerfile& file, absl::string_view name, int before) {
  const std::string nearest = Nearest(name, StageNames(file, before));
  if (nearest.empty()) return "";
  const int stage = LastStageNamed(file, nearest, before);
  return absl::StrCat("; did you mean \"", nearest, "\" (line ", file.stages[stage].from.range.first_line, ")?");
}

// "build" or, for a stage without a name, "2".
std::string StageTitle(const Dockerfile& file, int stage) {
  return file.stages[stage].name.empty() ? absl::StrCat(stage) : file.stages[stage].name;
}

class Resolver {
 public:
  Resolver(const Dockerfile& file, VariableLookup global, const StageOptions& options)
      : file_(file), global_(global), options_(options) {}

  absl::StatusOr<StageGraph> Resolve() {
    for (current_ = 0; current_ < static_cast<int>(file_.stages.size()); ++current_) {
      STRATA_ASSIGN_OR_RETURN(StageGraph::Node node, ResolveStage(file_.stages[current_]));
      graph_.nodes.push_back(std::move(node));
    }
    return std::move(graph_);
  }

 private:
  absl::Status Error(absl::string_view message) const { return ErrorAt({file_.file_name, range_.first_line}, message); }

  bool IsNamedContext(absl::string_view name) const {
    return std::any_of(options_.named_contexts.begin(), options_.named_contexts.end(),
                       [name](const std::string& context) { return absl::EqualsIgnoreCase(context, name); });
  }

  absl::StatusOr<StageGraph::Node> ResolveStage(const Stage& stage) {
    range_ = stage.from.range;
    StageGraph::Node node;
    STRATA_ASSIGN_OR_RETURN(const std::string image, Expand(stage.from.image));
    if (image.empty()) {
      return Error(absl::StrCat("base name (", stage.from.image, ") should not be blank; give the ARG a default above this line "
                                "or pass --build-arg"));
    }
    STRATA_ASSIGN_OR_RETURN(node.platform, Expand(stage.from.platform));
    node.base = NameLink(StageLink::Kind::kBase, image);
    if (node.base.stage >= 0) {
      for (const Instruction& trigger : triggers_[node.base.stage]) STRATA_RETURN_IF_ERROR(AddLinks(trigger, node));
    }
    std::vector<Instruction> triggers;
    for (const Instruction& instruction : stage.instructions) {
      range_ = Base(instruction).range;
      STRATA_RETURN_IF_ERROR(AddLinks(instruction, node));
      STRATA_RETURN_IF_ERROR(AddTrigger(instruction, triggers));
    }
    triggers_.push_back(std::move(triggers));
    return node;
  }

  absl::StatusOr<std::string> Expand(absl::string_view word) const {
    absl::StatusOr<std::string> text = ExpandWord(word, global_, {.escape = file_.directives.escape});
    if (!text.ok()) return Error(absl::StrCat("FROM ", word.substr(0, 80), ": ", text.status().message()));
    return text;
  }

  // ONBUILD of a stage takes effect in the stages that are built FROM it.
  absl::Status AddTrigger(const Instruction& instruction, std::vector<Instruction>& triggers) const {
    const auto* onbuild = std::get_if<Onbuild>(&instruction);
    if (onbuild == nullptr) return absl::OkStatus();
    absl::StatusOr<Instruction> trigger = ParseInstruction(onbuild->trigger, file_.directives.escape);
    if (!trigger.ok()) return Error(trigger.status().message());
    if (std::holds_alternative<Copy>(*trigger) || std::holds_alternative<Run>(*trigger)) triggers.push_back(*std::move(trigger));
    return absl::OkStatus();
  }

  absl::Status AddLinks(const Instruction& instruction, StageGraph::Node& node) {
    if (const auto* copy = std::get_if<Copy>(&instruction); copy != nullptr && !copy->from.empty()) {
      STRATA_ASSIGN_OR_RETURN(StageLink link, CopyLink(copy->from));
      STRATA_RETURN_IF_ERROR(Add(std::move(link), node));
    }
    if (const auto* run = std::get_if<Run>(&instruction)) {
      for (const Mount& mount : run->mounts) {
        if (mount.from.empty()) continue;
        STRATA_RETURN_IF_ERROR(CheckNotLater(absl::StrCat("RUN --mount=from=", mount.from), mount.from));
        STRATA_RETURN_IF_ERROR(Add(NameLink(StageLink::Kind::kMount, mount.from), node));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Add(StageLink link, StageGraph::Node& node) {
    if (++links_ > kMaxLinks) {
      return Error(absl::StrCat("more than ", kMaxLinks, " references between stages, those of ONBUILD included; split the file"));
    }
    node.links.push_back(std::move(link));
    return absl::OkStatus();
  }

  absl::StatusOr<StageLink> CopyLink(const std::string& from) {
    const std::string what = absl::StrCat("COPY --from=", from);
    int number = 0;
    if (absl::SimpleAtoi(from, &number) && LastStageNamed(file_, from, current_) < 0 && !IsNamedContext(from)) {
      if (number < 0 || number >= current_) {
        return Error(absl::StrCat(what, ": invalid stage index ", number, "; ",
                                  current_ == 0 ? "no stage stands before this one"
                                                : absl::StrCat("stages before this one are 0 to ", current_ - 1)));
      }
      return StageLink{.kind = StageLink::Kind::kCopy, .reference = from, .stage = number, .range = range_};
    }
    STRATA_RETURN_IF_ERROR(CheckNotLater(what, from));
    return NameLink(StageLink::Kind::kCopy, from);
  }

  // A name that only this stage or a later one has cannot be meant as an image.
  absl::Status CheckNotLater(absl::string_view what, absl::string_view name) const {
    if (IsNamedContext(name) || LastStageNamed(file_, name, current_) >= 0) return absl::OkStatus();
    const std::string wanted = absl::AsciiStrToLower(name);
    if (file_.stages[current_].name == wanted) {
      return Error(absl::StrCat(what, ": circular dependency detected on stage: ", wanted, "; a stage cannot take files from itself"));
    }
    const int later = LastStageNamed(file_, name, static_cast<int>(file_.stages.size()));
    if (later < 0) return absl::OkStatus();
    return Error(absl::StrCat(what, ": cannot copy from stage \"", wanted, "\" (line ", file_.stages[later].from.range.first_line,
                              "), it needs to be defined before current stage \"", StageTitle(file_, current_), "\""));
  }

  StageLink NameLink(StageLink::Kind kind, const std::string& name) {
    StageLink link{.kind = kind, .reference = name, .range = range_};
    if (IsNamedContext(name) || (kind == StageLink::Kind::kBase && name == "scratch")) return link;
    link.stage = LastStageNamed(file_, name, current_);
    if (link.stage < 0 && hints_ < kMaxHints) {
      ++hints_;
      link.hint = UnknownStageHint(file_, name, current_);
    }
    return link;
  }

  const Dockerfile& file_;
  const VariableLookup global_;
  const StageOptions& options_;
  StageGraph graph_;
  std::vector<std::vector<Instruction>> triggers_;  // by stage: its ONBUILD instructions that may refer to stages
  int links_ = 0;
  int hints_ = 0;
  int current_ = 0;    // the stage at hand
  SourceRange range_;  // the instruction at hand
};

}  // namespace

std::vector<int> StageGraph::Needed(int target) const {
  std::vector<bool> is_needed(nodes.size(), false);
  is_needed[target] = true;
  // References only lead backwards, so one pass from the target down sees each stage after all that need it.
  for (int i = target; i >= 0; --i) {
    if (!is_needed[i]) continue;
    if (nodes[i].base.stage >= 0) is_needed[nodes[i].base.stage] = true;
    for (const StageLink& link : nodes[i].links) {
      if (link.stage >= 0) is_needed[link.stage] = true;
    }
  }
  std::vector<int> needed;
  for (int i = 0; i <= target; ++i) {
    if (is_needed[i]) needed.push_back(i);
  }
  return needed;
}

absl::StatusOr<StageGraph> ResolveStages(const Dockerfile& file, VariableLookup global, const StageOptions& options) {
  return Resolver(file, global, options).Resolve();
}

absl::StatusOr<int> FindStage(const Dockerfile& file, absl::string_view name_or_number) {
  const int count = static_cast<int>(file.stages.size());
  if (name_or_number.empty()) return count - 1;
  const int stage = LastStageNamed(file, name_or_number, count);
  if (stage >= 0) return stage;
  int number = 0;
  if (absl::SimpleAtoi(name_or_number, &number) && number >= 0 && number < count) return number;
  std::string hint = StageHint(file, name_or_number, count);
  if (hint.empty()) {
    const std::vector<std::string> names = StageNames(file, count);
    hint = names.empty() ? absl::StrCat("; no stage has a name, use a number from 0 to ", count - 1)
                         : absl::StrCat("; the stages are ", absl::StrJoin(names, ", "));
  }
  return ErrorAt({file.file_name, 0}, absl::StrCat("target stage \"", name_or_number.substr(0, 80), "\" could not be found", hint));
}

std::string UnknownStageHint(const Dockerfile& file, absl::string_view name, int before) {
  const std::string hint = StageHint(file, name, before);
  return hint.empty() ? "" : absl::StrCat("no stage \"", name, "\"", hint);
}

}  // namespace strata::dockerfile
