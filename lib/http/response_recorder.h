// A ResponseWriter that keeps what a handler sent, so that handlers are tested without sockets.
#pragma once

#include <unistd.h>

#include <string>

#include "lib/bytes/byte_stream.h"
#include "lib/http/response.h"

namespace strata::http {

class ResponseRecorder final : public ResponseWriter {
 public:
  absl::Status SendEmpty() override { return Complete(""); }
  absl::Status SendBytes(absl::string_view body) override { return Complete(body); }
  absl::Status SendFile(int fd, uint64_t offset, uint64_t length) override {
    if (absl::Status status = Complete(""); !status.ok()) return status;
    return AppendFile(fd, offset, length);
  }
  absl::StatusOr<ByteSink*> StartStream(std::optional<uint64_t> content_length) override {
    head_sent_ = true;
    declared_length_ = content_length;
    return &sink_;
  }
  absl::Status Finish() override {
    if (declared_length_ && *declared_length_ != body_.size()) {
      return absl::FailedPreconditionError("fewer bytes than declared");
    }
    is_complete_ = true;
    return absl::OkStatus();
  }
  absl::Status StreamFile(int fd, uint64_t offset, uint64_t length) override { return AppendFile(fd, offset, length); }
  void CloseAfterwards() override { closes_ = true; }
  bool head_sent() const override { return head_sent_; }
  uint64_t body_bytes_sent() const override { return body_.size(); }

  const std::string& body() const { return body_; }
  bool is_complete() const { return is_complete_; }  // false: a real client would see a truncated or missing response
  bool closes() const { return closes_; }
  std::optional<uint64_t> declared_length() const { return declared_length_; }

 private:
  absl::Status Complete(absl::string_view body) {
    if (head_sent_) return absl::FailedPreconditionError("a response was already sent");
    head_sent_ = is_complete_ = true;
    body_ = std::string(body);
    return absl::OkStatus();
  }
  absl::Status AppendFile(int fd, uint64_t offset, uint64_t length) {
    std::string content(length, '\0');
    const ssize_t n = ::pread(fd, content.data(), length, static_cast<off_t>(offset));
    if (n != static_cast<ssize_t>(length)) return absl::InternalError("the file is shorter than what was to be sent");
    body_ += content;
    return absl::OkStatus();
  }

  std::string body_;
  StringSink sink_{&body_};
  std::optional<uint64_t> declared_length_;
  bool head_sent_ = false;
  bool is_complete_ = false;
  bool closes_ = false;
};

}  // namespace strata::http
