#include "lib/auth/authorization.h"
#include "lib/auth/scope.h"
#include "lib/testing/status_matchers.h"

namespace strata::auth {
namespace {

using testing::StatusIs;

TEST(Scope, Forms) {
  struct Case {
    const char* text;
    Scope want;
  };
  for (const Case& test : std::vector<Case>{
           {"repository:team/app:pull,push", {"repository", "", "team/app", {"pull", "push"}}},
           {"repository(plugin):team/app:pull", {"repository", "plugin", "team/app", {"pull"}}},
           {"registry:catalog:*", {"registry", "", "catalog", {"*"}}},
           {"repository:host:5000/app:pull", {"repository", "", "host:5000/app", {"pull"}}},
           {"repository:app:", {"repository", "", "app", {}}},
           {"repository:app:pull,,pull", {"repository", "", "app", {"pull"}}},
       }) {
    SCOPED_TRACE(test.text);
    ASSERT_OK_AND_ASSIGN(const Scope scope, ParseScope(test.text));
    EXPECT_EQ(scope, test.want);
  }
}

TEST(Scope, Refuses) {
  for (const std::string text : {"", "repository", "repository:app", "repository(:app:pull", "repository():app:pull", ":app:pull", "repository::pull",
                                 "repository:a\"b:pull", "repository:app:pu ll", "repository:app:pull;drop"}) {
    EXPECT_THAT(ParseScope(text), StatusIs(absl::StatusCode::kInvalidArgument, "malformed scope")) << text;
  }
  std::string many;
  for (size_t i = 0; i <= kMaxScopes; ++i) many += "repository:a:pull ";
  EXPECT_THAT(ParseScopes(many), StatusIs(absl::StatusCode::kInvalidArgument, "more than"));
  ASSERT_OK_AND_ASSIGN(const auto two, ParseScopes(" repository:a:pull  repository:b:push "));
  EXPECT_EQ(two.size(), 2u);
}

TEST(Authorization, Forms) {
  ASSERT_OK_AND_ASSIGN(const Authorization basic, ParseAuthorization("basic YWxpY2U6cGE6c3M="));
  EXPECT_EQ(std::get<BasicCredentials>(basic).user, "alice");
  EXPECT_EQ(std::get<BasicCredentials>(basic).password, "pa:ss");
  ASSERT_OK_AND_ASSIGN(const Authorization bearer, ParseAuthorization("Bearer  a.b-_.c="));
  EXPECT_EQ(std::get<BearerToken>(bearer).token, "a.b-_.c=");
}

TEST(Authorization, RefusesWithoutQuotingSecrets) {
  for (const std::string& text : {std::string("Basic"), std::string("Basic %%"), std::string("Basic c2VjcmV0"), std::string("Bearer"), std::string("Bearer a b"),
                                  std::string("Digest secret"), std::string("secret"), std::string("Basic YQo6Yg=="),
                                  "Bearer " + std::string(kMaxAuthorizationBytes, 'a')}) {
    const auto parsed = ParseAuthorization(text);
    EXPECT_THAT(parsed, StatusIs(absl::StatusCode::kInvalidArgument, "Authorization"));
    EXPECT_EQ(parsed.status().message().find("secret"), absl::string_view::npos);
  }
}

}  // namespace
}  // namespace strata::auth
