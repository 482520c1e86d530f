// LABEL, ENV, EXPOSE, VOLUME, USER, WORKDIR, STOPSIGNAL and MAINTAINER: what only changes the image config.
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/builder/dockerfile/signal.h"
#include "services/builder/dockerfile/statement.h"
#include "services/builder/dockerfile/words.h"

namespace strata::dockerfile {
namespace {

// "k=v k=v ...", or in the old form "k the rest".
absl::StatusOr<std::vector<KeyValue>> ReadPairs(const Statement& statement, Notes& notes) {
  const auto blank_name = [&statement] {
    return absl::InvalidArgumentError(absl::StrCat(statement.keyword, " names can not be blank; write name=value"));
  };
  const std::vector<std::string> words = SplitQuoted(statement.rest, statement.escape);
  if (words.empty()) return RequiresAtLeastOne(statement);
  if (!absl::StrContains(words[0], '=')) {
    if (words.size() < 2) {
      return absl::InvalidArgumentError(
          absl::StrCat(statement.keyword, " must have two arguments; write ", statement.keyword, " ", words[0], "=value"));
    }
    notes.is_legacy_key_value = true;
    const std::string rest = statement.rest.substr(words[0].size());
    return std::vector<KeyValue>{{words[0], rest.substr(rest.find_first_not_of(" \t\r\n\v\f"))}};
  }
  std::vector<KeyValue> pairs;
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("Syntax error - can't find = in \"", word.substr(0, 80),
                                                     "\". Must be of the form: name=value; quote a value that holds blanks"));
    }
    if (equals == 0) return blank_name();
    pairs.push_back({word.substr(0, equals), word.substr(equals + 1)});
  }
  return pairs;
}

}  // namespace

absl::StatusOr<Instruction> ParseLabel(const Statement& statement, Notes& notes) {
  Label label{{statement.base}};
  STRATA_ASSIGN_OR_RETURN(label.labels, ReadPairs(statement, notes));
  return label;
}

absl::StatusOr<Instruction> ParseEnv(const Statement& statement, Notes& notes) {
  Env env{{statement.base}};
  STRATA_ASSIGN_OR_RETURN(env.variables, ReadPairs(statement, notes));
  return env;
}

absl::StatusOr<Instruction> ParseMaintainer(const Statement& statement, Notes& notes) {
  if (statement.rest.empty()) return RequiresExactlyOne(statement);
  return Maintainer{{statement.base}, statement.rest};
}

absl::StatusOr<Instruction> ParseExpose(const Statement& statement, Notes& notes) {
  if (statement.rest.empty()) return RequiresAtLeastOne(statement);
  return Expose{{statement.base}, SplitAtBlanks(statement.rest)};
}

absl::StatusOr<Instruction> ParseVolume(const Statement& statement, Notes& notes) {
  Volume volume{{statement.base}};
  STRATA_ASSIGN_OR_RETURN(volume.paths, ParseList(statement.rest));
  if (volume.paths.empty()) return RequiresAtLeastOne(statement);
  for (const std::string& path : volume.paths) {
    if (path.empty()) return absl::InvalidArgumentError("VOLUME specified can not be an empty string");
  }
  return volume;
}

absl::StatusOr<Instruction> ParseUser(const Statement& statement, Notes& notes) {
  if (statement.rest.empty()) return RequiresExactlyOne(statement);
  return User{{statement.base}, statement.rest};
}

absl::StatusOr<Instruction> ParseWorkdir(const Statement& statement, Notes& notes) {
  if (statement.rest.empty()) return RequiresExactlyOne(statement);
  return Workdir{{statement.base}, statement.rest};
}

absl::StatusOr<Instruction> ParseStopsignal(const Statement& statement, Notes& notes) {
  if (statement.rest.empty()) return RequiresExactlyOne(statement);
  // Quotes and variables are resolved later; only plain text can be judged here.
  const bool is_plain = statement.rest.find_first_of("$\"'\\`") == std::string::npos;
  if (is_plain) STRATA_RETURN_IF_ERROR(ParseSignal(statement.rest).status());
  return Stopsignal{{statement.base}, statement.rest};
}

}  // namespace strata::dockerfile
