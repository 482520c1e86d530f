#include "services/builder/executor/user_lookup.h"

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"

namespace strata::executor {
namespace {

constexpr size_t kMaxFileBytes = 8 * 1024 * 1024;
constexpr uint32_t kMaxId = 2147483647;

struct PasswdEntry {
  std::string name;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string home;
};

bool IsNumber(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<uint32_t> ParseId(absl::string_view text) {
  uint32_t id = 0;
  if (!IsNumber(text) || !absl::SimpleAtoi(text, &id) || id > kMaxId) return std::nullopt;
  return id;
}

absl::Status OutOfRange(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat("user or group number ", text.substr(0, 80), " is above ", kMaxId));
}

absl::Status NoEntry(absl::string_view kind, absl::string_view name, absl::string_view file) {
  return absl::InvalidArgumentError(absl::StrCat("unable to find ", kind, " ", name.substr(0, 80), ": no matching entry in ", file, " of the image"));
}

// The first line that is for this name or number; malformed lines are skipped as the C library does.
std::optional<PasswdEntry> FindUser(absl::string_view passwd, absl::string_view wanted) {
  for (absl::string_view line : absl::StrSplit(passwd, '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(absl::StripSuffix(line, "\r"), ':');
    if (fields.size() < 4) continue;
    const auto uid = ParseId(fields[2]);
    const auto gid = ParseId(fields[3]);
    if (!uid.has_value() || !gid.has_value()) continue;
    if (fields[0] != wanted && fields[2] != wanted) continue;
    return PasswdEntry{std::string(fields[0]), *uid, *gid, fields.size() > 5 ? std::string(fields[5]) : std::string()};
  }
  return std::nullopt;
}

std::optional<uint32_t> FindGroup(absl::string_view group, absl::string_view wanted) {
  for (absl::string_view line : absl::StrSplit(group, '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(absl::StripSuffix(line, "\r"), ':');
    if (fields.size() < 3) continue;
    const auto gid = ParseId(fields[2]);
    if (gid.has_value() && (fields[0] == wanted || fields[2] == wanted)) return gid;
  }
  return std::nullopt;
}

std::vector<uint32_t> GroupsOf(absl::string_view group, absl::string_view user_name) {
  std::vector<uint32_t> gids;
  for (absl::string_view line : absl::StrSplit(group, '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(absl::StripSuffix(line, "\r"), ':');
    if (fields.size() < 4) continue;
    const auto gid = ParseId(fields[2]);
    if (!gid.has_value()) continue;
    const std::vector<absl::string_view> members = absl::StrSplit(fields[3], ',');
    if (std::find(members.begin(), members.end(), user_name) != members.end()) gids.push_back(*gid);
  }
  std::sort(gids.begin(), gids.end());
  gids.erase(std::unique(gids.begin(), gids.end()), gids.end());
  return gids;
}

absl::StatusOr<std::string> ReadOrEmpty(const RootDir& root, absl::string_view path) {
  auto content = root.ReadFile(path, kMaxFileBytes);
  if (absl::IsNotFound(content.status())) return std::string();
  return content;
}

}  // namespace

absl::StatusOr<ResolvedUser> ResolveUserIn(absl::string_view passwd, absl::string_view group, absl::string_view user) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(user, absl::MaxSplits(':', 1));
  const absl::string_view user_part = parts.first.empty() ? "0" : parts.first;
  const absl::string_view group_part = parts.second;

  ResolvedUser resolved;
  const auto entry = FindUser(passwd, user_part);
  if (entry.has_value()) {
    resolved.uid = entry->uid;
    resolved.gid = entry->gid;
    if (!entry->home.empty() && entry->home[0] == '/') resolved.home = entry->home;
    if (group_part.empty()) resolved.additional_gids = GroupsOf(group, entry->name);
  } else if (IsNumber(user_part)) {
    const auto uid = ParseId(user_part);
    if (!uid.has_value()) return OutOfRange(user_part);
    resolved.uid = *uid;
  } else if (user_part == "root") {
    // An image without passwd file still has a root.
  } else {
    return NoEntry("user", user_part, "/etc/passwd");
  }
  if (resolved.uid == 0 && !entry.has_value()) resolved.home = "/root";

  if (!group_part.empty()) {
    const auto gid = FindGroup(group, group_part);
    if (gid.has_value()) {
      resolved.gid = *gid;
    } else if (IsNumber(group_part)) {
      const auto number = ParseId(group_part);
      if (!number.has_value()) return OutOfRange(group_part);
      resolved.gid = *number;
    } else {
      return NoEntry("group", group_part, "/etc/group");
    }
  }
  return resolved;
}

absl::StatusOr<ResolvedUser> ResolveUser(const RootDir& root, absl::string_view user) {
  STRATA_ASSIGN_OR_RETURN(const std::string passwd, ReadOrEmpty(root, "etc/passwd"));
  STRATA_ASSIGN_OR_RETURN(const std::string group, ReadOrEmpty(root, "etc/group"));
  return ResolveUserIn(passwd, group, user);
}

}  // namespace strata::executor
