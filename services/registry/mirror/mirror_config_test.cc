#include "services/registry/mirror/mirror_config.h"

#include "absl/strings/str_cat.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::registry::mirror {
namespace {

using testing::StatusIs;

std::string Document(absl::string_view entry) { return absl::StrCat("{\"mirrors\": [", entry, "]}"); }

absl::StatusOr<MirrorConfig> ParseOne(absl::string_view entry) {
  auto mirrors = ParseMirrors(Document(entry));
  if (!mirrors.ok()) return mirrors.status();
  return mirrors->at(0);
}

TEST(MirrorConfigTest, DockerHubNeedsThreeWords) {
  ASSERT_OK_AND_ASSIGN(const MirrorConfig hub, ParseOne(R"({"prefix": "docker-hub", "namespaces": ["docker.io"], "upstream": "https://docker.io"})"));
  EXPECT_EQ(hub.UpstreamText(), "https://registry-1.docker.io");
  EXPECT_EQ(hub.UpstreamName("debian"), "library/debian");
  EXPECT_EQ(hub.UpstreamName("team/app"), "team/app");
  EXPECT_FALSE(hub.allow_private);
  EXPECT_EQ(hub.revalidate_after, absl::Minutes(5));
}

TEST(MirrorConfigTest, NamesAreMapped) {
  ASSERT_OK_AND_ASSIGN(const MirrorConfig mirror, ParseOne(R"({"prefix": "", "upstream": "http://r.example:5000", "repository": "org",
      "repositories": ["org/public/**", "org/tool"], "library": false})"));
  EXPECT_EQ(mirror.UpstreamName("public/a/b"), "org/public/a/b");
  EXPECT_EQ(mirror.UpstreamName("tool"), "org/tool");
  for (const char* name : {"secret", "tool/x", "", "..", "public/../secret", "public//x", "Public/x"}) {
    EXPECT_EQ(mirror.UpstreamName(name), std::nullopt) << name;
  }
}

TEST(MirrorConfigTest, CredentialsAreForTheUpstreamAndItsTokenServers) {
  ASSERT_OK_AND_ASSIGN(const MirrorConfig mirror, ParseOne(R"({"prefix": "q", "upstream": "https://quay.example:8443", "token_hosts": ["AUTH.example"]})"));
  const auto trusts = [&mirror](const char* url) { return mirror.TrustsTokenServer(*http::Url::Parse(url)); };
  EXPECT_TRUE(trusts("https://quay.example:8443/token"));
  EXPECT_TRUE(trusts("https://auth.example/token"));
  for (const char* url : {"https://quay.example/token", "http://quay.example:8443/token", "https://quay.example.evil.example:8443/token",
                          "https://evil.example/quay.example:8443", "http://auth.example/token", "https://auth.example:444/"}) {
    EXPECT_FALSE(trusts(url)) << url;
  }
  ASSERT_OK_AND_ASSIGN(const MirrorConfig hub, ParseOne(R"({"prefix": "d", "upstream": "https://registry-1.docker.io"})"));
  EXPECT_TRUE(hub.TrustsTokenServer(*http::Url::Parse("https://auth.docker.io/token")));
}

TEST(MirrorConfigTest, RefusesWhatItDoesNotUnderstand) {
  const std::string good = R"("prefix": "p", "upstream": "https://r.example")";
  const struct {
    std::string entry, says;
  } cases[] = {
      {"[]", "must be an object"},
      {R"({"upstream": "https://r.example"})", "\"prefix\" is missing"},
      {R"({"prefix": "p"})", "\"upstream\""},
      {R"({"prefix": "P", "upstream": "https://r.example"})", "\"prefix\""},
      {R"({"prefix": "p/", "upstream": "https://r.example"})", "\"prefix\""},
      {R"({"prefix": "p", "upstream": "ftp://r.example"})", "\"upstream\""},
      {R"({"prefix": "p", "upstream": "https://u:p@r.example"})", "\"upstream\""},
      {R"({"prefix": "p", "upstream": "https://r.example/v2/team"})", "\"upstream\" must end after host and port"},
      {absl::StrCat("{", good, R"(, "alow_private": true})"), "\"alow_private\" is no field"},
      {absl::StrCat("{", good, R"(, "allow_private": "yes"})"), "allow_private"},
      {absl::StrCat("{", good, R"(, "user": "ann"})"), "go together"},
      {absl::StrCat("{", good, R"(, "user": "ann", "password_file": "/nonexistent"})"), "password file"},
      {absl::StrCat("{", good, R"(, "ca_file": "/nonexistent"})"), "/nonexistent"},
      {absl::StrCat("{", good, R"(, "revalidate_after": "soon"})"), "\"revalidate_after\""},
      {absl::StrCat("{", good, R"(, "revalidate_after": "-1s"})"), "\"revalidate_after\""},
      {absl::StrCat("{", good, R"(, "namespaces": ["https://docker.io"]})"), "\"namespaces\""},
      {absl::StrCat("{", good, R"(, "repositories": ["[a"]})"), "\"repositories\""},
      {absl::StrCat("{", good, "}, {", good, "}"), "mirror 2: \"prefix\" is that of another"},
      {absl::StrCat("{", good, R"(, "namespaces": ["a.example"]}, {"prefix": "q", "upstream": "https://r.example", "namespaces": ["A.example"]})"),
       "as another mirror"},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.entry);
    const auto parsed = ParseMirrors(Document(test.entry));
    ASSERT_FALSE(parsed.ok());
    EXPECT_THAT(std::string(parsed.status().message()), ::testing::HasSubstr(test.says));
  }
  for (const char* text : {"", "[]", "{}", R"({"mirrors": {}})", R"({"mirrors": [], "more": 1})"}) EXPECT_FALSE(ParseMirrors(text).ok()) << text;
}

TEST(MirrorConfigTest, PasswordsAreTheFirstLine) {
  const testing::ScratchDir dir;
  testing::WriteFile(dir.Join("password"), "s3cret\r\nmore\n");
  EXPECT_EQ(*ReadPassword(dir.Join("password")), "s3cret");
  testing::WriteFile(dir.Join("empty"), "\n");
  EXPECT_THAT(ReadPassword(dir.Join("empty")), StatusIs(absl::StatusCode::kFailedPrecondition, "empty"));
}

}  // namespace
}  // namespace strata::registry::mirror
