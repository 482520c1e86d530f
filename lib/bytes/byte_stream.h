// ByteSource and ByteSink: how content flows through the system without being held in memory.
//
// A stream is used by one thread at a time. Errors are sticky by convention: after one, discard the stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata {

// The size in which content is moved: big enough to amortise calls, small enough to stay in the CPU cache.
inline constexpr size_t kStreamChunkBytes = 256 * 1024;

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Reads 1 to `size` bytes into `buffer` and returns how many; 0 means the end. Blocks. `size` must not be 0.
  virtual absl::StatusOr<size_t> Read(char* buffer, size_t size) = 0;
};

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // Takes all of `data` or fails. Blocks.
  virtual absl::Status Write(absl::string_view data) = 0;
};

// Reads from memory that the caller keeps alive.
class StringSource final : public ByteSource {
 public:
  explicit StringSource(absl::string_view data) : rest_(data) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override;

 private:
  absl::string_view rest_;
};

// Appends to a string that the caller keeps alive.
class StringSink final : public ByteSink {
 public:
  explicit StringSink(std::string* out) : out_(*out) {}
  absl::Status Write(absl::string_view data) override;

 private:
  std::string& out_;
};

// Reads a descriptor that the caller keeps open, from its current position.
class FdSource final : public ByteSource {
 public:
  explicit FdSource(int fd) : fd_(fd) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override;

 private:
  int fd_;
};

// Writes a descriptor that the caller keeps open, at its current position.
class FdSink final : public ByteSink {
 public:
  explicit FdSink(int fd) : fd_(fd) {}
  absl::Status Write(absl::string_view data) override;

 private:
  int fd_;
};

// Ends after `limit_bytes` although the inner source may go on.
class LimitedSource final : public ByteSource {
 public:
  LimitedSource(ByteSource& inner, uint64_t limit_bytes) : inner_(inner), left_(limit_bytes) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override;

 private:
  ByteSource& inner_;
  uint64_t left_;
};

class NullSink final : public ByteSink {
 public:
  absl::Status Write(absl::string_view) override { return absl::OkStatus(); }
};

// Moves everything from `source` to `sink`; returns the bytes moved.
absl::StatusOr<uint64_t> CopyBytes(ByteSource& source, ByteSink& sink);

// Fills `buffer` completely; kOutOfRange when the source ends first.
absl::Status ReadExactly(ByteSource& source, char* buffer, size_t size);

// The whole of `source`; kResourceExhausted when it is longer than `limit_bytes`.
absl::StatusOr<std::string> ReadAll(ByteSource& source, size_t limit_bytes);

// Writes all of `data` to `fd`, retrying after interruptions and short writes.
absl::Status WriteFully(int fd, absl::string_view data);

}  // namespace strata
