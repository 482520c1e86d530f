// Parser::Help().
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/config/parser.h"

namespace strata::config {

namespace {

constexpr size_t kWidth = 100;
constexpr size_t kMaxLeft = 30;

// `text` filled to the width, each line after the first indented.
std::string Fill(absl::string_view text, size_t indent) {
  std::string out;
  size_t column = indent;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (column > indent && column + 1 + word.size() > kWidth) {
      absl::StrAppend(&out, "\n", std::string(indent, ' '));
      column = indent;
    }
    if (column > indent) {
      out.push_back(' ');
      ++column;
    }
    absl::StrAppend(&out, word);
    column += word.size();
  }
  return out;
}

using Rows = std::vector<std::pair<std::string, std::string>>;

void AppendTable(const Rows& rows, std::string& out) {
  size_t widest = 0;
  for (const auto& [left, right] : rows) widest = std::max(widest, std::min(left.size(), kMaxLeft));
  const size_t indent = 2 + widest + 2;
  for (const auto& [left, right] : rows) {
    absl::StrAppend(&out, "  ", left);
    absl::StrAppend(&out, left.size() > widest ? absl::StrCat("\n", std::string(indent, ' ')) : std::string(indent - 2 - left.size(), ' '));
    absl::StrAppend(&out, Fill(right, indent), "\n");
  }
}

std::string FlagColumn(const Option& option, const Value& value) {
  std::string left = option.short_flag == 0 ? "    " : absl::StrCat("-", std::string(1, option.short_flag), ", ");
  absl::StrAppend(&left, "--", option.flag);
  const std::string& name = option.value_name.empty() ? value.type_name : option.value_name;
  if (!value.is_bool) absl::StrAppend(&left, " ", name);
  return left;
}

std::string HelpColumn(const Option& option, const Value& value, const std::string& default_text) {
  std::string right = option.help;
  if (!option.one_of.empty()) absl::StrAppend(&right, " One of ", absl::StrJoin(option.one_of, ", "), ".");
  if (value.is_list) absl::StrAppend(&right, " May be given several times.");
  std::vector<std::string> notes;
  if (!option.env.empty()) notes.push_back(absl::StrCat("env ", option.env));
  const bool has_default = !default_text.empty() && !(value.is_bool && default_text == "false") && !option.is_secret;
  if (has_default) notes.push_back(absl::StrCat("default ", default_text));
  if (!notes.empty()) absl::StrAppend(&right, " [", absl::StrJoin(notes, "; "), "]");
  return right;
}

}  // namespace

std::string Parser::Help() const {
  std::string out = absl::StrCat("Usage: ", program_, " ", usage_, "\n\n", Fill(about_, 0), "\n");
  if (!commands_.empty()) {
    absl::StrAppend(&out, "\nCommands:\n");
    AppendTable(commands_, out);
  }
  Rows rows;
  for (const Entry& entry : entries_) {
    rows.emplace_back(FlagColumn(entry.option, entry.value), HelpColumn(entry.option, entry.value, entry.default_text));
  }
  if (takes_config_file_) {
    Option option{.flag = "config", .env = config_env_, .value_name = "FILE",
                  .help = "Read \"flag = value\" lines from this file; flags and the environment win over it."};
    rows.emplace_back(FlagColumn(option, Value{}), HelpColumn(option, Value{}, default_config_path_));
  }
  rows.emplace_back("-h, --help", "Show this text.");
  rows.emplace_back("    --version", "Show the version.");
  absl::StrAppend(&out, "\nFlags:\n");
  AppendTable(rows, out);
  if (!epilogue_.empty()) absl::StrAppend(&out, "\n", epilogue_, "\n");
  return out;
}

}  // namespace strata::config
