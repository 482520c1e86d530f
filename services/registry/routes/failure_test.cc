// What clients see when the store fails in the middle.
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/registry/routes/failing_blob_store.h"
#include "services/registry/routes/registry_fixture.h"

namespace strata::registry {
namespace {

class FailureTest : public RegistryFixture {
 protected:
  blobstore::BlobStore& blobs() override {
    failing_.emplace(*store_);
    return *failing_;
  }

  std::optional<FailingBlobStore> failing_;
};

TEST_F(FailureTest, StoreAwayIsServiceUnavailable) {
  const std::string location = StartSession("team/app");
  failing_->every_call = absl::UnavailableError("the store at 127.0.0.1:7071 does not answer");
  const std::string digest = Digest::Of("x").ToString();
  struct Case {
    std::string method, target;
  };
  for (const Case& c : {Case{"GET", absl::StrCat("/v2/team/app/blobs/", digest)}, Case{"PATCH", location},
                        Case{"POST", "/v2/team/app/blobs/uploads/"}, Case{"GET", location},
                        Case{"POST", absl::StrCat("/v2/team/app/blobs/uploads/?mount=", digest, "&from=team/base")}}) {
    SCOPED_TRACE(absl::StrCat(c.method, " ", c.target));
    const Answer answer = Send(c.method, c.target);
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.ErrorCode(), "UNAVAILABLE");
    EXPECT_EQ(answer.Header("Retry-After"), "1");
  }
}

TEST_F(FailureTest, DamagedContentIsCutOffBeforeItsEnd) {
  const std::string content(2 * 1024 * 1024, 'x');
  const std::string digest = PushBlob("team/app", content).ToString();
  failing_->read_failure = absl::DataLossError("stored bytes do not match");
  failing_->good_bytes = 1024 * 1024;
  const Answer answer = Send("GET", absl::StrCat("/v2/team/app/blobs/", digest));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("Content-Length"), absl::StrCat(content.size()));
  EXPECT_LT(answer.body.size(), content.size());
  EXPECT_TRUE(absl::IsDataLoss(WaitForRecords(2)[1].outcome));
}

TEST_F(FailureTest, OffsetRefusedOnlyAtTheEndIsStill416) {
  // A store behind a network may say so only when the stream ends.
  const std::string location = StartSession("team/app");
  ASSERT_EQ(Send("PATCH", location, {}, "0123").status, 202);
  failing_->flush_failure = absl::OutOfRangeError("the session holds 4 bytes");
  const Answer patched = Send("PATCH", location, {{"Content-Range", "4-5"}}, "45");
  EXPECT_EQ(patched.status, 416);
  EXPECT_EQ(patched.Header("Range"), "0-3");
  EXPECT_EQ(patched.Header("Location"), location);
}

TEST_F(FailureTest, FullDiskFailsThisRequestAlone) {
  failing_->commit_failure = absl::ResourceExhaustedError("the disk of the store is full");
  const std::string digest = Digest::Of("x").ToString();
  const Answer answer = Send("POST", absl::StrCat("/v2/team/app/blobs/uploads/?digest=", digest), {}, "x");
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.ErrorCode(), "TOOMANYREQUESTS");
  failing_->commit_failure = absl::OkStatus();
  EXPECT_EQ(PushBlob("team/app", "x").ToString(), digest);
}

TEST_F(FailureTest, SessionThatVanishedWhileWriting) {
  const std::string location = StartSession("team/app");
  failing_->commit_failure = absl::NotFoundError("no such session");
  const Answer answer = Send("PUT", absl::StrCat(location, "?digest=", Digest::Of("x").ToString()), {}, "x");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.ErrorCode(), "BLOB_UPLOAD_UNKNOWN");
}

}  // namespace
}  // namespace strata::registry
