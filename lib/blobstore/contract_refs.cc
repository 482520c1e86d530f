// Manifests, tags, listings, referrers.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/blobstore/contract.h"
#include "lib/oci/media_type.h"

namespace strata::blobstore {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using strata::testing::StatusIs;
using enum absl::StatusCode;

namespace {

ManifestReference Tag(absl::string_view tag) { return {.tag = std::string(tag)}; }
ManifestReference By(const Digest& digest) { return {.digest = digest}; }

std::vector<std::string> Names(const Page<TagEntry>& page) {
  std::vector<std::string> names;
  for (const TagEntry& entry : page.items) names.push_back(entry.name);
  return names;
}

}  // namespace

TEST_P(StoreContractTest, ManifestsComeBackByteForByte) {
  const Image image = Push("team/app", {"v1", "latest"}, 20);
  for (const ManifestReference& reference : {Tag("v1"), Tag("latest"), By(image.digest)}) {
    ASSERT_OK_AND_ASSIGN(const StoredManifest manifest, refs().GetManifest(context_, "team/app", reference));
    EXPECT_EQ(manifest.content, image.content);
    EXPECT_EQ(manifest.digest, image.digest);
    EXPECT_EQ(manifest.media_type, oci::kOciManifest);
    EXPECT_EQ(manifest.size_bytes, image.content.size());
    EXPECT_GT(manifest.pushed, absl::UnixEpoch());
  }
  ASSERT_OK_AND_ASSIGN(const StoredManifest head, refs().GetManifest(context_, "team/app", Tag("v1"), /*head_only=*/true));
  EXPECT_EQ(head.size_bytes, image.content.size());
  EXPECT_THAT(head.content, IsEmpty());
  EXPECT_THAT(refs().GetManifest(context_, "team/app", Tag("v2")), StatusIs(kNotFound, "v2"));
  EXPECT_THAT(refs().GetManifest(context_, "other", By(image.digest)), StatusIs(kNotFound, "other"));
}

TEST_P(StoreContractTest, WhatAManifestNamesMustBeThere) {
  const Digest config = Upload("app", "config");
  const Digest layer = Upload("other", "layer");
  const std::string content = ImageJson(config, layer);
  EXPECT_THAT(refs().PutManifest(context_, "app", oci::kOciManifest, content, {.tags = {"v1"}}),
              StatusIs(kFailedPrecondition, layer.ToString()));
  EXPECT_THAT(refs().GetManifest(context_, "app", Tag("v1")), StatusIs(kNotFound, ""));
  EXPECT_FALSE(Has("app", layer));
  ASSERT_OK(refs().PutManifest(context_, "app", oci::kOciManifest, content, {.tags = {"v1"}, .link_blobs = true}));
  EXPECT_TRUE(Has("app", layer));
  const Digest nowhere = Digest::Of("nowhere");
  EXPECT_THAT(refs().PutManifest(context_, "app", oci::kOciManifest, ImageJson(config, nowhere), {.link_blobs = true}),
              StatusIs(kFailedPrecondition, nowhere.ToString()));
}

TEST_P(StoreContractTest, TheMessageListsAtMostTenMissingBlobs) {
  const Digest config = Upload("app", "config");
  std::string layers;
  for (int i = 0; i < 20; ++i) {
    absl::StrAppend(&layers, i == 0 ? "" : ",", DescriptorJson(oci::kOciLayerGzip, Digest::Of(absl::StrCat("missing", i)), 1));
  }
  const std::string content = absl::StrCat(R"({"schemaVersion":2,"config":)", DescriptorJson(oci::kOciConfig, config, 6),
                                           R"(,"layers":[)", layers, "]}");
  const auto put = refs().PutManifest(context_, "app", oci::kOciManifest, content, {});
  ASSERT_THAT(put, StatusIs(kFailedPrecondition, "sha256:"));
  const std::string message(put.status().message());
  size_t named = 0;
  for (size_t at = message.find("sha256:"); at != std::string::npos; at = message.find("sha256:", at + 1)) ++named;
  EXPECT_EQ(named, 10u) << message;
}

TEST_P(StoreContractTest, ForeignLayersNeedNotBeThere) {
  const Digest config = Upload("app", "config");
  const std::string urls = absl::StrCat(R"({"mediaType":")", oci::kOciLayerGzip, R"(","digest":")", Digest::Of("a").ToString(),
                                        R"(","size":1,"urls":["https://example.com/a"]})");
  const std::string foreign =
      DescriptorJson("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", Digest::Of("b"), 1);
  EXPECT_OK(refs().PutManifest(context_, "app", oci::kOciManifest,
                               absl::StrCat(R"({"schemaVersion":2,"config":)", DescriptorJson(oci::kOciConfig, config, 6),
                                            R"(,"layers":[)", urls, ",", foreign, "]}"),
                               {}));
}

