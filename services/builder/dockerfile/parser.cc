#include "services/builder/dockerfile/parser.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/builder/dockerfile/json_array.h"
#include "services/builder/dockerfile/line_reader.h"
#include "services/builder/dockerfile/lint.h"
#include "services/builder/dockerfile/statement.h"
#include "services/builder/dockerfile/words.h"

namespace strata::dockerfile {
namespace {

// Reads instructions off a LineReader; every error has its position.
class InstructionReader {
 public:
  InstructionReader(absl::string_view text, absl::string_view file_name, char escape)
      : file_name_(file_name), escape_(escape), lines_(text, file_name, escape) {}

  struct Result {
    Instruction instruction;
    Notes notes;
    std::string comment;
  };

  // nullopt at the end.
  absl::StatusOr<std::optional<Result>> Next() {
    for (;;) {
      STRATA_ASSIGN_OR_RETURN(std::optional<LogicalLine> line, lines_.Next());
      if (!line.has_value()) return std::nullopt;
      if (line->text.empty()) continue;  // a lone continuation character
      return Read(*line);
    }
  }

  // The only instruction of an ONBUILD trigger.
  absl::StatusOr<Result> ReadTrigger() {
    const LogicalLine line = lines_.TakeVerbatim();
    if (line.text.empty()) return ErrorOn(0, "the trigger is empty");
    STRATA_ASSIGN_OR_RETURN(Result result, Read(line));
    STRATA_ASSIGN_OR_RETURN(const std::optional<LogicalLine> more, lines_.Next());
    if (more.has_value()) return ErrorOn(0, "the trigger holds more than one instruction");
    return result;
  }

  absl::Status ErrorOn(int line, absl::string_view message) const { return ErrorAt({file_name_, line}, message); }

 private:
  absl::StatusOr<Result> Read(const LogicalLine& line) {
    const int first_line = line.range.first_line;
    const FirstWord cut = CutFirstWord(line.text);
    Statement statement{.base = {line.range, line.text}, .keyword = absl::AsciiStrToUpper(cut.word), .escape = escape_};
    const InstructionSpec* spec = FindInstruction(statement.keyword);
    if (spec == nullptr) return ErrorOn(first_line, UnknownInstruction(cut.word));

    absl::string_view rest = cut.rest;
    absl::StatusOr<Flags> flags = Flags::Parse(TakeFlags(rest, escape_), spec->flags);
    if (!flags.ok()) return ErrorOn(first_line, flags.status().message());
    statement.flags = *std::move(flags);
    statement.rest = std::string(rest);
    if (spec->takes_heredocs) {
      STRATA_RETURN_IF_ERROR(ReadHeredocs(statement));
    }

    Result result{.comment = line.comment};
    result.notes.keyword = std::string(cut.word);
    result.notes.empty_lines = line.empty_lines;
    absl::StatusOr<Instruction> parsed = spec->parse(statement, result.notes);
    if (!parsed.ok()) return ErrorOn(first_line, parsed.status().message());
    result.instruction = *std::move(parsed);
    return result;
  }

  absl::Status ReadHeredocs(Statement& statement) {
    absl::string_view text = statement.rest;
    if (statement.keyword == "ONBUILD") {
      const FirstWord trigger = CutFirstWord(text);
      const InstructionSpec* spec = FindInstruction(absl::AsciiStrToUpper(trigger.word));
      if (spec == nullptr || !spec->takes_heredocs) return absl::OkStatus();
      text = trigger.rest;
      TakeFlags(text, escape_);
    }
    if (ReadJsonArray(text).kind != JsonArray::Kind::kNone) return absl::OkStatus();
    for (const HeredocMarker& marker : FindHeredocs(text, escape_)) {
      STRATA_ASSIGN_OR_RETURN(Heredoc heredoc, lines_.ReadHeredoc(marker, statement.base.range.first_line));
      statement.heredocs.push_back(std::move(heredoc));
      statement.base.range.last_line = lines_.line_number();
    }
    return absl::OkStatus();
  }

