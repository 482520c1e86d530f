// COPY and ADD.
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/builder/dockerfile/json_array.h"
#include "services/builder/dockerfile/statement.h"
#include "services/builder/dockerfile/words.h"

namespace strata::dockerfile {
namespace {

bool IsHttp(absl::string_view source) {
  return absl::StartsWithIgnoreCase(source, "http://") || absl::StartsWithIgnoreCase(source, "https://");
}

bool IsGit(absl::string_view source) {
  if (absl::StartsWith(source, "git://") || absl::StartsWith(source, "git@") || absl::StartsWith(source, "ssh://")) return true;
  return IsHttp(source) && absl::EndsWith(source.substr(0, source.find_first_of("#?")), ".git");
}

// Here-documents may have blanks in their quoted names, so that with them the words are cut with quotes in mind.
absl::StatusOr<std::vector<std::string>> Arguments(const Statement& statement) {
  if (!statement.heredocs.empty()) return SplitQuoted(statement.rest, statement.escape);
  return ParseList(statement.rest);
}

absl::Status ReadPaths(const Statement& statement, FileTransfer& transfer) {
  STRATA_ASSIGN_OR_RETURN(std::vector<std::string> words, Arguments(statement));
  if (words.size() < 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        statement.keyword, " requires at least two arguments",
        words.empty() ? "" : ", but only one was provided. Destination could not be determined"));
  }
  size_t next = 0;
  const auto is_heredoc = [&](const std::string& word) {
    return !statement.heredocs.empty() && ReadHeredocMarker(word).has_value();
  };
  transfer.destination = std::move(words.back());
  words.pop_back();
  if (is_heredoc(transfer.destination)) {
    return absl::InvalidArgumentError(
        absl::StrCat(statement.keyword, " cannot accept a heredoc as a destination; add a path after ", transfer.destination));
  }
  for (std::string& word : words) {
    if (!is_heredoc(word)) {
      transfer.sources.push_back(std::move(word));
      continue;
    }
    const Heredoc& heredoc = statement.heredocs[next++];
    transfer.heredocs.push_back({heredoc.name, heredoc.content, heredoc.expand});
  }
  return absl::OkStatus();
}

void ReadCommonFlags(const Statement& statement, FileTransfer& transfer) {
  transfer.chown = statement.flags.Get("chown");
  transfer.chmod = statement.flags.Get("chmod");
  transfer.link = statement.flags.GetBool("link");
  transfer.excludes = statement.flags.GetAll("exclude");
}

}  // namespace

absl::StatusOr<Instruction> ParseCopy(const Statement& statement, Notes& notes) {
  Copy copy;
  static_cast<InstructionBase&>(copy) = statement.base;
  STRATA_RETURN_IF_ERROR(ReadPaths(statement, copy));
  ReadCommonFlags(statement, copy);
  copy.from = statement.flags.Get("from");
  copy.parents = statement.flags.GetBool("parents");
  if (absl::StrContains(copy.from, '$')) {
    return absl::InvalidArgumentError(
        "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround");
  }
  if (statement.flags.Has("from") && copy.from.empty()) {
    return absl::InvalidArgumentError("missing a value on flag: --from; name a stage or an image");
  }
  for (const std::string& source : copy.sources) {
    if (IsGit(source)) {
      return absl::InvalidArgumentError(absl::StrCat("source can't be a git ref for COPY: \"", source, "\"; use ADD"));
    }
    if (IsHttp(source)) {
      return absl::InvalidArgumentError(absl::StrCat("source can't be a URL for COPY: \"", source, "\"; use ADD"));
    }
  }
  return copy;
}

absl::StatusOr<Instruction> ParseAdd(const Statement& statement, Notes& notes) {
  Add add;
  static_cast<InstructionBase&>(add) = statement.base;
  STRATA_RETURN_IF_ERROR(ReadPaths(statement, add));
  ReadCommonFlags(statement, add);
  add.checksum = statement.flags.Get("checksum");
  if (statement.flags.Has("keep-git-dir")) add.keep_git_dir = statement.flags.GetBool("keep-git-dir");
  if (statement.flags.Has("unpack")) add.unpack = statement.flags.GetBool("unpack");
  if (add.checksum.empty()) return add;
  if (add.sources.size() + add.heredocs.size() != 1) {
    return absl::InvalidArgumentError("checksum can't be specified for multiple sources; write one ADD for each");
  }
  const bool may_be_remote =
      !add.sources.empty() && (IsHttp(add.sources[0]) || IsGit(add.sources[0]) || absl::StrContains(add.sources[0], '$'));
  if (!may_be_remote) return absl::InvalidArgumentError("checksum requires HTTP(S) or Git sources");
  return add;
}

}  // namespace strata::dockerfile
