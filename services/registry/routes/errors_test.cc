#include "services/registry/routes/errors.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/blobstore/errors.h"
#include "lib/http/response_recorder.h"

namespace strata::registry {
namespace {

TEST(ErrorsTest, Table) {
  struct Case {
    absl::StatusCode status;
    Subject subject;
    int http_status;
    std::string code;
  };
  const std::vector<Case> cases = {
      {absl::StatusCode::kInvalidArgument, Subject::kName, 400, "NAME_INVALID"},
      {absl::StatusCode::kInvalidArgument, Subject::kDigest, 400, "DIGEST_INVALID"},
      {absl::StatusCode::kInvalidArgument, Subject::kManifest, 400, "MANIFEST_INVALID"},
      {absl::StatusCode::kUnauthenticated, Subject::kBlob, 401, "UNAUTHORIZED"},
      {absl::StatusCode::kPermissionDenied, Subject::kBlob, 403, "DENIED"},
      {absl::StatusCode::kNotFound, Subject::kBlob, 404, "BLOB_UNKNOWN"},
      {absl::StatusCode::kNotFound, Subject::kUpload, 404, "BLOB_UPLOAD_UNKNOWN"},
      {absl::StatusCode::kNotFound, Subject::kManifest, 404, "MANIFEST_UNKNOWN"},
      {absl::StatusCode::kNotFound, Subject::kName, 404, "NAME_UNKNOWN"},
      {absl::StatusCode::kUnimplemented, Subject::kRequest, 405, "UNSUPPORTED"},
      {absl::StatusCode::kFailedPrecondition, Subject::kManifest, 400, "MANIFEST_BLOB_UNKNOWN"},
      {absl::StatusCode::kFailedPrecondition, Subject::kRequest, 409, "DENIED"},
      {absl::StatusCode::kAborted, Subject::kUpload, 409, "BLOB_UPLOAD_INVALID"},
      {absl::StatusCode::kOutOfRange, Subject::kUpload, 416, "RANGE_INVALID"},
      {absl::StatusCode::kResourceExhausted, Subject::kSize, 413, "SIZE_INVALID"},
      {absl::StatusCode::kResourceExhausted, Subject::kUpload, 429, "TOOMANYREQUESTS"},
      {absl::StatusCode::kUnavailable, Subject::kBlob, 503, "UNAVAILABLE"},
      {absl::StatusCode::kDataLoss, Subject::kBlob, 500, "UNKNOWN"},
      {absl::StatusCode::kInternal, Subject::kRequest, 500, "UNKNOWN"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.code);
    const HttpError error = ToHttpError(About(c.subject, absl::Status(c.status, "x")));
    EXPECT_EQ(error.http_status, c.http_status);
    EXPECT_EQ(error.code, c.code);
  }
}

TEST(ErrorsTest, QuotaAndFullDiskEndThePushWithTheirMessage) {
  struct Case {
    blobstore::Exhausted what;
    int http_status;
    std::string code;
  };
  const std::vector<Case> cases = {{blobstore::Exhausted::kQuota, 403, "DENIED"},
                                   {blobstore::Exhausted::kDisk, 507, "DENIED"},
                                   {blobstore::Exhausted::kUploads, 429, "TOOMANYREQUESTS"}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.http_status);
    const absl::Status status = About(Subject::kUpload, Annotate(blobstore::ExhaustedError(c.what, "what to do"), "here"));
    http::ResponseRecorder response;
    ASSERT_TRUE(SendError(response, status, "r1").ok());
    EXPECT_EQ(response.status(), c.http_status);
    EXPECT_NE(response.body().find(c.code), std::string::npos) << response.body();
    EXPECT_NE(response.body().find("what to do"), std::string::npos) << response.body();
  }
}

TEST(ErrorsTest, TheFirstMarkStaysAndAnnotationKeepsIt) {
  const absl::Status status = About(Subject::kBlob, Annotate(About(Subject::kUpload, absl::NotFoundError("x")), "here"));
  EXPECT_EQ(SubjectOf(status), Subject::kUpload);
  EXPECT_TRUE(About(Subject::kBlob, absl::OkStatus()).ok());
  EXPECT_EQ(SubjectOf(absl::NotFoundError("x")), Subject::kRequest);
}

TEST(ErrorsTest, BodyHasTheFormOfTheSpecification) {
  http::ResponseRecorder response;
  response.headers().Set("ETag", "\"x\"");
  ASSERT_TRUE(SendError(response, About(Subject::kBlob, absl::NotFoundError("no \"blob\"")), "r1").ok());
  EXPECT_EQ(response.status(), 404);
  EXPECT_EQ(response.headers().Get("Content-Type"), "application/json");
  EXPECT_FALSE(response.headers().Has("ETag"));
  EXPECT_EQ(response.body(), R"({"errors":[{"code":"BLOB_UNKNOWN","message":"no \"blob\"","detail":null}]})");
}

TEST(ErrorsTest, RetryAfterAndHiddenInternals) {
  http::ResponseRecorder busy;
  ASSERT_TRUE(SendError(busy, absl::UnavailableError("store away"), "r1").ok());
  EXPECT_EQ(busy.status(), 503);
  EXPECT_TRUE(busy.headers().Has("Retry-After"));
  EXPECT_EQ(busy.body().find("store away"), std::string::npos);

  http::ResponseRecorder broken;
  ASSERT_TRUE(SendError(broken, absl::InternalError("/var/lib/strata/x: bad"), "r2").ok());
  EXPECT_EQ(broken.status(), 500);
  EXPECT_EQ(broken.body().find("/var/lib"), std::string::npos);
  EXPECT_NE(broken.body().find("r2"), std::string::npos);
}

}  // namespace
}  // namespace strata::registry