TEST_P(StoreContractTest, BadManifestsAreRefused) {
  const Digest config = Upload("app", "config");
  const std::string content = ImageJson(config, config);
  const std::pair<const char*, std::string> cases[] = {
      {oci::kOciManifest, ""},        {oci::kOciManifest, "not json"},       {oci::kOciManifest, R"({"schemaVersion":1})"},
      {oci::kOciIndex, content},      {oci::kDockerManifest, content},       {oci::kOciManifest, content + "x"},
      {oci::kOciManifest, std::string((4 << 20) + 1, ' ')}};
  for (const auto& [media_type, bytes] : cases) {
    SCOPED_TRACE(bytes.substr(0, 60));
    EXPECT_THAT(refs().PutManifest(context_, "app", media_type, bytes, {}), StatusIs(kInvalidArgument, ""));
  }
  EXPECT_THAT(refs().PutManifest(context_, "app", oci::kOciManifest, content, {.expected_digest = Digest::Of("other")}),
              StatusIs(kInvalidArgument, Digest::Of(content).ToString()));
  EXPECT_THAT(refs().PutManifest(context_, "app", oci::kOciManifest, content, {.tags = {"-bad"}}), StatusIs(kInvalidArgument, ""));
  EXPECT_THAT(refs().PutManifest(context_, "Bad", oci::kOciManifest, content, {}), StatusIs(kInvalidArgument, ""));
}

TEST_P(StoreContractTest, AManifestMayBeNamedBySha512) {
  const Digest config = Upload("app", "config");
  const std::string content = ImageJson(config, config);
  const Digest digest = Digest::Of(content, DigestAlgorithm::kSha512);
  ASSERT_OK_AND_ASSIGN(const PutManifestResult put,
                       refs().PutManifest(context_, "app", oci::kOciManifest, content, {.expected_digest = digest}));
  EXPECT_EQ(put.digest, digest);
  ASSERT_OK_AND_ASSIGN(const StoredManifest manifest, refs().GetManifest(context_, "app", By(digest)));
  EXPECT_EQ(manifest.content, content);
}

TEST_P(StoreContractTest, AnIndexNeedsItsChildrenAndKeepsThem) {
  const Image a = Push("app", {"a"}, 21);
  const Image b = Push("other", {}, 22);
  EXPECT_THAT(PutIndex("app", {a, b}), StatusIs(kFailedPrecondition, b.digest.ToString()));
  ASSERT_OK_AND_ASSIGN(const PutManifestResult index, PutIndex("app", {a}, {"all"}));
  EXPECT_THAT(refs().DeleteManifest(context_, "app", a.digest), StatusIs(kFailedPrecondition, index.digest.ToString()));
  ASSERT_OK_AND_ASSIGN(const auto tags, refs().DeleteManifest(context_, "app", index.digest));
  EXPECT_THAT(tags, ElementsAre("all"));
  ASSERT_OK(refs().DeleteManifest(context_, "app", a.digest));
}