  const std::string file_name_;
  const char escape_;
  LineReader lines_;
};

// "build: what it does" above `FROM x AS build` describes the stage.
std::string Description(absl::string_view comment, absl::string_view stage_name) {
  if (stage_name.empty()) return "";
  const FirstWord cut = CutFirstWord(comment);
  const absl::string_view word = absl::EndsWith(cut.word, ":") ? cut.word.substr(0, cut.word.size() - 1) : cut.word;
  return absl::EqualsIgnoreCase(word, stage_name) ? std::string(cut.rest) : "";
}

absl::Status CheckSize(absl::string_view text, absl::string_view file_name) {
  if (text.size() <= kMaxFileBytes) return absl::OkStatus();
  return ErrorAt({std::string(file_name), 0},
                 absl::StrCat("the file has ", text.size(), " bytes, more than the allowed ", kMaxFileBytes));
}

absl::Status CheckNotEmpty(const Dockerfile& file) {
  if (!file.stages.empty()) return absl::OkStatus();
  return ErrorAt({file.file_name, 0}, file.global_args.empty()
                                          ? "the Dockerfile cannot be empty (file with no instructions); start with FROM <image>"
                                          : "dockerfile contains no stages to build; add FROM <image>");
}

}  // namespace

absl::StatusOr<Dockerfile> Parse(absl::string_view text, absl::string_view file_name, const ParseOptions& options) {
  STRATA_RETURN_IF_ERROR(CheckSize(text, file_name));
  Dockerfile file;
  file.file_name = std::string(file_name);
  STRATA_ASSIGN_OR_RETURN(file.directives, ParseDirectives(text, file_name));
  if (options.check.has_value()) file.directives.check = *options.check;

  InstructionReader reader(text, file_name, file.directives.escape);
  std::vector<NotedInstruction> noted;
  for (;;) {
    STRATA_ASSIGN_OR_RETURN(std::optional<InstructionReader::Result> next, reader.Next());
    if (!next.has_value()) break;
    const SourceRange range = Base(next->instruction).range;
    if (const From* from = std::get_if<From>(&next->instruction)) {
      if (file.stages.size() == kMaxStages) {
        return reader.ErrorOn(range.first_line, absl::StrCat("more than ", kMaxStages, " stages; split the Dockerfile"));
      }
      file.stages.push_back({.from = *from, .name = from->name, .description = Description(next->comment, from->name), .range = range});
    } else if (!file.stages.empty()) {
      file.stages.back().instructions.push_back(next->instruction);
      file.stages.back().range.last_line = range.last_line;
    } else if (const Arg* arg = std::get_if<Arg>(&next->instruction)) {
      file.global_args.push_back(*arg);
    } else {
      return reader.ErrorOn(range.first_line, absl::StrCat("no build stage in current context; put FROM <image> before ",
                                                           Keyword(next->instruction)));
    }
    noted.push_back({std::move(next->instruction), std::move(next->notes)});
  }
  STRATA_RETURN_IF_ERROR(CheckNotEmpty(file));
  for (Warning& warning : Lint(noted)) {
    if (!file.directives.check.Skips(warning.rule)) file.warnings.push_back(std::move(warning));
  }
  return file;
}

absl::StatusOr<Instruction> ParseInstruction(absl::string_view trigger, char escape) {
  const auto error = [trigger](absl::string_view message) {
    return absl::InvalidArgumentError(absl::StrCat("ONBUILD ", trigger.substr(0, std::min<size_t>(80, trigger.find('\n'))), ": ", message));
  };
  if (!CheckSize(trigger, "").ok()) return error("the trigger is too long");
  // Lines inside a trigger mean nothing to whoever reads the message.
  const auto without_line = [](absl::string_view message) {
    const size_t colon = message.find(": ");
    return absl::StartsWith(message, "line ") && colon != absl::string_view::npos ? message.substr(colon + 2) : message;
  };
  absl::StatusOr<InstructionReader::Result> result = InstructionReader(trigger, "", escape).ReadTrigger();
  if (!result.ok()) return error(without_line(result.status().message()));

  Instruction instruction = std::move(result->instruction);
  const absl::string_view keyword = Keyword(instruction);
  if (keyword == "ONBUILD") return error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (keyword == "FROM" || keyword == "MAINTAINER") return error(absl::StrCat(keyword, " isn't allowed as an ONBUILD trigger"));
  std::visit([](auto& typed) { typed.range = {}; }, instruction);
  return instruction;
}

}  // namespace strata::dockerfile
