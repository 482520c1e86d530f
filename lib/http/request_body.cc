#include "lib/http/request_body.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata::http {
namespace {

constexpr size_t kMaxChunkLineBytes = 4096;  // size, extensions
constexpr size_t kMaxTrailerBytes = 8192;
constexpr size_t kFillBytes = 8192;
constexpr size_t kLeastFillBytes = 5;  // what surely comes between two chunks: CR LF, one digit, CR LF
// From this size on it is worth two calls more to leave a chunk's content in the kernel.
constexpr uint64_t kWorthSplicing = 16 * 1024;
// Moved at once: large enough to amortise the calls, small enough to stay in the processor's cache.
constexpr size_t kMoveBytes = 256 * 1024;

// Hexadecimal digits, then nothing or ";extension". The extension is ignored.
std::optional<uint64_t> ParseChunkSize(absl::string_view line) {
  const size_t digits = std::min(line.find_first_of(" \t;"), line.size());
  const absl::string_view rest = absl::StripAsciiWhitespace(line.substr(digits));
  if (digits == 0 || digits > 15 || (!rest.empty() && rest.front() != ';')) return std::nullopt;
  uint64_t size = 0;
  for (const char c : line.substr(0, digits)) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return std::nullopt;
    const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
    size = size * 16 + static_cast<uint64_t>(lower <= '9' ? lower - '0' : lower - 'a' + 10);
  }
  return size;
}

}  // namespace

RequestBody::RequestBody(BlockingStream& stream, std::string& buffer, std::optional<uint64_t> content_length,
                         std::function<absl::Status()> before_first_read)
    : stream_(stream),
      buffer_(buffer),
      chunked_(!content_length.has_value()),
      left_(content_length.value_or(0)),
      before_first_read_(std::move(before_first_read)),
      state_(chunked_ ? State::kChunkSize : left_ > 0 ? State::kLength : State::kFinished),
      fill_bytes_(kFillBytes) {}

absl::StatusOr<size_t> RequestBody::Read(char* buffer, size_t size) {
  if (state_ == State::kFinished) return 0;
  if (state_ == State::kFailed) return failure_;
  absl::StatusOr<size_t> result = ReadInner(buffer, size);
  if (!result.ok()) result = Fail(result.status());
  Compact();
  return result;
}

absl::Status RequestBody::Fail(const absl::Status& status) {
  state_ = State::kFailed;
  failure_ = status;
  return status;
}

absl::StatusOr<size_t> RequestBody::ReadInner(char* buffer, size_t size) {
  if (state_ == State::kChunkEnd || state_ == State::kChunkSize) STRATA_RETURN_IF_ERROR(StartNextChunk());
  if (state_ == State::kFinished) return 0;
  STRATA_ASSIGN_OR_RETURN(const size_t n, ReadRaw(buffer, std::min<uint64_t>(size, left_)));
  Took(n);
  return n;
}

void RequestBody::Took(size_t count) {
  left_ -= count;
  if (left_ == 0) state_ = chunked_ ? State::kChunkEnd : State::kFinished;
}

absl::StatusOr<uint64_t> RequestBody::MoveToFile(int file, uint64_t offset_bytes, uint64_t limit_bytes) {
  if (state_ == State::kFinished) return 0;
  if (state_ == State::kFailed) return failure_;
  absl::StatusOr<uint64_t> moved = stream_.can_fill_pipe() ? MoveThroughPipe(file, offset_bytes, limit_bytes)
                                                           : MoveThroughMemory(file, offset_bytes, limit_bytes);
  if (!moved.ok()) moved = Fail(moved.status());
  Compact();
  return moved;
}

absl::StatusOr<uint64_t> RequestBody::MoveThroughPipe(int file, uint64_t offset_bytes, uint64_t limit_bytes) {
  if (!pipe_) {
    STRATA_ASSIGN_OR_RETURN(pipe_, SplicePipe::Open());
  }
  const uint64_t limit = std::min<uint64_t>(limit_bytes, kMoveBytes);
  absl::StatusOr<size_t> filled = 1;
  while (filled.ok() && *filled > 0 && pipe_->held_bytes() < limit) filled = FillPipe(limit - pipe_->held_bytes());
  const uint64_t moved = pipe_->held_bytes();
  STRATA_RETURN_IF_ERROR(pipe_->DrainTo(file, offset_bytes));
  if (filled.ok()) return moved;
  if (moved == 0) return filled.status();
  Fail(filled.status()).IgnoreError();
  return moved;
}

// Puts 1 to `size` bytes of content into the pipe. 0: the body has ended, or the pipe should be emptied before we wait.
absl::StatusOr<size_t> RequestBody::FillPipe(size_t size) {
  if (state_ == State::kChunkEnd || state_ == State::kChunkSize) STRATA_RETURN_IF_ERROR(StartNextChunk());
  if (state_ == State::kFinished) return 0;
  size = std::min<uint64_t>(size, left_);
  size_t n = 0;
  if (used_ < buffer_.size()) {
    STRATA_ASSIGN_OR_RETURN(n, pipe_->Write(absl::string_view(buffer_).substr(used_, size)));
    used_ += n;
  } else {
    STRATA_RETURN_IF_ERROR(PrepareNetwork());
    STRATA_ASSIGN_OR_RETURN(const std::optional<size_t> got, stream_.FillPipe(*pipe_, size, pipe_->held_bytes() == 0));
    if (!got) return 0;
    if (*got == 0) return absl::UnavailableError("the client closed the connection in the middle of its request");
    n = *got;
  }
  Took(n);
  return n;
}

