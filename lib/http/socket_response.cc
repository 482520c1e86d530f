#include "lib/http/socket_response.h"

#include <ctime>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata::http {
namespace {

// "Tue, 15 Nov 1994 08:12:31 GMT", rendered once a second a thread.
absl::string_view HttpDate() {
  thread_local time_t rendered_at = 0;
  thread_local char text[32];
  const time_t now = ::time(nullptr);
  if (now != rendered_at) {
    tm parts;
    ::gmtime_r(&now, &parts);
    ::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    rendered_at = now;
  }
  return text;
}

bool IsManaged(absl::string_view name) {
  return absl::EqualsIgnoreCase(name, "Content-Length") || absl::EqualsIgnoreCase(name, "Transfer-Encoding") ||
         absl::EqualsIgnoreCase(name, "Connection") || absl::EqualsIgnoreCase(name, "Date");
}

// From here on the socket is set up for throughput.
constexpr uint64_t kBulkBytes = 256 * 1024;

bool StatusHasNoBody(int status) { return status < 200 || status == 204 || status == 304; }

absl::Status AlreadyAnswered() { return absl::FailedPreconditionError("this request was already answered"); }

}  // namespace

bool SocketResponse::SuppressesBody() const { return exchange_.is_head || StatusHasNoBody(status_); }

absl::Status SocketResponse::Fail(absl::Status status) {
  if (state_ != State::kNothingSent) state_ = State::kFailed;
  return status;
}

absl::StatusOr<std::string> SocketResponse::RenderHead(Framing framing, uint64_t content_length) {
  if (state_ != State::kNothingSent) return AlreadyAnswered();
  if (status_ < 200 || status_ > 599) return absl::InvalidArgumentError(absl::StrCat("bad response status ", status_));
  // A client that still waits for "100 Continue" may or may not send its body: the next bytes would be ambiguous.
  if (request_body_.awaits_continue() || request_body_.rest_exceeds(kMaxDiscardBytes)) exchange_.keep_alive = false;
  if (framing == Framing::kUntilClose) exchange_.keep_alive = false;

  std::string head;
  head.reserve(512);
  absl::StrAppend(&head, "HTTP/1.1 ", status_, " ", ReasonPhrase(status_), "\r\nDate: ", HttpDate(), "\r\n");
  for (const Headers::Field& field : headers_) {
    if (IsManaged(field.first)) continue;
    if (!IsValidFieldName(field.first) || !IsValidFieldValue(field.second)) {
      return absl::InvalidArgumentError(absl::StrCat("response header \"", field.first, "\" cannot be sent: bad characters"));
    }
    absl::StrAppend(&head, field.first, ": ", field.second, "\r\n");
  }
  if (framing == Framing::kLength && !StatusHasNoBody(status_)) {
    absl::StrAppend(&head, "Content-Length: ", content_length, "\r\n");
  } else if (framing == Framing::kChunked && !StatusHasNoBody(status_)) {
    absl::StrAppend(&head, "Transfer-Encoding: chunked\r\n");
  }
  if (!exchange_.keep_alive) {
    absl::StrAppend(&head, "Connection: close\r\n");
  } else if (exchange_.minor_version == 0) {
    absl::StrAppend(&head, "Connection: keep-alive\r\n");
  }
  return head;
}

absl::Status SocketResponse::Send(absl::string_view head, absl::string_view body, bool more) {
  if (absl::Status status = stream_.Write(head, body, more); !status.ok()) {
    state_ = State::kFailed;
    return status;
  }
  body_bytes_sent_ += body.size();
  return absl::OkStatus();
}

absl::Status SocketResponse::SendEmpty() {
  const std::optional<absl::string_view> declared = headers_.Find("Content-Length");
  const bool states_length = declared && (exchange_.is_head || status_ == 304) && ParseDecimal(*declared).has_value();
  if (!states_length) return SendBytes("");
  const std::string length(*declared);
  STRATA_ASSIGN_OR_RETURN(std::string head, RenderHead(Framing::kNone, 0));
  absl::StrAppend(&head, "Content-Length: ", length, "\r\n\r\n");
  state_ = State::kComplete;
  return Send(head, "");
}

