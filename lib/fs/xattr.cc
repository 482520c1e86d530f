#include "lib/fs/xattr.h"

#include <sys/xattr.h>

#include <cerrno>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata::fs {
namespace {

// The l*xattr calls know no directory descriptor; the magic link of /proc names it, and only the last component is not followed.
std::string ProcPath(int dir_fd, absl::string_view name) { return absl::StrCat("/proc/self/fd/", dir_fd, "/", name); }

absl::Status XattrError(int error_number, absl::string_view what, absl::string_view xattr, absl::string_view name) {
  const std::string text = absl::StrCat(what, " extended attribute \"", absl::CHexEscape(xattr), "\" of \"", absl::CHexEscape(name), "\"");
  if (error_number == ENOTSUP) return absl::UnimplementedError(absl::StrCat(text, ": the file system does not have it"));
  return ErrnoStatus(error_number, text);
}

// Calls `get(buffer, size)` with room that grows until the answer fits.
template <typename Get>
ssize_t ReadGrowing(std::string& buffer, Get get) {
  buffer.resize(1024);
  while (true) {
    ssize_t size = get(buffer.data(), buffer.size());
    if (size >= 0) {
      buffer.resize(static_cast<size_t>(size));
      return size;
    }
    if (errno != ERANGE) return -1;
    size = get(nullptr, 0);
    if (size < 0) return -1;
    buffer.resize(static_cast<size_t>(size) + 256);
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListXattrsAt(int dir_fd, absl::string_view name) {
  const std::string path = ProcPath(dir_fd, name);
  char small[1024];
  ssize_t size = ::llistxattr(path.c_str(), small, sizeof(small));
  std::string large;
  if (size < 0 && errno == ERANGE) {
    size = ReadGrowing(large, [&](char* buffer, size_t room) { return ::llistxattr(path.c_str(), buffer, room); });
  }
  if (size < 0) {
    if (errno == ENOTSUP) return std::vector<std::string>();
    return XattrError(errno, "list", "*", name);
  }
  absl::string_view rest = large.empty() ? absl::string_view(small, static_cast<size_t>(size)) : absl::string_view(large);
  std::vector<std::string> names;
  while (!rest.empty()) {
    const size_t end = rest.find('\0');
    names.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end == absl::string_view::npos ? rest.size() : end + 1);
  }
  return names;
}

absl::StatusOr<std::optional<std::string>> GetXattrAt(int dir_fd, absl::string_view name, const std::string& xattr) {
  const std::string path = ProcPath(dir_fd, name);
  std::string value;
  if (ReadGrowing(value, [&](char* buffer, size_t room) { return ::lgetxattr(path.c_str(), xattr.c_str(), buffer, room); }) >= 0) {
    return std::optional<std::string>(std::move(value));
  }
  if (errno == ENODATA || errno == ENOTSUP) return std::optional<std::string>();
  return XattrError(errno, "read", xattr, name);
}

absl::StatusOr<std::map<std::string, std::string>> ReadXattrsAt(int dir_fd, absl::string_view name) {
  STRATA_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListXattrsAt(dir_fd, name));
  std::map<std::string, std::string> all;
  for (const std::string& xattr : names) {
    STRATA_ASSIGN_OR_RETURN(std::optional<std::string> value, GetXattrAt(dir_fd, name, xattr));
    if (value.has_value()) all[xattr] = *std::move(value);
  }
  return all;
}

absl::Status SetXattrAt(int dir_fd, absl::string_view name, const std::string& xattr, absl::string_view value) {
  if (::lsetxattr(ProcPath(dir_fd, name).c_str(), xattr.c_str(), value.data(), value.size(), 0) == 0) return absl::OkStatus();
  return XattrError(errno, "set", xattr, name);
}

absl::Status RemoveXattrAt(int dir_fd, absl::string_view name, const std::string& xattr) {
  if (::lremovexattr(ProcPath(dir_fd, name).c_str(), xattr.c_str()) == 0 || errno == ENODATA) return absl::OkStatus();
  return XattrError(errno, "remove", xattr, name);
}

}  // namespace strata::fs
