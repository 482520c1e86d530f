#include "lib/oci/manifest.h"

#include "absl/strings/str_cat.h"
#include "lib/oci/media_type.h"
#include "lib/testing/status_matchers.h"

namespace strata::oci {
namespace {

using testing::StatusIs;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

Descriptor Describe(absl::string_view content, absl::string_view media_type) {
  Descriptor descriptor;
  descriptor.media_type = std::string(media_type);
  descriptor.digest = Digest::Of(content);
  descriptor.size_bytes = static_cast<int64_t>(content.size());
  return descriptor;
}

TEST(Manifest, ReadsWhatItWrites) {
  Manifest manifest;
  manifest.media_type = kOciManifest;
  manifest.config = Describe("{}", kOciConfig);
  manifest.layers = {Describe("layer", kOciLayerGzip)};
  manifest.annotations = {{"k", "v"}};
  ASSERT_OK_AND_ASSIGN(const Manifest read, ParseManifest(WriteManifest(manifest), kOciManifest));
  EXPECT_FALSE(read.is_index);
  ASSERT_EQ(read.layers.size(), 1u);
  EXPECT_EQ(read.layers[0].digest, Digest::Of("layer"));
  EXPECT_EQ(read.config->media_type, kOciConfig);
  EXPECT_EQ(read.EffectiveArtifactType(), kOciConfig);
}

TEST(Manifest, SelectsThePlatform) {
  Manifest index;
  index.media_type = kOciIndex;
  index.is_index = true;
  for (const char* name : {"linux/amd64", "linux/arm/v6", "linux/arm64"}) {
    index.manifests.push_back(Describe(name, kOciManifest));
    index.manifests.back().platform = *Platform::Parse(name);
  }
  ASSERT_OK_AND_ASSIGN(const Manifest read, ParseManifest(WriteManifest(index)));
  EXPECT_EQ(SelectPlatform(read, *Platform::Parse("arm64"))->digest, Digest::Of("linux/arm64"));
  EXPECT_EQ(SelectPlatform(read, *Platform::Parse("linux/arm/v7"))->digest, Digest::Of("linux/arm/v6"));
  EXPECT_EQ(SelectPlatform(read, *Platform::Parse("linux/s390x")), nullptr);
}

TEST(Manifest, RefusesConfusion) {
  const std::string layer = absl::StrCat(R"({"mediaType":"x","size":1,"digest":")", Digest::Of("a").ToString(), "\"}");
  const struct {
    std::string content, type, message;
  } kCases[] = {
      {"[]", "", "must be a JSON object"},
      {R"({"schemaVersion":1})", "", "only version 2"},
      {R"({"schemaVersion":2,"layers":[],"manifests":[]})", "", "both"},
      {R"({"schemaVersion":2,"mediaType":"a"})", "b", "was sent as"},
      {R"({"schemaVersion":2,"layers":[]})", kOciIndex, "does not fit"},
      {R"({"schemaVersion":2,"manifests":[]})", kOciManifest, "does not fit"},
      {R"({"schemaVersion":2,"layers":[{"digest":"sha256:x","size":1}]})", "", "layers[0]"},
      {R"({"schemaVersion":2,"config":{"digest":"sha256:x"}})", "", "config: "},
      {R"({"schemaVersion":2,"layers":5})", "", "list of descriptors"},
      {absl::StrCat(R"({"schemaVersion":2,"layers":[],"layers":[)", layer, "]}"), "", "twice"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.content);
    EXPECT_THAT(ParseManifest(c.content, c.type), StatusIs(kInvalid, c.message));
  }
  EXPECT_THAT(ParseManifest(std::string(kMaxManifestBytes + 1, ' ')), StatusIs(kInvalid, "limit"));
}

TEST(ChainId, FollowsTheSpecification) {
  const Digest a = Digest::Of("a"), b = Digest::Of("b");
  EXPECT_EQ(ChainId({a}), a);
  EXPECT_EQ(ChainId({a, b}), Digest::Of(a.ToString() + " " + b.ToString()));
  EXPECT_TRUE(ChainId({}).is_empty());
}

}  // namespace
}  // namespace strata::oci
