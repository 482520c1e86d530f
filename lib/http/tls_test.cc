// TLS of the server: what a client sees of it, with libcurl and with OpenSSL as the other side.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"
#include "lib/http/certificate_for_test.h"
#include "lib/http/client.h"
#include "lib/http/server.h"
#include "lib/http/socket_for_test.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"

namespace strata::http {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::StatusIs;

// Blocking TLS client that controls versions and certificates.
class TlsSocket {
 public:
  struct Options {
    int max_version = 0;                          // of the protocol; 0: any
    const CertificateForTest* certificate = nullptr;
  };
  explicit TlsSocket(uint16_t port) : TlsSocket(port, Options{}) {}
  TlsSocket(uint16_t port, const Options& options) : context_(::SSL_CTX_new(::TLS_client_method()), ::SSL_CTX_free), ssl_(nullptr, ::SSL_free) {
    // Versions that OpenSSL's default security level hides are to be refused by the server, not by us.
    ::SSL_CTX_set_security_level(context_.get(), 0);
    ::SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    if (options.max_version != 0) ::SSL_CTX_set_max_proto_version(context_.get(), options.max_version);
    if (options.certificate != nullptr) Use(*options.certificate);
    ssl_.reset(::SSL_new(context_.get()));
    fd_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ::SSL_set_fd(ssl_.get(), fd_.get());
    is_connected_ = ::SSL_connect(ssl_.get()) == 1;
  }

  bool is_connected() const { return is_connected_; }
  bool Send(const std::string& bytes) {
    return ::SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
  }
  // Reads until `text` has come; what came when the peer closes first.
  std::string ReadUntil(absl::string_view text) {
    char piece[4096];
    while (got_.find(std::string(text)) == std::string::npos) {
      const int n = ::SSL_read(ssl_.get(), piece, sizeof(piece));
      if (n <= 0) break;
      got_.append(piece, static_cast<size_t>(n));
    }
    return got_;
  }
  std::string server_name() const {
    const std::unique_ptr<X509, decltype(&::X509_free)> peer(::SSL_get1_peer_certificate(ssl_.get()), ::X509_free);
    char name[256] = "";
    if (peer) ::X509_NAME_get_text_by_NID(::X509_get_subject_name(peer.get()), NID_commonName, name, sizeof(name));
    return name;
  }

 private:
  void Use(const CertificateForTest& certificate) {
    const testing::ScratchDir dir;
    testing::WriteFile(dir.Join("c"), certificate.certificate_pem);
    testing::WriteFile(dir.Join("k"), certificate.key_pem);
    EXPECT_EQ(::SSL_CTX_use_certificate_chain_file(context_.get(), dir.Join("c").c_str()), 1);
    EXPECT_EQ(::SSL_CTX_use_PrivateKey_file(context_.get(), dir.Join("k").c_str(), SSL_FILETYPE_PEM), 1);
  }

  std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)> context_;
  UniqueFd fd_;
  std::unique_ptr<SSL, decltype(&::SSL_free)> ssl_;
  bool is_connected_ = false;
  std::string got_;
};

void Echo(const Request& request, ResponseWriter& response) {
  const absl::StatusOr<std::string> body = ReadAll(request.body, 64 << 20);
  response.SendText("text/plain", absl::StrCat(request.is_encrypted, " ", request.path, " [", body.value_or("?"), "]")).IgnoreError();
}

void Who(const Request& request, ResponseWriter& response) {
  const PeerCertificate* peer = request.certificate;
  if (peer == nullptr) return response.SendText("text/plain", "nobody").IgnoreError();
  response.SendText("text/plain", absl::StrCat("CN=", peer->common_name, " DNS=", peer->dns_names.size(), " URI=",
                                               peer->uris.empty() ? "" : peer->uris[0], " #", peer->fingerprint.size(), "."))
      .IgnoreError();
}

constexpr char kGet[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() : ca_(MakeCaForTest("test CA")) {
    testing::WriteFile(dir_.Join("ca.pem"), ca_.certificate_pem);
    Install("first");
    options_.certificate_file = dir_.Join("server.pem");
    options_.key_file = dir_.Join("server.key");
    options_.look_every = absl::ZeroDuration();
    options_.on_reload = [this](const absl::Status& status) {
      MutexLock lock(mutex_);
      reloads_.push_back(status);
    };
  }

  void Install(const std::string& name) {
    const CertificateForTest made =
        MakeCertificateForTest({.common_name = name, .alternative_names = {"IP:127.0.0.1", "DNS:localhost"}}, ca_);
    testing::WriteFile(dir_.Join("server.pem"), made.certificate_pem);
    testing::WriteFile(dir_.Join("server.key"), made.key_pem);
  }
  void Start(Handler handler) {
    auto context = TlsServerContext::Load(options_);
    ASSERT_OK(context.status());
    server_options_.listen.clear();
    server_options_.tls_listen = {"127.0.0.1:0"};
    server_options_.tls = *std::move(context);
    auto server = Server::Start(server_options_, std::move(handler));
    ASSERT_OK(server.status());
    server_ = *std::move(server);
  }
  std::string Url(absl::string_view path) { return absl::StrCat("https://127.0.0.1:", server_->port(), path); }
  std::vector<absl::Status> reloads() {
    MutexLock lock(mutex_);
    return reloads_;
  }

  const testing::ScratchDir dir_;
  const CertificateForTest ca_;
  TlsServerOptions options_;
  ServerOptions server_options_;
  Mutex mutex_;
  std::vector<absl::Status> reloads_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Server> server_;
};

