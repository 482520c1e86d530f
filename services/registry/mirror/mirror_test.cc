// Mirrors through real HTTP: a client, a registry over a store in memory, and an upstream that does what the test wants.
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/mutex.h"
#include "lib/blobstore/memory_store.h"
#include "lib/distribution/fake_registry.h"
#include "lib/http/client.h"
#include "lib/http/server.h"
#include "lib/http/socket_for_test.h"
#include "lib/testing/fake_clock.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"
#include "services/registry/mirror/mirrors.h"
#include "services/registry/routes/router.h"

namespace strata::registry::mirror {
namespace {

using distribution::FakeRegistry;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kType[] = "application/vnd.oci.image.manifest.v1+json";

struct Answer {
  int status = 0;
  http::Headers headers;
  std::string body;
  absl::Status ended;  // a failure: the body was cut short

  std::string Header(absl::string_view name) const { return std::string(headers.Get(name)); }
};

std::string Content(size_t size) {
  std::string content;
  for (size_t i = 0; content.size() < size; ++i) absl::StrAppend(&content, i, ",");
  content.resize(size);
  return content;
}

size_t Count(const std::vector<std::string>& log, absl::string_view line) {
  return static_cast<size_t>(std::count(log.begin(), log.end(), line));
}

// Something that happens, and those who wait for it.
class Counter {
 public:
  void Add() {
    MutexLock lock(mutex_);
    ++count_;
    changed_.SignalAll();
  }
  void WaitFor(int count) {
    MutexLock lock(mutex_);
    while (count_ < count) changed_.Wait(mutex_);
  }
  int count() {
    MutexLock lock(mutex_);
    return count_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Lets everybody do everything, but in one repository.
class RecordingAccess final : public AccessControl {
 public:
  void Deny(const std::string& repository) {
    MutexLock lock(mutex_);
    denied_ = repository;
  }
  // The name that the policy was asked about last.
  std::string last_asked() {
    MutexLock lock(mutex_);
    return asked_;
  }

  absl::StatusOr<auth::Caller> Authenticate(const CallContext&, const http::Request&) override { return auth::Caller(); }
  absl::Status Authorize(const auth::Caller&, const auth::Question& question) const override {
    MutexLock lock(mutex_);
    asked_ = std::string(question.repository);
    return asked_ == denied_ ? absl::PermissionDeniedError("not you") : absl::OkStatus();
  }
  bool HasImmutableTags(absl::string_view) const override { return false; }
  bool IsImmutableTag(absl::string_view, absl::string_view) const override { return false; }
  void Challenge(const http::Request&, const std::vector<auth::Scope>&, absl::string_view, http::Headers&) const override {}
  absl::Status ServeToken(const CallContext&, const http::Request&, http::ResponseWriter&) override { return absl::NotFoundError("no tokens"); }

 private:
  mutable Mutex mutex_;
  mutable std::string asked_ ABSL_GUARDED_BY(mutex_);
  std::string denied_ ABSL_GUARDED_BY(mutex_) = "nothing";
};

class MirrorTest : public ::testing::Test {
 protected:
  // `fields`: those of the mirror but "upstream" and "allow_private".
  void Start(const std::string& upstream, const std::string& fields = R"("prefix": "up")") {
    StartWith(absl::StrCat(R"({"mirrors": [{"allow_private": true, "upstream": "http://)", upstream, "\", ", fields, "}]}"));
  }
  void StartWith(const std::string& document) {
    ASSERT_OK_AND_ASSIGN(auto configs, ParseMirrors(document));
    ASSERT_OK_AND_ASSIGN(mirrors_, Mirrors::Open(std::move(configs), {store_, store_, store_}, clock_, metrics_, {.spool_folder = spool_.path()}));
    router_ = std::make_unique<Router>(MakeServices(), clock_, [this](const RequestRecord& record) {
      MutexLock lock(mutex_);
      mirror_outcomes_.push_back(record.mirror);
      recorded_.SignalAll();
    });
    ASSERT_OK_AND_ASSIGN(server_, http::Server::Start({}, [this](const http::Request& request, http::ResponseWriter& response) {
      arrived_.Add();
      router_->Handle(request, response);
    }));
  }
  Services MakeServices() { return {.blobs = store_, .refs = store_, .access = access_, .mirrors = mirrors_.get()}; }

  Answer Send(const std::string& method, const std::string& target, http::Headers headers = {}) {
    Answer answer;
    http::ClientRequest request;
    request.method = method;
    request.url = absl::StrCat("http://127.0.0.1:", server_->port(), target);
    request.headers = std::move(headers);
    auto response = http_.Do(CallContext(), std::move(request));
    EXPECT_OK(response);
    if (!response.ok()) return answer;
    answer.status = response->status;
    answer.headers = response->headers;
    char buffer[64 * 1024];
    while (true) {
      const auto n = response->body->Read(buffer, sizeof buffer);
      answer.ended = n.status();
      if (!n.ok() || *n == 0) break;
      answer.body.append(buffer, *n);
    }
    return answer;
  }
  Answer Get(const std::string& target) { return Send("GET", target); }
  std::string BlobPath(const std::string& repository, const Digest& digest) { return absl::StrCat("/v2/", repository, "/blobs/", digest.ToString()); }

  // An answer arrives before its record.
  std::string last_outcome() {
    const auto requests = static_cast<size_t>(arrived_.count());
    MutexLock lock(mutex_);
    while (mirror_outcomes_.size() < requests) recorded_.Wait(mutex_);
    return mirror_outcomes_.back();
  }
  // Fetches end a moment after their clients got everything.
  void WaitUntilLanded() {
    while (mirrors_->blobs().running() > 0) std::this_thread::yield();
  }
  void PutLocal(const std::string& repository, const std::string& tag, const std::string& content) {
    const std::string manifest = absl::StrCat(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"x":")",
                                              content, "\"}}");
    ASSERT_OK(store_.PutManifest(CallContext(), repository, "application/vnd.oci.image.index.v1+json", manifest, {.tags = {tag}}));
  }

  testing::FakeClock clock_;
  testing::ScratchDir spool_;
  metrics::Registry metrics_;
  blobstore::MemoryStore store_;
  http::Client http_;
  Counter arrived_;  // requests at our registry
  Mutex mutex_;
  CondVar recorded_;
  std::vector<std::string> mirror_outcomes_ ABSL_GUARDED_BY(mutex_);
  RecordingAccess access_;
  std::unique_ptr<Mirrors> mirrors_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<http::Server> server_;
};

TEST_F(MirrorTest, BringsAnImageOnceAndServesItWithoutTheUpstream) {
  auto upstream = std::make_unique<FakeRegistry>();
  const std::string manifest = R"({"schemaVersion":2})", layer = Content(1'000'000);
  const Digest manifest_digest = Digest::Of(manifest), layer_digest = Digest::Of(layer);
  upstream->AddManifest("team/app", "1", manifest);
  upstream->AddBlob("team/app", layer_digest.ToString(), layer);
  Start(upstream->host());
  for (int round = 0; round < 3; ++round) {
    const Answer tag = Get("/v2/up/team/app/manifests/1");
    EXPECT_EQ(tag.status, 200);
    EXPECT_EQ(tag.body, manifest);
    EXPECT_EQ(tag.Header("Content-Type"), kType);
    EXPECT_EQ(tag.Header("Docker-Content-Digest"), manifest_digest.ToString());
    EXPECT_EQ(last_outcome(), round == 0 ? "miss" : "hit");
    EXPECT_EQ(Get(absl::StrCat("/v2/up/team/app/manifests/", manifest_digest.ToString())).body, manifest);
    const Answer blob = Get(BlobPath("up/team/app", layer_digest));
    EXPECT_EQ(blob.status, 200);
    EXPECT_EQ(blob.Header("Content-Length"), "1000000");
    EXPECT_EQ(blob.body, layer);
    WaitUntilLanded();
  }
  EXPECT_EQ(upstream->log().size(), 2u);
  upstream.reset();
  EXPECT_EQ(Get(BlobPath("up/team/app", layer_digest)).body, layer);
  EXPECT_EQ(Get("/v2/up/team/app/manifests/1").Header("Warning"), "");
  EXPECT_EQ(Send("HEAD", BlobPath("up/team/app", layer_digest)).Header("Content-Length"), "1000000");
  const Answer part = Send("GET", BlobPath("up/team/app", layer_digest), {{"Range", "bytes=10-19"}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, layer.substr(10, 10));
  // What is a cache is no content of ours.
  EXPECT_EQ(Get("/v2/_catalog").body, R"({"repositories":[]})");
}

TEST_F(MirrorTest, OneFetchForThirtyTwoClients) {
  constexpr int kClients = 32;
  const std::string layer = Content(3'000'000);
  Counter fetches;
  ASSERT_OK_AND_ASSIGN(auto upstream, http::Server::Start({}, [&](const http::Request&, http::ResponseWriter& response) {
    fetches.Add();
    auto sink = response.StartStream(layer.size());
    (*sink)->Write(layer.substr(0, 1'000'000)).IgnoreError();
    arrived_.WaitFor(kClients);  // the rest comes when everybody has asked
    (*sink)->Write(layer.substr(1'000'000)).IgnoreError();
    response.Finish().IgnoreError();
  }));
  Start(absl::StrCat("127.0.0.1:", upstream->port()));
  std::vector<std::thread> clients;
  std::vector<Answer> answers(kClients);
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] { answers[static_cast<size_t>(i)] = Get(BlobPath("up/team/app", Digest::Of(layer))); });
  }
  for (std::thread& client : clients) client.join();
  for (const Answer& answer : answers) {
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.body == layer);
  }
  EXPECT_EQ(fetches.count(), 1);
}

TEST_F(MirrorTest, OneFetchOfATagForThirtyTwoClients) {
  constexpr int kClients = 32;
  Counter fetches;
  ASSERT_OK_AND_ASSIGN(auto upstream, http::Server::Start({}, [&](const http::Request&, http::ResponseWriter& response) {
    fetches.Add();
    arrived_.WaitFor(kClients);
    response.SendText(kType, "{}").IgnoreError();
  }));
  Start(absl::StrCat("127.0.0.1:", upstream->port()));
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) clients.emplace_back([&] { EXPECT_EQ(Get("/v2/up/team/app/manifests/1").body, "{}"); });
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(fetches.count(), 1);
}

TEST_F(MirrorTest, AClientThatReadsNothingHoldsUpNobody) {
  FakeRegistry upstream;
  const std::string layer = Content(24'000'000);
  upstream.AddBlob("app", Digest::Of(layer).ToString(), layer);
  Start(upstream.host());
  http::SocketForTest slow(server_->port());
  slow.SetReceiveBuffer(4096);
  slow.Send(absl::StrCat("GET ", BlobPath("up/app", Digest::Of(layer)), " HTTP/1.1\r\nHost: x\r\n\r\n"));
  slow.ReadHead();
  EXPECT_TRUE(Get(BlobPath("up/app", Digest::Of(layer))).body == layer);
  EXPECT_EQ(upstream.log().size(), 1u);
  slow.Close();
}

TEST_F(MirrorTest, AFetchGoesOnWhenItsClientIsGone) {
  const std::string layer = Content(2'000'000);
  Counter fetches, gone;
  ASSERT_OK_AND_ASSIGN(auto upstream, http::Server::Start({}, [&](const http::Request&, http::ResponseWriter& response) {
    fetches.Add();
    auto sink = response.StartStream(layer.size());
    (*sink)->Write(layer.substr(0, 1'000'000)).IgnoreError();
    gone.WaitFor(1);
    (*sink)->Write(layer.substr(1'000'000)).IgnoreError();
    response.Finish().IgnoreError();
  }));
  Start(absl::StrCat("127.0.0.1:", upstream->port()));
  {
    http::SocketForTest client(server_->port());
    client.Send(absl::StrCat("GET ", BlobPath("up/app", Digest::Of(layer)), " HTTP/1.1\r\nHost: x\r\n\r\n"));
    client.ReadHead();
  }
  gone.Add();
  EXPECT_TRUE(Get(BlobPath("up/app", Digest::Of(layer))).body == layer);
  WaitUntilLanded();
  EXPECT_TRUE(Get(BlobPath("up/app", Digest::Of(layer))).body == layer);
  EXPECT_EQ(fetches.count(), 1);
}

TEST_F(MirrorTest, WrongContentIsCutOffAndNotKept) {
  FakeRegistry upstream;
  for (const size_t size : {size_t{5}, size_t{900'000}}) {
    const std::string evil = Content(size);
    const Digest good = Digest::Of(absl::StrCat("good", size));
    upstream.AddBlob("app", good.ToString(), evil);
    if (server_ == nullptr) Start(upstream.host());
    for (size_t round = 1; round <= 2; ++round) {
      const Answer answer = Get(BlobPath("up/app", good));
      // What is known to be wrong before the answer began is an error, what turns out later cuts it off.
      EXPECT_TRUE(answer.status == 503 || (!answer.ended.ok() && answer.body.size() < evil.size())) << answer.status;
      WaitUntilLanded();
      EXPECT_EQ(Count(upstream.log(), absl::StrCat("GET /v2/app/blobs/", good.ToString())), round);
    }
  }
}

TEST_F(MirrorTest, ABrokenFetchIsResumed) {
  FakeRegistry upstream({.break_reads = 3});
  const std::string layer = Content(3'000'000);
  upstream.AddBlob("app", Digest::Of(layer).ToString(), layer);
  Start(upstream.host());
  EXPECT_TRUE(Get(BlobPath("up/app", Digest::Of(layer))).body == layer);
  EXPECT_EQ(upstream.log().size(), 4u);
}

TEST_F(MirrorTest, AnUpstreamThatDiesInTheMiddleTruncates) {
  FakeRegistry upstream({.ignores_range = true, .break_reads = 1000});
  const std::string layer = Content(3'000'000);
  upstream.AddBlob("app", Digest::Of(layer).ToString(), layer);
  Start(upstream.host());
  const Answer answer = Get(BlobPath("up/app", Digest::Of(layer)));
  EXPECT_FALSE(answer.ended.ok());
  EXPECT_LT(answer.body.size(), layer.size());
  EXPECT_EQ(answer.body, layer.substr(0, answer.body.size()));
}

TEST_F(MirrorTest, TagsAreLookedAtAgain) {
  FakeRegistry upstream;
  upstream.AddManifest("app", "1", R"({"old":1})");
  Start(upstream.host(), R"("prefix": "up", "revalidate_after": "10m")");
  EXPECT_EQ(Get("/v2/up/app/manifests/1").body, R"({"old":1})");
  clock_.Advance(absl::Minutes(9));
  EXPECT_EQ(Get("/v2/up/app/manifests/1").body, R"({"old":1})");
  EXPECT_EQ(upstream.log().size(), 1u);
  clock_.Advance(absl::Minutes(2));
  EXPECT_EQ(Get("/v2/up/app/manifests/1").body, R"({"old":1})");
  EXPECT_EQ(last_outcome(), "revalidated");
  EXPECT_EQ(Count(upstream.log(), "HEAD /v2/app/manifests/1"), 1u);
  // Good for another ten minutes.
  upstream.AddManifest("app", "1", R"({"new":1})");
  clock_.Advance(absl::Minutes(9));
  EXPECT_EQ(Get("/v2/up/app/manifests/1").body, R"({"old":1})");
  clock_.Advance(absl::Minutes(2));
  EXPECT_EQ(Get("/v2/up/app/manifests/1").body, R"({"new":1})");
}

TEST_F(MirrorTest, AnUpstreamThatIsAwayMakesTagsStaleNotGone) {
  auto upstream = std::make_unique<FakeRegistry>();
  upstream->AddManifest("app", "1", "{}");
  Start(upstream->host(), R"("prefix": "up", "revalidate_after": "0s")");
  EXPECT_EQ(Get("/v2/up/app/manifests/1").Header("Warning"), "");
  upstream.reset();
  const Answer first = Get("/v2/up/app/manifests/1");
  EXPECT_EQ(first.status, 200);
  EXPECT_THAT(first.Header("Warning"), HasSubstr("111 "));
  EXPECT_EQ(last_outcome(), "stale");
  // For a moment it is not even asked.
  EXPECT_THAT(Get("/v2/up/app/manifests/1").Header("Warning"), HasSubstr("110 "));
  clock_.Advance(Upstream::kRest);
  EXPECT_THAT(Get("/v2/up/app/manifests/1").Header("Warning"), HasSubstr("111 "));
  const Answer unknown = Get("/v2/up/app/manifests/2");
  EXPECT_EQ(unknown.status, 503);
  EXPECT_EQ(last_outcome(), "error");
}

TEST_F(MirrorTest, FailuresOfTheUpstreamAreNoAnswer) {
  Mutex mutex;
  int status = 200;
  ASSERT_OK_AND_ASSIGN(auto upstream, http::Server::Start({}, [&](const http::Request&, http::ResponseWriter& response) {
    MutexLock lock(mutex);
    response.SetStatus(status);
    response.headers().Set("Docker-Content-Digest", Digest::Of("{}").ToString());
    response.SendText(kType, "{}").IgnoreError();
  }));
  const auto answer_with = [&](int next) {
    MutexLock lock(mutex);
    status = next;
  };
  Start(absl::StrCat("127.0.0.1:", upstream->port()), R"("prefix": "up", "revalidate_after": "0s")");
  const struct {
    int upstream, held, not_held;
  } cases[] = {{500, 200, 503}, {503, 200, 503}, {429, 200, 429}, {400, 200, 503}, {404, 404, 404}, {401, 404, 404}, {403, 404, 404}};
  for (const auto& test : cases) {
    SCOPED_TRACE(test.upstream);
    answer_with(200);
    clock_.Advance(absl::Minutes(1));
    EXPECT_EQ(Get("/v2/up/app/manifests/1").status, 200);
    answer_with(test.upstream);
    EXPECT_EQ(Get("/v2/up/app/manifests/1").status, test.held);
    EXPECT_EQ(Get("/v2/up/app/manifests/2").status, test.not_held);
  }
}

TEST_F(MirrorTest, ADeletedTagIsGoneAndItsDigestStays) {
  auto upstream = std::make_unique<FakeRegistry>();
  upstream->AddManifest("app", "1", "{}");
  Start(upstream->host(), R"("prefix": "up", "revalidate_after": "0s")");
  EXPECT_EQ(Get("/v2/up/app/manifests/1").status, 200);
  upstream->RemoveManifest("app", "1");
  const Answer gone = Get("/v2/up/app/manifests/1");
  EXPECT_EQ(gone.status, 404);
  EXPECT_THAT(gone.body, HasSubstr("MANIFEST_UNKNOWN"));
  EXPECT_EQ(Get(absl::StrCat("/v2/up/app/manifests/", Digest::Of("{}").ToString())).status, 200);
  // Also when nobody can say so any more.
  upstream.reset();
  EXPECT_EQ(Get("/v2/up/app/manifests/1").status, 503);
}

TEST_F(MirrorTest, NothingIsPushedOrDeleted) {
  FakeRegistry upstream;
  Start(upstream.host());
  const std::string digest = Digest::Of("x").ToString();
  for (const auto& [method, path] : std::vector<std::pair<std::string, std::string>>{{"POST", "/v2/up/app/blobs/uploads/"},
                                                                                      {"PUT", "/v2/up/app/manifests/1"},
                                                                                      {"DELETE", "/v2/up/app/manifests/1"},
                                                                                      {"DELETE", absl::StrCat("/v2/up/app/blobs/", digest)},
                                                                                      {"PATCH", "/v2/up/app/blobs/uploads/7"}}) {
    const Answer answer = Send(method, path);
    EXPECT_EQ(answer.status, 403) << method << path;
    EXPECT_THAT(answer.body, HasSubstr("does not begin with \\\"up/\\\"")) << method << path;
  }
  EXPECT_EQ(Send("POST", "/v2/ups/app/blobs/uploads/").status, 202);
  EXPECT_THAT(upstream.log(), IsEmpty());
}

TEST_F(MirrorTest, ThePolicyIsAskedBeforeAnythingIsFetched) {
  FakeRegistry upstream;
  upstream.AddManifest("team/secret", "1", "{}");
  Start(upstream.host(), R"("prefix": "up", "namespaces": ["up.example"])");
  access_.Deny("up/team/secret");
  EXPECT_EQ(Get("/v2/up/team/secret/manifests/1").status, 403);
  EXPECT_EQ(Get("/v2/team/secret/manifests/1?ns=up.example").status, 403);
  EXPECT_EQ(Get("/v2/team/secret/manifests/1?ns=UP.example").status, 403);
  EXPECT_THAT(upstream.log(), IsEmpty());
}

TEST_F(MirrorTest, NamespacesOfContainerd) {
  FakeRegistry upstream;
  upstream.AddManifest("library/debian", "12", "{}");
  PutLocal("library/debian", "12", "ours");
  Start(upstream.host(), R"("prefix": "hub", "namespaces": ["docker.io", "hub.example:5000"], "library": true)");
  const Answer answer = Get("/v2/library/debian/manifests/12?ns=docker.io");
  EXPECT_EQ(answer.body, "{}");
  EXPECT_EQ(answer.Header("OCI-Namespace"), "docker.io");
  EXPECT_EQ(access_.last_asked(), "hub/library/debian");
  EXPECT_EQ(Get("/v2/library/debian/manifests/12?ns=hub.example%3A5000").body, "{}");
  EXPECT_EQ(Get("/v2/hub/debian/manifests/12").body, "{}");
  EXPECT_EQ(upstream.log().size(), 1u);
  EXPECT_THAT(Get("/v2/library/debian/manifests/12").body, HasSubstr("ours"));
  for (const char* ns : {"", "other.example", "docker.io.evil.example", "..", "%00", "http://docker.io"}) {
    EXPECT_THAT(Get(absl::StrCat("/v2/library/debian/manifests/12?ns=", ns)).body, Not(HasSubstr("{}"))) << ns;
  }
}

TEST_F(MirrorTest, TheEmptyPrefixIsForWhatIsNotOurs) {
  FakeRegistry upstream;
  upstream.AddManifest("library/debian", "12", "{}");
  upstream.AddManifest("library/ours", "9", "{}");
  upstream.AddManifest("team/app", "1", "{}");
  PutLocal("library/ours", "1", "ours");
  Start(upstream.host(), R"("prefix": "", "namespaces": ["docker.io"], "library": true, "repositories": ["library/*"])");
  // A push looks for blobs first: the upstream does not learn of it.
  EXPECT_EQ(Send("HEAD", BlobPath("library/new", Digest::Of("x"))).status, 404);
  EXPECT_EQ(Send("POST", "/v2/library/new/blobs/uploads/").status, 202);
  EXPECT_THAT(upstream.log(), IsEmpty());
  EXPECT_EQ(Get("/v2/library/debian/manifests/12").body, "{}");
  EXPECT_EQ(Send("HEAD", BlobPath("library/debian", Digest::Of("x"))).status, 404);
  EXPECT_THAT(upstream.log(), Contains(absl::StrCat("HEAD /v2/library/debian/blobs/", Digest::Of("x").ToString())));
  // A repository that is ours is never completed by somebody else's tags.
  EXPECT_THAT(Get("/v2/library/ours/manifests/1").body, HasSubstr("ours"));
  EXPECT_EQ(Get("/v2/library/ours/manifests/9").status, 404);
  EXPECT_EQ(Get("/v2/library/ours/manifests/9?ns=docker.io").body, "{}");
  EXPECT_EQ(Get("/v2/team/app/manifests/1").status, 404);
  EXPECT_EQ(Send("POST", "/v2/library/new/blobs/uploads/?ns=docker.io").status, 403);
}

TEST_F(MirrorTest, BlobsOfOthersAreNotReadThroughAMirror) {
  FakeRegistry upstream;
  const std::string secret = Content(1000), shared = Content(2000);
  for (const std::string& content : {secret, shared}) {
    StringSource source(content);
    ASSERT_OK(blobstore::UploadBlob(store_, CallContext(), "team/private", source, Digest::Of(content)));
  }
  upstream.AddBlob("app", Digest::Of(shared).ToString(), shared);
  Start(upstream.host());
  EXPECT_EQ(Get(BlobPath("up/app", Digest::Of(secret))).status, 404);
  // What the upstream has as well needs no second transfer.
  EXPECT_EQ(Get(BlobPath("up/app", Digest::Of(shared))).body, shared);
  EXPECT_EQ(Count(upstream.log(), absl::StrCat("GET /v2/app/blobs/", Digest::Of(shared).ToString())), 0u);
  EXPECT_EQ(Count(upstream.log(), absl::StrCat("HEAD /v2/app/blobs/", Digest::Of(shared).ToString())), 1u);
}

TEST_F(MirrorTest, PathTricksLeadNowhere) {
  FakeRegistry upstream;
  Start(upstream.host());
  for (const char* path : {"/v2/up/../secret/manifests/1", "/v2/up/%2e%2e/secret/manifests/1", "/v2/up//app/manifests/1", "/v2/up/App/manifests/1",
                           "/v2/up/a%2F..%2Fb/manifests/1", "/v2/up/a%3Fx=1/manifests/1", "/v2/up/app%0d%0aX/manifests/1"}) {
    const int status = Get(path).status;
    EXPECT_TRUE(status == 400 || status == 404) << path << " " << status;
  }
  EXPECT_EQ(Get("/v2/up/app/manifests/..%2f1").status, 404);
  EXPECT_EQ(Get("/v2/up/app/blobs/sha256:..").status, 400);
  EXPECT_THAT(upstream.log(), IsEmpty());
}

TEST_F(MirrorTest, PrivateAddressesAreRefusedUnlessAllowed) {
  FakeRegistry upstream;
  upstream.AddManifest("app", "1", "{}");
  const std::string port = upstream.host().substr(upstream.host().find(':'));
  StartWith(absl::StrCat(R"({"mirrors": [{"prefix": "a", "upstream": "http://127.0.0.1)", port, R"("}, {"prefix": "b", "upstream": "http://localhost)", port,
                         R"("}, {"prefix": "c", "upstream": "http://0x7f.1)", port, R"("}]})"));
  for (const char* prefix : {"a", "b", "c"}) EXPECT_EQ(Get(absl::StrCat("/v2/", prefix, "/app/manifests/1")).status, 503) << prefix;
  EXPECT_THAT(upstream.log(), IsEmpty());
}

TEST_F(MirrorTest, CredentialsGoToTheUpstreamOnly) {
  testing::WriteFile(spool_.Join("password"), "secret\n");
  const std::string login = absl::StrCat(R"(, "user": "ann", "password_file": ")", spool_.Join("password"), "\"");
  FakeRegistry upstream({.asks_for_token = true});
  upstream.AddManifest("app", "1", "{}");
  // Another host: the token server it names is elsewhere, and its blobs are redirected elsewhere.
  Mutex mutex;
  std::vector<std::string> seen;
  const auto note = [&](const http::Request& request) {
    MutexLock lock(mutex);
    seen.push_back(absl::StrCat(request.path, " ", request.headers.Get("Authorization")));
  };
  ASSERT_OK_AND_ASSIGN(auto thief, http::Server::Start({}, [&](const http::Request& request, http::ResponseWriter& response) {
    note(request);
    response.SendText("application/json", R"({"token":"x"})").IgnoreError();
  }));
  const std::string thief_url = absl::StrCat("http://127.0.0.1:", thief->port());
  ASSERT_OK_AND_ASSIGN(auto evil, http::Server::Start({}, [&](const http::Request& request, http::ResponseWriter& response) {
    if (absl::StrContains(request.path, "/blobs/") && request.headers.Has("Authorization")) {
      response.SetStatus(307);
      response.headers().Set("Location", absl::StrCat(thief_url, "/redirected"));
      return response.SendEmpty().IgnoreError();
    }
    response.SetStatus(401);
    response.headers().Set("WWW-Authenticate", absl::StrContains(request.path, "/blobs/") ? "Basic realm=\"x\""
                                                                                          : absl::StrCat("Bearer realm=\"", thief_url, "/token\""));
    response.SendEmpty().IgnoreError();
  }));
  StartWith(absl::StrCat(R"({"mirrors": [{"allow_private": true, "prefix": "good", "upstream": "http://)", upstream.host(), "\"", login,
                         R"(}, {"allow_private": true, "prefix": "evil", "upstream": "http://127.0.0.1:)", evil->port(), "\"", login, "}]}"));
  EXPECT_EQ(Get("/v2/good/app/manifests/1").body, "{}");
  EXPECT_THAT(upstream.log(), Contains("GET /token+auth"));
  EXPECT_EQ(Get("/v2/evil/app/manifests/1").status, 503);
  Get(BlobPath("evil/app", Digest::Of("x")));
  MutexLock lock(mutex);
  EXPECT_THAT(seen, ::testing::Each("/redirected "));
  EXPECT_THAT(seen, Not(IsEmpty()));
}

TEST_F(MirrorTest, ListsTheTagsOfTheUpstream) {
  FakeRegistry upstream;
  for (const char* tag : {"b", "a", "c", "d"}) upstream.AddManifest("app", tag, "{}");
  Start(upstream.host());
  EXPECT_EQ(Get("/v2/up/app/tags/list").body, R"({"name":"up/app","tags":["a","b","c","d"]})");
  const Answer page = Get("/v2/up/app/tags/list?n=2&last=a");
  EXPECT_EQ(page.body, R"({"name":"up/app","tags":["b","c"]})");
  EXPECT_THAT(page.Header("Link"), HasSubstr("/v2/up/app/tags/list?n=2&last=c"));
  EXPECT_EQ(Get(absl::StrCat("/v2/up/app/referrers/", Digest::Of("x").ToString())).status, 404);
}

TEST_F(MirrorTest, DamagedRecordsAreFetchedAnew) {
  FakeRegistry upstream;
  upstream.AddManifest("app", "1", "{}");
  Start(upstream.host());
  const std::string scope = ScopeOf(mirrors_->Find("up/app", "")->upstream->config(), "app");
  ASSERT_OK(store_.PutRecord(CallContext(), absl::StrCat("mirror/1/tag/", Digest::Of(absl::StrCat(scope, "\n1")).hex()), "{\"checked\":\"never\"}", {}));
  EXPECT_EQ(Get("/v2/up/app/manifests/1").body, "{}");
}

TEST_F(MirrorTest, CountsWhatHappened) {
  FakeRegistry upstream;
  upstream.AddManifest("app", "1", "{}");
  Start(upstream.host());
  Get("/v2/up/app/manifests/1");
  Get("/v2/up/app/manifests/1");
  Get("/v2/up/app/manifests/2");
  const std::string text = metrics_.Render();
  for (const char* outcome : {"hit", "miss", "not_found"}) {
    EXPECT_THAT(text, HasSubstr(absl::StrCat("outcome=\"", outcome, "\"} 1"))) << outcome;
  }
}

TEST(MirrorsTest, ASpoolFolderThatCannotBeUsedIsNoticedAtTheStart) {
  blobstore::MemoryStore store;
  metrics::Registry metrics;
  const testing::FakeClock clock;
  EXPECT_THAT(Mirrors::Open({}, {store, store, store}, clock, metrics, {.spool_folder = "/nonexistent"}),
              testing::StatusIs(absl::StatusCode::kFailedPrecondition, "spool folder /nonexistent"));
}

}  // namespace
}  // namespace strata::registry::mirror
