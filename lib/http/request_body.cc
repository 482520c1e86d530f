#include "lib/http/request_body.h"

#include <algorithm>
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
      state_(chunked_ ? State::kChunkSize : left_ > 0 ? State::kLength : State::kFinished) {}

absl::StatusOr<size_t> RequestBody::Read(char* buffer, size_t size) {
  if (state_ == State::kFinished) return 0;
  if (state_ == State::kFailed) return failure_;
  absl::StatusOr<size_t> result = ReadInner(buffer, size);
  if (!result.ok()) {
    state_ = State::kFailed;
    failure_ = result.status();
  }
  Compact();
  return result;
}

absl::StatusOr<size_t> RequestBody::ReadInner(char* buffer, size_t size) {
  if (state_ == State::kChunkEnd || state_ == State::kChunkSize) STRATA_RETURN_IF_ERROR(StartNextChunk());
  if (state_ == State::kFinished) return 0;
  STRATA_ASSIGN_OR_RETURN(const size_t n, ReadRaw(buffer, std::min<uint64_t>(size, left_)));
  left_ -= n;
  if (left_ > 0) return n;
  if (!chunked_) {
    state_ = State::kFinished;
    return n;
  }
  state_ = State::kChunkEnd;
  return n;
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
  STRATA_ASSIGN_OR_RETURN(const size_t n, stream_.Read(piece, sizeof(piece)));
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