TEST_P(StoreContractTest, ChildrenOfADeletedIndexFollowIt) {
  const Image orphan = Push("app", {}, 43);
  const Image tagged = Push("app", {"kept"}, 44);
  const Image shared = Push("app", {}, 45);
  const Image never_a_child = Push("app", {}, 46);
  ASSERT_OK_AND_ASSIGN(const PutManifestResult index, PutIndex("app", {orphan, tagged, shared}, {"all"}));
  ASSERT_OK(PutIndex("app", {shared}, {"other"}));
  const std::string subject = absl::StrCat(R"(,"subject":)", DescriptorJson(oci::kOciManifest, orphan.digest, 1));
  const Image signature = Push("app", {}, 47, subject);
  AdvanceClock(absl::Hours(100));
  ASSERT_OK(refs().DeleteManifest(context_, "app", index.digest));
  ASSERT_OK_AND_ASSIGN(const GarbageReport at_once, admin().CollectGarbage(context_));
  EXPECT_EQ(at_once.manifests_removed, 0);
  AdvanceClock(absl::Hours(25));
  ASSERT_OK_AND_ASSIGN(const GarbageReport dry, admin().CollectGarbage(context_, {.dry_run = true}));
  EXPECT_EQ(dry.manifests_removed, 1);
  EXPECT_OK(refs().GetManifest(context_, "app", By(orphan.digest)));
  ASSERT_OK_AND_ASSIGN(const GarbageReport report, admin().CollectGarbage(context_));
  EXPECT_EQ(report.manifests_removed, 1);
  EXPECT_THAT(refs().GetManifest(context_, "app", By(orphan.digest)), StatusIs(kNotFound, ""));
  for (const Image* kept : {&tagged, &shared, &never_a_child, &signature}) {
    EXPECT_OK(refs().GetManifest(context_, "app", By(kept->digest)));
  }
  // The signature follows what it signed.
  AdvanceClock(absl::Hours(25));
  ASSERT_OK(admin().CollectGarbage(context_));
  EXPECT_THAT(refs().GetManifest(context_, "app", By(signature.digest)), StatusIs(kNotFound, ""));
}

TEST_P(StoreContractTest, AChildPushedAgainStandsOnItsOwn) {
  const Image child = Push("app", {}, 48);
  ASSERT_OK_AND_ASSIGN(const PutManifestResult index, PutIndex("app", {child}));
  ASSERT_OK(refs().DeleteManifest(context_, "app", index.digest));
  AdvanceClock(absl::Hours(12));
  Push("app", {}, 48);
  AdvanceClock(absl::Hours(13));
  ASSERT_OK(admin().CollectGarbage(context_));
  AdvanceClock(absl::Hours(100));
  ASSERT_OK(admin().CollectGarbage(context_));
  EXPECT_OK(refs().GetManifest(context_, "app", By(child.digest)));
}

TEST_P(StoreContractTest, ADryRunTellsWhatACollectionDoes) {
  const Image image = Push("app", {"v"}, 49);
  Upload("app", "leased");
  ASSERT_OK(refs().DeleteManifest(context_, "app", image.digest));
  AdvanceClock(absl::Hours(25));
  const Digest leased = Upload("app", "leased");
  ASSERT_OK_AND_ASSIGN(const GarbageReport dry, admin().CollectGarbage(context_, {.dry_run = true}));
  EXPECT_TRUE(Has("app", leased));
  ASSERT_OK_AND_ASSIGN(const StoreStatistics before, admin().GetStatistics(context_));
  EXPECT_EQ(before.blobs, 3);
  ASSERT_OK_AND_ASSIGN(const GarbageReport report, admin().CollectGarbage(context_));
  EXPECT_EQ(dry.blobs_removed, 2);
  EXPECT_EQ(report.blobs_removed, 2);
  EXPECT_GE(dry.bytes_reclaimed, 50064);
  EXPECT_GE(report.bytes_reclaimed, dry.bytes_reclaimed);
  EXPECT_EQ(dry.blobs_later, 1);
  EXPECT_EQ(report.blobs_later, 1);
  EXPECT_EQ(report.bytes_later, 6);
  ASSERT_OK_AND_ASSIGN(const StoreStatistics after, admin().GetStatistics(context_));
  EXPECT_EQ(after.blobs, 1);
}

