#include "lib/distribution/registry_client.h"

#include "absl/strings/str_cat.h"
#include "lib/distribution/fake_registry.h"
#include "lib/testing/status_matchers.h"

namespace strata::distribution {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::StatusIs;

std::string BigContent() {
  std::string content;
  for (int i = 0; content.size() < 3'000'000; ++i) absl::StrAppend(&content, i, ",");
  return content;
}

class RegistryClientTest : public ::testing::Test {
 protected:
  RegistryClient MakeClient(std::optional<Credentials> credentials = std::nullopt) {
    return RegistryClient(http_, {.credentials = [credentials](const std::string&) { return credentials; }, .first_retry_delay = absl::ZeroDuration()});
  }
  absl::StatusOr<std::string> Pull(RegistryClient& client, const RemoteRepository& remote, const Digest& digest, int64_t size = -1) {
    auto source = client.FetchBlob(context_, remote, digest, size);
    if (!source.ok()) return source.status();
    return ReadAll(**source, 64 << 20);
  }

  http::Client http_;
  CallContext context_;
};

TEST_F(RegistryClientTest, FetchesAndVerifiesManifests) {
  FakeRegistry registry;
  const std::string content = "{\"schemaVersion\":2}";
  registry.AddManifest("team/app", "1.4", content);
  registry.AddManifest("team/app", Digest::Of(content).ToString(), content);
  RegistryClient client = MakeClient();
  const RemoteRepository remote{registry.host(), "team/app"};
  for (const std::string& reference : {std::string("1.4"), Digest::Of(content).ToString()}) {
    ASSERT_OK_AND_ASSIGN(const FetchedManifest manifest, client.FetchManifest(context_, remote, reference, {"a/b", "c/d"}));
    EXPECT_EQ(manifest.content, content);
    EXPECT_EQ(manifest.media_type, "application/vnd.oci.image.manifest.v1+json");
    EXPECT_EQ(manifest.digest, Digest::Of(content));
  }
  ASSERT_OK_AND_ASSIGN(const ManifestDescription description, client.DescribeManifest(context_, remote, "1.4", {}));
  EXPECT_EQ(description.digest, Digest::Of(content));
  EXPECT_EQ(description.size_bytes, content.size());
}

TEST_F(RegistryClientTest, ExplainsWhatIsMissing) {
  FakeRegistry registry;
  RegistryClient client = MakeClient();
  const RemoteRepository remote{registry.host(), "team/app"};
  const auto missing = client.FetchManifest(context_, remote, "9", {});
  EXPECT_THAT(missing, StatusIs(absl::StatusCode::kNotFound, absl::StrCat("manifest 9 of ", registry.host(), "/team/app: unknown at registry ")));
  EXPECT_THAT(missing, StatusIs(absl::StatusCode::kNotFound, "MANIFEST_UNKNOWN"));
  EXPECT_THAT(missing, StatusIs(absl::StatusCode::kNotFound, absl::StrCat("looked at http://", registry.host(), "/v2/team/app/manifests/9")));
  EXPECT_THAT(client.FetchBlob(context_, remote, Digest::Of("x"), 1), StatusIs(absl::StatusCode::kNotFound, "blob sha256:"));
  EXPECT_THAT(client.FetchManifest(context_, remote, "../x", {}), StatusIs(absl::StatusCode::kInvalidArgument, ""));
  EXPECT_THAT(client.FetchManifest(context_, {registry.host(), "Team/../app"}, "1", {}), StatusIs(absl::StatusCode::kInvalidArgument, ""));
}

TEST_F(RegistryClientTest, RefusesContentWithAnotherDigest) {
  FakeRegistry registry;
  registry.AddManifest("app", Digest::Of("good").ToString(), "evil");
  registry.AddBlob("app", Digest::Of("good").ToString(), "evil");
  RegistryClient client = MakeClient();
  const RemoteRepository remote{registry.host(), "app"};
  EXPECT_THAT(client.FetchManifest(context_, remote, Digest::Of("good").ToString(), {}), StatusIs(absl::StatusCode::kDataLoss, "hash to"));
  EXPECT_THAT(Pull(client, remote, Digest::Of("good"), 4), StatusIs(absl::StatusCode::kDataLoss, "hashes to"));
  EXPECT_THAT(Pull(client, remote, Digest::Of("good"), 3), StatusIs(absl::StatusCode::kDataLoss, "3 bytes"));
}

TEST_F(RegistryClientTest, RefusesManifestsOverFourMebibytes) {
  FakeRegistry registry;
  registry.AddManifest("app", "big", std::string(kMaxManifestBytes + 1, ' '));
  RegistryClient client = MakeClient();
  EXPECT_THAT(client.FetchManifest(context_, {registry.host(), "app"}, "big", {}), StatusIs(absl::StatusCode::kResourceExhausted, "limit"));
}

TEST_F(RegistryClientTest, ResumesABlobWhereTheConnectionBroke) {
  const std::string content = BigContent();
  const Digest digest = Digest::Of(content);
  for (const bool ignores_range : {false, true}) {
    FakeRegistry registry({.ignores_range = ignores_range, .break_reads = 7});
    registry.AddBlob("app", digest.ToString(), content);
    RegistryClient client = MakeClient();
    // Without ranges every try breaks at the same place: no progress, and the client gives up.
    const auto pulled = Pull(client, {registry.host(), "app"}, digest, static_cast<int64_t>(content.size()));
    if (ignores_range) {
      EXPECT_THAT(pulled, StatusIs(absl::StatusCode::kUnavailable, "after 1500"));
    } else {
      ASSERT_OK(pulled);
      EXPECT_EQ(*pulled, content);
      EXPECT_EQ(registry.log().size(), 8u);
    }
  }
}

TEST_F(RegistryClientTest, SkipsWhatItHasWhenRangesAreIgnored) {
  const std::string content = BigContent();
  FakeRegistry registry({.ignores_range = true, .break_reads = 1});
  registry.AddBlob("app", Digest::Of(content).ToString(), content);
  RegistryClient client = MakeClient();
  ASSERT_OK_AND_ASSIGN(const std::string pulled, Pull(client, {registry.host(), "app"}, Digest::Of(content)));
  EXPECT_EQ(pulled, content);
}

TEST_F(RegistryClientTest, GetsTokensAndKeepsThem) {
  FakeRegistry registry({.asks_for_token = true});
  registry.AddManifest("team/app", "1", "{}");
  RegistryClient client = MakeClient(Credentials{"ann", "secret"});
  const RemoteRepository remote{registry.host(), "team/app"};
  EXPECT_OK(client.FetchManifest(context_, remote, "1", {}));
  EXPECT_OK(client.FetchManifest(context_, remote, "1", {}));
  const std::string get = "GET /v2/team/app/manifests/1";
  EXPECT_THAT(registry.log(), ElementsAre(get, "GET /token+auth", "scopes repository:team/app:pull of fake", get + "+auth", get + "+auth"));
  registry.ForgetTokens();
  EXPECT_OK(client.FetchManifest(context_, remote, "1", {}));
  EXPECT_OK(client.Ping(context_, registry.host()));
}

TEST_F(RegistryClientTest, ExchangesARefreshToken) {
  FakeRegistry registry({.asks_for_token = true});
  registry.AddManifest("team/app", "1", "{}");
  RegistryClient client = MakeClient(Credentials{kRefreshTokenUser, "refresh"});
  EXPECT_OK(client.FetchManifest(context_, {registry.host(), "team/app"}, "1", {}));
  const std::string get = "GET /v2/team/app/manifests/1";
  EXPECT_THAT(registry.log(), ElementsAre(get, "POST /token", "scopes repository:team/app:pull of fake", get + "+auth"));
  RegistryClient ended = MakeClient(Credentials{kRefreshTokenUser, "ended"});
  EXPECT_THAT(ended.Ping(context_, registry.host()), StatusIs(absl::StatusCode::kUnauthenticated, "log in again"));
}

TEST_F(RegistryClientTest, AnswersBasicChallenges) {
  FakeRegistry registry({.asks_for_basic = true});
  RegistryClient client = MakeClient(Credentials{"ann", "secret"});
  EXPECT_OK(client.Ping(context_, registry.host()));
  RegistryClient wrong = MakeClient(Credentials{"ann", "other"});
  EXPECT_THAT(wrong.Ping(context_, registry.host()), StatusIs(absl::StatusCode::kUnauthenticated, "log in"));
}

TEST_F(RegistryClientTest, SaysThatALoginIsNeeded) {
  FakeRegistry registry({.asks_for_token = true});
  RegistryClient anonymous = MakeClient();
  EXPECT_THAT(anonymous.Ping(context_, registry.host()), StatusIs(absl::StatusCode::kUnauthenticated, "log in to 127.0.0.1:"));
  RegistryClient wrong = MakeClient(Credentials{"ann", "hunter2"});
  const absl::Status refused = wrong.Ping(context_, registry.host());
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kUnauthenticated, "user \"ann\""));
  EXPECT_THAT(std::string(refused.message()), Not(HasSubstr("hunter2")));
}

