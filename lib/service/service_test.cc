#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "lib/http/client.h"
#include "lib/service/admin_server.h"
#include "lib/service/run.h"
#include "lib/testing/status_matchers.h"

namespace strata::service {
namespace {

using ::testing::HasSubstr;

// Runs `body` in a child process and returns its exit code; -1 when a signal killed it.
int ExitCodeOf(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(RunTest, ASignalDrainsAndEndsWithZero) {
  EXPECT_EQ(ExitCodeOf([] {
              PrepareSignals();
              Readiness readiness;
              if (readiness.reason() != "starting") return 10;
              ::kill(::getpid(), SIGTERM);  // pending until Run() takes it
              absl::Duration told;
              std::string reason;
              const int code = service::Run({.name = "t", .drain_limit = absl::Seconds(7)}, readiness, [&](absl::Duration limit) {
                told = limit;
                reason = readiness.reason();
              });
              if (told != absl::Seconds(7) || reason != "draining") return 11;
              return code;
            }),
            0);
}

TEST(RunTest, ASecondSignalEndsAtOnce) {
  EXPECT_EQ(ExitCodeOf([] {
              PrepareSignals();
              Readiness readiness;
              ::kill(::getpid(), SIGINT);
              return service::Run({.name = "t", .drain_limit = absl::Minutes(5)}, readiness, [](absl::Duration) {
                ::kill(::getpid(), SIGTERM);
                while (true) ::pause();
              });
            }),
            1);
}

class AdminServerTest : public ::testing::Test {
 protected:
  void Start(AdminOptions options) {
    options.listen = "127.0.0.1:0";
    auto started = AdminServer::Start(std::move(options), metrics_, readiness_);
    ASSERT_OK(started);
    server_ = *std::move(started);
  }
  // "200 body"
  std::string Get(absl::string_view path) {
    http::Client client;
    http::ClientRequest request;
    request.method = "GET";
    request.url = absl::StrCat("http://", server_->address(), path);
    auto response = client.Do(CallContext(), request);
    if (!response.ok()) return response.status().ToString();
    const auto body = ReadAll(*response->body, 1 << 20);
    return absl::StrCat(response->status, " ", body.ok() ? *body : body.status().ToString());
  }

  metrics::Registry metrics_;
  Readiness readiness_;
  std::unique_ptr<AdminServer> server_;
};

TEST_F(AdminServerTest, TellsReadinessAndMetrics) {
  metrics_.AddCounter("things_total", "Things.").Add(4);
  Start({.config = [] { return std::string("listen = x\n"); }});
  EXPECT_EQ(Get("/healthz"), "200 ok\n");
  EXPECT_EQ(Get("/readyz"), "503 starting\n");
  readiness_.SetReady();
  EXPECT_EQ(Get("/readyz"), "200 ready\n");
  readiness_.SetNotReady("draining");
  EXPECT_EQ(Get("/readyz"), "503 draining\n");
  EXPECT_THAT(Get("/metrics"), HasSubstr("\nthings_total 4\n"));
  EXPECT_EQ(Get("/debug/config"), "200 listen = x\n");
  EXPECT_THAT(Get("/debug/state"), HasSubstr("404 "));
  EXPECT_THAT(Get("/other"), HasSubstr("404 try /healthz"));
}

}  // namespace
}  // namespace strata::service
