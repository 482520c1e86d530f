#include "lib/distribution/target.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/http/response.h"
#include "lib/json/json.h"

namespace strata::distribution {
namespace {

constexpr size_t kMaxErrorBytes = 16 * 1024;
constexpr size_t kMaxQuotedBytes = 200;

absl::StatusCode CodeOf(int status) {
  switch (status) {
    case 400:
    case 405:
    case 411:
    case 415:
      return absl::StatusCode::kInvalidArgument;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
    case 410:
      return absl::StatusCode::kNotFound;
    case 409:
      return absl::StatusCode::kAborted;
    case 413:
    case 429:
    case 507:
      return absl::StatusCode::kResourceExhausted;
    case 416:
      return absl::StatusCode::kOutOfRange;
    case 408:
      return absl::StatusCode::kUnavailable;
    default:
      return status >= 500 ? absl::StatusCode::kUnavailable : absl::StatusCode::kInternal;
  }
}

// "MANIFEST_UNKNOWN: manifest unknown", as far as the body is the error document of the specification.
std::string RegistryMessage(http::ClientResponse& response) {
  const absl::StatusOr<std::string> body = ReadAll(*response.body, kMaxErrorBytes);
  if (!body.ok()) return "";
  const absl::StatusOr<json::Value> document = json::Parse(*body);
  if (!document.ok()) return "";
  const json::Value* errors = json::Find(*document, "errors");
  if (errors == nullptr || !errors->is_array() || errors->empty()) return "";
  const std::string code = json::StringField(errors->front(), "code").value_or("");
  const std::string message = json::StringField(errors->front(), "message").value_or("");
  const std::string text = absl::StrCat(code, code.empty() || message.empty() ? "" : ": ", message);
  return absl::CHexEscape(absl::string_view(text).substr(0, kMaxQuotedBytes));
}

absl::string_view Advice(int status) {
  switch (status) {
    case 401: return "; log in with an account that may do this";
    case 403: return "; this account may not do this";
    case 429: return "; the registry limits the rate of requests, try again later or log in";
    default: return "";
  }
}

}  // namespace

std::string RegistryClient::Target::Describe() const {
  return remote.path.empty() ? what : absl::StrCat(what, " of ", remote.ToString());
}

absl::Status StatusOfResponse(const std::string& subject, const std::string& registry, http::ClientResponse& response) {
  const std::string says = RegistryMessage(response);
  // The query of a signed URL is a secret.
  const std::string url = response.url.substr(0, response.url.find('?'));
  const std::string problem = response.status == 404 ? absl::StrCat("unknown at registry ", registry)
                                                     : absl::StrCat("registry ", registry, " answers ", response.status, " ",
                                                                    http::ReasonPhrase(response.status));
  return absl::Status(CodeOf(response.status), absl::StrCat(subject, ": ", problem, says.empty() ? "" : absl::StrCat(" (", says, ")"),
                                                            "; looked at ", url, Advice(response.status)));
}

}  // namespace strata::distribution