absl::StatusOr<uint64_t> RequestBody::MoveThroughMemory(int file, uint64_t offset_bytes, uint64_t limit_bytes) {
  if (memory_ == nullptr) memory_ = std::make_unique<char[]>(kMoveBytes);
  const size_t limit = std::min<uint64_t>(limit_bytes, kMoveBytes);
  size_t have = 0;
  absl::StatusOr<size_t> read = 1;
  while (read.ok() && *read > 0 && have < limit) {
    read = ReadInner(memory_.get() + have, limit - have);
    have += read.value_or(0);
  }
  for (size_t done = 0; done < have;) {
    const ssize_t n = ::pwrite(file, memory_.get() + done, have - done, static_cast<off_t>(offset_bytes + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "writing the request body to its file");
    done += static_cast<size_t>(n);
  }
  if (!read.ok() && have == 0) return read.status();
  if (!read.ok()) Fail(read.status()).IgnoreError();
  return have;
}

// Takes what is buffered first, then reads straight into the caller's memory.
absl::StatusOr<size_t> RequestBody::ReadRaw(char* buffer, size_t size) {
  if (used_ < buffer_.size()) {
    const size_t n = std::min(size, buffer_.size() - used_);
    std::memcpy(buffer, buffer_.data() + used_, n);
    used_ += n;
    return n;
  }
  STRATA_RETURN_IF_ERROR(PrepareNetwork());
  STRATA_ASSIGN_OR_RETURN(const size_t n, stream_.Read(buffer, size));
  if (n == 0) return absl::UnavailableError("the client closed the connection in the middle of its request");
  return n;
}

absl::Status RequestBody::PrepareNetwork() {
  if (before_first_read_ == nullptr) return absl::OkStatus();
  return std::exchange(before_first_read_, nullptr)();
}

absl::Status RequestBody::FillBuffer() {
  STRATA_RETURN_IF_ERROR(PrepareNetwork());
  char piece[kFillBytes];
  STRATA_ASSIGN_OR_RETURN(const size_t n, stream_.Read(piece, fill_bytes_));
  if (n == 0) return absl::UnavailableError("the client closed the connection in the middle of its request");
  buffer_.append(piece, n);
  return absl::OkStatus();
}

absl::StatusOr<std::string> RequestBody::TakeLine() {
  while (true) {
    const size_t end = buffer_.find('\n', used_);
    if (end != std::string::npos) {
      if (end == used_ || buffer_[end - 1] != '\r') return absl::InvalidArgumentError("chunk framing: a line does not end in CR LF");
      std::string line = buffer_.substr(used_, end - 1 - used_);
      used_ = end + 1;
      return line;
    }
    if (buffer_.size() - used_ > kMaxChunkLineBytes) return absl::InvalidArgumentError("chunk framing: a line is too long");
    STRATA_RETURN_IF_ERROR(FillBuffer());
  }
}

absl::Status RequestBody::StartNextChunk() {
  // buffer_ only shrinks by Compact(), so that the difference is the size of this line and of the end of the last chunk.
  const size_t used_before = used_;
  if (state_ == State::kChunkEnd) {
    STRATA_ASSIGN_OR_RETURN(const std::string end, TakeLine());
    if (!end.empty()) return absl::InvalidArgumentError("chunk framing: a chunk is longer than it said");
    state_ = State::kChunkSize;
  }
  STRATA_ASSIGN_OR_RETURN(const std::string line, TakeLine());
  const std::optional<uint64_t> size = ParseChunkSize(line);
  if (!size) {
    return absl::InvalidArgumentError(
        absl::StrCat("chunk framing: bad chunk size \"", absl::CHexEscape(absl::string_view(line).substr(0, 40)), "\""));
  }
  if (*size == 0) {
    state_ = State::kTrailers;
    return SkipTrailers();
  }
  left_ = *size;
  state_ = State::kChunkData;
  const bool leave_rest = pipe_.has_value() && left_ >= kWorthSplicing;
  fill_bytes_ = leave_rest ? std::clamp(used_ - used_before, kLeastFillBytes, kFillBytes) : kFillBytes;
  return absl::OkStatus();
}

absl::Status RequestBody::SkipTrailers() {
  size_t total = 0;
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const std::string line, TakeLine());
    if (line.empty()) break;
    total += line.size();
    if (total > kMaxTrailerBytes) return absl::InvalidArgumentError("chunk framing: the trailers are too long");
  }
  state_ = State::kFinished;
  return absl::OkStatus();
}

// Moving the rest to the front after every small chunk would cost more than reading it did.
void RequestBody::Compact() {
  const bool is_over = state_ == State::kFinished || state_ == State::kFailed;
  if (!is_over && used_ < buffer_.size() && used_ < kFillBytes) return;
  buffer_.erase(0, used_);
  used_ = 0;
}

bool RequestBody::Discard(uint64_t limit_bytes) {
  char scrap[16 * 1024];
  uint64_t dropped = 0;
  while (!is_finished()) {
    const absl::StatusOr<size_t> n = Read(scrap, sizeof(scrap));
    if (!n.ok()) return false;
    dropped += *n;
    if (dropped > limit_bytes) return false;
  }
  return true;
}

}  // namespace strata::http
