// From absl::Status to what a registry client reads: HTTP status, OCI error code, and the body {"errors":[{code,message,detail}]}.
// Spec: OCI distribution-spec, "Error Codes". The table itself is in errors.cc and nowhere else.
//
// A status code alone does not pick the error code: "not found" is BLOB_UNKNOWN or MANIFEST_UNKNOWN by what was asked for. Routes
// say so with About(), which travels inside the status.
#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/http/response.h"

namespace strata::registry {

// What a failure was about.
enum class Subject : char {
  kRequest = 'r',
  kName = 'n',
  kTag = 't',
  kDigest = 'd',
  kBlob = 'b',
  kUpload = 'u',
  kRange = 'g',     // a range of a blob, or the place of a chunk in an upload
  kSize = 's',      // what came is not as long as was said, or too long
  kManifest = 'm',
  kTagCount = 'c',  // too many ?tag= parameters
  kPage = 'p',      // n= and last=
};

// Marks a failure; OK stays OK, and a mark that is there already stays.
absl::Status About(Subject subject, absl::Status status);
template <typename T>
absl::StatusOr<T> About(Subject subject, absl::StatusOr<T> value) {
  if (value.ok()) return value;
  return About(subject, std::move(value).status());
}

// Adds what the body's "detail" holds: a JSON text. OK stays OK.
absl::Status WithDetail(std::string json_text, absl::Status status);

// kRequest when there is no mark.
Subject SubjectOf(const absl::Status& status);

struct HttpError {
  int http_status;
  absl::string_view code;  // "BLOB_UNKNOWN"
};
// The table. A store's full disk (507) and quota (403) are told apart by lib/blobstore/errors.h. `status` must not be OK.
HttpError ToHttpError(const absl::Status& status);

// Answers with the error, unless the head of another answer is out already. Headers that were set stay, but those that describe
// content go. Messages of 5xx stay in the log; the client gets the request id to ask for.
absl::Status SendError(http::ResponseWriter& response, const absl::Status& status, absl::string_view request_id);

}  // namespace strata::registry
