#include "lib/auth/token.h"

#include "lib/auth/issuers.h"
#include "lib/testing/status_matchers.h"

namespace strata::auth {
namespace {

using testing::StatusIs;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
const TokenNames kNames = {.issuer = "https://registry.example", .service = "registry.example"};

class TokenTest : public ::testing::Test {
 protected:
  TokenTest() { AddKey(SignatureAlgorithm::kEs256); }

  void AddKey(SignatureAlgorithm algorithm) {
    auto key = SigningKey::Generate(algorithm);
    ASSERT_OK(key);
    keys_.signing.push_back(*key);
    keys_.verifying.push_back(key->public_key());
  }
  std::string Access(const Principal& principal = Principal::User("alice")) {
    auto token = IssueAccessToken(keys_, kNames, principal, {{"repository", "", "team/app", {"pull"}}}, kNow, absl::Minutes(5));
    EXPECT_OK(token);
    return token->text;
  }
  std::string Refresh() {
    auto token = IssueRefreshToken(keys_, kNames, Principal::User("alice"), "hash", kNow, absl::Hours(24));
    EXPECT_OK(token);
    return token->text;
  }
  absl::StatusOr<Caller> Read(const std::string& text, absl::Time now = kNow, const TokenNames& names = kNames) {
    const auto token = ParseJwt(text);
    if (!token.ok()) return token.status();
    return ReadAccessToken(*token, keys_, names, policy_, now);
  }