TEST_F(TlsTest, ContentLargerThanAnyBufferPassesBothWays) {
  Start(Echo);
  Client client({.ca_file = dir_.Join("ca.pem")});
  std::string content(5'000'003, '\0');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 >> 3);
  for (int i = 0; i < 3; ++i) {
    StringSource body(content);
    ClientRequest request{.method = "PUT", .url = Url("/x"), .headers = {}, .body = &body, .body_size = {}, .verify_tls = {}, .ca_file = {}};
    if (i > 0) request.body_size = content.size();
    ASSERT_OK_AND_ASSIGN(const ClientResponse response, client.Do({}, std::move(request)));
    ASSERT_OK_AND_ASSIGN(const std::string got, ReadAll(*response.body, 64 << 20));
    EXPECT_TRUE(got == absl::StrCat("1 /x [", content, "]"));
  }
  EXPECT_EQ(server_->connections(), 1u);
}

TEST_F(TlsTest, PartsOfFilesAreSent) {
  const std::string content(300'000, 'x');
  testing::WriteFile(dir_.Join("file"), content + "the end");
  Start([this](const Request&, ResponseWriter& response) {
    const UniqueFd file(::open(dir_.Join("file").c_str(), O_RDONLY | O_CLOEXEC));
    response.SendFile(file.get(), 1, 300'006).IgnoreError();
  });
  Client client({.ca_file = dir_.Join("ca.pem")});
  ASSERT_OK_AND_ASSIGN(const ClientResponse response, client.Do({}, {.url = Url("/"), .headers = {}, .body_size = {}, .verify_tls = {}, .ca_file = {}}));
  EXPECT_TRUE(*ReadAll(*response.body, 1 << 20) == content.substr(1) + "the end");
}

TEST_F(TlsTest, RequestsThatShareARecordAreAllAnswered) {
  Start(Echo);
  TlsSocket client(server_->port());
  ASSERT_TRUE(client.is_connected());
  std::string requests;
  for (int i = 0; i < 50; ++i) absl::StrAppend(&requests, "POST /", i, " HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
  ASSERT_TRUE(client.Send(requests));
  EXPECT_THAT(client.ReadUntil("/49 [abc]"), HasSubstr("1 /49 [abc]"));
}

TEST_F(TlsTest, OldVersionsAreRefused) {
  Start(Echo);
  for (const auto& [version, works] : {std::pair{TLS1_VERSION, false}, {TLS1_1_VERSION, false}, {TLS1_2_VERSION, true}, {TLS1_3_VERSION, true}}) {
    TlsSocket client(server_->port(), {.max_version = version});
    EXPECT_EQ(client.is_connected(), works) << version;
    if (!works) continue;
    ASSERT_TRUE(client.Send(kGet));
    EXPECT_THAT(client.ReadUntil("/a []"), EndsWith("1 /a []"));
  }
}

TEST_F(TlsTest, PlainHttpIsToldWhatToDo) {
  Start(Echo);
  SocketForTest client(server_->port());
  client.Send(kGet);
  EXPECT_THAT(client.ReadToEnd(), ::testing::AllOf(StartsWith("HTTP/1.1 400 "), EndsWith("write https:// instead of http://\n")));
}

TEST_F(TlsTest, HandshakesThatDoNotEndAreClosed) {
  server_options_.header_timeout = absl::Milliseconds(200);
  Start(Echo);
  SocketForTest silent(server_->port());
  SocketForTest half(server_->port());
  half.Send(absl::string_view("\x16\x03\x01\x02\x00\x01", 6));
  TlsSocket other(server_->port());
  ASSERT_TRUE(other.Send(kGet));
  EXPECT_THAT(other.ReadUntil("/a []"), HasSubstr("/a []"));
  EXPECT_TRUE(silent.AtEnd());
  EXPECT_TRUE(half.AtEnd());
}

TEST_F(TlsTest, GarbageInsteadOfAHandshakeIsClosed) {
  Start(Echo);
  SocketForTest client(server_->port());
  client.Send(std::string("\x16", 1) + std::string(600, '\xff'));
  client.ReadToEnd();
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(TlsTest, ClientCertificatesAreNamesWhenAskedFor) {
  const CertificateForTest good = MakeCertificateForTest(
      {.common_name = "ci-runner", .alternative_names = {"DNS:runner.example", "URI:spiffe://cluster/ns/ci/sa/runner"}}, ca_);
  const CertificateForTest foreign = MakeCertificateForTest({.common_name = "ci-runner", .alternative_names = {}}, MakeCaForTest("other CA"));
  options_.client_ca_file = dir_.Join("ca.pem");
  options_.client_auth = TlsServerOptions::ClientAuth::kOptional;
  Start(Who);
  const auto ask = [this](const CertificateForTest* certificate) {
    TlsSocket client(server_->port(), {.certificate = certificate});
    (void)client.Send(kGet);
    const std::string answer = client.ReadUntil(certificate == nullptr ? "nobody" : "#64.");
    const size_t body = answer.find("\r\n\r\n");
    return body == std::string::npos ? "refused" : answer.substr(body + 4);
  };
  EXPECT_EQ(ask(&good), "CN=ci-runner DNS=1 URI=spiffe://cluster/ns/ci/sa/runner #64.");
  EXPECT_EQ(ask(nullptr), "nobody");
  EXPECT_EQ(ask(&foreign), "refused");
  options_.client_auth = TlsServerOptions::ClientAuth::kRequired;
  Start(Who);
  EXPECT_EQ(ask(&good), "CN=ci-runner DNS=1 URI=spiffe://cluster/ns/ci/sa/runner #64.");
  EXPECT_EQ(ask(nullptr), "refused");
}

TEST_F(TlsTest, ChangedFilesAreUsedByNewConnections) {
  Start(Echo);
  TlsSocket before(server_->port());
  EXPECT_EQ(before.server_name(), "first");
  Install("second");
  EXPECT_EQ(TlsSocket(server_->port()).server_name(), "second");
  // A connection goes on with what it began with.
  ASSERT_TRUE(before.Send(kGet));
  EXPECT_THAT(before.ReadUntil("/a []"), EndsWith("/a []"));
  EXPECT_THAT(reloads(), ElementsAre(absl::OkStatus()));
}

TEST_F(TlsTest, BrokenFilesLeaveTheOldOnesInUse) {
  Start(Echo);
  testing::WriteFile(dir_.Join("server.pem"), "no certificate");
  EXPECT_EQ(TlsSocket(server_->port()).server_name(), "first");
  ASSERT_EQ(reloads().size(), 1u);
  EXPECT_THAT(reloads()[0], StatusIs(absl::StatusCode::kInvalidArgument, "server.pem"));
  Install("mended");
  EXPECT_EQ(TlsSocket(server_->port()).server_name(), "mended");
}

TEST_F(TlsTest, WhatCannotServeIsRefusedAtTheStart) {
  const CertificateForTest other = MakeCertificateForTest({.common_name = "other", .alternative_names = {}}, ca_);
  testing::WriteFile(dir_.Join("other.key"), other.key_pem);
  testing::WriteFile(dir_.Join("text"), "hello");
  using Options = TlsServerOptions;
  const struct {
    const char* name;
    std::function<void(Options&)> change;
    absl::StatusCode code;
    const char* message;
  } kCases[] = {
      {"no certificate file", [&](Options& o) { o.certificate_file = dir_.Join("none"); }, absl::StatusCode::kNotFound, "none"},
      {"no key named", [&](Options& o) { o.key_file = ""; }, absl::StatusCode::kInvalidArgument, "private key"},
      {"key of another", [&](Options& o) { o.key_file = dir_.Join("other.key"); }, absl::StatusCode::kInvalidArgument, "does not belong"},
      {"key that is none", [&](Options& o) { o.key_file = dir_.Join("text"); }, absl::StatusCode::kInvalidArgument, "private key"},
      {"CA missing", [&](Options& o) { o.client_auth = Options::ClientAuth::kOptional; }, absl::StatusCode::kInvalidArgument, "CA file"},
      {"CA that is none", [&](Options& o) { o.client_auth = Options::ClientAuth::kOptional; o.client_ca_file = dir_.Join("text"); },
       absl::StatusCode::kInvalidArgument, "CA certificates"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    Options options = options_;
    c.change(options);
    EXPECT_THAT(TlsServerContext::Load(options).status(), StatusIs(c.code, c.message));
  }
}

}  // namespace
}  // namespace strata::http
