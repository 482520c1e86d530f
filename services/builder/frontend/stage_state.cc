#include "services/builder/frontend/stage_state.h"

#include "absl/strings/str_cat.h"
#include "services/builder/dockerfile/expand.h"

namespace strata::frontend {

std::string Location(absl::string_view file_name, const dockerfile::InstructionBase& instruction) {
  if (instruction.range.first_line == 0) return "";
  return absl::StrCat(file_name, ":", instruction.range.first_line);
}

absl::StatusOr<std::string> Expand(const StageState& stage, const StageContext& context, absl::string_view word) {
  const auto lookup = [&stage](absl::string_view name) { return stage.variables.Get(name); };
  return dockerfile::ExpandWord(word, lookup, {.escape = context.escape()});
}

void AddHistory(StageState& stage, absl::string_view created_by, bool empty_layer) {
  oci::HistoryEntry entry;
  entry.created_by = std::string(created_by);
  // Tools that read history recognise the current Dockerfile frontend by this text.
  entry.comment = "buildkit.dockerfile.v0";
  entry.empty_layer = empty_layer;
  stage.config.history.push_back(std::move(entry));
}

std::vector<std::string> ShellOf(const StageState& stage) {
  return stage.config.shell ? *stage.config.shell : std::vector<std::string>{"/bin/sh", "-c"};
}

}  // namespace strata::frontend