TEST_P(StoreContractTest, WhoWasToldOfABlobFindsItAtItsManifest) {
  const Digest config = Upload("app", "config");
  AdvanceClock(absl::Hours(20));
  ASSERT_TRUE(Has("app", config));  // HEAD, so that it is not pushed again
  AdvanceClock(absl::Hours(20));
  ASSERT_OK(admin().CollectGarbage(context_));
  EXPECT_OK(refs().PutManifest(context_, "app", oci::kOciManifest, ImageJson(config, config), {}));
}

TEST_P(StoreContractTest, DeletingAManifestTakesItsTags) {
  const Image image = Push("app", {"v1", "v2"}, 23);
  Push("app", {"other"}, 24);
  ASSERT_OK_AND_ASSIGN(auto tags, refs().DeleteManifest(context_, "app", image.digest));
  EXPECT_THAT(tags, UnorderedElementsAre("v1", "v2"));
  EXPECT_THAT(refs().GetManifest(context_, "app", Tag("v1")), StatusIs(kNotFound, ""));
  EXPECT_THAT(refs().GetManifest(context_, "app", By(image.digest)), StatusIs(kNotFound, ""));
  EXPECT_THAT(refs().DeleteManifest(context_, "app", image.digest), StatusIs(kNotFound, ""));
  EXPECT_OK(refs().GetManifest(context_, "app", Tag("other")));
}

TEST_P(StoreContractTest, TagsMoveAndGo) {
  const Image one = Push("app", {"v"}, 25);
  const Image two = Push("app", {"v"}, 26);
  ASSERT_OK_AND_ASSIGN(const StoredManifest now, refs().GetManifest(context_, "app", Tag("v")));
  EXPECT_EQ(now.digest, two.digest);
  ASSERT_OK(refs().SetTag(context_, "app", "v", one.digest));
  ASSERT_OK_AND_ASSIGN(const Digest was, refs().DeleteTag(context_, "app", "v"));
  EXPECT_EQ(was, one.digest);
  EXPECT_THAT(refs().DeleteTag(context_, "app", "v"), StatusIs(kNotFound, "v"));
  EXPECT_OK(refs().GetManifest(context_, "app", By(one.digest)));
  EXPECT_THAT(refs().SetTag(context_, "app", "v", Digest::Of("none")), StatusIs(kNotFound, ""));
  EXPECT_THAT(refs().SetTag(context_, "app", ".bad", one.digest), StatusIs(kInvalidArgument, ""));
}

TEST_P(StoreContractTest, ATagChangesOnlyIfItIsWhereExpected) {
  const Image one = Push("app", {"v"}, 27);
  const Image two = Push("app", {}, 28);
  EXPECT_THAT(refs().SetTag(context_, "app", "v", two.digest, two.digest), StatusIs(kAborted, ""));
  EXPECT_THAT(refs().SetTag(context_, "app", "new", two.digest, one.digest), StatusIs(kAborted, ""));
  EXPECT_OK(refs().SetTag(context_, "app", "v", two.digest, one.digest));
  ASSERT_OK_AND_ASSIGN(const StoredManifest now, refs().GetManifest(context_, "app", Tag("v")));
  EXPECT_EQ(now.digest, two.digest);
}

TEST_P(StoreContractTest, AConditionMayBeThatTheTagIsNew) {
  const Image one = Push("app", {"v"}, 36);
  EXPECT_THAT(refs().SetTag(context_, "app", "v", one.digest, TagCondition::Absent()), StatusIs(kAborted, one.digest.ToString()));
  EXPECT_OK(refs().SetTag(context_, "app", "new", one.digest, TagCondition::Absent()));
  EXPECT_THAT(refs().SetTag(context_, "app", "none", one.digest, one.digest), StatusIs(kAborted, "points to nothing"));
}

