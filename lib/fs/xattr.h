// Extended attributes of a name in an open directory, never of what a symlink points to. Works for every type of file, without
// opening it. Needs /proc. `name` has no slash; "." is the directory itself.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::fs {

// Names, in no order; none where the file system has no attributes.
absl::StatusOr<std::vector<std::string>> ListXattrsAt(int dir_fd, absl::string_view name);
// nullopt: there is no such attribute, or the file system has none.
absl::StatusOr<std::optional<std::string>> GetXattrAt(int dir_fd, absl::string_view name, const std::string& xattr);
// All of them with their values.
absl::StatusOr<std::map<std::string, std::string>> ReadXattrsAt(int dir_fd, absl::string_view name);
// kUnimplemented: the file system has no such attributes. kPermissionDenied: not allowed, or not for this type of file.
absl::Status SetXattrAt(int dir_fd, absl::string_view name, const std::string& xattr, absl::string_view value);
// OK when there was none.
absl::Status RemoveXattrAt(int dir_fd, absl::string_view name, const std::string& xattr);

}  // namespace strata::fs
