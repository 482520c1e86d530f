#include "services/builder/images/image_importer.h"

#include "lib/compress/gzip.h"
#include "lib/testing/fake_clock.h"
#include "services/builder/images/fixtures_for_test.h"
#include "services/builder/source/stored_image.h"

namespace strata::images {
namespace {

using ::testing::ElementsAre;
using testing::StatusIs;

class ImporterTest : public ::testing::Test {
 protected:
  absl::StatusOr<ImportedImage> Import(const std::string& content, const ImportSpec& spec) {
    StringSource source(content);
    return ImageImporter(store_, store_, catalog_, clock_, {}).Import(context_, spec, source);
  }
  int64_t StoredBytes() { return store_.GetStatistics(context_)->blobs; }

  testing::FakeClock clock_;
  blobstore::MemoryStore store_;
  ImageCatalog catalog_{store_, store_, {}, "docker.io"};
  CallContext context_;
  const std::string tar_ = MakeTar({{"etc/hostname", "strata"}, {"bin/sh", std::string(100'000, 'x')}});
};

TEST_F(ImporterTest, MakesAnImageOfAPlainTar) {
  ASSERT_OK_AND_ASSIGN(const ImportedImage imported,
                       Import(tar_, {.name = "team/base:1", .message = "from the lab", .platform = "linux/arm64",
                                     .changes = {"ENV A=1 B=2", "ENV PATH=/opt:$A", "CMD [\"/bin/sh\"]", "WORKDIR /srv", "WORKDIR app",
                                                 "EXPOSE 80", "LABEL a=b", "USER nobody", "VOLUME /data", "STOPSIGNAL SIGINT",
                                                 "HEALTHCHECK CMD true", "ENTRYPOINT run $HOME"}}));
  EXPECT_EQ(imported.name.ToString(), "team/base:1");
  ASSERT_OK_AND_ASSIGN(const source::StoredImage image,
                       source::OpenStoredImage(context_, store_, store_, "team/base", {.tag = "1"}, oci::Platform::Host()));
  EXPECT_EQ(image.raw.digest, imported.name.digest);
  EXPECT_EQ(image.manifest.config->digest, imported.config);
  ASSERT_EQ(image.layers.size(), 1u);
  EXPECT_EQ(image.layers[0].diff_id, Digest::Of(tar_));
  EXPECT_EQ(image.layers[0].media_type, oci::kOciLayerGzip);
  EXPECT_EQ(image.layers[0].size_bytes, imported.size_bytes);
  EXPECT_LT(imported.size_bytes, 10'000);
  EXPECT_EQ(image.config.platform.ToString(), "linux/arm64");
  EXPECT_THAT(image.config.env, ElementsAre("A=1", "B=2", "PATH=/opt:1"));
  EXPECT_THAT(*image.config.cmd, ElementsAre("/bin/sh"));
  EXPECT_THAT(*image.config.entrypoint, ElementsAre("/bin/sh", "-c", "run $HOME"));
  EXPECT_EQ(image.config.working_dir, "/srv/app");
  EXPECT_EQ(image.config.user, "nobody");
  EXPECT_EQ(image.config.stop_signal, "SIGINT");
  EXPECT_THAT(image.config.exposed_ports, ElementsAre("80/tcp"));
  ASSERT_EQ(image.config.history.size(), 1u);
  EXPECT_EQ(image.config.history[0].comment, "from the lab");
  EXPECT_EQ(image.config.created, clock_.Now());
}

TEST_F(ImporterTest, ACompressedTarGivesTheSameLayer) {
  std::string compressed;
  StringSink sink(&compressed);
  compress::GzipSink gzip(sink);
  ASSERT_OK(gzip.Write(tar_));
  ASSERT_OK(gzip.Finish());
  ASSERT_OK_AND_ASSIGN(const ImportedImage plain, Import(tar_, {.name = "a"}));
  ASSERT_OK_AND_ASSIGN(const ImportedImage zipped, Import(compressed, {.name = "b"}));
  EXPECT_EQ(plain.name.digest, zipped.name.digest);
  EXPECT_EQ(zipped.name.ToString(), "b:latest");
}

TEST_F(ImporterTest, RefusesWhatIsNoTarAndLeavesNothing) {
  for (const std::string& bad : {std::string("hello, this is no archive"), std::string(2000, 'x'), tar_.substr(0, 50'000), std::string(),
                                 std::string(1024, '\0')}) {
    EXPECT_THAT(Import(bad, {.name = "app:1"}), StatusIs(absl::StatusCode::kInvalidArgument, "importing the archive for app:1"));
  }
  EXPECT_EQ(StoredBytes(), 0);
  EXPECT_THAT(catalog_.Find(context_, "app:1"), StatusIs(absl::StatusCode::kNotFound, ""));
}

TEST_F(ImporterTest, RefusesWrongSpecsBeforeReading) {
  struct Case {
    ImportSpec spec;
    std::string want;
  };
  for (const Case& c : std::vector<Case>{{{.name = ""}, "needs a name"},
                                         {{.name = "App"}, "App"},
                                         {{.name = "app@" + Digest::Of("").ToString()}, "must not have a digest"},
                                         {{.name = "app", .platform = "a/b/c/d"}, "a/b/c/d"},
                                         {{.name = "app", .changes = {"RUN true"}}, "RUN true: RUN cannot be used here"},
                                         {{.name = "app", .changes = {"NOPE"}}, "NOPE"},
                                         {{.name = "app", .changes = {"EXPOSE x"}}, "EXPOSE x: invalid EXPOSE port"}}) {
    SCOPED_TRACE(c.want);
    EXPECT_THAT(Import(tar_, c.spec), StatusIs(absl::StatusCode::kInvalidArgument, c.want));
  }
  EXPECT_EQ(StoredBytes(), 0);
}

}  // namespace
}  // namespace strata::images
