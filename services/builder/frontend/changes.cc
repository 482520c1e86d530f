#include "services/builder/frontend/changes.h"

#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "services/builder/dockerfile/parser.h"
#include "services/builder/frontend/paths.h"
#include "services/builder/frontend/stage_state.h"

namespace strata::frontend {

namespace {

constexpr size_t kQuotedBytes = 80;

// There are no other stages, no arguments and no build context here.
class NoStages final : public StageContext {
 public:
  const PlanOptions& options() const override { return options_; }
  char escape() const override { return '\\'; }
  std::optional<std::string> ArgumentValue(absl::string_view, const std::optional<std::string>& otherwise) override { return otherwise; }
  absl::StatusOr<graph::VertexPtr> ResolveFrom(absl::string_view) override {
    return absl::InvalidArgumentError("there are no stages to refer to");
  }
  absl::StatusOr<graph::VertexPtr> UseContext(absl::string_view) override {
    return absl::InvalidArgumentError("there is no build context");
  }
  std::string NextStepPrefix() override { return ""; }

 private:
  const PlanOptions options_;
};

bool ChangesConfigOnly(const dockerfile::Instruction& instruction) {
  return std::visit(
      [](const auto& concrete) {
        using T = std::decay_t<decltype(concrete)>;
        return std::is_same_v<T, dockerfile::Cmd> || std::is_same_v<T, dockerfile::Entrypoint> || std::is_same_v<T, dockerfile::Env> ||
               std::is_same_v<T, dockerfile::Expose> || std::is_same_v<T, dockerfile::Healthcheck> ||
               std::is_same_v<T, dockerfile::Label> || std::is_same_v<T, dockerfile::Shell> ||
               std::is_same_v<T, dockerfile::Stopsignal> || std::is_same_v<T, dockerfile::User> ||
               std::is_same_v<T, dockerfile::Volume> || std::is_same_v<T, dockerfile::Workdir>;
      },
      instruction);
}

absl::Status ApplyChange(StageState& stage, StageContext& context, absl::string_view text) {
  auto instruction = dockerfile::ParseInstruction(text);
  if (!instruction.ok()) {
    // The parser takes what it is given for a trigger.
    const absl::string_view message = absl::StripPrefix(instruction.status().message(), "ONBUILD ");
    return absl::Status(instruction.status().code(), message);
  }
  const std::string where(text.substr(0, kQuotedBytes));
  if (!ChangesConfigOnly(*instruction)) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": ", dockerfile::Keyword(*instruction), " cannot be used here; use CMD, ENTRYPOINT, "
                                                   "ENV, EXPOSE, HEALTHCHECK, LABEL, SHELL, STOPSIGNAL, USER, VOLUME or WORKDIR"));
  }
  if (const auto* workdir = std::get_if<dockerfile::Workdir>(&*instruction)) {
    auto path = Expand(stage, context, workdir->path);
    if (!path.ok()) return Annotate(path.status(), where);
    stage.config.working_dir = JoinAbsolute(stage.config.working_dir, *path);
    return absl::OkStatus();
  }
  return Annotate(ApplyConfig(stage, context, *instruction), where);
}

}  // namespace

absl::Status ApplyChanges(oci::ImageConfig& config, absl::Span<const std::string> instructions) {
  NoStages context;
  StageState stage;
  stage.config = config;
  for (const std::string& entry : config.env) {
    const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(entry, absl::MaxSplits('=', 1));
    stage.variables.Set(pair.first, pair.second);
  }
  for (const std::string& text : instructions) STRATA_RETURN_IF_ERROR(ApplyChange(stage, context, text));
  stage.config.history = std::move(config.history);
  config = std::move(stage.config);
  return absl::OkStatus();
}

}  // namespace strata::frontend
