// Blocking reads and writes over a Transport, under the minimum-progress rule. Used by one thread at a time.
//
// Errors: kUnavailable the peer went away; kDeadlineExceeded it made no progress.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/http/progress_meter.h"
#include "lib/http/splice_pipe.h"
#include "lib/http/transport.h"

namespace strata::http {

class BlockingStream {
 public:
  // `transport` must outlive this object.
  BlockingStream(Transport& transport, absl::Duration min_progress_timeout, uint64_t min_progress_bytes)
      : transport_(transport),
        reading_(min_progress_timeout, min_progress_bytes),
        writing_(min_progress_timeout, min_progress_bytes) {}

  // As ByteSource::Read().
  absl::StatusOr<size_t> Read(char* buffer, size_t size);
  // Whether FillPipe() may be called.
  bool can_fill_pipe() const { return transport_.can_fill_pipe(); }
  // As Read(), into `pipe`. With `wait` false it returns nullopt when nothing can be moved at this moment.
  absl::StatusOr<std::optional<size_t>> FillPipe(SplicePipe& pipe, size_t size, bool wait);
  // Writes all of `head`, then all of `body`, in as few calls as possible.
  absl::Status Write(absl::string_view head, absl::string_view body = "", bool more = false);
  // Many bytes are about to be written: sets the socket up for that, where it pays.
  void ExpectBulk() { PeerIsLocal(); }
  // Sends a part of a file the cheapest way for this peer.
  absl::Status WriteFile(int file, uint64_t offset, uint64_t length);
  // Says "no more" and reads what the peer still sends, at most `limit_bytes` or for `timeout`, so that closing does not make
  // the kernel throw away a response that the peer has not read yet.
  void Linger(uint64_t limit_bytes, absl::Duration timeout);

 private:
  absl::Status Wait(IoResult::Kind want, ProgressMeter& meter);
  absl::Status WriteSmallFile(int file, uint64_t offset, uint64_t length);
  absl::Status WriteMapped(int file, uint64_t offset, uint64_t length);
  absl::Status WriteBySendFile(int file, uint64_t offset, uint64_t length);
  bool PeerIsLocal();

  Transport& transport_;
  ProgressMeter reading_;
  ProgressMeter writing_;
  enum class Locality { kUnknown, kLocal, kRemote } locality_ = Locality::kUnknown;
};

}  // namespace strata::http
