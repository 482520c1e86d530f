#include "lib/config/config_file.h"

#include <fcntl.h>

#include <cerrno>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/bytes/byte_stream.h"

namespace strata::config {

namespace {

constexpr size_t kMaxFileBytes = 1 << 20;

absl::string_view WithoutComment(absl::string_view line) {
  bool is_quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') is_quoted = !is_quoted;
    const bool may_begin = i == 0 || absl::ascii_isspace(static_cast<unsigned char>(line[i - 1]));
    if (line[i] == '#' && !is_quoted && may_begin) return line.substr(0, i);
  }
  return line;
}

absl::Status At(absl::string_view name, int number, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(name, ":", number, ": ", message));
}

}  // namespace

absl::StatusOr<std::vector<ConfigLine>> ParseConfigText(absl::string_view name, absl::string_view text) {
  std::vector<ConfigLine> lines;
  std::set<std::string> seen;
  int number = 0;
  for (absl::string_view raw : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view line = absl::StripAsciiWhitespace(WithoutComment(raw));
    if (line.empty()) continue;
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos) return At(name, number, "want \"key = value\"");
    const std::string key(absl::StripAsciiWhitespace(line.substr(0, equals)));
    absl::string_view value = absl::StripAsciiWhitespace(line.substr(equals + 1));
    if (key.empty()) return At(name, number, "want \"key = value\"");
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    } else if (value.find('"') != absl::string_view::npos) {
      return At(name, number, "a quote stands alone; put the whole value into double quotes");
    }
    if (!seen.insert(key).second) return At(name, number, absl::StrCat("\"", key, "\" is set a second time"));
    lines.push_back({number, key, std::string(value)});
  }
  return lines;
}

absl::StatusOr<std::vector<ConfigLine>> ReadConfigFile(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, path);
  FdSource source(fd.get());
  absl::StatusOr<std::string> text = ReadAll(source, kMaxFileBytes);
  if (!text.ok()) return Annotate(text.status(), path);
  return ParseConfigText(path, *text);
}

}  // namespace strata::config
