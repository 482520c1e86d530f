#include "services/builder/images/image_catalog.h"

#include "absl/strings/str_cat.h"
#include "services/builder/images/fixtures_for_test.h"
#include "services/builder/images/image_editor.h"
#include "services/builder/images/image_inspector.h"

namespace strata::images {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::StatusIs;

class ImagesTest : public ::testing::Test {
 protected:
  std::vector<std::string> Names(absl::string_view pattern, bool all = false) {
    std::vector<std::string> names;
    const auto images = catalog_.List(context_, pattern, all);
    EXPECT_OK(images);
    if (images.ok()) {
      for (const ImageSummary& image : *images) names.push_back(image.name.ToString());
    }
    return names;
  }
  bool HasManifest(const std::string& repository, const Digest& digest) {
    return store_.GetManifest(context_, repository, {.digest = digest}).ok();
  }

  blobstore::MemoryStore store_;
  ImageCatalog catalog_{store_, store_, {"reg.example:5000"}, "docker.io"};
  ImageEditor editor_{catalog_, store_};
  CallContext context_;
};

TEST_F(ImagesTest, ListsByPatternWithSizesAndPlatforms) {
  const auto app = PutImage(store_, "team/app", "1", {"layer one", "layer one", "two"});
  const auto loose = PutImage(store_, "team/app", "", {"loose"});
  PutImage(store_, "quay.example_5000/tool", "x", {"tool"});
  EXPECT_THAT(Names(""), ElementsAre("quay.example:5000/tool:x", "team/app:1"));
  EXPECT_THAT(Names("team/*"), ElementsAre("team/app:1"));
  EXPECT_THAT(Names("*/app:2"), IsEmpty());
  EXPECT_EQ(Names("team/*", true).size(), 2u);
  EXPECT_THAT(catalog_.List(context_, "[", false), StatusIs(absl::StatusCode::kInvalidArgument, "pattern \"[\""));

  ASSERT_OK_AND_ASSIGN(const auto images, catalog_.List(context_, "team/app:1", false));
  ASSERT_EQ(images.size(), 1u);
  const int64_t config_size = static_cast<int64_t>(ConfigOf({"layer one", "layer one", "two"}).size());
  EXPECT_EQ(images[0].size_bytes, app.size_bytes + config_size + 9 + 3);  // a layer that occurs twice counts once
  EXPECT_THAT(images[0].platforms, ElementsAre("linux/amd64"));
  EXPECT_EQ(images[0].created, absl::FromUnixSeconds(1'700'000'000));
  EXPECT_EQ(images[0].config, Digest::Of(ConfigOf({"layer one", "layer one", "two"})));
}

TEST_F(ImagesTest, FindsByNameDigestAndId) {
  const auto app = PutImage(store_, "app", "latest", {"a"});
  PutImage(store_, "docker.io/debian", "12", {"deb"});
  const std::string config = Digest::Of(ConfigOf({"a"})).ToString();
  struct Case {
    std::string text;
    std::string want;
    NamedBy by;
  };
  for (const Case& c : std::vector<Case>{{"app", "app:latest", NamedBy::kTag},
                                         {"reg.example:5000/app", "app:latest", NamedBy::kTag},
                                         {"app@" + app.digest.ToString(), "app@" + app.digest.ToString(), NamedBy::kDigest},
                                         {app.digest.ToString(), "app:latest", NamedBy::kId},
                                         {config.substr(7, 12), "app:latest", NamedBy::kId},
                                         {config.substr(0, 19), "app:latest", NamedBy::kId},
                                         {"debian:12", "docker.io/debian:12", NamedBy::kTag}}) {
    SCOPED_TRACE(c.text);
    ASSERT_OK_AND_ASSIGN(const FoundImage found, catalog_.Find(context_, c.text));
    EXPECT_EQ(found.name.ToString(), c.want);
    EXPECT_EQ(found.by, c.by);
  }
  EXPECT_THAT(catalog_.Find(context_, "app:2"), StatusIs(absl::StatusCode::kNotFound, "no such image: \"app:2\"; list what there is with"));
  EXPECT_THAT(catalog_.Find(context_, "0000"), StatusIs(absl::StatusCode::kNotFound, "0000"));
  EXPECT_THAT(catalog_.Find(context_, "Not A Name"), StatusIs(absl::StatusCode::kInvalidArgument, "Not A Name"));
}

TEST_F(ImagesTest, TagsWithinAndAcrossRepositories) {
  const auto amd = PutImage(store_, "app", "", {"amd"});
  const auto arm = PutImage(store_, "app", "", {"arm"}, "linux/arm64");
  const Digest index = PutIndex(store_, "app", "1", {amd, arm});
  ASSERT_OK_AND_ASSIGN(const Digest same, editor_.Tag(context_, "app:1", "app:stable"));
  ASSERT_OK_AND_ASSIGN(const Digest other, editor_.Tag(context_, "app:1", "quay.example/team/app:2"));
  EXPECT_EQ(same, index);
  EXPECT_EQ(other, index);
  EXPECT_THAT(Names(""), ElementsAre("app:1", "app:stable", "quay.example/team/app:2"));
  EXPECT_TRUE(HasManifest("quay.example/team/app", arm.digest));
  EXPECT_OK(store_.OpenBlob(context_, "quay.example/team/app", Digest::Of("arm")));
  EXPECT_THAT(editor_.Tag(context_, "app:1", "x@" + index.ToString()), StatusIs(absl::StatusCode::kInvalidArgument, "must not have a digest"));
  EXPECT_THAT(editor_.Tag(context_, "none", "x"), StatusIs(absl::StatusCode::kNotFound, "none"));
}

TEST_F(ImagesTest, RemovingTheLastNameDeletesTheManifest) {
  const auto app = PutImage(store_, "app", "1", {"a"});
  ASSERT_OK(editor_.Tag(context_, "app:1", "app:2"));
  ASSERT_OK_AND_ASSIGN(const Removal first, editor_.Remove(context_, "app:1", false));
  EXPECT_THAT(first.untagged, ElementsAre("app:1"));
  EXPECT_THAT(first.deleted, IsEmpty());
  ASSERT_OK_AND_ASSIGN(const Removal second, editor_.Remove(context_, "app:2", false));
  EXPECT_THAT(second.deleted, ElementsAre(app.digest.ToString()));
  EXPECT_FALSE(HasManifest("app", app.digest));
  EXPECT_THAT(editor_.Remove(context_, "app:2", false), StatusIs(absl::StatusCode::kNotFound, "app:2"));
}

TEST_F(ImagesTest, RemovingByIdNeedsForceForSeveralNames) {
  const auto app = PutImage(store_, "app", "1", {"a"});
  ASSERT_OK(editor_.Tag(context_, "app:1", "copy:1"));
  const std::string id(app.digest.hex().substr(0, 12));
  EXPECT_THAT(editor_.Remove(context_, id, false), StatusIs(absl::StatusCode::kFailedPrecondition, "has 2 names (app:1, copy:1)"));
  ASSERT_OK_AND_ASSIGN(const Removal removal, editor_.Remove(context_, id, true));
  EXPECT_THAT(removal.untagged, ElementsAre("app:1", "copy:1"));
  EXPECT_THAT(removal.deleted, ElementsAre(app.digest.ToString()));
  EXPECT_THAT(Names("", true), IsEmpty());
}

TEST_F(ImagesTest, RemovingANameThatLooksLikeAnIdRemovesThatNameOnly) {
  PutImage(store_, "cafe", "latest", {"a"});
  ASSERT_OK(editor_.Tag(context_, "cafe", "other:1"));
  ASSERT_OK_AND_ASSIGN(const Removal removal, editor_.Remove(context_, "cafe", false));
  EXPECT_THAT(removal.untagged, ElementsAre("cafe:latest"));
  EXPECT_THAT(Names("", true), ElementsAre("other:1"));
}

TEST_F(ImagesTest, RemovesAnIndexWithItsChildrenButNotAChildAlone) {
  const auto amd = PutImage(store_, "app", "", {"amd"});
  const auto arm = PutImage(store_, "app", "arm", {"arm"}, "linux/arm64");
  const Digest index = PutIndex(store_, "app", "1", {amd, arm});
  EXPECT_THAT(editor_.Remove(context_, std::string(amd.digest.hex()), true),
              StatusIs(absl::StatusCode::kFailedPrecondition, "remove the index instead"));
  ASSERT_OK_AND_ASSIGN(const Removal removal, editor_.Remove(context_, "app:1", false));
  EXPECT_THAT(removal.deleted, ElementsAre(index.ToString(), amd.digest.ToString()));
  EXPECT_THAT(Names("", true), ElementsAre("app:arm"));  // it has a name of its own
}

TEST_F(ImagesTest, InspectsOnePlatformOfAnIndex) {
  const auto s390 = PutImage(store_, "app", "", {"s390"}, "linux/s390x");
  const auto arm = PutImage(store_, "app", "", {"arm", "more"}, "linux/arm/v7");
  const Digest index = PutIndex(store_, "app", "1", {s390, arm});
  ImageInspector inspector(store_, store_, catalog_);
  ASSERT_OK_AND_ASSIGN(const InspectedImage image, inspector.Inspect(context_, "app:1", "linux/arm/v7"));
  EXPECT_EQ(image.summary.name.digest, index);
  EXPECT_THAT(image.summary.platforms, ElementsAre("linux/s390x", "linux/arm/v7"));
  EXPECT_THAT(image.names, ElementsAre("app:1"));
  EXPECT_EQ(Digest::Of(image.manifest), arm.digest);
  EXPECT_EQ(image.config, ConfigOf({"arm", "more"}, "linux/arm/v7"));
  ASSERT_EQ(image.layers.size(), 2u);
  EXPECT_EQ(image.layers[1].diff_id, Digest::Of("more"));
  EXPECT_EQ(image.layers[1].size_bytes, 4);
  ASSERT_OK_AND_ASSIGN(const InspectedImage first, inspector.Inspect(context_, "app:1", ""));
  EXPECT_EQ(Digest::Of(first.manifest), s390.digest);
  EXPECT_THAT(inspector.Inspect(context_, "app:1", "windows/amd64"),
              StatusIs(absl::StatusCode::kNotFound, "no variant for windows/amd64; it has linux/s390x, linux/arm/v7"));
}

}  // namespace
}  // namespace strata::images