TEST_P(StoreContractTest, DeletingATagMayBeConditional) {
  const Image one = Push("app", {"v"}, 37);
  EXPECT_THAT(refs().DeleteTag(context_, "app", "v", Digest::Of("x")), StatusIs(kAborted, one.digest.ToString()));
  EXPECT_OK(refs().GetManifest(context_, "app", Tag("v")));
  EXPECT_THAT(refs().DeleteTag(context_, "app", "w", one.digest), StatusIs(kNotFound, "w"));
  EXPECT_OK(refs().DeleteTag(context_, "app", "v", one.digest));
  EXPECT_THAT(refs().GetManifest(context_, "app", Tag("v")), StatusIs(kNotFound, ""));
}

TEST_P(StoreContractTest, APushWithConditionsIsAllOrNothing) {
  const Image one = Push("app", {"v", "other"}, 38);
  const Digest config = Upload("app", "config");
  const std::string content = ImageJson(config, config);
  const auto put = [&](std::vector<std::string> tags, std::map<std::string, TagCondition> conditions) {
    return refs().PutManifest(context_, "app", oci::kOciManifest, content,
                              {.tags = std::move(tags), .tag_conditions = std::move(conditions)});
  };
  EXPECT_THAT(put({"new", "v"}, {{"new", TagCondition::Absent()}, {"v", Digest::Of("x")}}), StatusIs(kAborted, one.digest.ToString()));
  EXPECT_THAT(put({"new"}, {{"other", TagCondition::Absent()}}), StatusIs(kAborted, "\"other\""));
  EXPECT_THAT(put({"new"}, {{"-bad", TagCondition::Absent()}}), StatusIs(kInvalidArgument, "-bad"));
  EXPECT_THAT(refs().GetManifest(context_, "app", By(Digest::Of(content))), StatusIs(kNotFound, ""));
  EXPECT_THAT(refs().GetManifest(context_, "app", Tag("new")), StatusIs(kNotFound, ""));
  EXPECT_OK(put({"new", "v"}, {{"new", TagCondition::Absent()}, {"v", one.digest}, {"other", one.digest}}));
  for (const char* tag : {"new", "v"}) {
    ASSERT_OK_AND_ASSIGN(const StoredManifest now, refs().GetManifest(context_, "app", Tag(tag)));
    EXPECT_EQ(now.digest, Digest::Of(content));
  }
}

TEST_P(StoreContractTest, ATagsHistoryTellsEveryChange) {
  const Image one = Push("app", {"v"}, 39);
  const Image two = Push("app", {"v"}, 40);
  Push("app", {"v"}, 40);  // no change
  AdvanceClock(absl::Hours(1));
  ASSERT_OK(refs().SetTag(context_, "app", "v", one.digest));
  AdvanceClock(-absl::Hours(2));  // a clock that was put right
  ASSERT_OK(refs().DeleteTag(context_, "app", "v"));
  ASSERT_OK(refs().SetTag(context_, "app", "v", two.digest));
  ASSERT_OK(refs().DeleteManifest(context_, "app", two.digest));
  ASSERT_OK_AND_ASSIGN(const auto all, refs().ListTagHistory(context_, "app", "v", 0, 0));
  ASSERT_EQ(all.items.size(), 6u);
  EXPECT_FALSE(all.has_more);
  const std::pair<TagChange, std::optional<Digest>> wanted[] = {
      {TagChange::kManifestDeleted, std::nullopt}, {TagChange::kSet, two.digest}, {TagChange::kDelete, std::nullopt},
      {TagChange::kSet, one.digest},               {TagChange::kPush, two.digest}, {TagChange::kPush, one.digest}};
  for (size_t i = 0; i < all.items.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(all.items[i].change, wanted[i].first);
    EXPECT_EQ(all.items[i].digest, wanted[i].second);
    EXPECT_EQ(all.items[i].sequence, all.items[0].sequence - i);
  }
  EXPECT_EQ(all.items[3].at - all.items[2].at, absl::Hours(2));
  ASSERT_OK_AND_ASSIGN(const auto page, refs().ListTagHistory(context_, "app", "v", all.items[1].sequence, 2));
  ASSERT_EQ(page.items.size(), 2u);
  EXPECT_TRUE(page.has_more);
  EXPECT_EQ(page.items[0].sequence, all.items[2].sequence);
  ASSERT_OK_AND_ASSIGN(const auto last, refs().ListTagHistory(context_, "app", "v", all.items[4].sequence, 2));
  EXPECT_EQ(last.items.size(), 1u);
  EXPECT_FALSE(last.has_more);
  ASSERT_OK_AND_ASSIGN(const auto none, refs().ListTagHistory(context_, "app", "v", all.items[5].sequence, 0));
  EXPECT_THAT(none.items, IsEmpty());
  EXPECT_THAT(refs().ListTagHistory(context_, "app", "w", 0, 0), StatusIs(kNotFound, "w"));
  EXPECT_THAT(refs().ListTagHistory(context_, "app", "v", 0, -1), StatusIs(kInvalidArgument, "-1"));
}

