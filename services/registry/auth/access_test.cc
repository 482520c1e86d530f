// The registry with users, tokens and a policy, by real HTTP requests.
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/auth/bcrypt.h"
#include "lib/auth/jwks.h"
#include "lib/auth/token.h"
#include "lib/testing/fake_clock.h"
#include "lib/testing/scratch_dir.h"
#include "services/registry/auth/registry_access.h"
#include "services/registry/routes/registry_fixture.h"

namespace strata::registry {
namespace {

constexpr char kPolicy[] = R"(
group devs alice identity:app-ci
allow anonymous pull public/**
allow @devs pull,push team/**
allow bob delete,pull team/**
allow carol administer **
immutable team/** v*
)";
constexpr char kNothing[] = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

class AccessTest : public RegistryFixture {
 protected:
  virtual bool issues_tokens() { return true; }

  void SetUp() override {
    WriteUsers({{"alice", "wonderland"}, {"bob", "builder"}, {"carol", "keys"}, {"eve", "apple"}});
    testing::WriteFile(scratch_.Join("policy"), kPolicy);
    signing_ = NewKey("2026-01");
    outside_ = *auth::SigningKey::Generate(auth::SignatureAlgorithm::kEs256);
    testing::WriteFile(scratch_.Join("jwks.json"), auth::FormatJwks({outside_->public_key()}));
    testing::WriteFile(scratch_.Join("issuers"), absl::StrCat(R"({"issuers":[{"issuer":"https://ci","audience":"here","jwks_file":")",
                                                              scratch_.Join("jwks.json"),
                                                              R"(","identities":[{"name":"app-ci","when":{"repository":"org/app"}}]}]})"));
    ASSERT_OK_AND_ASSIGN(files_, AccessFiles::Open({.htpasswd = scratch_.Join("users"),
                                                    .policy = scratch_.Join("policy"),
                                                    .token_keys = scratch_.Join("keys"),
                                                    .trusted_issuers = scratch_.Join("issuers")}));
    RegistryAccessOptions options;
    options.issues_tokens = issues_tokens();
    options.names = kNames;
    access_control_ = std::make_unique<RegistryAccess>(*files_, clock_, options);
    access_ = access_control_.get();
    RegistryFixture::SetUp();
  }

  void WriteUsers(const std::vector<std::pair<std::string, std::string>>& users) {
    std::string text;
    for (const auto& [name, password] : users) absl::StrAppend(&text, name, ":", *auth::HashPassword(password, auth::kMinBcryptCost), "\n");
    testing::WriteFile(scratch_.Join("users"), text);
  }
  auth::SigningKey NewKey(const std::string& name) {
    auth::SigningKey key = *auth::SigningKey::Generate(auth::SignatureAlgorithm::kEs256);
    testing::WriteFile(scratch_.Join(absl::StrCat("keys/", name, ".pem")), *key.ToPem());
    return key;
  }

  static http::Headers Basic(absl::string_view user, absl::string_view password) {
    return {{"Authorization", absl::StrCat("Basic ", absl::Base64Escape(absl::StrCat(user, ":", password)))}};
  }
  static http::Headers Bearer(absl::string_view token) { return {{"Authorization", absl::StrCat("Bearer ", token)}}; }
  static http::Headers Form() { return {{"Content-Type", "application/x-www-form-urlencoded"}}; }
  static std::string Field(const Answer& answer, absl::string_view name) {
    const auto body = json::Parse(answer.body);
    return body.ok() ? json::StringField(*body, name).value_or("") : "";
  }
  std::string TokenFor(const http::Headers& who, absl::string_view scopes) {
    const Answer answer = Send("GET", absl::StrCat("/token?service=here&scope=", http::PercentEncode(scopes)), who);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return Field(answer, "token");
  }
  std::string OutsideToken(absl::string_view repository, absl::string_view audience = "here", absl::Duration from_now = absl::Minutes(5)) {
    return *auth::SignJwt(*outside_, absl::StrCat(R"({"iss":"https://ci","sub":"job","aud":")", audience, R"(","repository":")", repository,
                                                  R"(","iat":)", absl::ToUnixSeconds(clock_.Now() + from_now - absl::Minutes(5)), R"(,"exp":)",
                                                  absl::ToUnixSeconds(clock_.Now() + from_now), "}"));
  }
  Answer Put(absl::string_view target, absl::string_view manifest, http::Headers headers) {
    headers.Set("Content-Type", kManifestType);
    return Send("PUT", target, headers, manifest);
  }
  // Content behind the registry's back.
  void Seed(const std::string& repository, const std::string& tag, const std::string& layer = "x") {
    for (const std::string& content : {std::string("{}"), layer}) {
      const Digest digest = Digest::Of(content);
      const auto id = store_->StartUpload({}, repository, digest.algorithm());
      ASSERT_OK(id);
      auto writer = store_->OpenUpload({}, repository, *id, std::nullopt);
      ASSERT_OK(writer);
      ASSERT_OK((*writer)->Write(content));
      ASSERT_OK((*writer)->Commit(digest));
    }
    ASSERT_OK(store_->PutManifest({}, repository, kManifestType, Manifest(layer), {.tags = {tag}}));
  }
  static std::string Manifest(const std::string& layer) {
    return absl::StrCat(R"({"schemaVersion":2,"mediaType":")", kManifestType, R"(","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")",
                        Digest::Of("{}").ToString(), R"(","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")",
                        Digest::Of(layer).ToString(), R"(","size":)", layer.size(), "}]}");
  }

  const auth::TokenNames kNames = {.issuer = "us", .service = "here"};
  testing::FakeClock clock_;
  testing::ScratchDir scratch_;
  std::optional<auth::SigningKey> signing_;
  std::optional<auth::SigningKey> outside_;
  std::unique_ptr<AccessFiles> files_;
  std::unique_ptr<RegistryAccess> access_control_;
};

class BasicAccessTest : public AccessTest {
  bool issues_tokens() override { return false; }
};

TEST_F(BasicAccessTest, EveryVerbByEveryIdentity) {
  Seed("team/app", "1.0");
  Seed("public/app", "1.0");
  const std::string digest = Digest::Of("x").ToString();
  const std::string location = "/v2/team/app/blobs/uploads/none";
  struct Row {
    std::string method, target;
    // anonymous, eve (nothing), alice (pull, push), bob (pull, delete), carol (administer), wrong password
    std::vector<int> want;
  };
  const std::vector<Row> rows = {
      {"GET", "/v2/", {401, 200, 200, 200, 200, 401}},
      {"HEAD", "/v2/", {401, 200, 200, 200, 200, 401}},
      {"GET", "/v1/_ping", {200, 200, 200, 200, 200, 200}},
      {"GET", "/v1/search?q=app", {200, 200, 200, 200, 200, 401}},
      {"GET", "/v2/_catalog", {200, 200, 200, 200, 200, 401}},
      {"GET", "/v2/_oci/ext/discover", {401, 200, 200, 200, 200, 401}},
      {"GET", "/v2/public/app/manifests/1.0", {200, 200, 200, 200, 200, 401}},
      {"GET", "/v2/team/app/manifests/1.0", {401, 403, 200, 200, 200, 401}},
      {"HEAD", "/v2/team/app/manifests/1.0", {401, 403, 200, 200, 200, 401}},
      {"GET", "/v2/team/app/manifests/unknown", {401, 403, 404, 404, 404, 401}},
      {"GET", "/v2/team/nothing/manifests/1.0", {401, 403, 404, 404, 404, 401}},
      {"GET", "/v2/team/app/tags/list", {401, 403, 200, 200, 200, 401}},
      {"GET", absl::StrCat("/v2/team/app/referrers/", digest), {401, 403, 200, 200, 200, 401}},
      {"GET", absl::StrCat("/v2/team/app/blobs/", digest), {401, 403, 200, 200, 200, 401}},
      {"HEAD", absl::StrCat("/v2/team/app/blobs/", digest), {401, 403, 200, 200, 200, 401}},
      {"POST", "/v2/team/app/blobs/uploads/", {401, 403, 202, 403, 202, 401}},
      {"POST", "/v2/public/app/blobs/uploads/", {401, 403, 403, 403, 202, 401}},
      {"GET", location, {401, 403, 404, 403, 404, 401}},
      {"PATCH", location, {401, 403, 404, 403, 404, 401}},
      {"PUT", absl::StrCat(location, "?digest=", digest), {401, 403, 404, 403, 404, 401}},
      {"DELETE", location, {401, 403, 404, 403, 404, 401}},
      {"PUT", "/v2/team/app/manifests/2.0", {401, 403, 400, 403, 400, 401}},
      {"DELETE", "/v2/team/app/manifests/unknown", {401, 403, 403, 404, 404, 401}},
      {"DELETE", absl::StrCat("/v2/team/app/manifests/", kNothing), {401, 403, 403, 404, 404, 401}},
      {"DELETE", absl::StrCat("/v2/team/app/blobs/", kNothing), {401, 403, 403, 404, 404, 401}},
      {"GET", "/token", {404, 404, 404, 404, 404, 404}},
  };
  const std::vector<std::pair<std::string, http::Headers>> callers = {
      {"anonymous", {}}, {"eve", Basic("eve", "apple")}, {"alice", Basic("alice", "wonderland")}, {"bob", Basic("bob", "builder")},
      {"carol", Basic("carol", "keys")}, {"wrong", Basic("alice", "wrong")}};
  for (const Row& row : rows) {
    for (size_t i = 0; i < callers.size(); ++i) {
      SCOPED_TRACE(absl::StrCat(row.method, " ", row.target, " by ", callers[i].first));
      clock_.Advance(absl::Hours(1));  // wrong passwords are forgiven
      const Answer answer = Send(row.method, row.target, callers[i].second);
      EXPECT_EQ(answer.status, row.want[i]) << answer.body;
      EXPECT_EQ(answer.Header("WWW-Authenticate"), answer.status == 401 ? "Basic realm=\"here\"" : "");
      if (row.method == "HEAD") continue;
      if (answer.status == 401) {
        EXPECT_EQ(answer.ErrorCode(), "UNAUTHORIZED");
      }
      if (answer.status == 403) {
        EXPECT_EQ(answer.ErrorCode(), "DENIED");
      }
    }
  }
}

TEST_F(BasicAccessTest, ErrorsSayWhichAccessWasMissing) {
  const Answer answer = Send("POST", "/v2/team/app/blobs/uploads/", Basic("eve", "apple"));
  EXPECT_EQ(answer.body, R"({"errors":[{"code":"DENIED","message":"user:eve may not push in team/app","detail":[)"
                         R"({"Type":"repository","Class":"","Name":"team/app","Action":"pull"},)"
                         R"({"Type":"repository","Class":"","Name":"team/app","Action":"push"}]}]})");
}

TEST_F(BasicAccessTest, ListingsHoldWhatTheCallerMayRead) {
  Seed("team/app", "1.0");
  Seed("public/app", "1.0");
  Seed("secret/app", "1.0");
  struct Case {
    http::Headers who;
    const char* want;
  };
  for (const Case& test : std::vector<Case>{{{}, R"({"repositories":["public/app"]})"},
                                            {Basic("alice", "wonderland"), R"({"repositories":["public/app","team/app"]})"},
                                            {Basic("carol", "keys"), R"({"repositories":["public/app","secret/app","team/app"]})"}}) {
    EXPECT_EQ(Send("GET", "/v2/_catalog", test.who).body, test.want);
  }
  EXPECT_FALSE(absl::StrContains(Send("GET", "/v1/search?q=app", Basic("alice", "wonderland")).body, "secret"));
}

TEST_F(BasicAccessTest, MountNeedsPullOnItsSource) {
  Seed("secret/app", "1.0", "secret layer");
  Seed("team/base", "1.0", "shared layer");
  const auto mount = [this](absl::string_view layer, absl::string_view rest) {
    return Send("POST", absl::StrCat("/v2/team/app/blobs/uploads/?mount=", Digest::Of(layer).ToString(), rest), Basic("alice", "wonderland")).status;
  };
  EXPECT_EQ(mount("shared layer", "&from=team/base"), 201);
  // Whether a blob exists where the caller may not look makes no difference.
  EXPECT_EQ(mount("secret layer", "&from=secret/app"), 202);
  EXPECT_EQ(mount("no layer", "&from=secret/app"), 202);
  EXPECT_EQ(mount("secret layer", ""), 202);
  EXPECT_EQ(mount("shared layer", ""), 201);
}

TEST_F(BasicAccessTest, ImmutableTags) {
  Seed("team/app", "v1", "x");
  Seed("team/app", "latest", "y");
  const http::Headers alice = Basic("alice", "wonderland");
  EXPECT_EQ(Put("/v2/team/app/manifests/v1", Manifest("x"), alice).status, 201);  // the same again
  const Answer refused = Put("/v2/team/app/manifests/v1", Manifest("y"), alice);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.ErrorCode(), "DENIED");
  EXPECT_TRUE(absl::StrContains(refused.body, "immutable")) << refused.body;
  EXPECT_EQ(Put("/v2/team/app/manifests/latest", Manifest("x"), alice).status, 201);
  EXPECT_EQ(Put(absl::StrCat("/v2/team/app/manifests/", Digest::Of(Manifest("y")).ToString(), "?tag=new&tag=v1"), Manifest("y"), alice).status, 403);
  EXPECT_EQ(Send("GET", "/v2/team/app/manifests/new", alice).status, 404);
  EXPECT_EQ(Put("/v2/team/app/manifests/v2", Manifest("y"), alice).status, 201);
  EXPECT_EQ(Send("DELETE", "/v2/team/app/manifests/v1", Basic("bob", "builder")).status, 403);
  EXPECT_EQ(Send("DELETE", absl::StrCat("/v2/team/app/manifests/", Digest::Of(Manifest("x")).ToString()), Basic("bob", "builder")).status, 403);
  EXPECT_EQ(Send("DELETE", "/v2/team/app/manifests/v1", Basic("carol", "keys")).status, 202);
  EXPECT_EQ(Send("DELETE", absl::StrCat("/v2/team/app/manifests/", Digest::Of(Manifest("x")).ToString()), Basic("bob", "builder")).status, 202);
}

TEST_F(BasicAccessTest, GuessingIsSlowedDown) {
  int asked = 0;
  while (asked < 20 && Send("GET", "/v2/", Basic("alice", absl::StrCat("guess", asked))).status == 401) ++asked;
  EXPECT_EQ(asked, 6);
  const Answer answer = Send("GET", "/v2/", Basic("alice", "wonderland"));
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.ErrorCode(), "TOOMANYREQUESTS");
  EXPECT_NE(answer.Header("Retry-After"), "");
  EXPECT_EQ(Send("GET", "/v2/", Basic("bob", "builder")).status, 200);
}

TEST_F(BasicAccessTest, MalformedCredentials) {
  for (const char* value : {"Basic", "Basic %%%", "Bearer", "Digest x", "nonsense", "Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.e30."}) {
    SCOPED_TRACE(value);
    EXPECT_EQ(Send("GET", "/v2/public/app/manifests/1.0", {{"Authorization", value}}).status, 401);
  }
  EXPECT_EQ(Send("GET", "/v2/", {{"Authorization", Basic("alice", "wonderland").begin()->second},
                                 {"Authorization", Basic("bob", "builder").begin()->second}}).status, 401);
}

TEST_F(BasicAccessTest, FilesAreReadAgainAndBrokenOnesAreNot) {
  const http::Headers old = Basic("alice", "wonderland");
  EXPECT_EQ(Send("GET", "/v2/", old).status, 200);
  WriteUsers({{"alice", "looking glass"}});
  files_->Refresh();
  EXPECT_EQ(Send("GET", "/v2/", old).status, 401);
  const http::Headers alice = Basic("alice", "looking glass");
  EXPECT_EQ(Send("GET", "/v2/", alice).status, 200);
  EXPECT_EQ(Send("GET", "/v2/other/app/tags/list", alice).status, 403);
  testing::WriteFile(scratch_.Join("policy"), "allow alice pull **\n");
  files_->Refresh();
  EXPECT_EQ(Send("GET", "/v2/other/app/tags/list", alice).status, 404);
  testing::WriteFile(scratch_.Join("policy"), "allow alice fly **\n");
  testing::WriteFile(scratch_.Join("users"), "alice:plain text\n");
  EXPECT_FALSE(files_->Refresh());
  EXPECT_EQ(Send("GET", "/v2/other/app/tags/list", alice).status, 404);
}

TEST_F(AccessTest, ChallengeNamesTheTokenServerAndTheScope) {
  struct Case {
    const char* method;
    const char* target;
    const char* scope;
  };
  for (const Case& test : std::vector<Case>{
           {"GET", "/v2/", ""},
           {"HEAD", "/v2/", ""},
           {"GET", "/v2/team/app/manifests/1", ",scope=\"repository:team/app:pull\""},
           {"POST", "/v2/team/app/blobs/uploads/", ",scope=\"repository:team/app:pull,push\""},
           {"POST", "/v2/team/app/blobs/uploads/?mount=x&from=team/base", ",scope=\"repository:team/app:pull,push repository:team/base:pull\""},
           {"POST", "/v2/team/app/blobs/uploads/?mount=x&from=a%22b", ",scope=\"repository:team/app:pull,push\""},
           {"DELETE", "/v2/team/app/manifests/1", ",scope=\"repository:team/app:delete\""},
       }) {
    SCOPED_TRACE(test.target);
    const Answer answer = Send(test.method, test.target, {{"Content-Length", "0"}});
    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(answer.Header("WWW-Authenticate"), absl::StrCat("Bearer realm=\"http://127.0.0.1/token\",service=\"here\"", test.scope));
    EXPECT_EQ(answer.Header("Docker-Distribution-API-Version"), "registry/2.0");
  }
}

TEST_F(AccessTest, TokenForWhatThePolicyAllows) {
  Seed("team/app", "1.0");
  Seed("public/app", "1.0");
  const Answer answer = Send("GET", "/token?service=here&scope=repository:team/app:pull,push,delete&scope=repository:secret:pull&account=alice",
                             Basic("alice", "wonderland"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(Field(answer, "token"), Field(answer, "access_token"));
  EXPECT_EQ(Field(answer, "scope"), "repository:team/app:pull,push");
  EXPECT_EQ(Field(answer, "issued_at"), "2023-11-14T22:13:20Z");
  EXPECT_EQ(Field(answer, "refresh_token"), "");
  EXPECT_TRUE(absl::StrContains(answer.body, "\"expires_in\":300"));
  EXPECT_EQ(answer.Header("Cache-Control"), "no-store");
  const http::Headers token = Bearer(Field(answer, "token"));
  EXPECT_EQ(Send("GET", "/v2/", token).status, 200);
  EXPECT_EQ(Send("GET", "/v2/team/app/manifests/1.0", token).status, 200);
  EXPECT_EQ(Send("POST", "/v2/team/app/blobs/uploads/", token).status, 202);
  const Answer wider = Send("GET", "/v2/public/app/manifests/1.0", token);
  EXPECT_EQ(wider.status, 401);
  EXPECT_EQ(wider.ErrorCode(), "UNAUTHORIZED");
  EXPECT_TRUE(absl::EndsWith(wider.Header("WWW-Authenticate"), ",scope=\"repository:public/app:pull\",error=\"insufficient_scope\""));
  // The policy may take back at once what the token still says.
  testing::WriteFile(scratch_.Join("policy"), "allow alice pull team/**\n");
  files_->Refresh();
  EXPECT_EQ(Send("GET", "/v2/team/app/manifests/1.0", token).status, 200);
  EXPECT_EQ(Send("POST", "/v2/team/app/blobs/uploads/", token).status, 403);
}

TEST_F(AccessTest, AnonymousTokens) {
  Seed("public/app", "1.0");
  const std::string token = TokenFor({}, "repository:public/app:pull,push repository:team/app:pull");
  EXPECT_EQ(Send("GET", "/v2/", Bearer(token)).status, 200);
  EXPECT_EQ(Send("GET", "/v2/public/app/manifests/1.0", Bearer(token)).status, 200);
  EXPECT_EQ(Send("GET", "/v2/team/app/manifests/1.0", Bearer(token)).status, 401);
  EXPECT_EQ(Send("POST", "/v2/public/app/blobs/uploads/", Bearer(token)).status, 401);
}

TEST_F(AccessTest, CatalogByItsOwnScope) {
  Seed("team/app", "1.0");
  const http::Headers alice = Basic("alice", "wonderland");
  EXPECT_EQ(Send("GET", "/v2/_catalog", Bearer(TokenFor(alice, "registry:catalog:*"))).body, R"({"repositories":["team/app"]})");
  EXPECT_EQ(Send("GET", "/v1/search?q=app", Bearer(TokenFor(alice, "registry:catalog:search"))).status, 200);
  EXPECT_EQ(Send("GET", "/v2/_catalog", Bearer(TokenFor(alice, "repository:team/app:pull"))).status, 401);
}

TEST_F(AccessTest, TokenEndpointRefuses) {
  const Answer wrong = Send("GET", "/token?service=here", Basic("alice", "wrong"));
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(wrong.ErrorCode(), "UNAUTHORIZED");
  EXPECT_EQ(wrong.Header("WWW-Authenticate"), "Basic realm=\"here\"");
  EXPECT_EQ(Send("GET", "/token?service=elsewhere", Basic("alice", "wonderland")).status, 400);
  EXPECT_EQ(Send("GET", "/token?scope=nonsense", Basic("alice", "wonderland")).status, 400);
  EXPECT_EQ(Send("DELETE", "/token").status, 405);
  struct Case {
    const char* form;
    int status;
    const char* error;
  };
  for (const Case& test : std::vector<Case>{
           {"grant_type=password&username=alice&password=wrong", 401, "invalid_grant"},
           {"grant_type=refresh_token&refresh_token=a.b.c", 401, "invalid_grant"},
           {"grant_type=refresh_token", 401, "invalid_grant"},
           {"grant_type=client_credentials", 400, "unsupported_grant_type"},
           {"", 400, "unsupported_grant_type"},
           {"grant_type=password&scope=nonsense", 400, "invalid_request"},
           {"grant_type=%zz", 400, "invalid_request"},
       }) {
    SCOPED_TRACE(test.form);
    const Answer answer = Send("POST", "/token", Form(), test.form);
    EXPECT_EQ(answer.status, test.status);
    EXPECT_EQ(Field(answer, "error"), test.error);
    EXPECT_NE(answer.ErrorCode(), "");
  }
  EXPECT_EQ(Send("POST", "/token", {{"Content-Type", "application/json"}}, "{}").status, 400);
  EXPECT_EQ(Send("POST", "/token", Form(), std::string(kMaxTokenFormBytes + 1, 'a')).status, 400);
  // A token of ours buys no further one.
  EXPECT_EQ(Send("GET", "/token", Bearer(TokenFor(Basic("alice", "wonderland"), ""))).status, 401);
}

TEST_F(AccessTest, RefreshTokensLastAsLongAsThePassword) {
  const Answer login = Send("POST", "/token", Form(), "grant_type=password&service=here&client_id=c&access_type=offline&username=alice&password=wonderland&scope=repository:team/app:pull+repository:public/a:pull");
  ASSERT_EQ(login.status, 200) << login.body;
  const std::string refresh = Field(login, "refresh_token");
  ASSERT_NE(refresh, "");
  EXPECT_EQ(Field(login, "scope"), "repository:team/app:pull repository:public/a:pull");
  EXPECT_NE(Field(Send("GET", "/token?offline_token=true", Basic("alice", "wonderland")), "refresh_token"), "");
  EXPECT_EQ(Field(Send("GET", "/token?offline_token=true"), "refresh_token"), "");

  const std::string form = absl::StrCat("grant_type=refresh_token&service=here&client_id=c&scope=repository:team/app:push&refresh_token=", refresh);
  const Answer again = Send("POST", "/token", Form(), form);
  ASSERT_EQ(again.status, 200) << again.body;
  EXPECT_EQ(Send("POST", "/v2/team/app/blobs/uploads/", Bearer(Field(again, "access_token"))).status, 202);
  // It opens nothing itself.
  EXPECT_EQ(Send("GET", "/v2/", Bearer(refresh)).status, 401);

  testing::WriteFile(scratch_.Join("policy"), absl::StrCat(kPolicy, "revoke alice before 2033-01-01T00:00:00Z\n"));
  files_->Refresh();
  EXPECT_EQ(Send("POST", "/token", Form(), form).status, 401);
  testing::WriteFile(scratch_.Join("policy"), kPolicy);
  files_->Refresh();
  EXPECT_EQ(Send("POST", "/token", Form(), form).status, 200);

  WriteUsers({{"alice", "looking glass"}});
  files_->Refresh();
  const Answer changed = Send("POST", "/token", Form(), form);
  EXPECT_EQ(changed.status, 401);
  EXPECT_TRUE(absl::StrContains(changed.body, "log in again"));
}

TEST_F(AccessTest, RefreshTokensExpire) {
  const std::string refresh = Field(Send("GET", "/token?offline_token=true", Basic("alice", "wonderland")), "refresh_token");
  clock_.Advance(absl::Hours(31 * 24));
  EXPECT_EQ(Send("POST", "/token", Form(), absl::StrCat("grant_type=refresh_token&refresh_token=", refresh)).status, 401);
}

TEST_F(AccessTest, BadTokensAreRefusedAndSaidToBe) {
  const std::string good = TokenFor(Basic("alice", "wonderland"), "repository:team/app:pull");
  const auth::SigningKey other = *auth::SigningKey::Generate(auth::SignatureAlgorithm::kEs256);
  const auto claims = [this](absl::string_view audience) {
    return absl::StrCat(R"({"iss":"us","sub":"user:carol","aud":")", audience, R"(","iat":1700000000,"exp":)",
                        absl::ToUnixSeconds(clock_.Now() + absl::Minutes(5)), "}");
  };
  const std::string header = R"({"alg":"ES256","jwk":)" + other.public_key().ToJwk() + "}";
  const std::string embedded = absl::StrCat(absl::WebSafeBase64Escape(header), ".", absl::WebSafeBase64Escape(claims("here")));
  const std::vector<std::pair<std::string, std::string>> tokens = {
      {"another key", *auth::SignJwt(other, claims("here"))},
      {"another audience", *auth::SignJwt(*signing_, claims("there"))},
      {"unsigned", absl::StrCat(absl::WebSafeBase64Escape(R"({"alg":"none"})"), ".", absl::WebSafeBase64Escape(claims("here")), ".")},
      {"embedded key", absl::StrCat(embedded, ".", absl::WebSafeBase64Escape(*other.Sign(embedded)))},
      {"cut", good.substr(0, good.size() - 4)},
      {"nonsense", "abc"},
  };
  for (const auto& [name, token] : tokens) {
    SCOPED_TRACE(name);
    const Answer answer = Send("GET", "/v2/team/app/manifests/1.0", Bearer(token));
    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(answer.ErrorCode(), "UNAUTHORIZED");
    EXPECT_TRUE(absl::EndsWith(answer.Header("WWW-Authenticate"), "error=\"invalid_token\"")) << answer.Header("WWW-Authenticate");
  }
  EXPECT_EQ(Send("GET", "/v2/", Bearer(*auth::SignJwt(*signing_, claims("here")))).status, 200);
  clock_.Advance(absl::Minutes(6));
  EXPECT_EQ(Send("GET", "/v2/", Bearer(good)).status, 401);
}

TEST_F(AccessTest, KeysRotate) {
  const std::string before = TokenFor(Basic("alice", "wonderland"), "");
  NewKey("2026-02");
  files_->Refresh();
  const std::string after = TokenFor(Basic("alice", "wonderland"), "");
  EXPECT_EQ(Send("GET", "/v2/", Bearer(before)).status, 200);
  EXPECT_EQ(Send("GET", "/v2/", Bearer(after)).status, 200);
  testing::WriteFile(scratch_.Join("keys/2026-01.pem"), "broken");
  EXPECT_FALSE(files_->Refresh());
  EXPECT_EQ(Send("GET", "/v2/", Bearer(before)).status, 200);
  ASSERT_EQ(::unlink(scratch_.Join("keys/2026-01.pem").c_str()), 0);
  EXPECT_TRUE(files_->Refresh());
  EXPECT_EQ(Send("GET", "/v2/", Bearer(before)).status, 401);
  EXPECT_EQ(Send("GET", "/v2/", Bearer(after)).status, 200);
}

TEST_F(AccessTest, TokensOfOutsideIssuers) {
  const std::string job = OutsideToken("org/app");
  // Directly, as a password, and exchanged for one of ours in three ways.
  EXPECT_EQ(Send("POST", "/v2/team/app/blobs/uploads/", Bearer(job)).status, 202);
  EXPECT_EQ(Send("POST", "/v2/team/app/blobs/uploads/", Basic("oidc", job)).status, 202);
  EXPECT_EQ(Send("POST", "/v2/other/app/blobs/uploads/", Bearer(job)).status, 403);
  const Answer exchanged = Send("POST", "/token", Form(),
                                absl::StrCat("grant_type=urn:ietf:params:oauth:grant-type:token-exchange&scope=repository:team/app:push&subject_token=", job));
  ASSERT_EQ(exchanged.status, 200) << exchanged.body;
  for (const std::string& token : {TokenFor(Basic("oidc", job), "repository:team/app:push"), TokenFor(Bearer(job), "repository:team/app:push"),
                                   Field(exchanged, "access_token")}) {
    EXPECT_EQ(Send("POST", "/v2/team/app/blobs/uploads/", Bearer(token)).status, 202);
  }
  EXPECT_EQ(Field(Send("GET", "/token?offline_token=true", Basic("oidc", job)), "refresh_token"), "");

  EXPECT_EQ(Send("GET", "/v2/", Bearer(OutsideToken("org/app", "there"))).status, 401);
  EXPECT_EQ(Send("GET", "/v2/", Bearer(OutsideToken("org/app", "here", -absl::Minutes(1)))).status, 401);
  EXPECT_EQ(Send("GET", "/v2/", Bearer(OutsideToken("org/other"))).status, 403);
  // A new key of the issuer.
  outside_ = *auth::SigningKey::Generate(auth::SignatureAlgorithm::kEdDsa);
  EXPECT_EQ(Send("GET", "/v2/", Bearer(OutsideToken("org/app"))).status, 401);
  testing::WriteFile(scratch_.Join("jwks.json"), auth::FormatJwks({outside_->public_key()}));
  files_->Refresh();
  EXPECT_EQ(Send("GET", "/v2/", Bearer(OutsideToken("org/app"))).status, 200);
}

TEST(IssuerKeys, PrivateAddressesAreRefused) {
  for (const char* host : {"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "[::1]",
                           "[fe80::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "localhost"}) {
    EXPECT_TRUE(absl::IsPermissionDenied(CheckPublicHost(host))) << host;
  }
  for (const char* host : {"192.0.78.1", "8.8.8.8", "172.32.0.1", "[2606:4700::1111]"}) EXPECT_OK(CheckPublicHost(host));
}

TEST(AccessFiles, SaysWhatIsWrong) {
  using testing::StatusIs;
  testing::ScratchDir scratch;
  testing::WriteFile(scratch.Join("policy"), "allow alice fly **\n");
  EXPECT_THAT(AccessFiles::Open({.policy = scratch.Join("policy")}), StatusIs(absl::StatusCode::kInvalidArgument, "line 1: verb \"fly\""));
  EXPECT_THAT(AccessFiles::Open({.policy = scratch.Join("none")}), StatusIs(absl::StatusCode::kNotFound, "opening"));
  EXPECT_THAT(AccessFiles::Open({.token_keys = scratch.path()}), StatusIs(absl::StatusCode::kFailedPrecondition, "strata-registry keygen"));
}

}  // namespace
}  // namespace strata::registry
