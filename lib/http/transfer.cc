#include "lib/http/transfer.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "lib/http/private_address.h"

namespace strata::http {
namespace {

constexpr size_t kMaxOverflowBytes = 1024 * 1024;
constexpr long kCurlBufferBytes = 256 * 1024;
constexpr size_t kMaxResponseHeadBytes = 256 * 1024;
constexpr absl::Duration kLongestPoll = absl::Seconds(1);

void InitialiseCurlOnce() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

}  // namespace

absl::StatusOr<std::unique_ptr<Session>> Session::Create(std::string origin) {
  InitialiseCurlOnce();
  std::unique_ptr<Session> session(new Session(std::move(origin)));
  session->multi_ = curl_multi_init();
  session->easy_ = curl_easy_init();
  if (session->multi_ == nullptr || session->easy_ == nullptr) return absl::ResourceExhaustedError("no memory for an HTTP client");
  return session;
}

Session::~Session() {
  Reset();
  curl_easy_cleanup(easy_);
  curl_multi_cleanup(multi_);
}

void Session::Reset() {
  on_cancel_ = Cancellation::Registration();
  if (std::exchange(is_attached_, false)) curl_multi_remove_handle(multi_, easy_);
  if (easy_ != nullptr) curl_easy_reset(easy_);
  curl_slist_free_all(std::exchange(header_list_, nullptr));
  context_ = CallContext();
  head_ = ResponseHead();
  head_complete_ = is_paused_ = is_done_ = false;
  upload_ = nullptr;
  upload_left_.reset();
  upload_finished_ = true;
  upload_failure_ = failure_ = absl::OkStatus();
  std::string().swap(overflow_);
  overflow_used_ = moved_ = head_bytes_ = 0;
}

absl::StatusOr<ResponseHead> Session::Start(const CallContext& context, const ClientOptions& options, const ClientRequest& request) {
  context_ = context;
  STRATA_RETURN_IF_ERROR(context_.Check());
  progress_ = ProgressMeter(options.min_progress_timeout, options.min_progress_bytes);
  Configure(options, request);
  if (curl_multi_add_handle(multi_, easy_) != CURLM_OK) return absl::ResourceExhaustedError("no memory for an HTTP client");
  is_attached_ = true;
  // curl_multi_wakeup() is the one libcurl call that another thread may make.
  if (context_.cancellation != nullptr) on_cancel_ = context_.cancellation->OnCancel([this] { curl_multi_wakeup(multi_); });
  while (!head_is_in() && failure_.ok()) failure_ = Step();
  // A response cut short is handed over up to where it was cut: Read() fails there.
  const bool is_answered = head_complete_ && (upload_finished_ || head_.status >= 300);
  if (!failure_.ok() && !is_answered) return failure_;
  upload_ = nullptr;
  progress_.Restart();
  return head_;
}

void Session::Configure(const ClientOptions& options, const ClientRequest& request) {
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_text_);
  error_text_[0] = '\0';
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy_, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy_, CURLOPT_PROXY, options.proxy.c_str());
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, options.user_agent.c_str());
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(options.connect_timeout)));
  curl_easy_setopt(easy_, CURLOPT_BUFFERSIZE, kCurlBufferBytes);
  curl_easy_setopt(easy_, CURLOPT_UPLOAD_BUFFERSIZE, kCurlBufferBytes);
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &Session::OnHeader);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Session::OnBody);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  refused_address_.clear();
  if (!options.allow_private_addresses) {
    curl_easy_setopt(easy_, CURLOPT_OPENSOCKETFUNCTION, &Session::OnOpenSocket);
    curl_easy_setopt(easy_, CURLOPT_OPENSOCKETDATA, this);
  }
  ConfigureTls(options, request);
  ConfigureBody(request);

  for (const Headers::Field& field : request.headers) {
    // "Name;" is how libcurl spells a header without a value.
    const std::string line = field.second.empty() ? absl::StrCat(field.first, ";") : absl::StrCat(field.first, ": ", field.second);
    header_list_ = curl_slist_append(header_list_, line.c_str());
  }
  // Waiting for "100 Continue" costs a round trip, and a second where the server does not know it.
  header_list_ = curl_slist_append(header_list_, "Expect:");
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, header_list_);
}

