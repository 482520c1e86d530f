#include "lib/http/connection.h"

#include <array>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/http/blocking_stream.h"
#include "lib/http/headers.h"
#include "lib/http/request_body.h"
#include "lib/http/request_head.h"
#include "lib/http/socket_response.h"

namespace strata::http {
namespace {

// A request begins with its method, or with a stray empty line.
bool CanBeginRequest(char first) { return first == '\r' || IsValidFieldName(absl::string_view(&first, 1)); }

constexpr int kMaxSkippedLines = 4;
// A client that is busy sending reads the refusal only between two writes; closing under it would destroy the answer.
constexpr uint64_t kLingerBytes = 256 * 1024 * 1024;
constexpr absl::Duration kLingerTime = absl::Seconds(2);

// Handlers must not throw; if one does, or memory runs out, it costs this request and not the process.
void RunHandler(const Handler& handler, const Request& request, ResponseWriter& response) {
  try {
    handler(request, response);
  } catch (...) {
    response.CloseAfterwards();
  }
}

}  // namespace

Connection::Collected Connection::Collect(std::string& scratch) {
  while (true) {
    SkipEmptyLines();
    if (const std::optional<size_t> end = FindHeadEnd(buffer_, scanned_)) {
      head_size_ = *end;
      return head_size_ > options_.max_header_bytes ? Collected::kTooLarge : Collected::kComplete;
    }
    scanned_ = buffer_.size();
    if (buffer_.size() > options_.max_header_bytes) return Collected::kTooLarge;
    if (!buffer_.empty() && !CanBeginRequest(buffer_.front())) {
      // Above all a TLS handshake at a plain address: clients that try https first wait until we answer.
      head_size_ = buffer_.size();
      return Collected::kComplete;
    }

    const IoResult result = transport_->TryRead(scratch.data(), scratch.size());
    switch (result.kind) {
      case IoResult::Kind::kWantRead: return Collected::kNeedRead;
      case IoResult::Kind::kWantWrite: return Collected::kNeedWrite;
      case IoResult::Kind::kFailed: return Collected::kClosed;
      case IoResult::Kind::kMoved: break;
    }
    if (result.bytes == 0) return Collected::kClosed;
    if (buffer_.size() < 2) scanned_ = 0;
    buffer_.append(scratch.data(), result.bytes);
  }
}

// Some clients send a stray empty line after a body. More than a few are no accident; they fail as a malformed request.
void Connection::SkipEmptyLines() {
  while (scanned_ == 0 && skipped_lines_ < kMaxSkippedLines && absl::StartsWith(buffer_, "\r\n")) {
    buffer_.erase(0, 2);
    ++skipped_lines_;
  }
}

bool Connection::Serve() {
  scanned_ = 0;
  skipped_lines_ = 0;
  if (head_size_ == 0 || head_size_ > options_.max_header_bytes) {
    Refuse(431, absl::StrCat("the request head is longer than ", options_.max_header_bytes, " bytes"));
    return false;
  }
  const std::string head = buffer_.substr(0, head_size_);
  buffer_.erase(0, head_size_);
  head_size_ = 0;
  const bool keep_alive = ServeRequest(head);
  // What an idle connection holds is multiplied by their number.
  if (buffer_.empty()) std::string().swap(buffer_);
  return keep_alive;
}

bool Connection::ServeRequest(absl::string_view head_bytes) {
  absl::StatusOr<RequestHead> head = ParseRequestHead(head_bytes);
  if (!head.ok()) {
    Refuse(HttpStatusOfHeadError(head.status()), head.status().message());
    return false;
  }
  BlockingStream stream(*transport_, options_.min_progress_timeout, options_.min_progress_bytes);
  SocketResponse* answering = nullptr;
  std::function<absl::Status()> send_continue;
  if (head->expects_continue) {
    send_continue = [&stream, &answering] {
      return answering->head_sent() ? absl::OkStatus() : stream.Write("HTTP/1.1 100 Continue\r\n\r\n");
    };
  }
  RequestBody body(stream, buffer_, head->content_length, std::move(send_continue));
  SocketResponse response(stream, body,
                          {.is_head = head->method == "HEAD",
                           .minor_version = head->minor_version,
                           .keep_alive = head->keep_alive && !draining_.load(std::memory_order_relaxed)});
  answering = &response;

  Request request(body);
  request.method = std::move(head->method);
  request.target = std::move(head->target);
  request.path = std::move(head->path);
  request.raw_query = std::move(head->raw_query);
  request.query = std::move(head->query);
  request.headers = std::move(head->headers);
  request.peer = peer_;
  request.is_encrypted = transport_->is_encrypted();
  request.certificate = transport_->peer_certificate();
  request.content_length = head->content_length;

  RunHandler(handler_, request, response);
  if (!response.head_sent()) {
    // The handler failed before it could say anything, or tried to send a header that cannot be sent.
    response.headers() = Headers();
    response.SetStatus(500);
    (void)response.SendText("text/plain", "internal error: the request was not answered\n");
  }
  const bool keep_alive = response.may_keep_alive() && body.Discard(kMaxDiscardBytes);
  if (!keep_alive && !body.is_finished() && response.head_sent()) stream.Linger(kLingerBytes, kLingerTime);
  return keep_alive;
}

void Connection::Refuse(int status, absl::string_view message) {
  BlockingStream stream(*transport_, options_.min_progress_timeout, options_.min_progress_bytes);
  const std::string text = absl::StrCat(message, "\n");
  const absl::Status sent =
      stream.Write(absl::StrCat("HTTP/1.1 ", status, " ", ReasonPhrase(status), "\r\nContent-Type: text/plain\r\nContent-Length: ",
                                text.size(), "\r\nConnection: close\r\n\r\n"),
                   text);
  if (sent.ok()) stream.Linger(kLingerBytes, kLingerTime);
}

void Connection::SendTimeout() {
  constexpr absl::string_view kAnswer = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  const std::array<iovec, 1> pieces = {iovec{const_cast<char*>(kAnswer.data()), kAnswer.size()}};
  (void)transport_->TryWrite(pieces, /*more=*/false);
}

}  // namespace strata::http
