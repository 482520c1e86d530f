// Manifests, tags, listings and referrers, through the whole engine.
#include "services/store/engine/engine_testing.h"

namespace strata::store {
namespace {

using blobstore::ManifestReference;
using blobstore::PutManifestOptions;
using testing::StatusIs;
using ::testing::ElementsAre;

class ManifestsTest : public EngineTest {
 protected:
  absl::StatusOr<blobstore::StoredManifest> Get(absl::string_view repository, const std::string& tag) {
    return engine_->GetManifest(context_, repository, ManifestReference{tag, std::nullopt}, false);
  }
  absl::StatusOr<blobstore::StoredManifest> Get(absl::string_view repository, const Digest& digest) {
    return engine_->GetManifest(context_, repository, ManifestReference{"", digest}, false);
  }
  std::vector<std::string> TagNames(absl::string_view repository, absl::string_view last = "", int limit = 0) {
    const auto page = engine_->ListTags(context_, repository, last, limit);
    EXPECT_OK(page);
    std::vector<std::string> names;
    if (page.ok()) {
      for (const auto& tag : page->items) names.push_back(tag.name);
    }
    return names;
  }
};

TEST_F(ManifestsTest, ComesBackByteForByteByTagAndDigest) {
  const Digest config = Upload("team/app", "{}");
  const std::string content = ImageJson(config, {});
  PutManifestOptions options;
  options.tags = {"1.4", "latest"};
  ASSERT_OK_AND_ASSIGN(const auto put, engine_->PutManifest(context_, "team/app", kImageType, content, options));
  EXPECT_EQ(put.digest, Digest::Of(content));
  Reopen();
  ASSERT_OK_AND_ASSIGN(const auto by_tag, Get("team/app", "1.4"));
  EXPECT_EQ(by_tag.content, content);
  EXPECT_EQ(by_tag.media_type, kImageType);
  EXPECT_EQ(by_tag.size_bytes, content.size());
  ASSERT_OK_AND_ASSIGN(const auto by_digest, Get("team/app", put.digest));
  EXPECT_EQ(by_digest.content, content);
  ASSERT_OK_AND_ASSIGN(const auto head, engine_->GetManifest(context_, "team/app", {"latest", std::nullopt}, true));
  EXPECT_EQ(head.content, "");
  EXPECT_EQ(head.digest, put.digest);
  EXPECT_THAT(Get("team/app", "2"), StatusIs(absl::StatusCode::kNotFound, "\"2\""));
  EXPECT_THAT(Get("team/other", "1.4"), StatusIs(absl::StatusCode::kNotFound, "team/other"));
}

TEST_F(ManifestsTest, ATagThatMovesUnderAReaderIsNeverMissing) {
  const Digest before = PushImage("team/app", "latest", 1);
  std::optional<Digest> after;
  options_.commit_point_for_test = [&](absl::string_view name) {
    if (name != "manifest.tag_read" || after) return;
    after = PushImage("team/app", "latest", 2);
    EXPECT_OK(engine_->DeleteManifest(context_, "team/app", before));
  };
  Reopen();
  ASSERT_OK_AND_ASSIGN(const auto read, Get("team/app", "latest"));
  EXPECT_EQ(read.digest, *after);
}

TEST_F(ManifestsTest, RefusesWhatNamesMissingBlobs) {
  std::vector<Digest> layers;
  for (int i = 0; i < 15; ++i) layers.push_back(Digest::Of(absl::StrCat("layer", i)));
  const std::string content = ImageJson(Digest::Of("config"), layers);
  EXPECT_THAT(engine_->PutManifest(context_, "team/app", kImageType, content, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition, "and 6 more"));
  EXPECT_EQ(Statistics().manifests, 0);
  EXPECT_EQ(Statistics().repositories, 0);
  const Digest elsewhere = Upload("team/other", "config");
  EXPECT_THAT(engine_->PutManifest(context_, "team/app", kImageType, ImageJson(elsewhere, {}), {}),
              StatusIs(absl::StatusCode::kFailedPrecondition, elsewhere.ToString()));
  PutManifestOptions link;
  link.link_blobs = true;
  EXPECT_OK(engine_->PutManifest(context_, "team/app", kImageType, ImageJson(elsewhere, {}), link));
  EXPECT_TRUE(Has("team/app", elsewhere));
}

TEST_F(ManifestsTest, RefusesBadInput) {
  const Digest config = Upload("team/app", "{}");
  const std::string content = ImageJson(config, {});
  PutManifestOptions other_digest;
  other_digest.expected_digest = Digest::Of("other");
  PutManifestOptions bad_tag;
  bad_tag.tags = {"-bad"};
  const auto put = [&](absl::string_view repository, absl::string_view type, absl::string_view body,
                       const PutManifestOptions& options) {
    return engine_->PutManifest(context_, repository, type, body, options);
  };
  EXPECT_THAT(put("team/app", kImageType, content, other_digest), StatusIs(absl::StatusCode::kInvalidArgument, "hashes to"));
  EXPECT_THAT(put("team/app", kImageType, content, bad_tag), StatusIs(absl::StatusCode::kInvalidArgument, "-bad"));
  EXPECT_THAT(put("Team", kImageType, content, {}), StatusIs(absl::StatusCode::kInvalidArgument, ""));
  EXPECT_THAT(put("team/app", kIndexType, content, {}), StatusIs(absl::StatusCode::kInvalidArgument, ""));
  EXPECT_THAT(put("team/app", kImageType, "not json", {}), StatusIs(absl::StatusCode::kInvalidArgument, ""));
  EXPECT_THAT(put("team/app", kImageType, std::string(5 << 20, ' '), {}), StatusIs(absl::StatusCode::kInvalidArgument, ""));
}

TEST_F(ManifestsTest, AnIndexProtectsItsChildren) {
  const Digest child = PushImage("team/app", "", 1);
  EXPECT_THAT(engine_->PutManifest(context_, "team/app", kIndexType, IndexJson({child, Digest::Of("none")}), {}),
              StatusIs(absl::StatusCode::kFailedPrecondition, Digest::Of("none").ToString()));
  ASSERT_OK_AND_ASSIGN(const auto index, engine_->PutManifest(context_, "team/app", kIndexType, IndexJson({child}), {}));
  EXPECT_THAT(engine_->DeleteManifest(context_, "team/app", child),
              StatusIs(absl::StatusCode::kFailedPrecondition, index.digest.ToString()));
  ASSERT_OK(engine_->DeleteManifest(context_, "team/app", index.digest));
  EXPECT_OK(engine_->DeleteManifest(context_, "team/app", child));
}

TEST_F(ManifestsTest, DeletingTakesItsTagsAlong) {
  const Digest digest = PushImage("team/app", "a", 1);
  const Digest other = PushImage("team/app", "z", 2);
  ASSERT_OK(engine_->SetTag(context_, "team/app", "b", digest, std::nullopt));
  ASSERT_OK(engine_->SetTag(context_, "team/app", "c", digest, std::nullopt));
  ASSERT_OK(engine_->SetTag(context_, "team/app", "c", other, digest));
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> tags, engine_->DeleteManifest(context_, "team/app", digest));
  EXPECT_THAT(tags, ElementsAre("a", "b"));
  EXPECT_THAT(TagNames("team/app"), ElementsAre("c", "z"));
  EXPECT_THAT(engine_->DeleteManifest(context_, "team/app", digest), StatusIs(absl::StatusCode::kNotFound, digest.ToString()));
  EXPECT_EQ(Statistics().tags, 2);
  EXPECT_EQ(Statistics().manifests, 1);
}

TEST_F(ManifestsTest, TagsMoveConditionally) {
  const Digest one = PushImage("team/app", "t", 1);
  const Digest two = PushImage("team/app", "", 2);
  EXPECT_THAT(engine_->SetTag(context_, "team/app", "t", two, two), StatusIs(absl::StatusCode::kAborted, one.ToString()));
  EXPECT_THAT(engine_->SetTag(context_, "team/app", "new", two, two), StatusIs(absl::StatusCode::kAborted, "nothing"));
  EXPECT_OK(engine_->SetTag(context_, "team/app", "t", two, one));
  EXPECT_THAT(engine_->SetTag(context_, "team/app", "t", Digest::Of("x"), std::nullopt), StatusIs(absl::StatusCode::kNotFound, ""));
  ASSERT_OK_AND_ASSIGN(const Digest was, engine_->DeleteTag(context_, "team/app", "t"));
  EXPECT_EQ(was, two);
  EXPECT_THAT(engine_->DeleteTag(context_, "team/app", "t"), StatusIs(absl::StatusCode::kNotFound, "\"t\""));
  EXPECT_OK(Get("team/app", two));
}

TEST_F(ManifestsTest, ListingsAreInByteOrderAndPaged) {
  for (const char* repository : {"a/b", "a", "a-b", "a.b", "b", "_build"}) PushImage(repository, "t", 1);
  ASSERT_OK_AND_ASSIGN(const auto all, engine_->ListRepositories(context_, "", 0));
  EXPECT_THAT(all.items, ElementsAre("a", "a-b", "a.b", "a/b", "b"));
  EXPECT_FALSE(all.has_more);
  ASSERT_OK_AND_ASSIGN(const auto page, engine_->ListRepositories(context_, "a-b", 2));
  EXPECT_THAT(page.items, ElementsAre("a.b", "a/b"));
  EXPECT_TRUE(page.has_more);
  EXPECT_EQ(Statistics().repositories, 5);

  const Digest digest = PushImage("a", "", 1);
  for (const char* tag : {"1", "1.0", "1-x", "Z", "_a"}) ASSERT_OK(engine_->SetTag(context_, "a", tag, digest, std::nullopt));
  EXPECT_THAT(TagNames("a"), ElementsAre("1", "1-x", "1.0", "Z", "_a", "t"));
  EXPECT_THAT(TagNames("a", "1"), ElementsAre("1-x", "1.0", "Z", "_a", "t"));
  EXPECT_THAT(TagNames("a", "1-", 2), ElementsAre("1-x", "1.0"));
  EXPECT_THAT(engine_->ListTags(context_, "nothing", "", 0), StatusIs(absl::StatusCode::kNotFound, "nothing"));
  EXPECT_THAT(engine_->ListTags(context_, "a", "", -1), StatusIs(absl::StatusCode::kInvalidArgument, "-1"));
}

TEST_F(ManifestsTest, ManifestsAreListedByDigest) {
  std::vector<Digest> digests;
  for (uint32_t i = 0; i < 5; ++i) digests.push_back(PushImage("a", "", i));
  std::sort(digests.begin(), digests.end());
  ASSERT_OK_AND_ASSIGN(const auto first, engine_->ListManifests(context_, "a", "", 3));
  ASSERT_EQ(first.items.size(), 3u);
  EXPECT_TRUE(first.has_more);
  EXPECT_EQ(first.items[0].digest, digests[0]);
  ASSERT_OK_AND_ASSIGN(const auto rest, engine_->ListManifests(context_, "a", first.items[2].digest.ToString(), 3));
  ASSERT_EQ(rest.items.size(), 2u);
  EXPECT_FALSE(rest.has_more);
  EXPECT_EQ(rest.items[1].digest, digests[4]);
}

TEST_F(ManifestsTest, ReferrersFollowTheirManifests) {
  const Digest subject = Digest::Of("not pushed yet");
  ASSERT_OK_AND_ASSIGN(const auto none, engine_->ListReferrers(context_, "a", subject, "", "", 0));
  EXPECT_TRUE(none.items.empty());
  const Digest config = Upload("a", "{}");
  const auto put = [&](absl::string_view type) {
    const std::string extra = absl::StrCat(R"(,"artifactType":")", type, R"(","subject":)", DescriptorJson(kImageType, subject, 1),
                                           R"(,"annotations":{"k":")", type, "\"}");
    return engine_->PutManifest(context_, "a", kImageType, ImageJson(config, {}, extra), {});
  };
  ASSERT_OK_AND_ASSIGN(const auto signature, put("application/sig"));
  ASSERT_OK_AND_ASSIGN(const auto sbom, put("application/sbom"));
  EXPECT_EQ(signature.subject, subject);
  ASSERT_OK_AND_ASSIGN(const auto all, engine_->ListReferrers(context_, "a", subject, "", "", 0));
  EXPECT_EQ(all.items.size(), 2u);
  ASSERT_OK_AND_ASSIGN(const auto some, engine_->ListReferrers(context_, "a", subject, "application/sbom", "", 0));
  ASSERT_EQ(some.items.size(), 1u);
  EXPECT_EQ(some.items[0].digest, sbom.digest);
  EXPECT_EQ(some.items[0].artifact_type, "application/sbom");
  EXPECT_THAT(some.items[0].annotations, ElementsAre(std::make_pair("k", "application/sbom")));
  ASSERT_OK(engine_->DeleteManifest(context_, "a", sbom.digest));
  ASSERT_OK_AND_ASSIGN(const auto left, engine_->ListReferrers(context_, "a", subject, "", "", 0));
  EXPECT_EQ(left.items.size(), 1u);
}

TEST_F(ManifestsTest, PushingAgainChangesNothingButTags) {
  const Digest first = PushImage("a", "x", 1);
  const Digest second = PushImage("a", "y", 1);
  EXPECT_EQ(first, second);
  EXPECT_EQ(Statistics().manifests, 1);
  EXPECT_THAT(TagNames("a"), ElementsAre("x", "y"));
}

}  // namespace
}  // namespace strata::store