TEST_F(RegistryClientTest, FollowsBlobRedirectsWithoutItsToken) {
  FakeRegistry storage;
  FakeRegistry registry({.asks_for_token = true, .blob_host = "http://" + storage.host()});
  const Digest digest = Digest::Of("content");
  storage.AddBlob("app", digest.ToString(), "content");
  RegistryClient client = MakeClient(Credentials{"ann", "secret"});
  const RemoteRepository remote{registry.host(), "app"};
  EXPECT_EQ(*Pull(client, remote, digest), "content");
  EXPECT_THAT(storage.log(), ElementsAre(absl::StrCat("GET /v2/app/blobs/", digest.ToString())));
  const auto missing = Pull(client, remote, Digest::Of("none"));
  EXPECT_THAT(missing, StatusIs(absl::StatusCode::kNotFound, storage.host()));
  EXPECT_THAT(std::string(missing.status().message()), Not(HasSubstr("s3cret")));
}

TEST_F(RegistryClientTest, PushesBlobsAndManifests) {
  FakeRegistry registry({.asks_for_token = true});
  RegistryClient client = MakeClient(Credentials{"ann", "secret"});
  const RemoteRepository remote{registry.host(), "team/app"};
  const std::string content = BigContent();
  const Digest digest = Digest::Of(content);
  EXPECT_FALSE(*client.HasBlob(context_, remote, digest));
  StringSource source(content);
  ASSERT_OK_AND_ASSIGN(const PushOutcome outcome, client.PushBlob(context_, remote, digest, content.size(), source));
  EXPECT_EQ(outcome, PushOutcome::kUploaded);
  EXPECT_EQ(registry.blob("team/app", digest.ToString()), content);
  EXPECT_TRUE(*client.HasBlob(context_, remote, digest));
  EXPECT_THAT(registry.log(), Contains("scopes repository:team/app:pull,push of fake"));
  ASSERT_OK_AND_ASSIGN(const Digest pushed, client.PushManifest(context_, remote, "1", "a/b", "{}"));
  EXPECT_EQ(pushed, Digest::Of("{}"));
  EXPECT_EQ(registry.manifest("team/app", "1"), "{}");
}

