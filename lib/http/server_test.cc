#include "lib/http/server.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <deque>
#include <future>
#include <latch>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/unique_fd.h"
#include "lib/http/range.h"
#include "lib/http/socket_for_test.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using testing::StatusIs;

std::unique_ptr<Server> StartServer(Handler handler, ServerOptions options = {}) {
  auto server = Server::Start(std::move(options), std::move(handler));
  EXPECT_OK(server);
  return *std::move(server);
}

// Answers with what it understood of the request, body included.
void Echo(const Request& request, ResponseWriter& response) {
  const absl::StatusOr<std::string> body = ReadAll(request.body, 64 << 20);
  if (!body.ok()) {
    response.SetStatus(400);
    response.SendText("text/plain", body.status().message()).IgnoreError();
    return;
  }
  response.SendText("text/plain", absl::StrCat(request.method, " ", request.path, " [", *body, "]")).IgnoreError();
}

std::string Get(absl::string_view path) { return absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\n\r\n"); }

TEST(ServerTest, KeepsTheConnectionForFurtherRequests) {
  const auto server = StartServer(Echo);
  SocketForTest client(server->port());
  for (const char* path : {"/a", "/b%20c", "/d?e=f"}) {
    client.Send(Get(path));
    EXPECT_THAT(client.ReadResponse(), StartsWith("HTTP/1.1 200 OK\r\nDate: ")) << path;
  }
  EXPECT_EQ(server->connections(), 1u);
  client.Send("GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.ReadToEnd(), ::testing::AllOf(HasSubstr("Connection: close\r\n"), EndsWith("GET /last []")));
}

TEST(ServerTest, AnswersPipelinedRequestsInOrder) {
  const auto server = StartServer(Echo);
  SocketForTest client(server->port());
  std::string requests;
  for (int i = 0; i < 100; ++i) {
    absl::StrAppend(&requests, "POST /", i, " HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
  }
  client.Send(requests);
  for (int i = 0; i < 100; ++i) EXPECT_THAT(client.ReadResponse(), EndsWith(absl::StrCat("POST /", i, " [abc]")));
}

TEST(ServerTest, ReadsChunkedBodiesHoweverTheyAreCut) {
  const auto server = StartServer(Echo);
  SocketForTest client(server->port());
  const std::string request =
      "PATCH /u HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n1;ext=\"v\"\r\n \r\n00A\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";
  client.Send(request);
  EXPECT_THAT(client.ReadResponse(), EndsWith("PATCH /u [hello 0123456789]"));
  for (const char c : request) client.Send(absl::string_view(&c, 1));
  client.Send(Get("/next"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("PATCH /u [hello 0123456789]"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("GET /next []"));
}

TEST(ServerTest, RefusesBrokenChunks) {
  const auto server = StartServer(Echo);
  for (const char* body : {"5\r\nhelloX\r\n0\r\n\r\n", "-1\r\n\r\n", "\r\n", "g\r\n", "0x5\r\nhello\r\n", "5 5\r\nhello\r\n",
                           "1000000000000000\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n"}) {
    SocketForTest client(server->port());
    client.Send(absl::StrCat("PUT /u HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", body));
    EXPECT_THAT(client.ReadToEnd(), ::testing::AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("chunk framing"))) << body;
  }
}

// Moves the body into a file and answers with what is there, and with the error that ended it.
class ToFile {
 public:
  explicit ToFile(uint64_t limit = 1 << 20) : limit_(limit) {}

  void operator()(const Request& request, ResponseWriter& response) const {
    const UniqueFd file(::memfd_create("body", MFD_CLOEXEC));
    uint64_t size = 0;
    absl::StatusOr<uint64_t> moved = 1;
    while (moved.ok() && *moved > 0) {
      moved = request.body.MoveToFile(file.get(), size, limit_);
      EXPECT_LE(moved.value_or(0), limit_);
      size += moved.value_or(0);
    }
    FdSource source(file.get());
    const auto content = ReadAll(source, 64 << 20);
    ASSERT_OK(content);
    EXPECT_EQ(content->size(), size);
    response.SendText("text/plain", absl::StrCat("[", *content, "]", moved.status().message())).IgnoreError();
  }

 private:
  const uint64_t limit_;
};

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 1000) % 26);
  return text;
}

std::string Chunked(absl::string_view content, size_t chunk) {
  std::string text;
  for (; !content.empty(); content.remove_prefix(std::min(chunk, content.size()))) {
    const absl::string_view piece = content.substr(0, chunk);
    absl::StrAppend(&text, absl::Hex(piece.size()), "\r\n", piece, "\r\n");
  }
  return text + "0\r\n\r\n";
}

constexpr char kPut[] = "PUT /u HTTP/1.1\r\nHost: x\r\n";

TEST(ServerTest, MovesABodyIntoAFile) {
  const std::string content = Pattern(3'000'001);
  for (const uint64_t limit : {7u, 4096u, 100'000u, 8u << 20}) {
    SCOPED_TRACE(limit);
    const std::string body = content.substr(0, limit == 7 ? 5000 : content.size());
    const auto server = StartServer(ToFile(limit));
    SocketForTest client(server->port());
    client.Send(absl::StrCat(kPut, "Content-Length: ", body.size(), "\r\n\r\n", body, Get("/next")));
    EXPECT_TRUE(client.ReadResponse().ends_with(absl::StrCat("\r\n\r\n[", body, "]")));
    EXPECT_THAT(client.ReadResponse(), EndsWith("[]"));
  }
}

TEST(ServerTest, MovesAChunkedBodyIntoAFileHoweverItIsCut) {
  const auto server = StartServer(ToFile());
  const std::string content = Pattern(1'500'000);
  for (const size_t chunk : {1000u, 16'383u, 32'768u, 65'536u, 1u << 20}) {
    SCOPED_TRACE(chunk);
    SocketForTest client(server->port());
    client.Send(absl::StrCat(kPut, "Transfer-Encoding: chunked\r\n\r\n", Chunked(content, chunk), Get("/next")));
    EXPECT_TRUE(client.ReadResponse().ends_with(absl::StrCat("\r\n\r\n[", content, "]")));
    EXPECT_THAT(client.ReadResponse(), EndsWith("[]"));
  }
  SocketForTest client(server->port());
  client.Send(absl::StrCat(kPut, "Transfer-Encoding: chunked\r\n\r\n"));
  // A size line that grows, with an extension, after one that was short.
  const std::string large = Pattern(20'000);
  const std::string body = absl::StrCat("4e20\r\n", large, "\r\n1\r\nx\r\n0004E20;name=\"a value\"\r\n", large, "\r\n0\r\nTrailer: t\r\n\r\n");
  for (size_t at = 0; at < body.size(); at += 997) client.Send(absl::string_view(body).substr(at, 997));
  EXPECT_TRUE(client.ReadResponse().ends_with(absl::StrCat("[", large, "x", large, "]")));
}

TEST(ServerTest, GivesWhatArrivedBeforeTheErrorOfAMovedBody) {
  const auto server = StartServer(ToFile());
  const std::string content = Pattern(100'000);
  SocketForTest broken(server->port());
  broken.Send(absl::StrCat(kPut, "Transfer-Encoding: chunked\r\n\r\n186a0\r\n", content, "\r\nnonsense\r\n"));
  EXPECT_THAT(broken.ReadToEnd(), HasSubstr(absl::StrCat("[", content, "]chunk framing: bad chunk size")));
  SocketForTest gone(server->port());
  gone.Send(absl::StrCat(kPut, "Content-Length: 100001\r\n\r\n", content));
  gone.CloseWriting();
  EXPECT_THAT(gone.ReadToEnd(), HasSubstr(absl::StrCat("[", content, "]the client closed the connection")));
}

TEST(ServerTest, AMovedBodyThatStandsStillIsGivenUp) {
  ServerOptions options;
  options.min_progress_timeout = absl::Milliseconds(100);
  const auto server = StartServer(ToFile(), options);
  SocketForTest client(server->port());
  client.Send(absl::StrCat(kPut, "Content-Length: 10\r\n\r\nabc"));
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("[abc]the peer makes no progress"));
}

TEST(ServerTest, AFileThatTakesNothingFailsTheMove) {
  std::promise<absl::Status> failed;
  const auto server = StartServer([&failed](const Request& request, ResponseWriter& response) {
    const UniqueFd file(::memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW), 0);
    failed.set_value(request.body.MoveToFile(file.get(), 0, 1000).status());
    EXPECT_THAT(request.body.MoveToFile(file.get(), 0, 1000), StatusIs(absl::StatusCode::kPermissionDenied, ""));
    response.SendText("text/plain", "sealed").IgnoreError();
  });
  SocketForTest client(server->port());
  client.Send(absl::StrCat(kPut, "Content-Length: 100\r\n\r\n", Pattern(100)));
  EXPECT_THAT(failed.get_future().get(), StatusIs(absl::StatusCode::kPermissionDenied, "request body"));
  EXPECT_THAT(client.ReadToEnd(), EndsWith("sealed"));
}

TEST(ServerTest, HeadCarriesTheLengthOfGetAndNoBody) {
  const auto server = StartServer([](const Request& request, ResponseWriter& response) {
    if (request.path == "/stream") {
      auto sink = response.StartStream(1000);
      EXPECT_OK((*sink)->Write(std::string(1000, 'x')));
      EXPECT_OK(response.Finish());
    } else if (request.path == "/declared") {
      response.headers().Set("Content-Length", "77");
      EXPECT_OK(response.SendEmpty());
    } else {
      EXPECT_OK(response.SendBytes("12345"));
    }
  });
  SocketForTest client(server->port());
  for (const auto& [path, length] : std::vector<std::pair<std::string, int>>{{"/", 5}, {"/stream", 1000}, {"/declared", 77}}) {
    client.Send(absl::StrCat("HEAD ", path, " HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_THAT(client.ReadHead(), HasSubstr(absl::StrCat("Content-Length: ", length, "\r\n")));
  }
  client.Send(Get("/"));
  EXPECT_THAT(client.ReadHead(), StartsWith("HTTP/1.1 200"));
}

TEST(ServerTest, StreamsAreChunkedWhenTheLengthIsUnknown) {
  const auto server = StartServer([](const Request&, ResponseWriter& response) {
    auto sink = response.StartStream();
    EXPECT_OK((*sink)->Write("hello"));
    EXPECT_OK((*sink)->Write(""));
    EXPECT_OK((*sink)->Write(std::string(26, 'z')));
    EXPECT_OK(response.Finish());
  });
  SocketForTest client(server->port());
  client.Send(Get("/"));
  EXPECT_THAT(client.ReadHead(), HasSubstr("Transfer-Encoding: chunked\r\n"));
  const std::string want = absl::StrCat("5\r\nhello\r\n1a\r\n", std::string(26, 'z'), "\r\n0\r\n\r\n");
  EXPECT_EQ(client.ReadBytes(want.size()), want);
  SocketForTest old(server->port());
  old.Send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.ReadToEnd(), EndsWith(absl::StrCat("\r\n\r\nhello", std::string(26, 'z'))));
}

TEST(ServerTest, StatusesWithoutContentHaveNone) {
  const auto server = StartServer([](const Request& request, ResponseWriter& response) {
    response.SetStatus(request.path == "/304" ? 304 : request.path == "/204" ? 204 : 202);
    EXPECT_OK(response.SendEmpty());
  });
  SocketForTest client(server->port());
  for (const char* path : {"/204", "/304"}) {
    client.Send(Get(path));
    EXPECT_THAT(client.ReadHead(), Not(HasSubstr("Content-Length"))) << path;
  }
  client.Send(Get("/202"));
  EXPECT_THAT(client.ReadHead(), HasSubstr("Content-Length: 0\r\n"));
}

TEST(ServerTest, SendsFilesAndParts) {
  testing::ScratchDir dir;
  std::string content;
  while (content.size() < 5'000'000) absl::StrAppend(&content, content.size(), ",");
  testing::WriteFile(dir.Join("blob"), content);
  const UniqueFd file(::open(dir.Join("blob").c_str(), O_RDONLY | O_CLOEXEC));
  const auto server = StartServer([&](const Request& request, ResponseWriter& response) {
    const auto ranges = ParseRange(request.headers.Get("Range"), content.size());
    if (!ranges.ok()) return response.SendFile(file.get(), 0, content.size()).IgnoreError();
    response.SetStatus(206);
    response.headers().Set("Content-Range", FormatContentRange(ranges->front(), content.size()));
    response.SendFile(file.get(), ranges->front().first, ranges->front().size_bytes()).IgnoreError();
  });
  SocketForTest client(server->port());
  client.Send(Get("/"));
  const std::string whole = client.ReadResponse();
  EXPECT_TRUE(absl::EndsWith(whole, content));
  EXPECT_THAT(whole.substr(0, 300), HasSubstr(absl::StrCat("Content-Length: ", content.size())));
  client.Send("GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=100001-400000\r\n\r\n");
  const std::string part = client.ReadResponse();
  EXPECT_THAT(part.substr(0, 300), HasSubstr(absl::StrCat("Content-Range: bytes 100001-400000/", content.size())));
  EXPECT_TRUE(absl::EndsWith(part, "\r\n\r\n" + content.substr(100001, 300000)));
  client.Send("GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=7-9\r\n\r\n");
  EXPECT_THAT(client.ReadResponse(), EndsWith("\r\n\r\n" + content.substr(7, 3)));
}

TEST(ServerTest, AFileThatShrankTruncatesTheResponse) {
  testing::ScratchDir dir;
  testing::WriteFile(dir.Join("blob"), std::string(100'000, 'x'));
  const UniqueFd file(::open(dir.Join("blob").c_str(), O_RDONLY | O_CLOEXEC));
  const auto server = StartServer([&](const Request&, ResponseWriter& response) {
    EXPECT_THAT(response.SendFile(file.get(), 0, 1'000'000), StatusIs(absl::StatusCode::kDataLoss, "shrank"));
  });
  SocketForTest client(server->port());
  client.Send(Get("/"));
  EXPECT_LT(client.ReadToEnd().size(), 1'000'000u);
}

TEST(ServerTest, RefusesRequestsThatOthersCouldReadDifferently) {
  const auto server = StartServer(Echo);
  const std::vector<std::pair<std::string, int>> cases = {
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0b" "chunked\r\n\r\n", 400},
      {"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\na", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: x\n\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {std::string("GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", 35), 400},
      {"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /%0a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /a?b=%2 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"GET /\r\nHost: x\r\n\r\n", 400},
      {"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"\x16\x03\x01\n\n", 400},
  };
  for (const auto& [bytes, status] : cases) {
    SCOPED_TRACE(bytes);
    SocketForTest client(server->port());
    client.Send(bytes);
    EXPECT_THAT(client.ReadToEnd(), ::testing::AllOf(StartsWith(absl::StrCat("HTTP/1.1 ", status, " ")), HasSubstr("Connection: close")));
  }
}

TEST(ServerTest, AnswersHeadsThatAreTooLarge) {
  const auto server = StartServer(Echo);
  SocketForTest endless(server->port());
  endless.TrySend(absl::StrCat("GET /", std::string(100'000, 'a')));
  EXPECT_THAT(endless.ReadToEnd(), StartsWith("HTTP/1.1 431 "));
  SocketForTest complete(server->port());
  complete.Send(absl::StrCat("GET / HTTP/1.1\r\nHost: x\r\nA: ", std::string(16'384, 'a'), "\r\n\r\n"));
  EXPECT_THAT(complete.ReadToEnd(), StartsWith("HTTP/1.1 431 "));
  SocketForTest fits(server->port());
  fits.Send(absl::StrCat("GET / HTTP/1.1\r\nHost: x\r\nA: ", std::string(16'000, 'a'), "\r\n\r\n"));
  EXPECT_THAT(fits.ReadResponse(), StartsWith("HTTP/1.1 200 "));
}

TEST(ServerTest, SlowHeadsTimeOut) {
  ServerOptions options;
  options.header_timeout = absl::Milliseconds(100);
  const auto server = StartServer(Echo, options);
  SocketForTest client(server->port());
  client.Send("GET / HT");
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
}

TEST(ServerTest, AnswersATlsHandshakeAtOnce) {
  ServerOptions options;
  options.header_timeout = absl::Minutes(10);
  const auto server = StartServer(Echo, options);
  SocketForTest client(server->port());
  client.Send(absl::string_view("\x16\x03\x01\x02\x00\x01\x00\x01", 8));
  EXPECT_THAT(client.ReadHead(), StartsWith("HTTP/1.1 400 "));
}

TEST(ServerTest, IdleConnectionsAreClosedQuietly) {
  ServerOptions options;
  options.idle_timeout = absl::Milliseconds(100);
  const auto server = StartServer(Echo, options);
  SocketForTest client(server->port());
  EXPECT_TRUE(client.AtEnd());
}

TEST(ServerTest, ABodyThatStopsMovingFails) {
  ServerOptions options;
  options.min_progress_timeout = absl::Milliseconds(100);
  std::promise<absl::Status> read;
  const auto server = StartServer(
      [&read](const Request& request, ResponseWriter& response) {
        read.set_value(ReadAll(request.body, 1000).status());
        response.SetStatus(408);
        response.SendEmpty().IgnoreError();
      },
      options);
  SocketForTest client(server->port());
  client.Send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
  EXPECT_THAT(read.get_future().get(), StatusIs(absl::StatusCode::kDeadlineExceeded, "no progress"));
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
}

TEST(ServerTest, AClientThatDoesNotReadFailsTheResponse) {
  ServerOptions options;
  options.min_progress_timeout = absl::Milliseconds(100);
  std::promise<absl::Status> written;
  const auto server = StartServer(
      [&written](const Request&, ResponseWriter& response) { written.set_value(response.SendBytes(std::string(64 << 20, 'x'))); }, options);
  SocketForTest client(server->port());
  client.Send(Get("/"));
  EXPECT_THAT(written.get_future().get(), StatusIs(absl::StatusCode::kDeadlineExceeded, "no progress"));
}

TEST(ServerTest, AClientThatGoesAwayFailsTheBody) {
  std::promise<absl::Status> read;
  const auto server = StartServer(
      [&read](const Request& request, ResponseWriter&) { read.set_value(ReadAll(request.body, 1000).status()); });
  SocketForTest client(server->port());
  client.Send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
  client.Close();
  EXPECT_THAT(read.get_future().get(), StatusIs(absl::StatusCode::kUnavailable, ""));
}

TEST(ServerTest, AnswersExpectWhenTheBodyIsReadAndOnlyThen) {
  const auto server = StartServer([](const Request& request, ResponseWriter& response) {
    if (request.path == "/read") return Echo(request, response);
    response.SetStatus(401);
    response.SendEmpty().IgnoreError();
  });
  const std::string rest = " HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
  SocketForTest client(server->port());
  client.Send("PUT /read" + rest);
  EXPECT_EQ(client.ReadHead(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("abc");
  EXPECT_THAT(client.ReadResponse(), EndsWith("[abc]"));
  client.Send("PUT /refused" + rest);
  EXPECT_THAT(client.ReadHead(), ::testing::AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("Connection: close")));
  client.CloseWriting();
  EXPECT_TRUE(client.AtEnd());
}

TEST(ServerTest, SkipsAShortUnreadBodyAndClosesOnALongOne) {
  const auto server = StartServer([](const Request&, ResponseWriter& response) { response.SendBytes("no").IgnoreError(); });
  SocketForTest client(server->port());
  client.Send(absl::StrCat("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", std::string(60'000, 'b'), Get("/")));
  EXPECT_THAT(client.ReadResponse(), EndsWith("no"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("no"));
  client.Send(absl::StrCat("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n", std::string(200'000, 'b')));
  EXPECT_THAT(client.ReadToEnd(), ::testing::AllOf(HasSubstr("Connection: close"), EndsWith("no")));
}

TEST(ServerTest, HandlersThatFailGiveAnErrorOrATruncatedResponse) {
  const auto server = StartServer([](const Request& request, ResponseWriter& response) {
    if (request.path == "/silent") return;
    if (request.path == "/throws") throw std::runtime_error("x");
    if (request.path == "/injects") {
      response.headers().Set("Location", "/a\r\nSet-Cookie: b");
      EXPECT_THAT(response.SendEmpty(), StatusIs(absl::StatusCode::kInvalidArgument, "Location"));
      return;
    }
    auto sink = response.StartStream(request.path == "/short" ? std::optional<uint64_t>(100) : std::nullopt);
    EXPECT_OK((*sink)->Write("partial"));
  });
  for (const char* path : {"/silent", "/throws", "/injects"}) {
    SocketForTest client(server->port());
    client.Send(Get(path));
    EXPECT_THAT(client.ReadResponse(), ::testing::AllOf(StartsWith("HTTP/1.1 500"), Not(HasSubstr("Set-Cookie")))) << path;
  }
  for (const char* path : {"/short", "/chunked"}) {
    SocketForTest client(server->port());
    client.Send(Get(path));
    EXPECT_THAT(client.ReadToEnd(), ::testing::AllOf(HasSubstr("partial"), Not(HasSubstr("\r\n0\r\n\r\n")))) << path;
  }
}

TEST(ServerTest, NeverSendsMoreThanDeclared) {
  const auto server = StartServer([](const Request&, ResponseWriter& response) {
    auto sink = response.StartStream(3);
    EXPECT_THAT((*sink)->Write("four"), StatusIs(absl::StatusCode::kInvalidArgument, "Content-Length"));
  });
  SocketForTest client(server->port());
  client.Send(Get("/"));
  EXPECT_THAT(client.ReadToEnd(), Not(HasSubstr("four")));
}

TEST(ServerTest, ThousandIdleConnectionsDoNotBlockABusyOne) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ServerOptions options;
  options.worker_threads = 2;
  const auto server = StartServer(Echo, options);
  std::deque<SocketForTest> idle;
  for (int i = 0; i < 1000; ++i) {
    idle.emplace_back(server->port());
    if (i % 2 == 0) idle.back().Send("GET /slow");
  }
  SocketForTest busy(server->port());
  for (int i = 0; i < 100; ++i) {
    busy.Send(Get("/busy"));
    EXPECT_THAT(busy.ReadResponse(), EndsWith("GET /busy []"));
  }
  EXPECT_EQ(server->connections(), 1001u);
  idle.front().Send(" HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(idle.front().ReadResponse(), EndsWith("GET /slow []"));
}

TEST(ServerTest, ConnectionsOverTheLimitWaitForOthersToGo) {
  ServerOptions options;
  options.max_connections = 1;
  const auto server = StartServer(Echo, options);
  SocketForTest first(server->port());
  first.Send(Get("/1"));
  EXPECT_THAT(first.ReadResponse(), EndsWith("GET /1 []"));
  SocketForTest second(server->port());
  second.Send(Get("/2"));
  first.Send("GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(first.ReadToEnd(), EndsWith("GET /3 []"));
  EXPECT_THAT(second.ReadResponse(), EndsWith("GET /2 []"));
}

TEST(ServerTest, ShutdownLetsRunningRequestsFinish) {
  std::latch running(1), finish(1);
  const auto server = StartServer([&](const Request&, ResponseWriter& response) {
    running.count_down();
    finish.wait();
    EXPECT_OK(response.SendBytes("done"));
  });
  SocketForTest idle(server->port());
  SocketForTest client(server->port());
  client.Send(Get("/"));
  running.wait();
  std::thread stopper([&] { server->Shutdown(absl::Seconds(30)); });
  EXPECT_TRUE(idle.AtEnd());
  finish.count_down();
  EXPECT_THAT(client.ReadToEnd(), EndsWith("done"));
  stopper.join();
  EXPECT_EQ(server->connections(), 0u);
}

TEST(ServerTest, ShutdownCutsWhatDoesNotFinish) {
  std::latch running(1);
  std::promise<absl::Status> read;
  const auto server = StartServer([&](const Request& request, ResponseWriter&) {
    running.count_down();
    read.set_value(ReadAll(request.body, 1000).status());
  });
  SocketForTest client(server->port());
  client.Send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
  running.wait();
  server->Shutdown(absl::Milliseconds(20));
  EXPECT_FALSE(read.get_future().get().ok());
}

TEST(ServerTest, ListensOnSeveralAddressesAndUnixSockets) {
  // Scratch folders have names too long for a socket address.
  char folder[] = "/tmp/strata-http-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string path = absl::StrCat(folder, "/s");
  ServerOptions options;
  options.listen = {"unix:" + path, "127.0.0.1:0", "localhost:0"};
  const auto server = StartServer(Echo, options);
  ASSERT_EQ(server->addresses().size(), 3u);
  EXPECT_EQ(server->addresses()[0], "unix:" + path);
  EXPECT_OK(Server::Start({.listen = {"unix:" + path}}, Echo));  // what a dead server left behind is replaced
  ::unlink(path.c_str());
  ::rmdir(folder);
  EXPECT_EQ(server->addresses()[1], absl::StrCat("127.0.0.1:", server->port()));
  ServerOptions again;
  again.listen = {server->addresses()[1]};
  EXPECT_THAT(Server::Start(again, Echo), StatusIs(absl::StatusCode::kUnavailable, "in use"));
  for (const char* address : {"", "5000", "host:80", "127.0.0.1:65536", "[::1:5000", "unix:", "127.0.0.1:"}) {
    ServerOptions bad;
    bad.listen = {address};
    EXPECT_THAT(Server::Start(bad, Echo), StatusIs(absl::StatusCode::kInvalidArgument, "listen address")) << address;
  }
}

}  // namespace
}  // namespace strata::http
