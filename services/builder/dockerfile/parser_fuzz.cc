// Any bytes as a Dockerfile: parsing must end, ranges must be in order, triggers must parse again, stages must resolve.
#include <cstdint>
#include <cstdlib>

#include "services/builder/dockerfile/stages.h"

namespace {

using namespace strata::dockerfile;

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  DetectSyntax(text);
  const absl::StatusOr<Dockerfile> file = Parse(text, "Dockerfile");
  if (!file.ok()) return 0;
  int last_line = 0;
  for (const Stage& stage : file->stages) {
    Check(stage.from.range.first_line > last_line);
    last_line = stage.from.range.last_line;
    for (const Instruction& instruction : stage.instructions) {
      const SourceRange range = Base(instruction).range;
      Check(range.first_line > last_line && range.last_line >= range.first_line);
      last_line = range.last_line;
      if (const Onbuild* onbuild = std::get_if<Onbuild>(&instruction)) {
        Check(ParseInstruction(onbuild->trigger, file->directives.escape).ok());
      }
      if (const Run* run = std::get_if<Run>(&instruction)) ShellText(*run);
    }
  }
  const absl::StatusOr<StageGraph> graph = ResolveStages(*file, [](absl::string_view) { return std::nullopt; });
  if (!graph.ok()) return 0;
  const int target = static_cast<int>(file->stages.size()) - 1;
  Check(graph->Needed(target).back() == target);
  return 0;
}