TEST_F(RegistryClientTest, AnEmptyBlobCanBePushed) {
  FakeRegistry registry;
  RegistryClient client = MakeClient();
  StringSource source("");
  EXPECT_OK(client.PushBlob(context_, {registry.host(), "app"}, Digest::Of(""), 0, source));
}

TEST_F(RegistryClientTest, ExplainsARefusedUpload) {
  FakeRegistry registry;
  RegistryClient client = MakeClient();
  StringSource source("other");
  EXPECT_THAT(client.PushBlob(context_, {registry.host(), "app"}, Digest::Of("content"), 5, source),
              StatusIs(absl::StatusCode::kInvalidArgument, "DIGEST_INVALID"));
}

TEST_F(RegistryClientTest, MountsInsteadOfUploadingWhereItMay) {
  for (const bool refuses : {false, true}) {
    FakeRegistry registry({.refuses_mounts = refuses});
    const Digest digest = Digest::Of("content");
    registry.AddBlob("base", digest.ToString(), "content");
    RegistryClient client = MakeClient();
    StringSource source("content");
    ASSERT_OK_AND_ASSIGN(const PushOutcome outcome, client.PushBlob(context_, {registry.host(), "app"}, digest, 7, source, "base"));
    EXPECT_EQ(outcome, refuses ? PushOutcome::kUploaded : PushOutcome::kMounted);
    EXPECT_EQ(registry.blob("app", digest.ToString()), "content");
    StringSource again("content");
    EXPECT_OK(client.PushBlob(context_, {registry.host(), "app2"}, digest, 7, again, "nowhere"));
  }
}