TEST_P(StoreContractTest, ATagsHistoryIsBounded) {
  const Image images[] = {Push("app", {"v"}, 41), Push("app", {"v"}, 42)};
  for (int i = 0; i < 200; ++i) ASSERT_OK(refs().SetTag(context_, "app", "v", images[i % 2].digest));
  ASSERT_OK_AND_ASSIGN(const auto all, refs().ListTagHistory(context_, "app", "v", 0, 0));
  ASSERT_EQ(all.items.size(), 100u);
  EXPECT_EQ(all.items[0].sequence, 202u);
  EXPECT_EQ(all.items[99].sequence, 103u);
  EXPECT_EQ(all.items[0].digest, images[1].digest);
}

TEST_P(StoreContractTest, TagsAreListedInPages) {
  const Image image = Push("app", {"b", "a", "B", "v1.10", "v1.9"}, 29);
  ASSERT_OK_AND_ASSIGN(const auto all, refs().ListTags(context_, "app", "", 0));
  EXPECT_THAT(Names(all), ElementsAre("B", "a", "b", "v1.10", "v1.9"));
  EXPECT_FALSE(all.has_more);
  EXPECT_EQ(all.items[0].digest, image.digest);
  ASSERT_OK_AND_ASSIGN(const auto first, refs().ListTags(context_, "app", "", 2));
  EXPECT_THAT(Names(first), ElementsAre("B", "a"));
  EXPECT_TRUE(first.has_more);
  ASSERT_OK_AND_ASSIGN(const auto last, refs().ListTags(context_, "app", "a", 3));
  EXPECT_THAT(Names(last), ElementsAre("b", "v1.10", "v1.9"));
  EXPECT_FALSE(last.has_more);
  ASSERT_OK_AND_ASSIGN(const auto between, refs().ListTags(context_, "app", "c", 1));
  EXPECT_THAT(Names(between), ElementsAre("v1.10"));
  EXPECT_THAT(refs().ListTags(context_, "unknown", "", 0), StatusIs(kNotFound, "unknown"));
}

TEST_P(StoreContractTest, RepositoriesAreListedWithoutReservedOnes) {
  for (const char* name : {"b", "a/b", "a", "a-b", kBuildRepository}) Upload(name, "x");
  ASSERT_OK_AND_ASSIGN(const auto all, refs().ListRepositories(context_, "", 0));
  EXPECT_THAT(all.items, ElementsAre("a", "a-b", "a/b", "b"));
  ASSERT_OK_AND_ASSIGN(const auto page, refs().ListRepositories(context_, "a", 2));
  EXPECT_THAT(page.items, ElementsAre("a-b", "a/b"));
  EXPECT_TRUE(page.has_more);
}

TEST_P(StoreContractTest, ManifestsAreListedByDigest) {
  std::vector<Digest> digests = {Push("app", {"t"}, 30).digest, Push("app", {}, 31).digest, Push("app", {}, 32).digest};
  std::sort(digests.begin(), digests.end());
  ASSERT_OK_AND_ASSIGN(const auto first, refs().ListManifests(context_, "app", "", 2));
  ASSERT_EQ(first.items.size(), 2u);
  EXPECT_TRUE(first.has_more);
  EXPECT_EQ(first.items[0].digest, digests[0]);
  EXPECT_EQ(first.items[0].media_type, oci::kOciManifest);
  EXPECT_GT(first.items[0].size_bytes, 0u);
  ASSERT_OK_AND_ASSIGN(const auto rest, refs().ListManifests(context_, "app", digests[1].ToString(), 2));
  ASSERT_EQ(rest.items.size(), 1u);
  EXPECT_EQ(rest.items[0].digest, digests[2]);
  EXPECT_FALSE(rest.has_more);
}