absl::Status SocketResponse::SendBytes(absl::string_view body) {
  STRATA_ASSIGN_OR_RETURN(std::string head, RenderHead(Framing::kLength, body.size()));
  head += "\r\n";
  state_ = State::kComplete;
  return Send(head, SuppressesBody() ? absl::string_view() : body);
}

absl::Status SocketResponse::SendFile(int fd, uint64_t offset, uint64_t length) {
  STRATA_RETURN_IF_ERROR(StartStream(length).status());
  if (length > 0) STRATA_RETURN_IF_ERROR(StreamFile(fd, offset, length));
  return Finish();
}

absl::StatusOr<ByteSink*> SocketResponse::StartStream(std::optional<uint64_t> content_length) {
  const Framing framing = content_length                   ? Framing::kLength
                          : exchange_.minor_version == 0 ? Framing::kUntilClose
                                                           : Framing::kChunked;
  STRATA_ASSIGN_OR_RETURN(std::string head, RenderHead(framing, content_length.value_or(0)));
  head += "\r\n";
  framing_ = framing;
  stream_left_ = content_length.value_or(0);
  state_ = State::kStreaming;
  const bool body_follows = !SuppressesBody() && (!content_length || *content_length > 0);
  if (body_follows && content_length.value_or(kBulkBytes) >= kBulkBytes) stream_.ExpectBulk();
  STRATA_RETURN_IF_ERROR(Send(head, "", content_length.has_value() && body_follows));
  return static_cast<ByteSink*>(this);
}

absl::Status SocketResponse::CheckStreamRoom(uint64_t size) {
  if (state_ != State::kStreaming) return absl::FailedPreconditionError("no response stream is open");
  if (framing_ != Framing::kLength) return absl::OkStatus();
  if (size > stream_left_) return Fail(absl::InvalidArgumentError("the response is longer than its declared Content-Length"));
  stream_left_ -= size;
  return absl::OkStatus();
}

absl::Status SocketResponse::Write(absl::string_view data) {
  STRATA_RETURN_IF_ERROR(CheckStreamRoom(data.size()));
  if (data.empty() || SuppressesBody()) return absl::OkStatus();
  if (framing_ != Framing::kChunked) return Send("", data);
  STRATA_RETURN_IF_ERROR(Send(absl::StrCat(absl::Hex(data.size()), "\r\n"), data, /*more=*/true));
  // Flushed by the kernel together with the end of the chunk.
  return Send("\r\n", "");
}

absl::Status SocketResponse::StreamFile(int fd, uint64_t offset, uint64_t length) {
  STRATA_RETURN_IF_ERROR(CheckStreamRoom(length));
  if (length == 0 || SuppressesBody()) return absl::OkStatus();
  if (framing_ == Framing::kChunked) STRATA_RETURN_IF_ERROR(Send(absl::StrCat(absl::Hex(length), "\r\n"), "", /*more=*/true));
  if (absl::Status status = stream_.WriteFile(fd, offset, length); !status.ok()) return Fail(std::move(status));
  body_bytes_sent_ += length;
  return framing_ == Framing::kChunked ? Send("\r\n", "") : absl::OkStatus();
}

absl::Status SocketResponse::Finish() {
  if (state_ != State::kStreaming) return absl::FailedPreconditionError("no response stream is open");
  if (framing_ == Framing::kLength && stream_left_ > 0) {
    return Fail(absl::FailedPreconditionError(
        absl::StrCat("the response ended ", stream_left_, " bytes before its declared Content-Length")));
  }
  state_ = State::kComplete;
  if (framing_ == Framing::kChunked && !SuppressesBody()) return Send("0\r\n\r\n", "");
  return absl::OkStatus();
}

}  // namespace strata::http