void Session::ConfigureTls(const ClientOptions& options, const ClientRequest& request) {
  const bool verify = request.verify_tls.value_or(options.verify_tls);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
  curl_easy_setopt(easy_, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  const std::string& ca_file = request.ca_file.empty() ? options.ca_file : request.ca_file;
  if (!ca_file.empty()) curl_easy_setopt(easy_, CURLOPT_CAINFO, ca_file.c_str());
}

void Session::ConfigureBody(const ClientRequest& request) {
  if (request.method == "HEAD") curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
  upload_ = request.body;
  upload_finished_ = request.body == nullptr;
  if (request.body != nullptr) {
    curl_easy_setopt(easy_, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy_, CURLOPT_READFUNCTION, &Session::OnUpload);
    curl_easy_setopt(easy_, CURLOPT_READDATA, this);
    curl_easy_setopt(easy_, CURLOPT_INFILESIZE_LARGE, request.body_size ? static_cast<curl_off_t>(*request.body_size) : curl_off_t{-1});
    upload_left_ = request.body_size;
    upload_finished_ = upload_left_ == uint64_t{0};
  } else if (request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE, 0L);
    // What libcurl would otherwise claim of an empty POST.
    if (!request.headers.Has("Content-Type")) header_list_ = curl_slist_append(header_list_, "Content-Type:");
  }
  curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

absl::StatusOr<size_t> Session::Read(char* buffer, size_t size) {
  if (overflow_used_ < overflow_.size()) {
    const size_t n = std::min(size, overflow_.size() - overflow_used_);
    std::memcpy(buffer, overflow_.data() + overflow_used_, n);
    overflow_used_ += n;
    if (overflow_used_ == overflow_.size()) {
      overflow_.clear();
      overflow_used_ = 0;
    }
    return n;
  }
  if (!failure_.ok()) return failure_;
  target_ = buffer;
  target_size_ = size;
  target_used_ = 0;
  if (std::exchange(is_paused_, false)) curl_easy_pause(easy_, CURLPAUSE_CONT);  // may call OnBody() at once
  while (failure_.ok() && target_used_ == 0 && !is_done_) failure_ = Step();
  target_ = nullptr;
  target_size_ = 0;
  // What arrived before the failure is still good. From here on the body has no reader until the next call.
  if (const size_t used = std::exchange(target_used_, 0); used > 0) return used;
  if (!failure_.ok()) return failure_;
  return 0;
}

absl::Status Session::Step() {
  STRATA_RETURN_IF_ERROR(context_.Check());
  int running = 0;
  if (const CURLMcode code = curl_multi_perform(multi_, &running); code != CURLM_OK) {
    return absl::InternalError(absl::StrCat("libcurl: ", curl_multi_strerror(code)));
  }
  if (running == 0) TakeResult();
  if (!failure_.ok()) return failure_;
  if (moved_ > 0) {
    progress_.Moved(std::exchange(moved_, 0));
    return absl::OkStatus();
  }
  return is_done_ ? absl::OkStatus() : WaitForNetwork();
}

absl::Status Session::WaitForNetwork() {
  const absl::Time before = absl::Now();
  if (progress_.Left() <= absl::ZeroDuration()) {
    return absl::DeadlineExceededError("the server makes no progress; the request was given up");
  }
  const absl::Duration longest = std::min({kLongestPoll, progress_.Left(), std::max(context_.deadline - before, absl::ZeroDuration())});
  curl_multi_poll(multi_, nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(longest) + 1), nullptr);
  progress_.Waited(absl::Now() - before);
  return absl::OkStatus();
}

void Session::TakeResult() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    is_done_ = true;
    failure_ = StatusOf(message->data.result);
  }
}

absl::Status Session::StatusOf(CURLcode code) const {
  if (!upload_failure_.ok()) return Annotate(upload_failure_, "reading what was to be sent");
  if (code == CURLE_COULDNT_CONNECT && !refused_address_.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("the name leads to ", refused_address_, ", an address of a private network; refused"));
  }
  const absl::string_view text = error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(code);
  switch (code) {
    case CURLE_OK:
      return absl::OkStatus();
    case CURLE_OPERATION_TIMEDOUT:
      return absl::DeadlineExceededError(text);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return absl::InvalidArgumentError(text);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return absl::FailedPreconditionError(absl::StrCat(text, "; give the CA file of the server, or list it as insecure"));
    case CURLE_OUT_OF_MEMORY:
      return absl::ResourceExhaustedError(text);
    case CURLE_WRITE_ERROR:
      return absl::ResourceExhaustedError("the head of the response is too large");
    default:
      return absl::UnavailableError(text);
  }
}

