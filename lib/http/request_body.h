// The body of one request, read from a connection whose buffer may already hold the beginning of it (and, behind it, of the
// next request). Spec: RFC 9112 sections 6 and 7.1.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lib/bytes/byte_stream.h"
#include "lib/http/blocking_stream.h"
#include "lib/http/request.h"
#include "lib/http/splice_pipe.h"

namespace strata::http {

class RequestBody final : public BodySource {
 public:
  // `buffer` holds what was received and not yet used; bytes are taken off its front. nullopt: chunked. `before_first_read` (may
  // be empty) runs once, before the first read that needs the network. All must outlive this object.
  RequestBody(BlockingStream& stream, std::string& buffer, std::optional<uint64_t> content_length,
              std::function<absl::Status()> before_first_read);

  absl::StatusOr<size_t> Read(char* buffer, size_t size) override;
  absl::StatusOr<uint64_t> MoveToFile(int file, uint64_t offset_bytes, uint64_t limit_bytes) override;

  // Everything was read: what follows in the buffer belongs to the next request.
  bool is_finished() const { return state_ == State::kFinished; }
  // The rest is known to be longer than `limit_bytes`.
  bool rest_exceeds(uint64_t limit_bytes) const { return !chunked_ && left_ > limit_bytes; }
  // The client still waits for "100 Continue" and may never send the body.
  bool awaits_continue() const { return before_first_read_ != nullptr && !is_finished(); }
  // Reads and drops the rest; false when it is longer than `limit_bytes` or broken.
  bool Discard(uint64_t limit_bytes);

 private:
  // kChunkSize ──> kChunkData ──> kChunkEnd ──> kChunkSize ... ──(size 0)──> kTrailers ──> kFinished
  // kLength ──> kFinished                          any ──(error)──> kFailed
  enum class State { kLength, kChunkSize, kChunkData, kChunkEnd, kTrailers, kFinished, kFailed };

  absl::StatusOr<size_t> ReadInner(char* buffer, size_t size);
  absl::StatusOr<uint64_t> MoveThroughPipe(int file, uint64_t offset_bytes, uint64_t limit_bytes);
  absl::StatusOr<uint64_t> MoveThroughMemory(int file, uint64_t offset_bytes, uint64_t limit_bytes);
  absl::StatusOr<size_t> FillPipe(size_t size);
  absl::Status Fail(const absl::Status& status);
  void Took(size_t count);
  absl::StatusOr<size_t> ReadRaw(char* buffer, size_t size);
  absl::StatusOr<std::string> TakeLine();
  absl::Status FillBuffer();
  absl::Status StartNextChunk();
  absl::Status SkipTrailers();
  absl::Status PrepareNetwork();
  void Compact();

  BlockingStream& stream_;
  std::string& buffer_;
  size_t used_ = 0;  // bytes of buffer_ already consumed, not yet erased
  const bool chunked_;
  uint64_t left_;  // of the body or of the chunk
  std::function<absl::Status()> before_first_read_;
  State state_;
  absl::Status failure_;
  // Of MoveToFile(), made by its first call.
  std::optional<SplicePipe> pipe_;
  std::unique_ptr<char[]> memory_;
  // How much to read when a chunk's size line is wanted: the little that the last one took lets the next content stay in the kernel.
  size_t fill_bytes_;
};

}  // namespace strata::http
