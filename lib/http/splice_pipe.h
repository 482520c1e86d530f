// A pipe as the kernel's own buffer between a connection and a file: bytes pass through it without being copied to user space.
//
// Used by one thread at a time. After an error throw it away: what it holds is lost.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"

namespace strata::http {

class SplicePipe {
 public:
  // kResourceExhausted: no descriptors left.
  static absl::StatusOr<SplicePipe> Open();

  // Where to put bytes; never blocks.
  int input() const { return input_.get(); }
  // To be told of what was put there by others.
  void Filled(size_t bytes) { held_ += bytes; }
  // Takes a part of `bytes`, as much as there is room for; returns how much.
  absl::StatusOr<size_t> Write(absl::string_view bytes);
  size_t held_bytes() const { return held_; }

  // Moves all it holds to `offset` of `file`. Errors are those of the file: kResourceExhausted the disk is full.
  absl::Status DrainTo(int file, uint64_t offset);

 private:
  SplicePipe(UniqueFd output, UniqueFd input) : output_(std::move(output)), input_(std::move(input)) {}

  UniqueFd output_;
  UniqueFd input_;
  size_t held_ = 0;
};

}  // namespace strata::http
