// One libcurl conversation at a time, driven by the thread that reads it; and the pool that keeps them, with their connections.
//
// Each Session has a multi handle of its own, whose connection cache it keeps from one request to the next. libcurl may not
// share connections between threads, so reuse is by taking the session that last spoke to the same origin.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/base/mutex.h"
#include "lib/http/client.h"
#include "lib/http/progress_meter.h"

namespace strata::http {

struct ResponseHead {
  int status = 0;
  Headers headers;
};

// Used by one thread at a time.
class Session {
 public:
  // kResourceExhausted: libcurl has no memory for one.
  static absl::StatusOr<std::unique_ptr<Session>> Create(std::string origin);
  ~Session();

  // Sends the request and reads the head of the response. Errors as Client::Do(). The context's cancellation must outlive the
  // reading of the body.
  absl::StatusOr<ResponseHead> Start(const CallContext& context, const ClientOptions& options, const ClientRequest& request);
  // The body, as ByteSource::Read().
  absl::StatusOr<size_t> Read(char* buffer, size_t size);
  // Ends the conversation, finished or not, so that the next may Start().
  void Reset();

  const std::string& origin() const { return origin_; }
  bool is_broken() const { return !failure_.ok(); }

 private:
  explicit Session(std::string origin) : origin_(std::move(origin)) {}
  void Configure(const ClientOptions& options, const ClientRequest& request);
  void ConfigureBody(const ClientRequest& request);
  void ConfigureTls(const ClientOptions& options, const ClientRequest& request);
  absl::Status Step();
  absl::Status WaitForNetwork();
  void TakeResult();
  absl::Status StatusOf(CURLcode code) const;
  // libcurl stops sending when the answer is not a success.
  bool head_is_in() const { return is_done_ || (head_complete_ && (upload_finished_ || head_.status >= 300)); }

  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static size_t OnBody(char* data, size_t size, size_t count, void* self);
  static curl_socket_t OnOpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static size_t OnUpload(char* buffer, size_t size, size_t count, void* self);

  std::string origin_;
  CURLM* multi_ = nullptr;
  CURL* easy_ = nullptr;
  curl_slist* header_list_ = nullptr;
  char error_text_[CURL_ERROR_SIZE] = "";
  std::string refused_address_;  // a private one that no connection was made to

  // Of the current conversation.
  CallContext context_;
  Cancellation::Registration on_cancel_;
  ProgressMeter progress_{absl::InfiniteDuration(), 1};
  ResponseHead head_;
  bool head_complete_ = false;
  size_t head_bytes_ = 0;
  ByteSource* upload_ = nullptr;  // null once it may no longer be read
  std::optional<uint64_t> upload_left_;
  bool upload_finished_ = true;
  absl::Status upload_failure_;
  char* target_ = nullptr;  // the reader's buffer, while it reads
  size_t target_size_ = 0;
  size_t target_used_ = 0;
  std::string overflow_;  // what came when no reader had room
  size_t overflow_used_ = 0;
  uint64_t moved_ = 0;      // bytes both ways since the last wait
  bool is_paused_ = false;
  bool is_attached_ = false;
  bool is_done_ = false;
  absl::Status failure_;
};

// Thread-safe.
class SessionPool {
 public:
  explicit SessionPool(size_t max_idle) : max_idle_(max_idle) {}

  absl::StatusOr<std::unique_ptr<Session>> Take(std::string origin);
  void GiveBack(std::unique_ptr<Session> session);

 private:
  const size_t max_idle_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Session>> idle_ ABSL_GUARDED_BY(mutex_);  // the least recently used first
};

}  // namespace strata::http
