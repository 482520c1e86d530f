#include "services/builder/exporter/image_exporter.h"

#include "gmock/gmock.h"
#include "lib/blobstore/memory_store.h"
#include "lib/bytes/byte_stream.h"
#include "lib/testing/status_matchers.h"

namespace strata::exporter {
namespace {

using testing::StatusIs;

class ImageExporterTest : public ::testing::Test {
 protected:
  ImageContent Content(absl::string_view layer_content) {
    snapshot::Layer layer;
    layer.diff_id = layer.blob = Digest::Of(layer_content);
    layer.size_bytes = static_cast<int64_t>(layer_content.size());
    layer.media_type = "application/vnd.oci.image.layer.v1.tar";
    layer.created = absl::FromUnixSeconds(1'700'000'000);
    ImageContent content;
    content.config.platform = oci::Platform::Host();
    content.config.history.emplace_back();
    content.layers.push_back(std::move(layer));
    return content;
  }
  absl::Status Store(absl::string_view content) {
    StringSource source(content);
    return blobstore::UploadBlob(store_, {}, blobstore::kBuildRepository, source, Digest::Of(content), content.size());
  }

  blobstore::MemoryStore store_;
  ImageExporter exporter_{store_, store_};
};

TEST_F(ImageExporterTest, TheSameLayersGiveTheSameImageUnderEachName) {
  ASSERT_OK(Store("layer"));
  const std::vector<Target> targets = {{"app", "1"}, {"team/app", "latest"}};
  ASSERT_OK_AND_ASSIGN(const ExportedImage first, exporter_.Export({}, {Content("layer")}, targets, {}));
  ASSERT_OK_AND_ASSIGN(const ExportedImage second, exporter_.Export({}, {Content("layer")}, {}, {}));
  EXPECT_EQ(first.digest, second.digest);
  for (const Target& target : targets) {
    ASSERT_OK_AND_ASSIGN(const auto stored, store_.GetManifest({}, target.repository, {.tag = target.tag}));
    EXPECT_EQ(stored.digest, first.digest);
  }
}

TEST_F(ImageExporterTest, ALayerThatIsGoneIsToldWithTheWayOut) {
  const std::vector<Target> targets = {{"app", "1"}};
  EXPECT_THAT(exporter_.Export({}, {Content("gone")}, targets, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition, "build again"));
  EXPECT_THAT(store_.GetManifest({}, "app", {.tag = "1"}), StatusIs(absl::StatusCode::kNotFound, ""));
}

}  // namespace
}  // namespace strata::exporter
