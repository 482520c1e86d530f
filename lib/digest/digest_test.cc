#include "lib/digest/digest.h"

#include "lib/digest/hasher.h"
#include "lib/digest/verifying_source.h"
#include "lib/testing/status_matchers.h"

namespace strata {
namespace {

constexpr char kEmpty[] = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(Digest, ParsesWhatItPrints) {
  ASSERT_OK_AND_ASSIGN(const Digest digest, Digest::Parse(kEmpty));
  EXPECT_EQ(digest.ToString(), kEmpty);
  EXPECT_EQ(digest, Digest::Of(""));
  EXPECT_EQ(Digest::Of("x", DigestAlgorithm::kSha512).hex().size(), 128u);
}

TEST(Digest, RefusesEverythingElse) {
  for (const char* text : {"", "sha256:", "sha256:E3", "md5:00", "sha256:baddigeststring", "e3b0c44298fc",
                           "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85G",
                           "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"}) {
    SCOPED_TRACE(text);
    EXPECT_THAT(Digest::Parse(text), testing::StatusIs(absl::StatusCode::kInvalidArgument, "is not a digest"));
  }
}

TEST(Hasher, GoesOnFromASavedState) {
  for (const auto algorithm : {DigestAlgorithm::kSha256, DigestAlgorithm::kSha512}) {
    Hasher first(algorithm);
    first.Update("hello ");
    ASSERT_OK_AND_ASSIGN(Hasher second, Hasher::Restore(first.SaveState()));
    second.Update("world");
    EXPECT_EQ(second.Finish(), Digest::Of("hello world", algorithm));
    EXPECT_EQ(second.bytes_hashed(), 11u);
  }
  EXPECT_THAT(Hasher::Restore("nonsense"), testing::StatusIs(absl::StatusCode::kDataLoss, ""));
}

TEST(VerifyingSource, FailsAtTheEndOnOtherContent) {
  StringSource inner("hello");
  VerifyingSource source(inner, Digest::Of("hullo"));
  EXPECT_THAT(ReadAll(source, 100), testing::StatusIs(absl::StatusCode::kDataLoss, "hashes to"));
  StringSource good("hello");
  VerifyingSource verified(good, Digest::Of("hello"), 5);
  EXPECT_OK(ReadAll(verified, 100));
  StringSource longer("hello!");
  VerifyingSource too_long(longer, Digest::Of("hello"), 5);
  EXPECT_THAT(ReadAll(too_long, 100), testing::StatusIs(absl::StatusCode::kDataLoss, "5 bytes"));
}

}  // namespace
}  // namespace strata
