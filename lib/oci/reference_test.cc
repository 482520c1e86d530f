#include "lib/oci/reference.h"

#include "absl/strings/str_cat.h"
#include "lib/oci/platform.h"
#include "lib/testing/status_matchers.h"

namespace strata::oci {
namespace {

using testing::StatusIs;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(Reference, SplitsHostPathTagAndDigest) {
  const std::string digest = Digest::Of("").ToString();
  const struct {
    std::string text, host, path, tag;
    bool has_digest;
  } kCases[] = {
      {"app", "", "app", "", false},
      {"app:1", "", "app", "1", false},
      {"team/app:1.2", "", "team/app", "1.2", false},
      {"127.0.0.1:5000/app", "127.0.0.1:5000", "app", "", false},
      {"localhost/app:x", "localhost", "app", "x", false},
      {"Quay.Example/team/app:1@" + digest, "quay.example", "team/app", "1", true},
      {"app@" + digest, "", "app", "", true},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.text);
    ASSERT_OK_AND_ASSIGN(const Reference reference, Reference::Parse(c.text));
    EXPECT_EQ(reference.host, c.host);
    EXPECT_EQ(reference.path, c.path);
    EXPECT_EQ(reference.tag, c.tag);
    EXPECT_EQ(reference.digest.has_value(), c.has_digest);
  }
}

TEST(Reference, RefusesWhatIsNone) {
  for (const char* text : {"", ":", "app:", "App", "app/../x", "a//b", "-a", "a-", "a___b", "_build", "app:.x", "app@sha256:00",
                           "host:99999/app", "app:a b", "a\n", "/app"}) {
    SCOPED_TRACE(text);
    EXPECT_THAT(Reference::Parse(text), StatusIs(kInvalid, ""));
  }
  EXPECT_THAT(ValidateRepository(std::string(256, 'a')), StatusIs(kInvalid, "256 bytes"));
}

TEST(Reference, NamesOfTheStore) {
  const std::vector<std::string> own = {"127.0.0.1:5000"};
  EXPECT_EQ(Reference::Parse("127.0.0.1:5000/app")->StoreRepository(own), "app");
  const std::string foreign = Reference::Parse("127.0.0.1:6000/team/app")->StoreRepository(own);
  EXPECT_EQ(foreign, "127.0.0.1_6000/team/app");
  EXPECT_OK(ValidateRepository(foreign));
  EXPECT_EQ(DisplayName(foreign), "127.0.0.1:6000/team/app");
  EXPECT_EQ(DisplayName("team_1/app"), "team_1/app");
}

TEST(Platform, NormalisesNames) {
  EXPECT_EQ(Platform::Parse("linux/x86_64")->ToString(), "linux/amd64");
  EXPECT_EQ(Platform::Parse("linux/arm64/v8")->ToString(), "linux/arm64");
  EXPECT_EQ(Platform::Parse("linux/arm")->ToString(), "linux/arm/v7");
  EXPECT_THAT(Platform::Parse("linux//"), StatusIs(kInvalid, "not a platform"));
}

}  // namespace
}  // namespace strata::oci
