#include "cli/credentials/credentials.h"

#include "cli/exit_code.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::cli {
namespace {

using testing::ScratchDir;
using testing::StatusIs;
using testing::WriteFile;

// base64("user:pa:ss"), base64("other:secret")
constexpr char kConfig[] = R"({
  "auths": {
    "https://index.docker.io/v1/": {"auth": "dXNlcjpwYTpzcw=="},
    "quay.example:5000": {"auth": "b3RoZXI6c2VjcmV0", "email": "a@b"},
    "kept.by.a.helper": {}
  },
  "credsStore": "desktop"
})";

TEST(CredentialsTest, ReadsWhatDockerLoginWrote) {
  ASSERT_OK_AND_ASSIGN(const auto credentials, ParseDockerConfig(kConfig));
  ASSERT_EQ(credentials.size(), 2u);
  EXPECT_EQ(credentials[0].host, "docker.io");
  EXPECT_EQ(credentials[0].user, "user");
  EXPECT_EQ(credentials[0].password, "pa:ss");
  EXPECT_EQ(credentials[1].host, "quay.example:5000");
  EXPECT_EQ(credentials[1].password, "secret");
}

TEST(CredentialsTest, ALoginWithATokenServerIsARefreshToken) {
  ASSERT_OK_AND_ASSIGN(const auto credentials,
                       ParseDockerConfig(R"({"auths": {"quay.example": {"auth": "b3RoZXI6", "identitytoken": "a.b.c"}}})"));
  ASSERT_EQ(credentials.size(), 1u);
  EXPECT_EQ(credentials[0].user, "<token>");
  EXPECT_EQ(credentials[0].password, "a.b.c");
}

TEST(CredentialsTest, EmptyFilesHoldNothing) {
  for (const char* text : {"", "{}", "{\"auths\":{}}", "{\"auths\":null}"}) {
    ASSERT_OK_AND_ASSIGN(const auto credentials, ParseDockerConfig(text));
    EXPECT_TRUE(credentials.empty()) << text;
  }
}

TEST(CredentialsTest, NamesWhatIsWrongWithoutTheSecret) {
  EXPECT_THAT(ParseDockerConfig("{"), StatusIs(absl::StatusCode::kInvalidArgument, ""));
  EXPECT_THAT(ParseDockerConfig(R"({"auths":[]})"), StatusIs(absl::StatusCode::kInvalidArgument, "\"auths\" is not an object"));
  const auto wrong = ParseDockerConfig(R"({"auths":{"h":{"auth":"hunter2!"}}})");
  EXPECT_THAT(wrong, StatusIs(absl::StatusCode::kInvalidArgument, "auths, \"h\": \"auth\" is not base64"));
  EXPECT_EQ(wrong.status().message().find("hunter2"), absl::string_view::npos);
}

TEST(CredentialsTest, VariablesWinOverTheFile) {
  ScratchDir scratch;
  WriteFile(scratch.Join("config.json"), kConfig);
  ASSERT_OK_AND_ASSIGN(const auto credentials, LoadCredentials({.docker_config = scratch.Join("config.json"),
                                                                .host = "quay.example:5000",
                                                                .user = "ci",
                                                                .password = "token"}));
  ASSERT_EQ(credentials.size(), 2u);
  EXPECT_EQ(credentials[1].host, "quay.example:5000");
  EXPECT_EQ(credentials[1].user, "ci");
}

TEST(CredentialsTest, RefusesHalfAnAnswer) {
  ScratchDir scratch;
  ASSERT_OK_AND_ASSIGN(const auto none, LoadCredentials({.docker_config = scratch.Join("none")}));
  EXPECT_TRUE(none.empty());
  EXPECT_THAT(LoadCredentials({.host = "h", .user = "u"}), StatusIs(absl::StatusCode::kInvalidArgument, "must be set together"));
  EXPECT_THAT(LoadCredentials({.user = "u", .password = "p"}), StatusIs(absl::StatusCode::kInvalidArgument, "--registry-host"));
  WriteFile(scratch.Join("broken"), "{");
  const auto broken = LoadCredentials({.docker_config = scratch.Join("broken")});
  EXPECT_THAT(broken, StatusIs(absl::StatusCode::kInvalidArgument, scratch.Join("broken")));
  EXPECT_EQ(ExitCodeOf(broken.status()), ExitCode::kUsage);
}

}  // namespace
}  // namespace strata::cli