TEST_P(StoreContractTest, ReferrersAreFoundBySubject) {
  const Digest subject = Digest::Of("a subject need not exist");
  const std::string subject_json = absl::StrCat(R"(,"subject":)", DescriptorJson(oci::kOciManifest, subject, 5));
  const Image plain = Push("app", {}, 33, subject_json);
  const Image typed = Push("app", {}, 34, absl::StrCat(subject_json, R"(,"artifactType":"application/x-sbom","annotations":{"a":"1"})"));
  Push("app", {}, 35);
  ASSERT_OK_AND_ASSIGN(const auto all, refs().ListReferrers(context_, "app", subject, "", "", 0));
  ASSERT_EQ(all.items.size(), 2u);
  EXPECT_LT(all.items[0].digest, all.items[1].digest);
  ASSERT_OK_AND_ASSIGN(const auto sboms, refs().ListReferrers(context_, "app", subject, "application/x-sbom", "", 0));
  ASSERT_EQ(sboms.items.size(), 1u);
  const Referrer& sbom = sboms.items[0];
  EXPECT_EQ(sbom.digest, typed.digest);
  EXPECT_EQ(sbom.media_type, oci::kOciManifest);
  EXPECT_EQ(sbom.size_bytes, typed.content.size());
  EXPECT_EQ(sbom.artifact_type, "application/x-sbom");
  EXPECT_THAT(sbom.annotations, ElementsAre(std::pair<std::string, std::string>("a", "1")));
  ASSERT_OK_AND_ASSIGN(const auto images, refs().ListReferrers(context_, "app", subject, oci::kOciConfig, "", 0));
  ASSERT_EQ(images.items.size(), 1u);
  EXPECT_EQ(images.items[0].digest, plain.digest);
  ASSERT_OK_AND_ASSIGN(const auto page, refs().ListReferrers(context_, "app", subject, "", all.items[0].digest.ToString(), 1));
  ASSERT_EQ(page.items.size(), 1u);
  EXPECT_EQ(page.items[0].digest, all.items[1].digest);
  EXPECT_FALSE(page.has_more);
  ASSERT_OK(refs().DeleteManifest(context_, "app", typed.digest));
  ASSERT_OK_AND_ASSIGN(const auto left, refs().ListReferrers(context_, "app", subject, "", "", 0));
  EXPECT_EQ(left.items.size(), 1u);
}

TEST_P(StoreContractTest, NoReferrersIsAnEmptyList) {
  ASSERT_OK_AND_ASSIGN(const auto none, refs().ListReferrers(context_, "nowhere", Digest::Of("x"), "", "", 0));
  EXPECT_THAT(none.items, IsEmpty());
  EXPECT_FALSE(none.has_more);
}

TEST_P(StoreContractTest, PuttingAManifestReportsItsSubject) {
  const Digest config = Upload("app", "config");
  const Digest subject = Digest::Of("s");
  const std::string extra = absl::StrCat(R"(,"subject":)", DescriptorJson(oci::kOciManifest, subject, 1));
  ASSERT_OK_AND_ASSIGN(const PutManifestResult with,
                       refs().PutManifest(context_, "app", oci::kOciManifest, ImageJson(config, config, extra), {}));
  EXPECT_EQ(with.subject, subject);
  ASSERT_OK_AND_ASSIGN(const PutManifestResult without,
                       refs().PutManifest(context_, "app", oci::kOciManifest, ImageJson(config, config), {}));
  EXPECT_EQ(without.subject, std::nullopt);
}

}  // namespace strata::blobstore
