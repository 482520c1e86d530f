// Ctrl-C and SIGTERM as a Cancellation; a second one ends the process at once.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "lib/base/cancellation.h"
#include "lib/base/unique_fd.h"
#include "lib/bytes/byte_stream.h"

namespace strata::cli {

// Blocks the signals for the calling thread and all it starts; create it before any other thread. `cancellation` outlives it.
class InterruptWatcher {
 public:
  explicit InterruptWatcher(Cancellation& cancellation);
  ~InterruptWatcher();

 private:
  void Watch();

  Cancellation& cancellation_;
  UniqueFd signals_;
  UniqueFd stop_;
  std::thread thread_;
};

// Reads a descriptor that may stay silent for long, a pipe or a terminal. kCancelled once `cancellation` is.
class InterruptibleSource final : public ByteSource {
 public:
  InterruptibleSource(int fd, const Cancellation& cancellation) : fd_(fd), source_(fd), cancellation_(cancellation) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override;

 private:
  const int fd_;
  FdSource source_;
  const Cancellation& cancellation_;
};

}  // namespace strata::cli
