// Keys and rows: order, round trips, and bytes that are no row.
#include <algorithm>

#include "lib/testing/status_matchers.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/record.h"
#include "services/store/engine/rows.h"

namespace strata::store {
namespace {

using testing::StatusIs;

TEST(Keyspace, NoNameIsAPrefixOfAnothersRows) {
  const Digest digest = Digest::Of("x");
  for (const char* other : {"a-b", "a/b", "a.b", "ab"}) {
    SCOPED_TRACE(other);
    const std::string prefix = keys::Manifests("a");
    EXPECT_NE(keys::Manifest(other, digest).substr(0, prefix.size()), prefix);
    EXPECT_LT(keys::Manifest("a", digest), keys::Manifest(other, digest));
  }
  EXPECT_LT(keys::Tag("a-b", "t"), keys::Tag("a/b", "t"));
}

TEST(Keyspace, DigestsSortAsTheirText) {
  std::vector<Digest> digests;
  for (int i = 0; i < 50; ++i) {
    const auto algorithm = i % 3 == 0 ? DigestAlgorithm::kSha512 : DigestAlgorithm::kSha256;
    digests.push_back(Digest::Of(std::to_string(i), algorithm));
  }
  std::sort(digests.begin(), digests.end());
  for (size_t i = 1; i < digests.size(); ++i) EXPECT_LT(EncodeDigest(digests[i - 1]), EncodeDigest(digests[i]));
  for (const Digest& digest : digests) {
    const std::string encoded = EncodeDigest(digest);
    absl::string_view rest = encoded;
    Digest decoded;
    ASSERT_TRUE(ConsumeDigest(&rest, &decoded));
    EXPECT_EQ(decoded, digest);
    EXPECT_TRUE(rest.empty());
  }
}

TEST(Keyspace, ReviewsRoundTripInOrderOfTime) {
  keys::Review link{absl::FromUnixSeconds(1000), keys::Review::Kind::kLink, Digest::Of("x"), "team/app"};
  keys::Review repository{absl::FromUnixSeconds(999), keys::Review::Kind::kRepository, Digest(), "team/app"};
  EXPECT_LT(keys::ReviewKey(repository), keys::ReviewKey(link));
  for (const keys::Review& review : {link, repository}) {
    ASSERT_OK_AND_ASSIGN(const keys::Review parsed, keys::ParseReview(keys::ReviewKey(review)));
    EXPECT_EQ(parsed.due, review.due);
    EXPECT_EQ(parsed.kind, review.kind);
    EXPECT_EQ(parsed.digest, review.digest);
    EXPECT_EQ(parsed.repository, review.repository);
  }
  EXPECT_THAT(keys::ParseReview("Gshort"), StatusIs(absl::StatusCode::kDataLoss, ""));
}

TEST(Rows, RoundTrip) {
  ManifestRow manifest;
  manifest.media_type = "type";
  manifest.size_bytes = 77;
  manifest.pushed = absl::FromUnixMicros(1234567);
  manifest.subject = Digest::Of("subject");
  manifest.targets = {{ManifestTarget::Kind::kBlob, Digest::Of("a")},
                      {ManifestTarget::Kind::kManifest, Digest::Of("b", DigestAlgorithm::kSha512)}};
  ASSERT_OK_AND_ASSIGN(const ManifestRow decoded, ManifestRow::Decode(manifest.Encode()));
  EXPECT_EQ(decoded.media_type, manifest.media_type);
  EXPECT_EQ(decoded.size_bytes, manifest.size_bytes);
  EXPECT_EQ(decoded.pushed, manifest.pushed);
  EXPECT_EQ(decoded.subject, manifest.subject);
  EXPECT_EQ(decoded.targets, manifest.targets);

  SessionRow session;
  session.repository = "a/b";
  session.blob_id = 1ull << 40;
  session.offset_bytes = 5;
  session.layout = Layout::kExtent;
  session.hash_state = std::string("\0x", 2);
  ASSERT_OK_AND_ASSIGN(const SessionRow session_back, SessionRow::Decode(session.Encode()));
  EXPECT_EQ(session_back.repository, "a/b");
  EXPECT_EQ(session_back.blob_id, session.blob_id);
  EXPECT_EQ(session_back.layout, Layout::kExtent);
  EXPECT_EQ(session_back.hash_state, session.hash_state);
}

TEST(Rows, DamagedBytesAreDataLossNeverACrash) {
  ManifestRow row;
  row.media_type = "type";
  row.targets = {{ManifestTarget::Kind::kBlob, Digest::Of("a")}};
  const std::string good = row.Encode();
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_THAT(ManifestRow::Decode(good.substr(0, size)), StatusIs(absl::StatusCode::kDataLoss, "")) << size;
  }
  EXPECT_THAT(ManifestRow::Decode(good + "x"), StatusIs(absl::StatusCode::kDataLoss, ""));
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(0xff);
    ManifestRow::Decode(bad).status().IgnoreError();
    CacheRow::Decode(bad).status().IgnoreError();
    ReferrerRow::Decode(bad).status().IgnoreError();
  }
  std::string newer = good;
  newer[0] = 2;
  EXPECT_THAT(ManifestRow::Decode(newer), StatusIs(absl::StatusCode::kDataLoss, "unknown version"));
}

}  // namespace
}  // namespace strata::store
