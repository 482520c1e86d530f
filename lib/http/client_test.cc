#include "lib/http/client.h"

#include <latch>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "lib/http/server.h"
#include "lib/testing/status_matchers.h"

namespace strata::http {
namespace {

using ::testing::HasSubstr;
using testing::StatusIs;

// Deterministic content of any length, without memory.
class PatternSource final : public ByteSource {
 public:
  explicit PatternSource(uint64_t size) : left_(size) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    const size_t n = std::min<uint64_t>(size, left_);
    for (size_t i = 0; i < n; ++i) buffer[i] = static_cast<char>((at_ + i) * 31 >> 3);
    at_ += n;
    left_ -= n;
    return n;
  }

 private:
  uint64_t at_ = 0;
  uint64_t left_;
};

// Reads `source` and compares; returns how many bytes matched.
absl::StatusOr<uint64_t> CountMatching(ByteSource& source) {
  PatternSource want(UINT64_MAX);
  std::string got(100'000, '\0'), expected(got);
  uint64_t total = 0;
  while (true) {
    auto n = source.Read(got.data(), got.size());
    if (!n.ok()) return n.status();
    if (*n == 0) return total;
    EXPECT_EQ(*want.Read(expected.data(), *n), *n);
    if (got.compare(0, *n, expected, 0, *n) != 0) return absl::InternalError("content differs");
    total += *n;
  }
}

class ClientTest : public ::testing::Test {
 protected:
  std::string Serve(Handler handler) {
    servers_.push_back(*Server::Start({.min_progress_timeout = absl::Seconds(5)}, std::move(handler)));
    return absl::StrCat("http://127.0.0.1:", servers_.back()->port());
  }
  absl::StatusOr<std::string> GetText(const std::string& url) {
    auto response = client_.Do(context_, {.url = url});
    if (!response.ok()) return response.status();
    auto body = ReadAll(*response->body, 1 << 20);
    if (!body.ok()) return body.status();
    return absl::StrCat(response->status, " ", *body);
  }

  std::vector<std::unique_ptr<Server>> servers_;
  CallContext context_;
  Client client_;
};

TEST_F(ClientTest, ReturnsStatusHeadersAndBody) {
  const std::string url = Serve([](const Request& request, ResponseWriter& response) {
    response.SetStatus(404);
    response.headers().Add("X-Seen", request.headers.Get("X-Sent"));
    response.headers().Add("X-Seen", request.headers.Get("User-Agent"));
    response.SendText("text/plain", request.target).IgnoreError();
  });
  ASSERT_OK_AND_ASSIGN(const auto response, client_.Do(context_, {.url = url + "/a/../b%2F?x=1", .headers = {{"X-Sent", "v"}}}));
  EXPECT_EQ(response.status, 404);
  EXPECT_THAT(response.headers.FindAll("x-seen"), ::testing::ElementsAre("v", "strata"));
  EXPECT_EQ(response.content_length, 14u);
  EXPECT_EQ(*ReadAll(*response.body, 100), "/a/../b%2F?x=1");
}

TEST_F(ClientTest, ReusesItsConnection) {
  const std::string url = Serve([](const Request&, ResponseWriter& response) { response.SendBytes("x").IgnoreError(); });
  for (int i = 0; i < 5; ++i) EXPECT_EQ(*GetText(url), "200 x");
  EXPECT_EQ(servers_[0]->connections(), 1u);
}

TEST_F(ClientTest, StreamsALargeBodyBothWays) {
  static constexpr uint64_t kSize = 50'000'003;
  const std::string url = Serve([](const Request& request, ResponseWriter& response) {
    const auto received = CountMatching(request.body);
    response.headers().Set("X-Length", request.content_length ? absl::StrCat(*request.content_length) : "chunked");
    response.headers().Set("X-Received", received.ok() ? absl::StrCat(*received) : received.status().ToString());
    PatternSource source(kSize);
    auto sink = response.StartStream(request.path == "/known" ? std::optional<uint64_t>(kSize) : std::nullopt);
    if (sink.ok() && CopyBytes(source, **sink).ok()) response.Finish().IgnoreError();
  });
  for (const bool known : {true, false}) {
    PatternSource source(kSize);
    ClientRequest request{.method = "PUT", .url = url + (known ? "/known" : "/unknown"), .body = &source};
    if (known) request.body_size = kSize;
    ASSERT_OK_AND_ASSIGN(const auto response, client_.Do(context_, request));
    EXPECT_EQ(response.headers.Get("X-Received"), absl::StrCat(kSize));
    EXPECT_EQ(response.headers.Get("X-Length"), known ? absl::StrCat(kSize) : "chunked");
    ASSERT_OK_AND_ASSIGN(const uint64_t got, CountMatching(*response.body));
    EXPECT_EQ(got, kSize);
  }
}

TEST_F(ClientTest, EmptyBodiesHaveALength) {
  const std::string url = Serve([](const Request& request, ResponseWriter& response) {
    response.SendText("text/plain", absl::StrCat(request.method, request.headers.Get("Content-Length"), request.headers.Get("Content-Type")))
        .IgnoreError();
  });
  StringSource nothing("");
  for (ByteSource* body : {static_cast<ByteSource*>(nullptr), static_cast<ByteSource*>(&nothing)}) {
    ASSERT_OK_AND_ASSIGN(const auto response, client_.Do(context_, {.method = "POST", .url = url, .body = body, .body_size = 0}));
    EXPECT_EQ(*ReadAll(*response.body, 100), "POST0");
  }
}

TEST_F(ClientTest, HeadHasALengthAndNoBody) {
  const std::string url = Serve([](const Request&, ResponseWriter& response) { response.SendBytes("12345").IgnoreError(); });
  ASSERT_OK_AND_ASSIGN(const auto response, client_.Do(context_, {.method = "HEAD", .url = url}));
  EXPECT_EQ(response.content_length, 5u);
  EXPECT_EQ(*ReadAll(*response.body, 100), "");
}

TEST_F(ClientTest, AuthorizationStaysWithItsOriginOnRedirects) {
  const Handler tell = [](const Request& request, ResponseWriter& response) {
    response.SendBytes(absl::StrCat("auth=", request.headers.Get("Authorization"), " x=", request.headers.Get("X"))).IgnoreError();
  };
  const std::string other = Serve(tell);
  const std::string url = Serve([&](const Request& request, ResponseWriter& response) {
    if (request.path == "/same") return tell(request, response);
    response.SetStatus(307);
    response.headers().Set("Location", request.path == "/out" ? other + "/x" : "/same");
    response.SendEmpty().IgnoreError();
  });
  const Headers headers = {{"Authorization", "Bearer t"}, {"X", "1"}};
  for (const auto& [path, want] : std::vector<std::pair<std::string, std::string>>{{"/in", "auth=Bearer t x=1"}, {"/out", "auth= x=1"}}) {
    ASSERT_OK_AND_ASSIGN(const auto response, client_.Do(context_, {.url = url + path, .headers = headers}));
    EXPECT_EQ(*ReadAll(*response.body, 100), want);
    EXPECT_EQ(response.url, path == "/in" ? url + "/same" : other + "/x");
  }
  ASSERT_OK_AND_ASSIGN(const auto returned, client_.Do(context_, {.url = url + "/in", .redirects = RedirectPolicy::kReturn}));
  EXPECT_EQ(returned.status, 307);
  ASSERT_OK_AND_ASSIGN(const auto post, client_.Do(context_, {.method = "POST", .url = url + "/in"}));
  EXPECT_EQ(post.status, 307);
}

TEST_F(ClientTest, GivesUpOnRedirectLoopsAndForeignSchemes) {
  const std::string url = Serve([](const Request& request, ResponseWriter& response) {
    response.SetStatus(302);
    response.headers().Set("Location", request.path == "/file" ? "file:///etc/passwd" : "/again");
    response.SendEmpty().IgnoreError();
  });
  EXPECT_THAT(client_.Do(context_, {.url = url}), StatusIs(absl::StatusCode::kAborted, "redirects"));
  EXPECT_THAT(client_.Do(context_, {.url = url + "/file"}), StatusIs(absl::StatusCode::kInvalidArgument, "http"));
}

TEST_F(ClientTest, AnEarlyRefusalEndsTheUpload) {
  const std::string url = Serve([](const Request&, ResponseWriter& response) {
    response.SetStatus(413);
    response.SendText("text/plain", "too big").IgnoreError();
  });
  PatternSource source(uint64_t{1} << 40);
  ASSERT_OK_AND_ASSIGN(const auto response, client_.Do(context_, {.method = "PUT", .url = url, .body = &source, .body_size = uint64_t{1} << 40}));
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(*ReadAll(*response.body, 100), "too big");
}

TEST_F(ClientTest, ErrorsOfTheUploadSourceComeBack) {
  const std::string url = Serve([](const Request& request, ResponseWriter&) { ReadAll(request.body, 1000).IgnoreError(); });
  struct Failing final : ByteSource {
    absl::StatusOr<size_t> Read(char*, size_t) override { return absl::DataLossError("disk says no"); }
  } failing;
  EXPECT_THAT(client_.Do(context_, {.method = "PUT", .url = url, .body = &failing}), StatusIs(absl::StatusCode::kDataLoss, "disk says no"));
  StringSource little("abc");
  EXPECT_THAT(client_.Do(context_, {.method = "PUT", .url = url, .body = &little, .body_size = 10}),
              StatusIs(absl::StatusCode::kDataLoss, "7 bytes early"));
}

TEST_F(ClientTest, ATruncatedBodyFails) {
  const std::string url = Serve([](const Request& request, ResponseWriter& response) {
    auto sink = response.StartStream(request.path == "/known" ? std::optional<uint64_t>(100) : std::nullopt);
    (*sink)->Write("partial").IgnoreError();
  });
  for (const char* path : {"/known", "/chunked"}) {
    ASSERT_OK_AND_ASSIGN(const auto response, client_.Do(context_, {.url = url + path}));
    char piece[100];
    ASSERT_OK_AND_ASSIGN(const size_t n, response.body->Read(piece, sizeof(piece)));
    EXPECT_EQ(absl::string_view(piece, n), "partial");
    EXPECT_THAT(response.body->Read(piece, sizeof(piece)), StatusIs(absl::StatusCode::kUnavailable, "")) << path;
  }
}

TEST_F(ClientTest, ABodyMayBeAbandoned) {
  const std::string url = Serve([](const Request&, ResponseWriter& response) {
    PatternSource source(100'000'000);
    auto sink = response.StartStream(100'000'000);
    CopyBytes(source, **sink).IgnoreError();
  });
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto response, client_.Do(context_, {.url = url}));
    char piece[10];
    EXPECT_GT(*response.body->Read(piece, sizeof(piece)), 0u);
  }
}