TEST_F(RegistryClientTest, ListsTagsOverSeveralPages) {
  FakeRegistry registry;
  for (const char* tag : {"1", "2", "3", "4", "5"}) registry.AddManifest("app", tag, "{}");
  RegistryClient client = MakeClient();
  ASSERT_OK_AND_ASSIGN(const auto tags, client.ListTags(context_, {registry.host(), "app"}));
  EXPECT_THAT(tags, ElementsAre("1", "2", "3", "4", "5"));
}

TEST(EndpointTest, KnowsDockerHubAndWhoSpeaksPlainHttp) {
  struct Case {
    RemoteRepository remote;
    const char* want;
  };
  const Case cases[] = {
      {{"", "debian"}, "https://registry-1.docker.io/v2/library/debian/x"},
      {{"docker.io", "team/app"}, "https://registry-1.docker.io/v2/team/app/x"},
      {{"quay.example", "app"}, "https://quay.example/v2/app/x"},
      {{"Quay.Example:5000", "app"}, "https://quay.example:5000/v2/app/x"},
      {{"localhost:5000", "app"}, "http://localhost:5000/v2/app/x"},
      {{"127.9.9.9", "app"}, "http://127.9.9.9/v2/app/x"},
      {{"127.evil.example", "app"}, "https://127.evil.example/v2/app/x"},
      {{"lab:5000", "app"}, "http://lab:5000/v2/app/x"},
      {{"lab:5001", "app"}, "https://lab:5001/v2/app/x"},
  };
  for (const Case& c : cases) {
    ASSERT_OK_AND_ASSIGN(const Endpoint endpoint, ResolveEndpoint(c.remote, {"lab:5000"}));
    EXPECT_EQ(endpoint.Locate("x").ToString(), c.want);
  }
  for (const char* host : {"a/b", "user@host", "a b", "host:99999", "a?b"}) {
    EXPECT_THAT(ResolveEndpoint({host, "app"}, {}), StatusIs(absl::StatusCode::kInvalidArgument, "")) << host;
  }
}

TEST(ChallengeTest, ParsesWhatRegistriesSend) {
  ASSERT_OK_AND_ASSIGN(const auto one, ParseChallenges("Bearer realm=\"https://a/t?x=1,2\",service=\"s\", scope=\"repository:a/b:pull,push\""));
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].scheme, "bearer");
  EXPECT_EQ(one[0].Get("realm"), "https://a/t?x=1,2");
  EXPECT_EQ(one[0].Get("scope"), "repository:a/b:pull,push");
  ASSERT_OK_AND_ASSIGN(const auto two, ParseChallenges("Negotiate, BASIC Realm = \"a \\\"b\\\"\""));
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[1].scheme, "basic");
  EXPECT_EQ(two[1].Get("realm"), "a \"b\"");
  for (const std::string& text : std::vector<std::string>{"", ",", "a=b", "Bearer realm=\"x", "=", "Bearer \"x\"", std::string(9000, 'a')}) {
    EXPECT_THAT(ParseChallenges(text), StatusIs(absl::StatusCode::kInvalidArgument, "WWW-Authenticate")) << text;
  }
}

}  // namespace
}  // namespace strata::distribution
