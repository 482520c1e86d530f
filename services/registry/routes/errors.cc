#include "services/registry/routes/errors.h"

#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "lib/base/check.h"
#include "lib/blobstore/errors.h"
#include "lib/json/json.h"

namespace strata::registry {
namespace {

constexpr char kSubjectPayload[] = "strata.registry/subject";
constexpr char kDetailPayload[] = "strata.registry/detail";

struct Row {
  absl::StatusCode status;
  std::optional<Subject> subject;  // nullopt: any
  HttpError error;
};

// The first row that fits.
constexpr Row kTable[] = {
    {absl::StatusCode::kInvalidArgument, Subject::kName, {400, "NAME_INVALID"}},
    {absl::StatusCode::kInvalidArgument, Subject::kTag, {400, "TAG_INVALID"}},
    {absl::StatusCode::kInvalidArgument, Subject::kDigest, {400, "DIGEST_INVALID"}},
    {absl::StatusCode::kInvalidArgument, Subject::kBlob, {400, "DIGEST_INVALID"}},
    {absl::StatusCode::kInvalidArgument, Subject::kUpload, {400, "BLOB_UPLOAD_INVALID"}},
    {absl::StatusCode::kInvalidArgument, Subject::kRange, {400, "BLOB_UPLOAD_INVALID"}},
    {absl::StatusCode::kInvalidArgument, Subject::kSize, {400, "SIZE_INVALID"}},
    {absl::StatusCode::kInvalidArgument, Subject::kManifest, {400, "MANIFEST_INVALID"}},
    {absl::StatusCode::kInvalidArgument, Subject::kPage, {400, "PAGINATION_NUMBER_INVALID"}},
    {absl::StatusCode::kInvalidArgument, std::nullopt, {400, "UNSUPPORTED"}},

    {absl::StatusCode::kUnauthenticated, std::nullopt, {401, "UNAUTHORIZED"}},
    {absl::StatusCode::kPermissionDenied, std::nullopt, {403, "DENIED"}},

    {absl::StatusCode::kNotFound, Subject::kName, {404, "NAME_UNKNOWN"}},
    {absl::StatusCode::kNotFound, Subject::kBlob, {404, "BLOB_UNKNOWN"}},
    {absl::StatusCode::kNotFound, Subject::kUpload, {404, "BLOB_UPLOAD_UNKNOWN"}},
    {absl::StatusCode::kNotFound, Subject::kManifest, {404, "MANIFEST_UNKNOWN"}},
    {absl::StatusCode::kNotFound, std::nullopt, {404, "UNSUPPORTED"}},

    {absl::StatusCode::kUnimplemented, std::nullopt, {405, "UNSUPPORTED"}},

    // A manifest that names what is not there; and a manifest that an index needs and that therefore stays.
    {absl::StatusCode::kFailedPrecondition, Subject::kManifest, {400, "MANIFEST_BLOB_UNKNOWN"}},
    {absl::StatusCode::kFailedPrecondition, std::nullopt, {409, "DENIED"}},

    {absl::StatusCode::kAborted, Subject::kUpload, {409, "BLOB_UPLOAD_INVALID"}},
    {absl::StatusCode::kAborted, std::nullopt, {409, "UNAVAILABLE"}},
    {absl::StatusCode::kOutOfRange, std::nullopt, {416, "RANGE_INVALID"}},

    {absl::StatusCode::kResourceExhausted, Subject::kSize, {413, "SIZE_INVALID"}},
    {absl::StatusCode::kResourceExhausted, Subject::kTagCount, {414, "TAG_INVALID"}},
    {absl::StatusCode::kResourceExhausted, std::nullopt, {429, "TOOMANYREQUESTS"}},

    {absl::StatusCode::kCancelled, std::nullopt, {499, "UNAVAILABLE"}},
    {absl::StatusCode::kUnavailable, std::nullopt, {503, "UNAVAILABLE"}},
    {absl::StatusCode::kDeadlineExceeded, std::nullopt, {504, "UNAVAILABLE"}},
};
constexpr HttpError kInternalError = {500, "UNKNOWN"};
// Clients send a request again at once after 429 and most 5xx. A quota and a full disk do not pass by themselves: 403 and 507 end the push
// with the message that says what to do.
constexpr HttpError kQuotaError = {403, "DENIED"};
constexpr HttpError kDiskFullError = {507, "DENIED"};

constexpr char kRetryAfterSeconds[] = "1";

// What is wrong inside, and where, is for the log.
std::string PublicMessage(const absl::Status& status, const HttpError& error, absl::string_view request_id) {
  switch (error.http_status) {
    case 500: return absl::StrCat("the registry failed; its log says why under request id ", request_id);
    case 503:
    case 504:
      return absl::StrCat("the registry cannot serve this now; retry in a moment, its log says why under request id ", request_id);
    default: return std::string(status.message());
  }
}

json::Value DetailOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kDetailPayload);
  if (!payload) return nullptr;
  auto detail = json::Parse(std::string(*payload));
  return detail.ok() ? *std::move(detail) : json::Value();
}

}  // namespace

absl::Status About(Subject subject, absl::Status status) {
  if (!status.ok() && !status.GetPayload(kSubjectPayload)) {
    const char mark = static_cast<char>(subject);
    status.SetPayload(kSubjectPayload, absl::Cord(absl::string_view(&mark, 1)));
  }
  return status;
}

absl::Status WithDetail(std::string json_text, absl::Status status) {
  if (!status.ok()) status.SetPayload(kDetailPayload, absl::Cord(std::move(json_text)));
  return status;
}

Subject SubjectOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kSubjectPayload);
  return payload && !payload->empty() ? static_cast<Subject>((*payload)[0]) : Subject::kRequest;
}

HttpError ToHttpError(const absl::Status& status) {
  STRATA_CHECK(!status.ok());
  if (absl::IsResourceExhausted(status)) {
    const blobstore::Exhausted what = blobstore::WhatIsExhausted(status);
    if (what == blobstore::Exhausted::kQuota) return kQuotaError;
    if (what == blobstore::Exhausted::kDisk) return kDiskFullError;
  }
  const Subject subject = SubjectOf(status);
  for (const Row& row : kTable) {
    if (row.status == status.code() && (!row.subject || *row.subject == subject)) return row.error;
  }
  return kInternalError;
}

absl::Status SendError(http::ResponseWriter& response, const absl::Status& status, absl::string_view request_id) {
  if (response.head_sent()) return absl::OkStatus();
  const HttpError error = ToHttpError(status);
  json::Value entry = json::Value::object();
  entry["code"] = std::string(error.code);
  entry["message"] = PublicMessage(status, error, request_id);
  entry["detail"] = DetailOf(status);
  json::Value body = json::Value::object();
  body["errors"] = json::Value::array({std::move(entry)});

  for (const char* name : {"ETag", "Cache-Control", "Accept-Ranges", "Docker-Content-Digest", "Content-Length"}) {
    response.headers().Remove(name);
  }
  if (error.http_status == 429 || error.http_status == 503) response.headers().Set("Retry-After", kRetryAfterSeconds);
  response.SetStatus(error.http_status);
  return response.SendText("application/json", json::Dump(body));
}

}  // namespace strata::registry