// The connection is kept, and the next response arrives before anybody reads it.
TEST_F(ClientTest, ABodyReadByItsLengthLeavesNothingBehindForTheNextResponse) {
  const std::string url = Serve([](const Request&, ResponseWriter& response) {
    PatternSource source(1'000'000);
    auto sink = response.StartStream(1'000'000);
    CopyBytes(source, **sink).IgnoreError();
  });
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto response, client_.Do(context_, {.url = url}));
    std::string body(1'000'000, '\0');
    for (size_t at = 0; at < body.size();) {
      ASSERT_OK_AND_ASSIGN(const size_t n, response.body->Read(body.data() + at, body.size() - at));
      ASSERT_GT(n, 0u);
      at += n;
    }
    ASSERT_OK_AND_ASSIGN(const uint64_t matching, [&]() -> absl::StatusOr<uint64_t> { StringSource whole(body); return CountMatching(whole); }());
    EXPECT_EQ(matching, body.size());
  }
}

TEST_F(ClientTest, CancellationDeadlineAndSilenceEndAWait) {
  std::latch release(1);
  Cancellation cancellation;
  const std::string url = Serve([&](const Request& request, ResponseWriter&) {
    if (request.path == "/cancel") cancellation.Cancel();
    release.wait();
  });
  EXPECT_THAT(client_.Do({.cancellation = &cancellation}, {.url = url + "/cancel"}), StatusIs(absl::StatusCode::kCancelled, ""));
  EXPECT_THAT(client_.Do({.deadline = absl::Now() + absl::Milliseconds(50)}, {.url = url}),
              StatusIs(absl::StatusCode::kDeadlineExceeded, "deadline"));
  Client impatient({.min_progress_timeout = absl::Milliseconds(50)});
  EXPECT_THAT(impatient.Do(context_, {.url = url}), StatusIs(absl::StatusCode::kDeadlineExceeded, "progress"));
  release.count_down();
}

