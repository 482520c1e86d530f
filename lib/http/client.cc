#include "lib/http/client.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/http/transfer.h"
#include "lib/http/url.h"

namespace strata::http {
namespace {

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

absl::Status CheckRequest(const ClientRequest& request) {
  if (!IsValidFieldName(request.method)) return absl::InvalidArgumentError(absl::StrCat("bad method \"", request.method, "\""));
  for (const Headers::Field& field : request.headers) {
    if (!IsValidFieldName(field.first) || !IsValidFieldValue(field.second)) {
      return absl::InvalidArgumentError(absl::StrCat("request header \"", field.first, "\" has characters that cannot be sent"));
    }
  }
  return absl::OkStatus();
}

// Where the redirect leads, with what must not follow it taken out of `headers`.
absl::StatusOr<Url> FollowTo(const Url& from, const ClientResponse& response, Headers& headers) {
  const absl::string_view location = response.headers.Get("Location");
  STRATA_ASSIGN_OR_RETURN(Url to, from.Resolve(location));
  if (from.scheme == "https" && to.scheme != "https") {
    return absl::AbortedError(absl::StrCat(from.Authority(), " redirects from https to plain http at ", to.Authority(), "; not followed"));
  }
  if (!from.SameOrigin(to)) {
    for (const char* secret : {"Authorization", "Proxy-Authorization", "Cookie"}) headers.Remove(secret);
  }
  return to;
}

}  // namespace

class Client::ResponseBody final : public ByteSource {
 public:
  ResponseBody(SessionPool& pool, std::unique_ptr<Session> session) : pool_(pool), session_(std::move(session)) {}
  ~ResponseBody() override { pool_.GiveBack(std::move(session_)); }
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override { return session_->Read(buffer, size); }

 private:
  SessionPool& pool_;
  std::unique_ptr<Session> session_;
};

Client::Client(ClientOptions options)
    : options_(std::move(options)), pool_(std::make_unique<SessionPool>(options_.max_idle_sessions)) {}

Client::~Client() = default;

absl::StatusOr<ClientResponse> Client::Do(const CallContext& context, ClientRequest request) {
  STRATA_RETURN_IF_ERROR(CheckRequest(request));
  STRATA_ASSIGN_OR_RETURN(Url url, Url::Parse(request.url));
  const bool follows = request.redirects == RedirectPolicy::kFollowSafely && (request.method == "GET" || request.method == "HEAD");
  for (int hops = 0;; ++hops) {
    request.url = url.ToString();
    STRATA_ASSIGN_OR_RETURN(ClientResponse response, DoOnce(context, request, url));
    if (!follows || !IsRedirect(response.status) || !response.headers.Has("Location")) return response;
    if (hops == options_.max_redirects) {
      return absl::AbortedError(absl::StrCat("more than ", options_.max_redirects, " redirects, the last one to ", url.Authority()));
    }
    STRATA_ASSIGN_OR_RETURN(url, FollowTo(url, response, request.headers));
  }
}

absl::StatusOr<ClientResponse> Client::DoOnce(const CallContext& context, const ClientRequest& request, const Url& url) {
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<Session> session,
                          pool_->Take(absl::StrCat(url.scheme, "://", url.host, ":", url.port)));
  absl::StatusOr<ResponseHead> head = session->Start(context, options_, request);
  if (!head.ok()) {
    // Its connection is in an unknown state: not given back.
    return Annotate(head.status(), absl::StrCat(request.method, " ", url.scheme, "://", url.Authority(), url.path));
  }
  ClientResponse response;
  response.status = head->status;
  response.headers = std::move(head->headers);
  response.url = request.url;
  if (const auto length = response.headers.Find("Content-Length")) response.content_length = ParseDecimal(*length);
  response.body = std::make_unique<ResponseBody>(*pool_, std::move(session));
  return response;
}

}  // namespace strata::http
