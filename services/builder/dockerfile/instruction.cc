#include "services/builder/dockerfile/instruction.h"

#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace strata::dockerfile {

absl::string_view Keyword(const Instruction& instruction) {
  // In the order of the variant.
  constexpr absl::string_view kKeywords[] = {"FROM", "ARG",  "RUN",    "CMD",  "ENTRYPOINT", "LABEL",   "MAINTAINER",  "EXPOSE", "ENV",
                                             "ADD",  "COPY", "VOLUME", "USER", "WORKDIR",    "ONBUILD", "STOPSIGNAL", "HEALTHCHECK", "SHELL"};
  static_assert(std::size(kKeywords) == std::variant_size_v<Instruction>);
  return kKeywords[instruction.index()];
}

const InstructionBase& Base(const Instruction& instruction) {
  return std::visit([](const auto& typed) -> const InstructionBase& { return typed; }, instruction);
}

std::string ShellText(const Run& run) {
  if (run.is_heredoc_only) return run.heredocs.front().content;
  std::string text = run.command.args.empty() ? "" : run.command.args.front();
  for (const Heredoc& heredoc : run.heredocs) absl::StrAppend(&text, "\n", heredoc.content, heredoc.name);
  return text;
}

bool IsScript(const Run& run) { return run.is_heredoc_only && absl::StartsWith(run.heredocs.front().content, "#!"); }

}  // namespace strata::dockerfile