TEST_F(ClientTest, SaysWhatCouldNotBeReached) {
  std::string url;
  {
    const auto server = Server::Start({}, [](const Request&, ResponseWriter&) {});
    url = absl::StrCat("http://127.0.0.1:", (*server)->port(), "/x?token=secret");
  }
  const auto refused = client_.Do(context_, {.url = url});
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kUnavailable, "GET http://127.0.0.1:"));
  EXPECT_THAT(std::string(refused.status().message()), ::testing::Not(HasSubstr("secret")));
  EXPECT_THAT(client_.Do(context_, {.url = "ftp://x/"}), StatusIs(absl::StatusCode::kInvalidArgument, "ftp"));
  EXPECT_THAT(client_.Do(context_, {.url = "http://x/", .headers = {{"A", "b\r\nC: d"}}}), StatusIs(absl::StatusCode::kInvalidArgument, "\"A\""));
}

TEST_F(ClientTest, ManyThreadsShareOneClient) {
  const std::string url = Serve([](const Request& request, ResponseWriter& response) { response.SendBytes(request.path).IgnoreError(); });
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string path = absl::StrCat("/", t, "/", i);
        EXPECT_EQ(*GetText(url + path), "200 " + path);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(servers_[0]->connections(), 8u);
}

}  // namespace
}  // namespace strata::http