size_t Session::OnHeader(char* data, size_t size, size_t count, void* self) {
  Session& session = *static_cast<Session*>(self);
  const absl::string_view line(data, size * count);
  session.moved_ += line.size();
  if (session.head_complete_) return line.size();  // trailers
  if (absl::StartsWith(line, "HTTP/")) {
    session.head_ = ResponseHead();
    session.head_bytes_ = 0;
    return line.size();
  }
  if (line == "\r\n" || line == "\n") {
    long status = 0;
    curl_easy_getinfo(session.easy_, CURLINFO_RESPONSE_CODE, &status);
    if (status < 100 || status >= 200) {
      session.head_.status = static_cast<int>(status);
      session.head_complete_ = true;
    }
    return line.size();
  }
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos) return line.size();
  session.head_bytes_ += line.size();
  if (session.head_bytes_ > kMaxResponseHeadBytes) return 0;
  session.head_.headers.Add(line.substr(0, colon), absl::StripAsciiWhitespace(line.substr(colon + 1)));
  return line.size();
}

// Into the reader's memory when there is a reader; what is too much for it is kept, and beyond a limit the server must wait.
size_t Session::OnBody(char* data, size_t size, size_t count, void* self) {
  Session& session = *static_cast<Session*>(self);
  const size_t total = size * count;
  const size_t kept = session.overflow_.size() - session.overflow_used_;
  const size_t room = kept == 0 ? session.target_size_ - session.target_used_ : 0;
  if (kept + total > kMaxOverflowBytes + room) {
    session.is_paused_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  const size_t direct = std::min(room, total);
  if (direct > 0) std::memcpy(session.target_ + session.target_used_, data, direct);
  session.target_used_ += direct;
  session.overflow_.append(data + direct, total - direct);
  session.moved_ += total;
  return total;
}

curl_socket_t Session::OnOpenSocket(void* self, curlsocktype, curl_sockaddr* address) {
  if (IsPrivateAddress(address->addr)) {
    static_cast<Session*>(self)->refused_address_ = AddressText(address->addr);
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

size_t Session::OnUpload(char* buffer, size_t size, size_t count, void* self) {
  Session& session = *static_cast<Session*>(self);
  if (session.upload_ == nullptr) return CURL_READFUNC_ABORT;
  const size_t wanted = std::min<uint64_t>(size * count, session.upload_left_.value_or(UINT64_MAX));
  absl::StatusOr<size_t> n = wanted == 0 ? 0 : session.upload_->Read(buffer, wanted);
  if (n.ok() && *n == 0 && session.upload_left_.value_or(0) > 0) {
    n = absl::DataLossError(absl::StrCat("it ended ", *session.upload_left_, " bytes early"));
  }
  if (!n.ok()) {
    session.upload_failure_ = n.status();
    return CURL_READFUNC_ABORT;
  }
  session.moved_ += *n;
  if (session.upload_left_) *session.upload_left_ -= *n;
  // libcurl does not ask again once a known size was sent.
  session.upload_finished_ = *n == 0 || session.upload_left_ == uint64_t{0};
  return *n;
}

absl::StatusOr<std::unique_ptr<Session>> SessionPool::Take(std::string origin) {
  {
    MutexLock lock(mutex_);
    for (auto it = idle_.end(); it != idle_.begin();) {
      if ((*--it)->origin() != origin) continue;
      std::unique_ptr<Session> session = std::move(*it);
      idle_.erase(it);
      return session;
    }
  }
  return Session::Create(std::move(origin));
}

void SessionPool::GiveBack(std::unique_ptr<Session> session) {
  if (session->is_broken()) return;
  session->Reset();
  std::unique_ptr<Session> evicted;  // destroyed outside of the lock
  MutexLock lock(mutex_);
  idle_.push_back(std::move(session));
  if (idle_.size() <= max_idle_) return;
  evicted = std::move(idle_.front());
  idle_.erase(idle_.begin());
}

}  // namespace strata::http
