#include "lib/oci/image_config.h"

#include "lib/testing/status_matchers.h"

namespace strata::oci {
namespace {

TEST(ImageConfig, ReadsWhatItWrites) {
  ImageConfig config;
  config.created = absl::FromUnixMillis(1'700'000'000'123);
  config.platform = *Platform::Parse("linux/arm/v7");
  config.user = "app:1";
  config.exposed_ports = {"80/tcp", "53/udp"};
  config.SetEnv("PATH", "/bin");
  config.SetEnv("A", "x=y");
  config.SetEnv("PATH", "/usr/bin");
  config.entrypoint = {{"/app"}};
  config.cmd.emplace();
  config.labels = {{"b", "2"}, {"a", "1"}};
  config.healthcheck = Healthcheck{.test = {"CMD", "true"}, .interval_ns = 5'000'000'000, .retries = 3};
  config.on_build = {"RUN true"};
  config.diff_ids = {Digest::Of("layer")};
  config.history = {{.created = config.created, .created_by = "RUN x", .comment = "strata"},
                    {.created_by = "CMD []", .empty_layer = true}};
  ASSERT_OK_AND_ASSIGN(const ImageConfig read, ImageConfig::Parse(config.ToJson()));
  EXPECT_EQ(read.ToJson(), config.ToJson());
  EXPECT_EQ(read.env, (std::vector<std::string>{"PATH=/usr/bin", "A=x=y"}));
  EXPECT_EQ(*read.FindEnv("A"), "A=x=y");
  ASSERT_TRUE(read.cmd.has_value());
  EXPECT_TRUE(read.cmd->empty());
  EXPECT_EQ(read.created, config.created);
  EXPECT_EQ(read.history.size(), 2u);
}

TEST(ImageConfig, RefusesWrongTypes) {
  for (const char* text : {"[]", R"({"config":{"Env":"x"}})", R"({"rootfs":{"diff_ids":["x"]}})", R"({"created":"yesterday"})"}) {
    SCOPED_TRACE(text);
    EXPECT_THAT(ImageConfig::Parse(text), testing::StatusIs(absl::StatusCode::kInvalidArgument, ""));
  }
}

TEST(ImageConfig, TakesWhatDockerWrites) {
  EXPECT_OK(ImageConfig::Parse(
      R"({"architecture":"amd64","config":{"Hostname":"","Env":["PATH=/bin"],"Cmd":["sh"],"Volumes":null,"OnBuild":null,"Labels":null},
          "created":"2023-05-18T22:34:17.123456789Z","os":"linux","container_config":{},"rootfs":{"type":"layers","diff_ids":[]}})"));
}

}  // namespace
}  // namespace strata::oci