  TokenKeys keys_;
  Policy policy_;
};

TEST_F(TokenTest, AccessTokenSaysWhoAndWhat) {
  ASSERT_OK_AND_ASSIGN(const Caller caller, Read(Access()));
  EXPECT_EQ(caller.principal, Principal::User("alice"));
  ASSERT_TRUE(caller.token_scopes);
  EXPECT_EQ(caller.token_scopes->at(0).ToString(), "repository:team/app:pull");
  ASSERT_OK_AND_ASSIGN(const Caller nobody, Read(Access(Principal())));
  EXPECT_TRUE(nobody.principal.is_anonymous());
}

TEST_F(TokenTest, RefusedElsewhereAndLater) {
  EXPECT_THAT(Read(Access(), kNow + absl::Hours(1)), StatusIs(absl::StatusCode::kUnauthenticated, "expired"));
  EXPECT_THAT(Read(Access(), kNow, {kNames.issuer, "other"}), StatusIs(absl::StatusCode::kUnauthenticated, "audience"));
  EXPECT_THAT(Read(Access(), kNow, {"other", kNames.service}), StatusIs(absl::StatusCode::kUnauthenticated, "issuer"));
}

TEST_F(TokenTest, NeitherKindPassesForTheOther) {
  EXPECT_THAT(Read(Refresh()), StatusIs(absl::StatusCode::kUnauthenticated, "audience"));
  ASSERT_OK_AND_ASSIGN(const Jwt access, ParseJwt(Access()));
  EXPECT_THAT(ReadRefreshToken(access, keys_, kNames, policy_, kNow), StatusIs(absl::StatusCode::kUnauthenticated, "audience"));
  ASSERT_OK_AND_ASSIGN(const Jwt refresh, ParseJwt(Refresh()));
  ASSERT_OK_AND_ASSIGN(const RefreshClaims claims, ReadRefreshToken(refresh, keys_, kNames, policy_, kNow));
  EXPECT_EQ(claims.principal, Principal::User("alice"));
  EXPECT_EQ(claims.password_fingerprint, PasswordFingerprint("hash"));
  EXPECT_NE(claims.password_fingerprint, PasswordFingerprint("another"));
}

TEST_F(TokenTest, TheNewestKeySignsAndAllVerify) {
  const std::string old = Access();
  AddKey(SignatureAlgorithm::kEdDsa);
  const std::string fresh = Access();
  EXPECT_OK(Read(old));
  EXPECT_OK(Read(fresh));
  ASSERT_OK_AND_ASSIGN(const Jwt parsed, ParseJwt(fresh));
  EXPECT_EQ(parsed.algorithm, "EdDSA");
  keys_.verifying.erase(keys_.verifying.begin());
  EXPECT_THAT(Read(old), StatusIs(absl::StatusCode::kUnauthenticated, "unknown key"));
}

TEST_F(TokenTest, Revoked) {
  const std::string token = Access();
  ASSERT_OK_AND_ASSIGN(policy_, Policy::Parse("revoke alice before 2033-01-01T00:00:00Z"));
  EXPECT_THAT(Read(token), StatusIs(absl::StatusCode::kUnauthenticated, "revoked"));
  EXPECT_OK(Read(Access(Principal::User("bob"))));
}

TEST(Issuers, IdentifiesByConditions) {
  ASSERT_OK_AND_ASSIGN(const TrustedIssuers issuers, ParseTrustedIssuers(R"({
    // two of them
    "issuers": [
      {"issuer": "https://ci", "audience": "registry", "jwks_url": "https://ci/jwks", "identities": [
        {"name": "release", "when": {"repository": "org/app", "sub": "repo:org/app:ref:refs/tags/*"}},
        {"name": "branch", "when": {"repository": "org/*"}}]},
      {"issuer": "https://k8s", "audience": "registry", "jwks_file": "/k8s.json", "identities": [
        {"name": "runner", "when": {"kubernetes.io/namespace": "ci"}}]}
    ]})"));
  struct Case {
    const char* issuer;
    std::vector<std::pair<std::string, std::string>> claims;
    const char* want;
  };
  for (const Case& test : std::vector<Case>{
           {"https://ci", {{"repository", "org/app"}, {"sub", "repo:org/app:ref:refs/tags/v1"}}, "identity:release"},
           {"https://ci", {{"repository", "org/app"}, {"sub", "repo:org/app:ref:refs/heads/x"}}, "identity:branch"},
           {"https://ci", {{"repository", "evil/org/app"}}, ""},
           {"https://ci", {{"sub", "repo:org/app:ref:refs/tags/v1"}}, ""},
           {"https://ci", {}, ""},
           {"https://k8s", {{"kubernetes.io/namespace", "ci"}}, "identity:runner"},
           {"https://k8s", {{"kubernetes.io/namespace", "ci2"}}, ""},
       }) {
    Jwt token;
    token.claims = test.claims;
    const auto principal = FindIssuer(issuers, test.issuer)->Identify(token);
    EXPECT_EQ(principal.ok() ? principal->ToString() : "", test.want);
  }
  EXPECT_EQ(FindIssuer(issuers, "https://other"), nullptr);
}

TEST(Issuers, Refuses) {
  const auto issuer = [](const std::string& fields) { return R"({"issuers":[{"issuer":"i","audience":"a",)" + fields + "}]}"; };
  const std::string identity = R"("identities":[{"name":"n","when":{"sub":"x"}}])";
  struct Case {
    std::string text;
    const char* why;
  };
  for (const Case& test : std::vector<Case>{
           {"{}", "issuers"},
           {R"({"issuers":[],"x":1})", "no field \"x\""},
           {issuer(R"("jwks_url":"http://x",)" + identity), "https://"},
           {issuer(identity), "jwks_file"},
           {issuer(R"("jwks_file":"/x","jwks_url":"https://x",)" + identity), "jwks_file"},
           {issuer(R"("jwks_file":"/x","identities":[])"), "at least one"},
           {issuer(R"("jwks_file":"/x","identities":[{"name":"n","when":{}}])"), "no condition"},
           {issuer(R"("jwks_file":"/x","identities":[{"name":"a b","when":{"sub":"x"}}])"), "name"},
           {R"({"issuers":[{"issuer":"i","jwks_file":"/x",)" + identity + "}]}", "audience"},
       }) {
    EXPECT_THAT(ParseTrustedIssuers(test.text), StatusIs(absl::StatusCode::kInvalidArgument, test.why)) << test.text;
  }
}

}  // namespace
}  // namespace strata::auth
