// Scratch space under $TMPDIR or /tmp that goes away with its owner.
#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/base/unique_fd.h"

namespace strata::cli {

// A folder of our own, mode 0700; removed with everything in it. Move-only.
class TempDir {
 public:
  // `base` "" means /tmp.
  static absl::StatusOr<TempDir> Create(const std::string& base);
  TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  TempDir& operator=(TempDir&&) = delete;
  ~TempDir();

  const std::string& path() const { return path_; }

 private:
  explicit TempDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// An open file without a name.
absl::StatusOr<UniqueFd> CreateTempFile(const std::string& base);

}  // namespace strata::cli
